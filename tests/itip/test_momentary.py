"""Events that end when they begin, for servers that want a length."""

from __future__ import annotations

import pytest

from gateway.ical.event import CalendarObject, parse_object
from gateway.itip.momentary import lengthened, shortened


def meeting(*lines: str, start: str = "DTSTART:20261103T100000Z") -> CalendarObject:
    text = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:u", start, *lines]
    return parse_object("\r\n".join([*text, "END:VEVENT", "END:VCALENDAR", ""]).encode())


@pytest.mark.parametrize("line", ["DTEND:20261103T100000Z", "DURATION:PT0S", "X-NO-END:1"])
def test_what_ends_when_it_begins_lasts_a_second_and_is_itself_again(line: str) -> None:
    there = lengthened(meeting(line)).data
    assert b"DURATION:PT1S" in there and b"DTEND" not in there and b"PT0S" not in there
    back = shortened(parse_object(there)).data
    assert b"DURATION" not in back and b"X-IMIP-GATEWAY" not in back


@pytest.mark.parametrize("line", ["DTEND:20261103T103000Z", "DURATION:PT1S"])
def test_what_has_a_length_keeps_it(line: str) -> None:
    whole = meeting(line)
    assert lengthened(whole) is whole
    assert shortened(whole) is whole


def test_a_day_that_ends_when_it_begins_needs_no_end() -> None:
    day = lengthened(meeting("DTEND;VALUE=DATE:20261103", start="DTSTART;VALUE=DATE:20261103")).data
    assert b"DTEND" not in day and b"DURATION" not in day and b"X-IMIP" not in day


def test_a_length_that_a_person_gave_it_stays() -> None:
    there = lengthened(meeting()).data.replace(b"PT1S", b"PT30M")
    back = shortened(parse_object(there)).data
    assert b"DURATION:PT30M" in back and b"X-IMIP-GATEWAY" not in back


def test_each_date_of_a_series_has_its_own() -> None:
    one = b"BEGIN:VEVENT\r\nUID:u\r\nRECURRENCE-ID:20261110T100000Z\r\nDTSTART:20261110T120000Z\r\nDTEND:20261110T120000Z\r\nEND:VEVENT\r\n"
    series = meeting("RRULE:FREQ=WEEKLY", "DTEND:20261103T110000Z").data
    there = lengthened(parse_object(series.replace(b"END:VCALENDAR", one + b"END:VCALENDAR"))).data
    assert there.count(b"DURATION:PT1S") == 1 and b"DTEND:20261103T110000Z" in there
