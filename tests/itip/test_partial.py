"""Instances without their series, under the master that a server wants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ical.event import parse_object, partstat
from gateway.itip import partial
from gateway.itip.significance import fingerprint

BOB = "bob@example.net"


def instance(
    key: str = "20290112T100000Z",
    start: str = "20290112T140000Z",
    end: str = "20290112T150000Z",
    partstat: str = "NEEDS-ACTION",
    *,
    tz: str = "",
    more: str = "",
) -> str:
    return f"""BEGIN:VEVENT
UID:weekly
RECURRENCE-ID{tz}:{key}
DTSTAMP:20290102T080000Z
DTSTART{tz}:{start}
DTEND{tz}:{end}
SUMMARY:Weekly
ORGANIZER:mailto:alice@example.com
ATTENDEE;PARTSTAT={partstat}:mailto:{BOB}
{more}END:VEVENT
"""


FIRST = instance()
SECOND = instance("20290119T100000Z", "20290119T100000Z", "20290119T110000Z", "ACCEPTED")
BERLIN = ";TZID=Europe/Berlin"


def there_and_back(of):
    """Written to a server and read again."""
    return partial.unwrapped(parse_object(partial.wrapped(of).data))


def edited(of, *changes: tuple[str, str]):
    """What is read after a calendar program has changed the wrapped object."""
    text = partial.wrapped(of).data.decode()
    for old, new in changes:
        assert old in text, text
        text = text.replace(old, new, 1)
    return partial.unwrapped(parse_object(text.encode()))


@pytest.fixture
def two(stage):
    return stage.object(FIRST + SECOND)


def test_the_made_up_master_is_exactly_the_instances(two) -> None:
    whole = partial.wrapped(two)
    assert whole.master is not None
    assert [(one.name, one.value) for one in whole.master.properties if one.name in ("DTSTART", "DTEND")] == [
        ("DTSTART", "20290112T100000Z"),
        ("DTEND", "20290112T110000Z"),
    ]
    assert [one.value for one in whole.master.all("RDATE")] == ["20290119T100000Z"]
    assert whole.master.value(partial.MARK) == "TRUE"
    assert whole.overrides == two.overrides
    assert whole.tree.components[0] is whole.master


def test_one_alone_is_its_own_date(stage) -> None:
    whole = partial.wrapped(stage.object(FIRST))
    assert [one.value for one in whole.master.all("RDATE")] == ["20290112T100000Z"]


@pytest.mark.parametrize(
    "body",
    [
        FIRST,
        FIRST + SECOND,
        SECOND + FIRST,
        instance(tz=BERLIN, key="20290112T100000", start="20290112T000000", end="20290112T010000") + SECOND,
        instance(tz=";VALUE=DATE", key="20290112", start="20290112", end="20290113")
        + instance(tz=";VALUE=DATE", key="20290119", start="20290120", end="20290121"),
        FIRST + instance("20290126T000000Z", "20290126T000000Z", "20290126T010000Z"),
        instance(more="STATUS:CANCELLED\n") + SECOND,
        instance(more="BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n") + SECOND,
        (FIRST + SECOND).replace("VEVENT", "VTODO").replace("DTEND", "DUE"),
        (FIRST + SECOND).replace("DTEND:20290112T150000Z", "DURATION:PT1H"),
    ],
)
def test_what_was_wrapped_is_read_as_it_was(stage, body: str) -> None:
    of = stage.object(body)
    whole = partial.wrapped(of)
    assert whole.master is not None
    back = there_and_back(of)
    assert back.master is None
    assert back.data == of.data
    assert fingerprint(back) == fingerprint(of)


@given(st.sets(st.integers(0, 400), min_size=1, max_size=8), st.sampled_from(["", BERLIN]))
def test_any_instances_come_back(days: set[int], tz: str) -> None:
    keys = [f"2029{1 + day // 40:02}{1 + day % 28:02}T{day % 24:02}0000" for day in sorted(days)]
    parts = {key: instance(f"{key}{'' if tz else 'Z'}", "20290301T100000", "20290301T110000") for key in keys}
    text = "".join(parts.values()).replace("RECURRENCE-ID:", f"RECURRENCE-ID{tz}:")
    head, tail = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n", "END:VCALENDAR\n"
    of = parse_object((head + text + tail).replace("\n", "\r\n").encode())
    assert there_and_back(of).data == of.data


def test_a_series_and_a_range_are_left_as_they_are(stage) -> None:
    series = stage.object(FIRST.replace("RECURRENCE-ID:20290112T100000Z", "RRULE:FREQ=WEEKLY") + SECOND)
    onward = stage.object(FIRST.replace("RECURRENCE-ID:", "RECURRENCE-ID;RANGE=THISANDFUTURE:") + SECOND)
    mixed = stage.object(FIRST + instance("20290119", "20290119", "20290120", tz=";VALUE=DATE"))
    assert all(partial.wrapped(one) is one for one in (series, onward, mixed))
    assert partial.unwrapped(series) is series


def test_the_series_alarms_nobody(stage) -> None:
    alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n"
    assert not partial.wrapped(stage.object(instance(more=alarm) + SECOND)).master.components


def test_a_cancelled_instance_does_not_cancel_the_series(stage) -> None:
    whole = partial.wrapped(stage.object(instance(more="STATUS:CANCELLED\n") + SECOND))
    assert whole.master.value("STATUS") is None


def test_an_answer_to_the_series_is_one_to_the_instances_that_were_answered_alike(stage) -> None:
    alike = stage.object(FIRST + SECOND.replace("ACCEPTED", "NEEDS-ACTION"))
    found = edited(alike, ("PARTSTAT=NEEDS-ACTION;X-IMIP", "PARTSTAT=DECLINED;X-IMIP"))
    assert [partstat(one.first("ATTENDEE")) for one in found.components] == ["DECLINED", "DECLINED"]


def test_an_answer_to_the_series_spares_what_was_answered_otherwise(two) -> None:
    found = edited(two, ("PARTSTAT=NEEDS-ACTION;X-IMIP", "PARTSTAT=DECLINED;X-IMIP"))
    assert [partstat(one.first("ATTENDEE")) for one in found.components] == ["DECLINED", "ACCEPTED"]


def test_an_answer_to_one_instance_stays_with_it(two) -> None:
    found = edited(two, (f"NEEDS-ACTION:mailto:{BOB}\r\nEND", f"TENTATIVE:mailto:{BOB}\r\nEND"))
    assert [partstat(one.first("ATTENDEE")) for one in found.components] == ["TENTATIVE", "ACCEPTED"]


def test_an_alarm_that_he_gives_to_the_series_is_one_of_each_date(two) -> None:
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n"
    found = edited(two, (f"{partial.MARK}:TRUE\r\n", f"{partial.MARK}:TRUE\r\n{alarm}"))
    assert [len(one.subcomponents("VALARM")) for one in found.components] == [1, 1]
    assert there_and_back(found).data == found.data


def test_a_date_that_was_taken_out_is_gone(two) -> None:
    found = edited(
        two,
        ("RDATE:20290119T100000Z", "RDATE:20290119T100000Z\r\nEXDATE:20290119T100000Z"),
        (SECOND.replace("\n", "\r\n"), ""),
    )
    assert list(found.overrides) == ["20290112T100000Z"]


def test_a_date_without_its_override_is_as_the_series_tells_it(two) -> None:
    found = edited(two, (SECOND.replace("\n", "\r\n"), ""))
    assert sorted(found.overrides) == ["20290112T100000Z", "20290119T100000Z"]
    other = found.overrides["20290119T100000Z"]
    assert (other.value("DTSTART"), other.value("RDATE"), other.value(partial.MARK)) == (
        "20290119T100000Z",
        None,
        None,
    )
    assert b"X-IMIP-GATEWAY" not in found.data


def test_a_stranger_cannot_say_that_a_master_is_made_up(stage) -> None:
    body = FIRST.replace("RECURRENCE-ID:20290112T100000Z", f"{partial.MARK}:TRUE\nRRULE:FREQ=WEEKLY")
    message = stage.message("REQUEST", body + SECOND, "alice@example.com")
    assert message.object.master is not None
    assert partial.unwrapped(parse_object(message.object.data)).master is not None
    assert partial.MARK.encode() not in message.object.data
