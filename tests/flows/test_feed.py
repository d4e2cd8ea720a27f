"""What a guest subscribes to follows the meeting, and its key opens nothing else."""

from __future__ import annotations

import re

import pytest

from gateway.flows.feed import Feed
from gateway.ports import Visit

BOB, CAROL = "bob@example.net", "carol@example.com"
HREF = "/alice/calendar/m1.ics"


@pytest.fixture
async def subscribed(world, say):
    """The key of the feed that Bob's page names, and the key of the page."""
    world.save(say.meeting(guests=f"{BOB} {CAROL}"))
    await world.drain()
    mail = next(one for one in world.outbox.mails if one.recipient == BOB)
    text = mail.content.decode().replace("=\r\n", "")
    world.page = re.search(r"http://pages/r/([^?\s]+)\?a=3Dyes", text)[1]  # type: ignore[index]
    shown = await world.rsvp.show(Visit(token=world.page))
    world.key = re.search(r'href="webcal://pages/c/([^/"]+)/event.ics"', shown.html)[1]  # type: ignore[index]
    world.feed = Feed(opener=world.rsvp._opener, pages=world.rsvp._pages)
    return world


async def test_the_meeting_is_there_as_it_is_now(subscribed):
    found = await subscribed.feed.calendar(Visit(token=subscribed.key))
    assert b"METHOD:PUBLISH" in found and b"SUMMARY:Lunch" in found
    subscribed.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    assert b"SUMMARY:Dinner" in await subscribed.feed.calendar(Visit(token=subscribed.key))


async def test_its_key_answers_nothing_and_that_of_the_page_is_none_of_its_own(subscribed):
    assert (await subscribed.rsvp.show(Visit(token=subscribed.key))).status == 404
    assert (await subscribed.organizing.show(Visit(token=subscribed.key))).status == 404
    assert await subscribed.feed.calendar(Visit(token=subscribed.page)) is None
    for visit in (Visit(token=subscribed.key), Visit(token=subscribed.key, form={"answer": "accepted"})):
        assert (await subscribed.feed.show(visit)).status == (await subscribed.feed.take(visit)).status == 404


async def test_it_ends_with_the_links_of_its_letter(subscribed):
    await subscribed.store.links.revoke("alice@example.org", "m1", {BOB})
    assert await subscribed.feed.calendar(Visit(token=subscribed.key)) is None
