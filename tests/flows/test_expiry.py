"""What was cancelled leaves the calendar in time, and what anybody has touched since stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

HREF = "/alice/calendar/m1.ics"
CANCELLED = {"SEQUENCE": "1", "STATUS": "CANCELLED", "DTSTAMP": "20261101T090000Z"}
LATER = ("applied", "cancelled-expired")
STAYS = ("unchanged", "cancelled-expired")


@pytest.fixture
async def cancelled(world, say):
    """A meeting that its organizer has called off, a week before it leaves the calendar."""
    world.policy = say.replace(world.policy, cancel="delete-after", cancel_after=timedelta(days=7))
    await world.mail("REQUEST", say.invitation())
    await world.settle()
    mail = await world.mail("CANCEL", say.invitation(**CANCELLED))
    assert await world.told(mail) == [("applied", "meeting-cancelled")]
    await world.settle()
    return world


async def test_it_stays_marked_until_then_and_leaves_without_a_word_to_anybody(cancelled):
    await cancelled.settle(days=6)
    assert "STATUS:CANCELLED" in cancelled.text(HREF)
    await cancelled.settle(days=1, minutes=1)
    assert cancelled.text(HREF) == ""
    assert (await cancelled.told("m1"))[-1] == LATER
    await cancelled.drain()
    assert cancelled.got() == [] and await cancelled.waiting() == []


async def test_drain_does_not_wait_for_it(cancelled):
    assert await cancelled.store.queue.drained(True)


@pytest.mark.parametrize("settled", [True, False])
async def test_what_its_owner_has_touched_meanwhile_stays(cancelled, settled):
    cancelled.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Lunch\r\nX-NOTE:to remember"))
    if settled:
        await cancelled.settle()
    cancelled.clock.forward(days=8)
    await cancelled.work()
    assert "X-NOTE:to remember" in cancelled.text(HREF)
    assert STAYS in await cancelled.told("m1")


async def test_what_is_on_again_stays(cancelled, say):
    await cancelled.mail("REQUEST", say.invitation(SEQUENCE="2", DTSTAMP="20261101T100000Z"))
    await cancelled.settle(days=8)
    assert "SUMMARY:Lunch" in cancelled.text(HREF) and "STATUS:CANCELLED" not in cancelled.text(HREF)
    assert (await cancelled.told("m1"))[-1] == STAYS


async def test_what_its_owner_has_deleted_himself_is_gone_already(cancelled):
    cancelled.calendars.remove(HREF)
    await cancelled.settle(minutes=6)
    await cancelled.settle(days=8)
    assert (await cancelled.told("m1"))[-1] == STAYS


async def test_a_server_that_is_away_just_then_is_asked_again(cancelled, say):
    cancelled.clock.forward(days=7, minutes=1)
    cancelled.calendars.fail("find", say.unavailable, times=3)
    await cancelled.drain()
    assert cancelled.text(HREF) == ""


async def test_single_cancelled_dates_of_a_series_stay_marked(world, say):
    world.policy = say.replace(world.policy, cancel="delete-after", cancel_after=timedelta(days=7))
    await world.mail("REQUEST", say.invitation(RRULE="FREQ=WEEKLY;COUNT=3"))
    await world.mail("CANCEL", say.invitation(RECURRENCE_ID="20261110T100000Z", **CANCELLED))
    await world.settle(days=8)
    assert "RRULE" in world.text(HREF)


async def test_the_organizers_own_meeting_leaves_by_nobodys_answer(world, say):
    world.policy = say.replace(world.policy, cancel="delete-after", cancel_after=timedelta(days=7))
    await world.sync()
    world.save(say.meeting())
    await world.settle()
    world.edit(HREF, ("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY"))
    await world.settle()
    await world.mail("REPLY", say.answer(), sender="bob@example.net")
    await world.settle(days=8)
    assert "STATUS:CANCELLED" in world.text(HREF)
