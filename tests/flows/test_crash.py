"""Every journey, killed before and after each call that it makes of the outside, and taken up by a new process.

At the end the calendars are those of the undisturbed run, every letter left at least once under one Message-ID, and the
journal tells one outcome.
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

HREF = "/alice/calendar/m1.ics"


async def invite(world, say):
    return await world.mail("REQUEST", say.invitation(), run=False)


async def update(world, say):
    await world.mail("REQUEST", say.invitation())
    return await world.mail(
        "REQUEST",
        say.invitation(SEQUENCE="1", DTSTART="20261111T100000Z", DTEND="20261111T110000Z"),
        run=False,
    )


async def reply(world, say):
    world.save(say.meeting())
    await world.drain()
    return await world.mail("REPLY", say.answer(), run=False)


async def organize(world, say):
    world.save(say.meeting(guests="bob@example.net carol@example.com"))


async def reschedule(world, say):
    href = world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.drain()
    await world.mail("REPLY", say.answer())
    world.edit(href, ("20261110T10", "20261110T12"), ("20261110T11", "20261110T13"))


async def edit_and_reply(world, say):
    """An answer comes while the organizer's own edit settles."""
    href = world.save(say.meeting())
    await world.drain()
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    return await world.mail("REPLY", say.answer(), run=False)


async def accept(world, say):
    await world.mail("REQUEST", say.invitation())
    await world.drain()
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))


async def strike_off(world, say):
    href = world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.drain()
    line = next(one for one in world.text(href).split("\r\n") if "carol" in one)
    world.edit(href, (line + "\r\n", ""))


async def delete(world, say):
    href = world.save(say.meeting())
    world.save(say.meeting("other"), name="other")
    await world.drain()
    world.calendars.remove(href)


async def move(world, say):
    world.calendars.collection("alice@example.org", "private")
    href = world.save(say.meeting())
    world.save(say.meeting("other"), name="other")
    await world.drain()
    world.calendars.save("/alice/private/moved.ics", world.text(href).encode())
    world.calendars.remove(href)


async def cancel_by_mark(world, say):
    await world.mail("REQUEST", say.invitation())
    return await world.mail(
        "CANCEL",
        say.invitation(SEQUENCE="1", STATUS="CANCELLED", DTSTAMP="20261101T090000Z"),
        run=False,
    )


async def cancel_by_removal(world, say):
    world.policy = say.replace(world.policy, cancel="delete")
    return await cancel_by_mark(world, say)


async def early_reply(world, say):
    """A REPLY is parked, then its meeting comes."""
    mail = await world.mail("REPLY", say.answer())
    world.save(say.meeting())
    return mail


JOURNEYS = [
    invite,
    update,
    reply,
    organize,
    reschedule,
    edit_and_reply,
    accept,
    strike_off,
    delete,
    move,
    cancel_by_mark,
    cancel_by_removal,
    early_reply,
]
IN_TIME = [edit_and_reply]  # where eleven minutes more let the edit settle before the answer is read
STAMPS = re.compile(r"^(?:DTSTAMP|LAST-MODIFIED|CREATED):.*\n?", re.MULTILINE)


def plain(text: str) -> str:
    """Without the moments at which something was written."""
    return STAMPS.sub("", text.replace("\r\n", "\n"))


def held_by(world) -> dict[str, str]:
    return {href: plain(world.text(href)) for objects in world.calendars.objects.values() for href in objects}


def letters_of(world) -> list[tuple[str, str, str]]:
    """What each reader got, a repetition under one Message-ID once."""
    by_id = defaultdict(set)
    for one in world.got():
        by_id[one.message_id].add((one.to, one.method, plain(one.calendar)))
    assert all(len(found) == 1 for found in by_id.values()), "two letters under one Message-ID"
    return sorted(letter for found in by_id.values() for letter in found)


async def outcomes_of(world, mail: str | None) -> list[tuple[str, str]]:
    """What the journal says at the end about the mail, or about the meeting what was mailed."""
    if mail:
        return [one for one in await world.told(mail) if one[0] != "parked"]
    story = await world.store.journal.story("m1")
    return [(one["outcome"], one["reason"]) for one in story if one["letters"]]


async def end(world, mail):
    await world.drain()
    assert [one for one in await world.waiting() if one[1] != "waiting"] == []
    return held_by(world), letters_of(world), await outcomes_of(world, mail)


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda one: one.__name__)
async def test_a_process_that_is_killed_at_any_step_loses_and_repeats_nothing(journey, new_world, say):
    before = await new_world()
    mail = await journey(before, say)
    await before.store.close()
    world = await new_world(like=before)
    undisturbed = await end(world, mail)
    steps = world.process.fate.names
    if mail:
        assert len(undisturbed[2]) == 1
    for fatal, name in enumerate(steps, 1):
        world = await new_world(like=before)
        world.process = world.begin(fatal)
        with pytest.raises(BaseException) as death:
            await end(world, mail)
        assert death.type is say.Killed
        await world.restart(at_once=journey in IN_TIME)
        assert await end(world, mail) == undisturbed, f"killed at step {fatal}, after {name}"
        await world.store.close()
