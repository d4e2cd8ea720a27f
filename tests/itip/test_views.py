"""Nobody sees more of a meeting than is his."""

from __future__ import annotations

import pytest

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.tree import Component, prop
from gateway.itip.views import instances_of, is_private, leaving, shareable, view

BOB, CAROL, DAVE = (Address(f"{who}@example.org") for who in ("bob", "carol", "dave"))
COMMON = "UID:1\nDTSTAMP:20261101T100000Z\nORGANIZER:mailto:alice@example.org\n"
MASTER = f"{COMMON}DTSTART;TZID=Europe/Berlin:20261123T110000\nRRULE:FREQ=DAILY;COUNT=9\n"
BOBS, CAROLS, DAVES = (f"ATTENDEE:mailto:{who}\n" for who in (BOB, CAROL, DAVE))


def day(number: int, *more: str) -> str:
    at = f"TZID=Europe/Berlin:202611{number}T110000\n"
    return f"{COMMON}RECURRENCE-ID;{at}DTSTART;{at}{''.join(more)}"


def meeting(*texts: str) -> CalendarObject:
    body = "".join(f"BEGIN:VEVENT\n{text}END:VEVENT\n" for text in texts)
    return parse_object(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\n{body}END:VCALENDAR\n".encode())


OFFICE = meeting(
    MASTER + BOBS + CAROLS,
    day(24, BOBS, CAROLS),
    day(25, BOBS),
    day(26, BOBS, CAROLS, "STATUS:CANCELLED\n"),
    day(27, BOBS, CAROLS, DAVES),
)
KEYS = {number: f"202611{number}T100000Z" for number in (24, 25, 26, 27)}


def test_each_has_his_instances() -> None:
    assert instances_of(OFFICE, BOB) == {"", KEYS[24], KEYS[25], KEYS[27]}
    assert instances_of(OFFICE, CAROL) == {"", KEYS[24], KEYS[27]}
    assert instances_of(OFFICE, DAVE) == {KEYS[27]}
    assert instances_of(OFFICE, Address("eve@example.org")) == frozenset()


def test_dates_without_him_and_cancelled_dates_are_excluded_from_his_series() -> None:
    shown = view(OFFICE, CAROL)
    excluded = {one.value: one.param("TZID") for one in shown[""].all("EXDATE")}
    assert excluded == {"20261125T110000": "Europe/Berlin", "20261126T110000": "Europe/Berlin"}
    assert set(shown) == {"", KEYS[24], KEYS[27]}


def test_a_guest_of_one_date_is_shown_no_series() -> None:
    assert set(view(OFFICE, DAVE)) == {KEYS[27]}


def test_a_view_may_be_narrowed_to_what_is_news() -> None:
    assert set(view(OFFICE, BOB, only=frozenset({KEYS[24]}))) == {KEYS[24]}


def test_a_private_guest_list_holds_him_alone() -> None:
    shown = view(OFFICE, DAVE, guest_list="self")
    assert [one.address for one in shown[KEYS[27]].all("ATTENDEE")] == [DAVE]


def test_another_guests_words_to_the_organizer_stay_there() -> None:
    office = meeting(MASTER + 'ATTENDEE;X-RESPONSE-COMMENT="no":mailto:bob@example.org\n' + CAROLS)
    assert b"X-RESPONSE-COMMENT" not in b"".join(
        one.line.encode() for one in view(shareable(office), CAROL)[""].all("ATTENDEE")
    )


@pytest.mark.parametrize(
    ("name", "private"),
    [
        ("SCHEDULE-AGENT", True),
        ("SCHEDULE-STATUS", True),
        ("SCHEDULE-FORCE-SEND", True),
        ("X-MOZ-GENERATION", True),
        ("X-EVOLUTION-ALARM-UID", True),
        ("X-CALENDARSERVER-PRIVATE-COMMENT", True),
        ("X-LIC-ERROR", True),
        ("X-IMIP-GATEWAY-PERCENT", True),
        ("X-APPLE-TRAVEL-DURATION", True),
        ("X-APPLE-DEFAULT-ALARM", True),
        ("X-APPLE-STRUCTURED-LOCATION", False),
        ("X-ALT-DESC", False),
        ("X-MICROSOFT-CDO-BUSYSTATUS", False),
        ("X-GOOGLE-CONFERENCE", False),
        ("CATEGORIES", False),
    ],
)
def test_what_is_private_stays_at_home(name: str, private: bool) -> None:
    assert is_private(name) is private
    component = Component("VEVENT", (prop(name, "1"), prop("SUMMARY", "a", **{name: "1"})))
    left = leaving(component)
    assert (left.first(name) is None) is private
    summary = left.first("SUMMARY")
    assert summary is not None
    assert (summary.param(name) is None) is private


def test_alarms_and_colours_stay_at_home() -> None:
    event = Component("VEVENT", (prop("COLOR", "red"), Component("VALARM"), Component("PARTICIPANT")))
    assert [child.name for child in leaving(event).children] == ["PARTICIPANT"]


def test_a_principal_leaves_as_the_mail_address_that_it_has() -> None:
    event = Component("VEVENT", (prop("ORGANIZER", "/principals/alice/", EMAIL="alice@example.org"),))
    organizer = leaving(event).first("ORGANIZER")
    assert organizer is not None
    assert organizer.value == "mailto:alice@example.org"


def test_nobody_is_shown_a_range() -> None:
    ranged = day(28, BOBS, "SUMMARY:Moved\n").replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;")
    shown = view(shareable(meeting(MASTER + BOBS, ranged)), BOB)
    later = [f"202611{number}T100000Z" for number in (28, 29, 30)] + ["20261201T100000Z"]
    assert set(shown) == {"", *later}
    assert not any("RANGE" in line for one in shown.values() for line in one.lines())
    assert {one.value("SUMMARY") for key, one in shown.items() if key} == {"Moved"}


def test_no_principal_leaves_the_house() -> None:
    common = COMMON.replace("ORGANIZER:", 'ORGANIZER;SENT-BY="/p/sue/":')
    here = meeting(
        f"{common}DTSTART:20261123T100000Z\n{BOBS}"
        "ATTENDEE;CN=Room:/p/room/\nATTENDEE:urn:uuid:1\nATTENDEE:invalid:nomail\n"
        'ATTENDEE;EMAIL=carol@example.org;MEMBER="https://x.example.org/g/","mailto:g@example.org":/p/carol/\n'
        'ATTENDEE;SENT-BY="mailto:sue@example.org":mailto:dave@example.org\n'
    )
    assert here.master is not None
    shown = leaving(here.master)
    assert [one.line for name in ("ORGANIZER", "ATTENDEE") for one in shown.all(name)] == [
        "ORGANIZER:mailto:alice@example.org",
        f"ATTENDEE:mailto:{BOB}",
        "ATTENDEE:invalid:nomail",
        'ATTENDEE;MEMBER="mailto:g@example.org":mailto:carol@example.org',
        'ATTENDEE;SENT-BY="mailto:sue@example.org":mailto:dave@example.org',
    ]
