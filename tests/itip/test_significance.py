"""What matters of a meeting is the same however it is written, and each kind of change is told apart."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.ical.event import CalendarObject, parse_object
from gateway.itip.significance import fingerprint, material, raises_sequence, rescheduled

HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"

SINGLE = """UID:one@example.org
DTSTAMP:20261101T100000Z
SEQUENCE:2
DTSTART;TZID=Europe/Berlin:20261123T110000
DTEND;TZID=Europe/Berlin:20261123T120000
SUMMARY:Plan
LOCATION:Room 1
ORGANIZER;CN=Alice:mailto:alice@example.org
ATTENDEE;PARTSTAT=ACCEPTED;CN=Alice:mailto:alice@example.org
ATTENDEE;PARTSTAT=ACCEPTED;CN=Bob:mailto:bob@example.com
ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:carol@example.net
"""
SERIES = SINGLE.replace("SUMMARY", "RRULE:FREQ=WEEKLY;COUNT=10\nSUMMARY")
FORTNIGHTLY = SERIES.replace("WEEKLY", "WEEKLY;INTERVAL=2")


def event(text: str) -> str:
    return f"BEGIN:VEVENT\n{text}END:VEVENT\n"


def meeting(*events: str) -> CalendarObject:
    body = "".join(event(text) for text in events)
    return parse_object((HEAD + body + "END:VCALENDAR\r\n").encode())


def override(day: str, text: str = SINGLE, **changes: str) -> str:
    text = text.replace("20261123", day)
    for old, new in changes.items():
        text = text.replace(old, new)
    return f"RECURRENCE-ID;TZID=Europe/Berlin:{day}T110000\n" + text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("DTEND;TZID=Europe/Berlin:20261123T120000", "DURATION:PT1H"),
        ("DTEND;TZID=Europe/Berlin:20261123T120000", "DURATION:PT60M"),
        ("DTSTART;TZID=Europe/Berlin:20261123T110000", "DTSTART:20261123T100000Z"),
        ("DTSTART;TZID=Europe/Berlin:20261123T110000", "DTSTART;TZID=America/New_York:20261123T050000"),
        ("TZID=Europe/Berlin", "TZID=/mozilla.org/20050126_1/Europe/Berlin"),
        ("SEQUENCE:2", "SEQUENCE:7"),
        ("SEQUENCE:2\n", ""),
        (
            "DTSTAMP:20261101T100000Z",
            "DTSTAMP:20261109T100000Z\nLAST-MODIFIED:20261109T100000Z\nCREATED:20260101T000000Z",
        ),
        ("SUMMARY:Plan", "SUMMARY:Plan\nCLASS:PUBLIC"),
        ("SUMMARY:Plan", "SUMMARY:Plan\nSTATUS:CONFIRMED"),
        ("SUMMARY:Plan", "SUMMARY:Plan\nPRIORITY:0\nTRANSP:OPAQUE"),
        ("SUMMARY:Plan", "SUMMARY;LANGUAGE=en:Plan"),
        ("SUMMARY:Plan", "SUMMARY:Plan\nDESCRIPTION:"),
        ("SUMMARY:Plan", "SUMMARY:Plan\nX-SERVER:1\nCOLOR:red"),
        (
            "SUMMARY:Plan",
            "SUMMARY:Plan\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:a\nEND:VALARM",
        ),
        ("ATTENDEE;PARTSTAT=ACCEPTED;CN=Bob:", 'ATTENDEE;CN="Bob";SCHEDULE-STATUS="1.1";partstat=accepted:'),
        ("mailto:bob@example.com", "MAILTO:Bob@Example.COM"),
        ("ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:", "ATTENDEE:"),
        ("ATTENDEE;PARTSTAT=ACCEPTED;CN=Alice:mailto:alice@example.org\n", ""),
    ],
)
def test_a_servers_rewriting_is_no_change(old: str, new: str) -> None:
    assert old in SINGLE
    before, after = meeting(SINGLE), meeting(SINGLE.replace(old, new))
    assert fingerprint(after) == fingerprint(before)
    assert not rescheduled(before, after) | raises_sequence(before, after) | material(before, after)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("110000", "113000"),
        ("120000", "123000"),
        ("SUMMARY:Plan", "SUMMARY:Other"),
        ("LOCATION:Room 1", "LOCATION:Room 2"),
        ("SUMMARY:Plan", "SUMMARY:Plan\nSTATUS:CANCELLED"),
        ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=DECLINED"),
        ("ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:carol@example.net\n", ""),
        ("SUMMARY:Plan", "SUMMARY:Plan\nRRULE:FREQ=DAILY"),
        ("SUMMARY:Plan", "SUMMARY:Plan\nURL:https://example.org/"),
    ],
)
def test_a_real_change_has_another_fingerprint(old: str, new: str) -> None:
    assert fingerprint(meeting(SINGLE.replace(old, new))) != fingerprint(meeting(SINGLE))


def test_a_fingerprint_never_raises() -> None:
    broken = meeting(SINGLE.replace("20261123T110000", "soon"))
    assert fingerprint(broken) == fingerprint(
        meeting(SINGLE.replace("20261123T110000", "soon").replace("SEQUENCE:2", "SEQUENCE:3"))
    )


MOVES = [
    ("the start", SINGLE, ("T110000", "T103000"), {""}),
    ("the zone", SINGLE, ("Europe/Berlin", "America/New_York"), {""}),
    ("the end", SINGLE, ("T120000", "T130000"), {""}),
    ("the day", SINGLE, ("20261123", "20261124"), {""}),
    ("a place", SINGLE, ("Room 1", "Room 2"), set()),
    ("a status", SINGLE, ("SUMMARY", "STATUS:TENTATIVE\nSUMMARY"), set()),
    ("another weekday", SERIES, ("FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=TU"), {""}),
    ("the same weekday said", SERIES, ("FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO;INTERVAL=1;WKST=MO"), set()),
    ("another interval", SERIES, ("FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2"), {""}),
    ("a shorter series", SERIES, ("COUNT=10", "COUNT=5"), set()),
    ("a longer series", SERIES, ("COUNT=10", "COUNT=15"), set()),
    ("a date taken out", SERIES, ("SUMMARY", "EXDATE;TZID=Europe/Berlin:20261130T110000\nSUMMARY"), set()),
    (
        "a date brought in",
        SERIES,
        ("SUMMARY", "RDATE;TZID=Europe/Berlin:20261125T110000\nSUMMARY"),
        {"20261125T100000Z"},
    ),
    (
        "a series in UTC",
        SERIES,
        ("DTSTART;TZID=Europe/Berlin:20261123T110000", "DTSTART:20261123T100000Z"),
        {""},
    ),
    ("its beginning taken off", SERIES, ("20261123", "20261207"), set()),
    ("another week of every two", FORTNIGHTLY, ("20261123", "20261130"), {""}),
    ("a beginning on another day", SERIES, ("20261123", "20261124"), {""}),
    ("a beginning behind its end", SERIES, ("20261123", "20270208"), {""}),
    ("single to series", SINGLE, ("SUMMARY", "RRULE:FREQ=WEEKLY\nSUMMARY"), {""}),
]


@pytest.mark.parametrize(
    ("text", "change", "moved"), [row[1:] for row in MOVES], ids=[row[0] for row in MOVES]
)
def test_only_moved_and_new_instances_are_rescheduled(
    text: str, change: tuple[str, str], moved: set[str]
) -> None:
    assert change[0] in text
    assert rescheduled(meeting(text), meeting(text.replace(*change))) == moved


@pytest.mark.parametrize(
    ("until", "same"),
    [
        ("20270125", True),
        ("20270125T110000", True),
        ("20270125T225959Z", True),
        ("20270126T095959Z", True),
        ("20270126T100000Z", False),
        ("20270125T095959Z", False),
        ("20270118T100000Z", False),
    ],
)
def test_an_end_of_a_series_is_its_last_day_however_it_is_written(until: str, same: bool) -> None:
    before, after = (
        meeting(SERIES.replace("COUNT=10", f"UNTIL={one}")) for one in ("20270125T100000Z", until)
    )
    assert (raises_sequence(before, after) == set()) is same
    assert (fingerprint(before) == fingerprint(after)) is same
    assert rescheduled(before, after) == set()


@pytest.mark.parametrize("rule", ["FREQ=HOURLY", "FREQ=WEEKLY;BYHOUR=11,14"])
def test_of_a_rule_that_comes_more_than_once_a_day_the_very_end_counts(rule: str) -> None:
    before, after = (
        meeting(SERIES.replace("FREQ=WEEKLY;COUNT=10", f"{rule};UNTIL={one}"))
        for one in ("20270125T100000Z", "20270125T225959Z")
    )
    assert raises_sequence(before, after) == {""}


def test_a_date_given_back_is_new() -> None:
    without = meeting(SERIES.replace("SUMMARY", "EXDATE;TZID=Europe/Berlin:20261130T110000\nSUMMARY"))
    assert rescheduled(without, meeting(SERIES)) == {"20261130T100000Z"}


def test_an_override_that_moves_is_rescheduled_alone() -> None:
    moved = override("20261130").replace(
        "DTSTART;TZID=Europe/Berlin:20261130T11", "DTSTART;TZID=Europe/Berlin:20261130T10"
    )
    after = meeting(SERIES, moved)
    assert rescheduled(meeting(SERIES), after) == {"20261130T100000Z"}
    assert raises_sequence(meeting(SERIES), after) == {"20261130T100000Z"}


def test_an_override_with_another_title_is_material_only() -> None:
    after = meeting(SERIES, override("20261130", Plan="Special"))
    assert rescheduled(meeting(SERIES), after) == set()
    assert raises_sequence(meeting(SERIES), after) == set()
    assert material(meeting(SERIES), after) == {"20261130T100000Z"}


def test_an_override_for_an_alarm_of_ones_own_is_nothing() -> None:
    alarm = override("20261130") + "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:a\nEND:VALARM\n"
    after = meeting(SERIES, alarm)
    assert (
        not rescheduled(meeting(SERIES), after)
        | raises_sequence(meeting(SERIES), after)
        | material(meeting(SERIES), after)
    )


def test_an_override_that_goes_back_to_the_series_moves_its_instance() -> None:
    moved = override("20261130").replace("20261130T110000\nDTEND", "20261130T090000\nDTEND")
    assert moved.count("20261130T090000") == 1
    assert rescheduled(meeting(SERIES, moved), meeting(SERIES)) == {"20261130T100000Z"}
    assert raises_sequence(meeting(SERIES, moved), meeting(SERIES)) == {""}


def test_the_move_of_a_series_voids_every_instance() -> None:
    before = meeting(SERIES, override("20261130", Plan="Special"))
    after = meeting(
        SERIES.replace("T110000", "T100000").replace("T120000", "T110000"),
        override("20261130", Plan="Special").replace("T110000", "T100000"),
    )
    assert rescheduled(before, after) == {"", "20261130T090000Z"}


def test_a_series_without_its_beginning_that_is_longer_now_has_moved() -> None:
    later = SERIES.replace("20261123", "20261207")
    assert rescheduled(meeting(SERIES), meeting(later.replace("T120000", "T130000"))) == {""}
    assert rescheduled(meeting(SERIES.replace("SUMMARY", "STATUS:CANCELLED\nSUMMARY")), meeting(later)) == {
        ""
    }


def test_what_was_said_of_one_date_stands_when_the_series_begins_later() -> None:
    before = meeting(
        SERIES, override("20261207", **{"T110000\nDTEND": "T140000\nDTEND", "T120000": "T150000"})
    )
    after = meeting(SERIES.replace("20261123", "20261207"))
    assert rescheduled(before, after) == {"20261207T100000Z"}


def test_a_cancelled_instance_that_takes_place_again_is_new() -> None:
    before = meeting(SERIES, override("20261130", SUMMARY="STATUS:CANCELLED\nSUMMARY"))
    after = meeting(SERIES, override("20261130"))
    assert rescheduled(before, after) == {"20261130T100000Z"}
    assert rescheduled(after, before) == set()
    assert raises_sequence(after, before) == {"20261130T100000Z"}


def test_every_instance_of_a_first_version_is_new() -> None:
    assert rescheduled(None, meeting(SERIES, override("20261130"))) == {"", "20261130T100000Z"}


LINES = [line for line in SERIES.splitlines() if line]
REWRITES: list[Callable[[str], str]] = [
    lambda line: line.replace("DTEND;TZID=Europe/Berlin:20261123T120000", "DURATION:PT1H"),
    lambda line: "SEQUENCE:9" if line.startswith("SEQUENCE") else line,
    lambda line: "DTSTAMP:20270101T000000Z" if line.startswith("DTSTAMP") else line,
    lambda line: line.replace("ATTENDEE", "ATTENDEE;SCHEDULE-STATUS=1.2;X-NUM-GUESTS=0"),
    lambda line: line.replace("FREQ=WEEKLY;COUNT=10", "COUNT=10;FREQ=WEEKLY;INTERVAL=1;BYDAY=MO"),
    lambda line: line.replace("mailto:", "MAILTO:"),
    lambda line: line[:20] + "\r\n " + line[20:],
]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), chosen=st.sets(st.sampled_from(range(len(REWRITES)))))
def test_the_fingerprint_survives_any_rewriting(seed: int, chosen: set[int]) -> None:
    lines = list(LINES)
    random.Random(seed).shuffle(lines)
    for index in sorted(chosen):
        lines = [REWRITES[index](line) for line in lines]
    assert fingerprint(meeting("\r\n".join(lines) + "\r\n")) == fingerprint(meeting(SERIES))
