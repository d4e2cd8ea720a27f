"""What a mail holds becomes messages for accounts: each version of each object once, and a reason for all else."""

from __future__ import annotations

from gateway.accounts import Account, Accounts
from gateway.flows.sorting import Addressed, Turned, guests, sort_out
from gateway.ical.address import Address
from gateway.imip.read import Mail, read
from gateway.itip.model import Certainty, Method, Outcome, Reason, Verdict
from gateway.ports import Envelope, Recipient

CAROL = Address("carol@example.com")
ALICE = Account(address="alice@example.org", aliases=("a.smith@example.org",))
BOB = Account(address="bob@example.org")
ACCOUNTS = Accounts((ALICE, BOB), ("example.org",), service_address="calendar@example.org")
VERDICT = Verdict(sender=CAROL, certainty=Certainty.LIKELY)
TO_ALICE = ((ALICE, Address(ALICE.address)),)
TO_BOTH = (*TO_ALICE, (BOB, Address(BOB.address)))


def calendar(*events: str, method: str = "REQUEST", head: str = "PRODID:-//x//EN\r\n") -> str:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{head}METHOD:{method}\r\n{''.join(events)}END:VCALENDAR\r\n"


def event(*lines: str, uid: str = "1", sequence: int = 0, attendee: str = "alice@example.org") -> str:
    head = [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20261101T080000Z",
        f"SEQUENCE:{sequence}",
        "DTSTART:20261201T100000Z",
        f"ORGANIZER:mailto:{CAROL}",
        f"ATTENDEE:mailto:{attendee}",
    ]
    return "\r\n".join([*head, *lines, "END:VEVENT", ""])


def mail(*texts: str, kind: str = "text/calendar") -> Mail:
    parts = "".join(f"--x\r\nContent-Type: {kind}\r\n\r\n{one}\r\n" for one in texts)
    head = f"From: {CAROL}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    return read((head + 'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + parts + "--x--\r\n").encode())


def sorted_out(*texts: str, kind: str = "text/calendar") -> tuple[Addressed | Turned, ...]:
    return sort_out(mail(*texts, kind=kind), VERDICT, TO_ALICE)


def addressed(*texts: str) -> list[Addressed]:
    return [one for one in sorted_out(*texts) if isinstance(one, Addressed)]


def test_the_same_version_twice_in_a_mail_is_one_message_and_the_first_one_counts() -> None:
    twins = (calendar(event("SUMMARY:Inline")), calendar(event("SUMMARY:Attached, <b>with</b> HTML")))
    (only,) = addressed(*twins)
    assert b"SUMMARY:Inline" in only.message.object.data


def test_different_objects_and_different_versions_are_messages_of_their_own() -> None:
    assert len(addressed(calendar(event(uid="1"), event(uid="2")))) == 2
    assert len(addressed(calendar(event()), calendar(event(sequence=1)))) == 2
    assert len(addressed(calendar(event()), calendar(event(), method="CANCEL"))) == 2


def test_answers_of_two_people_in_one_mail_are_two_messages() -> None:
    two = [calendar(event(attendee=one), method="REPLY") for one in ("alice@example.org", "bob@example.org")]
    assert [one.message.method for one in addressed(*two)] == [Method.REPLY, Method.REPLY]


def test_what_a_rule_mended_and_what_the_mail_got_wrong_goes_along_as_notes() -> None:
    (only,) = addressed(calendar(event("SUMMARY:M\udcfcsli"), head="").encode("utf-8", "replace").decode())
    assert [note.code for note in only.notes] == ["missing-prodid"]
    assert b"PRODID:-//imip-gateway//EN" in only.message.object.data


def test_a_rule_that_is_switched_off_mends_nothing() -> None:
    off = frozenset({"missing-prodid"})
    (only,) = sort_out(mail(calendar(event(), head="")), VERDICT, TO_ALICE, quirks_off=off)
    assert isinstance(only, Addressed) and only.notes == ()
    assert b"PRODID" not in only.message.object.data


def test_a_refusal_says_what_is_wrong_with_which_message() -> None:
    (only,) = sorted_out(calendar(event("DTEND:no time")))
    assert isinstance(only, Turned)
    assert (only.outcome, only.reason) == (Outcome.REFUSED, Reason.MALFORMED_CALENDAR)
    assert (only.uid, only.method, only.account) == ("1", "REQUEST", "alice@example.org")
    assert "no time" in only.detail


def test_a_mail_to_two_accounts_is_a_message_for_each() -> None:
    found = sort_out(mail(calendar(event())), VERDICT, TO_BOTH)
    assert [one.account for one in found if isinstance(one, Addressed)] == [ALICE, BOB]


def test_what_came_by_its_name_only_comes_after_what_came_by_its_type() -> None:
    text = calendar(event())
    by_name = "Content-Type: application/octet-stream; name=invite.ics\r\n\r\n" + text
    by_type = "Content-Type: text/calendar\r\n\r\n" + text
    content = (
        f'From: {CAROL}\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n'
        f"--x\r\n{by_name}\r\n--x\r\n{by_type}\r\n--x--\r\n"
    )
    (only,) = sort_out(read(content.encode()), VERDICT, TO_ALICE)
    assert isinstance(only, Addressed) and only.lowered == ()


def test_a_forward_is_nobodys_message() -> None:
    inner = f"From: x@example.com\r\nContent-Type: text/calendar\r\n\r\n{calendar(event())}"
    (only,) = sorted_out(inner, kind="message/rfc822")
    assert isinstance(only, Turned) and only.reason is Reason.FORWARDED


def test_a_mail_without_a_calendar_part_or_for_nobody_here_ends_with_its_reason() -> None:
    (nothing,) = sorted_out("hello", kind="text/plain")
    (nobody,) = sort_out(mail(calendar(event())), VERDICT, ())
    assert isinstance(nothing, Turned) and nothing.reason is Reason.NO_CALENDAR_PART
    assert isinstance(nobody, Turned) and nobody.reason is Reason.UNKNOWN_RECIPIENT


def envelope(*recipients: Recipient) -> Envelope:
    return Envelope(sender="", recipients=recipients)


def test_the_envelope_comes_before_the_header() -> None:
    """SPEC 2.3."""
    to_bob = Mail(to=(Address("bob@example.org"),))
    assert guests(envelope(Recipient(address="A.Smith@Example.org")), to_bob, ACCOUNTS) == (
        (ALICE, Address("a.smith@example.org")),
    )
    assert guests(envelope(Recipient(address="list@example.net")), to_bob, ACCOUNTS) == (
        (BOB, Address("bob@example.org")),
    )
    rewritten = Recipient(address="x@example.net", orcpt="rfc822;alice+team@example.org")
    assert [account for account, _ in guests(envelope(rewritten), to_bob, ACCOUNTS)] == [ALICE]
    assert guests(envelope(), Mail(), ACCOUNTS) == ()
