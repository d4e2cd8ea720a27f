"""Somebody answers a meeting to which nobody has invited him: its organizer decides on his page, as with `held`."""

from __future__ import annotations

import re

import pytest

from gateway.ports import Shown, Visit

ALICE, BOB, EVE = "alice@example.org", "bob@example.net", "eve@example.net"
HREF = "/alice/calendar/m1.ics"
HERS = f"PARTSTAT=ACCEPTED:mailto:{EVE}"
UNDO = 61


class Page:
    """Where the letter about Eve leads Alice."""

    def __init__(self, world, token: str) -> None:
        self.world, self.token = world, token
        self.html = ""

    async def look(self) -> str:
        self.html = (await self.world.organizing.show(Visit(token=self.token))).html
        return self.html

    async def send(self, **form: str) -> str:
        nonce = re.search(r'name="csrf" value="([^"]+)"', self.html)[1]
        sent: Shown = await self.world.organizing.take(
            Visit(token=self.token, form={"csrf": nonce, "crasher": EVE, **form})
        )
        return sent.location

    async def say(self, answer: str, **form: str) -> str:
        await self.look()
        self.world.clock.forward(seconds=5)
        return await self.send(answer=answer, **form)

    async def pass_by(self) -> None:
        self.world.clock.forward(seconds=UNDO)
        await self.world.drain()


@pytest.fixture
async def crashed(world, say):
    """Eve has accepted what Alice asked Bob."""
    world.save(say.meeting(guests=BOB))
    await world.drain()
    world.eve = await world.mail("REPLY", say.answer(who=EVE, DTSTAMP="20261102T090000Z"), sender=EVE)
    await world.drain()
    (letter,) = [one.content.decode() for one in world.outbox.mails if one.recipient == ALICE]
    world.page = Page(world, re.search(r"http://pages/o/([^?\s\"]+)", letter)[1])
    world.outbox.mails.clear()
    return world


async def test_who_is_let_in_becomes_a_guest_once_the_undo_time_is_over(crashed):
    before = crashed.text(HREF)
    assert "eve@example.net has answered uninvited" in await crashed.page.look()
    assert await crashed.page.say("admit") == "n=given"
    await crashed.work()
    assert crashed.text(HREF) == before and "This answer will count from" in await crashed.page.look()
    await crashed.page.pass_by()
    assert HERS in crashed.text(HREF).replace("\r\n ", "")
    assert (await crashed.told(crashed.eve))[-1] == ("applied", "crasher-added")
    assert "uninvited" not in await crashed.page.look()
    assert await crashed.page.say("admit") == "n=late"


async def test_who_is_refused_hears_nothing(crashed):
    before = crashed.text(HREF)
    assert await crashed.page.say("refuse") == "n=given"
    assert "This answer will be refused at" in await crashed.page.look()
    await crashed.page.pass_by()
    assert crashed.text(HREF) == before and crashed.outbox.mails == []
    assert (await crashed.told(crashed.eve))[-1] == ("refused", "policy")
    assert "uninvited" not in await crashed.page.look()


@pytest.mark.parametrize("word", ["admit", "refuse"])
async def test_a_word_about_him_can_be_taken_back(word, crashed):
    before, held = crashed.text(HREF), await crashed.store.held.list()
    assert await crashed.page.say("undo") == "n=late", "nothing was said"
    await crashed.page.say(word)
    assert await crashed.page.say("undo") == "n=undone"
    await crashed.page.pass_by()
    assert crashed.text(HREF) == before and await crashed.store.held.list() == held
    assert await crashed.page.say("undo") == "n=late"


async def test_whoever_changes_his_mind_is_understood(crashed):
    await crashed.page.say("refuse")
    assert await crashed.page.say("admit") == "n=given", "he has seen what he had said"
    await crashed.page.pass_by()
    assert HERS in crashed.text(HREF).replace("\r\n ", "")


@pytest.mark.parametrize("order", [("admit", "refuse"), ("refuse", "admit")])
async def test_a_program_that_sends_every_form_decides_nothing(order, crashed):
    before = crashed.text(HREF)
    await crashed.page.look()
    assert await crashed.page.send(answer="admit") == "n=again", "too fast"
    crashed.clock.forward(seconds=5)
    assert await crashed.page.send() == "n=choose", "a form as it comes says nothing"
    assert [await crashed.page.send(answer=one) for one in order] == ["n=given", "n=both"]
    await crashed.page.pass_by()
    assert crashed.text(HREF) == before and len(await crashed.store.held.list()) == 1


async def test_all_that_he_has_answered_is_decided_at_once(crashed, say):
    await crashed.mail("REPLY", say.answer(who=EVE, DTSTAMP="20261102T100000Z"), sender=EVE)
    await crashed.drain()
    assert (await crashed.page.look()).count("has answered uninvited") == 1
    await crashed.page.say("refuse")
    await crashed.page.pass_by()
    assert await crashed.store.held.list() == []


async def test_nothing_of_another_meeting_is_decided_there(crashed, say):
    crashed.save(say.meeting(uid="m2", guests=BOB), name="m2")
    await crashed.drain()
    mallory = "mallory@example.net"
    await crashed.mail("REPLY", say.answer(uid="m2", who=mallory), sender=mallory)
    await crashed.drain()
    assert len(await crashed.store.held.list()) == 2 and mallory not in await crashed.page.look()
    assert await crashed.page.say("admit", crasher=mallory) == "n=late"
    await crashed.page.pass_by()
    assert len(await crashed.store.held.list()) == 2
