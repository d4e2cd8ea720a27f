"""Busy times go to those who may ask, in UTC, and nobody learns more; `scripts/rfc5546_4_3_*.txt` play the RFC's examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ical.times import Period
from gateway.itip.freebusy import busy, merged, stretch
from gateway.itip.model import Certainty

DAY = datetime(2030, 1, 7, tzinfo=UTC)
ALICE = frozenset({"alice@example.com"})


def at(start: int, end: int) -> Period:
    return stretch(DAY + timedelta(hours=start), DAY + timedelta(hours=end))


periods = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda two: at(min(two), max(two))))


@given(periods)
def test_merging_keeps_the_time_and_leaves_gaps_between(found: list[Period]) -> None:
    def hours(of: Any) -> set[datetime]:
        return {
            DAY + timedelta(hours=hour)
            for hour in range(51)
            for one in of
            if one.start <= DAY + timedelta(hours=hour) < one.end
        }

    out = merged(found)
    assert hours(out) == hours(found)
    assert all(one.end < other.start for one, other in zip(out, out[1:], strict=False))
    assert merged(out) == out


def meeting(
    stage: Any, more: str = "", start: str = "20300107T090000Z", end: str = "20300107T100000Z"
) -> Any:
    lines = f"BEGIN:VEVENT\nUID:m\nDTSTAMP:20290101T000000Z\nDTSTART:{start}\nDTEND:{end}\n{more}\nEND:VEVENT"
    return stage.object("\n".join(line for line in lines.splitlines() if line))


GUEST = "ORGANIZER:mailto:bob@example.net\nATTENDEE;PARTSTAT={}:mailto:alice@example.com"


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ("", "BUSY"),
        ("TRANSP:OPAQUE", "BUSY"),
        ("TRANSP:TRANSPARENT", ""),
        ("STATUS:CANCELLED", ""),
        ("STATUS:TENTATIVE", "BUSY-TENTATIVE"),
        (GUEST.format("ACCEPTED"), "BUSY"),
        (GUEST.format("TENTATIVE"), "BUSY-TENTATIVE"),
        (GUEST.format("NEEDS-ACTION"), "BUSY-TENTATIVE"),
        (GUEST.format("DECLINED"), ""),
        (GUEST.format("DELEGATED"), ""),
        ("ORGANIZER:mailto:alice@example.com\nATTENDEE;PARTSTAT=DECLINED:mailto:alice@example.com", "BUSY"),
    ],
)
def test_what_blocks_and_what_does_not(stage: Any, more: str, kind: str) -> None:
    found = busy([meeting(stage, more)], ALICE, at(0, 24))
    assert [(one.period, one.kind) for one in found] == ([(at(9, 10), kind)] if kind else [])


def test_meetings_are_cut_to_the_window_and_sure_ones_hide_doubtful_ones(stage: Any) -> None:
    long = meeting(stage, "STATUS:TENTATIVE", "20300106T000000Z", "20300107T120000Z")
    sure = meeting(stage)
    next_door = meeting(stage, start="20300107T100000Z", end="20300107T110000Z")
    found = busy([long, sure, next_door], ALICE, at(8, 24))
    assert [(one.period, one.kind) for one in found] == [
        (at(8, 9), "BUSY-TENTATIVE"),
        (at(9, 11), "BUSY"),
        (at(11, 12), "BUSY-TENTATIVE"),
    ]


def test_of_a_series_the_occurrences_in_the_window_count(stage: Any) -> None:
    found = busy([meeting(stage, "RRULE:FREQ=DAILY;COUNT=9")], ALICE, at(24, 72))
    assert [one.period for one in found] == [at(33, 34), at(57, 58)]


REQUEST = """BEGIN:VFREEBUSY
UID:f@example.net
DTSTAMP:20300101T000000Z
ORGANIZER:mailto:bob@example.net
ATTENDEE:mailto:alice@example.com
DTSTART:20300107T000000Z
DTEND:20300108T000000Z
END:VFREEBUSY
"""


@pytest.mark.parametrize(
    ("policy", "certainty", "sender", "outcome", "reason"),
    [
        ({"freebusy": "all"}, "proven", "bob@example.net", "applied", "busy-told"),
        (
            {"freebusy": "domains", "freebusy_domains": frozenset({"example.net"})},
            "proven",
            "bob@example.net",
            "applied",
            "busy-told",
        ),
        (
            {"freebusy": "domains", "freebusy_domains": frozenset({"example.com"})},
            "proven",
            "bob@example.net",
            "applied",
            "busy-withheld",
        ),
        (
            {"freebusy": "known", "freebusy_domains": frozenset({"example.net"})},
            "proven",
            "bob@example.net",
            "applied",
            "busy-told",
        ),
        ({"freebusy": "known"}, "proven", "bob@example.net", "applied", "busy-withheld"),
        ({"freebusy": "nobody"}, "proven", "bob@example.net", "applied", "busy-withheld"),
        ({"freebusy": "all"}, "likely", "bob@example.net", "ignored", "not-authenticated"),
        ({"freebusy": "all"}, "unknown", "bob@example.net", "ignored", "not-authenticated"),
        ({"freebusy": "all"}, "contradicted", "bob@example.net", "refused", "sender-contradicted"),
        ({"freebusy": "all"}, "proven", "eve@example.org", "refused", "sender-not-organizer"),
    ],
)
def test_who_is_told(stage: Any, policy: Any, certainty: Any, sender: str, outcome: str, reason: str) -> None:
    desk = stage.desk("alice@example.com", **policy)
    desk.mail = {"free_busy": busy([meeting(stage)], ALICE, at(0, 24))}
    decision = desk.meet(stage.message("REQUEST", REQUEST, sender), Certainty(certainty))
    assert (str(decision.outcome), str(decision.reason)) == (outcome, reason)
    told = [one.object.components[0].value("FREEBUSY") for one in decision.outgoing]
    assert told == {"busy-told": ["20300107T090000Z/20300107T100000Z"], "busy-withheld": [None]}.get(
        reason, []
    )
    assert desk.stored is None
