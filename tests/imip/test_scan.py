"""The scan of the headers: never a no where the reader would find something, and a quick no for ordinary mail."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import MalformedMail
from gateway.imip.read import read
from gateway.imip.scan import HEADER, may_hold_calendar

CALENDAR = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n"
MIXED = b'From: a@example.com\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n'

FOUND = {
    "its own type": CALENDAR,
    "in a multipart": MIXED + b"--x\r\n" + CALENDAR + b"--x--\r\n",
    "without a closing line": MIXED + b"--x\r\n" + CALENDAR,
    "behind a text that speaks of the boundary": MIXED + b"see --x-- and --x\r\n--x--y\r\n--x\r\n" + CALENDAR,
    "behind a boundary that begins alike": MIXED + b"--xy--\r\n--x\r\n" + CALENDAR,
    "where the header ends without a blank line": MIXED[:-2] + b"--x\r\n" + CALENDAR,
    "in a forwarded mail": MIXED + b"--x\r\nContent-Type: message/rfc822\r\n\r\n" + CALENDAR + b"--x--\r\n",
    "in a digest": MIXED.replace(b"mixed", b"digest") + b"--x\r\n\r\n" + CALENDAR + b"--x--\r\n",
    "a boundary in pieces": MIXED.replace(b'boundary="x"', b'boundary*0="x"; boundary*1="y"')
    + b"--xy\r\n"
    + CALENDAR,
    "by a name in pieces": MIXED
    + b"--x\r\nContent-Type: application/octet-stream\r\n"
    + b"Content-Disposition: attachment; filename*0=invite; filename*1=.ics\r\n\r\nBEGIN:VCALENDAR\r\n--x--\r\n",
    "by a name in percent signs": b"Content-Type: application/octet-stream; name*=utf-8''i%2Eics\r\n\r\nBEGIN:VCALENDAR",
    "a winmail.dat": b"Content-Type: application/x-unknown; name=WinMail.dat\r\n\r\nx",
    "opaque S/MIME": b"Content-Type: application/x-pkcs7-mime\r\n\r\nx",
    "LF only": (MIXED + b"--x\r\n" + CALENDAR).replace(b"\r\n", b"\n"),
    "a header without end": b"X: " + b"x" * HEADER + b"\r\nContent-Type: text/calendar\r\n\r\nx",
}


@pytest.mark.parametrize("name", FOUND)
def test_what_the_reader_would_open_is_found(name: str) -> None:
    found = read(FOUND[name])
    assert found.parts or found.refusals
    assert may_hold_calendar(FOUND[name])


ORDINARY = {
    "text": b"From: a@example.com\r\n\r\nContent-Type: text/calendar\r\n",
    "a picture with a name of its own alphabet": MIXED
    + b"--x\r\nContent-Type: image/png; name*=utf-8''%C3%BC.png\r\n\r\nx\r\n--x--\r\n",
    "a calendar behind the end": MIXED + b"--x\r\n\r\nhi\r\n--x--\r\n" + CALENDAR,
    "a calendar as plain text": b"Content-Type: text/plain; name=invite.ics\r\n\r\nBEGIN:VCALENDAR\r\n",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_mail_is_told_by_its_headers(name: str) -> None:
    assert read(ORDINARY[name]).parts == ()
    assert not may_hold_calendar(ORDINARY[name])


PIECES = [
    b"Content-Type: multipart/mixed; boundary=x\r\n",
    b"Content-Type: multipart/digest; boundary=y\r\n",
    b"Content-Type: text/calendar\r\n",
    b"Content-Type: application/octet-stream\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Disposition: attachment; filename*0=a; filename*1=.ics\r\n",
    b" folded\r\n",
    b"no field\r\n",
    b"\r\n",
    b"--x\r\n",
    b"--x--\r\n",
    b"--x \t\r\n",
    b"--y\r\n",
    b"--y--\r\n",
    b"text --x\r\n",
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=16))
@example([PIECES[0], b"--x\r\n", PIECES[2], b"\r\n", PIECES[0]])
def test_the_scan_never_misses_what_the_reader_opens(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    try:
        found = read(content)
    except MalformedMail:
        return
    if found.parts or found.refusals:
        assert may_hold_calendar(content)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_have_an_answer(content: bytes) -> None:
    assert may_hold_calendar(content) in (True, False)
