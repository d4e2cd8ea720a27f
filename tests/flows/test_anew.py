"""A copy that has to be deleted to be changed is never lost."""

from __future__ import annotations

from datetime import timedelta

from gateway.errors import BackendUnavailable, ObjectRefused

HREF = "/alice/calendar/m1.ics"
MOVED = {"SEQUENCE": "1", "DTSTAMP": "20261101T090000Z", "DTSTART": "20261112T100000Z"}


async def moved(world, say, *faults):
    """A noted invitation moves while the server fails so."""
    world.calendars.replaces = True
    await world.mail("REQUEST", say.invitation())
    await world.drain()
    world.edit(HREF, ("SUMMARY:Lunch", "X-MINE:1\r\nSUMMARY:Lunch"))
    await world.settle(minutes=10)
    world.calendars.calls.clear()
    mail = await world.mail("REQUEST", say.invitation(**MOVED, DTEND="20261112T110000Z"), run=False)
    for call, error in faults:
        world.calendars.fail(call, error, after=True)
    await world.drain()
    return mail


async def test_a_refused_change_is_deleted_and_written_anew(world, say):
    mail = await moved(world, say)
    assert [one for one in world.calendars.calls if one in ("put", "delete")] == ["put", "delete", "put"]
    assert await world.told(mail) == [("applied", "invitation-rescheduled")]
    assert "20261112T100000Z" in world.text(HREF) and "X-MINE" in world.text(HREF)


async def test_what_is_not_taken_anew_either_is_put_back(world, say):
    real = world.calendars.put

    async def put(account, href, data, *, etag):
        if not etag and b"20261112" in data:
            raise ObjectRefused("413")
        return await real(account, href, data, etag=etag)

    world.calendars.put = put
    mail = await moved(world, say)
    assert "applied" not in [one[0] for one in await world.told(mail)]
    assert "20261110T100000Z" in world.text(HREF) and "X-MINE" in world.text(HREF)
    assert world.got() == []


async def test_a_server_that_goes_away_in_between_finds_it_again(world, say):
    mail = await moved(world, say, ("delete", BackendUnavailable("503")))
    await world.settle(hours=1)
    assert [one[0] for one in await world.told(mail)] == ["applied"]
    assert "20261112T100000Z" in world.text(HREF) and "X-MINE" in world.text(HREF)
    assert world.got() == []


async def test_what_its_owner_changed_meanwhile_is_not_deleted(world, say):
    world.calendars.fail("delete", act=lambda: world.edit(HREF, ("X-MINE:1", "X-MINE:2")))
    await moved(world, say)
    assert "20261112T100000Z" in world.text(HREF) and "X-MINE:2" in world.text(HREF)


async def test_a_server_that_takes_nothing_for_an_hour_in_between_makes_nobody_decline(world, say):
    world.calendars.replaces = True
    await world.mail("REQUEST", say.invitation())
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    world.save(say.event("other"), name="other")
    await world.settle()
    real, until = world.calendars.put, world.clock.now() + timedelta(hours=1)

    async def put(account, href, data, *, etag):
        if not etag and world.clock.now() < until:
            raise BackendUnavailable("507")
        return await real(account, href, data, etag=etag)

    world.calendars.put = put
    later = say.invitation(SEQUENCE="1", DTSTAMP="20261101T090000Z", SUMMARY="Brunch")
    mail = await world.mail("REQUEST", later, run=False)
    await world.work()
    assert world.text(HREF) == ""
    for _ in range(16):
        await world.settle(minutes=9)
    assert [one[0] for one in await world.told(mail)] == ["applied"]
    assert "SUMMARY:Brunch" in world.text(HREF) and "PARTSTAT=ACCEPTED" in world.text(HREF)
    assert [one.partstat for one in world.got()] == ["ACCEPTED"]
