"""One sender per meeting and attendee, or none, with the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object
from gateway.itip.changes import changes
from gateway.itip.model import Context, Decision, Outcome, Reason
from gateway.policy.sending import TABLE, Facts, Sender, filter_outgoing, row_of, without_servers

CASES = [
    ("not-ours", Facts(ours=False, burst=True), Sender.NOBODY, Reason.NOT_OUR_ORGANIZER),
    ("schedule-agent", Facts(agent="CLIENT", past=True), Sender.NOBODY, Reason.SCHEDULE_AGENT),
    ("schedule-agent", Facts(agent="NONE"), Sender.NOBODY, Reason.SCHEDULE_AGENT),
    ("schedule-agent", Facts(agent="X-WHATEVER"), Sender.NOBODY, Reason.SCHEDULE_AGENT),
    ("baseline", Facts(baseline=True, burst=True), Sender.NOBODY, Reason.BASELINE),
    ("past", Facts(past=True, burst=True), Sender.NOBODY, Reason.PAST_EVENT),
    ("burst", Facts(burst=True, status="1.1", schedules=True), Sender.HELD, Reason.BURST),
    ("server-sent", Facts(status="1.1", schedules=True), Sender.NOBODY, Reason.SERVER_SENT),
    ("server-sent", Facts(status="1.2;Delivered", schedules=True), Sender.NOBODY, Reason.SERVER_SENT),
    ("server-tries", Facts(status="1.0", schedules=True), Sender.WAIT, Reason.SERVER_SENT),
    ("server-tries", Facts(status="5.1", schedules=True), Sender.WAIT, Reason.SERVER_SENT),
    ("server-forbids", Facts(status="3.8", schedules=True), Sender.NOBODY, Reason.SERVER_SENT),
    ("server-forbids", Facts(status="5.3", schedules=True), Sender.NOBODY, Reason.SERVER_SENT),
    ("server-cannot", Facts(status="3.7", schedules=True, profile_sends="nobody"), Sender.GATEWAY, None),
    ("server-cannot", Facts(status="5.2", schedules=True), Sender.GATEWAY, None),
    ("server-mails", Facts(profile_sends="inbound"), Sender.NOBODY, Reason.SERVER_SENT),
    ("server-mails", Facts(profile_sends="nobody", witnessed=True), Sender.NOBODY, Reason.SERVER_SENT),
    ("served-locally", Facts(served_locally=True, witnessed=True), Sender.NOBODY, Reason.SERVER_SENT),
    ("witness", Facts(witnessed=True), Sender.NOBODY, Reason.CLIENT_SENT),
    ("gateway", Facts(), Sender.GATEWAY, None),
    ("gateway", Facts(agent="server"), Sender.GATEWAY, None),
    ("gateway", Facts(status="1.1"), Sender.GATEWAY, None),
]


@pytest.mark.parametrize(("name", "facts", "sender", "reason"), CASES)
def test_the_first_rule_that_fits_decides(
    name: str, facts: Facts, sender: Sender, reason: Reason | None
) -> None:
    row = row_of(facts)
    assert (row.name, row.sender, row.reason) == (name, sender, reason)


def test_every_rule_of_the_table_is_tried() -> None:
    assert {row.name for row in TABLE} == {case[0] for case in CASES}


ALICE, BOB, CAROL = (Address(f"{who}@example.org") for who in ("alice", "bob", "carol"))
TEXT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:one@example.org
DTSTAMP:20261101T100000Z
DTSTART:20261123T110000Z
SUMMARY:Plan
ORGANIZER:mailto:alice@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:carol@example.org
END:VEVENT
END:VCALENDAR
"""


def meeting(*pairs: tuple[str, str]) -> CalendarObject:
    text = TEXT
    for old, new in pairs:
        text = text.replace(old, new)
    return parse_object(text.encode())


def decision(before: CalendarObject | None, after: CalendarObject) -> Decision:
    return changes(before, after, Context(owner=frozenset({ALICE}), now=datetime(2026, 11, 2, tzinfo=UTC)))


def test_a_server_that_mails_by_itself_silences_us_and_keeps_our_hands_off() -> None:
    before, after = meeting(), meeting(("T110000", "T120000"))
    made = decision(before, after)
    assert made.change is not None
    left = filter_outgoing(made, before=before, after=after, profile_sends="nobody")
    assert (left.outcome, left.reason) == (Outcome.IGNORED, Reason.SERVER_SENT)
    assert (left.change, left.outgoing, left.marks) == (None, (), {})
    assert [(note.code, note.facts["to"], note.facts["rule"]) for note in left.notes] == [
        ("not-sent", BOB, "server-mails"),
        ("not-sent", CAROL, "server-mails"),
    ]


def test_a_full_profile_changes_nothing() -> None:
    made = decision(None, meeting())
    assert filter_outgoing(made, before=None, after=meeting(), profile_sends="gateway") is made


def test_what_the_server_sent_in_this_write_is_not_sent_again() -> None:
    before = meeting()
    after = meeting(
        ("T110000", "T120000"), ("ACCEPTED:mailto:bob", "ACCEPTED;SCHEDULE-STATUS=1.1:mailto:bob")
    )
    left = filter_outgoing(
        decision(before, after), before=before, after=after, profile_sends="gateway", schedules=True
    )
    assert [one.recipient for one in left.outgoing] == [CAROL]
    assert left.outcome is Outcome.APPLIED
    assert left.change is not None


def test_our_own_status_put_back_by_a_client_says_nothing() -> None:
    before = meeting(("ACCEPTED:mailto:bob", "ACCEPTED;SCHEDULE-STATUS=1.1:mailto:bob"))
    after = meeting(
        ("T110000", "T120000"), ("ACCEPTED:mailto:bob", "ACCEPTED;SCHEDULE-STATUS=1.1:mailto:bob")
    )
    made = decision(before, after)
    assert filter_outgoing(made, before=before, after=after, profile_sends="gateway", schedules=True) is made


def test_a_client_that_mailed_itself_is_believed() -> None:
    made = decision(None, meeting())
    left = filter_outgoing(
        made, before=None, after=meeting(), profile_sends="gateway", witnessed=frozenset({BOB, CAROL})
    )
    assert left.reason is Reason.CLIENT_SENT


def test_a_reply_follows_the_organizers_schedule_agent() -> None:
    asked, answered = meeting(("PARTSTAT=ACCEPTED:mailto:bob", "RSVP=TRUE:mailto:bob")), meeting()
    made = changes(asked, answered, Context(owner=frozenset({BOB}), now=datetime(2026, 11, 2, tzinfo=UTC)))
    assert len(made.outgoing) == 1
    marked = meeting(("ORGANIZER:", "ORGANIZER;SCHEDULE-AGENT=CLIENT:"))
    left = filter_outgoing(made, before=asked, after=marked, profile_sends="gateway")
    assert left.reason is Reason.SCHEDULE_AGENT


def test_what_a_mail_moved_is_written_though_the_server_mails_about_it() -> None:
    made = decision(meeting(), meeting(("T110000", "T120000")))
    left = without_servers(made, profile_sends="nobody")
    assert (left.change, left.outcome, left.outgoing) == (made.change, made.outcome, ())
    assert {note.facts["rule"] for note in left.notes} == {"server-mails"}
    assert without_servers(made, profile_sends="gateway") is made


def test_an_automatic_answer_is_no_matter_of_the_servers() -> None:
    made = decision(meeting(), meeting(("T110000", "T120000")))
    answers = replace(made, outgoing=tuple(replace(one, automatic=True) for one in made.outgoing))
    assert without_servers(answers, profile_sends="nobody") is answers


def test_the_answer_of_a_room_is_the_servers_where_it_sees_it_in_the_copy() -> None:
    made = decision(meeting(), meeting(("T110000", "T120000")))
    booked = tuple(
        replace(one, automatic=True, summary=replace(one.summary, kind="booking")) for one in made.outgoing
    )
    assert without_servers(replace(made, outgoing=booked), profile_sends="nobody").outgoing == ()
    refused = replace(made, outgoing=booked, change=None)  # the copy stays as it was
    assert without_servers(refused, profile_sends="nobody") is refused
