"""Which occurrences a series has: the examples of RFC 5545 3.8.5.3, and what calendars really do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.recur import (
    Bounds,
    absent,
    derive_instance,
    ended_before,
    first,
    guard,
    is_occurrence,
    last_end,
    occurrences,
)
from gateway.ical.tree import write

NOW = datetime(2027, 1, 1, tzinfo=UTC)
BERLIN = ("DTSTART;TZID=Europe/Berlin:20270310T100000", "DTEND;TZID=Europe/Berlin:20270310T110000")


def source(*lines: str, kind: str = "VEVENT", more: tuple[tuple[str, ...], ...] = ()) -> CalendarObject:
    blocks = [[f"BEGIN:{kind}", "UID:u", *block, f"END:{kind}"] for block in (lines, *more)]
    return parse_object("\r\n".join(["BEGIN:VCALENDAR", *sum(blocks, []), "END:VCALENDAR", ""]).encode())


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


NINETIES = (utc(1990, 1, 1), utc(1999, 1, 1))


def days(found: CalendarObject, after: datetime = NINETIES[0], before: datetime = NINETIES[1]) -> list[str]:
    return [each.start.local.strftime("%m%d") for each in occurrences(found, after=after, before=before)]


# RFC 5545 3.8.5.3: DTSTART;TZID=America/New_York unless said otherwise; the days (month, day) that the text lists
EXAMPLES = [
    ("19970902T090000", "FREQ=DAILY;COUNT=10", "0902 0903 0904 0905 0906 0907 0908 0909 0910 0911"),
    ("19970902T090000", "FREQ=DAILY;INTERVAL=10;COUNT=5", "0902 0912 0922 1002 1012"),
    ("19970902T090000", "FREQ=WEEKLY;COUNT=10", "0902 0909 0916 0923 0930 1007 1014 1021 1028 1104"),
    (
        "19970902T090000",
        "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
        "0902 0904 0909 0911 0916 0918 0923 0925 0930 1002",
    ),
    (
        "19970901T090000",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "0901 0903 0905 0915 0917 0919 0929 1001 1003 1013 1015 1017 1027 1029 1031 1110 1112 1114 1124 1126 1128 1208 1210 1212 1222",
    ),
    (
        "19970902T090000",
        "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        "0902 0904 0916 0918 0930 1002 1014 1016",
    ),
    (
        "19970905T090000",
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "0905 1003 1107 1205 0102 0206 0306 0403 0501 0605",
    ),
    ("19970905T090000", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "0905 1003 1107 1205"),
    (
        "19970907T090000",
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "0907 0928 1102 1130 0104 0125 0301 0329 0503 0531",
    ),
    ("19970922T090000", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "0922 1020 1117 1222 0119 0216"),
    (
        "19970902T090000",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
        "0902 0915 1002 1015 1102 1115 1202 1215 0102 0115",
    ),
    (
        "19970930T090000",
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        "0930 1001 1031 1101 1130 1201 1231 0101 0131 0201",
    ),
    ("19970610T090000", "FREQ=YEARLY;COUNT=4;BYMONTH=6,7", "0610 0710 0610 0710"),
    ("19970519T090000", "FREQ=YEARLY;BYDAY=20MO;COUNT=2", "0519 0518"),
    ("19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=2", "0512 0511"),
    ("19970902T090000", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=4", "0902 0213 0313 1113"),
    (
        "19970913T090000",
        "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13;COUNT=10",
        "0913 1011 1108 1213 0110 0207 0307 0411 0509 0613",
    ),
    ("19970904T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "0904 1007 1106"),
    (
        "19970929T090000",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2;COUNT=7",
        "0929 1030 1127 1230 0129 0226 0330",
    ),
    ("19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "0805 0810 0819 0824"),
    ("19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "0805 0817 0819 0831"),
    ("19970115T090000", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "0115 0130 0215 0315 0330"),
]


@pytest.mark.parametrize(("start", "rule", "expected"), EXAMPLES)
def test_the_examples_of_the_standard(start: str, rule: str, expected: str) -> None:
    assert days(source(f"DTSTART;TZID=America/New_York:{start}", f"RRULE:{rule}")) == expected.split()


def test_the_wall_clock_stays_over_a_change_of_offset() -> None:
    found = source(*BERLIN, "RRULE:FREQ=WEEKLY")
    keys = [each.key for each in occurrences(found, after=utc(2027, 3, 20), before=utc(2027, 4, 1))]
    assert keys == ["20270324T090000Z", "20270331T080000Z"]


def test_the_window_is_half_open_at_both_ends() -> None:
    found = source("DTSTART:20270310T100000Z", "DTEND:20270310T110000Z")
    assert occurrences(found, after=utc(2027, 3, 10, 11), before=utc(2028, 1, 1)) == ()
    assert occurrences(found, after=utc(2027, 3, 1), before=utc(2027, 3, 10, 10)) == ()
    assert len(occurrences(found, after=utc(2027, 3, 10, 10, 59), before=utc(2027, 3, 10, 11))) == 1
    point = source("DTSTART:20270310T100000Z")
    assert len(occurrences(point, after=utc(2027, 3, 10, 10), before=utc(2027, 3, 10, 11))) == 1


def test_a_long_instance_reaches_into_a_later_window() -> None:
    found = source("DTSTART:20270310T100000Z", "DURATION:P10D", "RRULE:FREQ=MONTHLY")
    assert days(found, utc(2027, 5, 18), utc(2027, 5, 19)) == ["0510"]


def test_dates_are_added_and_excluded_in_any_form() -> None:
    found = source(
        *BERLIN,
        "RRULE:FREQ=DAILY;COUNT=5",
        "RDATE:20270401T080000Z",
        "RDATE;VALUE=PERIOD:20270402T080000Z/PT3H",
        "EXDATE;TZID=Europe/Berlin:20270311T100000",
        "EXDATE:20270312T090000Z",
        "EXDATE;VALUE=DATE:20270313",
        "EXDATE:tomorrow",
    )
    listed = occurrences(found, after=NOW, before=utc(2028, 1, 1))
    assert [each.start.local.strftime("%m%d") for each in listed] == ["0310", "0314", "0401", "0402"]
    assert [(each.end.utc.hour, each.end.tzid) for each in listed[-2:]] == [(9, "Europe/Berlin"), (11, "")]


def test_exclusion_rules_of_the_old_standard_are_honoured() -> None:
    found = source("DTSTART:20270301T100000Z", "RRULE:FREQ=DAILY;COUNT=9", "EXRULE:FREQ=WEEKLY")
    assert days(found, NOW, utc(2028, 1, 1)) == ["0302", "0303", "0304", "0305", "0306", "0307", "0309"]


def test_several_rules_are_one_series() -> None:
    found = source("DTSTART:20270301T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=WEEKLY;COUNT=3")
    assert days(found, NOW, utc(2028, 1, 1)) == ["0301", "0302", "0303", "0308", "0315"]


UNTILS = [
    (BERLIN[0], "20270312T090000Z", 3),
    (BERLIN[0], "20270312T085959Z", 2),
    (BERLIN[0], "20270312", 3),
    (BERLIN[0], "20270312T100000", 3),
    ("DTSTART;VALUE=DATE:20270310", "20270312", 3),
    ("DTSTART;VALUE=DATE:20270310", "20270312T225959Z", 3),
    ("DTSTART:20270310T100000", "20270312T100000", 3),
    ("DTSTART:20270310T100000", "20270312T100000Z", 3),
]


@pytest.mark.parametrize(("start", "until", "count"), UNTILS)
def test_until_is_inclusive_in_every_form(start: str, until: str, count: int) -> None:
    found = source(start, f"RRULE:FREQ=DAILY;UNTIL={until}")
    assert len(occurrences(found, after=NOW, before=utc(2028, 1, 1))) == count


OVERRIDDEN = (
    (
        "RECURRENCE-ID:20270311T090000Z",
        "DTSTART:20270420T090000Z",
        "DTEND:20270420T100000Z",
        "STATUS:CANCELLED",
    ),
    ("RECURRENCE-ID;VALUE=DATE:20270312", "DTSTART;TZID=Europe/Berlin:20270312T100000", "SUMMARY:x"),
)


def test_overrides_stand_for_what_they_replace() -> None:
    found = source(*BERLIN, "RRULE:FREQ=DAILY;COUNT=4", more=OVERRIDDEN)
    listed = occurrences(found, after=NOW, before=utc(2028, 1, 1))
    assert [(each.start.local.strftime("%m%d"), each.overridden) for each in listed] == [
        ("0310", False),
        ("0312", True),
        ("0313", False),
        ("0420", True),
    ]
    assert occurrences(found, after=utc(2027, 4, 1), before=utc(2028, 1, 1))[0].key == "20270311T090000Z"
    assert occurrences(found, after=utc(2027, 3, 11), before=utc(2027, 3, 12)) == ()


def test_an_object_without_a_master_has_its_overrides() -> None:
    found = source(*OVERRIDDEN[0])
    assert [each.key for each in first(found, 5)] == ["20270311T090000Z"]
    assert is_occurrence(found, "20270311T090000Z")
    assert not is_occurrence(found, "20270312T090000Z")
    assert last_end(found) == utc(2027, 4, 20, 10)


def test_what_names_no_time_has_no_occurrence() -> None:
    task = source("SUMMARY:x", kind="VTODO")
    assert occurrences(task, after=NOW, before=utc(2028, 1, 1)) == ()
    assert first(task, 3) == ()
    assert last_end(task) is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("20270317T090000Z", True),
        ("20270331T080000Z", True),
        ("20270331T090000Z", False),
        ("20270318T090000Z", False),
        ("20270303T090000Z", False),
        ("20270317", False),
        ("", False),
        ("x", False),
        ("20270324T090000Z", False),
    ],
)
def test_only_an_instance_of_the_series_is_an_occurrence(key: str, expected: bool) -> None:
    assert is_occurrence(source(*BERLIN, "RRULE:FREQ=WEEKLY", "EXDATE:20270324T090000Z"), key) is expected


def test_what_is_absent_is_found_near_and_far_in_one_question() -> None:
    found = source(*BERLIN, "RRULE:FREQ=WEEKLY")
    keys = ["20300320T100000Z", "20270317T090000Z", "20270318T090000Z", "x", "", "20270324T090000Z"]
    assert absent(found, keys) == ("20270318T090000Z", "20300320T100000Z")
    assert absent(found, ["20300320T090000Z"]) == ()


def test_an_instance_in_the_gap_is_an_occurrence() -> None:
    found = source("DTSTART;TZID=Europe/Berlin:20270326T023000", "RRULE:FREQ=DAILY")
    keys = [each.key for each in first(found, 4)]
    assert keys == ["20270326T013000Z", "20270327T013000Z", "20270328T013000Z", "20270329T003000Z"]
    assert all(is_occurrence(found, key) for key in keys)


def test_the_first_occurrences_begin_at_or_after_a_time() -> None:
    found = source(*BERLIN, "RRULE:FREQ=DAILY", more=OVERRIDDEN)
    assert [each.start.local.strftime("%m%d") for each in first(found, 3)] == ["0310", "0312", "0313"]
    assert [each.start.local.day for each in first(found, 2, utc(2030, 5, 5, 8))] == [5, 6]
    assert [each.start.local.day for each in first(found, 2, utc(2030, 5, 5, 8, 1))] == [6, 7]


ENDS = [
    (("DTSTART:20270310T100000Z", "DTEND:20270310T110000Z"), utc(2027, 3, 10, 11)),
    (("DTSTART:20270310T100000Z", "RRULE:FREQ=DAILY"), None),
    (("DTSTART:20270310T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"), utc(2027, 3, 12, 11)),
    (("DTSTART:20270310T100000Z", "RRULE:FREQ=YEARLY;UNTIL=20400401T000000Z"), utc(2040, 3, 10, 10)),
    (
        ("DTSTART:20270310T100000Z", "RRULE:FREQ=DAILY;UNTIL=20270312T100000Z", "EXDATE:20270312T100000Z"),
        utc(2027, 3, 11, 10),
    ),
    (("DTSTART:20270310T100000Z", "RRULE:FREQ=DAILY;COUNT=2", "RDATE:20280101T100000Z"), utc(2028, 1, 1, 10)),
    (
        ("DTSTART:20270310T100000Z", "RRULE:FREQ=DAILY;COUNT=2", "EXRULE:FREQ=WEEKLY;BYDAY=TH"),
        utc(2027, 3, 10, 10),
    ),
]


@pytest.mark.parametrize(("lines", "expected"), ENDS)
def test_a_series_is_over_after_its_last_instance(lines: tuple[str, ...], expected: datetime | None) -> None:
    assert last_end(source(*lines)) == expected


def test_a_derived_instance_is_the_master_of_that_day() -> None:
    found = source(
        *BERLIN,
        "SUMMARY:x",
        "X-A:1",
        "RRULE:FREQ=DAILY",
        "EXDATE:20270312T090000Z",
        "ATTENDEE:mailto:a@x",
        "BEGIN:VALARM",
        "TRIGGER:-PT5M",
        "END:VALARM",
    )
    derived = derive_instance(found, "20270329T080000Z", dtstamp=NOW)
    assert derived is not None
    assert write(derived).decode().split("\r\n")[:-1] == [
        "BEGIN:VEVENT",
        "UID:u",
        "DTSTART;TZID=Europe/Berlin:20270329T100000",
        "DTEND;TZID=Europe/Berlin:20270329T110000",
        "SUMMARY:x",
        "X-A:1",
        "ATTENDEE:mailto:a@x",
        "DTSTAMP:20270101T000000Z",
        "RECURRENCE-ID;TZID=Europe/Berlin:20270329T100000",
        "BEGIN:VALARM",
        "TRIGGER:-PT5M",
        "END:VALARM",
        "END:VEVENT",
    ]
    again = found.with_component("20270329T080000Z", derived)
    assert parse_object(again.data).overrides.keys() == {"20270329T080000Z"}


@pytest.mark.parametrize("key", ["20270312T090000Z", "20270310T100000Z", "", "20270311", "nonsense"])
def test_what_is_no_occurrence_cannot_be_derived(key: str) -> None:
    found = source(*BERLIN, "RRULE:FREQ=DAILY", "EXDATE:20270312T090000Z")
    assert derive_instance(found, key, dtstamp=NOW) is None
    assert derive_instance(source(*BERLIN), "20270310T090000Z", dtstamp=NOW) is None


def test_a_derived_day_and_task_keep_their_forms() -> None:
    day = derive_instance(
        source("DTSTART;VALUE=DATE:20270310", "DTEND;VALUE=DATE:20270312", "RRULE:FREQ=WEEKLY"),
        "20270317",
        dtstamp=NOW,
    )
    assert (day.first("RECURRENCE-ID").line, day.value("DTEND")) == (
        "RECURRENCE-ID;VALUE=DATE:20270317",
        "20270319",
    )
    task = derive_instance(
        source("DUE:20270310T100000Z", "RRULE:FREQ=WEEKLY", kind="VTODO"), "20270317T100000Z", dtstamp=NOW
    )
    assert (task.value("DUE"), task.first("DTSTART")) == ("20270317T100000Z", None)


def test_a_period_of_its_own_length_is_derived_with_it() -> None:
    found = source("DTSTART:20270310T100000Z", "DURATION:PT1H", "RDATE;VALUE=PERIOD:20270311T100000Z/PT3H")
    derived = derive_instance(found, "20270311T100000Z", dtstamp=NOW)
    assert (derived.value("DTEND"), derived.first("DURATION")) == ("20270311T130000Z", None)


def test_a_series_is_ended_before_an_occurrence() -> None:
    found = source(*BERLIN, "RRULE:FREQ=DAILY;COUNT=9", "RDATE:20270501T080000Z", "EXDATE:20270311T090000Z")
    ended = ended_before(found, "20270313T090000Z")
    kept = found.with_component("", ended)
    assert days(kept, NOW, utc(2028, 1, 1)) == ["0310", "0312"]
    assert "COUNT" not in ended.value("RRULE")
    assert ended_before(found, "20270310T090000Z") is None


BOMBS = [
    ("RRULE:FREQ=SECONDLY",),
    ("RRULE:FREQ=DAILY;INTERVAL=0",),
    ("RRULE:FREQ=DAILY;BYYEARDAY=366;BYMONTH=1",),
    ("RRULE:FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",),
    ("RRULE:FREQ=DAILY;BYSETPOS=5",),
    ("EXRULE:FREQ=MINUTELY",),
    ("RRULE:FREQ=DAILY",) * 21,
    ("RDATE:" + ",".join(["20270401T080000Z"] * 2001),),
    ("EXDATE:" + ",".join(["20270401T080000Z"] * 2001),),
    ("BEGIN:X-INNER", "DTSTART:20270310T100000Z", "RRULE:FREQ=SECONDLY", "END:X-INNER"),
]


@pytest.mark.parametrize("lines", BOMBS)
def test_bombs_are_refused_before_anything_is_written(lines: tuple[str, ...]) -> None:
    with pytest.raises(LimitExceeded) as caught:
        guard(source(BERLIN[0], *lines))
    assert caught.value.code == "expansion-limit"


def test_a_bomb_in_a_time_zone_is_refused_though_nothing_names_it() -> None:
    zone = "BEGIN:VTIMEZONE\r\nTZID:X\r\nBEGIN:STANDARD\r\nDTSTART:20000101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    found = parse_object(
        f"BEGIN:VCALENDAR\r\n{zone}BEGIN:VEVENT\r\nUID:u\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".encode()
    )
    with pytest.raises(LimitExceeded):
        guard(found)


@pytest.mark.parametrize(
    "lines", [("RRULE:",), ("RRULE:FREQ=SOMETIMES",), ("RRULE:FREQ=HOURLY;INTERVAL=24;BYHOUR=3",)]
)
def test_useless_rules_are_malformed(lines: tuple[str, ...]) -> None:
    with pytest.raises(MalformedCalendar):
        guard(source(BERLIN[0], *lines))
    with pytest.raises(MalformedCalendar):
        guard(source("SUMMARY:no start", "RRULE:FREQ=DAILY"))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "FREQ=HOURLY;COUNT=100",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=DAILY;UNTIL=20270101",
    ],
)
def test_ordinary_rules_pass(rule: str) -> None:
    guard(source(BERLIN[0], f"RRULE:{rule}"))


def test_too_many_occurrences_are_refused_and_the_years_bounded() -> None:
    found = source("DTSTART:20270310T100000Z", "RRULE:FREQ=DAILY")
    with pytest.raises(LimitExceeded):
        occurrences(found, after=NOW, before=utc(2037, 1, 1))
    assert len(occurrences(found, after=NOW, before=utc(2200, 1, 1), bounds=Bounds(years=1))) == 366


LINES = st.sampled_from(
    [
        "DTSTART:20270310T100000Z",
        "DTSTART;VALUE=DATE:20270310",
        "DTSTART:00010101T000000",
        "DTSTART;TZID=Asia/Tokyo:99991231T235959",
        "RRULE:FREQ=DAILY",
        "RRULE:FREQ=YEARLY;COUNT=3",
        "RRULE:FREQ=HOURLY;UNTIL=99991231",
        "EXRULE:FREQ=WEEKLY",
        "RDATE:20270311",
        "RDATE;VALUE=PERIOD:20270311T100000Z/P1W",
        "EXDATE:20270312T000000",
        "DTEND:20270309",
        "DURATION:P9999D",
        "DURATION:-PT1H",
        "DUE:20270310",
        "RECURRENCE-ID:20270311T000000",
        "RDATE:99991231T235959Z",
    ]
)


@given(st.lists(LINES, max_size=6))
def test_any_mixture_gives_an_answer_or_the_one_error(lines: list[str]) -> None:
    try:
        found = source(*lines)
        guard(found)
        for each in (*occurrences(found, after=NOW, before=utc(2028, 1, 1)), *first(found, 3)):
            assert each.start.instant() <= each.end.instant()
            if not each.overridden:
                assert is_occurrence(found, each.key) and absent(found, [each.key]) == ()
                derive_instance(found, each.key, dtstamp=NOW)
                ended_before(found, each.key)
        last_end(found)
        assert parse_object(found.data).data == found.data
    except MalformedCalendar:
        return


def test_a_rule_may_count_as_far_as_the_limits_say() -> None:
    long = source(*BERLIN, "RRULE:FREQ=DAILY;COUNT=12000")
    with pytest.raises(LimitExceeded):
        guard(long)
    guard(long, Bounds(instances=12_000))
    with pytest.raises(LimitExceeded):
        guard(source(*BERLIN, *["RRULE:FREQ=DAILY;COUNT=12000"] * 2), Bounds(instances=12_000))
