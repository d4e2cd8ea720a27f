"""Header fields: what stdlib's parsers read back is what was meant, in lines that every relay takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.imip.fields import (
    Mailbox,
    addr_spec,
    bare_id,
    cut,
    date_field,
    ids_field,
    mail_domain,
    mailbox_field,
    needs_smtputf8,
    parameter,
    plain,
    text_field,
)


def value(field: bytes) -> str:
    """The field as both of Python's parsers decode it."""
    new = str(message_from_bytes(field + b"\r\n", policy=policy.default)["X"])
    raw = message_from_bytes(field + b"\r\n", policy=policy.compat32)["X"]
    old = str(make_header(decode_header(str(raw).replace("\r\n ", " "))))
    assert new == old
    return new


@given(st.text(max_size=300))
def test_any_text_comes_back_from_its_field(text: str) -> None:
    field = text_field("X", text)
    assert field.endswith(b"\r\n") and field.isascii()
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    assert b"\r\n\r\n" not in field and all(line[:1] == b" " for line in field.split(b"\r\n")[1:-1])
    expected = plain(text)
    assert value(field).replace("\u2068", "").replace("\u2069", "") == expected


@given(st.text(max_size=75))
def test_any_name_comes_back_from_its_mailbox(name: str) -> None:
    field = mailbox_field("X", Mailbox(address="bob@example.net", name=name))
    raw = message_from_bytes(field + b"\r\n")["X"]
    found = getaddresses([str(raw).replace("\r\n ", " ")])
    assert len(found) == 1 and found[0][1] == "bob@example.net"
    shown = str(make_header(decode_header(found[0][0])))
    assert shown.split() == plain(name).split() or plain(name).casefold() == "bob@example.net"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Alice Liddell", b"X: Alice Liddell <a@b.example>\r\n"),
        ("Liddell, Alice", b'X: "Liddell, Alice" <a@b.example>\r\n'),
        ('The "A"', b'X: "The \\"A\\"" <a@b.example>\r\n'),
        ("", b"X: a@b.example\r\n"),
        ("A@b.example", b"X: a@b.example\r\n"),
        ("Jürgen", b"X: =?utf-8?b?SsO8cmdlbg==?= <a@b.example>\r\n"),
        ("=?utf-8?q?Bob?=", b"X: =?utf-8?b?PT91dGYtOD9xP0JvYj89?= <a@b.example>\r\n"),
    ],
)
def test_a_name_is_an_atom_a_string_or_a_word(name: str, expected: bytes) -> None:
    field = mailbox_field("X", Mailbox(address="a@b.example", name=name))
    assert field == expected or b"=?utf-8?q?" in field and b"=?utf-8?q?" in field.replace(b"?b?", b"?q?")


@pytest.mark.parametrize(
    ("address", "spec", "beyond"),
    [
        ("bob@example.net", "bob@example.net", False),
        ("bob@BÜCHER.example", "bob@xn--bcher-kva.example", False),
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example", True),
        ("bob smith@example.net", '"bob smith"@example.net', False),
        ('"bob smith"@example.net', '"bob smith"@example.net', False),
        ("bob\r\nRCPT TO:<x>@example.net", '"bob RCPT TO:<x>"@example.net', False),
    ],
)
def test_an_address_is_written_so_that_it_can_be_mailed(address: str, spec: str, beyond: bool) -> None:
    assert addr_spec(address) == spec
    assert needs_smtputf8(address) is beyond


def test_an_impossible_domain_stays_as_it_is() -> None:
    assert mail_domain("a@xn--ü.example") == "xn--ü.example"
    assert mail_domain("Example.ORG.") == "example.org"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a@b.example>", "a@b.example"),
        ("a@b.example", "a@b.example"),
        ("<a b@c.example>", ""),
        ("<a@b>\r\nBcc: x@y", ""),
        ("<" + "a" * 1000 + "@b.example>", ""),
        ("<ü@b.example>", ""),
        ("", ""),
    ],
)
def test_only_a_usable_message_id_is_repeated(text: str, expected: str) -> None:
    assert bare_id(text) == expected


def test_references_fold_between_ids_and_name_each_once() -> None:
    ids = [f"<{'x' * 40}{number}@example.org>" for number in range(9)]
    field = ids_field("References", [*ids, ids[0]])
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    assert message_from_bytes(field + b"\r\n")["References"].split() == ids
    assert ids_field("References", ["", "broken"]) == b""


def test_the_date_is_rfc_5322_with_its_offset() -> None:
    moment = datetime(2026, 11, 1, 9, 5, 7, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    field = date_field("Date", moment)
    assert field == b"Date: Sun, 01 Nov 2026 09:05:07 -0330\r\n"
    assert parsedate_to_datetime(field[6:].decode()) == moment.astimezone(UTC)


def test_a_file_name_beyond_ascii_is_rfc_2231() -> None:
    head = (
        b"Content-Disposition: attachment"
        + parameter("filename", "Einladung für 名.ics").encode()
        + b"\r\n\r\n"
    )
    assert message_from_bytes(head).get_filename() == "Einladung für 名.ics"
    assert parameter("filename", "invite.ics") == "; filename=invite.ics"
    assert parameter("filename", 'a "b".ics') == '; filename="a \\"b\\".ics"'


def test_a_cut_text_says_so() -> None:
    assert cut("abcdef", 4) == "abc…" and cut("abcd", 4) == "abcd"
