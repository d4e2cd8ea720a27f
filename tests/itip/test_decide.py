"""Who may say what: SPEC 3.3 as a table, a test per row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.ical import times
from gateway.ical.address import address
from gateway.ical.event import parse_object
from gateway.itip.decide import TABLE, decide
from gateway.itip.model import (
    Certainty,
    Context,
    Decision,
    Message,
    Method,
    Outcome,
    Policy,
    Reason,
    Role,
    Store,
    Verdict,
)

NOW = datetime(2029, 1, 10, tzinfo=UTC)
EVENT = """BEGIN:VEVENT
UID:u
DTSTAMP:2029010{stamp}T000000Z
SEQUENCE:{stamp}
DTSTART:20290205T100000Z
SUMMARY:A
{organizer}
{attendees}
END:VEVENT"""
ALICE = "ORGANIZER:mailto:alice@example.com"
BOB = "ATTENDEE:mailto:bob@example.net"
GUESTS = f"{BOB}\nATTENDEE:mailto:carol@example.net"


def event(stamp: int = 1, organizer: str = ALICE, attendees: str = GUESTS) -> str:
    return EVENT.format(stamp=stamp, organizer=organizer, attendees=attendees)


def meet(
    stage: Any,
    *,
    method: str,
    body: str,
    sender: str,
    owner: str = "bob@example.net",
    stored: str | None = None,
    certainty: Certainty = Certainty.PROVEN,
    **policy: Any,
) -> Decision:
    context = Context(
        owner=frozenset({address(owner)}),
        now=NOW,
        verdict=Verdict(sender=address(sender) if sender else None, certainty=certainty),
        policy=Policy(**policy),
    )
    return decide(stage.object(stored) if stored else None, stage.message(method, body, sender), context)


def test_the_table_has_a_row_for_every_role_and_method_in_the_rfcs_order() -> None:
    assert list(TABLE) == [(role, method) for method in Method for role in Role]


MALLORY = "mallory@evil.example"
SECRETARY = 'ORGANIZER;SENT-BY="mailto:pa@example.com":mailto:alice@example.com'
DELEGATED = 'ATTENDEE;DELEGATED-FROM="mailto:carol@example.net":mailto:bob@example.net'
HELD, REFUSED, APPLIED = Outcome.HELD, Outcome.REFUSED, Outcome.APPLIED
PARKED, IGNORED = Outcome.PARKED, Outcome.IGNORED

# (why, method, message, sender, stored, outcome, reason)
AT_THE_GUEST = [
    (
        "a new meeting by its organizer",
        "REQUEST",
        event(),
        "alice@example.com",
        None,
        APPLIED,
        Reason.INVITATION_STORED,
    ),
    ("a new meeting by somebody else", "REQUEST", event(), MALLORY, None, HELD, Reason.SENDER_NOT_ORGANIZER),
    (
        "a new meeting by a SENT-BY of its own",
        "REQUEST",
        event(1, SECRETARY),
        "pa@example.com",
        None,
        HELD,
        Reason.SENDER_NOT_ORGANIZER,
    ),
    (
        "a new meeting by a configured delegate",
        "REQUEST",
        event(),
        "secretary@example.com",
        None,
        APPLIED,
        Reason.INVITATION_STORED,
    ),
    (
        "an invitation passed on by the delegator",
        "REQUEST",
        event(1, ALICE, DELEGATED),
        "carol@example.net",
        None,
        APPLIED,
        Reason.INVITATION_STORED,
    ),
    (
        "a new meeting in the owner's own name",
        "REQUEST",
        event(1, "ORGANIZER:mailto:bob@example.net"),
        MALLORY,
        None,
        REFUSED,
        Reason.SENDER_NOT_ORGANIZER,
    ),
    (
        "an update by the organizer",
        "REQUEST",
        event(2),
        "alice@example.com",
        event(),
        APPLIED,
        Reason.INVITATION_UPDATED,
    ),
    (
        "an update by a stored SENT-BY",
        "REQUEST",
        event(2),
        "pa@example.com",
        event(1, SECRETARY),
        APPLIED,
        Reason.INVITATION_UPDATED,
    ),
    (
        "an update by a SENT-BY of its own",
        "REQUEST",
        event(2, SECRETARY),
        "pa@example.com",
        event(),
        HELD,
        Reason.SENDER_NOT_ORGANIZER,
    ),
    (
        "an update by a guest",
        "REQUEST",
        event(2),
        "carol@example.net",
        event(),
        REFUSED,
        Reason.SENDER_NOT_ORGANIZER,
    ),
    ("an update by a stranger", "REQUEST", event(2), MALLORY, event(), REFUSED, Reason.SENDER_NOT_ORGANIZER),
    (
        "an update by another organizer",
        "REQUEST",
        event(2, f"ORGANIZER:mailto:{MALLORY}"),
        MALLORY,
        event(),
        HELD,
        Reason.ORGANIZER_CHANGED,
    ),
    (
        "an update of what nobody organizes",
        "REQUEST",
        event(2),
        "alice@example.com",
        event(1, "X-NOBODY:1"),
        HELD,
        Reason.ORGANIZER_CHANGED,
    ),
    (
        "a CANCEL by the organizer",
        "CANCEL",
        event(2),
        "alice@example.com",
        event(),
        APPLIED,
        Reason.MEETING_CANCELLED,
    ),
    ("a CANCEL by a stranger", "CANCEL", event(2), MALLORY, event(), REFUSED, Reason.SENDER_NOT_ORGANIZER),
    (
        "a CANCEL of an unknown meeting",
        "CANCEL",
        event(2),
        "alice@example.com",
        None,
        PARKED,
        Reason.UNKNOWN_UID,
    ),
    (
        "a CANCEL without ORGANIZER",
        "CANCEL",
        event(2, "X-NOBODY:1"),
        "alice@example.com",
        event(),
        APPLIED,
        Reason.MEETING_CANCELLED,
    ),
    (
        "an answer to somebody else's meeting",
        "REPLY",
        event(1, ALICE, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:carol@example.net"),
        "carol@example.net",
        event(),
        IGNORED,
        Reason.NOT_OUR_ORGANIZER,
    ),
]


@pytest.mark.parametrize(
    ("why", "method", "body", "sender", "stored", "outcome", "reason"),
    AT_THE_GUEST,
    ids=[row[0] for row in AT_THE_GUEST],
)
def test_who_may_say_it_to_a_guest(
    stage: Any,
    why: str,
    method: str,
    body: str,
    sender: str,
    stored: str | None,
    outcome: Outcome,
    reason: Reason,
) -> None:
    decision = meet(
        stage,
        method=method,
        body=body,
        sender=sender,
        stored=stored,
        delegates=frozenset({address("secretary@example.com")}),
    )
    assert (decision.outcome, decision.reason) == (outcome, reason), why
    if outcome is not APPLIED:
        assert decision.change is None
        assert decision.held_kind == ("mail" if outcome is HELD else "")


def answer(attendee: str) -> str:
    return event(1, ALICE, attendee)


ACCEPTED = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.net"
GROUP = f"{GUESTS}\nATTENDEE;CUTYPE=GROUP:mailto:team@example.net"
AT_THE_ORGANIZER = [
    ("an answer", "REPLY", answer(ACCEPTED), "bob@example.net", event(), APPLIED, Reason.ANSWER_RECORDED),
    (
        "an answer for a third person",
        "REPLY",
        answer(ACCEPTED),
        "carol@example.net",
        event(),
        REFUSED,
        Reason.SENDER_NOT_ATTENDEE,
    ),
    (
        "a stranger's answer for a guest",
        "REPLY",
        answer(ACCEPTED),
        MALLORY,
        event(),
        REFUSED,
        Reason.SENDER_NOT_ATTENDEE,
    ),
    (
        "a stranger's answer for himself",
        "REPLY",
        answer(f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{MALLORY}"),
        MALLORY,
        event(),
        HELD,
        Reason.PARTY_CRASHER,
    ),
    (
        "a member of an invited group",
        "REPLY",
        answer('ATTENDEE;PARTSTAT=ACCEPTED;MEMBER="mailto:team@example.net":mailto:dan@example.net'),
        "dan@example.net",
        event(1, ALICE, GROUP),
        APPLIED,
        Reason.CRASHER_ADDED,
    ),
    (
        "a member of a group that is not invited",
        "REPLY",
        answer('ATTENDEE;PARTSTAT=ACCEPTED;MEMBER="mailto:bob@example.net":mailto:dan@example.net'),
        "dan@example.net",
        event(),
        HELD,
        Reason.PARTY_CRASHER,
    ),
    (
        "a delegate before his delegator",
        "REPLY",
        answer('ATTENDEE;PARTSTAT=ACCEPTED;DELEGATED-FROM="mailto:bob@example.net":mailto:dan@example.net'),
        "dan@example.net",
        event(),
        PARKED,
        Reason.SENDER_NOT_ATTENDEE,
    ),
    (
        "a delegate of nobody",
        "REPLY",
        answer('ATTENDEE;PARTSTAT=ACCEPTED;DELEGATED-FROM="mailto:x@example.net":mailto:dan@example.net'),
        "dan@example.net",
        event(),
        HELD,
        Reason.PARTY_CRASHER,
    ),
    (
        "an answer to an unknown meeting",
        "REPLY",
        answer(ACCEPTED),
        "bob@example.net",
        None,
        PARKED,
        Reason.UNKNOWN_UID,
    ),
    (
        "a REQUEST in the organizer's name",
        "REQUEST",
        event(2),
        MALLORY,
        event(),
        REFUSED,
        Reason.SENDER_NOT_ORGANIZER,
    ),
    (
        "a REQUEST that takes the meeting over",
        "REQUEST",
        event(2, "ORGANIZER:mailto:bob@example.net"),
        "bob@example.net",
        event(),
        HELD,
        Reason.ORGANIZER_CHANGED,
    ),
    (
        "a CANCEL in the organizer's name",
        "CANCEL",
        event(2),
        "bob@example.net",
        event(),
        REFUSED,
        Reason.SENDER_NOT_ORGANIZER,
    ),
    (
        "his own REQUEST come back",
        "REQUEST",
        event(2),
        "alice@example.com",
        event(),
        IGNORED,
        Reason.SELF_SENT,
    ),
    (
        "his own new REQUEST come back",
        "REQUEST",
        event(2),
        "alice@example.com",
        None,
        IGNORED,
        Reason.SELF_SENT,
    ),
    ("his own CANCEL come back", "CANCEL", event(2), "alice@example.com", event(), IGNORED, Reason.SELF_SENT),
]


@pytest.mark.parametrize(
    ("why", "method", "body", "sender", "stored", "outcome", "reason"),
    AT_THE_ORGANIZER,
    ids=[row[0] for row in AT_THE_ORGANIZER],
)
def test_who_may_say_it_to_the_organizer(
    stage: Any,
    why: str,
    method: str,
    body: str,
    sender: str,
    stored: str | None,
    outcome: Outcome,
    reason: Reason,
) -> None:
    decision = meet(stage, method=method, body=body, sender=sender, stored=stored, owner="alice@example.com")
    assert (decision.outcome, decision.reason) == (outcome, reason), why
    if outcome is not APPLIED:
        assert decision.change is None
    assert decision.held_kind == (
        "crasher" if reason is Reason.PARTY_CRASHER else "mail" if outcome is HELD else ""
    )


SURE = [
    (Certainty.PROVEN, {}, APPLIED, Reason.INVITATION_STORED),
    (Certainty.LIKELY, {}, APPLIED, Reason.INVITATION_STORED),
    (Certainty.UNKNOWN, {}, HELD, Reason.NOT_AUTHENTICATED),
    (Certainty.UNKNOWN, {"approved": True}, APPLIED, Reason.INVITATION_STORED),
    (Certainty.UNKNOWN, {"on_unknown": "store"}, APPLIED, Reason.INVITATION_STORED),
    (Certainty.UNKNOWN, {"on_unknown": "ignore"}, IGNORED, Reason.NOT_AUTHENTICATED),
    (Certainty.CONTRADICTED, {}, REFUSED, Reason.SENDER_CONTRADICTED),
    (Certainty.CONTRADICTED, {"on_unknown": "store"}, REFUSED, Reason.SENDER_CONTRADICTED),
    (Certainty.CONTRADICTED, {"approved": True}, REFUSED, Reason.SENDER_CONTRADICTED),
]


@pytest.mark.parametrize(("certainty", "policy", "outcome", "reason"), SURE)
def test_how_sure_we_are_decides_after_who_it_is(
    stage: Any, certainty: Certainty, policy: dict[str, Any], outcome: Outcome, reason: Reason
) -> None:
    decision = meet(
        stage, method="REQUEST", body=event(), sender="alice@example.com", certainty=certainty, **policy
    )
    assert (decision.outcome, decision.reason) == (outcome, reason)


def test_a_mail_without_one_sender_is_held_until_a_person_vouches(stage: Any) -> None:
    for policy in ({}, {"on_unknown": "store"}):
        held = meet(stage, method="REQUEST", body=event(), sender="", **policy)
        assert held.outcome is HELD
    approved = meet(stage, method="REQUEST", body=event(), sender="", approved=True)
    assert approved.reason is Reason.INVITATION_STORED
    reply = meet(
        stage,
        method="REPLY",
        body=answer(ACCEPTED),
        sender="",
        stored=event(),
        owner="alice@example.com",
        approved=True,
    )
    assert reply.reason is Reason.ANSWER_RECORDED


def test_without_a_verdict_the_sender_is_unknown(stage: Any) -> None:
    context = Context(owner=frozenset({address("bob@example.net")}), now=NOW)
    decision = decide(None, stage.message("REQUEST", event(), "alice@example.com"), context)
    assert decision.reason is Reason.NOT_AUTHENTICATED


def test_a_new_meeting_from_nobody_waits_because_nobody_vouches_for_it(stage: Any) -> None:
    decision = meet(stage, method="REQUEST", body=event(), sender="")
    assert (decision.outcome, decision.reason) == (HELD, Reason.NOT_AUTHENTICATED)


@pytest.mark.parametrize("policy", ["ask", "add", "ignore"])
def test_an_uninvited_guest_is_what_the_organizer_says(stage: Any, policy: str) -> None:
    decision = meet(
        stage,
        method="REPLY",
        body=answer(f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{MALLORY}"),
        sender=MALLORY,
        stored=event(),
        owner="alice@example.com",
        party_crasher=policy,
    )
    assert decision.reason is (Reason.CRASHER_ADDED if policy == "add" else Reason.PARTY_CRASHER)
    assert decision.outcome is {"ask": HELD, "add": APPLIED, "ignore": IGNORED}[policy]


def test_a_component_does_not_change_its_type(stage: Any) -> None:
    stored = event().replace("VEVENT", "VTODO")
    decision = meet(stage, method="REQUEST", body=event(2), sender="alice@example.com", stored=stored)
    assert (decision.outcome, decision.reason) == (REFUSED, Reason.COMPONENT_CHANGED)


@pytest.mark.parametrize(
    ("sender", "owner", "outcome", "reason"),
    [
        ("alice@example.com", "bob@example.net", APPLIED, Reason.INSTANCE_ADDED),
        ("alice@example.com", "someone@example.org", APPLIED, Reason.INSTANCE_ADDED),
        ("carol@example.net", "bob@example.net", REFUSED, Reason.SENDER_NOT_ORGANIZER),
        ("mallory@evil.example", "bob@example.net", REFUSED, Reason.SENDER_NOT_ORGANIZER),
        ("bob@example.net", "alice@example.com", REFUSED, Reason.SENDER_NOT_ORGANIZER),
        ("", "bob@example.net", HELD, Reason.NOT_AUTHENTICATED),
    ],
)
def test_only_the_organizer_adds_a_date(
    stage: Any, sender: str, owner: str, outcome: Outcome, reason: Reason
) -> None:
    decision = meet(
        stage,
        method="ADD",
        body=event(2).replace("20290205", "20290206"),
        sender=sender,
        owner=owner,
        stored=event(),
    )
    assert (decision.outcome, decision.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("certainty", "outcome"),
    [(Certainty.PROVEN, Outcome.PARKED), (Certainty.UNKNOWN, HELD), (Certainty.CONTRADICTED, REFUSED)],
)
def test_a_date_of_a_series_that_nobody_knows_waits_for_it(
    stage: Any, certainty: Certainty, outcome: Outcome
) -> None:
    decision = meet(stage, method="ADD", body=event(2), sender="alice@example.com", certainty=certainty)
    assert decision.outcome is outcome
    assert decision.change is None
    assert not decision.marks


def test_a_date_is_not_added_for_another_than_whose_series_it_was(stage: Any) -> None:
    desk = stage.desk("bob@example.net")
    desk.meet(stage.message("REQUEST", event(), "alice@example.com"))
    desk.stored = desk.base = None
    other = event(2, "ORGANIZER:mailto:mallory@evil.example")
    assert desk.meet(stage.message("ADD", other, "mallory@evil.example")).outcome is Outcome.PARKED
    decision = desk.meet(stage.message("ADD", event(2), "mallory@evil.example"))
    assert (decision.outcome, decision.reason) == (HELD, Reason.SENDER_NOT_ORGANIZER)


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL", "REPLY"])
def test_this_and_prior_is_not_taken_for_one_occurrence(stage: Any, method: str) -> None:
    body = event(2).replace("UID:u", "UID:u\nRECURRENCE-ID;RANGE=THISANDPRIOR:20290205T100000Z")
    decision = meet(stage, method=method, body=body, sender="alice@example.com", stored=event())
    assert decision.outcome is Outcome.UNSUPPORTED
    assert decision.notes[0].code == "this-and-prior"


ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\n"
    "TZOFFSETFROM:{0}\r\nTZOFFSETTO:{0}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


def test_a_zone_of_the_same_name_moves_nobody_elses_times() -> None:
    """Exchange calls every odd zone alike, and a hostile mail may define any name as it likes."""

    def text(offset: str, *lines: str, start: str) -> bytes:
        event = "\r\n".join(
            [
                "BEGIN:VEVENT",
                "UID:zones",
                *lines,
                f"DTSTART;TZID=Customized Time Zone:{start}",
                "DURATION:PT1H",
                "ORGANIZER:mailto:o@x.example",
                "ATTENDEE:mailto:a@y.example",
                "END:VEVENT",
            ]
        )
        return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{ZONE.format(offset)}{event}\r\nEND:VCALENDAR\r\n".encode()

    organizer = address("o@x.example")
    context = Context(
        owner=frozenset({address("a@y.example")}),
        now=datetime(2026, 11, 20, tzinfo=UTC),
        verdict=Verdict(sender=organizer, certainty=Certainty.PROVEN),
    )

    def request(data: bytes) -> Message:
        return Message(method=Method.REQUEST, object=parse_object(data), sender=organizer)

    series = ("DTSTAMP:20261101T000000Z", "SEQUENCE:0", "RRULE:FREQ=DAILY;COUNT=5")
    first = decide(None, request(text("+0100", *series, start="20261201T100000")), context)
    assert isinstance(first.change, Store)
    one = ("DTSTAMP:20261102T000000Z", "SEQUENCE:1", "RECURRENCE-ID:20261203T090000Z")
    moved = decide(first.change.object, request(text("+0500", *one, start="20261203T150000")), context)
    assert isinstance(moved.change, Store)
    after = moved.change.object
    starts = {
        key: times.start(part, after.zones) for key, part in (("", after.master), *after.overrides.items())
    }
    assert {key: str(moment.utc) for key, moment in starts.items()} == {
        "": "2026-12-01 09:00:00+00:00",
        "20261203T090000Z": "2026-12-03 10:00:00+00:00",
    }
