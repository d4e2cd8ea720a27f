"""What is given up leaves the calendar whole, and is told to whoever waits for it, once."""

from __future__ import annotations

from email import message_from_bytes

import pytest

from gateway.flows.worker import LEASE
from gateway.ports import Peer
from gateway.store.claims import MOST_DEATHS

ALICE, BOB, DAVE = "alice@example.org", "bob@example.net", "dave@example.com"
HREF = "/alice/calendar/m1.ics"
PEER = Peer(
    role="outgoing",
    address="192.0.2.1",
    trusted=True,
    after="render",
    relay_to="smtp://next:25",
    evidence="network",
)


async def mails(world, say, peer=PEER, sender=ALICE) -> None:
    """Alice mails a meeting to Bob, with a blind copy for Dave."""
    content = say.raw_mail(
        say.calendar(say.meeting(), "REQUEST"), "REQUEST", sender=ALICE, to=BOB, message_id="<d@example.org>"
    )
    await world.deliver(content, to=f"{BOB},{DAVE}", sender=sender, peer=peer)


async def goes_by(world, days: int = 3) -> None:
    """Time, in which jobs are tried again."""
    for _ in range(days * 24):
        await world.work()
        world.clock.forward(hours=1, minutes=15)


def reports(world) -> list[tuple[list[str], str]]:
    """To whom, and what."""
    found = [
        ([to.address for to in one.envelope.recipients], one.content.decode()) for one in world.onward.mails
    ]
    world.onward.mails.clear()
    return found


async def release(world) -> None:
    (job,) = await world.store.queue.list_jobs()
    assert job["state"] == "buried"
    assert await world.store.queue.release(job["id"])


@pytest.mark.parametrize("error", ["unavailable", "untaken"])
async def test_who_mailed_a_meeting_that_no_calendar_took_gets_a_report_once(world, say, error):
    dead = world.calendars.fail("put", getattr(say, error), times=999)
    await mails(world, say)
    await goes_by(world)
    ((to, text),) = reports(world)
    assert to == [ALICE]
    assert message_from_bytes(text.encode()).get_content_subtype() == "report"
    assert f"Final-Recipient: rfc822; {BOB}" in text and f"Final-Recipient: rfc822; {DAVE}" in text
    assert "Status: 5.3.0" in text and "nobody was invited" in text
    assert world.got() == []
    await release(world)
    await goes_by(world)
    assert reports(world) == [], "he has been told"
    dead.times = 0
    await release(world)
    await world.drain()
    assert [(one.method, one.to) for one in world.got()] == [("REQUEST", BOB)]
    assert [to for to, _ in reports(world)] == [[DAVE]]


async def dies_with_everything(world) -> None:
    """Five processes, until nothing is left that another may run."""
    for _ in range(MOST_DEATHS):
        await world.store.queue.claim("dead", limit=1, lease=LEASE)
        world.clock.forward(minutes=5)


async def test_who_mailed_a_meeting_that_killed_every_process_gets_a_report_once(world, say):
    world.calendars.fail("put", say.unavailable)  # so that the mail has been read
    await mails(world, say)
    await world.work()
    for told in (1, 0):  # the second time she knows
        world.clock.forward(minutes=5)
        await dies_with_everything(world)
        await world.drain()
        found = reports(world)
        assert len(found) == told
        assert all(to == [ALICE] and "nobody was invited" in text for to, text in found)
        assert world.got() == [] and world.calendars.objects["/alice/calendar/"] == {}
        await release(world)
    await world.drain()
    assert [(one.method, one.to) for one in world.got()] == [("REQUEST", BOB)]


async def test_who_mailed_what_killed_every_process_that_read_it_gets_a_report(world, say):
    await mails(world, say)
    await dies_with_everything(world)
    await world.drain()
    ((to, text),) = reports(world)
    assert to == [ALICE] and "was not passed on" in text
    assert f"Final-Recipient: rfc822; {BOB}" in text and f"Final-Recipient: rfc822; {DAVE}" in text
    (job,) = await world.store.queue.list_jobs()
    (line,) = await world.store.journal.story(job["id"])
    assert (line["outcome"], line["reason"]) == ("failed", "internal-error")
    assert line["notes"] == [{"code": "detail", "text": "the process that worked on it died 5 times"}]


async def test_who_mailed_as_nobody_hears_nothing(world, say):
    await mails(world, say, sender="")
    await dies_with_everything(world)
    await world.drain()
    assert [state for _, state, _ in await world.waiting()] == ["buried"]
    assert reports(world) == []


async def test_what_cannot_be_told_of_is_buried_all_the_same(world, say, monkeypatch):
    def broken(*_):
        raise ValueError("no mail")

    await mails(world, say)
    await dies_with_everything(world)
    monkeypatch.setattr("gateway.flows.burial.unpack_mail", broken)
    await world.drain()
    assert [state for _, state, _ in await world.waiting()] == ["buried"]
    assert reports(world) == []


async def test_a_released_mail_whose_meeting_had_been_written_is_told_once(world, say):
    world.calendars.fail("put", say.unavailable, after=True)
    dead = world.calendars.fail("find", say.unavailable, times=999, after=True)
    await mails(world, say)
    await goes_by(world)
    assert "Lunch" in world.text(HREF) and world.got() == []
    assert len(reports(world)) == 1
    dead.times = 0
    await release(world)
    await world.drain()
    assert [(one.method, one.to) for one in world.got()] == [("REQUEST", BOB)]


async def test_what_nobody_mailed_is_buried_without_a_word(world, say):
    world.calendars.fail("put", say.unavailable, times=999)
    await world.mail("REQUEST", say.invitation())
    await goes_by(world)
    assert [state for _, state, _ in await world.waiting()] == ["buried"]
    assert reports(world) == [] and world.got() == []


async def test_a_copy_that_was_deleted_to_be_written_anew_is_given_up_by_nobody(world, say):
    world.calendars.replaces = True
    await world.mail("REQUEST", say.invitation())
    real, dead = world.calendars.put, True

    async def put(account, href, data, *, etag):
        if dead and not etag:
            raise say.unavailable
        return await real(account, href, data, etag=etag)

    world.calendars.put = put
    later = say.invitation(SEQUENCE="1", DTSTAMP="20261101T090000Z", SUMMARY="Brunch")
    mail = await world.mail("REQUEST", later)
    await goes_by(world)
    assert world.text(HREF) == ""
    assert [state for _, state, _ in await world.waiting()] == ["due"]
    world.calendars.fail("get", say.unavailable, times=99)
    world.calendars.fail("find", say.unavailable, times=99)
    await goes_by(world)
    assert [state for _, state, _ in await world.waiting()] == ["due"]
    dead = False
    world.calendars.faults.clear()
    await goes_by(world, days=1)
    assert "SUMMARY:Brunch" in world.text(HREF)
    assert (await world.told(mail))[-1][0] == "applied"
    assert await world.waiting() == []


async def test_a_copy_that_a_deadly_job_had_deleted_is_written_when_it_is_released(world, say):
    world.calendars.replaces = True
    await world.mail("REQUEST", say.invitation())
    world.edit(HREF, ("SUMMARY:Lunch", "X-MINE:1\r\nSUMMARY:Lunch"))
    await world.settle()
    await world.mail("REQUEST", say.invitation(SEQUENCE="1", SUMMARY="Brunch"), run=False)
    world.calendars.fail("delete", say.unavailable, after=True)
    await world.work()
    assert world.text(HREF) == ""
    (job,) = await world.store.queue.list_jobs()
    world.clock.forward(hours=1)
    (held,) = await world.store.queue.claim("w", limit=1, lease=world.process.worker.lease)
    await world.store.queue.bury(held, "internal-error")
    await release(world)
    await world.work()
    assert "SUMMARY:Brunch" in world.text(HREF) and "X-MINE" in world.text(HREF)
