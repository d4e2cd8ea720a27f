"""The organizer's version is a function of what he said and called off, not of the order in which it came."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway.ical.address import Address
from gateway.itip import version
from gateway.itip.model import Context, Mark, MarkKey
from gateway.itip.order import ORGANIZER, Standing

DAY = "20290112T100000Z"
SERIES = """BEGIN:VEVENT
UID:u
DTSTAMP:2029010{stamp}T000000Z
SEQUENCE:1
DTSTART:20290105T100000Z
RRULE:FREQ=WEEKLY;COUNT=5
SUMMARY:{title}
ORGANIZER:mailto:alice@example.com
ATTENDEE:mailto:bob@example.net
ATTENDEE:mailto:carol@example.net
END:VEVENT"""
ONE = """BEGIN:VEVENT
UID:u
RECURRENCE-ID:20290112T100000Z
DTSTAMP:20290102T000000Z
SEQUENCE:2
DTSTART:20290112T140000Z
SUMMARY:later
ORGANIZER:mailto:alice@example.com
END:VEVENT"""


def at(day: int) -> datetime:
    return datetime(2029, 1, day, tzinfo=UTC)


def series(stage: Any, stamp: int = 1, title: str = "A") -> Any:
    return stage.object(SERIES.format(stamp=stamp, title=title))


def parts(stage: Any, body: str, stored: Any = None) -> tuple[version.Part, ...]:
    context = Context(owner=frozenset(), now=stage.now)
    return version.parts(stage.message("REQUEST", body, "alice@example.com"), stored, context)


def fold(stage: Any, known: Any, body: str | None, marks: dict[tuple[str, str], Mark]) -> Any:
    frame = series(stage)
    ledger = {MarkKey(recurrence_id=key, party=party): mark for (key, party), mark in marks.items()}
    applied = parts(stage, body, frame) if body else ()
    return version.fold(known, applied, standing=Standing(ledger), frame=frame)


def test_a_part_is_named_in_our_masters_terms(stage: Any) -> None:
    zoned = stage.object(
        SERIES.format(stamp=1, title="A").replace(
            "DTSTART:20290105T100000Z", "DTSTART;TZID=Europe/Berlin:20290105T110000"
        )
    )
    (part,) = parts(
        stage, ONE.replace("RECURRENCE-ID:20290112T100000Z", "RECURRENCE-ID;VALUE=DATE:20290112"), zoned
    )
    assert part.key == DAY
    assert (part.stamp.sequence, part.stamp.dtstamp) == (2, at(2))


def test_a_full_request_removes_what_was_said_before_it_and_only_that(stage: Any) -> None:
    known = {"": series(stage).master, DAY: stage.object(ONE).overrides[DAY]}
    told = {("", ORGANIZER): Mark(dtstamp=at(3)), (DAY, ORGANIZER): Mark(dtstamp=at(2))}
    assert set(fold(stage, known, SERIES.format(stamp=3, title="B"), told)) == {""}
    told[DAY, ORGANIZER] = Mark(dtstamp=at(4))
    assert set(fold(stage, known, SERIES.format(stamp=3, title="B"), told)) == {"", DAY}


def test_what_is_called_off_is_derived_from_the_series_as_it_is_now(stage: Any) -> None:
    told = {
        ("", ORGANIZER): Mark(dtstamp=at(3)),
        (DAY, ORGANIZER): Mark(sequence=7, dtstamp=at(5), cancelled=True),
    }
    out = fold(stage, {"": series(stage).master}, SERIES.format(stamp=3, title="B"), told)
    assert (out[DAY].value("SUMMARY"), out[DAY].value("STATUS"), out[DAY].value("SEQUENCE")) == (
        "B",
        "CANCELLED",
        "7",
    )
    assert out[""].value("STATUS") is None


def test_a_cancel_of_the_whole_reaches_every_occurrence_but_those_that_were_changed_after_it(
    stage: Any,
) -> None:
    known = {"": series(stage).master, DAY: stage.object(ONE).overrides[DAY]}
    told = {
        ("", ORGANIZER): Mark(sequence=4, dtstamp=at(5), cancelled=True),
        (DAY, ORGANIZER): Mark(dtstamp=at(2)),
    }
    assert {one.value("STATUS") for one in fold(stage, known, None, told).values()} == {"CANCELLED"}
    told[DAY, ORGANIZER] = Mark(dtstamp=at(6))
    assert fold(stage, known, None, told)[DAY].value("STATUS") is None


def test_a_guest_who_was_removed_is_gone_until_he_is_named_again(stage: Any) -> None:
    carol = Address("carol@example.net")
    told = {("", ORGANIZER): Mark(dtstamp=at(1)), ("", carol): Mark(dtstamp=at(2), cancelled=True)}
    out = fold(stage, {"": series(stage).master}, None, told)
    assert [line.address for line in out[""].all("ATTENDEE")] == ["bob@example.net"]
    told["", ORGANIZER] = Mark(dtstamp=at(3))
    out = fold(stage, {}, SERIES.format(stamp=3, title="B"), told)
    assert len(out[""].all("ATTENDEE")) == 2


def test_an_object_is_assembled_of_exactly_its_components(stage: Any) -> None:
    frame = series(stage).with_component(DAY, stage.object(ONE).overrides[DAY])
    alone = version.assemble(frame, {"": frame.master})
    assert (alone.master, dict(alone.overrides)) == (frame.master, {})
    assert b"RECURRENCE-ID" not in alone.data
    assert version.derived(alone, "20290119T100000Z").value("SUMMARY") == "A"
    assert version.derived(alone, "20290118T100000Z") is None
    assert version.derived(version.assemble(frame, {}), DAY) is None


MORE = ONE.replace("20290112T100000Z", "20290113T100000Z").replace("20290112T140000Z", "20290113T100000Z")


def dated(stage: Any, *bodies: str) -> Any:
    whole = stage.object("\n".join(bodies))
    found = version.components(whole)
    return version.dated(whole, found, found)


def test_what_is_no_date_of_the_series_is_made_one(stage: Any) -> None:
    """RFC 5546 3.2.4."""
    found = dated(stage, SERIES.format(stamp=1, title="A"), ONE, MORE)
    assert [line.value for line in found[""].all("RDATE")] == ["20290113T100000Z"]
    again = version.dated(stage.object(SERIES.format(stamp=1, title="A")), found, found)
    assert again[""].all("RDATE") == found[""].all("RDATE")


def test_an_added_date_has_the_guests_and_the_length_of_the_series(stage: Any) -> None:
    whole = SERIES.format(stamp=1, title="A").replace("SUMMARY", "DURATION:PT2H\nSUMMARY")
    (added,) = [one for key, one in dated(stage, whole, MORE).items() if key]
    assert [line.address for line in added.all("ATTENDEE")] == ["bob@example.net", "carol@example.net"]
    assert added.value("DURATION") == "PT2H"
    assert added.value("SUMMARY") == "later"


def test_an_added_date_is_named_in_the_masters_terms(stage: Any) -> None:
    zoned = SERIES.format(stamp=1, title="A").replace(
        "DTSTART:20290105T100000Z", "DTSTART;TZID=Europe/Berlin:20290105T110000"
    )
    found = dated(stage, zoned, MORE)
    (key,) = (key for key in found if key)
    assert key == "20290113T100000Z"
    assert found[key].first("RECURRENCE-ID").param("TZID") == "Europe/Berlin"
    assert found[""].first("RDATE").value == "20290113T110000"


def test_what_does_not_recur_recurs_with_its_second_date(stage: Any) -> None:
    once = SERIES.format(stamp=1, title="A").replace("RRULE:FREQ=WEEKLY;COUNT=5\n", "")
    assert dated(stage, once, MORE)[""].value("RDATE") == "20290113T100000Z"


def test_without_the_series_there_is_nothing_to_be_a_date_of(stage: Any) -> None:
    assert dated(stage, MORE) == version.components(stage.object(MORE))
