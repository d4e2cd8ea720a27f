"""Every shape in English and German; in no language do two rules of different dates share a sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from gateway.render.recurrence.sentences import sentence
from gateway.render.recurrence.shapes import shape
from gateway.render.voice import Voice

Speak = Callable[..., Voice]

TABLE = [
    ("2026-11-23", "FREQ=DAILY", "Every day", "Jeden Tag"),
    ("2026-11-23", "FREQ=DAILY;INTERVAL=3", "Every 3 days", "Alle 3 Tage"),
    (
        "2026-11-23",
        "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        "Every weekday, Monday to Friday",
        "An jedem Werktag, Montag bis Freitag",
    ),
    ("2026-11-23", "FREQ=WEEKLY", "Every week on Monday", "Jede Woche am Montag"),
    (
        "2026-11-23",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=WE,MO",
        "Every 2 weeks on Monday and Wednesday",
        "Alle 2 Wochen am Montag und Mittwoch",
    ),
    ("2026-11-23", "FREQ=MONTHLY", "Every month on day 23", "Jeden Monat am 23."),
    ("2026-11-23", "FREQ=MONTHLY;INTERVAL=6", "Every 6 months on day 23", "Alle 6 Monate am 23."),
    (
        "2026-11-01",
        "FREQ=MONTHLY;BYMONTHDAY=1,15",
        "Every month on days 1 and 15",
        "Jeden Monat an den Tagen 1 und 15",
    ),
    (
        "2026-10-31",
        "FREQ=MONTHLY",
        "Every month that has it, on day 31",
        "Jeden Monat am 31., sofern es ihn gibt",
    ),
    (
        "2026-10-31",
        "FREQ=MONTHLY;INTERVAL=2",
        "Every 2 months on day 31, if the month has it",
        "Alle 2 Monate am 31., sofern es ihn gibt",
    ),
    (
        "2026-11-30",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "Every month on the last day",
        "Jeden Monat am letzten Tag",
    ),
    (
        "2026-11-23",
        "FREQ=MONTHLY;BYDAY=4MO",
        "Every month on the fourth Monday",
        "Jeden Monat am vierten Montag",
    ),
    (
        "2026-11-03",
        "FREQ=MONTHLY;BYDAY=1TU,3TU",
        "Every month on the first Tuesday and third Tuesday",
        "Jeden Monat am ersten Dienstag und dritten Dienstag",
    ),
    (
        "2026-11-30",
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=-1MO",
        "Every 2 months on the last Monday",
        "Alle 2 Monate am letzten Montag",
    ),
    (
        "2026-11-02",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1",
        "Every month on the first weekday, Monday to Friday",
        "Jeden Monat am ersten Werktag, Montag bis Freitag",
    ),
    (
        "2026-11-30",
        "FREQ=MONTHLY;INTERVAL=3;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "Every 3 months on the last weekday, Monday to Friday",
        "Alle 3 Monate am letzten Werktag, Montag bis Freitag",
    ),
    ("2026-11-23", "FREQ=YEARLY", "Every year on 23 November", "Jedes Jahr am 23. November"),
    (
        "2026-01-15",
        "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,7;BYMONTHDAY=15",
        "Every 2 years on 15 January and 15 July",
        "Alle 2 Jahre am 15. Januar und 15. Juli",
    ),
    (
        "2026-11-23",
        "FREQ=YEARLY;BYMONTH=11;BYDAY=4MO",
        "Every year on the fourth Monday of November",
        "Jedes Jahr am vierten Montag im November",
    ),
    (
        "2026-02-28",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1",
        "Every year on the last day of February",
        "Jedes Jahr am letzten Tag im Februar",
    ),
    ("2026-11-23", "FREQ=WEEKLY;COUNT=10", "Every week on Monday, 10 times", "Jede Woche am Montag, 10-mal"),
    (
        "2026-11-23",
        "FREQ=DAILY;UNTIL=20261221",
        "Every day, until Monday, 21 December 2026",
        "Jeden Tag, bis Montag, 21. Dezember 2026",
    ),
    (
        "2026-11-23",
        "FREQ=DAILY;BYHOUR=9,17",
        "Every day, at 09:00 and 17:00",
        "Jeden Tag, um 09:00 und 17:00 Uhr",
    ),
    (
        "2026-11-23",
        "FREQ=DAILY;COUNT=9\nEXDATE:20261124T090000",
        "Every day, 9 times, with exceptions",
        "Jeden Tag, 9-mal, mit Ausnahmen",
    ),
]


def said(rule: str, start: str, voice: Voice) -> str:
    found = shape(rule, datetime.fromisoformat(f"{start} 09:00"))
    assert found is not None
    return sentence(found, voice)


@pytest.mark.parametrize(("start", "rule", "english", "german"), TABLE)
def test_a_shape_has_its_sentence(start: str, rule: str, english: str, german: str, speak: Speak) -> None:
    assert (said(rule, start, speak("en")), said(rule, start, speak("de"))) == (english, german)


def test_no_two_rules_share_a_sentence_in_any_language(spoken: dict[str, object], speak: Speak) -> None:
    cases = [(start, rule) for start, rule, _, _ in TABLE]
    weeks = [f"2026-11-{day:02}" for day in range(1, 29)]
    cases += [
        (day, f"FREQ=MONTHLY;BYDAY={nth}{name}")
        for nth in (1, 2, 3, 4)
        for name, day in zip(["SU", "MO", "TU", "WE", "TH", "FR", "SA"], weeks[7 * nth - 7 :], strict=False)
        if (nth, name) != (4, "MO")
    ]
    cases += [("2026-11-23", f"FREQ=DAILY;INTERVAL={n}") for n in (2, 5, 11, 21, 101)]
    cases += [(day, "FREQ=WEEKLY") for day in weeks[1:7] if day != "2026-11-02"]
    for language in spoken:
        sentences = [said(rule, start, speak(language)) for start, rule in cases]
        assert len(set(sentences)) == len(cases), language
