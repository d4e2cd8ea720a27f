"""A shared calendar has its own address: what anybody saves in it is organized by that, and answered there."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gateway.accounts import Account, Accounts

TEAM = Account(
    address="team@example.org",
    name="The Team",
    username="alice",
    calendar="/alice/team/",
    watch=("/alice/team/",),
)
PATH = "/alice/team/"
GUEST = "ATTENDEE;RSVP=TRUE:mailto:bob@example.net"
BY_ALICE = "ORGANIZER;CN=Alice:mailto:alice@example.org\nATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org"


async def shared(new_world, *, team: Account = TEAM, path: str = PATH, like=None):
    """Alice's world with a calendar of the team beside hers."""
    world = await new_world(watched=False)
    everybody = (*world.accounts, team)
    world.accounts = Accounts(everybody, ("example.org",), service_address="calendar@example.org")
    world.calendars.objects.setdefault(path, {})
    world.calendars.log.setdefault(path, [])
    world.calendars.known_as = {
        "alice@example.org": ("/dav/p/alice/",),
        "dora@example.org": ("/dav/p/dora/",),
    }
    world.calendars.known_as[team.address] = (f"/dav/p/{team.username}/",)
    world.process = world.begin()
    await world.sync()
    return world


def senders(world) -> list[tuple[str, str, str]]:
    return [
        (one.method, one.to, re.search(rb"^From:.*?([\w.]+@[\w.]+)", one.content, re.MULTILINE)[1].decode())
        for one in world.got()
    ]


@pytest.fixture
async def office(new_world):
    return await shared(new_world)


@pytest.mark.parametrize(
    "organizer",
    [
        BY_ALICE,
        "ORGANIZER:/dav/p/alice/",
        "ORGANIZER:mailto:a.liddell@example.org",
        "ORGANIZER:mailto:team@example.org",
    ],
)
async def test_what_is_saved_in_a_shared_calendar_is_organized_by_its_address(office, say, organizer):
    href = office.save(
        say.event(more="").replace("END:VEVENT", f"{organizer}\n{GUEST}\nEND:VEVENT"), path=PATH
    )
    await office.settle()
    assert senders(office) == [("REQUEST", "bob@example.net", "team@example.org")]
    (letter,) = office.got()
    assert letter.value("ORGANIZER") == "mailto:team@example.org"
    assert "alice" not in letter.calendar
    assert "liddell" not in letter.calendar
    await office.mail("REPLY", say.answer().replace("alice@", "team@"), to="team@example.org")
    assert "PARTSTAT=ACCEPTED:mailto:bob@example.net" in office.text(href)
    for line in organizer.splitlines():
        assert line in office.text(href)
    assert "X-IMIP" not in office.text(href)


async def test_the_owner_s_own_calendar_is_hers(office, say):
    office.save(say.meeting())
    await office.settle()
    assert senders(office) == [("REQUEST", "bob@example.net", "alice@example.org")]


async def test_a_change_and_a_deletion_are_told_once_by_the_shared_address(office, say):
    href = office.save(say.event(more=f"{BY_ALICE}\n{GUEST}".replace("CN=Alice", "CN=A")), path=PATH)
    await office.settle()
    office.edit(href, ("DTSTART:20261110T10", "DTSTART:20261110T09"))
    await office.settle()
    office.calendars.remove(href)
    await office.settle(minutes=6)
    assert senders(office) == [
        (one, "bob@example.net", "team@example.org") for one in ("REQUEST", "REQUEST", "CANCEL")
    ]


async def test_the_owner_is_invited_by_her_team_into_her_own_calendar(office, say):
    more = f"ORGANIZER:mailto:team@example.org\nATTENDEE;RSVP=TRUE:mailto:alice@example.org\n{GUEST}"
    office.save(say.event(more=more), path=PATH)
    await office.drain()
    assert [
        text
        for text in map(office.text, office.calendars.objects["/alice/calendar/"])
        if "SUMMARY:Lunch" in text
    ]
    assert {one[1:] for one in senders(office)} == {("bob@example.net", "team@example.org")}


async def test_a_copy_of_her_own_meeting_in_the_shared_calendar_invites_nobody_again(office, say):
    office.save(say.meeting())
    await office.settle()
    office.save(say.meeting(), path=PATH)
    await office.settle()
    assert senders(office) == [("REQUEST", "bob@example.net", "alice@example.org")]


async def test_a_meeting_to_which_the_team_is_invited_stays_the_organizer_s(office, say):
    more = f"{BY_ALICE}\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:team@example.org\n{GUEST}"
    office.save(say.event(more=more.replace("CN=Alice", "CN=A")), path=PATH)
    await office.settle()
    assert office.got() == []


async def test_somebody_else_s_meeting_in_the_shared_calendar_is_not_the_team_s(office, say):
    for number, who in enumerate(("dora@example.org", "eve@example.com")):
        office.save(say.invitation(f"m{number}", "bob@example.net", who), path=PATH, name=f"m{number}")
    await office.settle()
    assert office.got() == []


async def test_members_of_a_calendar_with_a_login_of_its_own_are_its_delegates(new_world, say):
    team = replace(
        TEAM, username="team", calendar="/team/cal/", watch=("*",), delegates=("alice@example.org",)
    )
    world = await shared(new_world, team=team, path="/team/cal/")
    world.calendars.collection("alice", "shared_by_team")
    world.calendars.owners["/alice/shared_by_team/"] = "/dav/p/team/"
    await world.sync()
    assert "/alice/shared_by_team/" not in {
        one.collection for one in await world.process.watch.all(world.accounts.find("alice@example.org"))
    }
    world.save(say.meeting(), path="/team/cal/")
    world.save(say.meeting(), path="/alice/shared_by_team/")
    await world.settle()
    assert senders(world) == [("REQUEST", "bob@example.net", "team@example.org")]


async def test_a_shared_calendar_that_names_no_watch_has_its_calendar_alone(new_world, say):
    world = await shared(new_world, team=replace(TEAM, watch=("*",)))
    rounds = await world.process.watch.all(world.accounts.find("team@example.org"))
    assert [one.collection for one in rounds] == [PATH]
