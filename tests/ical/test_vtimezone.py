"""A generated VTIMEZONE tells the same times as the database that it came from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.ical.observances import observance_zone
from gateway.ical.tree import Component, parse, write
from gateway.ical.vtimezone import vtimezone_of

SAMPLE = [
    "Europe/Berlin",
    "America/New_York",
    "Africa/Casablanca",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Etc/UTC",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Europe/Vilnius",
    "America/Sao_Paulo",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_a_generated_zone_agrees_with_the_database(name: str) -> None:
    zone = ZoneInfo(name)
    text = write(Component("VCALENDAR", [vtimezone_of(zone, name)]))
    made = observance_zone(parse(text).components[0])
    assert made is not None
    at = datetime(2000, 1, 2, 0, 30, tzinfo=UTC)
    while at.year < 2038:
        local = at.astimezone(zone)
        assert at.astimezone(made).replace(tzinfo=None) == local.replace(tzinfo=None)
        assert local.replace(tzinfo=made).utcoffset() == local.utcoffset()
        at += timedelta(days=3, hours=7)


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize(
    "local",
    [
        datetime(2027, 3, 28, 2, 30),
        datetime(2027, 10, 31, 2, 30),
        datetime(2027, 3, 28, 3),
        datetime(2027, 10, 31, 3),
    ],
)
def test_gaps_and_doubled_hours_are_as_in_the_database(local: datetime, fold: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    made = observance_zone(vtimezone_of(zone, "x"))
    assert (
        local.replace(fold=fold, tzinfo=made).utcoffset() == local.replace(fold=fold, tzinfo=zone).utcoffset()
    )


def test_a_steady_rule_is_two_observances() -> None:
    assert len(vtimezone_of(ZoneInfo("Europe/Berlin"), "x").components) == 2


def test_the_definition_reaches_back_to_the_year_that_is_asked_for() -> None:
    made = observance_zone(vtimezone_of(ZoneInfo("Europe/Berlin"), "x", 1980))
    assert datetime(1985, 9, 29, 12, tzinfo=made).utcoffset() == timedelta(hours=1)
    assert datetime(1995, 10, 15, 12, tzinfo=made).utcoffset() == timedelta(hours=1)
