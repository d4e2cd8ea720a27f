"""A meeting that its organizer mails is told by letters of ours, once, and stands in his calendar."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.ports import Peer

ALICE, BOB, CAROL, DAVE = "alice@example.org", "bob@example.net", "carol@example.com", "dave@example.com"
HREF = "/alice/calendar/m1.ics"
PEER = Peer(
    role="outgoing",
    address="192.0.2.1",
    trusted=True,
    after="render",
    relay_to="smtp://next:25",
    evidence="network",
)
LATER = {"SEQUENCE": "1", "DTSTART": "20261110T120000Z", "DTEND": "20261110T130000Z"}


class Desk:
    """Alice at her mail program."""

    def __init__(self, world, say) -> None:
        self.world, self.say, self.count = world, say, 0

    async def mails(
        self,
        body: str,
        *bcc: str,
        method: str = "REQUEST",
        to: str = BOB,
        author: str = ALICE,
        peer: Peer = PEER,
        run: bool = True,
        named: bool = True,
    ) -> str:
        self.count += 1
        name = f"<d{self.count}@example.org>"
        kind = f"text/calendar; charset=utf-8; method={method}" if named else "application/ics; name=m.ics"
        head = [
            "Received: from mx by here (imip-gateway)",
            f"From: {author}",
            f"To: {to}",
            f"Message-ID: {name}",
            "MIME-Version: 1.0",
            f"Content-Type: {kind}",
        ]
        content = "\r\n".join([*head, "", ""]).encode() + self.say.calendar(body, method if named else "")
        reached = ",".join([*to.replace(" ", "").split(","), *bcc])
        await self.world.deliver(content, to=reached, sender=ALICE, peer=peer)
        if run:
            await self.world.work()
        return name

    def letters(self) -> list[tuple[str, str]]:
        found = sorted((one.method, one.to) for one in self.world.got())
        self.world.outbox.mails.clear()
        return found

    def passed(self) -> list[str]:
        found = [one.address for mail in self.world.onward.mails for one in mail.envelope.recipients]
        self.world.onward.mails.clear()
        return sorted(found)


@pytest.fixture
def desk(world, say) -> Desk:
    return Desk(world, say)


async def quiet(desk: Desk) -> bool:
    """The watch finds nothing to tell."""
    await desk.world.drain()
    return desk.letters() == [] and desk.passed() == []


@pytest.mark.parametrize("method", ["REQUEST", "PUBLISH", ""])
async def test_a_mailed_meeting_enters_the_calendar_and_invites_each_guest_once(desk, say, method):
    body = say.meeting(guests=f"{BOB} {CAROL}")
    name = await desk.mails(body, to=f"{BOB}, {CAROL}", method=method or "REQUEST", named=bool(method))
    assert desk.letters() == [("REQUEST", BOB), ("REQUEST", CAROL)]
    assert desk.passed() == []
    assert "METHOD" not in desk.world.text(HREF) and "UID:m1" in desk.world.text(HREF)
    assert await desk.world.told(name) == [("applied", "invited")]
    assert await quiet(desk)


async def test_a_program_that_mails_each_guest_alone_invites_nobody_twice(desk, say):
    for who in (BOB, CAROL):
        await desk.mails(say.meeting(guests=f"{BOB} {CAROL}"), to=who)
    assert desk.letters() == [("REQUEST", BOB), ("REQUEST", CAROL)]
    await desk.mails(say.meeting(guests=DAVE), to=DAVE)
    assert desk.letters() == [("REQUEST", DAVE)], "nobody is struck off by not being named"
    assert await quiet(desk)


@pytest.mark.parametrize("saved_first", [True, False])
async def test_a_program_that_saves_and_mails_is_told_once(desk, say, saved_first):
    if saved_first:
        desk.world.save(say.meeting())
        await desk.world.sync()
    await desk.mails(say.meeting())
    if not saved_first:
        desk.world.save(say.meeting())
    await desk.world.drain()
    assert desk.letters() == [("REQUEST", BOB)]


async def test_an_update_and_a_cancel_mailed_so_are_told_and_kept(desk, say):
    await desk.mails(say.meeting())
    await desk.world.mail("REPLY", say.answer())
    assert "PARTSTAT=ACCEPTED;RSVP=TRUE;SCHEDULE-STATUS=2.0:mailto:bob" in desk.world.text(HREF), (
        "replies find it"
    )
    desk.letters()
    await desk.mails(say.meeting(SUMMARY="Brunch", SEQUENCE="1", DTSTAMP="20261102T100000Z"))
    assert desk.letters() == [("REQUEST", BOB)]
    assert "PARTSTAT=ACCEPTED;RSVP=TRUE;SCHEDULE-STATUS=2.0:mailto:bob" in desk.world.text(HREF), (
        "the mail answers for nobody"
    )
    await desk.mails(say.meeting(**LATER | {"SEQUENCE": "2", "DTSTAMP": "20261102T110000Z"}))
    assert desk.letters() == [("REQUEST", BOB)]
    assert "PARTSTAT=NEEDS-ACTION;RSVP=TRUE" in desk.world.text(HREF)
    await desk.mails(
        say.meeting(SEQUENCE="3", DTSTAMP="20261102T120000Z", STATUS="CANCELLED"), method="CANCEL"
    )
    assert desk.letters() == [("CANCEL", BOB)]
    assert "STATUS:CANCELLED" in desk.world.text(HREF)
    assert await quiet(desk)
    desk.world.calendars.remove(HREF)
    assert await quiet(desk)


async def test_a_change_in_the_calendar_afterwards_is_the_watchers(desk, say):
    await desk.mails(say.meeting())
    desk.letters()
    desk.world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await desk.world.settle()
    assert desk.letters() == [("REQUEST", BOB)]


async def test_a_cancel_of_a_guest_is_for_him_alone(desk, say):
    await desk.mails(say.meeting(guests=f"{BOB} {CAROL}"), to=f"{BOB}, {CAROL}")
    desk.letters()
    await desk.mails(say.meeting(guests=CAROL), method="CANCEL", to=CAROL)
    assert desk.letters() == [("CANCEL", CAROL)]
    assert BOB in desk.world.text(HREF) and "CANCELLED" not in desk.world.text(HREF)
    assert await quiet(desk)


async def test_a_date_that_is_moved_or_called_off_by_mail_leaves_the_others(desk, say):
    await desk.mails(say.meeting(RRULE="FREQ=DAILY;COUNT=5"))
    desk.letters()
    moved = {"DTSTART": "20261111T150000Z", "DTEND": "20261111T160000Z", "SEQUENCE": "1"}
    await desk.mails(say.meeting(RECURRENCE_ID="20261111T100000Z", **moved))
    assert desk.letters() == [("REQUEST", BOB)]
    await desk.mails(
        say.meeting(RECURRENCE_ID="20261112T100000Z", STATUS="CANCELLED", SEQUENCE="1"), method="CANCEL"
    )
    assert desk.letters() == [("CANCEL", BOB)]
    assert "RRULE:FREQ=DAILY;COUNT=5" in desk.world.text(HREF)
    assert await quiet(desk)


async def test_a_meeting_deleted_before_its_cancel_is_mailed_is_called_off_once(desk, say):
    await desk.mails(say.meeting())
    desk.letters()
    desk.world.calendars.remove(HREF)
    await desk.world.sync()
    await desk.mails(say.meeting(SEQUENCE="1", STATUS="CANCELLED"), method="CANCEL")
    assert desk.letters() == [("CANCEL", BOB)]
    assert await quiet(desk)
    assert desk.world.text(HREF) == ""


async def test_who_is_not_a_guest_gets_the_mail_as_it_came_and_a_bcc_stays_private(desk, say):
    await desk.mails(say.meeting(), DAVE, to=f"{BOB}, {CAROL}")
    assert desk.letters() == [("REQUEST", BOB)]
    (mail,) = desk.world.onward.mails
    assert b"METHOD:REQUEST" in mail.content and b"dave" not in mail.content
    assert desk.passed() == [CAROL, DAVE]
    assert DAVE not in desk.world.text(HREF) and CAROL not in desk.world.text(HREF)


async def test_a_large_mail_that_is_rendered_goes_on_whole_to_who_is_not_a_guest(
    desk, say, world, monkeypatch
):
    """It lies beside the queue, and is not loaded to be passed on."""
    took, pass_on = [], world.onward.pass_on

    async def takes(mail):
        took.append(mail.content + (await mail.rest.whole())[mail.skip :])
        return await pass_on(mail)

    monkeypatch.setattr(world.onward, "pass_on", takes)
    text = say.meeting(**{f"X-{number}": "x" * 60_000 for number in range(6)})
    await desk.mails(text, DAVE)
    assert desk.letters() == [("REQUEST", BOB)]
    assert desk.passed() == [DAVE]
    assert [one.endswith(say.calendar(text, "REQUEST")) for one in took] == [True]


async def test_a_meeting_without_guests_asks_whom_the_mail_openly_addresses(desk, say):
    alone = say.event(more=f"ORGANIZER:mailto:{ALICE}")
    await desk.mails(alone, DAVE, to=f"{BOB}, {CAROL}", named=False)
    assert desk.letters() == [("REQUEST", BOB), ("REQUEST", CAROL)]
    assert desk.passed() == [DAVE]
    assert "dave" not in desk.world.text(HREF)
    assert await quiet(desk)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"peer": replace(PEER, evidence="login")}, "not-submitted"),
        ({"author": BOB}, "sender-not-organizer"),
        ({"organizer": CAROL}, "not-our-organizer"),
        ({"several": True}, "several-meetings"),
        ({"method": "CANCEL"}, "unknown-uid"),
        ({"DTSTART": "20250101T100000Z", "DTEND": "20250101T110000Z"}, "past-event"),
        ({"RECURRENCE_ID": "20261110T100000Z"}, "unknown-uid"),
        ({"method": "COUNTER"}, "client-sent"),
        ({"DTSTART": ""}, "malformed-calendar"),
    ],
)
async def test_what_cannot_be_rendered_goes_on_as_it_came_and_why_tells(desk, say, facts, reason):
    mail = {name: facts.pop(name) for name in ("peer", "author", "method") if name in facts}
    several, organizer = facts.pop("several", False), facts.pop("organizer", ALICE)
    body = say.invitation(guests=BOB, organizer=organizer, **facts)
    if several:
        body += "\n" + say.meeting("m2")
    name = await desk.mails(body, DAVE, **mail)
    assert desk.passed() == [BOB, DAVE]
    assert desk.letters() == []
    assert desk.world.text(HREF) == ""
    assert (await desk.world.told(name))[0][1] == reason


async def test_where_the_calendar_refuses_the_meeting_for_good_the_mail_goes_on_as_it_came(desk, say):
    desk.world.calendars.fail("put", say.conflict, times=9)
    name = await desk.mails(say.meeting(guests=BOB), DAVE)
    assert desk.passed() == [BOB, DAVE]
    assert desk.letters() == []
    assert (await desk.world.told(name))[0] == ("failed", "precondition-failed")


async def test_a_mail_without_a_calendar_goes_on_at_once(desk):
    plain = f"From: {ALICE}\r\nTo: {BOB}\r\nSubject: x\r\n\r\nhello".encode()
    await desk.world.deliver(plain, to=BOB, sender=ALICE, peer=PEER)
    assert [kind for kind, _, _ in await desk.world.waiting()] == ["relay"]
    await desk.world.work()
    assert desk.passed() == [BOB]


async def test_an_answer_that_is_mailed_goes_on_as_it_came(desk, say):
    await desk.world.mail("REQUEST", say.invitation())
    body = say.answer(who=ALICE).replace("ORGANIZER:mailto:alice@example.org", f"ORGANIZER:mailto:{BOB}")
    name = await desk.mails(body, method="REPLY")
    assert desk.passed() == [BOB]
    assert await desk.world.told(name) == [("unchanged", "client-sent")]


async def test_an_older_mail_changes_nothing_and_reaches_nobody(desk, say):
    await desk.mails(say.meeting(**LATER, DTSTAMP="20261102T090000Z"))
    desk.letters()
    name = await desk.mails(say.meeting(), DAVE)
    assert desk.letters() == [] and desk.passed() == [DAVE]
    assert await desk.world.told(name) == [("stale", "older-sequence")]
    assert "20261110T120000Z" in desk.world.text(HREF)
