"""An answer by plain mail: the first word counts, other words are passed on, robots and strangers are not believed."""

from __future__ import annotations

import pytest

BOB, CAROL, EVE = "bob@example.net", "carol@example.com", "eve@example.net"
HREF = "/alice/calendar/m1.ics"


@pytest.fixture
async def invited(world, say):
    """Alice has asked Bob and Carol; the address of Bob's letter is at hand."""
    world.save(say.meeting(guests=f"{BOB} {CAROL}"))
    await world.drain()
    letter = next(one for one in world.outbox.mails if one.recipient == BOB)
    text = letter.content.decode().replace("=\r\n", "")
    world.answering = next(
        word for word in text.split() if word.startswith("calendar+a") and word.endswith("@example.org")
    )
    world.outbox.mails.clear()
    return world


async def write(world, body: str, *, sender: str = BOB, envelope: str = BOB, extra: str = "") -> str:
    world.clock.forward(seconds=5)  # DTSTAMP has no smaller unit
    name = f"<{len(body)}.{abs(hash((body, sender, extra)))}@example.net>"
    head = f"""Received: from mx by here (imip-gateway)
Authentication-Results: mx.example.org; dmarc=pass header.from=example.net
From: {sender}
To: {world.answering}
Message-ID: {name}
Date: Mon, 02 Nov 2026 08:05:00 +0000
Subject: Re: Invitation: Lunch
{extra}Content-Type: text/plain; charset=utf-8

"""
    await world.deliver((head + body).replace("\n", "\r\n").encode(), to=world.answering, sender=envelope)
    await world.work()
    await world.work()
    return name


def line(world, who: str) -> str:
    return next(one for one in world.text(HREF).splitlines() if who in one and one.startswith("ATTENDEE"))


@pytest.mark.parametrize(
    ("body", "partstat"),
    [
        ("accept\n\n> On Monday Alice wrote: decline", "ACCEPTED"),
        ("Zusagen, gerne!\n\n-- \nBob", "ACCEPTED"),
        ("vielleicht", "TENTATIVE"),
        ("No.", "DECLINED"),
    ],
)
async def test_the_first_word_is_the_answer(body, partstat, invited):
    name = await write(invited, body)
    assert f"PARTSTAT={partstat}" in line(invited, BOB) and "NEEDS-ACTION" in line(invited, CAROL)
    assert ("applied", "answer-recorded") in await invited.told(name)


async def test_the_guest_hears_what_was_understood_and_nobody_answers_that(invited):
    await write(invited, "accept")
    (mail,) = invited.outbox.mails
    text = mail.content.decode()
    assert mail.recipient == BOB and "Auto-Submitted: auto-replied" in text and "You have accepted." in text
    assert "http://pages/r/" in text and "method=REQUEST" in text
    await write(invited, "decline")
    declined = invited.outbox.mails[-1]
    assert declined.sender == "" and b"text/calendar" not in declined.content
    await write(invited, "accept again")
    assert [one.recipient for one in invited.outbox.mails] == [BOB, BOB], "one a day for each answer"


async def test_the_address_of_a_letter_whose_links_were_taken_back_answers_nothing(invited):
    before = invited.text(HREF)
    assert await invited.store.links.revoke("alice@example.org", "m1") == 2
    assert await invited.store.links.revoke("alice@example.org", "m1") == 0, "there are no others"
    await write(invited, "accept")
    assert invited.text(HREF) == before and invited.outbox.mails == []


async def test_any_other_text_goes_to_the_organizer_who_can_answer_the_guest(invited):
    before = invited.text(HREF)
    name = await write(invited, "No problem, but is there parking?\n<script>\n\n> quoted secret")
    (mail,) = invited.outbox.mails
    text = mail.content.decode()
    assert (mail.sender, mail.recipient) == ("", "alice@example.org")
    assert "Reply-To: bob@example.net" in text and "is there parking?" in text and "secret" not in text
    assert "<script>" not in text.partition("text/html")[2] and invited.text(HREF) == before
    assert ("applied", "words-forwarded") in await invited.told(name)


async def test_so_many_words_of_one_guest_are_passed_on_in_a_day(invited):
    for number in range(8):
        await write(invited, f"Is there parking for {number} cars?")
    assert len(invited.outbox.mails) == 5


@pytest.mark.parametrize(
    ("extra", "envelope"),
    [
        ("Auto-Submitted: auto-replied\n", BOB),
        ("Auto-Submitted: auto-generated (vacation)\n", BOB),
        ("X-Autoreply: yes\n", BOB),
        ("Precedence: bulk\n", BOB),
        ("List-Id: <a.example.net>\n", BOB),
        ("X-Imip-Gateway-Hop: example.org\n", BOB),
        ("", ""),
    ],
)
@pytest.mark.parametrize("body", ["accept", "I am out of office until Monday."])
async def test_no_machine_answers_and_none_is_answered(body, extra, envelope, invited):
    before = invited.text(HREF)
    name = await write(invited, body, extra=extra, envelope=envelope)
    assert invited.text(HREF) == before and invited.outbox.mails == []
    assert await invited.told(name) == [("ignored", "auto-submitted")]


async def test_the_address_alone_proves_nothing(invited):
    """SPEC 3.1: proven only with From = attendee, else a person looks at it."""
    before = invited.text(HREF)
    await write(invited, "accept", sender=EVE)
    assert invited.text(HREF) == before
    ((kind, state, reason),) = await invited.waiting()
    assert (kind, state, reason) == ("apply", "waiting", "not-authenticated")
    (held,) = await invited.store.held.list()
    assert await invited.store.held.approve(held["id"])
    await invited.work()
    assert "PARTSTAT=ACCEPTED" in line(invited, BOB)


async def test_a_strangers_words_are_not_passed_on_in_the_guests_name(invited):
    name = await write(invited, "Please send the minutes to me", sender=EVE)
    assert invited.outbox.mails == []
    assert ("refused", "not-authenticated") in await invited.told(name)


async def test_a_mail_that_contradicts_its_sender_is_refused(invited):
    before = invited.text(HREF)
    extra = ""
    head = f"""Received: from mx by here (imip-gateway)
Authentication-Results: mx.example.org; dmarc=fail header.from=example.net
From: {BOB}
To: {invited.answering}
Message-ID: <forged@example.net>
{extra}
accept
"""
    await invited.deliver(head.replace("\n", "\r\n").encode(), to=invited.answering, sender=BOB)
    await invited.work()
    await invited.work()
    assert invited.text(HREF) == before
    assert await invited.told("<forged@example.net>") == [("refused", "sender-contradicted")]


async def test_an_answer_address_of_somebody_else_is_nobodys(invited):
    invited.answering = invited.answering.replace("+a", "+aa")
    name = await write(invited, "accept")
    assert "NEEDS-ACTION" in line(invited, BOB)
    assert await invited.told(name) in ([], [("ignored", "unknown-recipient")])
