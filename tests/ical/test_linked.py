"""A series whose rest moved for good: two objects that tell it as every program reads it, and one again (SPEC 4.7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.errors import LimitExceeded
from gateway.ical import linked, recur
from gateway.ical.event import CalendarObject, parse_object
from gateway.itip.significance import fingerprint

BEGIN = datetime(2029, 3, 2, 10)  # a Friday in the winter
FORMS = {"utc": ("", "%Y%m%dT%H%M%SZ"), "zoned": (";TZID=Europe/Berlin", "%Y%m%dT%H%M%S")}
FORMS |= {"floating": ("", "%Y%m%dT%H%M%S"), "date": (";VALUE=DATE", "%Y%m%d")}
RULES = {  # how many days lie between two occurrences
    "FREQ=DAILY": 1,
    "FREQ=DAILY;INTERVAL=3": 3,
    "FREQ=WEEKLY": 7,
    "FREQ=WEEKLY;BYDAY=FR": 7,
    "FREQ=WEEKLY;INTERVAL=2": 14,
    "FREQ=WEEKLY;COUNT=2500": 7,
    "FREQ=WEEKLY;UNTIL=20600101": 7,
}


class Form:
    def __init__(self, name: str) -> None:
        self.params, self.text = FORMS[name]

    def line(self, name: str, at: datetime, params: str = "") -> str:
        return f"{name}{params}{self.params}:{at.strftime(self.text)}"


def event(*lines: str, uid: str = "m@example.com") -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20290101T000000Z", *lines, "END:VEVENT", ""])


def calendar(*events: str) -> CalendarObject:
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n"
    return parse_object(f"{head}{''.join(events)}END:VCALENDAR\r\n".encode())


def whole(
    rule: str = "FREQ=WEEKLY",
    form: str = "utc",
    *,
    cut: int = 3,
    shift: timedelta = timedelta(hours=2),
    taken: tuple[int, ...] = (),
    told: tuple[int, ...] = (),
) -> CalendarObject:
    """The occurrences by number: from `cut` on moved, some `taken` out, some `told` on their own, half an hour long."""
    say = Form(form)
    at = [BEGIN + number * timedelta(days=RULES.get(rule, 7)) for number in range(30)]
    length = timedelta(days=1) if form == "date" else timedelta(hours=1)
    master = [say.line("DTSTART", at[0]), say.line("DTEND", at[0] + length), f"RRULE:{rule}"]
    master += [say.line("EXDATE", at[number]) for number in taken]
    named = say.line("RECURRENCE-ID", at[cut], ";RANGE=THISANDFUTURE")
    moved = [say.line("DTSTART", at[cut] + shift), say.line("DTEND", at[cut] + shift + length)]
    alone = [
        event(
            say.line("RECURRENCE-ID", at[number]),
            say.line("DTSTART", at[number] + timedelta(days=1)),
            "SUMMARY:on its own",
        )
        for number in told
    ]
    return calendar(event(*master), event(named, *moved), *alone)


@st.composite
def wholes(draw: st.DrawFn) -> tuple[CalendarObject, int, timedelta, int, frozenset[int]]:
    rule, form = draw(st.sampled_from(sorted(RULES))), draw(st.sampled_from(sorted(FORMS)))
    cut = draw(st.integers(1, 6))
    days, hours = draw(st.integers(-1, 8)), draw(st.integers(-5, 9))
    shift = timedelta(days=days, hours=0 if form == "date" else hours)
    taken = draw(st.frozensets(st.integers(1, 12), max_size=3)) - {cut}
    told = draw(st.frozensets(st.integers(1, 12), max_size=3)) - taken
    made = whole(rule, form, cut=cut, shift=shift, taken=tuple(taken), told=tuple(told))
    return made, cut, shift, RULES[rule], taken | told


def starts(of: CalendarObject, until: datetime) -> list[datetime]:
    found = recur.occurrences(of, after=BEGIN.replace(tzinfo=UTC) - timedelta(days=9), before=until)
    return [each.start.local for each in found if not each.overridden]


@given(wholes())
def test_what_is_parted_is_joined_again(
    made: tuple[CalendarObject, int, timedelta, int, frozenset[int]],
) -> None:
    of = made[0]
    head, tail = linked.parts(of)
    assert tail is not None
    again = linked.joined(parse_object(head.data), parse_object(tail.data))
    assert again is not None
    assert set(again.overrides) == set(of.overrides)
    assert fingerprint(again) == fingerprint(of)
    assert [one.data for one in linked.parts(again) if one is not None] == [head.data, tail.data]


@given(wholes())
def test_together_they_say_what_the_range_said(
    made: tuple[CalendarObject, int, timedelta, int, frozenset[int]],
) -> None:
    of, cut, shift, days, not_there = made
    head, tail = linked.parts(of)
    assert tail is not None
    places = {
        number: BEGIN + number * timedelta(days=days) for number in range(60) if number not in not_there
    }
    moved = {number: at + shift if number >= cut else at for number, at in places.items()}
    midnight = timedelta(hours=BEGIN.hour if head.master and "VALUE=DATE" in head.data.decode() else 0)
    first = sorted(at - midnight for number, at in moved.items() if number < cut)
    rest = sorted(at - midnight for number, at in moved.items() if number >= cut)
    assume(rest)
    until = (BEGIN + 40 * timedelta(days=days)).replace(tzinfo=UTC)
    within = until.replace(tzinfo=None) - timedelta(days=1)
    assert starts(head, until) == first
    assert [at for at in starts(tail, until) if at < within] == [at for at in rest if at < within]


def test_neither_says_range_and_the_tail_has_a_name_of_its_own() -> None:
    head, tail = linked.parts(whole(told=(2, 5)))
    assert tail is not None
    assert b"RANGE" not in head.data + tail.data
    assert (head.uid, tail.uid) == ("m@example.com", linked.tail_uid("m@example.com"))
    assert linked.whole_uid(head) == linked.whole_uid(tail) == "m@example.com"
    assert list(head.overrides) == ["20290316T100000Z"]
    assert list(tail.overrides) == ["20290406T120000Z"]


def test_a_count_goes_on_in_the_tail() -> None:
    of = whole("FREQ=WEEKLY;COUNT=2500")
    assert (linked.parts(of)[1] or of).data.count(b"COUNT=2497") == 1


@pytest.mark.parametrize(
    "rule",
    ["FREQ=MONTHLY;BYDAY=1FR", "FREQ=MONTHLY;BYDAY=FR,SA;BYSETPOS=1", "FREQ=WEEKLY;BYDAY=1FR;INTERVAL=2"],
)
def test_a_day_that_no_rule_tells_is_not_made_up(rule: str) -> None:
    say = Form("utc")
    second = next(
        one.start.local
        for one in recur.first(calendar(event(say.line("DTSTART", BEGIN), f"RRULE:{rule}")), 2)
        if one.start.local > BEGIN
    )
    moved = say.line("DTSTART", second + timedelta(days=1))
    of = calendar(
        event(say.line("DTSTART", BEGIN), f"RRULE:{rule}"),
        event(say.line("RECURRENCE-ID", second, ";RANGE=THISANDFUTURE"), moved),
    )
    with pytest.raises(LimitExceeded) as error:
        linked.parts(of)
    assert error.value.code == "expansion-limit"


def test_weekdays_move_along() -> None:
    of = whole("FREQ=WEEKLY;BYDAY=FR", shift=timedelta(days=4))
    assert b"RRULE:FREQ=WEEKLY;BYDAY=TU" in (linked.parts(of)[1] or of).data


@pytest.mark.parametrize(
    "start", ["DTSTART;TZID=America/New_York:20290323T060000", "DTSTART:20290323T110000Z"]
)
def test_a_rest_on_another_clock_has_no_tail(start: str) -> None:
    say = Form("zoned")
    of = calendar(
        event(say.line("DTSTART", BEGIN), "RRULE:FREQ=WEEKLY"),
        event(say.line("RECURRENCE-ID", datetime(2029, 3, 23, 10), ";RANGE=THISANDFUTURE"), start),
    )
    with pytest.raises(LimitExceeded):
        linked.parts(of)


def test_a_zone_by_another_name_is_the_same_clock() -> None:
    say = Form("zoned")
    of = calendar(
        event(say.line("DTSTART", BEGIN), "RRULE:FREQ=WEEKLY"),
        event(
            say.line("RECURRENCE-ID", datetime(2029, 3, 23, 10), ";RANGE=THISANDFUTURE"),
            "DTSTART;TZID=Europe/Vienna:20290323T120000",
        ),
    )
    head, tail = linked.parts(of)
    assert tail is not None
    again = linked.joined(head, tail)
    assert again is not None and fingerprint(again) == fingerprint(of)


def test_a_series_that_moves_from_its_first_on_has_no_beginning_to_keep() -> None:
    with pytest.raises(LimitExceeded):
        linked.parts(whole(cut=0))


def test_what_another_organizer_calls_a_tail_is_none() -> None:
    head, tail = linked.parts(whole())
    assert tail is not None and tail.master is not None and head.master is not None
    forged = parse_object(
        tail.data.replace(b"RELATED-TO", b"ORGANIZER:mailto:mallory@example.com\r\nRELATED-TO")
    )
    alone = linked.joined(head, forged)
    assert alone == linked.joined(head, None)
    assert alone is not None and not alone.overrides


def test_another_name_makes_no_tail() -> None:
    _, tail = linked.parts(whole())
    assert tail is not None
    other = parse_object(tail.data.replace(b"TAIL-OF:m@example.com", b"TAIL-OF:n@example.com"))
    assert linked.whole_uid(other) == tail.uid


def test_a_tail_that_was_not_removed_yet_changes_nothing() -> None:
    _, tail = linked.parts(whole())
    again = calendar(event(Form("utc").line("DTSTART", BEGIN), "RRULE:FREQ=WEEKLY"))
    assert linked.joined(again, tail) == again


def test_a_tail_alone_is_the_rest_under_the_organizers_name() -> None:
    _, tail = linked.parts(whole(told=(5,)))
    alone = linked.joined(None, tail)
    assert alone is not None
    assert (alone.uid, alone.master) == ("m@example.com", None)
    assert list(alone.overrides) == ["20290323T100000Z+", "20290406T100000Z"]
