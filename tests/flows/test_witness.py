"""A copy of what a user has mailed silences letters only where something shows that he has logged in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.ports import Peer

ALICE, BOB, CAROL = "alice@example.org", "bob@example.net", "carol@example.com"
COPY = Peer(role="outgoing", address="192.0.2.1", trusted=True)
OWN = "Received: from mx by here (imip-gateway)"
OUTSIDE = "Received: from laptop by mx.example.org (Postfix) with ESMTPS id 1"
SUBMITTED = "Received: from laptop by mx.example.org (Postfix) with ESMTPSA id 1"
NAMED = "Received: from laptop (Authenticated sender: {}) by mx.example.org (Postfix) with ESMTPSA id 1"
AR = "Authentication-Results: mx.example.org; "


def mailed(say, *headers: str, body: str, method: str = "REQUEST", to: str = BOB) -> bytes:
    head = "\r\n".join(
        [OWN, *headers, f"From: {ALICE}", f"To: {to}", "Message-ID: <c1@example.org>", "MIME-Version: 1.0"]
    )
    kind = f"Content-Type: text/calendar; charset=utf-8; method={method}"
    return f"{head}\r\n{kind}\r\n\r\n".encode() + say.calendar(body, method)


async def copied(world, say, *headers: str, peer: Peer = COPY, body: str = "") -> None:
    content = mailed(say, *headers, body=body or say.meeting())
    await world.deliver(content, to="copies@gateway.invalid", sender=ALICE, peer=peer)
    await world.work()
    world.save(say.meeting())
    await world.settle()


@pytest.mark.parametrize(
    ("headers", "peer", "counts"),
    [
        ((SUBMITTED,), COPY, True),
        ((NAMED.format("alice"),), COPY, True),
        ((NAMED.format(ALICE),), COPY, True),
        ((AR + "auth=pass smtp.auth=alice", OUTSIDE), COPY, True),
        ((AR + "dmarc=pass header.from=example.org", OUTSIDE), COPY, True),
        ((), replace(COPY, user=ALICE), True),
        ((OUTSIDE,), replace(COPY, evidence="network"), True),
        ((OUTSIDE,), COPY, False),
        ((OUTSIDE, SUBMITTED), COPY, False),
        ((OUTSIDE, AR + "auth=pass smtp.auth=alice"), COPY, False),
        ((NAMED.format("dora"),), COPY, False),
        ((NAMED.format("dora@example.org"),), COPY, False),
        ((), COPY, False),
    ],
)
async def test_only_a_copy_of_what_a_user_submitted_silences_a_letter(world, say, headers, peer, counts):
    await copied(world, say, *headers, peer=peer)
    assert [one.to for one in world.got()] == ([] if counts else [BOB])
    expected = ("unchanged", "client-sent") if counts else ("ignored", "not-submitted")
    assert (await world.told("<c1@example.org>"))[0] == expected


async def test_a_copy_marks_only_people_of_the_meeting_and_the_series_once(world, say):
    days = [
        say.meeting(RECURRENCE_ID=f"2026111{day}T100000Z", DTSTART=f"2026111{day}T120000Z", DTEND="")
        for day in range(1, 9)
    ]
    series = "\n".join([say.meeting(RRULE="FREQ=DAILY"), *days])
    await world.deliver(
        mailed(say, SUBMITTED, body=series, to=f"{BOB}, {CAROL}"), to=CAROL, sender=ALICE, peer=COPY
    )
    await world.work()
    marks = await world.store.ledger.marks(ALICE, "m1")
    assert [(one.recurrence_id, one.party) for one in marks] == [("", f"mailed:REQUEST:{BOB}")]


@pytest.mark.parametrize("order", ["mailed-first", "saved-first", "seen-first"])
@pytest.mark.parametrize("told", [(BOB, CAROL), (BOB,)], ids=["both", "one"])
async def test_radicale_1338_a_program_that_mails_by_itself_is_one_mail_per_guest(world, say, order, told):
    """Whichever comes first, the mail or the save, and whether or not the watch has looked between them."""
    meeting = say.meeting(guests=f"{BOB} {CAROL}")

    async def mail() -> None:
        for who in told:
            content = mailed(say, SUBMITTED, body=meeting, to=who).replace(b"<c1@", f"<{who[0]}@".encode())
            await world.deliver(content, to=who, sender=ALICE, peer=COPY)
        await world.work()

    if order == "mailed-first":
        await mail()
        world.clock.forward(minutes=5)
    world.save(meeting)
    if order == "seen-first":
        await world.sync()
        world.clock.forward(seconds=10)
    if order != "mailed-first":
        await mail()
    await world.drain()
    assert [one.to for one in world.got()] == [who for who in (BOB, CAROL) if who not in told]
