"""Which message of a mail is for whom, and what in it ends here."""

from __future__ import annotations

import pytest

from gateway.accounts import Account, Accounts
from gateway.flows.sorting import Addressed, Turned, guests, organizers_meant, owner_of, sort_out
from gateway.ical.address import Address
from gateway.imip.read import read
from gateway.imip.tokens import Tokens
from gateway.itip.model import Certainty, Verdict
from gateway.ports import Envelope, Recipient

ALICE = Account(address="alice@example.org", aliases=("a.liddell@example.org",))
DORA = Account(address="dora@example.org")
OURS = Accounts((ALICE, DORA), ("example.org",), service_address="calendar@example.org")
BOB = Verdict(sender=Address("bob@example.net"), certainty=Certainty.PROVEN)


def envelope(*to: str, orcpt: str = "") -> Envelope:
    return Envelope(sender="", recipients=tuple(Recipient(address=one, orcpt=orcpt) for one in to))


def plain(to: str = "bob@example.com", more: str = "") -> bytes:
    return f"From: x@example.com\r\nTo: {to}\r\n{more}\r\nhello\r\n".encode()


def mail_of(*parts: tuple[str, bytes], to: str = "alice@example.org") -> bytes:
    pieces = b"".join(
        b"--x\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + data + b"\r\n" for kind, data in parts
    )
    head = f"From: bob@example.net\r\nTo: {to}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    return head.encode() + pieces + b"--x--\r\n"


REQUEST = "text/calendar; method=REQUEST; charset=utf-8"


def reached(found) -> list[tuple[str, str]]:
    return [(account.address, str(by)) for account, by in found]


def ends(found) -> list[tuple[str, str]]:
    assert all(isinstance(one, Turned) for one in found)
    return [(str(one.outcome), str(one.reason)) for one in found]


@pytest.mark.parametrize(
    ("to", "account", "by"),
    [
        ("alice@example.org", "alice@example.org", "alice@example.org"),
        ("Alice@EXAMPLE.org", "alice@example.org", "alice@example.org"),
        ("a.liddell@example.org", "alice@example.org", "a.liddell@example.org"),
        ("alice+tea@example.org", "alice@example.org", "alice@example.org"),
    ],
)
def test_a_recipient_reaches_his_account_under_the_address_that_was_written(to, account, by):
    assert reached(guests(envelope(to), read(plain()), OURS)) == [(account, by)]


def test_one_account_under_two_addresses_gets_one_copy():
    found = guests(envelope("alice@example.org", "a.liddell@example.org"), read(plain()), OURS)
    assert reached(found) == [("alice@example.org", "alice@example.org")]


def test_the_envelope_wins_over_the_header():
    found = guests(envelope("dora@example.org"), read(plain("alice@example.org")), OURS)
    assert reached(found) == [("dora@example.org", "dora@example.org")]


def test_where_the_envelope_names_nobody_the_original_recipient_does():
    found = guests(envelope("list@example.org", orcpt="rfc822;alice@example.org"), read(plain()), OURS)
    assert reached(found) == [("alice@example.org", "alice@example.org")]


def test_then_delivered_to_then_the_header():
    delivered = read(plain("alice@example.org", "Delivered-To: dora@example.org\r\n"))
    assert reached(guests(envelope("x@example.org"), delivered, OURS)) == [
        ("dora@example.org", "dora@example.org")
    ]
    header = read(plain("alice@example.org"))
    assert reached(guests(envelope("x@example.org"), header, OURS)) == [
        ("alice@example.org", "alice@example.org")
    ]


def test_a_stranger_reaches_nobody():
    assert guests(envelope("x@example.com"), read(plain()), OURS) == ()
    assert ends(sort_out(read(plain()), BOB, ())) == [("ignored", "unknown-recipient")]


def test_an_owner_is_known_by_all_his_addresses():
    assert owner_of(OURS, ALICE) == {"alice@example.org", "a.liddell@example.org"}


TO_ALICE = ((ALICE, Address("alice@example.org")),)


def test_each_meeting_of_a_mail_is_a_message_of_its_own(say):
    content = mail_of((REQUEST, say.calendar(say.invitation("a") + "\n" + say.invitation("b"), "REQUEST")))
    found = sort_out(read(content), BOB, TO_ALICE)
    assert [one.message.object.uid for one in found if isinstance(one, Addressed)] == ["a", "b"]


def test_a_message_for_two_accounts_is_two(say):
    content = mail_of((REQUEST, say.calendar(say.invitation(), "REQUEST")))
    to = (*TO_ALICE, (DORA, Address("dora@example.org")))
    found = sort_out(read(content), BOB, to)
    assert [one.account.address for one in found] == ["alice@example.org", "dora@example.org"]


def test_the_same_object_inline_and_attached_is_one_message(say):
    data = say.calendar(say.invitation(), "REQUEST")
    content = mail_of((REQUEST, data), ("application/ics; name=invite.ics", data.replace(b"\r\n", b"\n")))
    assert len(sort_out(read(content), BOB, TO_ALICE)) == 1


def test_a_mail_without_calendar_ends_as_ignored():
    found = sort_out(read(mail_of(("text/plain", b"hello"))), BOB, TO_ALICE)
    assert ends(found) == [("ignored", "no-calendar-part")]


def test_a_forward_is_never_applied(say):
    inner = say.raw_mail(
        say.calendar(say.invitation(), "REQUEST"),
        "REQUEST",
        sender="bob@example.net",
        to="x@example.com",
        message_id="<a@b>",
    )
    found = sort_out(read(mail_of(("message/rfc822", inner))), BOB, TO_ALICE)
    assert ends(found) == [("ignored", "forwarded")]


@pytest.mark.parametrize(
    ("data", "outcome", "reason"),
    [
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "refused", "malformed-calendar"),
        (b"not a calendar", "refused", "malformed-calendar"),
    ],
)
def test_a_malformed_calendar_is_refused_with_its_reason(data, outcome, reason):
    found = sort_out(read(mail_of((REQUEST, data))), BOB, TO_ALICE)
    assert ends(found) == [(outcome, reason)]
    assert found[0].account == "alice@example.org"


def test_a_rule_bomb_is_refused_before_anything_is_decided(say):
    data = say.calendar(say.invitation(RRULE="FREQ=SECONDLY"), "REQUEST")
    found = sort_out(read(mail_of((REQUEST, data))), BOB, TO_ALICE)
    assert ends(found) == [("refused", "expansion-limit")]


def test_what_we_do_not_do_yet_says_so(say):
    data = say.calendar(say.invitation().replace("VEVENT", "VJOURNAL"), "REQUEST")
    found = sort_out(read(mail_of((REQUEST, data))), BOB, TO_ALICE)
    assert ends(found) == [("unsupported", "unsupported-method")]


TOKENS = Tokens(secret=b"a secret of the tests", service="calendar@example.org")


def answer_to(agent: str, uid: str = "agent-1") -> tuple[Addressed | Turned, ...]:
    reply = "\r\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "METHOD:REPLY",
            "BEGIN:VEVENT",
            f"UID:{uid}",
            "DTSTAMP:20261121T100000Z",
            "DTSTART:20270101T100000Z",
            f"ORGANIZER;CN=Alice:mailto:{agent}",
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.net",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )
    mail = read(mail_of(("text/calendar; method=REPLY; charset=utf-8", reply.encode()), to=agent))
    to = envelope(agent)
    return sort_out(mail, BOB, guests(to, mail, OURS), meant=organizers_meant(to, OURS, TOKENS))


def test_an_answer_to_the_agent_reaches_the_organizer_whom_it_stands_for():
    (found,) = answer_to(TOKENS.organizer("alice@example.org", "agent-1"))
    assert isinstance(found, Addressed)
    assert found.account is ALICE
    assert found.message.object.organizer is None  # the stored meeting knows whom the agent stood for
    assert found.message.object.attendee(Address("bob@example.net"), "") is not None


@pytest.mark.parametrize(
    "agent",
    [
        TOKENS.organizer("alice@example.org", "another-meeting"),
        TOKENS.organizer("somebody@example.org", "agent-1"),
        "calendar+raaaaaaaaaaaaaaaa@example.org",
        "calendar@example.org",
    ],
)
def test_a_token_of_another_meeting_or_a_forged_one_reaches_nobody(agent):
    assert ends(answer_to(agent)) == [("ignored", "unknown-recipient")]
