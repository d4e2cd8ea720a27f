"""What a room answers: for each reason the one sentence that is true, and times on the clock of who reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.itip.model import Booked, Declined, Facts, Taken, When
from gateway.render.booking import MOST, answer, reservation
from gateway.render.voice import Voice

At = Callable[..., When]
Speak = Callable[..., Voice]
HOURS = "Mo-Fr 08:00-18:00, Sa 09:00-12:30"


def sentences(booked: Booked, meeting: Facts, voice: Voice, partstat: str = "DECLINED") -> tuple[str, ...]:
    *_, told = answer(partstat, booked, meeting, who="Room 4", voice=voice)
    return tuple(one for one in told if one)


@pytest.mark.parametrize(
    ("booked", "why"),
    [
        (Booked(reason=Declined.BUSY), ("Room 4 is taken at that time.",)),
        (Booked(reason=Declined.WHO), ("You may not book Room 4.",)),
        (
            Booked(reason=Declined.WINDOW, most=180),
            ("Room 4 cannot be booked that far ahead.", "It can be booked at most 180 days ahead."),
        ),
        (
            Booked(reason=Declined.DURATION, most=90),
            ("Room 4 cannot be booked for that long.", "The longest booking is 1 hour and 30 minutes."),
        ),
        (
            Booked(reason=Declined.RECURRING),
            ("Room 4 cannot be booked for a series.", "Single dates can be booked."),
        ),
        (
            Booked(reason=Declined.CAPACITY, most=6),
            ("You have invited more people than Room 4 holds.", "There is room for 6 people."),
        ),
        (Booked(reason=Declined.CAPACITY), ("You have invited more people than Room 4 holds.",)),
        (Booked(reason=Declined.OWNER), ("The owner of Room 4 has declined the booking.",)),
        (Booked(reason=Declined.MODE), ("Room 4 cannot be booked at present.",)),
        (Booked(), ("Room 4 cannot be booked at present.",)),
    ],
)
def test_a_room_that_declines_says_why_and_what_could_be(
    booked: Booked, why: tuple[str, ...], meeting: Facts, speak: Speak
) -> None:
    assert sentences(booked, meeting, speak()) == (*why, "The meeting stays as it is.")


def test_hours_are_in_the_words_and_the_figures_of_the_reader(meeting: Facts, speak: Speak) -> None:
    booked = Booked(reason=Declined.HOURS, hours=HOURS, zone="Europe/Berlin")
    german = sentences(booked, meeting, speak("de"))[1]
    assert german.endswith(": Mo. – Fr., 08:00 – 18:00 und Sa., 09:00 – 12:30.")
    american = sentences(replace(booked, hours="Su 00:00-24:00"), meeting, speak("en-US"))[1]
    assert american.endswith(": Sun, 12:00\u00a0AM – 12:00\u00a0AM.")


def test_hours_of_another_clock_name_its_place(meeting: Facts, speak: Speak) -> None:
    booked = Booked(reason=Declined.HOURS, hours="Mo 08:00-18:00", zone="Asia/Tokyo")
    assert "(Tokyo time, UTC+9)" in sentences(booked, meeting, speak())[1]
    assert "UTC" not in sentences(replace(booked, zone="Europe/Berlin"), meeting, speak())[1]


def test_a_booking_names_what_it_is_for(meeting: Facts, at: At, speak: Speak) -> None:
    series = replace(meeting, rule="FREQ=DAILY")
    cases = {
        "Room 4 is booked for this meeting.": meeting,
        "Room 4 is booked for all dates of this series.": series,
        "Room 4 is booked for this date of the series.": replace(series, recurrence=meeting.start),
    }
    assert [sentences(Booked(), now, speak(), "ACCEPTED") for now in cases.values()] == [
        (one,) for one in cases
    ]
    dates = (at("2026-11-24 15:00"), at("2026-11-25 15:00"))
    partly = Booked(reason=Declined.WINDOW, most=1, declined=dates)
    assert sentences(partly, series, speak(), "ACCEPTED") == (
        "Room 4 is booked for this series, except for 2 dates.",
        "It can be booked at most 1 day ahead.",
    )


def test_busy_times_stand_by_the_day_on_the_clock_of_the_reader(at: At, speak: Speak) -> None:
    busy = (
        Taken(start=at("2026-11-23 14:00"), end=at("2026-11-23 15:30")),
        Taken(start=at("2026-11-23 23:00"), end=at("2026-11-24 01:00")),
        Taken(start=at("2026-11-24 09:00"), end=at("2026-11-24 10:00")),
    )
    assert reservation(Booked(busy=busy), speak()).taken == (
        "Mon, 23 Nov 2026: 14:00\u00a0–\u2060\u00a015:30 and 23:00 – Tue, 24 Nov 2026, 01:00",
        "Tue, 24 Nov 2026: 09:00\u00a0–\u2060\u00a010:00",
    )
    assert reservation(Booked(busy=busy[1:]), speak(zone="Asia/Tokyo")).taken == (
        "Tue, 24 Nov 2026: 07:00\u00a0–\u2060\u00a009:00 and 17:00\u00a0–\u2060\u00a018:00",
    )


def test_a_long_list_says_how_much_is_left_out(at: At, speak: Speak) -> None:
    start, end = at("2026-11-23 14:00"), at("2026-11-23 15:00")
    booked = Booked(
        busy=(Taken(start=start, end=end),) * (MOST + 3),
        accepted=(start,) * (MOST + 1),
        declined=(start,) * MOST,
    )
    told = reservation(booked, speak())
    assert told.taken[1:] == ("and at 3 more times",)
    assert told.kept[MOST:] == ("and on 1 more date",)
    assert len(told.lost) == MOST
