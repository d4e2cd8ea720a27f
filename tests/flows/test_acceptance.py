"""What people complained of elsewhere, told again here: named after their threads (docs/acceptance.md has the table)."""

from __future__ import annotations

import re
from collections import Counter

import pytest

PATH = "/alice/calendar/"
HREF = f"{PATH}m1.ics"
PAST = {"DTSTART": "20261001T100000Z", "DTEND": "20261001T110000Z"}
MINUTE = {"minutes": 1}


def sent(world) -> Counter[str]:
    return Counter(one.method for one in world.got())


async def of(world, say, *, guests: str = "bob@example.net", count: int = 3) -> list[str]:
    """So many meetings, whose guests are invited and whose invitations are long ago."""
    hrefs = [world.save(say.meeting(f"m{number}", guests), name=f"m{number}") for number in range(count)]
    await world.settle()
    assert sent(world) == {"REQUEST": count * len(guests.split())}
    world.outbox.mails.clear()
    world.clock.forward(hours=1)
    return hrefs


# --- history, imports ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "listing"])
async def test_calendar_576_a_thousand_meetings_that_were_there_mail_nobody(new_world, say, tokens):
    world = await new_world(watched=False)
    world.calendars.tokens = tokens
    for number in range(500):
        world.save(say.meeting(f"future{number}"), name=f"future{number}")
        world.save(say.meeting(f"past{number}", **PAST), name=f"past{number}")
    for _ in range(3):
        await world.settle(minutes=10)
    assert (world.got(), await world.waiting(), await world.store.held.list()) == ([], [], [])


async def test_server_2855_an_import_of_200_while_we_look_is_held_with_one_alarm(new_world, say, caplog):
    world = await new_world(concurrency=16)
    for number in range(200):
        world.save(say.meeting(f"m{number}"), name=f"m{number}")
    await world.settle()
    await world.settle()
    assert world.got() == []
    held = await world.store.held.list()
    assert len(held) == 200
    alarms = [one for one in caplog.records if "watch.held" in one.getMessage()]
    assert len(alarms) == 1, [one.getMessage() for one in alarms][:3]
    assert await world.store.held.approve(held[0]["id"])
    assert await world.store.held.refuse(held[1]["id"])
    await world.work()
    assert [one.value("UID") for one in world.got()] == [held[0]["uid"]]
    assert len(await world.store.held.list()) == 198


@pytest.mark.parametrize("gone", [False, True], ids=["saved", "deleted"])
async def test_a_burst_stays_whole_while_the_server_is_down(new_world, say, gone):
    """What is tried again for some reason, one by one, is no trickle of single changes."""
    world = await new_world(concurrency=4)
    if gone:
        await of(world, say, count=15)
        world.save(say.meeting("stays"), name="stays")
        await world.settle()
        world.outbox.mails.clear()
        world.clock.forward(hours=1)
        for number in range(15):
            world.calendars.remove(f"{PATH}m{number}.ics")
    else:
        for number in range(30):
            world.save(say.meeting(f"m{number}"), name=f"m{number}")
    await world.sync()
    world.calendars.fail("find", say.unavailable, times=20)
    for _ in range(40):
        world.clock.forward(minutes=1)
        await world.work()
    assert world.got() == []
    assert len(await world.store.held.list()) == (15 if gone else 30)


async def test_server_2855_an_import_of_what_is_over_is_neither_mailed_nor_held(new_world, say):
    world = await new_world(concurrency=16)
    for number in range(60):
        world.save(say.meeting(f"m{number}", **PAST), name=f"m{number}")
    await world.settle()
    assert (world.got(), await world.store.held.list()) == ([], [])


async def test_calendar_612_a_guest_who_saves_what_he_was_sent_invites_nobody(world, say):
    world.save(say.invitation(guests="alice@example.org carol@example.com dan@example.net"))
    await world.settle()
    assert world.got() == []


# --- what looks like a deletion --------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "listing"])
@pytest.mark.parametrize("order", ["copied-first", "deleted-first", "at-once"])
async def test_a_move_to_a_calendar_that_nobody_watches_cancels_nothing(new_world, say, tokens, order):
    world = await new_world()
    world.calendars.tokens = tokens
    private = world.calendars.collection("alice@example.org", "private")
    world.calendars.unwatched.add(private)
    href, *_ = await of(world, say)
    text = world.text(href).encode()
    if order == "copied-first":
        world.calendars.save(f"{private}m0.ics", text)
        await world.sync()
    world.calendars.remove(href)
    if order == "deleted-first":
        await world.sync()
    if order != "copied-first":
        world.calendars.save(f"{private}m0.ics", text)
    for _ in range(3):
        await world.settle(minutes=6)
    assert world.got() == []
    assert await world.waiting() == []


@pytest.mark.parametrize("count", [2, 3, 12])
async def test_a_wiped_calendar_cancels_nothing(new_world, say, count):
    """Few or many: a calendar whose meetings go all at once was emptied, not called off one by one."""
    world = await new_world()
    for number in range(count):
        world.save(say.meeting(f"m{number}"), name=f"m{number}")
        await world.settle(hours=1)
    world.outbox.mails.clear()
    for number in range(count):
        world.calendars.remove(f"{PATH}m{number}.ics")
    for _ in range(3):
        await world.settle(minutes=6)
    assert world.got() == []
    assert [one["reason"] for one in await world.store.held.list()] == ["burst"] * count


async def test_a_program_that_empties_and_fills_a_calendar_again_mails_nobody(world, say):
    hrefs = await of(world, say, count=15)
    texts = {href: world.text(href).encode() for href in hrefs}
    for href in hrefs:
        world.calendars.remove(href)
    await world.sync()
    world.clock.forward(**MINUTE)
    await world.work()
    for number, text in enumerate(texts.values()):
        world.calendars.save(f"{PATH}again{number}.ics", text)
    for _ in range(3):
        await world.settle(minutes=6)
    assert (world.got(), await world.store.held.list()) == ([], [])


async def test_a_calendar_that_is_copied_moved_and_deleted_mails_nobody(world, say):
    hrefs = await of(world, say, count=5)
    copy = world.calendars.collection("alice@example.org", "copy")
    for href in hrefs:
        world.calendars.save(href.replace(PATH, copy), world.text(href).encode())
    await world.settle(minutes=10)
    moved = "/alice/moved/"
    world.calendars.log[moved] = []
    world.calendars.objects[moved] = {}
    for href in hrefs:
        world.calendars.save(href.replace(PATH, moved), world.text(href).encode())
    del world.calendars.objects[PATH]
    for _ in range(3):
        await world.settle(minutes=10)
    del world.calendars.objects[copy]
    for _ in range(3):
        await world.settle(minutes=10)
    del world.calendars.objects[moved]
    for _ in range(3):
        await world.settle(hours=1)
    assert world.got() == []


# --- servers that fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "listing"])
@pytest.mark.parametrize("call", ["collections", "sync", "multiget", "find", "get", "profile"])
@pytest.mark.parametrize("error", ["unavailable", "refused"])
async def test_a_password_that_is_gone_or_a_server_that_stops_mails_nobody(
    new_world, say, tokens, call, error
):
    """401, 403, 5xx and a broken line at each question in turn, while a deletion has been seen and before it is."""
    world = await new_world()
    world.calendars.tokens = tokens
    href, other, _ = await of(world, say)
    world.calendars.remove(href)
    await world.sync()
    world.edit(other, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    for name in ("find", "get") if call in ("find", "get") else (call,):
        world.calendars.fail(name, getattr(say, error), times=10**6)
    for _ in range(3):
        await world.settle(minutes=6)
    assert sent(world)["CANCEL"] == 0 or call in ("sync", "multiget")  # the deletion was seen before
    world.calendars.faults.clear()
    for _ in range(4):
        await world.settle(hours=1)
    assert sent(world) == {"CANCEL": 1, "REQUEST": 1}


@pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "listing"])
@pytest.mark.parametrize("left", [0, 1, 4])
async def test_an_answer_that_leaves_members_out_mails_nobody(new_world, say, tokens, left):
    """An expired token makes the next answer a listing; what a broken one leaves out is there when asked for."""
    world = await new_world()
    world.calendars.tokens = tokens
    await of(world, say, count=5)
    await world.sync()
    whole = dict(world.calendars.objects[PATH])
    ask = world.calendars.sync

    async def cut(account, collection, *, token):
        found = await ask(account, collection, token="")
        return say.replace(found, changes=found.changes[:left], full=True)

    world.calendars.sync = cut  # type: ignore[method-assign]
    for _ in range(3):
        await world.settle(minutes=6)
    world.calendars.sync = ask  # type: ignore[method-assign]
    for _ in range(2):
        await world.settle(minutes=6)
    assert world.calendars.objects[PATH] == whole
    assert world.got() == []


async def test_a_token_that_expired_loses_no_change_and_repeats_none(world, say):
    """`valid-sync-token`: the whole is listed, compared by ETag, and only what differs is a change."""
    href, gone, _ = await of(world, say)
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    world.calendars.remove(gone)
    for path in world.calendars.log:
        world.calendars.log[path].clear()  # the server remembers nothing of before
    ask = world.calendars.sync

    async def begun_anew(account, collection, *, token):
        world.calendars.sync = ask  # type: ignore[method-assign]
        return await ask(account, collection, token="")

    world.calendars.sync = begun_anew  # type: ignore[method-assign]
    await world.settle(minutes=6)
    assert sorted((one.method, one.value("UID")) for one in world.got()) == [
        ("CANCEL", "m1"),
        ("REQUEST", "m0"),
    ]


# --- one mail per real change ----------------------------------------------------------------------------------------


async def test_cozy_calendar_83_five_saves_in_a_minute_are_one_mail(world, say):
    href, *_ = await of(world, say, count=1)
    for hour in (11, 12, 13, 14, 15):
        text = re.sub(r"DTSTART:20261110T\d\d", f"DTSTART:20261110T{hour}", world.text(href))
        text = re.sub(r"DTEND:20261110T\d\d", f"DTEND:20261110T{hour + 1}", text)
        world.calendars.save(href, text.encode())
        await world.sync()
        world.clock.forward(seconds=12)
        await world.work()
    await world.drain()
    (mail,) = world.got()
    assert (mail.value("DTSTART"), mail.value("SEQUENCE")) == ("20261110T150000Z", "1")


async def test_calendar_2665_one_guest_added_to_forty_is_one_mail(world, say):
    forty = " ".join(f"guest{number}@example.net" for number in range(40))
    href, *_ = await of(world, say, guests=forty, count=1)
    line = "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:late@example.com\r\nEND:VEVENT"
    world.edit(href, ("END:VEVENT", line))
    await world.drain()
    assert [(one.to, one.method) for one in world.got()] == [("late@example.com", "REQUEST")]


async def test_server_60452_an_answer_for_one_date_mails_nobody(world, say):
    world.save(say.meeting(guests="bob@example.net carol@example.com", RRULE="FREQ=DAILY;COUNT=5"))
    await world.drain()
    world.outbox.mails.clear()
    second = {"DTSTART": "20261111T100000Z", "DTEND": "20261111T110000Z", "RECURRENCE_ID": "20261111T100000Z"}
    await world.mail("REPLY", say.answer(partstat="DECLINED", **second))
    await world.drain()
    assert "PARTSTAT=DECLINED" in world.text(HREF)
    assert world.got() == []


async def test_two_programs_that_save_over_each_other_do_not_mail_in_circles(world, say):
    """Each writes its own habits back: alarms, stamps, the order of lines."""
    href, *_ = await of(world, say, count=1)
    for number in range(6):
        text = re.sub(r"DTSTAMP:\S+", f"DTSTAMP:20261102T0900{number:02}Z", world.text(href))
        text = re.sub(r"X-HABIT:\d+\r\n", "", text)
        world.calendars.save(href, text.replace("END:VEVENT", f"X-HABIT:{number}\r\nEND:VEVENT").encode())
        await world.settle()
    assert world.got() == []
