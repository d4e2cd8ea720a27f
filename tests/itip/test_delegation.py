"""One table of delegation: whose line moves, and who is told; `scripts/rfc5546_4_2_5_*.txt` plays it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ical.address import Address
from gateway.ical.tree import Component, prop
from gateway.itip import tables
from gateway.itip.delegation import DEPTH, delegate_of, fault
from gateway.itip.significance import instance

HEAD = """BEGIN:VEVENT
UID:d1@example.com
DTSTAMP:20291201T000000Z
SEQUENCE:2
ORGANIZER:mailto:a@example.com
ATTENDEE;PARTSTAT=NEEDS-ACTION{agent}:mailto:c@example.com
DTSTART:20300107T090000Z
DTEND:20300107T100000Z
RRULE:FREQ=WEEKLY;COUNT=5
SUMMARY:Weekly
END:VEVENT
"""


def says(stage: Any, who: str, to: str, *, key: str = "", minute: int = 1) -> Any:
    more = f"RECURRENCE-ID:{key}\n" if key else ""
    answer = f'PARTSTAT=DELEGATED;DELEGATED-TO="mailto:{to}"' if to else "PARTSTAT=ACCEPTED"
    body = f"""BEGIN:VEVENT
UID:d1@example.com
{more}DTSTAMP:20291202T00{minute:02}00Z
SEQUENCE:2
ORGANIZER:mailto:a@example.com
ATTENDEE;{answer}:mailto:{who}
END:VEVENT
"""
    return stage.message("REPLY", body, who)


@pytest.fixture
def desk(stage: Any) -> Any:
    made = stage.desk("a@example.com")
    made.stored = stage.object(HEAD.format(agent=""))
    return made


def sent(decision: Any) -> list[tuple[str, str]]:
    for one in decision.outgoing:
        assert tables.violations(one.object, one.method) == ()
    return [(str(one.method), str(one.recipient)) for one in decision.outgoing]


def test_one_date_can_be_handed_on_alone_and_taken_back(stage: Any, desk: Any) -> None:
    handed = desk.meet(says(stage, "c@example.com", "e@example.net", key="20300114T090000Z"))
    assert sent(handed) == [("REQUEST", "e@example.net")]
    assert list(handed.outgoing[0].object.overrides) == ["20300114T090000Z"]
    assert desk.stored.attendee("e@example.net", "") is None
    back = desk.meet(says(stage, "c@example.com", "", key="20300114T090000Z", minute=2))
    assert sent(back) == [("CANCEL", "e@example.net")]
    assert desk.stored.attendee("e@example.net", "20300114T090000Z") is None


def test_the_letter_of_a_delegation_knows_for_whom_the_delegate_comes(stage: Any, desk: Any) -> None:
    (letter,) = desk.meet(says(stage, "c@example.com", "e@example.net")).outgoing
    told = letter.summary
    assert told.kind == "delegation"
    assert {one.address: (one.stands_for, one.sends) for one in told.now.guests} == {
        "c@example.com": ("", "e@example.net"),
        "e@example.net": ("c@example.com", ""),
    }


@pytest.mark.parametrize("key", ["", "20300114T090000Z"])
def test_nobody_is_sent_to_what_does_not_take_place(stage: Any, desk: Any, key: str) -> None:
    called_off = instance(desk.stored, key).put(prop("STATUS", "CANCELLED"))
    desk.stored = desk.stored.with_component(key, called_off)
    assert sent(desk.meet(says(stage, "c@example.com", "e@example.net", key=key))) == []
    assert sent(desk.meet(says(stage, "c@example.com", "", key=key, minute=2))) == []


def test_the_same_delegation_again_asks_nobody_again(stage: Any, desk: Any) -> None:
    desk.meet(says(stage, "c@example.com", "e@example.net"))
    again = desk.meet(says(stage, "c@example.com", "e@example.net", minute=5))
    assert (str(again.outcome), sent(again)) == ("applied", [])


def test_the_param_that_marks_a_delegates_line_stays_at_home(stage: Any, desk: Any) -> None:
    (letter,) = desk.meet(says(stage, "c@example.com", "e@example.net")).outgoing
    assert b"X-IMIP-GATEWAY-DELEGATE" in desk.stored.data
    assert b"X-IMIP-GATEWAY" not in letter.object.data


def test_a_guest_list_that_is_private_stays_private_to_the_delegate(stage: Any, desk: Any) -> None:
    desk.policy = type(desk.policy)(guest_list="self")
    (letter,) = desk.meet(says(stage, "c@example.com", "e@example.net")).outgoing
    assert [str(one.address) for one in letter.object.attendees()] == ["e@example.net"]


def chain(length: int) -> Component:
    lines = [
        prop("ATTENDEE", f"mailto:g{number}@example.net", DELEGATED_FROM=f"mailto:g{number - 1}@example.net")
        for number in range(1, length + 1)
    ]
    first = prop("ATTENDEE", "mailto:g0@example.net")
    return Component("VEVENT", (prop("ORGANIZER", "mailto:a@example.com"), first, *lines))


@pytest.mark.parametrize(
    ("hands", "to", "why"),
    [
        (2, "x@example.net", ""),
        (2, "g0@example.net", "in-a-circle"),
        (2, "g1@example.net", "in-a-circle"),
        (2, "g2@example.net", "in-a-circle"),
        (2, "a@example.com", "to-the-organizer"),
        (DEPTH - 1, "x@example.net", ""),
        (DEPTH, "x@example.net", "too-far"),
    ],
)
def test_a_place_goes_forward_and_not_for_ever(hands: int, to: str, why: str) -> None:
    line = prop("ATTENDEE", f"mailto:g{hands}@example.net", PARTSTAT="DELEGATED", DELEGATED_TO=f"mailto:{to}")
    assert fault(chain(hands), Address(f"g{hands}@example.net"), line) == why


def test_of_a_list_the_first_one_is_the_delegate_and_no_delegation_names_nobody() -> None:
    line = prop(
        "ATTENDEE", "mailto:c@x.example", PARTSTAT="DELEGATED", DELEGATED_TO=("mailto:e@x.example", "f@x")
    )
    assert delegate_of(line) == "e@x.example"
    assert delegate_of(line.with_params(PARTSTAT="ACCEPTED")) is None
