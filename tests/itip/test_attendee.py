"""REQUEST and CANCEL in the owner's copy; whole lives of meetings are scripts."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ical.address import address
from gateway.itip.model import MarkKey, Outcome, Reason, Store
from gateway.itip.order import ORGANIZER

ALICE, BOB = "alice@example.com", "bob@example.net"
MASTER = """BEGIN:VEVENT
UID:u
DTSTAMP:20290101T000000Z
SEQUENCE:1
DTSTART;TZID=Europe/Berlin:20290105T100000
DURATION:PT1H
RRULE:FREQ=WEEKLY;COUNT=5
SUMMARY:A
ORGANIZER:mailto:alice@example.com
ATTENDEE:mailto:bob@example.net
END:VEVENT"""
ONE = """BEGIN:VEVENT
UID:u
RECURRENCE-ID:20290112T090000Z
DTSTAMP:20290102T000000Z
SEQUENCE:2
DTSTART:20290112T130000Z
DURATION:PT1H
SUMMARY:A, later
ORGANIZER:mailto:alice@example.com
ATTENDEE:mailto:bob@example.net
END:VEVENT"""
CANCEL = """BEGIN:VEVENT
UID:u
{}
DTSTAMP:20290103T000000Z
SEQUENCE:3
ORGANIZER:mailto:alice@example.com
{}
END:VEVENT"""


@pytest.fixture
def desk(stage: Any) -> Any:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", MASTER, ALICE))
    return desk


def test_what_was_applied_stands_in_the_ledger_and_is_the_new_base(stage: Any) -> None:
    decision = stage.desk(BOB).meet(stage.message("REQUEST", MASTER, ALICE))
    (key,) = decision.marks
    mark = decision.marks[key]
    assert key == MarkKey(recurrence_id="", party=ORGANIZER)
    assert (mark.sequence, mark.organizer, mark.cancelled) == (1, ALICE, False)
    assert decision.base.master.value("SUMMARY") == "A"
    assert isinstance(decision.change, Store)


def test_the_stored_object_has_no_method(desk: Any) -> None:
    assert b"METHOD" not in desk.stored.data


def test_an_occurrence_is_named_in_the_masters_terms(stage: Any, desk: Any) -> None:
    decision = desk.meet(stage.message("REQUEST", ONE, ALICE))
    assert decision.recurrence_id == "20290112T090000Z"
    override = desk.stored.overrides["20290112T090000Z"]
    line = override.first("RECURRENCE-ID")
    assert (line.value, line.param("TZID")) == ("20290112T100000", "Europe/Berlin")
    assert override.value("DTSTART") == "20290112T130000Z"


def test_a_message_speaks_for_each_of_its_components(stage: Any, desk: Any) -> None:
    """The series is known, the occurrence is news (SPEC 4.1: per component)."""
    decision = desk.meet(stage.message("REQUEST", f"{MASTER}\n{ONE}", ALICE))
    assert decision.outcome is Outcome.APPLIED
    assert {key.recurrence_id for key in decision.marks} == {"20290112T090000Z"}
    assert set(desk.stored.overrides) == {"20290112T090000Z"}


def test_one_who_was_invited_through_a_list_gets_it_as_information(stage: Any) -> None:
    desk = stage.desk("someone@example.org")
    decision = desk.meet(stage.message("REQUEST", MASTER, ALICE))
    assert decision.reason is Reason.INVITATION_STORED
    assert [one.address for one in desk.stored.attendees()] == [BOB]
    assert desk.meet(stage.message("CANCEL", CANCEL.format("STATUS:CANCELLED", ""), ALICE)).reason is (
        Reason.MEETING_CANCELLED
    )


def test_the_accounts_alarm_rings_on_new_meetings(stage: Any) -> None:
    desk = stage.desk(BOB, default_alarm="-PT15M")
    desk.meet(stage.message("REQUEST", MASTER, ALICE))
    desk.meet(stage.message("REQUEST", ONE, ALICE))
    for component in desk.stored.components:
        (alarm,) = component.subcomponents("VALARM")
        assert alarm.value("TRIGGER") == "-PT15M"


def test_a_list_of_addresses_is_one_owner(stage: Any) -> None:
    desk = stage.desk("b.alias@example.net", BOB)
    desk.meet(stage.message("REQUEST", MASTER, ALICE))
    assert desk.stored.attendee(address(BOB)).param("PARTSTAT") == "NEEDS-ACTION"


CANCELS = [
    ("STATUS, no guests", "STATUS:CANCELLED", "", Reason.MEETING_CANCELLED),
    (
        "STATUS, others only",
        "STATUS:CANCELLED",
        "ATTENDEE:mailto:carol@example.net",
        Reason.MEETING_CANCELLED,
    ),
    ("no STATUS, us", "X-A:1", "ATTENDEE:mailto:bob@example.net", Reason.MEETING_CANCELLED),
    ("no STATUS, nobody", "X-A:1", "", Reason.MEETING_CANCELLED),
    ("no STATUS, others", "X-A:1", "ATTENDEE:mailto:carol@example.net", Reason.GUESTS_REMOVED),
]


@pytest.mark.parametrize(("why", "status", "guests", "reason"), CANCELS, ids=[row[0] for row in CANCELS])
def test_whom_a_cancel_means(
    stage: Any, desk: Any, why: str, status: str, guests: str, reason: Reason
) -> None:
    decision = desk.meet(stage.message("CANCEL", CANCEL.format(status, guests), ALICE))
    assert decision.reason is reason
    cancelled = desk.stored.master.value("STATUS") == "CANCELLED"
    assert cancelled is (reason is Reason.MEETING_CANCELLED)


def test_a_guest_leaves_one_occurrence(stage: Any) -> None:
    desk = stage.desk(BOB)
    guests = "ATTENDEE:mailto:bob@example.net\nATTENDEE:mailto:carol@example.net"
    desk.meet(stage.message("REQUEST", MASTER.replace("ATTENDEE:mailto:bob@example.net", guests), ALICE))
    body = CANCEL.format("RECURRENCE-ID:20290112T090000Z", "ATTENDEE:mailto:carol@example.net")
    assert desk.meet(stage.message("CANCEL", body, ALICE)).reason is Reason.GUESTS_REMOVED
    assert len(desk.stored.attendees("")) == 2
    assert [one.address for one in desk.stored.attendees("20290112T090000Z")] == [BOB]


def test_a_cancelled_meeting_that_the_owner_deleted_stays_deleted(stage: Any, desk: Any) -> None:
    desk.stored = desk.base = None
    decision = desk.meet(stage.message("CANCEL", CANCEL.format("STATUS:CANCELLED", ""), ALICE))
    assert (decision.outcome, decision.reason, decision.change) == (
        Outcome.UNCHANGED,
        Reason.UNKNOWN_UID,
        None,
    )
    late = MASTER.replace("DTSTAMP:20290101T000000Z", "DTSTAMP:20290101T120000Z")
    assert desk.meet(stage.message("REQUEST", late, ALICE)).outcome is Outcome.STALE
    assert desk.stored is None


def test_a_proven_cancel_of_an_unknown_meeting_offers_a_tombstone(stage: Any) -> None:
    cancel = stage.message("CANCEL", CANCEL.format("STATUS:CANCELLED", ""), ALICE)
    desk = stage.desk(BOB)
    decision = desk.meet(cancel)
    assert decision.outcome is Outcome.PARKED
    (mark,) = decision.marks.values()
    assert (mark.cancelled, mark.organizer) == (True, ALICE)
    # kept when the parking time ran out: the REQUEST that comes at last is cancelled as it is stored
    desk.parked.clear()
    desk.marks |= decision.marks
    assert desk.meet(stage.message("REQUEST", MASTER, ALICE)).reason is Reason.MEETING_CANCELLED
    assert desk.stored.master.value("STATUS") == "CANCELLED"


def test_a_late_request_tells_what_was_cancelled_and_revives_nothing(stage: Any, desk: Any) -> None:
    desk.meet(stage.message("CANCEL", CANCEL.format("STATUS:CANCELLED", ""), ALICE))
    late = (
        MASTER.replace("SEQUENCE:1", "SEQUENCE:2")
        .replace("SUMMARY:A", "SUMMARY:B")
        .replace("DTSTAMP:20290101", "DTSTAMP:20290102")
    )
    decision = desk.meet(stage.message("REQUEST", late, ALICE))
    assert (decision.outcome, decision.reason) == (Outcome.STALE, Reason.OLDER_SEQUENCE)
    assert [note.code for note in decision.notes] == ["content-of-cancelled"]
    assert desk.stored.master.value("SUMMARY") == "B"
    assert desk.stored.master.value("STATUS") == "CANCELLED"
