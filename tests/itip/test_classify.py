"""Strict out, classified in: what a received message has against it, in one word."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.errors import MalformedCalendar
from gateway.ical.tree import DEFAULT_LIMITS, parse
from gateway.imip.habits import REPAIRED, met, read_calendar
from gateway.imip.read import read
from gateway.itip.classify import Class, Grade, classify
from gateway.itip.model import Outcome, Reason
from gateway.itip.parse import Refusal, messages

WHOLE = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:u\r\n"
    "DTSTAMP:20261101T080000Z\r\nSEQUENCE:0\r\nDTSTART:20261201T100000Z\r\nSUMMARY:s\r\n"
    "ORGANIZER:mailto:carol@example.com\r\nATTENDEE:mailto:alice@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)

# The quirks of the corpus, in how many of its calendar parts each.
QUIRKS = {
    "missing-version": 6,
    "missing-prodid": 16,
    "missing-dtstamp": 6,
    "repeated-property": 2,
    "end-and-duration": 5,
    "address-without-mailto": 6,
    "contradictory-timezone": 4,
    "doubled-carriage-return": 1,
    "reply-without-organizer": 5,
    "windows-timezone": 14,
    "undefined-timezone": 1,
    "upper-case-mailto": 42,
}


def classed(text: str, *quirks: str) -> Class:
    (found,) = messages(parse(text.encode()), None)
    return classify(found, quirks, REPAIRED)


def test_a_message_as_the_standard_wants_it_is_fine() -> None:
    assert classed(WHOLE) == Class(grade=Grade.FINE)


@pytest.mark.parametrize(
    ("old", "new", "breach"),
    [
        ("SUMMARY:s\r\n", "", "SUMMARY missing"),
        ("SUMMARY:s\r\n", "SUMMARY:s\r\nREQUEST-STATUS:2.0;ok\r\n", "REQUEST-STATUS must not be present"),
        ("SUMMARY:s\r\n", "SUMMARY:s\r\nSTATUS:CANCELLED\r\n", "STATUS CANCELLED in REQUEST"),
        ("SUMMARY:s\r\n", "SUMMARY:s\r\nSTATUS:\x07\u202e\r\n", "STATUS ?? in REQUEST"),
    ],
)
def test_a_breach_of_a_table_is_tolerated_and_named(old: str, new: str, breach: str) -> None:
    found = classed(WHOLE.replace(old, new))
    assert (found.grade, found.breaches) == (Grade.TOLERATED, (breach,))
    assert (found.note.code, found.note.facts) == ("received-tolerated", {"breaches": breach})


def test_a_quirk_is_tolerated_and_a_repair_is_more_than_that() -> None:
    assert classed(WHOLE, "upper-case-mailto").grade is Grade.TOLERATED
    assert classed(WHOLE, "upper-case-mailto", "missing-version").grade is Grade.REPAIRED
    assert classed(WHOLE, "upper-case-mailto").note.facts == {}


def test_what_is_no_message_is_refused_and_says_why() -> None:
    refusal = Refusal(outcome=Outcome.REFUSED, reason=Reason.MALFORMED_CALENDAR, detail="no UID")
    assert classify(refusal, ("upper-case-mailto",)) == Class(
        grade=Grade.REFUSED, breaches=("no UID",), quirks=("upper-case-mailto",)
    )


def test_a_flood_of_breaches_is_told_in_short() -> None:
    text = WHOLE.replace("SUMMARY:s\r\n", "SUMMARY:s\r\nSTATUS:" + "X" * 5_000 + "\r\n")
    assert all(len(one) <= 60 for one in classed(text).breaches)


def test_the_corpus_falls_into_these_classes(shared: Path) -> None:
    """Every message of 135 real mails; most products keep to the standard but for a quirk."""
    table: Counter[str] = Counter()
    quirks: Counter[str] = Counter()
    for path in sorted((shared / "corpus" / "imip").rglob("*.eml")):
        mail = read(path.read_bytes())
        for part in mail.parts:
            try:
                calendar, noted = read_calendar(
                    part.data, DEFAULT_LIMITS, mail.date or datetime(2026, 1, 1, tzinfo=UTC)
                )
                found = messages(calendar, mail.sender, part.method)
            except MalformedCalendar:
                table["refused"] += 1
                continue
            quirks.update(met(noted))
            table.update(str(classify(one, met(noted), REPAIRED).grade) for one in found)
    assert set(table) <= set(Grade) and sum(table.values()) >= 180
    assert table["fine"] >= 70 and table["tolerated"] >= 60 and table["repaired"] >= 20
    assert table["refused"] <= 25  # what is not read, has no method, or lacks what its method needs
    assert quirks == QUIRKS


def test_an_add_is_classed_as_it_was_sent() -> None:
    added = WHOLE.replace("METHOD:REQUEST", "METHOD:ADD")
    assert classed(added).grade is Grade.FINE
    assert classed(added.replace("SUMMARY:s", "REQUEST-STATUS:2.0;x")).breaches == (
        "SUMMARY missing",
        "REQUEST-STATUS must not be present",
    )


@pytest.mark.parametrize("kind", ["VEVENT", "VTODO", "VJOURNAL"])
def test_what_is_published_is_classed_by_its_own_table(kind: str) -> None:
    published = WHOLE.replace("METHOD:REQUEST", "METHOD:PUBLISH").replace("VEVENT", kind)
    wanted = {"VEVENT": (), "VTODO": ("PRIORITY missing",), "VJOURNAL": ("DESCRIPTION missing",)}[kind]
    assert set(classed(published).breaches) == {*wanted, "ATTENDEE must not be present"}
