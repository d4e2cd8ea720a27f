"""What a look at a calendar finds: history, echoes, changes, and failures that are never deletions."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.flows.watch import rounds_json

HREF = "/alice/calendar/m1.ics"
PATH = "/alice/calendar/"


async def mine(world):
    """The round over Alice's calendar."""
    return next(one for one in await world.sync() if one.collection == PATH)


async def test_the_first_sight_of_a_calendar_mails_nothing(new_world, say):
    world = await new_world(watched=False)
    for number in range(5):
        world.save(say.meeting(f"m{number}"), name=f"m{number}")
    found = await mine(world)
    assert (found.baseline, found.changed, found.error) == (True, 0, "")
    await world.settle(minutes=10)
    assert world.got() == []
    assert len(await world.store.snapshots.of_collection("alice@example.org", PATH)) == 5


async def test_a_change_after_the_first_sight_is_compared_with_it(new_world, say):
    world = await new_world(watched=False)
    href = world.save(say.meeting())
    await world.sync()
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.settle()
    assert [one.value("SUMMARY") for one in world.got()] == ["Dinner"]


async def test_a_calendar_that_appears_later_is_seen_for_the_first_time_too(world, say):
    path = world.calendars.collection("alice@example.org", "shared")
    world.save(say.meeting(), path=path)
    await world.settle(minutes=10)
    assert world.got() == []


async def test_what_we_wrote_ourselves_is_no_change(world, say):
    await world.mail("REQUEST", say.invitation())
    assert (await mine(world)).changed == 0


async def test_what_we_wrote_ourselves_is_no_change_where_the_server_rewrites_it(world, say):
    world.calendars.rewrite = lambda data: data.replace(b"PRODID:", b"X-SERVER:1\r\nPRODID:")
    await world.mail("REQUEST", say.invitation())
    assert (await mine(world)).changed == 0


async def test_a_cosmetic_save_is_taken_into_the_snapshot_without_a_job(world, say):
    href = world.save(say.meeting())
    await world.settle()
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Lunch\r\nX-COLOR:red"))
    assert (await mine(world)).changed == 0
    snapshot = await world.store.snapshots.by_href("alice@example.org", href)
    assert b"X-COLOR" in snapshot.data


async def test_objects_that_schedule_nothing_are_indexed_without_their_text(world, say):
    href = world.save(say.event("private"))
    assert (await mine(world)).changed == 0
    snapshot = await world.store.snapshots.by_href("alice@example.org", href)
    assert (snapshot.uid, snapshot.data) == ("private", b"")


async def test_an_appointment_becomes_a_meeting_when_guests_are_added(world, say):
    href = world.save(say.event())
    await world.settle()
    world.save(say.meeting())
    await world.settle()
    assert [one.method for one in world.got("bob@example.net")] == ["REQUEST"]
    assert href == HREF


async def test_the_organizer_alone_makes_a_meeting_of_a_list_of_guests(world, say):
    """ORGANIZER is in no fingerprint, yet it decides whether anything is scheduled."""
    guest = "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.net"
    world.save(say.event(more=guest))
    await world.settle()
    world.save(say.event(more=f"ORGANIZER:mailto:alice@example.org\n{guest}"))
    await world.settle()
    assert [one.method for one in world.got("bob@example.net")] == ["REQUEST"]


@pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "listing"])
@pytest.mark.parametrize("error", ["unavailable", "refused"])
async def test_a_calendar_that_cannot_be_read_cancels_nothing(new_world, say, tokens, error):
    world = await new_world()
    world.calendars.tokens = tokens
    world.save(say.meeting())
    await world.settle()
    world.calendars.fail("sync", getattr(say, error), path=PATH)
    found = await mine(world)
    assert found.error
    await world.settle(minutes=10)
    assert [one.method for one in world.got()] == ["REQUEST"]


async def test_an_error_in_the_midst_of_a_round_moves_no_token(world, say):
    href = world.save(say.meeting())
    world.calendars.fail("multiget", say.unavailable)
    assert (await mine(world)).error
    await world.settle()
    assert [one.method for one in world.got()] == ["REQUEST"]
    assert href in world.calendars.objects[PATH]


async def test_what_is_settled_and_deleted_while_the_server_is_asked_is_cancelled(world, say, monkeypatch):
    """The token goes past the deletion: no later round would hear of it."""
    href = world.save(say.meeting())
    await world.sync()
    world.clock.forward(seconds=31)
    ask = world.calendars.sync

    async def slowly(*given, **named):
        await world.work()
        world.calendars.remove(href)
        return await ask(*given, **named)

    monkeypatch.setattr(world.calendars, "sync", slowly)
    await mine(world)
    monkeypatch.undo()
    await world.drain()
    assert [one.method for one in world.got()] == ["REQUEST", "CANCEL"]


async def test_an_empty_listing_is_not_believed(new_world, say):
    world = await new_world()
    world.calendars.tokens = False
    world.save(say.meeting())
    await world.settle()
    await world.sync()
    lost = dict(world.calendars.objects[PATH])
    world.calendars.objects[PATH].clear()
    assert "not believed" in (await mine(world)).error
    await world.settle(minutes=10)
    world.calendars.objects[PATH].update(lost)
    await world.settle(minutes=10)
    assert [one.method for one in world.got()] == ["REQUEST"]


async def test_what_a_truncated_listing_leaves_out_is_looked_for_before_it_counts_as_gone(new_world, say):
    world = await new_world()
    world.calendars.tokens = False
    world.save(say.meeting())
    world.save(say.meeting("m2"), name="m2")
    await world.settle()
    await world.sync()
    hidden = world.calendars.objects[PATH].pop(HREF)
    await world.sync()
    world.calendars.objects[PATH][HREF] = hidden
    world.clock.forward(minutes=10)
    await world.work()
    assert [one.method for one in world.got()] == ["REQUEST", "REQUEST"]


async def test_a_calendar_that_vanished_cancels_nothing_even_with_a_change_under_way(world, say):
    href = world.save(say.meeting())
    world.calendars.collection("alice@example.org", "other")
    await world.settle()
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.sync()
    vanished = world.calendars.objects.pop(PATH)
    await world.settle(hours=1)
    assert [one.method for one in world.got()] == ["REQUEST"]
    world.calendars.objects[PATH] = vanished
    world.clock.forward(hours=1)
    await world.drain()
    assert [one.value("SUMMARY") for one in world.got()] == ["Lunch", "Dinner"]


async def test_a_calendar_that_was_deleted_makes_nobody_look_oftener_and_when_it_is_back_it_goes_on(
    world, say
):
    href = world.save(say.meeting())
    world.calendars.collection("alice", "other")
    await world.settle()
    lost = world.calendars.objects.pop(PATH)
    world.clock.forward(hours=1)
    for _ in range(2):
        await world.sync()
        assert await world.store.snapshots.due(world.clock.now()) == frozenset()
        world.clock.forward(days=1)
    world.calendars.objects[PATH] = lost
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.drain()
    assert [one.value("SUMMARY") for one in world.got()] == ["Lunch", "Dinner"]


async def test_a_calendar_that_is_back_when_it_was_forgotten_is_history(world, say):
    world.save(say.meeting())
    world.calendars.collection("alice", "other")
    await world.settle()
    lost = world.calendars.objects.pop(PATH)
    await world.sync()
    world.clock.forward(days=3)
    await world.store.forget(world.clock.now())
    world.calendars.objects[PATH] = lost
    await world.settle(minutes=10)
    assert [one.method for one in world.got()] == ["REQUEST"]


async def test_a_meeting_that_may_not_be_read_any_more_is_not_gone(world, say):
    href = world.save(say.meeting())
    world.save(say.meeting("m2"), name="m2")
    await world.settle()
    world.calendars.remove(href)
    await world.sync()
    world.calendars.fail("get", say.refused, times=99)
    await world.settle(minutes=6)
    assert [one.method for one in world.got()] == ["REQUEST", "REQUEST"]
    assert ("apply", "due", "backend-refused") in await world.waiting()


async def test_an_object_that_became_unreadable_is_neither_gone_nor_new(world, say):
    href = world.save(say.meeting())
    await world.settle()
    whole = world.text(href)
    world.calendars.save(href, b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    await world.settle(minutes=10)
    world.calendars.save(href, whole.replace("Lunch", "Dinner").encode())
    await world.settle()
    assert [(one.method, one.value("SUMMARY")) for one in world.got()] == [
        ("REQUEST", "Lunch"),
        ("REQUEST", "Dinner"),
    ]


async def test_an_unreadable_object_that_is_deleted_leaves_nothing_behind(new_world, say):
    world = await new_world()
    world.calendars.tokens = False
    world.save(say.meeting())
    world.calendars.save("/alice/calendar/bad.ics", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    await world.settle()
    world.calendars.remove("/alice/calendar/bad.ics")
    assert (await mine(world)).changed == 0
    assert (await mine(world)).changed == 0


async def lease(world, **time: float) -> None:
    assert await world.store.snapshots.lease_collection(
        "alice@example.org", PATH, worker="another", lease=timedelta(**time)
    )


async def test_only_one_process_looks_at_a_calendar_at_a_time(world):
    alice = world.accounts.find("alice@example.org")
    world.clock.forward(hours=1)
    await lease(world, minutes=1)
    assert await world.process.watch.due(alice) == ()
    world.clock.forward(minutes=1)
    assert [one.error for one in await world.process.watch.due(alice)] == [""]


async def test_a_command_waits_for_the_round_of_another_process(world, monkeypatch):
    monkeypatch.setattr("gateway.flows.watch.BEAT", 0.001)
    await lease(world, minutes=1)
    looking = asyncio.create_task(mine(world))
    await asyncio.sleep(0.02)
    assert not looking.done()
    world.clock.forward(minutes=1)
    assert (await looking).error == ""


async def test_a_round_that_comes_back_after_its_lease_writes_nothing(new_world, say, monkeypatch):
    """A machine that was paused in the middle of a look; what it saw is older than what another one has settled since."""
    world = await new_world()
    href = world.save(say.meeting())
    await world.settle()
    alice = world.accounts.find("alice@example.org")
    paused, sync = world.begin(), world.calendars.sync

    async def late(account, collection, *, token):
        found = await sync(account, collection, token=token)
        if collection == PATH:
            monkeypatch.setattr(world.calendars, "sync", sync)
            world.clock.forward(minutes=2)
            world.edit(href, ("SUMMARY:Brunch", "SUMMARY:Dinner"))
            await world.settle()
        return found

    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Brunch"))
    world.clock.forward(hours=1)
    monkeypatch.setattr(world.calendars, "sync", late)
    said = [one.error for one in await paused.watch.due(alice) if one.collection == PATH]
    assert said == [f"{PATH}: the lease of the round is lost"]
    await world.settle(minutes=20)
    assert [one.value("SUMMARY") for one in world.got()] == ["Lunch", "Dinner"]


async def test_a_round_that_loses_its_lease_is_stopped(world, monkeypatch):
    monkeypatch.setattr("gateway.flows.watch.LEASE", timedelta(seconds=0.03))

    async def hangs(account, collection, *, token):
        world.clock.forward(minutes=1)
        await lease(world, minutes=1)
        await asyncio.Event().wait()

    monkeypatch.setattr(world.calendars, "sync", hangs)
    assert "another process" in (await mine(world)).error
    (state,) = [one for one in await world.store.snapshots.collections() if one.path == PATH]
    assert state.error == "", "the round of the other process is as it was"


async def test_a_command_does_not_wait_for_ever(world, monkeypatch):
    monkeypatch.setattr("gateway.flows.watch.BEAT", 0)
    await lease(world, minutes=1)
    assert "another process" in (await mine(world)).error


async def test_a_failed_round_gives_the_lease_back(world, say):
    world.calendars.fail("sync", say.unavailable, path=PATH)
    assert (await mine(world)).error
    assert (await mine(world)).error == ""


async def test_a_bug_ends_neither_the_watch_nor_its_lease(world, say):
    world.calendars.fail("sync", ZeroDivisionError(), path=PATH)
    assert (await mine(world)).error == "ZeroDivisionError"
    assert (await mine(world)).error == ""
    world.calendars.fail("collections", ZeroDivisionError())
    assert [one.error for one in await world.sync()][0] == "ZeroDivisionError"


async def test_an_account_whose_server_is_silent_is_told_and_asked_again_after_a_pause(world, say):
    alice = world.accounts.find("alice@example.org")
    world.clock.forward(hours=1)
    world.calendars.fail("collections", say.unavailable)
    (found,) = await world.process.watch.due(alice)
    assert found.error
    assert await world.process.watch.due(alice) == ()
    world.clock.forward(minutes=1)
    assert [one.error for one in await world.process.watch.due(alice)] == [""]


async def test_a_quiet_calendar_is_looked_at_less_and_less_often_and_a_busy_one_at_once(world, say):
    async def interval() -> float:
        (state,) = await world.store.snapshots.collections("alice@example.org")
        return state.interval

    seen = []
    for _ in range(9):
        await world.sync()
        seen.append(await interval())
    assert seen == sorted(seen)
    assert seen[-1] == 600
    world.save(say.meeting())
    await world.sync()
    assert await interval() == 60


async def test_a_calendar_is_due_when_its_time_has_come(world, say):
    alice = world.accounts.find("alice@example.org")
    assert await world.process.watch.due(alice) == ()
    world.clock.forward(minutes=2)
    assert [one.collection for one in await world.process.watch.due(alice)] == [PATH]


async def test_a_shorter_interval_counts_from_the_start_on(world, say):
    for _ in range(9):
        await world.sync()
    world.interval = timedelta(seconds=5)
    await world.restart()
    alice = world.accounts.find("alice@example.org")
    assert [one.collection for one in await world.process.watch.due(alice)] == [PATH]
    assert await world.process.watch.due(alice) == ()


async def test_a_round_that_goes_on_from_a_token_reads_of_what_is_known_only_what_changed(
    world, say, monkeypatch
):
    """A calendar of 10 000 objects costs what one of 100 costs."""
    hrefs = [world.save(say.meeting(f"m{number}"), name=f"m{number}") for number in range(5)]
    await world.settle()
    await world.sync()
    asked, ask = [], world.store.snapshots.etags

    async def etags(account, collection, *, hrefs=None):
        asked.append(hrefs)
        return await ask(account, collection, hrefs=hrefs)

    monkeypatch.setattr(world.store.snapshots, "etags", etags)
    await world.sync()
    assert asked == [[]]
    world.edit(hrefs[3], ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    assert (await mine(world)).changed == 1
    assert asked == [[], [hrefs[3]]]


async def test_what_a_job_settled_during_a_round_is_not_overwritten_by_it(world, say):
    await world.mail("REQUEST", say.invitation())
    world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Lunch\r\nX-MINE:1"))
    newer = say.invitation(SEQUENCE="1", LOCATION="Bar")
    real = world.store.snapshots.by_href

    async def by_href(*args):
        found = await real(*args)
        world.store.snapshots.by_href = real
        await world.mail("REQUEST", newer)
        return found

    world.store.snapshots.by_href = by_href
    await world.sync()
    (snapshot,) = await world.store.snapshots.by_uid("alice@example.org", "m1")
    assert b"LOCATION:Bar" in snapshot.data
    assert b"LOCATION:Bar" in snapshot.base


async def test_the_round_is_told_as_the_interface_says(world):
    (found, *_) = rounds_json(await world.sync())
    assert found == {
        "account": "alice@example.org",
        "collection": PATH,
        "changed": 0,
        "baseline": False,
        "error": None,
    }


@pytest.mark.parametrize("when", ["before", "around"])
@pytest.mark.parametrize(
    ("what", "known", "told"),
    [
        ("deleted", False, ["REQUEST", "CANCEL"]),
        ("deleted", True, ["REQUEST", "CANCEL"]),
        ("without guests", False, ["REQUEST", "CANCEL"]),
        ("newer", False, ["REQUEST", "REQUEST"]),
        ("as it was", False, ["REQUEST"]),
    ],
)
async def test_what_happens_between_a_look_and_its_settling_is_told_once_and_not_lost(
    new_world, say, database, monkeypatch, *, when, what, told, known
):
    """The round that sees it ends before the job settles what it looked at, or begins before and ends after."""
    world = await new_world(database=database)
    if known:
        href = world.save(say.meeting())
        await world.settle()
        assert world.got().pop().method == "REQUEST"
        world.outbox.mails.clear()
        world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Brunch"))
    else:
        href = world.save(say.meeting(SUMMARY="Brunch"))
    await world.sync()
    world.clock.forward(seconds=31)
    looked, halfway, settled = asyncio.Event(), asyncio.Event(), asyncio.Event()
    settle, synced = world.store.plans.settle, world.store.snapshots.synced

    async def late(*args, **facts):
        monkeypatch.setattr(world.store.plans, "settle", settle)
        if what == "deleted":
            world.calendars.remove(href)
        elif what == "without guests":
            world.save(say.event(SUMMARY="Brunch"))
        elif what == "newer":
            world.edit(href, ("SUMMARY:Brunch", "SUMMARY:Dinner"))
        else:
            world.edit(href, ("SUMMARY:Brunch", "SUMMARY:Brunch\r\nX-SEEN:1"))
        looked.set()
        if when == "before":
            await world.sync()
        else:
            await halfway.wait()
        await settle(*args, **facts)
        settled.set()

    async def ends_late(state, **facts):
        if state.path == PATH:
            monkeypatch.setattr(world.store.snapshots, "synced", synced)
            halfway.set()
            await settled.wait()
        await synced(state, **facts)

    monkeypatch.setattr(world.store.plans, "settle", late)
    working = asyncio.create_task(world.work())
    await looked.wait()
    if when == "around":
        monkeypatch.setattr(world.store.snapshots, "synced", ends_late)
        await world.sync()
    await working
    for _ in range(3):
        await world.settle(minutes=11)
    assert [one.method for one in world.got()] == told
    assert what == "newer" or world.got()[0].value("SUMMARY") == "Brunch"
