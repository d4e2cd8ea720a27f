"""Who is who in a meeting."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.ical.address import address
from gateway.ical.tree import parse
from gateway.itip.model import Context, Policy, Role
from gateway.itip.roles import acts_as_organizer, find, identities, role

MEETING = """BEGIN:VEVENT
UID:u
DTSTAMP:20290101T000000Z
DTSTART:20290105T100000Z
{organizer}
ATTENDEE;CUTYPE=ROOM:mailto:bob@example.net
ATTENDEE:mailto:bob@example.net
ATTENDEE:mailto:b.alias@example.net
END:VEVENT"""
PLAIN = "ORGANIZER:mailto:alice@example.com"


def line(text: str) -> Any:
    return parse(f"BEGIN:VCALENDAR\r\n{text}\r\nEND:VCALENDAR\r\n".encode()).properties[0]


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("ATTENDEE:MAILTO:Bob@Example.NET", {"bob@example.net"}),
        ("ATTENDEE:bob@example.net", {"bob@example.net"}),
        ("ATTENDEE;EMAIL=bob@example.net:urn:uuid:1", {"urn:uuid:1", "bob@example.net"}),
        ("ORGANIZER;CN=bob@example.net:/principals/1/", {"/principals/1/", "bob@example.net"}),
        (
            "ATTENDEE;EMAIL=mallory@evil.example;CN=mallory@evil.example:mailto:bob@example.net",
            {"bob@example.net"},
        ),
    ],
)
def test_a_person_is_known_by_what_the_line_says(text: str, who: set[str]) -> None:
    assert identities(line(text)) == who


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ({"alice@example.com"}, Role.ORGANIZER),
        ({"bob@example.net"}, Role.ATTENDEE),
        ({"someone@example.org"}, Role.STRANGER),
        ({"bob@example.net", "alice@example.com"}, Role.ORGANIZER),
    ],
)
def test_the_account_has_one_role(stage: Any, owner: set[str], expected: Role) -> None:
    stored = stage.object(MEETING.format(organizer=PLAIN))
    assert role(stored, frozenset(map(address, owner))) is expected


def test_the_line_by_which_one_was_invited_comes_first_then_the_individual(stage: Any) -> None:
    lines = stage.object(MEETING.format(organizer=PLAIN)).master.all("ATTENDEE")
    who = frozenset({address("bob@example.net"), address("b.alias@example.net")})
    assert find(lines, who) is lines[1]
    assert find(lines, who, address("b.alias@example.net")) is lines[2]
    assert find(lines, frozenset({address("x@y.z")})) is None


@pytest.mark.parametrize(
    ("organizer", "sender", "may"),
    [
        (PLAIN, "alice@example.com", True),
        (PLAIN, "eve@example.com", False),
        (PLAIN, "secretary@example.com", True),
        ('ORGANIZER;SENT-BY="mailto:pa@example.com":mailto:alice@example.com', "pa@example.com", True),
        ("X-NOBODY:1", "secretary@example.com", False),
    ],
)
def test_the_stored_object_and_the_owner_say_who_speaks_for_the_organizer(
    stage: Any, organizer: str, sender: str, may: bool
) -> None:
    context = Context(
        owner=frozenset(),
        now=stage.now,
        policy=Policy(delegates=frozenset({address("secretary@example.com")})),
    )
    stored = stage.object(MEETING.format(organizer=organizer))
    assert acts_as_organizer(stored, address(sender), context) is may
    assert not acts_as_organizer(stored, None, context)
