"""The organizer hears of answers that no mail brought, several in one letter, and of strangers, once and not too often."""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta

import pytest

from gateway.ports import Visit

ALICE, BOB, CAROL, EVE = "alice@example.org", "bob@example.net", "carol@example.com", "eve@example.net"
HREF = "/alice/calendar/m1.ics"
UNDO, WINDOW = 61, timedelta(minutes=5)


async def asked(world, say, **lines: str) -> None:
    world.save(say.meeting(guests=f"{BOB} {CAROL}", **lines))
    await world.drain()


async def click(world, who: str, **form: str) -> None:
    """As a person does on the page of his first letter: look, think, answer."""
    mail = next(one for one in world.outbox.mails if one.recipient == who)
    text = mail.content.decode().replace("=\r\n", "")
    token = re.search(r"http://pages/r/([^?\s]+)\?a=3Dyes", text)[1]
    page = await world.rsvp.show(Visit(token=token))
    world.clock.forward(seconds=5)
    nonce = re.search(r'name="csrf" value="([^"]+)"', page.html)[1]
    assert (await world.rsvp.take(Visit(token=token, form={"csrf": nonce, **form}))).status == 303


async def pass_by(world, **time: float) -> None:
    world.clock.forward(**time)
    while await world.work():
        pass


def letters(world) -> list[str]:
    """The notices to Alice, text alone."""
    mails = [one.content.decode() for one in world.outbox.mails if (one.recipient, one.sender) == (ALICE, "")]
    return [one.partition("text/html")[0].replace("=\r\n", "") for one in mails]


@pytest.fixture
async def told(new_world, say):
    world = await new_world(answers=WINDOW)
    await asked(world, say)
    return world


# --- answers ---------------------------------------------------------------------------------------------------------


async def test_answers_soon_after_another_are_one_letter(told):
    await click(told, BOB, answer="accepted", comment="Ten minutes late")
    await pass_by(told, minutes=2)
    await click(told, CAROL, answer="declined")
    await pass_by(told, minutes=2)
    assert letters(told) == []
    await pass_by(told, minutes=4)
    (letter,) = letters(told)
    assert "Subject: 2 answers: Lunch" in letter and 'From: "Calendar of example.org" <calendar@' in letter
    assert "bob@example.net has accepted.\r\n  > Ten minutes late\r\n" in letter
    assert "carol@example.com has declined." in letter and "http://pages/o/" in letter
    assert "Reply-To" not in letter
    assert (await told.told("m1")).count(("applied", "answers-told")) == 1
    await pass_by(told, hours=1)
    assert len(letters(told)) == 1


async def test_one_answer_is_a_letter_that_says_it_in_its_subject(told):
    await click(told, BOB, answer="tentative")
    await pass_by(told, seconds=UNDO)
    await pass_by(told, minutes=6)
    (letter,) = letters(told)
    assert "Subject: Maybe: Lunch" in letter


async def test_who_changes_his_mind_is_told_of_once_as_he_answers_now(told):
    await click(told, BOB, answer="accepted")
    await pass_by(told, seconds=UNDO)
    await click(told, BOB, answer="declined")
    await pass_by(told, seconds=UNDO)
    await pass_by(told, minutes=6)
    (letter,) = letters(told)
    assert "Subject: Declined: Lunch" in letter and "accepted" not in letter


async def test_an_answer_that_no_longer_counts_is_not_told(told):
    await click(told, BOB, answer="accepted")
    await pass_by(told, seconds=UNDO)
    told.calendars.remove(HREF)
    await pass_by(told, minutes=6)
    assert letters(told) == []


async def test_what_came_by_mail_is_in_the_mailbox_already(told, say):
    await told.mail("REPLY", say.answer(who=BOB, DTSTAMP="20261102T090000Z"))
    await pass_by(told, minutes=6)
    assert "PARTSTAT=ACCEPTED" in told.text(HREF) and letters(told) == []


async def test_nobody_is_told_where_the_window_is_zero(world, say):
    await asked(world, say)
    await click(world, BOB, answer="accepted")
    await pass_by(world, minutes=10)
    assert "PARTSTAT=ACCEPTED" in world.text(HREF) and letters(world) == []


async def test_a_crash_makes_neither_two_letters_nor_none(new_world, say):
    # the writes of the answers and of the letter, what comes before and after them, and the send
    for fatal in (2, 3, 4, 7, 8, 17, 18, 19, 21):
        world = await new_world(answers=WINDOW)
        await asked(world, say)
        await click(world, BOB, answer="accepted")
        await click(world, CAROL, answer="accepted")
        world.clock.forward(seconds=UNDO)
        world.process = world.begin(fatal)
        with contextlib.suppress(say.Killed):
            await pass_by(world, seconds=0)
            await pass_by(world, minutes=6)
        await world.restart()
        await pass_by(world, seconds=0)
        await pass_by(world, minutes=6)
        (letter,) = set(letters(world))  # it may leave twice, as the same mail
        assert "Subject: 2 answers" in letter, fatal
        assert (await world.told("m1")).count(("applied", "answers-told")) == 1, fatal


# --- strangers -------------------------------------------------------------------------------------------------------


async def crash(world, say, who: str, *, dmarc: str = "pass", at: int = 9) -> str:
    body = say.answer(who=who, DTSTAMP=f"20261102T{at:02}0000Z", COMMENT="Win at https://evil.example")
    name = await world.mail("REPLY", body, sender=who, dmarc=dmarc)
    await pass_by(world, seconds=1)
    return name


async def test_the_organizer_hears_of_a_stranger_and_what_he_can_do(told, say):
    before = told.text(HREF)
    name = await crash(told, say, EVE)
    (letter,) = letters(told)
    assert "eve@example.net has answered, but is not on the guest list." in letter
    assert "Decide on the page\r\n  http://pages/o/" in letter and "refuse the answer." in letter
    assert "add the address" not in letter and "evil" not in letter
    assert [one.recipient for one in told.outbox.mails if one.recipient not in (BOB, CAROL)] == [ALICE]
    assert told.text(HREF) == before
    assert await told.told(name) == [("held", "party-crasher"), ("applied", "stranger-told")]


async def test_a_stranger_is_told_of_once(told, say):
    for hour in (9, 10, 11):
        await crash(told, say, EVE, at=hour)
    assert len(letters(told)) == 1 and len(await told.store.held.list()) == 3


async def test_many_strangers_are_no_flood(told, say):
    for number in range(9):
        await crash(told, say, f"eve{number}@example.net")
    assert len(letters(told)) == 5


async def test_of_a_sender_whom_nothing_vouches_for_nobody_hears(told, say):
    await crash(told, say, EVE, dmarc="none")
    assert letters(told) == [] and len(await told.store.held.list()) == 1
