"""What is right is not taken for a quirk, and nobody becomes a proposer who is not a guest writing to the organizer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedCalendar
from gateway.ical.address import Address
from gateway.ical.tree import Component, Property, parse
from gateway.imip import tolerated
from gateway.imip.tolerated import TOLERATED, counter_as_request, tolerate
from gateway.itip.model import Message
from gateway.itip.parse import messages

ALICE, BOB, EVE = (Address(f"{name}@example.org") for name in ("alice", "bob", "eve"))
ZONE = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0100
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE"""
WHOLE = """BEGIN:VEVENT
UID:u
DTSTAMP:20261101T080000Z
SEQUENCE:2
X-MICROSOFT-CDO-APPT-SEQUENCE:2
DTSTART;TZID=Europe/Berlin:20261201T000000
RRULE:FREQ=DAILY;COUNT=9
SUMMARY:s
ORGANIZER;EMAIL=alice@example.org;CN=alice@example.org:mailto:alice@example.org
ATTENDEE;CN=100%25 Bob:mailto:bob@example.org
END:VEVENT
BEGIN:VEVENT
UID:u
RECURRENCE-ID;TZID=Europe/Berlin:20261203T000000
DTSTAMP:20261101T080000Z
DTSTART;TZID=Europe/Berlin:20261203T100000
ORGANIZER:mailto:alice@example.org
ATTENDEE:mailto:bob@example.org
END:VEVENT"""


def calendar(*parts: str, method: str = "REQUEST") -> Component:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//x//EN",
        f"METHOD:{method}",
        *parts,
        "END:VCALENDAR",
        "",
    ]
    return parse("\r\n".join("\n".join(lines).split("\n")).encode())


@given(st.from_regex(tolerated._PLAIN, fullmatch=True))
def test_a_plain_address_shows_none_of_the_quirks_that_are_not_asked_of_it(value: str) -> None:
    people = Component("VEVENT", [Property("ATTENDEE", value), Property("ORGANIZER", value)])
    whole = Component("VCALENDAR", [people])
    assert not [name for name, rule in TOLERATED.items() if rule.odd and rule.found(whole)]


def test_what_is_right_is_no_quirk() -> None:
    found = calendar(ZONE, WHOLE)
    assert tolerate(found) == (found, ())
    assert tolerate(found, off=frozenset(TOLERATED)) == (found, ()), "and no switch touches it"


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("ID;TZID=Europe/Berlin:20261203T000000", "ID:20261202T230000Z", {"recurrence-id-in-utc"}),
        ("RECURRENCE-ID;TZID=Europe/Berlin:20261203T000000", "RECURRENCE-ID:never", set()),
        ("SEQUENCE:2\nX-", "X-", {"microsoft-sequence"}),
        ("SEQUENCE:2\nX-MICROSOFT-CDO-APPT-SEQUENCE:2", "X-MICROSOFT-CDO-APPT-SEQUENCE:²", set()),
        ("mailto:bob@example.org\nEND:VEVENT\nBEGIN", "MAILTO:b%6fb@example.org\nEND:VEVENT\nBEGIN", {"percent-encoded-address", "upper-case-mailto"}),
    ],
)  # fmt: skip
def test_what_is_odd_is_found_and_nothing_else(old: str, new: str, names: set[str]) -> None:
    assert old in WHOLE
    assert set(tolerate(calendar(ZONE, WHOLE.replace(old, new)))[1]) == names


def test_a_switch_refuses_or_leaves_out_and_never_invents() -> None:
    odd = calendar(ZONE, WHOLE.replace("TZID=Europe/Berlin:20261201", "TZID=Nowhere:20261201"))
    with pytest.raises(MalformedCalendar, match="unknown-timezone"):
        tolerate(odd, off={"unknown-timezone"})
    bare = calendar(ZONE, WHOLE.replace("SEQUENCE:2\nX-", "X-"))
    read, names = tolerate(bare, off={"microsoft-sequence"})
    assert names == () and read.subcomponents("VEVENT")[0].first("X-MICROSOFT-CDO-APPT-SEQUENCE") is None


def test_a_flood_of_zones_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(tolerated, "iana_name", lambda tzid: asked.append(tzid))
    dates = "\n".join(f"RDATE;TZID=Zone{number}:20261201T100000" for number in range(5_000))
    flood = calendar(WHOLE.replace("SUMMARY:s", f"SUMMARY:s\n{dates}", 1))
    assert tolerate(flood)[1] == () and asked == []


def request(sender: Address | None, *, text: str = WHOLE, method: str = "REQUEST") -> Message:
    (found,) = messages(calendar(ZONE, text, method=method), sender)
    assert isinstance(found, Message)
    return found


def test_a_request_from_a_guest_to_the_organizer_is_a_counter() -> None:
    assert counter_as_request(request(BOB), {ALICE})


@pytest.mark.parametrize(
    ("sender", "owner", "method"),
    [
        (BOB, BOB, "REQUEST"),  # his own copy
        (BOB, EVE, "REQUEST"),  # a guest passes it on, or delegates
        (ALICE, ALICE, "REQUEST"),  # herself
        (EVE, ALICE, "REQUEST"),  # no guest
        (None, ALICE, "REQUEST"),
        (BOB, ALICE, "REPLY"),
    ],
)
def test_any_other_is_none(sender: Address | None, owner: Address, method: str) -> None:
    assert not counter_as_request(request(sender, method=method), {owner})


def test_one_who_sends_for_the_organizer_proposes_nothing() -> None:
    text = WHOLE.replace("ORGANIZER;", 'ORGANIZER;SENT-BY="mailto:bob@example.org";')
    assert not counter_as_request(request(BOB, text=text), {ALICE})
