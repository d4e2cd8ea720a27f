"""No TZID of one object ever moves the times of another that it is merged into."""

from __future__ import annotations

from gateway.ical.agree import with_distinct_zones
from gateway.ical.event import CalendarObject, parse_object

ZONE = "BEGIN:VTIMEZONE\r\nTZID:{}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:{}\r\nTZOFFSETTO:{}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"


def meeting(tzid: str, offset: str | None, *lines: str) -> CalendarObject:
    zone = ZONE.format(tzid, offset, offset) if offset else ""
    event = "\r\n".join(
        ["BEGIN:VEVENT", "UID:u", f"DTSTART;TZID={tzid}:20270310T100000", *lines, "END:VEVENT", ""]
    )
    return parse_object(f"BEGIN:VCALENDAR\r\n{zone}{event}END:VCALENDAR\r\n".encode())


def merged(stored: CalendarObject, message: CalendarObject) -> CalendarObject:
    apart = with_distinct_zones(message, stored)
    key, override = next(iter(apart.overrides.items()))
    return parse_object(stored.with_component(key, override, zones_from=apart).data)


STORED = meeting("Customized Time Zone", "+0100", "RRULE:FREQ=DAILY")
RID = "RECURRENCE-ID:20270311T090000Z"


def hours(found: CalendarObject) -> list[int]:
    from gateway.ical.times import start

    return [start(component, found.zones).utc.hour for component in found.components]


def test_another_meaning_gets_another_name() -> None:
    message = meeting("Customized Time Zone", "+0500", RID)
    both = merged(STORED, message)
    assert hours(both) == [9, 5]
    assert len(both.tree.subcomponents("VTIMEZONE")) == 2
    assert merged(STORED, message).data == both.data


def test_the_same_meaning_keeps_its_name() -> None:
    message = meeting("Customized Time Zone", "+0100", RID)
    assert with_distinct_zones(message, STORED) is message
    assert hours(merged(STORED, message)) == [9, 9]


def test_a_database_name_that_is_defined_falsely_gets_another_name() -> None:
    stored = meeting("Europe/Berlin", None, "RRULE:FREQ=DAILY")
    assert hours(merged(stored, meeting("Europe/Berlin", "+0500", RID))) == [9, 5]


def test_a_name_that_the_other_does_not_use_stays() -> None:
    message = meeting("Europe/Berlin", "+0500", RID)
    assert with_distinct_zones(message, STORED) is message
