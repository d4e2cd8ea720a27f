"""Rooms and resources answer by themselves, and nobody is promised what another one has (SPEC 8.2)."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

ROOM, BOB, EVE = "room1@example.org", "bob@example.net", "eve@example.net"
HREF = "/room1/calendar/m1.ics"
LATER = {"DTSTART": "20261110T103000Z", "DTEND": "20261110T113000Z"}


@pytest.fixture
async def room(world: Any) -> Any:
    world.calendars.collection("room1", "calendar")
    await world.sync()
    return world


def words(letter: Any) -> str:
    mail = message_from_bytes(letter.content, policy=policy.default)
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def answer_of_room(world: Any, uid: str) -> str:
    """As the organizer's calendar has it."""
    found = re.search(
        r"ATTENDEE;PARTSTAT=([A-Z]+)[^:]*:mailto:room1", world.text(f"/alice/calendar/{uid}.ics")
    )
    return found[1] if found else ""


async def test_the_second_of_two_who_want_the_same_time_is_told_when_it_is_taken(room, say):
    await room.mail("REQUEST", say.invitation("m1", ROOM, SUMMARY="Secret"), to=ROOM)
    await room.mail("REQUEST", say.invitation("m2", ROOM, EVE, **LATER), sender=EVE, to=ROOM)
    (first,), (second,) = room.got(BOB), room.got(EVE)
    assert (first.method, first.partstat) == ("REPLY", "ACCEPTED")
    assert (second.method, second.partstat) == ("REPLY", "DECLINED")
    assert words(second).startswith("Not booked\r\n\r\nRoom 1 is taken at that time.")
    assert "10:00" in words(second) and "11:00" in words(second)
    assert "Secret" not in second.content.decode() and "bob" not in words(second)
    for letter in (first, second):
        assert "\r\nAuto-Submitted: auto-replied\r\n" in letter.content.decode()
    assert await room.told("m2") == [("applied", "booking-declined")]


async def test_what_a_room_wrote_itself_is_no_change_to_tell(room, say):
    await room.mail("REQUEST", say.invitation("m1", ROOM), to=ROOM)
    await room.drain()
    assert len(room.got()) == 1


async def test_an_event_that_somebody_wrote_into_the_calendar_blocks_it(room, say):
    room.save(say.event("own", **LATER), name="own", path="/room1/calendar/")
    await room.mail("REQUEST", say.invitation("m1", ROOM), to=ROOM)
    assert [one.partstat for one in room.got(BOB)] == ["DECLINED"]


async def test_deleting_a_booking_declines_it_and_makes_room(room, say):
    await room.mail("REQUEST", say.invitation("m1", ROOM), to=ROOM)
    room.calendars.remove(HREF)
    await room.drain()
    assert [one.partstat for one in room.got(BOB)] == ["ACCEPTED", "DECLINED"]
    await room.mail("REQUEST", say.invitation("m2", ROOM, EVE, **LATER), sender=EVE, to=ROOM)
    assert [one.partstat for one in room.got(EVE)] == ["ACCEPTED"]


async def test_declining_it_by_hand_outlives_an_update_of_its_title(room, say):
    await room.mail("REQUEST", say.invitation("m1", ROOM), to=ROOM)
    room.edit(HREF, ("PARTSTAT=ACCEPTED:mailto:room1", "PARTSTAT=DECLINED:mailto:room1"))
    await room.drain()
    news = {"SUMMARY": "Dinner", "SEQUENCE": "1", "DTSTAMP": "20261102T090000Z"}
    await room.mail("REQUEST", say.invitation("m1", ROOM, **news), to=ROOM)
    await room.drain()
    assert [one.partstat for one in room.got(BOB)] == ["ACCEPTED", "DECLINED"]
    assert "Dinner" in room.text(HREF) and "PARTSTAT=DECLINED:mailto:room1" in room.text(HREF)


async def test_what_an_unproven_sender_asks_waits_for_a_person_and_is_asked_of_the_calendar_as_it_is_then(
    room, say
):
    await room.mail("REQUEST", say.invitation("m1", ROOM), to=ROOM, dmarc="none")
    (held,) = await room.store.held.list()
    assert (held["kind"], held["reason"], room.got()) == ("mail", "not-authenticated", [])
    await room.mail("REQUEST", say.invitation("m2", ROOM, EVE, **LATER), sender=EVE, to=ROOM)
    assert await room.store.held.approve(held["id"])
    await room.work()
    assert [(one.to, one.partstat) for one in room.got()] == [(EVE, "ACCEPTED"), (BOB, "DECLINED")]


async def test_an_event_that_cannot_be_read_may_be_in_the_way(room, say):
    room.save("BEGIN:VEVENT\nUID:own\nDTSTART:soon\nEND:VEVENT", name="own", path="/room1/calendar/")
    await room.mail("REQUEST", say.invitation("m1", ROOM), to=ROOM)
    (held,) = await room.store.held.list()
    assert (held["reason"], room.got()) == ("malformed-calendar", [])
    room.calendars.remove("/room1/calendar/own.ics")
    assert await room.store.held.approve(held["id"])
    await room.work()
    assert [one.partstat for one in room.got(BOB)] == ["ACCEPTED"]


async def test_a_change_into_a_conflict_leaves_the_booking_as_it_was(room, say):
    await room.mail("REQUEST", say.invitation("m1", ROOM), to=ROOM)
    afternoon = {"DTSTART": "20261110T140000Z", "DTEND": "20261110T150000Z"}
    await room.mail("REQUEST", say.invitation("m2", ROOM, EVE, **afternoon), sender=EVE, to=ROOM)
    before = room.text("/room1/calendar/m2.ics")
    moved = LATER | {"SEQUENCE": "1", "DTSTAMP": "20261102T090000Z"}
    await room.mail("REQUEST", say.invitation("m2", ROOM, EVE, **moved), sender=EVE, to=ROOM)
    await room.drain()
    assert room.text("/room1/calendar/m2.ics") == before
    assert [(one.partstat, one.value("SEQUENCE")) for one in room.got(EVE)] == [
        ("ACCEPTED", "0"),
        ("DECLINED", "1"),
    ]
    assert "Booked\r\n  Tue, 10 Nov 2026, 14:00" in words(room.got(EVE)[-1])


async def test_an_organizer_of_ours_gets_a_letter_about_a_no_and_none_about_a_yes(room, say):
    for uid in ("m1", "m2"):
        room.save(say.invitation(uid, ROOM, "alice@example.org"), name=uid)
        await room.drain()
    (letter,) = room.got("alice@example.org")
    assert (letter.value("UID"), letter.partstat) == ("m2", "DECLINED")
    assert answer_of_room(room, "m1") == "ACCEPTED"
    assert answer_of_room(room, "m2") == "DECLINED"


@pytest.mark.parametrize("fatal", range(1, 12))
async def test_a_process_that_dies_anywhere_books_once_and_answers_once(new_world, say, fatal):
    room = await new_world()
    room.calendars.collection("room1", "calendar")
    await room.sync()
    await room.mail("REQUEST", say.invitation("m1", ROOM), to=ROOM, run=False)
    await room.mail("REQUEST", say.invitation("m2", ROOM, EVE, **LATER), sender=EVE, to=ROOM, run=False)
    room.process = room.begin(fatal)
    with contextlib.suppress(say.Killed):
        await room.work()
    await room.restart()
    await room.drain()
    answers = {(one.to, one.partstat) for one in room.got()}
    assert answers in (
        {(BOB, "ACCEPTED"), (EVE, "DECLINED")},
        {(BOB, "DECLINED"), (EVE, "ACCEPTED")},
    )
    assert len({one.message_id for one in room.got()}) == 2
    stored = room.text(HREF) + room.text("/room1/calendar/m2.ics")
    assert stored.count("PARTSTAT=ACCEPTED:mailto:room1") == 1


@pytest.mark.parametrize("fatal", range(1, 9))
async def test_a_process_that_dies_over_a_change_that_cannot_be_keeps_what_was_booked(room, say, fatal):
    afternoon = {"DTSTART": "20261110T140000Z", "DTEND": "20261110T150000Z"}
    await room.mail("REQUEST", say.invitation("m1", ROOM), to=ROOM)
    await room.mail("REQUEST", say.invitation("m2", ROOM, EVE, **afternoon), sender=EVE, to=ROOM)
    before = room.text("/room1/calendar/m2.ics")
    moved = LATER | {"SEQUENCE": "1", "DTSTAMP": "20261102T090000Z"}
    await room.mail("REQUEST", say.invitation("m2", ROOM, EVE, **moved), sender=EVE, to=ROOM, run=False)
    room.process = room.begin(fatal)
    with contextlib.suppress(say.Killed):
        await room.work()
    await room.restart()
    await room.drain()
    assert room.text("/room1/calendar/m2.ics") == before
    refused = {(one.message_id, one.partstat) for one in room.got(EVE)[1:]}
    assert [partstat for _, partstat in refused] == ["DECLINED"]


async def test_of_thirty_who_want_it_at_once_one_gets_it_whichever_process_decides(
    new_world: Any, database: str, say: Any, tmp_path: Path
) -> None:
    """Two workers with eight hands each on one database and one calendar server, which takes its time to answer."""
    first = await new_world(database=database, concurrency=8)
    first.calendars.collection("room1", "calendar")
    await first.sync()
    names = [f"m{number}" for number in range(30)]
    for name in names:
        await first.mail(
            "REQUEST",
            say.invitation(name, ROOM, f"{name}@example.net", **LATER),
            sender=f"{name}@example.net",
            to=ROOM,
            run=False,
        )
    answering = first.calendars.overlapping

    async def slowly(*args: Any) -> tuple[bytes, ...]:
        found: tuple[bytes, ...] = await answering(*args)
        for _ in range(20):  # others go on meanwhile
            await asyncio.sleep(0)
        return found

    first.calendars.overlapping = slowly
    second = replace(first, concurrency=8)
    while True:
        worked = await asyncio.gather(first.work(), second.work())
        if not any(worked):
            break
    stored = "".join(first.text(f"/room1/calendar/{name}.ics") for name in names)
    assert stored.count("PARTSTAT=ACCEPTED:mailto:room1") == 1
    assert stored.count("PARTSTAT=DECLINED:mailto:room1") == 29
    answers = sorted(one.partstat for one in first.got())
    assert answers == ["ACCEPTED"] + ["DECLINED"] * 29
