"""Who may book a room, when, for how long, for how many: the keys of `[account.booking]`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.accounts import Booking
from gateway.ical.address import Address
from gateway.ical.times import utc_moment
from gateway.ical.tree import Component, parse
from gateway.itip.dates import Date
from gateway.itip.freebusy import stretch
from gateway.itip.model import Booked, Declined
from gateway.policy.bookable import against, is_open, may_book, people

MONDAY = datetime(2030, 1, 7, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def event(*lines: str) -> Component:
    text = "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""])
    return parse(text.encode()).components[0]


def date(hours: float = 1, *lines: str, at: float = 9) -> Date:
    start = MONDAY + timedelta(hours=at)
    return Date(
        key="",
        start=utc_moment(start),
        period=stretch(start, start + timedelta(hours=hours)),
        component=event(*lines),
        answer="NEEDS-ACTION",
    )


def broken(*asked: Date, recurring: bool = False, late: bool = False, **keys: object) -> Booked | None:
    return against(asked, Booking(**keys), recurring=recurring, late=late, zone=UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("who", "may"),
    [
        ("alice@example.org", True),
        ("alice@sub.example.org", False),
        ("alice@evil-example.org", False),
        ("bob@example.com", True),
        ("eve@example.com", False),
    ],
)
def test_an_address_or_its_whole_domain_may_book(who: str, may: bool) -> None:
    assert may_book(Address(who), Booking(who=("@example.org", "Bob@Example.com"))) is may


def test_nobody_in_particular_may_not_book() -> None:
    assert not may_book(None, Booking(who=("@example.org",)))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (broken(date(8)), None),
        (broken(date(8.01)), Declined.DURATION),
        (broken(date(), recurring=True), None),
        (broken(date(), late=True), Declined.WINDOW),
        (broken(date(), mode="decline-always"), Declined.MODE),
        (broken(date(), hours="Mo 09:00-10:00"), None),
        (broken(date(), hours="Tu 09:00-10:00"), Declined.HOURS),
    ],
)
def test_each_key_has_its_reason(found: Booked | None, reason: Declined | None) -> None:
    assert (found.reason if found else None) is reason


def test_a_series_may_be_forbidden() -> None:
    told = against([date()], Booking(recurring=False), recurring=True, late=False, zone=UTC)
    assert told == Booked(reason=Declined.RECURRING)
    assert against([date()], Booking(recurring=False), recurring=False, late=False, zone=UTC) is None


def test_what_a_key_allows_is_told() -> None:
    assert broken(date(9), max_duration=timedelta(minutes=90)) == Booked(reason=Declined.DURATION, most=90)
    assert broken(date(), late=True, window=timedelta(days=30)) == Booked(reason=Declined.WINDOW, most=30)
    hours = Booked(reason=Declined.HOURS, hours="Tu 09:00-10:00", zone="UTC")
    assert broken(date(), hours="Tu 09:00-10:00") == hours


GUESTS = (
    "ORGANIZER:mailto:alice@example.org",
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org",
    "ATTENDEE:mailto:bob@example.org",
    "ATTENDEE:mailto:BOB@example.org",
    "ATTENDEE;PARTSTAT=DECLINED:mailto:carol@example.org",
    "ATTENDEE;ROLE=NON-PARTICIPANT:mailto:list@example.org",
    "ATTENDEE;CUTYPE=ROOM:mailto:room@example.org",
    "ATTENDEE;CUTYPE=RESOURCE:mailto:beamer@example.org",
)


def test_people_are_counted_once_and_rooms_never() -> None:
    assert people(event(*GUESTS)) == 2
    assert broken(date(1, *GUESTS), capacity=2) is None
    assert broken(date(1, *GUESTS), capacity=1) == Booked(reason=Declined.CAPACITY, most=1)


@pytest.mark.parametrize(
    ("start", "length", "hours", "opened"),
    [
        (8, 10, "Mo-Fr 08:00-18:00", True),
        (7.99, 1, "Mo-Fr 08:00-18:00", False),
        (17.5, 0.51, "Mo-Fr 08:00-18:00", False),
        (9, 1, "Sa-Su 08:00-18:00", False),
        (9, 1, "Sa-Mo 08:00-18:00", True),
        (11, 2, "Mo 08:00-12:00, Mo 12:00-14:00", True),
        (11, 2, "Mo 08:00-12:00, Mo 12:30-14:00", False),
        (20, 8, "Mo-Su 00:00-24:00", True),
        (23, 3, "Mo-Su 22:00-24:00, Mo-Su 00:00-06:00", True),
        (23, 8, "Mo-Su 22:00-24:00, Mo-Su 00:00-06:00", False),
        (20, 8, "Mo 00:00-24:00", False),
        (9, 24, "Mo-Su 08:00-18:00", False),
    ],
)
def test_all_of_it_must_lie_within_the_hours(start: float, length: float, hours: str, opened: bool) -> None:
    begin = MONDAY + timedelta(hours=start)
    assert is_open(stretch(begin, begin + timedelta(hours=length)), hours, UTC) is opened


def test_hours_are_those_of_the_rooms_clock_in_winter_and_in_summer() -> None:
    for month, hour in ((1, 7), (7, 6)):
        start = datetime(2030, month, 8, hour, tzinfo=UTC)
        assert is_open(stretch(start, start + timedelta(hours=1)), "Mo-Fr 08:00-18:00", BERLIN)
        early = start - timedelta(minutes=1)
        assert not is_open(stretch(early, start), "Mo-Fr 08:00-18:00", BERLIN)
