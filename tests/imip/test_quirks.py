"""What programs get wrong: one sample per rule, each rule mends it, says so, and can be switched off."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedCalendar
from gateway.ical.event import split
from gateway.ical.times import start
from gateway.ical.tree import parse, write
from gateway.imip.quirks import RULES, mend

MAILED = datetime(2026, 11, 21, 12, 30, 0, tzinfo=timezone(timedelta(hours=2)))
HEAD = ["VERSION:2.0", "PRODID:-//Example//EN", "METHOD:REQUEST"]
EVENT = [
    "BEGIN:VEVENT",
    "UID:1",
    "DTSTAMP:20261101T080000Z",
    "DTSTART:20261201T100000Z",
    "ORGANIZER:mailto:carol@example.com",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:alice@example.org",
    "END:VEVENT",
]


def text(*, head: list[str] | None = None, event: list[str] | None = None) -> bytes:
    return "\r\n".join(
        ["BEGIN:VCALENDAR", *(HEAD if head is None else head), *(event or EVENT), "END:VCALENDAR", ""]
    ).encode()


def swapped(old: str, *new: str) -> list[str]:
    place = EVENT.index(old)
    return [*EVENT[:place], *new, *EVENT[place + 1 :]]


ZONE = [
    "BEGIN:VTIMEZONE",
    "TZID:Europe/Berlin",
    "BEGIN:DAYLIGHT",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "DTSTART:20111121T115910",
    "END:DAYLIGHT",
    "BEGIN:STANDARD",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "DTSTART:20111121T115910",
    "END:STANDARD",
    "END:VTIMEZONE",
]
STATUSES = ["STATUS:CONFIRMED", "COMMENT:a", "COMMENT:b", "STATUS:TENTATIVE", "END:VEVENT"]
STATUS_ONCE = "\r\nSTATUS:CONFIRMED\r\nCOMMENT:a\r\nCOMMENT:b\r\nEND:VEVENT\r\n"
# rule -> (what came, what stands there afterwards)
SAMPLES: dict[str, tuple[bytes, str]] = {
    "missing-version": (text(head=HEAD[1:]), "\r\nVERSION:2.0\r\n"),
    "missing-prodid": (text(head=[HEAD[0], HEAD[2]]), "\r\nPRODID:-//imip-gateway//EN\r\n"),
    "missing-dtstamp": (
        text(event=swapped("DTSTAMP:20261101T080000Z")),
        "\r\nDTSTAMP:20261121T103000Z\r\n",
    ),
    "repeated-property": (
        text(head=[*HEAD, "CALSCALE:GREGORIAN", "CALSCALE:GREGORIAN"], event=[*EVENT[:-1], *STATUSES]),
        "\r\nCALSCALE:GREGORIAN\r\nBEGIN:VEVENT\r\n" + "\r\n".join(EVENT[1:-1]) + STATUS_ONCE,
    ),
    "end-and-duration": (
        text(event=[*EVENT[:-1], "DTEND:20261201T110000Z", "DURATION:PT1H", "END:VEVENT"]),
        "\r\nDTEND:20261201T110000Z\r\nEND:VEVENT\r\n",
    ),
    "address-without-mailto": (
        text(event=swapped("ORGANIZER:mailto:carol@example.com", "ORGANIZER;CN=Carol:Carol@example.com")),
        "\r\nORGANIZER;CN=Carol:mailto:carol@example.com\r\n",
    ),
    "contradictory-timezone": (text(event=[*ZONE, *EVENT]), "\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n"),
}


def test_every_rule_has_a_sample() -> None:
    assert set(SAMPLES) == set(RULES)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_rule_mends_its_sample_and_is_noted(name: str) -> None:
    came, after = SAMPLES[name]
    assert after not in came.decode()
    mended, notes = mend(parse(came), MAILED)
    assert after in write(mended).decode()
    assert [note.code for note in notes] == [name]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_rule_that_is_off_leaves_its_sample_as_it_came(name: str) -> None:
    came, _ = SAMPLES[name]
    mended, notes = mend(parse(came), MAILED, off={name})
    assert (write(mended), notes) == (came, ())


def test_what_is_right_is_not_touched() -> None:
    calendar = parse(text())
    mended, notes = mend(calendar, MAILED)
    assert mended is calendar and notes == ()


def test_a_principal_path_or_a_urn_is_an_address_of_its_own_and_stays() -> None:
    lines = swapped("ORGANIZER:mailto:carol@example.com", "ORGANIZER:/principals/carol/", "ATTENDEE:urn:x:y")
    assert mend(parse(text(event=lines)), MAILED)[1] == ()


def test_without_a_date_in_the_mail_no_dtstamp_is_made_up() -> None:
    assert mend(parse(SAMPLES["missing-dtstamp"][0]), None)[1] == ()


def test_a_dtstamp_is_given_to_the_events_and_not_to_their_time_zones() -> None:
    zone = ["BEGIN:VTIMEZONE", "TZID:x", "END:VTIMEZONE"]
    mended, _ = mend(parse(text(event=[*zone, *swapped("DTSTAMP:20261101T080000Z")])), MAILED)
    assert mended.subcomponents("VTIMEZONE")[0].first("DTSTAMP") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("TZID:Europe/Berlin", "TZID:Our Office"),  # whose name nobody knows
        ("TZOFFSETTO:+0200", "TZOFFSETTO:+0100"),  # Exchange's Greenwich Standard Time
        ("DTSTART:20111121T115910\r\nEND:DAYLIGHT", "DTSTART:20110301T020000\r\nEND:DAYLIGHT"),
        ("END:STANDARD", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD"),
    ],
)
def test_a_zone_that_can_be_understood_is_the_truth(old: str, new: str) -> None:
    came = SAMPLES["contradictory-timezone"][0].replace(old.encode(), new.encode())
    assert mend(parse(came), MAILED)[1] == ()


def test_a_meeting_in_a_dropped_zone_is_at_the_time_that_the_zones_name_tells() -> None:
    lines = swapped("DTSTART:20261201T100000Z", "DTSTART;TZID=Europe/Berlin:21111121T130000")
    mended, _ = mend(parse(text(event=[*ZONE, *lines])), MAILED)
    (found,) = split(mended)
    assert found.master is not None
    begin = start(found.master, found.zones)
    assert begin is not None and begin.instant() == datetime(2111, 11, 21, 12, tzinfo=UTC)
    assert b"TZID:Europe/Berlin\r\n" in found.data, "the zone that is stored is whole again"


LINES = st.sampled_from([*HEAD, *EVENT, "ATTENDEE:bob@example.net", "ATTENDEE:", "PRODID:", "DTSTAMP:x"])


@given(st.lists(LINES, max_size=20), st.none() | st.just(MAILED.astimezone(UTC)))
def test_what_is_mended_needs_no_mending_again(lines: list[str], mailed: datetime | None) -> None:
    try:
        calendar = parse(text(head=lines))
    except MalformedCalendar:
        return
    once, _ = mend(calendar, mailed)
    assert mend(once, mailed) == (once, ())


def test_every_rule_is_documented_in_its_order() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reasons.md").read_text()
    notes = re.findall(r"^\| `([a-z-]+)` \|", page.split("## What was odd about a mail")[1], re.MULTILINE)
    assert notes[: len(RULES)] == list(RULES)
    assert {"wrong-charset", "method-mismatch"} <= set(notes)
