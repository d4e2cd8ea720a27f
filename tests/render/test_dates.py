"""Times as their reader needs them: his own clock, the event's beside it, whole days without one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from babel.core import Locale

from gateway.itip.model import When
from gateway.render.dates import lasting, length, short, short_zone, span
from gateway.render.voice import Voice

Speak = Callable[..., Voice]
At = Callable[..., When]


@pytest.mark.parametrize(
    ("language", "zone", "lines", "place", "other"),
    [
        ("en", "Europe/Berlin", ("Monday, 23 November 2026", "15:00 – 16:30"), "Berlin time, UTC+1", ""),
        (
            "en-US",
            "America/New_York",
            ("Monday, November 23, 2026", "9:00\u00a0AM – 10:30\u00a0AM"),
            "New York time, UTC−5",
            "3:00\u00a0PM – 4:30\u00a0PM (Berlin time, UTC+1)",
        ),
        (
            "en",
            "Asia/Kolkata",
            ("Monday, 23 November 2026", "7:30\u00a0pm – 9:00\u00a0pm"),
            "Kolkata time, UTC+5:30",
            None,
        ),
        ("de", "Europe/Paris", ("Montag, 23. November 2026", "15:00 – 16:30"), "Ortszeit Paris, UTC+1", ""),
        ("en-GB", "", ("Monday, 23 November 2026", "15:00 – 16:30"), "Berlin time, UTC+1", ""),
        (
            "en-GB",
            "Pacific/Auckland",
            ("Tuesday, 24 November 2026", "03:00 – 04:30"),
            "Auckland time, UTC+13",
            "Mon, 23 Nov 2026, 15:00 – 16:30 (Berlin time, UTC+1)",
        ),
    ],
)
def test_a_meeting_is_on_the_clock_of_its_reader(
    language: str, zone: str, lines: tuple[str, ...], place: str, other: str | None, speak: Speak, at: At
) -> None:
    shown = span(at("2026-11-23 15:00"), at("2026-11-23 16:30"), speak(language, zone))
    assert (shown.lines, shown.zone) == (lines, place)
    assert other is None or shown.other == other


def test_an_unknown_reader_of_a_time_in_utc_gets_the_zone_of_the_gateway(speak: Speak, at: At) -> None:
    shown = span(at("2026-11-23 14:00", "UTC"), None, speak("en", "", "Europe/Vienna"))
    assert shown.lines[1] == "15:00" and shown.zone == "Vienna time, UTC+1" and shown.other == ""


@pytest.mark.parametrize(
    ("start", "end", "lines", "extent"),
    [
        ("2026-11-23", "2026-11-24", ("Monday, 23 November 2026", "all day"), ""),
        ("2026-11-23", "2026-11-23", ("Monday, 23 November 2026", "all day"), ""),
        ("2026-11-23", "2026-11-26", ("Monday, 23 November 2026 –", "Wednesday, 25 November 2026"), "3 days"),
        (
            "2026-11-23 22:00",
            "2026-11-24 01:00",
            ("Monday, 23 November 2026, 22:00 –", "Tuesday, 24 November 2026, 01:00"),
            "3 hours",
        ),
        ("2026-11-23 22:00", "2026-11-23 22:00", ("Monday, 23 November 2026", "22:00"), ""),
        ("2026-11-23 09:00", "2026-11-23 09:01", ("Monday, 23 November 2026", "09:00 – 09:01"), "1 minute"),
    ],
)
def test_the_last_day_is_the_one_people_mean(
    start: str, end: str, lines: tuple[str, ...], extent: str, speak: Speak, at: At
) -> None:
    shown = span(at(start), at(end), speak())
    assert shown.lines == lines and shown.length == extent


def test_a_day_is_the_same_day_in_every_zone(speak: Speak, at: At) -> None:
    days = {
        span(at("2026-11-23"), at("2026-11-24"), speak("en-GB", zone)).lines
        for zone in ("Pacific/Apia", "America/Adak")
    }
    assert days == {("Monday, 23 November 2026", "all day")}


def test_a_floating_time_names_no_zone(speak: Speak, at: At) -> None:
    shown = span(at("2026-11-23 15:00", ""), at("2026-11-23 16:00", ""), speak("en", "Asia/Tokyo"))
    assert shown.lines[1] == "15:00 – 16:00" and shown.zone == "" and shown.other == ""


def test_a_zone_of_the_message_alone_keeps_its_name(speak: Speak, at: At) -> None:
    known = at("2026-11-23 15:00")
    own = When(form="zoned", local=known.local, zone="Customized Time Zone", utc=known.utc)
    assert span(own, None, speak("en", "")).zone == "Customized Time Zone"
    assert span(own, None, speak("en", "Europe/Berlin")).lines[1] == "15:00"


def test_the_length_is_what_passes_not_what_clocks_show(speak: Speak, at: At) -> None:
    # The night of 25 October 2026 has a hour more in Berlin.
    assert length(at("2026-10-25 01:00"), at("2026-10-25 04:00"), speak()) == "4 hours"


@pytest.mark.parametrize(
    ("zone", "name"),
    [("Europe/Berlin", "CET"), ("Asia/Kolkata", "IST"), ("America/Sao_Paulo", "UTC−3"), ("UTC", "UTC")],
)
def test_a_subject_names_the_zone_shortly(zone: str, name: str, speak: Speak, at: At) -> None:
    assert short_zone(at("2026-11-23 15:00", "UTC"), speak("en", zone)) == name


def test_the_short_form_is_one_line(speak: Speak, at: At) -> None:
    assert short(at("2026-11-23 15:00"), speak()) == "Mon, 23 Nov 2026, 15:00"
    assert short(at("2026-11-23"), speak()) == "Mon, 23 Nov 2026"


@pytest.mark.parametrize(
    "locale", ["en", "de", "fr", "es", "it", "nl", "pt-BR", "pl", "ja", "ar", "he", "ru", "zh-Hans", "ro-RO"]
)
def test_every_language_says_how_long(locale: str, speak: Speak, at: At) -> None:
    voice = replace(speak(), locale=Locale.parse(locale, sep="-"))
    shown = span(at("2026-11-23 15:00"), at("2026-11-24 16:30"), voice)
    assert len(re.findall(r"\w+", shown.length)) >= 3 and shown.leaf.day


@pytest.mark.parametrize("edge", ["0001-01-01 00:00", "9999-12-31 23:59"])
def test_the_ends_of_the_calendar_are_shown(edge: str, speak: Speak, at: At) -> None:
    when = When(form="utc", local=at(edge, "").local, utc=at(edge, "UTC").utc)
    for zone in ("Pacific/Auckland", "America/Adak"):
        assert span(when, when, speak("en", zone)).lines


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "1 hour and 30 minutes"),
        ("ja", "1時間30分"),
        ("zh-Hans", "1 小时 30 分钟"),
        ("ar", "ساعة واحدة و30 دقيقة"),
    ],
)
def test_hours_and_minutes_are_one_length(language: str, said: str, speak: Speak) -> None:
    assert lasting(timedelta(minutes=90), speak(language)) == said
