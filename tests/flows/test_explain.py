"""What would be decided, told without writing anything."""

from __future__ import annotations

import pytest

from gateway.accounts import Booking
from gateway.errors import MalformedMail
from gateway.flows.explain import Calendars, explain
from gateway.ical.event import parse_object
from gateway.itip.model import Certainty, Policy

NAMES = {"uid", "method", "component", "account", "outcome", "reason", "notes", "change", "outgoing"}


@pytest.fixture
def told(world, say):
    def tell(content: bytes, policy: Policy | None = None, **facts) -> dict:
        return explain(
            content,
            accounts=world.accounts,
            settings=say.receiving,
            policy=lambda account, verdict, method, component="": policy or Policy(),
            now=world.clock.now(),
            **facts,
        )

    return tell


@pytest.fixture
def request_mail(say):
    def make(body: str = "", method: str = "REQUEST", to: str = "alice@example.org", **facts) -> bytes:
        return say.raw_mail(
            say.calendar(body or say.invitation(), method),
            method,
            sender="bob@example.net",
            to=to,
            message_id="<a@example.net>",
            **facts,
        )

    return make


def test_an_invitation_is_explained_in_the_shape_of_the_interface(told, request_mail):
    found = told(request_mail())
    assert found["mail"]["message_id"] == "<a@example.net>"
    assert found["mail"]["from"] == "bob@example.net"
    assert found["verdict"]["certainty"] == "proven"
    (message,) = found["messages"]
    assert set(message) == NAMES
    assert (message["outcome"], message["reason"], message["change"]) == (
        "applied",
        "invitation-stored",
        "store",
    )
    assert (message["account"], message["component"]) == ("alice@example.org", "VEVENT")


def test_it_is_decided_against_the_object_that_is_given(told, request_mail, say):
    stored = parse_object(say.calendar(say.meeting(guests="bob@example.net")))
    found = told(request_mail(say.answer(), "REPLY"), calendars=Calendars(stored))
    assert [(one["outcome"], one["reason"]) for one in found["messages"]] == [("applied", "answer-recorded")]


def test_an_object_of_another_meeting_is_no_stored_one(told, request_mail, say):
    stored = parse_object(say.calendar(say.meeting("other")))
    found = told(request_mail(say.answer(), "REPLY"), calendars=Calendars(stored))
    assert [one["outcome"] for one in found["messages"]] == ["parked"]


def test_as_chooses_the_account(told, request_mail):
    assert told(request_mail(), as_address="dora@example.org")["messages"][0]["account"] == "dora@example.org"
    found = told(request_mail(), as_address="x@example.com")["messages"]
    assert [one["reason"] for one in found] == ["unknown-recipient"]


def test_without_a_recipient_of_ours_the_reason_says_so(told, request_mail):
    found = told(request_mail(to="x@example.com"))
    assert [(one["outcome"], one["reason"]) for one in found["messages"]] == [
        ("ignored", "unknown-recipient")
    ]


def test_the_evidence_can_be_overridden(told, request_mail):
    found = told(request_mail(), certainty=Certainty.CONTRADICTED)
    assert found["verdict"] == {
        "sender": "bob@example.net",
        "certainty": "contradicted",
        "reasons": ["overridden"],
    }
    assert [one["reason"] for one in found["messages"]] == ["sender-contradicted"]


def test_the_owners_rule_is_part_of_the_explanation(told, request_mail):
    found = told(request_mail(), policy=Policy(action="ignore"))
    assert [(one["outcome"], one["change"]) for one in found["messages"]] == [("ignored", "none")]


def test_a_malformed_calendar_is_explained_too(told, request_mail, say):
    content = request_mail().replace(b"BEGIN:VEVENT", b"BEGIN:VEVENTS")
    assert told(content)["messages"][0]["outcome"] == "refused"


def test_what_is_no_mail_is_the_one_error(told):
    with pytest.raises(MalformedMail):
        told(b"")


def test_a_room_is_free_unless_a_mail_before_has_taken_it(told, request_mail, say):
    room, calendars = "room1@example.org", Calendars()
    books = Policy(booking=Booking(who=("@example.net",)))
    bodies = [say.invitation(uid, room) for uid in ("m1", "m2")]
    found = [told(request_mail(body, to=room), books, calendars=calendars) for body in bodies]
    assert [one["messages"][0]["reason"] for one in found] == ["booked", "booking-declined"]
    assert found[1]["messages"][0]["outgoing"] == [{"method": "REPLY", "to": "bob@example.net"}]
