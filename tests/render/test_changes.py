"""What changed: each field once, as it was and as it is, and nothing that did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.itip.model import Facts, Guest, When
from gateway.render.changes import Row, rows
from gateway.render.voice import Voice

Speak = Callable[..., Voice]
At = Callable[..., When]


@pytest.mark.parametrize(
    ("name", "value", "row"),
    [
        ("title", "Yearly planning", Row(label="Title", was="Quarterly planning", now="Yearly planning")),
        ("location", "", Row(label="Where", was="Room 4", now="")),
        ("status", "TENTATIVE", Row(label="Status", was="", now="tentative")),
        ("rule", "FREQ=WEEKLY", Row(label="Repeats", was="", now="Every week on Monday")),
        ("rule", "FREQ=HOURLY", Row(label="Repeats", was="", now="Repeats by a special rule")),
        (
            "url",
            "https://b.example/",
            Row(label="Link", was="https://example.org/q3", now="https://b.example/"),
        ),
    ],
)
def test_a_changed_field_has_its_row(name: str, value: str, row: Row, meeting: Facts, speak: Speak) -> None:
    changes: dict[str, Any] = {name: value}
    assert rows(replace(meeting, **changes), meeting, (name,), voice=speak()) == (row,)


def test_a_new_time_is_one_row(meeting: Facts, speak: Speak, at: At) -> None:
    now = replace(meeting, start=at("2026-11-24 10:00"), end=at("2026-11-24 11:00"))
    (row,) = rows(now, meeting, ("start", "end"), voice=speak())
    assert row.was == "Monday, 23 November 2026, 15:00 – 16:30"
    assert row.now == "Tuesday, 24 November 2026, 10:00 – 11:00"


def test_a_new_zone_is_said(meeting: Facts, speak: Speak, at: At) -> None:
    now = replace(
        meeting, start=at("2026-11-23 15:00", "Europe/London"), end=at("2026-11-23 16:30", "Europe/London")
    )
    (row,) = rows(now, meeting, ("start", "end"), voice=speak("en-GB", ""))
    assert row.was.endswith("(Berlin time, UTC+1)") and row.now.endswith("(London time, UTC)")


def test_a_description_shows_the_lines_that_differ(meeting: Facts, speak: Speak) -> None:
    now = replace(meeting, description=meeting.description.replace("First", "1st") + "\nmore")
    (row,) = rows(now, meeting, ("description",), voice=speak())
    assert (row.was, row.now) == ("First line", "1st line\nmore")


def test_a_long_difference_is_cut_after_ten_lines(meeting: Facts, speak: Speak) -> None:
    now = replace(meeting, description="\n".join(map(str, range(30))))
    (row,) = rows(now, meeting, ("description",), voice=speak())
    assert row.now.split("\n") == [*map(str, range(10)), "…"]


def test_guests_are_named_who_came_and_who_went(meeting: Facts, speak: Speak) -> None:
    eve = Guest(address="eve@example.com", name="Eve")
    now = replace(meeting, guests=(*meeting.guests[:2], eve))
    assert rows(now, meeting, ("guests",), voice=speak()) == (
        Row(label="Guests added", now="Eve"),
        Row(label="Guests removed", now="dan@example.com"),
    )


def test_an_answer_of_a_guest_is_no_change(meeting: Facts, speak: Speak) -> None:
    now = replace(meeting, guests=tuple(replace(one, partstat="ACCEPTED") for one in meeting.guests))
    assert rows(now, meeting, ("guests",), voice=speak()) == ()
