"""A TZID means what its own object says, then what the database says; never what another message said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.errors import LimitExceeded
from gateway.ical.times import Form, moment
from gateway.ical.tree import Component, parse, prop
from gateway.ical.zones import Zones, iana_name

OUTLOOK = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""

FIXED = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:{offset}
TZOFFSETTO:{offset}
END:STANDARD
END:VTIMEZONE
"""


def zones(text: str) -> Zones:
    return Zones.of(parse(f"BEGIN:VCALENDAR\n{text}END:VCALENDAR\n".encode()))


def hour(tzid: str, known: Zones, stamp: str = "20270710T100000") -> int | None:
    found = moment(prop("DTSTART", stamp, TZID=tzid), known)
    return found.utc.hour if found.utc else None


def test_the_objects_own_definition_wins_over_the_database() -> None:
    assert hour("Europe/Berlin", zones(FIXED.format(name="Europe/Berlin", offset="+0500"))) == 5
    assert hour("Europe/Berlin", zones("")) == 8


def test_one_message_never_moves_the_meetings_of_another() -> None:
    evil = zones(FIXED.format(name="Romance Standard Time", offset="+1200"))
    assert hour("Romance Standard Time", evil) == 22
    assert hour("Romance Standard Time", zones("")) == 8


def test_outlooks_1601_is_as_good_as_the_database() -> None:
    known = zones(OUTLOOK.format(name="Customized Time Zone"))
    berlin = zones("")
    for stamp in (
        "20270110T100000",
        "20270710T100000",
        "20270328T013000",
        "20270328T023000",
        "20271031T023000",
        "20271031T030000",
    ):
        own = moment(prop("X", stamp, TZID="Customized Time Zone"), known)
        assert own.key == moment(prop("X", stamp, TZID="Europe/Berlin"), berlin).key


NAMES = [
    ("Europe/Berlin", "Europe/Berlin"),
    ("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin"),
    ("/freeassociation.sourceforge.net/Tzfile/Europe/Vienna", "Europe/Vienna"),
    ("/citadel.org/20190914_1/America/Indiana/Knox", "America/Indiana/Knox"),
    ("W. Europe Standard Time", "Europe/Berlin"),
    ("w. europe standard time", "Europe/Berlin"),
    ("Eastern", "America/New_York"),
    ("Eastern Time (US & Canada)", "America/New_York"),
    ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
    ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome", "Europe/Amsterdam"),
    ("europe/berlin", "Europe/Berlin"),
    ("America/New York", "America/New_York"),
    ("Etc/UTC", "Etc/UTC"),
    ("Customized Time Zone", None),
    ("Nowhere/Land", None),
    ("", None),
]


@pytest.mark.parametrize(("tzid", "name"), NAMES)
def test_a_name_leads_to_its_iana_zone(tzid: str, name: str | None) -> None:
    assert iana_name(tzid) == name
    assert zones("").iana(tzid) == name


@pytest.mark.parametrize(
    "tzid",
    [
        "../../etc/passwd",
        "/etc/localtime",
        "localtime",
        "a\x00b",
        "Europe/../Europe/Berlin",
        "x/" * 5000,
        "Europe/" + "a" * 9000,
        ".",
    ],
)
def test_a_tzid_never_becomes_a_path(tzid: str) -> None:
    assert zones("").zone(tzid) is None or "Berlin" in tzid
    assert iana_name(tzid) in (None, "Europe/Berlin")


def test_a_false_definition_gets_no_iana_name() -> None:
    assert zones(FIXED.format(name="Europe/Berlin", offset="+0500")).iana("Europe/Berlin") is None
    assert (
        zones(OUTLOOK.format(name="W. Europe Standard Time")).iana("W. Europe Standard Time")
        == "Europe/Berlin"
    )


def test_an_unknown_zone_is_floating_and_keeps_its_name() -> None:
    found = moment(prop("DTSTART", "20270310T100000", TZID="Nowhere/Land"), zones(""))
    assert (found.form, found.tzid) == (Form.FLOATING, "Nowhere/Land")


@pytest.mark.parametrize(
    "body",
    ["", "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+2500\nTZOFFSETTO:+2500\nEND:STANDARD\n"],
)
def test_a_definition_without_a_usable_observance_leaves_the_name(body: str) -> None:
    known = zones(f"BEGIN:VTIMEZONE\nTZID:Europe/Berlin\n{body}END:VTIMEZONE\n")
    assert hour("Europe/Berlin", known) == 8
    generated = known.vtimezone("Europe/Berlin")
    assert generated is not None
    assert len(generated.components) == 2


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=MINUTELY;COUNT=3", "FREQ=HOURLY", "FREQ=DAILY", "FREQ=WEEKLY", ""]
)
def test_a_zone_with_another_rule_than_yearly_is_a_bomb(rule: str) -> None:
    text = OUTLOOK.format(name="X").replace("FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3", rule)
    with pytest.raises(LimitExceeded) as caught:
        zones(text).zone("X")
    assert caught.value.code == "expansion-limit"


def test_a_generated_definition_is_asked_for_by_any_name() -> None:
    made = zones("").vtimezone("W. Europe Standard Time")
    assert made is not None
    assert made.text("TZID") == "W. Europe Standard Time"
    assert zones("").vtimezone("Nowhere/Land") is None


def test_joined_zones_keep_their_own_meaning() -> None:
    ours = zones(FIXED.format(name="X", offset="+0100"))
    theirs = zones(FIXED.format(name="X", offset="+0500") + FIXED.format(name="Y", offset="+0500"))
    both = ours.joined(theirs)
    assert (hour("X", both), hour("Y", both)) == (9, 5)


def test_a_zone_is_no_component_of_time() -> None:
    assert isinstance(zones(FIXED.format(name="X", offset="+0100")).own["X"], Component)
    assert (
        datetime(2027, 1, 1, tzinfo=UTC)
        .astimezone(zones(FIXED.format(name="X", offset="+0100")).zone("X"))
        .hour
        == 1
    )


EXCERPT = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:20181028T010000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20190331T010000
TZOFFSETFROM:+0100
TZOFFSETTO:{summer}
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:20191027T010000
TZOFFSETFROM:{summer}
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
"""  # as libcalendaring (Roundcube) writes it: three changes, their hours in UTC


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        (datetime(2019, 8, 1, 10), 8),  # inside what it lists
        (datetime(2020, 8, 1, 10), 8),  # behind it: summer comes every year
        (datetime(2017, 8, 1, 10), 8),  # before it
        (datetime(2019, 10, 27, 1, 30), 23),  # in the night of a change
    ],
)
def test_an_excerpt_of_a_zone_means_the_zone_of_its_name(local: datetime, utc: int) -> None:
    zone = zones(EXCERPT.format(name="Europe/Zurich", summer="+0200")).zone("Europe/Zurich")
    assert local.replace(tzinfo=zone).astimezone(UTC).hour == utc


def test_an_excerpt_that_contradicts_its_name_keeps_its_own_meaning() -> None:
    other = zones(EXCERPT.format(name="Europe/Zurich", summer="+0300"))
    zone = other.zone("Europe/Zurich")
    assert datetime(2019, 8, 1, 10, tzinfo=zone).astimezone(UTC).hour == 7
    assert other.iana("Europe/Zurich") is None
    elsewhere = zones(EXCERPT.format(name="America/New_York", summer="+0200")).zone("America/New_York")
    assert datetime(2019, 8, 1, 10, tzinfo=elsewhere).astimezone(UTC).hour == 8


def test_an_excerpt_under_a_name_of_its_own_is_all_that_is_known() -> None:
    zone = zones(EXCERPT.format(name="Nowhere/Land", summer="+0200")).zone("Nowhere/Land")
    assert datetime(2019, 8, 1, 10, tzinfo=zone).astimezone(UTC).hour == 8


def test_what_is_written_for_an_excerpt_is_the_whole_zone() -> None:
    found = zones(EXCERPT.format(name="Europe/Zurich", summer="+0200"))
    assert found.iana("Europe/Zurich") == "Europe/Zurich"
    made = found.vtimezone("Europe/Zurich")
    assert made is not None and any(one.value("RRULE") for one in made.components)
