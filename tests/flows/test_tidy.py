"""A meeting reaches a calendar without the lines that its server chokes on, and a server that takes it not at all says why."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import ObjectRefused
from gateway.flows.tidy import without_nonsense

HREF = "/alice/calendar/m1.ics"
NONSENSE = ("a line without a colon", "X-\u00c9:2", "X_UNDER:1")


@pytest.fixture
def picky(world: Any) -> Any:
    """A server that refuses an object for one such line, as Radicale does."""
    put = world.calendars.put

    async def strict(account: Any, href: str, data: bytes, *, etag: str) -> Any:
        if any(one.encode() in data for one in NONSENSE):
            raise ObjectRefused(f"PUT {href}: 400 Bad Request")
        return await put(account, href, data, etag=etag)

    world.calendars.put = strict
    return world


async def test_lines_that_are_none_are_left_out_where_the_server_refuses_them_and_that_is_noted(picky, say):
    body = say.invitation().replace("SUMMARY:Lunch", "\n".join(("SUMMARY:Lunch", *NONSENSE)))
    mail = await picky.mail("REQUEST", body)
    assert await picky.told(mail) == [("applied", "invitation-stored")]
    assert "SUMMARY:Lunch" in picky.text(HREF)
    assert not any(one in picky.text(HREF) for one in NONSENSE)
    line = (await picky.store.journal.story(mail))[-1]
    assert {"code": "lines-left-out", "count": "3"} in line["notes"]
    await picky.settle()
    assert picky.got() == []


async def test_what_a_server_takes_is_written_as_it_came(world, say):
    body = say.invitation().replace("SUMMARY:Lunch", "\n".join(("SUMMARY:Lunch", *NONSENSE)))
    await world.mail("REQUEST", body)
    assert all(one in world.text(HREF) for one in NONSENSE)


async def test_what_a_server_does_not_take_fails_at_once_in_its_own_words_and_can_be_released(world, say):
    world.calendars.fail("put", say.untaken, times=9)
    mail = await world.mail("REQUEST", say.invitation())
    assert await world.told(mail) == [("failed", "backend-refused")]
    (line,) = await world.store.journal.story(mail)
    assert "valid-calendar-data" in line["notes"][0]["text"]
    assert await world.waiting() == [("apply", "buried", "backend-refused")]
    world.calendars.faults.clear()
    (job,) = await world.store.queue.list_jobs()
    assert await world.store.queue.release(job["id"])
    await world.work()
    assert "SUMMARY:Lunch" in world.text(HREF)


async def test_one_refused_meeting_keeps_no_other_waiting(world, say):
    world.calendars.fail("put", say.untaken, times=1)
    await world.mail("REQUEST", say.invitation())
    await world.mail("REQUEST", say.invitation(SEQUENCE="1", DTSTAMP="20261102T090000Z"))
    assert "SUMMARY:Lunch" in world.text(HREF)


def test_only_what_is_no_property_goes() -> None:
    kept = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-A;B=c:1\r\nBEGIN:VEVENT\r\nUID:u\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    assert without_nonsense(kept) == (kept, 0)
    worse = kept.replace(b"UID:u\r\n", b"UID:u\r\nno colon\r\n")
    assert without_nonsense(worse) == (kept, 1)
