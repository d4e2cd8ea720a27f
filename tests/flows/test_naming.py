"""Who stands in a calendar by what the server calls him is our account; in letters he has an address (SPEC 2.4)."""

from __future__ import annotations

import re

import pytest

UUID = "urn:uuid:272C501F-366C-517D-8AF3-44C37777EF83"
ALICE = (
    "/dav/principals/users/alice/",
    "https://dav.example.org/dav/p/alice",
    UUID.lower(),
    "mailto:al@example.org",
)
DORA = ("/dav/principals/users/dora/",)


def knowing(world) -> None:
    world.calendars.known_as = {"alice@example.org": ALICE, "dora@example.org": DORA}


def saved(world, say, organizer: str, guest: str = "ATTENDEE;RSVP=TRUE:mailto:bob@example.net") -> str:
    """As calendar programs save a meeting of Alice's."""
    knowing(world)
    own = organizer.replace("ORGANIZER", "ATTENDEE;PARTSTAT=ACCEPTED", 1)
    href: str = world.save(say.event(more=f"{organizer}\n{own}\n{guest}"))
    return href


@pytest.mark.parametrize(
    "organizer",
    [
        "ORGANIZER;CN=Alice:/dav/principals/users/alice/",
        "ORGANIZER:/dav/principals/users/%61lice",
        "ORGANIZER:https://127.0.0.1:5232/dav/principals/users/alice/",
        "ORGANIZER:https://Calendar.Example.org/dav/principals/users/alice/",
        "ORGANIZER:https://dav.example.org:443/dav/p/alice/",
        f"ORGANIZER;CN=Alice:{UUID}",
        "ORGANIZER;EMAIL=al@icloud.example:/dav/principals/users/alice/",
        "ORGANIZER;EMAIL=alice@example.org:/elsewhere/1/",
        "ORGANIZER;CN=alice@example.org:urn:uuid:00000000-0000-0000-0000-000000000000",
    ],
)
async def test_an_organizer_by_any_name_invites_and_is_answered(world, say, organizer: str) -> None:
    href = saved(world, say, organizer)
    await world.settle()
    (letter,) = world.got()
    assert (letter.to, letter.method, letter.value("ORGANIZER")) == (
        "bob@example.net",
        "REQUEST",
        "mailto:alice@example.org",
    )
    for inner in ("principals", "/dav/", "urn:uuid", "icloud", "X-IMIP"):
        assert inner not in letter.calendar
        assert inner not in letter.content.decode()
    assert re.search(rb"^From: (Alice <)?alice@example.org", letter.content, re.MULTILINE)
    await world.mail("REPLY", say.answer())
    assert "PARTSTAT=ACCEPTED:mailto:bob@example.net" in world.text(href)
    assert organizer in world.text(href), "the calendar keeps its own spelling"
    assert "X-IMIP" not in world.text(href)


async def test_a_meeting_as_macos_saves_it_invites_by_mail_address(world, shared) -> None:
    """BlueMind's sample of Apple's Calendar 10.9.2: organizer and his own line are a principal, other guests have EMAIL."""
    text = (shared / "corpus/itip/apple-ical/bluemind__put_in_domain_cal.ics").read_bytes()
    world.calendars.known_as = {"alice@example.org": ("/dav/principals/__uids__/1687/",)}
    world.calendars.save("/alice/calendar/apple.ics", text.replace(b"2014052", b"2029052"))
    await world.settle()
    (letter,) = world.got()
    assert (letter.to, letter.method, letter.value("ORGANIZER")) == (
        "upn@willow.vmw",
        "REQUEST",
        "mailto:alice@example.org",
    )
    assert "__uids__" not in letter.content.decode()
    assert "__uids__" not in letter.calendar


@pytest.mark.parametrize(
    "organizer",
    [
        "ORGANIZER:/dav/principals/users/eve/",
        "ORGANIZER:https://dav.example.com/dav/principals/users/alice/",
        "ORGANIZER:https://notexample.org/dav/principals/users/alice/",
        "ORGANIZER:mailto:al@example.org",
        "ORGANIZER;EMAIL=alice@example.org:mailto:eve@example.com",
        'ORGANIZER;X-IMIP-GATEWAY-STORED-AS="/dav/principals/users/alice/":mailto:eve@example.com',
    ],
)
async def test_an_organizer_whom_nothing_makes_ours_invites_nobody(world, say, organizer: str) -> None:
    knowing(world)
    world.save(say.event(more=f"{organizer}\nATTENDEE:mailto:bob@example.net"))
    await world.settle()
    assert world.got() == []


async def test_a_server_that_forgets_a_name_cancels_nothing(world, say) -> None:
    href = saved(
        world, say, "ORGANIZER:mailto:alice@example.org", "ATTENDEE;RSVP=TRUE:/dav/principals/users/dora/"
    )
    await world.sync()
    await world.settle()
    before = len(world.got())
    world.calendars.known_as = {}
    await world.restart()
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Brunch"))
    await world.settle()
    assert [one.method for one in world.got()[before:] if one.method == "CANCEL"] == []


async def test_a_guest_who_stands_in_his_copy_as_a_principal_answers_from_his_address(world, say) -> None:
    knowing(world)
    more = "ORGANIZER:mailto:bob@example.net\nATTENDEE;PARTSTAT=NEEDS-ACTION:/dav/principals/users/alice/"
    world.calendars.collection("alice@example.org", "calendar")
    href = world.save(say.event(more=more))
    await world.settle()
    world.edit(href, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.settle()
    (letter,) = world.got()
    assert (letter.to, letter.method, letter.value("ATTENDEE")) == (
        "bob@example.net",
        "REPLY",
        "mailto:alice@example.org",
    )
    assert "principals" not in letter.content.decode()


async def test_an_update_by_mail_finds_the_guest_and_leaves_his_line_as_it_is(world, say) -> None:
    knowing(world)
    await world.mail("REQUEST", say.invitation())
    (href,) = world.calendars.objects["/alice/calendar/"]
    line = next(one for one in world.text(href).splitlines() if "mailto:alice@" in one)
    world.edit(href, (line, "ATTENDEE;PARTSTAT=ACCEPTED:/dav/principals/users/alice/"))
    await world.settle()
    assert [one.method for one in world.got()] == ["REPLY"]
    await world.mail("CANCEL", say.invitation(SEQUENCE="1", STATUS="CANCELLED"))
    assert "STATUS:CANCELLED" in world.text(href)
