"""What a mail holds: sender, addresses, calendar parts."""

from __future__ import annotations

import base64
import email
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import MalformedMail
from gateway.imip.read import Mail, MailLimits, may_hold_calendar, read
from gateway.itip.model import Reason

ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Müsli\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def mail(*headers: str, body: str | bytes = "hello\r\n") -> bytes:
    raw = body if isinstance(body, bytes) else body.encode()
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + raw


def single(kind: str, body: str | bytes, *more: str) -> bytes:
    return mail("From: a@example.com", "To: b@example.org", f"Content-Type: {kind}", *more, body=body)


def mixed(*parts: bytes, kind: str = "mixed") -> bytes:
    body = b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"
    return mail("From: a@example.com", f'Content-Type: multipart/{kind}; boundary="x"', body=body)


def part(kind: str, body: str | bytes, *more: str) -> bytes:
    raw = body if isinstance(body, bytes) else body.encode()
    return "\r\n".join([f"Content-Type: {kind}", *more]).encode() + b"\r\n\r\n" + raw


def texts(found: Mail) -> list[str]:
    return [one.data.decode() for one in found.parts]


CALENDAR_MAILS = {
    "bare": single("text/calendar; charset=utf-8; method=REQUEST", ICS),
    "alternative in mixed": mixed(
        b'Content-Type: multipart/alternative; boundary="y"\r\n\r\n--y\r\n'
        + part("text/plain", "hi")
        + b"\r\n--y\r\n"
        + part("text/calendar; method=REQUEST; charset=UTF-8", ICS)
        + b"\r\n--y--\r\n"
    ),
    "base64": single(
        "text/calendar; charset=utf-8", base64.encodebytes(ICS.encode()), "Content-Transfer-Encoding: base64"
    ),
    "quoted-printable": single(
        "text/calendar; charset=utf-8",
        ICS.replace("ü", "=C3=BC"),
        "Content-Transfer-Encoding: quoted-printable",
    ),
    "application/ics": mixed(part("text/plain", "x"), part("application/ics; name=invite.ics", ICS)),
    "signed": mixed(
        part("text/calendar; charset=utf-8", ICS), part("application/pgp-signature", "x"), kind="signed"
    ),
    "declared latin-1 and is": single("text/calendar; charset=iso-8859-1", ICS.encode("latin-1")),
    "declared latin-1 but UTF-8": single("text/calendar; charset=iso-8859-1", ICS),
    "no charset at all": single("text/calendar", ICS),
    "BOM": single("text/calendar", b"\xef\xbb\xbf" + ICS.encode()),
    "UTF-16 with BOM": single("text/calendar; charset=us-ascii", b"\xff\xfe" + ICS.encode("utf-16-le")),
    "unknown charset": single("text/calendar; charset=x-mac-foo", ICS),
    "LF only": single("text/calendar; charset=utf-8", ICS).replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("name", CALENDAR_MAILS)
def test_a_calendar_part_is_found_and_decoded(name: str) -> None:
    found = read(CALENDAR_MAILS[name])
    assert len(found.parts) == 1
    assert "SUMMARY:Müsli" in texts(found)[0]
    assert found.refusals == ()
    assert may_hold_calendar(CALENDAR_MAILS[name])


@pytest.mark.parametrize("name", ["declared latin-1 but UTF-8", "unknown charset", "latin-1 undeclared"])
def test_another_charset_than_declared_is_noted(name: str) -> None:
    undeclared = single("text/calendar", ICS.encode("latin-1"))
    found = read({**CALENDAR_MAILS, "latin-1 undeclared": undeclared}[name])
    assert [note.code for note in found.parts[0].notes] == ["wrong-charset"]


@pytest.mark.parametrize("name", ["no charset at all", "base64", "declared latin-1 and is", "BOM"])
def test_a_right_charset_or_none_where_it_is_utf_8_is_nothing_to_note(name: str) -> None:
    assert read(CALENDAR_MAILS[name]).parts[0].notes == ()


def test_method_comes_from_the_type_in_upper_case() -> None:
    assert read(single("text/calendar; method=request", ICS)).parts[0].method == "REQUEST"
    assert read(single("text/calendar", ICS)).parts[0].method == ""


def test_a_method_mismatch_lowers_trust() -> None:
    assert read(single("text/calendar; method=CANCEL", ICS)).parts[0].lowered == ("method-mismatch",)


def test_an_attachment_by_name_counts_only_as_octet_stream_and_lowers_trust() -> None:
    by_name = mixed(part("application/octet-stream; name=Invite.ICS", ICS))
    assert [(one.where, one.lowered) for one in read(by_name).parts] == [("by-name", ("by-name",))]
    assert may_hold_calendar(by_name)
    assert read(mixed(part("text/plain; name=invite.ics", ICS))).parts == ()


def test_what_lies_inside_a_forward_is_marked_as_forwarded() -> None:
    inner = CALENDAR_MAILS["bare"]
    found = read(mixed(part("text/plain", "fyi"), b"Content-Type: message/rfc822\r\n\r\n" + inner))
    assert [one.where for one in found.parts] == ["forwarded"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            single("application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", "AAAA"),
            Reason.UNSUPPORTED_SMIME,
        ),
        (mixed(part("application/ms-tnef; name=winmail.dat", "AAAA")), Reason.UNSUPPORTED_TNEF),
        (single("text/x-vcalendar", "BEGIN:VCALENDAR\r\nVERSION:1.0\r\n"), Reason.UNSUPPORTED_VCALENDAR),
        (single("text/calendar", ICS + "X" * 2_000_000), Reason.TOO_LARGE),
    ],
)
def test_what_cannot_be_used_has_its_reason(content: bytes, reason: Reason) -> None:
    found = read(content)
    assert found.parts == () and found.refusals == (reason,)
    assert may_hold_calendar(content)


def test_a_refused_part_beside_a_good_one_is_not_told() -> None:
    found = read(mixed(part("text/calendar", ICS), part("application/ms-tnef", "AAAA")))
    assert len(found.parts) == 1 and found.refusals == ()


def test_too_many_parts_and_too_deep_nesting_are_refused() -> None:
    many = mixed(*[part("text/plain", "x")] * 200)
    assert read(many).refusals == (Reason.TOO_MANY_PARTS,)
    deep = part("text/calendar", ICS)
    for level in range(14):
        deep = f'Content-Type: multipart/mixed; boundary="b{level}"\r\n\r\n--b{level}\r\n'.encode() + deep
    assert Reason.TOO_DEEP in read(b"From: a@example.com\r\n" + deep).refusals
    assert read(b"X-A: " + b"x" * 70_000 + b"\r\n\r\n").refusals == (Reason.TOO_LARGE,)


@pytest.mark.parametrize(
    ("fields", "sender"),
    [
        (["Alice <Alice@Example.COM>"], "alice@example.com"),
        (["alice@example.com (Alice)"], "alice@example.com"),
        (['"Smith, Al <x@y>" <alice@example.com>'], "alice@example.com"),
        (["=?utf-8?q?Al=C3=AFce?= <alice@example.com>"], "alice@example.com"),
        (["alice@example.com", "bob@example.com"], None),
        (["alice@example.com, bob@example.com"], None),
        (["<alice@example.com> <bob@example.com>"], None),
        (["Alice <alice@example.com>, Bob <b@example.com>"], None),
        (["team: alice@example.com;"], None),
        ([], None),
    ],
)
def test_the_sender_is_the_one_address_of_the_one_from_field(fields: list[str], sender: str | None) -> None:
    assert read(mail(*[f"From: {one}" for one in fields], "Subject: x")).sender == sender


def test_the_sender_is_not_percent_decoded_and_reply_to_is_nobody() -> None:
    found = read(mail("From: a%40evil.example@example.com", "Reply-To: boss@example.com"))
    assert found.sender == "a%40evil.example@example.com"


def test_addresses_ids_and_marks_are_read() -> None:
    found = read(
        mail(
            "From: a@example.com",
            "To: Bob <b@Example.org>,",
            "  c@example.org",
            "Cc: d@example.org",
            "Delivered-To: b+x@example.org",
            "Message-ID: <1@example.com>",
            "In-Reply-To: <2@example.org>",
            "References: <0@example.org> <2@example.org>",
            "Date: Mon, 23 Nov 2026 14:00:00 +0100",
            "Auto-Submitted: auto-replied; owner=x",
            "List-Id: <all.example.com>",
        )
    )
    assert found.to == ("b@example.org", "c@example.org", "d@example.org")
    assert found.delivered_to == ("b+x@example.org",)
    assert found.message_id == "<1@example.com>"
    assert found.in_reply_to == ("<2@example.org>", "<0@example.org>")
    assert found.date is not None and found.date.isoformat() == "2026-11-23T13:00:00+00:00"
    assert found.auto_submitted == "auto-replied" and found.is_list


def test_a_mail_without_calendar_part_is_told_by_its_headers() -> None:
    assert not may_hold_calendar(mail("From: a@example.com", body="text/calendar in the text\r\n"))
    assert not may_hold_calendar(
        mixed(
            part("text/plain", "see http://x/invite.ics, type text/calendar"),
            part("image/png; name=a.png", "x"),
        )
    )
    assert may_hold_calendar(mail("Content-Type: multipart/mixed", body="no boundary"))


def test_the_scan_never_misses_what_the_reader_finds_in_the_corpus(shared: Path) -> None:
    paths = sorted((shared / "corpus" / "imip").rglob("*.eml"))
    assert len(paths) > 50
    for path in paths:
        content = path.read_bytes()
        found = read(content)
        if found.parts or found.refusals:
            assert may_hold_calendar(content), path.name
        assert all(one.data.decode("utf-8") for one in found.parts), path.name


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_give_a_mail_or_the_one_error(content: bytes) -> None:
    try:
        found = read(content, MailLimits())
    except MalformedMail:
        return
    found.message_id.encode("utf-8")
    found.subject.encode("utf-8")


PIECES = [
    b"Content-Type: multipart/mixed; boundary=x\r\n",
    b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\n",
    b"Content-Type: text/calendar; method*=utf-8''REQ%55EST\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Disposition: attachment; filename*0=a; filename*1=.ics\r\n",
    b"From: \xff\xfe <a@b>\r\n",
    b"Date: 99 Foo\r\n",
    b"\r\n",
    b"--x\r\n",
    b"--x--\r\n",
    b"BEGIN:VCALENDAR\r\n",
    b"=",
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_any_puzzle_of_mime_gives_a_mail_or_the_one_error(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    try:
        found = read(content)
    except MalformedMail:
        return
    if found.parts:
        assert may_hold_calendar(content)


def test_the_standard_library_agrees_on_what_is_a_part() -> None:
    content = CALENDAR_MAILS["alternative in mixed"]
    theirs = [
        one for one in email.message_from_bytes(content).walk() if one.get_content_type() == "text/calendar"
    ]
    assert len(theirs) == len(read(content).parts)


@pytest.mark.parametrize("size", [1, 2, 7, 50])
@pytest.mark.parametrize("name", CALENDAR_MAILS)
def test_a_mail_is_the_same_however_it_is_fed(name: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = CALENDAR_MAILS[name].replace(b"\r\nTo:", b"\r\nSubject: \xfc\r \x0b\n x\r\nTo:")
    whole = read(content)
    monkeypatch.setattr("gateway.imip.read._PIECE", size)
    assert read(content) == whole
