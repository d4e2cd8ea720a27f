"""The last look: every fault that some reader would stumble over is named, one broken mail each."""

from __future__ import annotations

from base64 import b64decode, encodebytes
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ical.tree import parse
from gateway.imip.lint import LARGE, faults, warnings

GOOD = (Path(__file__).parent / "letters" / "invitation.eml").read_bytes()


START = GOOD.index(b"\r\n\r\n", GOOD.index(b"text/calendar")) + 4
ENCODED = GOOD[START : GOOD.index(b"\r\n--", START)]


def meeting() -> bytes:
    """The calendar text of the golden mail."""
    return b64decode(ENCODED)


def calendar(change: Callable[[bytes], bytes], *, copies: int = 2) -> bytes:
    """The golden mail with another calendar in its copies."""
    new = encodebytes(change(meeting())).replace(b"\n", b"\r\n")
    return GOOD.replace(ENCODED, new, copies)


def test_a_good_mail_has_no_fault_and_no_warning() -> None:
    assert faults(GOOD) == () and warnings(parse(meeting()), len(meeting())) == ()


BROKEN = {
    "a bare CR or LF": lambda: GOOD.replace(b"You are", b"You\nare", 1),
    "a line over 998 octets": lambda: GOOD.replace(b"You are", b"You" * 400, 1),
    "2 fields to": lambda: GOOD.replace(b"\r\nTo:", b"\r\nTo: x@y.example\r\nTo:", 1),
    "0 fields subject": lambda: GOOD.replace(b"\r\nSubject:", b"\r\nX-Subject:", 1),
    "a recipient besides the one": lambda: b"Bcc: x@y.example\r\n" + GOOD,
    "not exactly one recipient": lambda: GOOD.replace(b"<bob@example.net>", b"<>", 1),
    "the first child of multipart/mixed is not multipart/alternative": lambda: GOOD.replace(
        b"multipart/alternative", b"multipart/related", 1
    ),
    "the alternatives are text/plain, text/plain, text/calendar": lambda: GOOD.replace(
        b"text/html", b"text/plain", 1
    ),
    "two Content-Type fields in one part": lambda: GOOD.replace(
        b"Content-Type: text/html", b"Content-Type: text/html\r\nContent-Type: text/html", 1
    ),
    "text/calendar with a Content-Disposition": lambda: GOOD.replace(
        b"Content-Type: text/calendar", b"Content-Disposition: attachment\r\nContent-Type: text/calendar", 1
    ),
    "no calendar part that can be read": lambda: calendar(lambda _: b"nothing"),
    "the copies of the calendar differ": lambda: calendar(lambda data: data + b" ", copies=1),
    "METHOD differs from the parameter of Content-Type": lambda: GOOD.replace(
        b"method=REQUEST", b"method=REPLY"
    ),
    "text/calendar without its charset": lambda: GOOD.replace(
        b"text/calendar; charset=UTF-8", b"text/calendar", 1
    ),
    "VEVENT without UID": lambda: calendar(lambda data: data.replace(b"\r\nUID:", b"\r\nX-UID:")),
    "VEVENT without DTSTAMP": lambda: calendar(lambda data: data.replace(b"\r\nDTSTAMP:", b"\r\nX-STAMP:")),
    "no VTIMEZONE for Europe/Berlin": lambda: calendar(
        lambda data: data.replace(b"\r\nTZID:Europe/Berlin", b"\r\nTZID:Other")
    ),
    "ORGANIZER is no mailto: address": lambda: calendar(
        lambda data: data.replace(b":mailto:alice@example.org", b":/principals/alice/")
    ),
    "ATTENDEE carries SCHEDULE-STATUS": lambda: calendar(
        lambda data: data.replace(b"ATTENDEE;", b"ATTENDEE;SCHEDULE-STATUS=1.1;")
    ),
    "an alarm of the sender": lambda: calendar(
        lambda data: data.replace(b"END:VEVENT", b"BEGIN:VALARM\r\nACTION:AUDIO\r\nEND:VALARM\r\nEND:VEVENT")
    ),
    "the recipient is no ATTENDEE": lambda: calendar(lambda data: data.replace(b"bob@", b"rob@")),
    "the recipient is the ORGANIZER": lambda: calendar(
        lambda data: data.replace(b"alice@example.org", b"bob@example.net")
    ),
    "no component": lambda: calendar(lambda data: data[: data.index(b"BEGIN:VEVENT")] + b"END:VCALENDAR\r\n"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_mail_is_stopped(fault: str) -> None:
    assert fault in faults(BROKEN[fault]())


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        (b"RDATE:20261124T150000Z", "RDATE without RRULE: Outlook shows one date"),
        (b"RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15", "a rule that Outlook does not take"),
        (b"RRULE:FREQ=MONTHLY;BYDAY=1MO,3MO", "a rule that Outlook does not take"),
        (b"RRULE:FREQ=HOURLY", "a rule that Outlook does not take"),
        (b"EXRULE:FREQ=MONTHLY", "EXRULE or RSCALE: hardly any program takes it"),
        (b"RRULE:RSCALE=HEBREW;FREQ=YEARLY", "EXRULE or RSCALE: hardly any program takes it"),
        (b"ATTENDEE:mailto:a@b.example\r\n" * 100, "more than 100 guests: Proton takes none of them"),
    ],
)
def test_a_shape_that_programs_drop_is_named(line: bytes, warning: str) -> None:
    changed = meeting().replace(b"END:VEVENT", line.rstrip() + b"\r\nEND:VEVENT")
    assert warnings(parse(changed), len(changed)) == (warning,)


@given(st.binary(max_size=400))
def test_any_octets_are_judged_without_error(octets: bytes) -> None:
    assert faults(octets)


def test_a_large_meeting_is_named() -> None:
    assert warnings(parse(meeting()), LARGE + 1) == ("over a megabyte",)
