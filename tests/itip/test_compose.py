"""What we write is complete, whatever the calendar left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.ical.event import CalendarObject, parse_object
from gateway.itip import compose
from gateway.itip.significance import components_by_key
from gateway.itip.tables import violations

STAMP = compose.Stamp(now=datetime(2026, 11, 2, 9, tzinfo=UTC), prodid="-//gateway//EN")
PEOPLE = "ORGANIZER:mailto:alice@example.org\nATTENDEE:mailto:bob@example.org\n"


def meeting(text: str, kind: str = "VEVENT") -> CalendarObject:
    body = f"BEGIN:{kind}\nUID:1\nDTSTAMP:20261101T100000Z\n{text}{PEOPLE}END:{kind}\n"
    return parse_object(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\n{body}END:VCALENDAR\n".encode())


@pytest.mark.parametrize(
    ("kind", "text", "added"),
    [
        ("VEVENT", "DTSTART;VALUE=DATE:20261123\n", {"DURATION": "P1D", "SEQUENCE": "0", "SUMMARY": ""}),
        ("VEVENT", "DTSTART:20261123T100000Z\nSUMMARY:a\n", {"DURATION": "PT0S", "SUMMARY": "a"}),
        ("VEVENT", "DTSTART:20261123T100000Z\nDTEND:20261123T110000Z\n", {"DURATION": None}),
        ("VEVENT", "DTSTART:20261123T100000Z\nDTEND:20261123T110000Z\nDURATION:PT1H\n", {"DURATION": None}),
        ("VTODO", "SUMMARY:a\n", {"PRIORITY": "0", "DTSTART": "20261102"}),
        ("VTODO", "DUE:20261123T100000Z\nPRIORITY:5\n", {"PRIORITY": "5", "DTSTART": "20261123T100000Z"}),
        ("VTODO", "DTSTART:20261123T100000Z\nDURATION:PT1H\n", {"DTSTART": "20261123T100000Z"}),
    ],
)
def test_what_readers_need_is_added(kind: str, text: str, added: dict[str, str | None]) -> None:
    source = meeting(text, kind)
    message = compose.request(dict(components_by_key(source)), source, STAMP)
    component = message.master
    assert component is not None
    assert {name: component.value(name) for name in added} == added
    assert component.value("DTSTAMP") == "20261102T090000Z"
    assert violations(message, "REQUEST") == ()


def test_a_reply_repeats_only_what_names_the_meeting() -> None:
    source = meeting(
        "DTSTART:20261123T100000Z\nSUMMARY:a\nDESCRIPTION:b\nSTATUS:CONFIRMED\nATTACH:https://x\n"
    )
    assert source.master is not None
    line = source.attendees()[0].with_params(PARTSTAT="ACCEPTED", RSVP="TRUE", SCHEDULE_STATUS="1.1")
    message = compose.reply([(source.master, line)], source, STAMP)
    assert message.master is not None
    assert {one.name for one in message.master.properties} == {
        "UID", "DTSTAMP", "SEQUENCE", "DTSTART", "DURATION", "SUMMARY", "ORGANIZER", "ATTENDEE"
    }  # fmt: skip
    assert [param.name for param in message.attendees()[0].params] == ["PARTSTAT"]
    assert violations(message, "REPLY") == ()


def test_an_override_without_organizer_gets_the_masters() -> None:
    series = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//t//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20261101T100000Z
DTSTART:20261123T100000Z
RRULE:FREQ=DAILY
ORGANIZER;SCHEDULE-AGENT=SERVER:mailto:alice@example.org
END:VEVENT
BEGIN:VEVENT
UID:1
DTSTAMP:20261101T100000Z
RECURRENCE-ID:20261124T100000Z
DTSTART:20261124T110000Z
ATTENDEE:mailto:bob@example.org
END:VEVENT
END:VCALENDAR
"""
    source = parse_object(series.encode())
    message = compose.request(dict(source.overrides), source, STAMP)
    assert violations(message, "REQUEST") == ()
    assert b"SCHEDULE-AGENT" not in message.data
