"""Rules in words: each shape has its sentence, and no sentence is ever wrong."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.itip.model import When
from gateway.render.recurrence import words
from gateway.render.voice import Voice

Speak = Callable[..., Voice]
At = Callable[..., When]

# 23 November 2026 is the fourth Monday of its month; 30 November the last one and the last day.
SHAPES = [
    ("2026-11-23 15:00", "FREQ=DAILY", "Every day"),
    ("2026-11-23 15:00", "FREQ=DAILY;INTERVAL=3", "Every 3 days"),
    ("2026-11-23 15:00", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "Every weekday, Monday to Friday"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "Every weekday, Monday to Friday"),
    ("2026-11-23 15:00", "FREQ=WEEKLY", "Every week on Monday"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE,MO", "Every 2 weeks on Monday and Wednesday"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;BYDAY=MO;WKST=SU", "Every week on Monday"),
    ("2026-11-23 15:00", "FREQ=MONTHLY", "Every month on day 23"),
    ("2026-11-23 15:00", "FREQ=MONTHLY;BYMONTHDAY=23;INTERVAL=6", "Every 6 months on day 23"),
    ("2026-11-30 15:00", "FREQ=MONTHLY;BYMONTHDAY=-1", "Every month on the last day"),
    ("2026-11-23 15:00", "FREQ=MONTHLY;BYDAY=4MO", "Every month on the fourth Monday"),
    ("2026-11-30 15:00", "FREQ=MONTHLY;BYDAY=-1MO", "Every month on the last Monday"),
    ("2026-11-03 15:00", "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=1", "Every month on the first Tuesday"),
    ("2026-11-23 15:00", "FREQ=YEARLY", "Every year on 23 November"),
    ("2026-11-23 15:00", "FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=23", "Every year on 23 November"),
    ("2026-11-23 15:00", "FREQ=YEARLY;BYMONTH=11;BYDAY=4MO", "Every year on the fourth Monday of November"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;COUNT=10", "Every week on Monday, 10 times"),
    (
        "2026-11-23 15:00",
        "FREQ=WEEKLY;UNTIL=20261221T140000Z",
        "Every week on Monday, until Monday, 21 December 2026",
    ),
    (
        "2026-11-23 15:00",
        "FREQ=WEEKLY;UNTIL=20261221T135959Z",
        "Every week on Monday, until Sunday, 20 December 2026",
    ),
    ("2026-11-23", "FREQ=DAILY;UNTIL=20261125", "Every day, until Wednesday, 25 November 2026"),
]

WORDLESS = [
    ("2026-11-23 15:00", "FREQ=HOURLY"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;BYDAY=TU"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;BYHOUR=9"),
    ("2026-11-23 15:00", "FREQ=DAILY;BYDAY=MO"),
    ("2026-11-29 15:00", "FREQ=MONTHLY"),
    ("2026-11-30 15:00", "FREQ=MONTHLY;BYMONTHDAY=30"),
    ("2026-11-23 15:00", "FREQ=MONTHLY;BYMONTHDAY=1,15"),
    ("2026-11-23 15:00", "FREQ=MONTHLY;BYDAY=MO"),
    ("2026-11-23 15:00", "FREQ=MONTHLY;BYDAY=3MO"),
    ("2026-11-23 15:00", "FREQ=MONTHLY;BYDAY=1MO,3MO"),
    ("2026-11-30 15:00", "FREQ=MONTHLY;BYDAY=5MO"),
    ("2026-11-23 15:00", "FREQ=YEARLY;BYMONTHDAY=23"),
    ("2026-11-23 15:00", "FREQ=YEARLY;BYMONTH=5,11"),
    ("2026-11-23 15:00", "FREQ=YEARLY;BYDAY=MO"),
    ("2024-02-29 15:00", "FREQ=YEARLY"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;COUNT=2;UNTIL=20261221"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;COUNT=1"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;INTERVAL=0"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;UNTIL=20200101"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;UNTIL=20261399"),
    ("2026-11-23 15:00", "RSCALE=CHINESE;FREQ=YEARLY"),
    ("2026-11-23 15:00", "FREQ=WEEKLY;BYDAY=XX"),
    ("2026-11-23 15:00", "nonsense"),
    ("2026-11-23 15:00", ""),
]


@pytest.mark.parametrize(("start", "rule", "sentence"), SHAPES)
def test_a_common_rule_has_its_sentence(start: str, rule: str, sentence: str, speak: Speak, at: At) -> None:
    assert words(rule, at(start), speak()) == sentence


@pytest.mark.parametrize(("start", "rule"), WORDLESS)
def test_a_rule_that_does_not_fit_has_no_words(start: str, rule: str, speak: Speak, at: At) -> None:
    assert words(rule, at(start), speak()) is None


def test_a_rule_speaks_german(speak: Speak, at: At) -> None:
    sentence = words("FREQ=MONTHLY;INTERVAL=2;BYDAY=4MO;COUNT=5", at("2026-11-23 15:00"), speak("de"))
    assert sentence == "Alle 2 Monate am vierten Montag, 5-mal"


@pytest.mark.parametrize(
    ("start", "zone", "has_words"),
    [
        ("2026-11-23 15:00", "America/Toronto", True),
        ("2026-11-23 03:00", "America/Toronto", False),  # Sunday there
        (
            "2026-11-23 06:30",
            "America/Toronto",
            False,
        ),  # Sunday there in the weeks between the two changes of clocks
        ("2026-11-23", "America/Toronto", True),
    ],
)
def test_days_that_differ_between_two_zones_have_no_words(
    start: str, zone: str, has_words: bool, speak: Speak, at: At
) -> None:
    assert (words("FREQ=WEEKLY", at(start), speak("en", zone)) is not None) is has_words


DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4}


def meant(sentence: str, day: date) -> bool:
    """What an English reader takes the sentence (with interval 1) to say about a day."""
    name = DAYS[day.weekday()]
    last = monthrange(day.year, day.month)[1]
    if sentence == "Every day":
        return True
    if sentence == "Every weekday, Monday to Friday":
        return day.weekday() < 5
    if found := re.fullmatch("Every week on (.*)", sentence):
        return name in re.split(", | and ", found[1])
    if found := re.fullmatch(r"Every month on day (\d+)", sentence):
        return day.day == int(found[1])
    if sentence == "Every month on the last day":
        return day.day == last
    if found := re.fullmatch(r"Every (?:month|year) on the (\w+) (\w+)(?: of (\w+))?", sentence):
        week = (day.day - 1) // 7 + 1
        fits = day.day + 7 > last if found[1] == "last" else week == NTH[found[1]]
        return fits and name == found[2] and found[3] in {None, f"{day:%B}"}
    found = re.fullmatch(r"Every year on (\d+) (\w+)", sentence)
    assert found, sentence
    return (day.day, f"{day:%B}") == (int(found[1]), found[2])


PARTS = st.fixed_dictionaries(
    {"FREQ": st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])},
    optional={
        "BYDAY": st.lists(
            st.tuples(
                st.sampled_from(["", "", "1", "2", "4", "-1", "5"]),
                st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SU"]),
            ),
            min_size=1,
            max_size=5,
            unique=True,
        ).map(lambda some: ",".join(number + day for number, day in some)),
        "BYMONTHDAY": st.sampled_from(["1", "15", "28", "-1", "31", "1,15"]),
        "BYMONTH": st.sampled_from(["2", "11", "12", "1,7"]),
        "BYSETPOS": st.sampled_from(["1", "2", "-1", "1,-1"]),
        "WKST": st.sampled_from(["MO", "SU"]),
    },
)


@settings(max_examples=400, deadline=None)
@given(parts=PARTS, day=st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_a_sentence_means_exactly_the_dates_of_its_rule(
    parts: dict[str, str], day: date, speak: Speak, at: At
) -> None:
    rule = ";".join(f"{name}={value}" for name, value in parts.items())
    start = datetime(day.year, day.month, day.day, 12)
    sentence = words(rule, at(f"{day} 12:00"), speak())
    assume(sentence is not None)
    assert sentence is not None
    end = start + timedelta(days=800)
    dates = {one.date() for one in rrulestr(rule, dtstart=start).between(start, end, inc=True)}
    days = [day + timedelta(days=count) for count in range(801)]
    assert dates == {one for one in days if meant(sentence, one)}


@given(rule=st.text(alphabet="FREQ=WKLYDAIMONTHBSPUVC;,-0123456789", max_size=60))
def test_any_rule_has_words_or_none(rule: str, speak: Speak, at: At) -> None:
    words(rule, at("2026-11-23 15:00"), speak())
