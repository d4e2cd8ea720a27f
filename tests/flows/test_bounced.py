"""A letter that came back is known by the address that its report came to; its sender hears of it once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.ports import Sent

BOB, CAROL = "bob@example.net", "carol@example.com"
HREF = "/alice/calendar/m1.ics"
REPORTS = Path(__file__).parents[1] / "imip" / "bounces"


@pytest.fixture
async def invited(world, say):
    """Alice has asked Bob and Carol; the sender of Bob's letter is at hand."""
    world.statuses = True
    world.process = world.begin()
    world.save(say.meeting(guests=f"{BOB} {CAROL}"))
    await world.drain()
    world.bounce = next(one.sender for one in world.outbox.mails if one.recipient == BOB)
    assert world.bounce.startswith("calendar+b")
    world.outbox.mails.clear()
    return world


async def comes(world, name: str, *, to: str = "", times: int = 1) -> str:
    for _ in range(times):
        world.clock.forward(seconds=5)
        content = (REPORTS / f"{name}.eml").read_bytes().replace(b"\n", b"\r\n")
        trace = f"Received: from mx by here (imip-gateway); {world.clock.now()}\r\n".encode()
        await world.deliver(
            trace + content + b"%d" % world.clock.now().timestamp(), to=to or world.bounce, sender=""
        )
        await world.drain()
    return world.text(HREF)


def status(text: str, who: str) -> str:
    line = next(
        one for one in text.replace("\r\n ", "").splitlines() if who in one and one.startswith("ATTENDEE")
    )
    return line.partition("SCHEDULE-STATUS=")[2].strip('"')[:3]


async def test_the_calendar_and_the_organizer_are_told_once(invited):
    text = await comes(invited, "postfix-unknown", times=2)
    assert (status(text, BOB), status(text, CAROL)) == ("3.7", "1.1")
    (notice,) = invited.outbox.mails
    assert (notice.sender, notice.recipient) == ("", "alice@example.org")
    told = notice.content.decode().replace("=\r\n", "")
    assert "Subject: Not delivered: Lunch" in told
    assert "nobody has this address" in told
    assert "User unknown in virtual mailbox" in told
    entries = [one for one in await invited.store.journal.story("m1") if one["kind"] == "bounce"]
    assert [(one["outcome"], one["reason"]) for one in entries] == [
        ("applied", "bounced"),
        ("applied", "bounced"),
        ("ignored", "duplicate"),
    ]


async def test_two_reports_about_one_guest_at_the_same_moment_are_told_once(new_world, database, say):
    world = await new_world(database=database, concurrency=4)
    world.save(say.meeting())
    await world.drain()
    world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.drain()
    letters = [one.sender for one in world.outbox.mails if one.recipient == BOB]
    world.outbox.mails.clear()
    world.outbox.answers.extend([Sent(state="deferred", code=450)] * 2)
    content = (REPORTS / "postfix-unknown.eml").read_bytes().replace(b"\n", b"\r\n")
    for number, letter in enumerate([*letters, letters[0]]):
        await world.deliver(content + b"%d" % number, to=letter, sender="")
    await world.drain()
    assert len(set(letters)) == 2
    assert [one.recipient for one in world.outbox.mails] == ["alice@example.org"]


@pytest.mark.parametrize("name", ["postfix-delayed", "relayed", "out-of-office", "words", "exim-warning"])
async def test_what_decides_nothing_changes_nothing(name, invited):
    before = invited.text(HREF)
    assert await comes(invited, name) == before
    assert invited.outbox.mails == []


async def test_a_report_of_delivery_is_written_and_told_to_nobody(invited):
    assert status(await comes(invited, "delivered"), BOB) == "1.2"
    assert invited.outbox.mails == []


async def test_a_forged_address_is_nobodys(invited):
    before = invited.text(HREF)
    name, at, domain = invited.bounce.partition("@")
    forged = f"{name[:-1]}{'a' if name[-1] != 'a' else 'b'}{at}{domain}"
    assert await comes(invited, "postfix-unknown", to=forged) == before
    assert await comes(invited, "postfix-unknown", to="calendar@example.org") == before
    assert invited.outbox.mails == []


async def test_a_letter_that_the_smarthost_refuses_is_told_too(world, say):
    world.save(say.meeting(guests=BOB))
    world.outbox.answers.append(Sent(state="failed", code=550, text="5.1.1 no such user"))
    await world.drain()
    notice = world.outbox.mails[-1]
    assert notice.recipient == "alice@example.org"
    assert "Not delivered: Lunch" in notice.content.decode()


async def test_an_answer_that_came_back_is_told_to_who_gave_it(world, say):
    await world.mail("REQUEST", say.invitation())
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.drain()
    reply = next(one for one in world.outbox.mails if one.recipient == BOB)
    world.outbox.mails.clear()
    await comes(world, "exchange-full", to=reply.sender)
    (notice,) = world.outbox.mails
    assert notice.recipient == "alice@example.org"
    assert "/o/" not in notice.content.decode(), "the organizer's page is not hers"
