"""A calendar changed: exactly those who are concerned are told exactly that, once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import MalformedCalendar
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, attendee_of, parse_object, partstat, split
from gateway.ical.tree import parse
from gateway.itip.changes import changes
from gateway.itip.model import (
    Context,
    Decision,
    Mark,
    MarkKey,
    Outcome,
    Outgoing,
    Policy,
    Reason,
    Store,
)
from gateway.itip.summary import dump, load
from gateway.itip.tables import violations

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
ALICE, BOB, CAROL = (Address(f"{who}@example.org") for who in ("alice", "bob", "carol"))
NEXT = "20261130T100000Z"
HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"

SINGLE = """UID:one@example.org
DTSTAMP:20261101T100000Z
SEQUENCE:2
DTSTART;TZID=Europe/Berlin:20261123T110000
DTEND;TZID=Europe/Berlin:20261123T120000
SUMMARY:Plan
ORGANIZER;CN=Alice:mailto:alice@example.org
ATTENDEE;PARTSTAT=ACCEPTED;CN=Alice:mailto:alice@example.org
ATTENDEE;PARTSTAT=ACCEPTED;CN=Bob:mailto:bob@example.org
ATTENDEE;PARTSTAT=TENTATIVE;CN=Carol:mailto:carol@example.org
"""
BOB_LINE = "ATTENDEE;PARTSTAT=ACCEPTED;CN=Bob:mailto:bob@example.org\n"
CAROL_LINE = "ATTENDEE;PARTSTAT=TENTATIVE;CN=Carol:mailto:carol@example.org\n"
DAVE_LINE = "ATTENDEE;CN=Dave:mailto:dave@example.net\n"
SERIES = SINGLE.replace("SUMMARY", "RRULE:FREQ=WEEKLY;COUNT=10\nSUMMARY")
EXCLUDED = SERIES.replace("SUMMARY", "EXDATE;TZID=Europe/Berlin:20261130T110000\nSUMMARY")
PRIVATE = """X-MOZ-LASTACK:20261101T100000Z
COLOR:red
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT5M
DESCRIPTION:a
END:VALARM
"""


def meeting(*events: str) -> CalendarObject:
    body = "".join(f"BEGIN:VEVENT\n{text}END:VEVENT\n" for text in events)
    return parse_object((HEAD + body + "END:VCALENDAR\r\n").encode())


def override(text: str = SINGLE, day: str = "20261130") -> str:
    return f"RECURRENCE-ID;TZID=Europe/Berlin:{day}T110000\n" + text.replace("20261123", day)


def run(
    before: CalendarObject | None,
    after: CalendarObject | None,
    owner: Iterable[Address] = (ALICE,),
    *,
    base: CalendarObject | None = None,
    marks: dict[MarkKey, Mark] | None = None,
    now: datetime = NOW,
    policy: Policy | None = None,
) -> Decision:
    decision = changes(
        before,
        after,
        Context(owner=frozenset(owner), now=now, base=base, marks=marks or {}, policy=policy or Policy()),
    )
    for letter in decision.outgoing:
        assert not violations(letter.object, letter.method)
        assert_clean(letter)
    return decision


def assert_clean(letter: Outgoing) -> None:
    text = letter.object.data.decode()
    for secret in ("SCHEDULE-", "VALARM", "X-MOZ-", "COLOR"):
        assert secret not in text
    for component in letter.object.components:
        for name in ("UID", "DTSTAMP", "SEQUENCE", "DTSTART", "SUMMARY", "ORGANIZER"):
            assert component.first(name) is not None, name
        assert component.name == "VTODO" or component.first("DTEND") or component.first("DURATION")
        assert component.value(
            "DTSTAMP",
        ).startswith("20261102T0900")  # type: ignore[union-attr]
        assert "TZID=Europe/Berlin" not in text or "BEGIN:VTIMEZONE" in text


def answer_of(of: CalendarObject, who: Address, key: str = "") -> str:
    component = of.component(key)
    line = attendee_of(component, who) if component is not None else None
    assert line is not None
    return partstat(line)


def told(decision: Decision) -> set[tuple[str, str, str]]:
    """Who got what, of which kind."""
    return {(str(one.method), one.recipient.partition("@")[0], one.summary.kind) for one in decision.outgoing}


def to(decision: Decision, who: str, method: str = "") -> Outgoing:
    return next(
        one for one in decision.outgoing if one.recipient.startswith(who) and method in ("", one.method)
    )


def stored(decision: Decision) -> CalendarObject:
    assert isinstance(decision.change, Store)
    return decision.change.object


def answers(of: CalendarObject, key: str = "") -> dict[str, str]:
    return {one.address.partition("@")[0]: partstat(one) for one in of.attendees(key)}


ALL_INVITED = {("REQUEST", "bob", "invitation"), ("REQUEST", "carol", "invitation")}
ALL_UPDATED = {("REQUEST", "bob", "update"), ("REQUEST", "carol", "update")}
ALL_CANCELLED = {("CANCEL", "bob", "cancellation"), ("CANCEL", "carol", "cancellation")}


def change(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


ORGANIZER_CASES = {
    "a new meeting invites all but the organizer": (None, [SINGLE], ALL_INVITED, Reason.INVITED, False),
    "a new series invites all": (None, [SERIES], ALL_INVITED, Reason.INVITED, False),
    "a guest without wish for answers is invited too": (
        None, [change(SINGLE, ("CN=Bob", "RSVP=FALSE;CN=Bob"))], ALL_INVITED, Reason.INVITED, False),
    "another time goes to all": ([SINGLE], [change(SINGLE, ("T110000", "T113000"))], ALL_UPDATED, Reason.UPDATED, True),
    "another time with SEQUENCE raised by the client": (
        [SINGLE], [change(SINGLE, ("T110000", "T113000"), ("SEQUENCE:2", "SEQUENCE:3"))], ALL_UPDATED, Reason.UPDATED, True),
    "another title goes to all": ([SINGLE], [change(SINGLE, ("Plan", "Other"))], ALL_UPDATED, Reason.UPDATED, False),
    "another place goes to all": (
        [SINGLE], [change(SINGLE, ("SUMMARY", "LOCATION:Room\nSUMMARY"))], ALL_UPDATED, Reason.UPDATED, False),
    "an alarm goes to nobody": ([SINGLE], [SINGLE + PRIVATE], set(), Reason.COSMETIC_CHANGE, False),
    "an answer of a guest goes to nobody": (
        [SINGLE], [change(SINGLE, ("TENTATIVE", "ACCEPTED"))], set(), Reason.COSMETIC_CHANGE, False),
    "SEQUENCE alone goes to nobody": (
        [SINGLE], [change(SINGLE, ("SEQUENCE:2", "SEQUENCE:3"))], set(), Reason.COSMETIC_CHANGE, False),
    "a new guest hears alone": (
        [SINGLE], [SINGLE + DAVE_LINE], {("REQUEST", "dave", "invitation")}, Reason.INVITED, False),
    "a guest struck off hears alone": (
        [SINGLE], [change(SINGLE, (CAROL_LINE, ""))], {("CANCEL", "carol", "removed")}, Reason.CANCELLED, True),
    "the last guests struck off with the organizer": (
        [SINGLE],
        [change(SINGLE, (CAROL_LINE, ""), (BOB_LINE, ""), ("ATTENDEE;PARTSTAT=ACCEPTED;CN=Alice:mailto:alice@example.org\n", ""),
                ("ORGANIZER;CN=Alice:mailto:alice@example.org\n", ""))],
        {("CANCEL", "bob", "removed"), ("CANCEL", "carol", "removed")}, Reason.CANCELLED, True),
    "one in, one out": (
        [SINGLE], [change(SINGLE, (CAROL_LINE, DAVE_LINE))],
        {("CANCEL", "carol", "removed"), ("REQUEST", "dave", "invitation")}, Reason.UPDATED, True),
    "a deletion cancels": ([SINGLE], None, ALL_CANCELLED, Reason.CANCELLED, False),
    "STATUS:CANCELLED cancels": (
        [SINGLE], [change(SINGLE, ("SUMMARY", "STATUS:CANCELLED\nSUMMARY"))], ALL_CANCELLED, Reason.CANCELLED, True),
    "deleting a cancelled meeting is silent": (
        [change(SINGLE, ("SUMMARY", "STATUS:CANCELLED\nSUMMARY"))], None, set(), Reason.NOTHING_TO_SEND, False),
    "a new meeting that is cancelled is silent": (
        None, [change(SINGLE, ("SUMMARY", "STATUS:CANCELLED\nSUMMARY"))], set(), Reason.NOTHING_TO_SEND, False),
    "a date taken out of a series": ([SERIES], [EXCLUDED], ALL_CANCELLED, Reason.CANCELLED, True),
    "a date of a series cancelled": (
        [SERIES], [SERIES, override(change(SINGLE, ("SUMMARY", "STATUS:CANCELLED\nSUMMARY")))],
        ALL_CANCELLED, Reason.CANCELLED, True),
    "a date of a series moved": (
        [SERIES], [SERIES, override(change(SINGLE, ("T110000", "T113000")))], ALL_UPDATED, Reason.UPDATED, True),
    "a date of a series with another title": (
        [SERIES], [SERIES, override(change(SINGLE, ("Plan", "Special")))], ALL_UPDATED, Reason.UPDATED, False),
    "an override for an alarm only": ([SERIES], [SERIES, override(SINGLE + PRIVATE)], set(), Reason.COSMETIC_CHANGE, False),
    "a guest for one date only": (
        [SERIES], [SERIES, override(SINGLE + DAVE_LINE)], {("REQUEST", "dave", "invitation")}, Reason.INVITED, False),
    "a guest not on one date": (
        [SERIES], [SERIES, override(change(SINGLE, (CAROL_LINE, "")))], {("CANCEL", "carol", "removed")}, Reason.CANCELLED, True),
    "an override that goes away": (
        [SERIES, override(change(SINGLE, ("Plan", "Special")))], [SERIES], ALL_UPDATED, Reason.UPDATED, False),
    "a shorter series": ([SERIES], [change(SERIES, ("COUNT=10", "COUNT=5"))], ALL_UPDATED, Reason.UPDATED, True),
    "a new rule": ([SERIES], [change(SERIES, ("WEEKLY", "WEEKLY;BYDAY=MO,TU"))], ALL_UPDATED, Reason.UPDATED, True),
    "a date out and another title": (
        [SERIES], [change(EXCLUDED, ("Plan", "Other"))], ALL_UPDATED, Reason.UPDATED, True),
    "a client's own guest": (
        [SINGLE], [change(SINGLE, ("T110000", "T113000"), ("CN=Bob", "SCHEDULE-AGENT=CLIENT;CN=Bob"))],
        {("REQUEST", "carol", "update")}, Reason.UPDATED, True),
    "all guests are the client's": (
        None, [change(SINGLE, ("CN=Bob", "SCHEDULE-AGENT=NONE;CN=Bob"), ("CN=Carol", "SCHEDULE-AGENT=X-ODD;CN=Carol"))],
        set(), Reason.SCHEDULE_AGENT, False),
    "a meeting without guests": (
        None, [change(SINGLE, (BOB_LINE, ""), (CAROL_LINE, ""))], set(), Reason.NOTHING_TO_SEND, False),
    "a guest without mail": (
        None, [change(SINGLE, ("mailto:bob@example.org", "urn:uuid:1"))], {("REQUEST", "carol", "invitation")}, Reason.INVITED, False),
    "a guest as principal with EMAIL": (
        None, [change(SINGLE, ("CN=Bob:mailto:bob@example.org", "CN=Bob;EMAIL=bob@example.org:/principals/bob"))], ALL_INVITED, Reason.INVITED, False),
    "a delegator gets no updates": (
        [change(SINGLE, ("PARTSTAT=ACCEPTED;CN=Bob", "PARTSTAT=DELEGATED;CN=Bob"))],
        [change(SINGLE, ("PARTSTAT=ACCEPTED;CN=Bob", "PARTSTAT=DELEGATED;CN=Bob"), ("T110000", "T113000"))],
        {("REQUEST", "carol", "update")}, Reason.UPDATED, True),
}  # fmt: skip


@pytest.mark.parametrize("name", ORGANIZER_CASES)
def test_an_organizers_change_tells_whom_it_concerns(name: str) -> None:
    before, after, letters, reason, writes = ORGANIZER_CASES[name]
    decision = run(meeting(*before) if before else None, meeting(*after) if after else None)
    assert told(decision) == letters
    assert decision.reason is reason
    assert decision.outcome is (Outcome.APPLIED if letters else Outcome.IGNORED)
    assert isinstance(decision.change, Store) is writes
    assert len(decision.outgoing) == len(letters)
    assert all(one.sender == ALICE for one in decision.outgoing)


def test_a_new_time_raises_sequence_and_voids_the_answers() -> None:
    decision = run(meeting(SINGLE), meeting(change(SINGLE, ("T110000", "T113000"))))
    assert stored(decision).sequence() == 3
    assert answers(stored(decision)) == {"alice": "ACCEPTED", "bob": "NEEDS-ACTION", "carol": "NEEDS-ACTION"}
    assert stored(decision).attendee(BOB).param("RSVP") == "TRUE"  # type: ignore[union-attr]
    assert to(decision, "bob").object.sequence() == 3
    assert to(decision, "bob").summary.changed == ("start",)
    reset = decision.marks[MarkKey(recurrence_id="", party=BOB)]
    assert (reset.reset_sequence, reset.reset_dtstamp) == (3, NOW)


def test_what_the_client_raised_is_not_raised_again() -> None:
    decision = run(
        meeting(SINGLE), meeting(change(SINGLE, ("T110000", "T113000"), ("SEQUENCE:2", "SEQUENCE:5")))
    )
    assert stored(decision).sequence() == 5


def test_a_lowered_sequence_is_mended() -> None:
    decision = run(meeting(SINGLE), meeting(change(SINGLE, ("Plan", "Other"), ("SEQUENCE:2\n", ""))))
    assert stored(decision).sequence() == 2


def test_a_moved_date_voids_the_answers_of_that_date_only() -> None:
    decision = run(meeting(SERIES), meeting(SERIES, override(change(SINGLE, ("T110000", "T113000")))))
    new = stored(decision)
    assert answers(new)["bob"] == "ACCEPTED"
    assert answers(new, NEXT)["bob"] == "NEEDS-ACTION"
    assert (new.sequence(), new.sequence(NEXT)) == (2, 3)
    assert decision.recurrence_id == NEXT
    assert set(to(decision, "bob").object.overrides) == {NEXT}
    assert to(decision, "bob").object.master is None


def test_a_new_date_gets_an_override_to_be_answered_in() -> None:
    added = change(SERIES, ("SUMMARY", "RDATE;TZID=Europe/Berlin:20261125T110000\nSUMMARY"))
    new = stored(run(meeting(SERIES), meeting(added)))
    assert answers(new)["bob"] == "ACCEPTED"
    assert answers(new, "20261125T100000Z")["bob"] == "NEEDS-ACTION"


def test_a_cancelled_date_names_it_and_stands_above_the_series() -> None:
    decision = run(meeting(SERIES), meeting(EXCLUDED))
    letter = to(decision, "bob")
    assert letter.object.master is None
    cancelled = letter.object.component(NEXT)
    assert cancelled is not None
    assert cancelled.value("STATUS") == "CANCELLED"
    assert letter.object.sequence(NEXT) == 3 == stored(decision).sequence()
    assert [one.address for one in letter.object.attendees()] == [BOB]
    assert decision.marks[MarkKey(recurrence_id=NEXT, party="organizer")].cancelled


def test_several_dates_taken_out_are_one_message() -> None:
    after = change(EXCLUDED, ("20261130T110000", "20261130T110000,20261207T110000"))
    decision = run(meeting(SERIES), meeting(after))
    assert len(decision.outgoing) == 2
    assert len(to(decision, "bob").object.components) == 2
    assert len(to(decision, "bob").summary.instances) == 1


def test_an_exclusion_of_no_date_tells_nobody() -> None:
    after = change(EXCLUDED, ("20261130T110000", "20261202T110000"))
    assert not run(meeting(SERIES), meeting(after)).outgoing


def test_a_guest_struck_off_gets_no_status_and_the_rest_nothing() -> None:
    decision = run(meeting(SINGLE), meeting(change(SINGLE, (CAROL_LINE, ""))))
    component = to(decision, "carol").object.master
    assert component is not None
    assert component.first("STATUS") is None
    assert [one.address for one in component.all("ATTENDEE")] == [CAROL]
    assert to(decision, "carol").object.sequence() == 3


def test_a_guest_of_one_date_sees_only_that_date() -> None:
    decision = run(meeting(SERIES), meeting(SERIES, override(SINGLE + DAVE_LINE)))
    view = to(decision, "dave").object
    assert view.master is None
    assert set(view.overrides) == {NEXT}


def test_a_guest_who_misses_a_date_sees_it_excluded() -> None:
    decision = run(None, meeting(SERIES, override(change(SINGLE, (CAROL_LINE, "")))))
    carols, bobs = to(decision, "carol").object, to(decision, "bob").object
    assert not carols.overrides
    assert carols.master.value("EXDATE") == "20261130T110000"  # type: ignore[union-attr]
    assert set(bobs.overrides) == {NEXT}


def test_a_guest_left_in_one_date_of_a_series_keeps_it() -> None:
    after = meeting(change(SERIES, (CAROL_LINE, "")), override())
    decision = run(meeting(SERIES, override()), after)
    assert told(decision) == {("CANCEL", "carol", "removed"), ("REQUEST", "carol", "update")}
    assert to(decision, "carol", "CANCEL").object.dtstamp() < to(decision, "carol", "REQUEST").object.dtstamp(
        NEXT
    )  # type: ignore[operator]


def test_what_is_left_to_a_guest_is_no_older_than_the_cancel_of_the_rest() -> None:
    high = change(SERIES, ("SEQUENCE:2", "SEQUENCE:7"))
    decision = run(meeting(high, override()), meeting(change(high, (CAROL_LINE, "")), override()))
    cancelled, kept = (to(decision, "carol", method).object for method in ("CANCEL", "REQUEST"))
    assert cancelled.sequence() == kept.sequence(NEXT) == stored(decision).sequence(NEXT) == 8


def test_a_date_given_back_is_asked_above_its_cancellation() -> None:
    off = run(meeting(SERIES), meeting(EXCLUDED))
    back = run(stored(off), meeting(change(SERIES, ("SEQUENCE:2", "SEQUENCE:3"))), marks=dict(off.marks))
    assert to(off, "bob").object.sequence(NEXT) == 3
    assert to(back, "bob").object.sequence(NEXT) == 4
    assert answers(stored(back), NEXT)["bob"] == "NEEDS-ACTION"


def test_a_longer_period_is_a_new_time_of_that_date_alone() -> None:
    before = change(SERIES, ("SUMMARY", "RDATE;VALUE=PERIOD:20261125T100000Z/PT2H\nSUMMARY"))
    spelled = meeting(change(before, ("PT2H", "20261125T120000Z")))
    assert not run(meeting(before), spelled).outgoing
    new = stored(run(meeting(before), meeting(change(before, ("PT2H", "PT3H")))))
    assert answers(new)["bob"] == "ACCEPTED"
    assert answers(new, "20261125T100000Z")["bob"] == "NEEDS-ACTION"


def test_a_date_named_that_the_rule_gives_anyway_voids_nothing() -> None:
    after = change(SERIES, ("SUMMARY", "RDATE;TZID=Europe/Berlin:20261130T110000\nSUMMARY"))
    assert not stored(run(meeting(SERIES), meeting(after))).overrides


def test_tidying_up_dates_that_are_over_tells_nobody() -> None:
    begun = change(SERIES, ("20261123", "20261012"))
    special = override(change(SINGLE, ("Plan", "Special")), "20261019")
    assert not run(meeting(begun, special), meeting(begun)).outgoing
    out = change(begun, ("SUMMARY", "EXDATE;TZID=Europe/Berlin:20261019T110000\nSUMMARY"))
    tidied = run(meeting(out), meeting(begun))
    assert (tidied.outgoing, tidied.change) == ((), None)


def test_a_guest_list_may_be_private() -> None:
    decision = run(None, meeting(SINGLE), policy=Policy(guest_list="self"))
    assert [one.address for one in to(decision, "bob").object.attendees()] == [BOB]
    assert [one.address for one in to(decision, "bob").summary.now.guests] == [BOB]


def test_an_unanswered_guest_is_asked_for_an_answer() -> None:
    decision = run(None, meeting(SINGLE + DAVE_LINE))
    line = to(decision, "dave").object.attendee(Address("dave@example.net"))
    assert line is not None
    assert line.param("RSVP") == "TRUE"


def test_private_things_stay_at_home() -> None:
    text = change(SINGLE, ("CN=Bob", "SCHEDULE-STATUS=1.1;X-MOZ-A=1;CN=Bob")) + PRIVATE
    assert len(run(None, meeting(text)).outgoing) == 2


def test_a_deletion_raises_sequence_in_message_and_ledger() -> None:
    decision = run(meeting(SERIES, override(change(SINGLE, ("SEQUENCE:2", "SEQUENCE:6")))), None)
    assert to(decision, "bob").object.sequence() == 7
    mark = decision.marks[MarkKey(recurrence_id="", party="organizer")]
    assert (mark.sequence, mark.cancelled, mark.organizer) == (7, True, ALICE)
    assert decision.change is None


def test_a_meeting_made_again_is_newer_than_its_cancellation() -> None:
    gone = run(meeting(SINGLE), None)
    again = run(None, meeting(SINGLE), marks=dict(gone.marks))
    assert to(again, "bob").object.sequence() == 4
    assert stored(again).sequence() == 4
    assert answer_of(stored(again), BOB) == "NEEDS-ACTION"
    assert again.marks[MarkKey(recurrence_id="", party=BOB)].reset_sequence == 4


def test_one_date_that_was_called_off_asks_anew_when_the_meeting_is_made_again() -> None:
    gone = Mark(sequence=5, cancelled=True, organizer=ALICE)
    marks = {MarkKey(recurrence_id=NEXT, party="organizer"): gone}
    again = stored(run(None, meeting(SERIES, override()), marks=marks))
    assert [answer_of(again, BOB, key) for key in ("", NEXT)] == ["ACCEPTED", "NEEDS-ACTION"]


def test_a_meeting_that_is_new_keeps_the_answers_that_it_comes_with() -> None:
    assert run(None, meeting(SINGLE)).change is None


def test_a_meeting_that_is_on_again_invites_all() -> None:
    off = meeting(change(SINGLE, ("SUMMARY", "STATUS:CANCELLED\nSUMMARY")))
    decision = run(off, meeting(SINGLE))
    assert told(decision) == ALL_INVITED
    assert to(decision, "bob").object.sequence() == 3
    assert answer_of(to(decision, "bob").object, BOB) == "NEEDS-ACTION"


PAST = datetime(2026, 11, 24, tzinfo=UTC)


def test_nobody_is_told_of_what_is_over() -> None:
    moved = meeting(change(SINGLE, ("T110000", "T113000")))
    for before, after in ((None, moved), (meeting(SINGLE), moved), (meeting(SINGLE), None)):
        decision = changes(before, after, Context(owner=frozenset({ALICE}), now=PAST))
        assert (decision.outcome, decision.reason) == (Outcome.IGNORED, Reason.PAST_EVENT)
    wanted = Context(owner=frozenset({ALICE}), now=PAST, policy=Policy(past_events="mail"))
    assert changes(meeting(SINGLE), moved, wanted).outgoing


def test_a_meeting_moved_into_the_past_is_told() -> None:
    after = meeting(change(SINGLE, ("20261123", "20261101")))
    assert told(run(meeting(SINGLE), after)) == ALL_UPDATED


def test_a_past_date_of_a_living_series_is_silent() -> None:
    late = Context(owner=frozenset({ALICE}), now=datetime(2026, 12, 2, tzinfo=UTC))
    assert not changes(meeting(SERIES), meeting(EXCLUDED), late).outgoing
    moved = meeting(SERIES, override(change(SINGLE, ("T110000", "T113000"))))
    assert not changes(meeting(SERIES), moved, late).outgoing


def test_a_meeting_of_others_is_not_ours() -> None:
    decision = run(None, meeting(SINGLE), (Address("mallory@example.org"),))
    assert (decision.outcome, decision.reason) == (Outcome.IGNORED, Reason.NOT_OUR_ORGANIZER)


def test_an_alias_of_the_organizer_gets_no_mail() -> None:
    decision = run(None, meeting(SINGLE), (ALICE, BOB))
    assert told(decision) == {("REQUEST", "carol", "invitation")}


# --- the attendee's side ---------------------------------------------------------------------------------------------

ASKED = change(SINGLE, ("PARTSTAT=ACCEPTED;CN=Bob", "PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Bob"))
ASKED_SERIES = change(SERIES, ("PARTSTAT=ACCEPTED;CN=Bob", "PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Bob"))
DECLINED = change(SINGLE, ("PARTSTAT=ACCEPTED;CN=Bob", "PARTSTAT=DECLINED;CN=Bob"))

ATTENDEE_CASES = {
    "accepted": ([ASKED], [SINGLE], {"": "ACCEPTED"}),
    "declined": ([ASKED], [DECLINED], {"": "DECLINED"}),
    "changed his mind": ([SINGLE], [DECLINED], {"": "DECLINED"}),
    "took his answer back": ([SINGLE], [ASKED], {}),
    "an alarm of his own": ([SINGLE], [SINGLE + PRIVATE], {}),
    "a title of his own": ([SINGLE], [change(SINGLE, ("Plan", "Boring"))], {}),
    "deleted unanswered": ([ASKED], None, {}),
    "deleted when declined": ([DECLINED], None, {}),
    "deleted when accepted": ([SINGLE], None, {"": "DECLINED"}),
    "deleted when cancelled": ([change(SINGLE, ("SUMMARY", "STATUS:CANCELLED\nSUMMARY"))], None, {}),
    "a copy that holds an answer": (None, [SINGLE], {"": "ACCEPTED"}),
    "a copy without an answer": (None, [ASKED], {}),
    "a series": ([ASKED_SERIES], [SERIES], {"": "ACCEPTED"}),
    "one date declined": ([SERIES], [SERIES, override(DECLINED)], {NEXT: "DECLINED"}),
    "one date taken out": ([SERIES], [EXCLUDED], {NEXT: "DECLINED"}),
    "a date taken out of a declined series": (
        [change(SERIES, ("PARTSTAT=ACCEPTED;CN=Bob", "PARTSTAT=DECLINED;CN=Bob"))],
        [change(EXCLUDED, ("PARTSTAT=ACCEPTED;CN=Bob", "PARTSTAT=DECLINED;CN=Bob"))], {}),
    "an imported copy with dates taken out": (None, [change(EXCLUDED, ("PARTSTAT=ACCEPTED;CN=Bob", "CN=Bob"))], {}),
    "the series, but not one date": ([ASKED_SERIES], [SERIES, override(DECLINED)], {"": "ACCEPTED", NEXT: "DECLINED"}),
    "the series, and one date that was answered otherwise": (
        [ASKED_SERIES, override(DECLINED)], [SERIES, override(DECLINED)], {"": "ACCEPTED", NEXT: "DECLINED"}),
    "the series and an override of his own": ([ASKED_SERIES], [SERIES, override()], {"": "ACCEPTED"}),
    "an override for an alarm": ([SERIES], [SERIES, override(SINGLE + PRIVATE)], {}),
    "guest of one date, accepted": ([override(ASKED)], [override()], {NEXT: "ACCEPTED"}),
    "guest of two dates, one removed": (
        [override(), override(day="20261207")], [override(day="20261207")], {NEXT: "DECLINED"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTENDEE_CASES)
def test_an_attendees_change_is_one_reply(name: str) -> None:
    before, after, expected = ATTENDEE_CASES[name]
    decision = run(meeting(*before) if before else None, meeting(*after) if after else None, (BOB,))
    assert len(decision.outgoing) == (1 if expected else 0)
    assert decision.outcome is (Outcome.APPLIED if expected else Outcome.IGNORED)
    assert decision.change is None
    for letter in decision.outgoing:
        assert (letter.method, letter.recipient, letter.sender) == ("REPLY", ALICE, BOB)
        found = {key: answers(letter.object, key) for key in expected}
        assert found == {key: {"bob": answer} for key, answer in expected.items()}
        assert len(letter.object.components) == len(expected)
        assert letter.object.sequence(next(iter(expected))) == 2
        assert {key.recurrence_id: mark.partstat for key, mark in decision.marks.items()} == expected


def test_a_reply_tells_the_organizers_version_not_the_users_notes() -> None:
    before = meeting(ASKED)
    after = meeting(
        change(SINGLE, ("Plan", "Boring"), ("SEQUENCE:2", "SEQUENCE:9")) + "DESCRIPTION:secret\n" + PRIVATE
    )
    letter = run(before, after, (BOB,), base=meeting(ASKED)).outgoing[0]
    assert letter.object.master.value("SUMMARY") == "Plan"  # type: ignore[union-attr]
    assert letter.object.sequence() == 2
    assert "secret" not in letter.object.data.decode()
    assert letter.summary.partstat == "ACCEPTED"
    assert letter.summary.attendee is not None
    assert letter.summary.attendee.name == "Bob"


def test_the_reply_comes_from_the_address_that_was_invited() -> None:
    owner = (Address("robert@example.org"), BOB)
    assert run(meeting(ASKED), meeting(SINGLE), owner).outgoing[0].sender == BOB


def test_one_who_is_invited_by_two_addresses_answers_by_each_for_itself() -> None:
    both = frozenset({BOB, CAROL})
    second = change(SINGLE, (CAROL_LINE, CAROL_LINE.replace("TENTATIVE", "DECLINED")))
    (letter,) = run(meeting(SINGLE), meeting(second), both).outgoing
    assert (letter.sender, answer_of(letter.object, CAROL)) == (CAROL, "DECLINED")
    assert {one.sender for one in run(meeting(SINGLE), None, both).outgoing} == both


def test_an_answer_that_a_program_writes_beside_the_invited_line_is_one_of_the_invited() -> None:
    without = change(SINGLE, (CAROL_LINE, ""))
    beside = change(without, (BOB_LINE, BOB_LINE + CAROL_LINE))
    (letter,) = run(meeting(without), meeting(beside), frozenset({BOB, CAROL})).outgoing
    assert (letter.sender, answer_of(letter.object, BOB)) == (BOB, "TENTATIVE")


def test_an_answer_that_the_ledger_knows_is_not_sent_again() -> None:
    first = run(None, meeting(SINGLE), (BOB,))
    assert not run(None, meeting(SINGLE), (BOB,), marks=dict(first.marks)).outgoing


@pytest.mark.parametrize("said", ["in an override", "by taking the date out"])
def test_a_date_that_he_takes_back_is_answered_like_the_series(said: str) -> None:
    no = override(change(SINGLE, ("PARTSTAT=ACCEPTED;CN=Bob", "PARTSTAT=DECLINED;CN=Bob")))
    without = meeting(SERIES, no) if said == "in an override" else meeting(EXCLUDED)
    base = meeting(SERIES)
    first = run(base, without, (BOB,), base=base)
    (letter,) = run(without, base, (BOB,), base=base, marks=dict(first.marks)).outgoing
    assert (letter.object.master, answer_of(letter.object, BOB, NEXT)) == (None, "ACCEPTED")


@pytest.mark.parametrize("deleted", [False, True])
def test_an_answer_to_the_series_reaches_the_dates_that_he_answered_on_their_own(deleted: bool) -> None:
    base = meeting(SERIES)
    yes = run(
        base,
        meeting(SERIES, override(change(SINGLE, ("ACCEPTED;CN=Bob", "TENTATIVE;CN=Bob")))),
        (BOB,),
        base=base,
    )
    after = None if deleted else meeting(change(SERIES, ("ACCEPTED;CN=Bob", "DECLINED;CN=Bob")))
    (letter,) = run(base, after, (BOB,), base=base, marks=dict(yes.marks)).outgoing
    assert [answer_of(letter.object, BOB, key) for key in ("", NEXT)] == ["DECLINED", "DECLINED"]


def test_the_one_date_to_which_he_came_is_declined_when_he_takes_it_out_of_a_declined_series() -> None:
    no = change(SERIES, ("ACCEPTED;CN=Bob", "DECLINED;CN=Bob"))
    before, after = meeting(no, override()), meeting(change(EXCLUDED, ("ACCEPTED;CN=Bob", "DECLINED;CN=Bob")))
    (letter,) = run(before, after, (BOB,), base=meeting(SERIES)).outgoing
    assert (letter.object.master, answer_of(letter.object, BOB, NEXT)) == (None, "DECLINED")


def test_a_date_that_he_had_never_declined_is_not_answered_when_it_comes_back() -> None:
    assert not run(meeting(EXCLUDED), meeting(SERIES), (BOB,), base=meeting(SERIES)).outgoing


def test_who_adds_himself_tells_nobody() -> None:
    without = meeting(change(SINGLE, (BOB_LINE, "")))
    decision = run(without, meeting(SINGLE), (BOB,))
    assert (decision.reason, decision.notes[0].code) == (Reason.NOTHING_TO_SEND, "added-himself")


def test_a_reply_of_the_client_is_left_to_it() -> None:
    after = meeting(change(SINGLE, ("ORGANIZER;", "ORGANIZER;SCHEDULE-AGENT=CLIENT;")))
    assert run(meeting(ASKED), after, (BOB,)).reason is Reason.SCHEDULE_AGENT


def test_a_past_meeting_is_not_answered() -> None:
    decision = changes(meeting(ASKED), meeting(SINGLE), Context(owner=frozenset({BOB}), now=PAST))
    assert decision.reason is Reason.PAST_EVENT


# --- tasks ---------------------------------------------------------------------------------------------------------

TASK = """UID:task@example.org
DTSTAMP:20261101T100000Z
DUE:20261123T110000Z
SUMMARY:Paint
ORGANIZER:mailto:alice@example.org
ATTENDEE:mailto:bob@example.org
"""


def task(text: str = TASK) -> CalendarObject:
    return parse_object(f"{HEAD}BEGIN:VTODO\n{text}END:VTODO\nEND:VCALENDAR\n".encode())


def test_a_task_is_assigned_put_off_and_done() -> None:
    def step(before: CalendarObject | None, after: CalendarObject, who: Address = ALICE) -> Decision:
        return changes(before, after, Context(owner=frozenset({who}), now=PAST))

    (assigned,) = step(None, task()).outgoing
    assert not violations(assigned.object, assigned.method)
    assert (assigned.summary.kind, assigned.summary.now.kind) == ("invitation", "VTODO")
    put_off = step(task(), task(change(TASK, ("20261123", "20261201"))))
    assert stored(put_off).sequence() == 1
    (done,) = step(task(), task(change(TASK, ("ATTENDEE", "ATTENDEE;PARTSTAT=COMPLETED"))), BOB).outgoing
    assert not violations(done.object, done.method)
    assert (done.summary.partstat, answers(done.object)) == ("COMPLETED", {"bob": "COMPLETED"})


def test_a_task_that_was_done_long_since_tells_nobody_when_it_goes() -> None:
    done = task(TASK + "STATUS:COMPLETED\n")
    assert run(task(), None).reason is Reason.CANCELLED
    assert [run(*states).reason for states in ((done, None), (None, done))] == [Reason.PAST_EVENT] * 2
    assert run(done, task()).reason is Reason.UPDATED


def test_a_length_without_a_beginning_does_not_leave() -> None:
    (letter,) = run(None, task(change(TASK, ("DUE:20261123T110000Z", "DURATION:PT1H")))).outgoing
    assert letter.object.master.first("DURATION") is None  # type: ignore[union-attr]
    assert letter.object.master.value("DTSTART") == "20261102"  # type: ignore[union-attr]


def test_a_journal_schedules_nothing() -> None:
    journal = parse_object(f"{HEAD}BEGIN:VJOURNAL\n{TASK}END:VJOURNAL\nEND:VCALENDAR\n".encode())
    decision = run(None, journal)
    assert (decision.outcome, decision.reason) == (Outcome.UNSUPPORTED, Reason.UNSUPPORTED_COMPONENT)


# --- what programs really write --------------------------------------------------------------------------------------


def test_whatever_a_calendar_holds_either_leaves_lawfully_or_is_refused(shared: Path) -> None:
    then = datetime(1990, 1, 1, tzinfo=UTC)
    sent = 0
    for path in sorted((shared / "corpus").rglob("*.ics")):
        try:
            objects = split(parse(path.read_bytes()))
        except MalformedCalendar:
            continue
        for found in objects:
            for who in {found.organizer, *(line.address for line in found.attendees())} - {None}:
                for before, after in ((None, found), (found, None), (found, found)):
                    try:
                        decision = changes(before, after, Context(owner=frozenset({who}), now=then))
                    except MalformedCalendar:
                        continue
                    assert before is not after or not decision.outgoing
                    for letter in decision.outgoing:
                        assert not violations(letter.object, letter.method)
                        assert load(dump(letter.summary)) == letter.summary
                        sent += 1
    assert sent > 100


# --- properties ------------------------------------------------------------------------------------------------------

COSMETIC = [
    ("SEQUENCE:2", "SEQUENCE:5"),
    ("DTSTAMP:20261101T100000Z", "DTSTAMP:20261102T000000Z\nLAST-MODIFIED:20261102T000000Z"),
    ("CN=Bob", "SCHEDULE-STATUS=1.1;CN=Bob"),
    ("PARTSTAT=TENTATIVE", "PARTSTAT=DECLINED"),
    ("SUMMARY", "X-FOO:1\nCLASS:PUBLIC\nTRANSP:TRANSPARENT\nSUMMARY"),
    ("TZID=Europe/Berlin:20261123T120000", "TZID=Europe/London:20261123T110000"),
]
REAL = [
    ("T110000", "T103000"),
    ("Plan", "Other"),
    ("WEEKLY", "DAILY"),
    ("COUNT=10", "COUNT=4"),
    (BOB_LINE, ""),
    (CAROL_LINE, DAVE_LINE),
    ("SUMMARY", "EXDATE;TZID=Europe/Berlin:20261207T110000\nSUMMARY"),
    ("SUMMARY", "STATUS:TENTATIVE\nSUMMARY"),
]
EXTRA = [
    override(DECLINED),
    override(change(SINGLE, ("Plan", "Special"))),
    override(change(SINGLE, (CAROL_LINE, DAVE_LINE))),
]


@settings(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from(COSMETIC)))
def test_cosmetic_changes_are_never_sent(found: set[tuple[str, str]]) -> None:
    after = SERIES
    for old, new in sorted(found):
        after = after.replace(old, new)
    assert not run(meeting(SERIES), meeting(after)).outgoing


@settings(max_examples=80, deadline=None)
@given(
    st.sets(st.sampled_from(REAL)),
    st.sets(st.sampled_from(REAL)),
    st.sampled_from([None, *EXTRA]),
    st.sampled_from([None, *EXTRA]),
)
def test_nobody_gets_more_than_one_request_and_one_cancel(
    first: set[tuple[str, str]], second: set[tuple[str, str]], one: str | None, other: str | None
) -> None:
    states = []
    for pairs, extra in ((first, one), (second, other)):
        text = SERIES
        for old, new in sorted(pairs):
            text = text.replace(old, new)
        states.append(meeting(text, *([extra] if extra else [])))
    decision = run(*states)
    sent = [(letter.recipient, letter.method) for letter in decision.outgoing]
    assert len(sent) == len(set(sent))
    guests = {person.address for state in states for person in state.attendees()} - {ALICE}
    assert {who for who, _ in sent} <= guests
    if decision.change is not None:
        assert decision.outgoing
        assert not changes(
            stored(decision), stored(decision), Context(owner=frozenset({ALICE}), now=NOW)
        ).outgoing
