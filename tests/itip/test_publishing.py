"""What somebody posts for whoever likes to read it: taken only where it is wanted, and never over a meeting."""

from __future__ import annotations

import contextlib
import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import MalformedCalendar
from gateway.ical.address import address
from gateway.ical.tree import DEFAULT_LIMITS
from gateway.imip.habits import read_calendar
from gateway.itip.model import Certainty, Message, Outcome, Policy, Reason, Store
from gateway.itip.parse import messages
from gateway.itip.publishing import is_unwanted, prepared

ALICE, BOB, MALLORY = "alice@example.com", "bob@example.net", "mallory@evil.example"
PLAIN = """BEGIN:VEVENT
UID:u
DTSTAMP:2029010{stamp}T000000Z
SEQUENCE:{stamp}
DTSTART:20290205T100000Z
SUMMARY:A fair
{more}
END:VEVENT"""
OURS = f"ORGANIZER:mailto:{ALICE}"


def fair(stamp: int = 1, more: str = OURS) -> str:
    return PLAIN.format(stamp=stamp, more=more)


@pytest.mark.parametrize(
    ("method", "kind", "unwanted"),
    [
        ("PUBLISH", "VEVENT", True),
        ("PUBLISH", "VTODO", True),
        ("PUBLISH", "VJOURNAL", True),
        ("ADD", "VJOURNAL", True),
        ("CANCEL", "VJOURNAL", True),
        ("ADD", "VEVENT", False),
        ("CANCEL", "VEVENT", False),
        ("REQUEST", "VEVENT", False),
    ],
)
def test_what_is_published_is_unwanted_until_the_owner_wants_it(
    stage: Any, method: str, kind: str, unwanted: bool
) -> None:
    message = stage.message(method, fair().replace("VEVENT", kind), ALICE)
    assert is_unwanted(None, message, Policy()) is unwanted
    assert not is_unwanted(None, message, Policy(publish=True))


@pytest.mark.parametrize("certainty", Certainty)
def test_what_is_unwanted_ends_before_anybody_asks_who_sent_it(stage: Any, certainty: Certainty) -> None:
    decision = stage.desk(BOB).meet(stage.message("PUBLISH", fair(), ALICE), certainty)
    assert (decision.outcome, decision.reason) == (Outcome.IGNORED, Reason.PUBLISH_OFF)
    assert decision.change is None
    assert not decision.marks


@pytest.mark.parametrize(
    ("certainty", "outcome"),
    [
        (Certainty.PROVEN, Outcome.APPLIED),
        (Certainty.LIKELY, Outcome.APPLIED),
        (Certainty.UNKNOWN, Outcome.HELD),
        (Certainty.CONTRADICTED, Outcome.REFUSED),
    ],
)
def test_a_publication_needs_a_sender_who_is_likely(
    stage: Any, certainty: Certainty, outcome: Outcome
) -> None:
    desk = stage.desk(BOB, publish=True)
    assert desk.meet(stage.message("PUBLISH", fair(), ALICE), certainty).outcome is outcome
    assert (desk.stored is not None) is (outcome is Outcome.APPLIED)


def test_a_publication_has_no_guests(stage: Any) -> None:
    more = f"{OURS}\nATTENDEE:mailto:{BOB}\nATTENDEE:mailto:carol@example.net"
    message = prepared(stage.message("PUBLISH", fair(more=more), ALICE))
    assert message.object.attendees() == ()
    assert message.object.organizer == ALICE


def test_who_names_no_organizer_is_it_himself(stage: Any) -> None:
    assert prepared(stage.message("PUBLISH", fair(more="COMMENT:x"), MALLORY)).object.organizer == MALLORY
    assert prepared(stage.message("PUBLISH", fair(more="COMMENT:x"))).object.organizer is None


def test_what_is_as_it_should_be_stays_as_it_is(stage: Any) -> None:
    for method in ("PUBLISH", "REQUEST"):
        message = stage.message(method, fair(), ALICE)
        assert prepared(message) is message


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (fair(more=f"{OURS}\nATTENDEE:mailto:{BOB}"), Reason.SCHEDULED_MEETING),
        (fair(more=f"{OURS}\nATTENDEE:mailto:carol@example.net"), Reason.SCHEDULED_MEETING),
        (fair(more="COMMENT:his own"), Reason.SENDER_NOT_ORGANIZER),
        (fair(more="ORGANIZER:mailto:carol@example.net"), Reason.SENDER_NOT_ORGANIZER),
        (fair(more=f"ORGANIZER:mailto:{BOB}"), Reason.SENDER_NOT_ORGANIZER),
    ],
)
@pytest.mark.parametrize("approved", [False, True])
def test_a_publication_replaces_nothing_but_an_older_one(
    stage: Any, stored: str, reason: Reason, approved: bool
) -> None:
    desk = stage.desk(BOB, publish=True)
    desk.stored = stage.object(stored)
    decision = desk.meet(stage.message("PUBLISH", fair(2), ALICE), approved=approved)
    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, reason)
    assert decision.change is None


def test_nobody_publishes_in_the_owners_name(stage: Any) -> None:
    desk = stage.desk(BOB, publish=True)
    decision = desk.meet(stage.message("PUBLISH", fair(more=f"ORGANIZER:mailto:{BOB}"), MALLORY))
    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, Reason.SENDER_NOT_ORGANIZER)


def test_a_published_event_becomes_a_meeting_when_its_organizer_invites(stage: Any) -> None:
    desk = stage.desk(BOB, publish=True)
    desk.meet(stage.message("PUBLISH", fair(), ALICE))
    invited = fair(2, f"{OURS}\nATTENDEE;RSVP=TRUE:mailto:{BOB}")
    decision = desk.meet(stage.message("REQUEST", invited, ALICE))
    assert decision.outcome is Outcome.APPLIED
    assert [line.address for line in desk.stored.attendees()] == [BOB]
    late = desk.meet(stage.message("PUBLISH", fair(3), ALICE))
    assert late.reason is Reason.SCHEDULED_MEETING


def test_nothing_is_ever_sent_about_a_publication(stage: Any) -> None:
    desk = stage.desk(BOB, publish=True)
    told = [
        desk.meet(stage.message("PUBLISH", fair(), ALICE)),
        desk.save(desk.stored.with_component("", desk.stored.master.without("SUMMARY")), stage.now),
        desk.meet(stage.message("PUBLISH", fair(2), ALICE)),
        desk.meet(stage.message("CANCEL", fair(3), ALICE)),
        desk.save(None, stage.now),
    ]
    assert [one.outgoing for one in told] == [()] * len(told)
    assert [one.reason for one in told[0:4:2]] == [Reason.PUBLICATION_STORED, Reason.PUBLICATION_UPDATED]
    assert told[3].reason is Reason.MEETING_CANCELLED


def test_a_journal_gets_no_reminder(stage: Any) -> None:
    for kind, alarms in (("VEVENT", 1), ("VJOURNAL", 0)):
        desk = stage.desk(BOB, publish=True, default_alarm="-PT15M")
        decision = desk.meet(stage.message("PUBLISH", fair().replace("VEVENT", kind), ALICE))
        assert isinstance(decision.change, Store)
        assert len(desk.stored.master.subcomponents("VALARM")) == alarms


def test_what_real_products_publish_is_the_same_when_it_comes_again(stage: Any, shared: Path) -> None:
    with (shared / "corpus" / "MANIFEST.csv").open(encoding="utf-8") as rows:
        names = [
            row["file"] for row in csv.DictReader(rows) if row["kind"] == "ics" and row["method"] == "PUBLISH"
        ]
    ends: Counter[Outcome] = Counter()
    for name in names:
        with contextlib.suppress(MalformedCalendar):
            calendar, _ = read_calendar((shared / "corpus" / name).read_bytes(), DEFAULT_LIMITS, None)
            ends.update(_twice(stage, one) for one in messages(calendar, None) if isinstance(one, Message))
    assert ends[Outcome.UNCHANGED] >= 500


def _twice(stage: Any, message: Message) -> Outcome:
    """What comes of it from its own organizer, the second time."""
    desk = stage.desk("reader@example.org", publish=True)
    message = replace(message, sender=message.object.organizer or address("shop@example.com"))
    first, again = desk.meet(message), desk.meet(message)
    assert again.change is None
    assert (first.outcome is Outcome.APPLIED) is (again.outcome is Outcome.UNCHANGED), message.object.uid
    return again.outcome
