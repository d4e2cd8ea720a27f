"""A shared calendar has its own address: what anybody saves in it is organized by that, and answered there."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.accounts import Account, Accounts
from gateway.flows.apply import Apply
from gateway.flows.doctor import Doctor
from gateway.flows.witness import Witness
from gateway.ports import Envelope, Peer, ReceivedMail, Recipient

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


BOSS = Account(address="boss@example.org", name="The Boss", username="boss", delegates=("dora@example.org",))
BY_DORA = 'ORGANIZER;CN=Boss;SENT-BY="mailto:dora@example.org":mailto:boss@example.org'


async def bossed(new_world):
    return await shared(new_world, team=BOSS, path="/boss/calendar/")


async def test_what_a_delegate_saves_for_her_boss_is_his_and_says_who_wrote_it(new_world, say):
    world = await bossed(new_world)
    href = world.save(
        say.event().replace("END:VEVENT", f"{BY_DORA}\n{GUEST}\nEND:VEVENT"), path="/boss/calendar/"
    )
    await world.settle()
    assert senders(world) == [("REQUEST", "bob@example.net", "boss@example.org")]
    (letter,) = world.got()
    assert re.search(rb"^Sender: dora@example.org\r$", letter.content, re.MULTILINE)
    assert 'SENT-BY="mailto:dora@example.org"' in letter.calendar
    assert b"Reply-To" not in letter.content
    await world.mail("REPLY", say.answer().replace("alice@", "boss@"), to="dora@example.org")
    assert "PARTSTAT=ACCEPTED:mailto:bob@example.net" in world.text(href)
    assert BY_DORA in world.text(href)


@pytest.mark.parametrize("by", ["alice@example.org", "dora@example.com", "boss@example.org"])
async def test_who_is_no_delegate_is_not_the_sender_of_a_letter(new_world, say, by):
    world = await bossed(new_world)
    more = BY_DORA.replace("dora@example.org", by)
    world.save(say.event(more=f"{more}\n{GUEST}"), path="/boss/calendar/")
    await world.settle()
    assert senders(world) == [("REQUEST", "bob@example.net", "boss@example.org")]
    assert b"Sender:" not in world.got()[0].content


async def test_an_answer_to_somebody_who_is_no_delegate_finds_no_meeting_of_the_boss(new_world, say):
    world = await bossed(new_world)
    href = world.save(
        say.event(more=f"{BY_DORA}\n{GUEST}".replace("CN=Boss", "CN=B")), path="/boss/calendar/"
    )
    await world.settle()
    await world.mail("REPLY", say.answer().replace("alice@", "boss@"), to="alice@example.org")
    assert "ACCEPTED" not in world.text(href)


async def test_an_answer_to_the_member_who_wrote_reaches_the_shared_calendar(office, say):
    href = office.save(say.event().replace("END:VEVENT", f"{BY_ALICE}\n{GUEST}\nEND:VEVENT"), path=PATH)
    await office.settle()
    await office.mail("REPLY", say.answer().replace("alice@", "team@"), to="alice@example.org")
    assert "PARTSTAT=ACCEPTED:mailto:bob@example.net" in office.text(href)


@pytest.mark.parametrize(
    ("team", "by", "organizer", "told"),
    [
        (BOSS, "dora@example.org", "boss@example.org", ["boss@example.org"]),
        (BOSS, "alice@example.org", "boss@example.org", []),
        (TEAM, "alice@example.org", "alice@example.org", ["alice@example.org", "team@example.org"]),
        (TEAM, "alice@example.org", "team@example.org", ["team@example.org"]),
        (TEAM, "dora@example.org", "dora@example.org", ["dora@example.org"]),
    ],
)
async def test_what_a_delegate_s_program_mails_counts_as_her_boss_s(
    new_world, say, team, by, organizer, told
):
    world = await shared(new_world, team=team, path=f"/{team.username}/x/")
    apply = Apply(
        queue=world.store.queue,
        plans=world.store.plans,
        snapshots=world.store.snapshots,
        calendars=world.calendars,
        log=world.log,
    )
    witness = Witness(
        queue=world.store.queue, accounts=world.accounts, apply=apply, settings=say.receiving, log=world.log
    )
    data = say.calendar(say.invitation(guests="bob@example.net", organizer=organizer), "REQUEST")
    mail = ReceivedMail(
        envelope=Envelope(sender=by, recipients=(Recipient(address="bob@example.net"),)),
        peer=Peer(role="outgoing", protocol="smtp", address="192.0.2.1"),
        content=say.raw_mail(data, "REQUEST", sender=by, to="bob@example.net", message_id="<1@x>"),
        received_at=world.clock.now(),
    )
    job = await world.process.door.accept(mail)
    (leased,) = await world.store.queue.claim("w", limit=1, lease=timedelta(minutes=1))
    assert leased.id == job
    await witness.read(leased)
    assert sorted(one["account"] for one in await world.store.queue.list_jobs()) == told


async def test_doctor_and_why_tell_that_a_calendar_s_writer_was_taken_for_it(office, say):
    office.save(say.event().replace("END:VEVENT", f"{BY_ALICE}\n{GUEST}\nEND:VEVENT"), path=PATH)
    await office.settle()
    doctor = Doctor(
        accounts=office.accounts,
        calendars=office.seen,
        snapshots=office.store.snapshots,
        clock=office.clock,
        domains=("example.org",),
    )
    team, alice = [
        await doctor.examine(office.accounts.find(f"{one}@example.org")) for one in ("team", "alice")
    ]
    assert [(one.stands_as, one.rule) for one in team.organizers] == [
        ("mailto:alice@example.org", "shared-calendar")
    ]
    assert (team.calendars, alice.calendars) == ((PATH,), ("/alice/calendar/",))
    assert alice.organizers == ()
    (story,) = await office.store.journal.story("m1")
    assert {
        "code": "known-as",
        "part": "organizer",
        "stands_as": "mailto:alice@example.org",
        "rule": "shared-calendar",
    } in story["notes"]
