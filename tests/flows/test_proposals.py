"""A guest proposes another time, the organizer says yes or no: from the mail that asks to the letters that tell."""

from __future__ import annotations

import re

import pytest

BOB, CAROL = "bob@example.net", "carol@example.com"
HREF = "/alice/calendar/m1.ics"
TWO = "20261110T140000Z"


def counter(say, who: str = BOB, **lines: str) -> str:
    facts = {"DTSTAMP": "20261102T090000Z", "DTSTART": TWO, "DTEND": "20261110T150000Z", **lines}
    more = f"ORGANIZER:mailto:alice@example.org\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{who}"
    return say.event(more=more, **facts)


@pytest.fixture
async def invited(world, say):
    """Alice has asked Bob and Carol to a lunch at ten."""
    world.save(say.meeting(guests=f"{BOB} {CAROL}"))
    await world.drain()
    world.outbox.mails.clear()
    return world


async def the_open(world):
    (one,) = [row for row in await world.store.proposals.list() if row["state"] == "open"]
    return one


async def test_a_proposal_is_kept_and_told_and_the_meeting_stays(invited, say):
    before = invited.text(HREF)
    mail = await invited.mail("COUNTER", counter(say, COMMENT="After lunch?"))
    await invited.drain()
    assert await invited.told(mail) == [("applied", "proposal-kept")]
    assert invited.text(HREF) == before
    row = await the_open(invited)
    assert (row["account"], row["uid"], row["from"]) == ("alice@example.org", "m1", BOB)
    assert (row["old_start"], row["start"]) == ("2026-11-10T10:00:00Z", "2026-11-10T14:00:00Z")
    assert (row["old_end"], row["end"]) == ("2026-11-10T11:00:00Z", "2026-11-10T15:00:00Z")
    assert (row["comment"], row["recurrence_id"]) == ("After lunch?", None)


async def test_the_organizer_gets_one_notice_that_names_the_proposal(invited, say):
    await invited.mail("COUNTER", counter(say, COMMENT="After lunch?"))
    await invited.drain()
    (mail,) = invited.outbox.mails
    text = mail.content.decode()
    assert (mail.sender, mail.recipient) == ("", "alice@example.org")
    assert "Auto-Submitted: auto-generated" in text and "text/calendar" not in text
    assert "Reply-To: bob@example.net" in text and "From: " in text and "calendar@example.org" in text
    shown = re.sub(r"=\r\n", "", text)
    assert "http://pages/o/" in shown and "After lunch?" in shown


async def test_an_accepted_proposal_moves_the_meeting_and_asks_everybody(invited, say):
    await invited.mail("COUNTER", counter(say))
    await invited.drain()
    invited.outbox.mails.clear()
    row = await the_open(invited)
    assert await invited.store.proposals.answer(row["id"], "accepted")
    await invited.drain()
    there = invited.text(HREF)
    assert f"DTSTART:{TWO}" in there and "SEQUENCE:1" in there
    assert sorted(
        (one.to, one.method, one.value("DTSTART"), one.value("SEQUENCE")) for one in invited.got()
    ) == [
        (BOB, "REQUEST", TWO, "1"),
        (CAROL, "REQUEST", TWO, "1"),
    ]
    lines = {who: next(one for one in there.split("\r\n") if who in one) for who in (BOB, CAROL)}
    assert "PARTSTAT=ACCEPTED" in lines[BOB] and "PARTSTAT=NEEDS-ACTION" in lines[CAROL]
    assert await invited.store.proposals.list() == []
    assert (await invited.told("m1"))[-1] == ("applied", "proposal-accepted")


@pytest.mark.parametrize("answer", ["accepted", "declined"])
async def test_a_second_word_about_a_proposal_does_nothing(answer, invited, say):
    await invited.mail("COUNTER", counter(say))
    row = await the_open(invited)
    assert await invited.store.proposals.answer(row["id"], answer)
    assert not await invited.store.proposals.answer(row["id"], "accepted")
    await invited.drain()
    sent = len(invited.outbox.mails)
    assert not await invited.store.proposals.answer(row["id"], "accepted")
    await invited.drain()
    assert len(invited.outbox.mails) == sent
    assert await invited.store.proposals.state(row["id"]) == answer


async def test_a_declined_proposal_is_told_to_its_guest_alone(invited, say):
    await invited.mail("COUNTER", counter(say))
    await invited.drain()
    invited.outbox.mails.clear()
    before = invited.text(HREF)
    row = await the_open(invited)
    await invited.store.proposals.answer(row["id"], "declined")
    await invited.drain()
    (letter,) = invited.got()
    assert (letter.to, letter.method, letter.value("SEQUENCE")) == (BOB, "DECLINECOUNTER", "0")
    assert letter.value("DTSTART") == "20261110T100000Z"
    assert invited.text(HREF) == before
    assert await invited.store.proposals.list() == []


async def test_the_newest_proposal_of_a_guest_stands(invited, say):
    await invited.mail("COUNTER", counter(say))
    first = await the_open(invited)
    later = {"DTSTAMP": "20261102T093000Z", "DTSTART": "20261110T160000Z", "DTEND": "20261110T170000Z"}
    invited.clock.forward(hours=2)
    await invited.mail("COUNTER", counter(say, **later))
    row = await the_open(invited)
    assert row["start"] == "2026-11-10T16:00:00Z"
    assert await invited.store.proposals.state(first["id"]) == "replaced"
    assert not await invited.store.proposals.answer(first["id"], "accepted")


async def test_two_guests_propose_beside_each_other_and_one_yes_overtakes_the_other(invited, say):
    await invited.mail("COUNTER", counter(say))
    await invited.mail("COUNTER", counter(say, CAROL, DTSTART="20261110T180000Z", DTEND=""), sender=CAROL)
    rows = {row["from"]: row for row in await invited.store.proposals.list()}
    await invited.store.proposals.answer(rows[BOB]["id"], "accepted")
    await invited.drain()
    assert await invited.store.proposals.state(rows[CAROL]["id"]) == "overtaken"
    assert [(row["from"], row["state"]) for row in await invited.store.proposals.list()] == [
        (CAROL, "overtaken")
    ]
    assert not await invited.store.proposals.answer(rows[CAROL]["id"], "accepted")
    invited.clock.forward(days=8)
    assert await invited.store.proposals.list() == []


async def test_two_words_at_once_move_the_meeting_once(invited, say):
    """Both were open when they were accepted; the second finds that the meeting has moved."""
    await invited.mail("COUNTER", counter(say))
    await invited.mail("COUNTER", counter(say, CAROL, DTSTART="20261110T180000Z", DTEND=""), sender=CAROL)
    await invited.drain()
    invited.outbox.mails.clear()
    rows = {row["from"]: row for row in await invited.store.proposals.list()}
    for who in (BOB, CAROL):
        assert await invited.store.proposals.answer(rows[who]["id"], "accepted")
    await invited.drain()
    assert f"DTSTART:{TWO}" in invited.text(HREF)
    assert len(invited.got()) == 2
    assert await invited.store.proposals.state(rows[CAROL]["id"]) == "overtaken"


async def test_the_organizers_own_move_overtakes_what_was_proposed(invited, say):
    await invited.mail("COUNTER", counter(say))
    row = await the_open(invited)
    invited.edit(HREF, ("20261110T10", "20261111T10"), ("20261110T11", "20261111T11"))
    await invited.drain()
    assert await invited.store.proposals.state(row["id"]) == "overtaken"


async def test_a_new_title_leaves_a_proposal_open(invited, say):
    await invited.mail("COUNTER", counter(say))
    invited.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await invited.drain()
    row = await the_open(invited)
    await invited.store.proposals.answer(row["id"], "accepted")
    await invited.drain()
    assert "SUMMARY:Dinner" in invited.text(HREF) and f"DTSTART:{TWO}" in invited.text(HREF)


async def test_an_answer_in_the_proposal_counts_as_one(invited, say):
    body = counter(say).replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=TENTATIVE")
    await invited.mail("COUNTER", body)
    await invited.drain()
    line = next(one for one in invited.text(HREF).split("\r\n") if BOB in one)
    assert "PARTSTAT=TENTATIVE" in line and "DTSTART:20261110T100000Z" in invited.text(HREF)
    assert (await the_open(invited))["from"] == BOB


async def test_one_date_of_a_series_moves_alone(world, say):
    world.save(say.meeting(guests=f"{BOB} {CAROL}", RRULE="FREQ=WEEKLY;COUNT=3"))
    await world.drain()
    await world.mail(
        "COUNTER", counter(say, RECURRENCE_ID="20261117T100000Z", DTSTART="20261117T140000Z", DTEND="")
    )
    row = await the_open(world)
    assert row["recurrence_id"]
    await world.store.proposals.answer(row["id"], "accepted")
    await world.drain()
    master, override = world.text(HREF).split("BEGIN:VEVENT")[1:]
    assert "DTSTART:20261110T100000Z" in master and "RRULE:" in master
    assert "DTSTART:20261117T140000Z" in override and "DTEND:20261117T150000Z" in override


async def test_a_meeting_that_takes_no_proposals_declines_by_itself_and_once(world, say):
    body = say.meeting().replace("SEQUENCE:0", "SEQUENCE:0\nX-MICROSOFT-DISALLOW-COUNTER:TRUE")
    world.save(body)
    await world.drain()
    world.outbox.mails.clear()
    await world.mail("COUNTER", counter(say))
    await world.mail(
        "COUNTER", counter(say, DTSTAMP="20261102T093000Z", DTSTART="20261110T160000Z", DTEND="")
    )
    await world.drain()
    (letter,) = world.got()
    assert (letter.to, letter.method) == (BOB, "DECLINECOUNTER")
    assert b"Auto-Submitted: auto-replied" in letter.content
    assert await world.store.proposals.list() == []


async def test_a_stranger_proposes_nothing(invited, say):
    mail = await invited.mail("COUNTER", counter(say, "mallory@example.net"), sender="mallory@example.net")
    spoofed = await invited.mail("COUNTER", counter(say, CAROL), sender="mallory@example.net")
    await invited.drain()
    assert await invited.told(mail) == await invited.told(spoofed) == [("refused", "sender-not-attendee")]
    assert await invited.store.proposals.list() == [] and invited.outbox.mails == []


async def test_a_guest_proposes_in_his_own_name_only(invited, say):
    """Bob's mail holds Carol's line: what it proposes is Bob's, and Carol's answer stays."""
    body = counter(say, CAROL).replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=DECLINED")
    await invited.mail("COUNTER", body)
    await invited.drain()
    assert (await the_open(invited))["from"] == BOB
    assert "DECLINED" not in invited.text(HREF)


async def test_a_proposal_of_an_unknown_sender_waits_for_a_person(invited, say):
    mail = await invited.mail("COUNTER", counter(say), dmarc="none")
    await invited.drain()
    assert await invited.store.proposals.list() == [] and invited.outbox.mails == []
    (held,) = await invited.store.held.list()
    assert held["message_id"] == mail
    await invited.store.held.approve(held["id"])
    await invited.drain()
    assert (await the_open(invited))["from"] == BOB


async def test_a_flood_fills_neither_the_mailbox_nor_the_list(world, say):
    world.save(say.meeting(RRULE="FREQ=DAILY"))
    await world.drain()
    world.outbox.mails.clear()
    for day in range(12, 37):
        date = f"202611{day:02}" if day <= 30 else f"202612{day - 30:02}"
        lines = {"RECURRENCE_ID": f"{date}T100000Z", "DTSTART": f"{date}T140000Z", "DTEND": ""}
        world.clock.forward(seconds=1)
        await world.mail("COUNTER", counter(say, COMMENT="x" * 9000, LOCATION="y" * 9000, **lines))
    await world.drain()
    assert len(world.outbox.mails) == 5
    rows = await world.store.proposals.list()
    assert len(rows) == 20
    assert {len(row["comment"]) for row in rows} == {500}
    kept = [await world.store.proposals.find(row["id"]) for row in rows]
    assert max(len(one.data) for one in kept) < 2000
    world.clock.forward(days=1)
    last = {"RECURRENCE_ID": "20261210T100000Z", "DTSTART": "20261210T140000Z", "DTEND": ""}
    await world.mail("COUNTER", counter(say, **last))
    await world.drain()
    assert len(world.outbox.mails) == 6, "tomorrow he may be told of again"


async def test_a_proposal_for_a_meeting_that_is_gone_is_too_late(invited, say):
    await invited.mail("COUNTER", counter(say))
    row = await the_open(invited)
    invited.calendars.remove(HREF)
    await invited.store.proposals.answer(row["id"], "accepted")
    await invited.work()
    assert await invited.store.proposals.state(row["id"]) == "overtaken"
    assert invited.text(HREF) == ""


async def test_what_cannot_be_carried_out_stays_open(world, say):
    """Each Tuesday, moved to a Wednesday as a whole: the rule would still say Tuesday."""
    world.save(say.meeting(RRULE="FREQ=WEEKLY;BYDAY=TU;COUNT=4"))
    await world.drain()
    await world.mail("COUNTER", counter(say, DTSTART="20261111T100000Z", DTEND=""))
    row = await the_open(world)
    await world.store.proposals.answer(row["id"], "accepted")
    await world.drain()
    assert (await world.told("m1"))[-1] == ("refused", "proposal-unusable")
    assert (await the_open(world))["id"] == row["id"]
    assert await world.store.proposals.answer(row["id"], "declined")


async def test_where_the_server_mails_only_the_meeting_is_moved(world, say):
    world.save(say.meeting())
    await world.drain()
    world.outbox.mails.clear()
    await world.mail("COUNTER", counter(say))
    world.calendars.sends = "nobody"
    row = await the_open(world)
    await world.store.proposals.answer(row["id"], "accepted")
    await world.drain()
    assert f"DTSTART:{TWO}" in world.text(HREF)
    assert [one.method for one in world.got() if one.method] == []


async def test_a_time_in_a_zone_that_nobody_knows_is_not_taken_up(invited, say):
    await invited.mail(
        "COUNTER", counter(say, **{"DTSTART": "", "DTSTART;TZID=Nowhere": "20261110T140000", "DTEND": ""})
    )
    await invited.drain()
    before = invited.text(HREF)
    row = await the_open(invited)
    await invited.store.proposals.answer(row["id"], "accepted")
    await invited.drain()
    assert invited.text(HREF) == before
    assert (await invited.told("m1"))[-1] == ("refused", "proposal-unusable")
