"""One object per UID; one key per occurrence, however it is said; changes are values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.event import CalendarObject, build, key_of, method_of, parse_object, partstat, split
from gateway.ical.tree import Component, parse, prop, write
from gateway.ical.zones import Zones


def text(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *lines, "END:VCALENDAR", ""]).encode()


def event(*lines: str, kind: str = "VEVENT", uid: str = "u1") -> list[str]:
    return [f"BEGIN:{kind}", f"UID:{uid}", "DTSTAMP:20270101T000000Z", *lines, f"END:{kind}"]


BERLIN = "DTSTART;TZID=Europe/Berlin:20270310T100000"
SERIES = text(
    *event(
        BERLIN,
        "RRULE:FREQ=DAILY",
        "ORGANIZER:mailto:o@x",
        "ATTENDEE;PARTSTAT=accepted:mailto:a@x",
        "ATTENDEE:mailto:b@x",
        "SEQUENCE:2",
    ),
    *event(
        "RECURRENCE-ID;TZID=Europe/Berlin:20270311T100000",
        "DTSTART;TZID=Europe/Berlin:20270311T120000",
        "ATTENDEE:mailto:c@x",
    ),
)


def series() -> CalendarObject:
    return parse_object(SERIES)


def test_an_object_knows_its_parts() -> None:
    found = series()
    assert (found.uid, found.kind, found.recurring, found.organizer, found.sequence()) == (
        "u1",
        "VEVENT",
        True,
        "o@x",
        2,
    )
    assert list(found.overrides) == ["20270311T090000Z"]
    assert found.components == (found.master, found.overrides["20270311T090000Z"])
    assert found.dtstamp() == datetime(2027, 1, 1, tzinfo=UTC)
    assert [p.address for p in found.attendees()] == ["a@x", "b@x", "c@x"]
    assert [p.address for p in found.attendees("20270311T090000Z")] == ["c@x"]


SAME = [
    "RECURRENCE-ID;TZID=Europe/Berlin:20270312T100000",
    "RECURRENCE-ID:20270312T090000Z",
    "RECURRENCE-ID;TZID=America/New_York:20270312T040000",
    "RECURRENCE-ID:20270312T100000",
    "RECURRENCE-ID;VALUE=DATE:20270312",
    "RECURRENCE-ID:20270312T000000",
    "RECURRENCE-ID:20270312T000000Z",
    "RECURRENCE-ID;TZID=Europe/Berlin:20270312T000000",
    "RECURRENCE-ID;TZID=Nowhere:20270312T100000",
]


def line(text_: str) -> Component:
    return parse(text(*event(text_))).components[0]


@pytest.mark.parametrize("said", SAME)
def test_one_occurrence_has_one_key_however_it_is_said(said: str) -> None:
    assert key_of(line(said), series().master, Zones({})) == "20270312T090000Z"


@pytest.mark.parametrize(
    "said",
    [
        "RECURRENCE-ID;VALUE=DATE:20270312",
        "RECURRENCE-ID:20270312",
        "RECURRENCE-ID:20270312T000000",
        "RECURRENCE-ID:20270312T000000Z",
        "RECURRENCE-ID:20270311T230000Z",
        "RECURRENCE-ID:20270312T080000Z",
        "RECURRENCE-ID;TZID=Europe/Berlin:20270312T000000",
    ],
)
def test_an_occurrence_of_an_all_day_series_is_a_date(said: str) -> None:
    assert key_of(line(said), line("DTSTART;VALUE=DATE:20270310"), Zones({})) == "20270312"


def test_midnight_itself_is_no_zeroed_time() -> None:
    master = line("DTSTART;TZID=Europe/Berlin:20270310T010000")
    assert key_of(line("RECURRENCE-ID:20270312T000000Z"), master, Zones({})) == "20270312T000000Z"


def test_an_rdate_at_midnight_is_no_zeroed_time() -> None:
    master = line(BERLIN).add(prop("RDATE", "20270312T000000", TZID="Europe/Berlin"))
    assert (
        key_of(line("RECURRENCE-ID;TZID=Europe/Berlin:20270312T000000"), master, Zones({}))
        == "20270311T230000Z"
    )


def test_without_a_master_the_key_is_the_instant() -> None:
    found = parse_object(text(*event("RECURRENCE-ID;TZID=Europe/Berlin:20270311T100000", BERLIN)))
    assert (found.master, list(found.overrides)) == (None, ["20270311T090000Z"])


IMPOSSIBLE = [
    text(),
    text(*event(BERLIN), *event(BERLIN, uid="u2")),
    text(*event(BERLIN), *event("DUE:20270310T100000Z", kind="VTODO")),
    text(*event(BERLIN), *event(BERLIN, "SUMMARY:other")),
    text(
        *event(BERLIN),
        *event("RECURRENCE-ID:20270311T090000Z"),
        *event("RECURRENCE-ID;TZID=Europe/Berlin:20270311T100000", "SUMMARY:x"),
    ),
    text(*event(BERLIN), *event("RECURRENCE-ID:tomorrow")),
    text("BEGIN:VEVENT", BERLIN, "END:VEVENT"),
    b"",
]


@pytest.mark.parametrize("data", IMPOSSIBLE)
def test_an_impossible_object_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedCalendar):
        parse_object(data)


def test_too_many_time_zones_are_a_bomb() -> None:
    with pytest.raises(LimitExceeded):
        parse_object(text(*event(BERLIN, *(f"X-A;TZID=Nowhere{n}:20270310T100000" for n in range(101)))))


def test_many_zeroed_overrides_read_the_dates_once() -> None:
    """Reading them for each would take minutes."""
    dates = "RDATE:" + "\r\n ,".join(["20270401T080000Z"] * 20_000)
    overrides = [event(f"RECURRENCE-ID:2{n:03}0312T000000") for n in range(1000)]
    found = parse_object(text(*event(BERLIN, dates), *sum(overrides, [])))
    assert len(found.overrides) == 1000


def test_several_uids_are_split_and_keep_their_zones() -> None:
    zone = [
        "BEGIN:VTIMEZONE",
        "TZID:{}",
        "BEGIN:STANDARD",
        "DTSTART:19700101T000000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0100",
        "END:STANDARD",
        "END:VTIMEZONE",
    ]
    tree = parse(
        text(
            "METHOD:request",
            *(row.format("A") for row in zone),
            *(row.format("B") for row in zone),
            *event("DTSTART;TZID=A:20270310T100000"),
            *event("DTSTART;TZID=B:20270310T100000", uid="u2"),
        )
    )
    assert method_of(tree) == "REQUEST"
    one, two = split(tree)
    assert (one.uid, two.uid) == ("u1", "u2")
    assert [
        set(found.zones.own) & {found.tree.subcomponents("VTIMEZONE")[0].text("TZID")} for found in (one, two)
    ] == [{"A"}, {"B"}]
    assert method_of(one.tree) is None
    assert b"METHOD" not in one.data


def test_a_changed_component_stays_in_its_place() -> None:
    before = series()
    key = "20270311T090000Z"
    after = before.with_component(key, before.overrides[key].put(prop("SUMMARY", "new")))
    assert [c.name for c in after.tree.components] == ["VEVENT", "VEVENT"]
    assert after.overrides[key].text("SUMMARY") == "new"
    assert before.overrides[key].text("SUMMARY") is None
    assert after.without_component(key).components == (before.master,)
    assert before.without_component("20270401T090000Z") is before


def test_several_components_go_at_once() -> None:
    before = series()
    assert before.without_components(before.overrides).components == (before.master,)
    assert before.without_components(["", "20270401T090000Z"]).components == tuple(before.overrides.values())
    assert before.without_components([]) is before


def test_the_organizer_is_the_masters_else_that_of_the_first_override_that_names_one() -> None:
    said = [
        [*event("RECURRENCE-ID:20270312T090000Z", "ORGANIZER:mailto:c@example.com")],
        [*event("RECURRENCE-ID:20270310T090000Z")],
        [*event("RECURRENCE-ID:20270311T090000Z", "ORGANIZER:mailto:b@example.com")],
    ]
    assert parse_object(text(*said[0], *said[1], *said[2])).organizer == "b@example.com"
    whole = event("RRULE:FREQ=DAILY", "ORGANIZER:mailto:a@example.com")
    assert parse_object(text(*said[0], *whole)).organizer == "a@example.com"


def test_a_new_override_comes_behind_the_others() -> None:
    new = line("RECURRENCE-ID:20270312T090000Z")
    after = series().with_component("20270312T090000Z", new)
    assert after.tree.components[-1] is new
    assert len(after.components) == 3


def test_what_is_written_defines_every_zone_that_it_names_and_no_other() -> None:
    unused = ["BEGIN:VTIMEZONE", "TZID:Unused", "END:VTIMEZONE"]
    data = parse_object(text(*unused, *event(BERLIN))).data
    zones = parse(data).subcomponents("VTIMEZONE")
    assert [zone.text("TZID") for zone in zones] == ["Europe/Berlin"]
    assert parse_object(data).data == data


def test_a_zone_behind_its_event_stays_there() -> None:
    zone = [
        "BEGIN:VTIMEZONE",
        "TZID:Europe/Berlin",
        "BEGIN:STANDARD",
        "DTSTART:19700101T000000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0100",
        "END:STANDARD",
        "END:VTIMEZONE",
    ]
    data = text(*event(BERLIN), *zone)
    assert parse_object(data).data == data


def test_an_object_with_complete_zones_is_written_as_it_came() -> None:
    data = parse_object(SERIES).data
    assert parse_object(data).data == data
    assert [row for row in data.split(b"\r\n") if row in SERIES.split(b"\r\n")] == SERIES.split(b"\r\n")


def test_an_object_is_built_from_components() -> None:
    source = series()
    made = build(source.components, source, prodid="-//t//EN")
    assert made.components == source.components
    assert b"PRODID:-//t//EN" in made.data
    assert b"BEGIN:VTIMEZONE" in made.data


def test_a_person_is_found_by_any_address() -> None:
    found = parse_object(text(*event(BERLIN, "ATTENDEE;EMAIL=A@x:urn:uuid:12", "ATTENDEE:mailto:b@x")))
    assert found.attendee("a@x").value == "urn:uuid:12"
    assert found.attendee({"z@x", "b@x"}).address == "b@x"
    assert found.attendee("z@x") is None
    assert found.attendee("a@x", "20270311T090000Z") is None


def test_partstat_has_its_default() -> None:
    assert [partstat(p) for p in series().attendees("")] == ["ACCEPTED", "NEEDS-ACTION"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("3", 3),
        ("+1", 1),
        ("05", 5),
        ("abc", None),
        ("1.0", None),
        ("", None),
        ("63812345678901", 63812345678901),
        ("-1", None),
        ("٣", None),
        ("9" * 5000, None),
    ],
)
def test_a_sequence_that_is_no_number_is_unknown(value: str, number: int | None) -> None:
    assert parse_object(text(*event(BERLIN, f"SEQUENCE:{value}"))).sequence() == number


def test_equal_text_makes_equal_objects() -> None:
    assert series() == series()
    assert series() != series().with_component("", series().master.put(prop("SUMMARY", "x")))


def test_free_busy_requests_need_no_key() -> None:
    found = parse_object(text(*event("DTSTART:20270310T100000Z", kind="VFREEBUSY")))
    assert found.kind == "VFREEBUSY"
    assert write(found.tree) == found.data
