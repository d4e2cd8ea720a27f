"""The octets of a mail: the tree, the encodings, and nothing that a relay would change."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.imip.fields import Mailbox
from gateway.imip.write import LetterParts, with_method, write

CALENDAR = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"

PARTS = LetterParts(
    envelope_sender="calendar+b1@example.org",
    author=Mailbox(address="alice@example.org", name="Alice"),
    recipient=Mailbox(address="bob@example.net", name="Bob"),
    subject="Invitation: Title",
    date=datetime(2026, 11, 1, tzinfo=UTC),
    message_id="<m@example.org>",
    text="Hello\n",
    html="<p>Hello</p>\n",
    method="REQUEST",
    calendar=CALENDAR,
)


def parsed(parts: LetterParts) -> EmailMessage:
    message = message_from_bytes(write(parts).content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_both_copies_are_the_same_octets() -> None:
    calendar, attachment = (
        part.get_payload(decode=True)
        for part in parsed(PARTS).walk()
        if part.get_content_type() in {"text/calendar", "application/ics"}
    )
    assert calendar == attachment == CALENDAR


def test_the_calendar_part_has_method_charset_and_no_disposition() -> None:
    part = next(part for part in parsed(PARTS).walk() if part.get_content_type() == "text/calendar")
    assert part["Content-Type"].params == {"charset": "UTF-8", "method": "REQUEST"}
    assert part["Content-Disposition"] is None
    assert part["Content-Transfer-Encoding"] == "base64"


def test_the_second_copy_may_be_left_out() -> None:
    kinds = [part.get_content_type() for part in parsed(replace(PARTS, attach=False)).walk()]
    assert "application/ics" not in kinds and kinds[1] == "multipart/alternative"


@given(text=st.text(max_size=2000), html=st.text(max_size=2000))
def test_any_text_comes_back_from_its_part(text: str, html: str) -> None:
    content = write(replace(PARTS, text=text, html=html)).content
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert content.isascii()
    message = message_from_bytes(content)
    for part in message.walk():
        meant = {"text/plain": text, "text/html": html}.get(part.get_content_type())
        if meant is not None:
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            octets = meant.encode("utf-8", "replace").decode()
            unix = octets.replace("\r\n", "\n").replace("\r", "\n")
            assert data.decode().replace("\r\n", "\n").rstrip() == unix.rstrip()


def test_no_line_begins_with_from() -> None:
    assert (
        b"\r\nFrom " not in write(replace(PARTS, text="a\nFrom b\nFrom c")).content.partition(b"\r\n\r\n")[2]
    )


def test_a_script_that_quoting_would_triple_is_base64() -> None:
    message = parsed(replace(PARTS, text="四半期計画の会議" * 20))
    assert message.get_body(("plain",))["Content-Transfer-Encoding"] == "base64"  # type: ignore[index]
    assert message.get_body(("html",))["Content-Transfer-Encoding"] == "quoted-printable"  # type: ignore[index]


@pytest.mark.parametrize(
    ("changes", "utf8"),
    [
        ({}, False),
        ({"recipient": Mailbox(address="bob@bücher.example")}, False),
        ({"recipient": Mailbox(address="jürgen@example.net")}, True),
        ({"reply_to": Mailbox(address="jürgen@example.net")}, True),
    ],
)
def test_smtputf8_is_asked_for_a_local_part_only(changes: dict[str, Mailbox], utf8: bool) -> None:
    assert write(replace(PARTS, **changes)).smtputf8 is utf8


def test_one_letter_is_always_the_same_octets() -> None:
    assert write(PARTS) == write(PARTS)


def test_boundaries_differ_between_letters() -> None:
    other = replace(PARTS, message_id="<n@example.org>")
    assert parsed(PARTS).get_boundary() != parsed(other).get_boundary()


@pytest.mark.parametrize(
    "calendar",
    [
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:PUBLISH\r\nEND:VCALENDAR\r\n",
    ],
)
def test_method_stands_first_and_once(calendar: bytes) -> None:
    assert with_method(calendar, "REQUEST") == CALENDAR


def test_header_fields_of_the_gateway_take_no_second_line() -> None:
    message = parsed(replace(PARTS, language="en\r\nBcc: x@y.example", hop="a\nb", auto_submitted="x\r\ny"))
    assert message["Bcc"] is None and message["Content-Language"] == "en Bcc: x@y.example"
