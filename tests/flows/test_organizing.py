"""The organizer's page: what became of each letter and answer, and his word on what is proposed."""

from __future__ import annotations

import re

import pytest

from gateway.imip.links import Purpose
from gateway.ports import Shown, Visit

ALICE, BOB, CAROL, DAN = "alice@example.org", "bob@example.net", "carol@example.com", "dan@example.net"
HREF = "/alice/calendar/m1.ics"
NONCE = re.compile(r'name="csrf" value="([^"]+)"')
TWO = "20261110T140000Z"


def words(world, recipient: str) -> str:
    mail = next(one for one in reversed(world.outbox.mails) if one.recipient == recipient)
    return mail.content.decode().replace("=\r\n", "").replace("=3D", "=")


class Organizer:
    def __init__(self, world, token: str) -> None:
        self.world, self.token, self.page = world, token, ""

    async def look(self, **query: str) -> str:
        shown = await self.world.organizing.show(Visit(token=self.token, query=query))
        assert shown.status == 200
        self.page = shown.html
        return self.page

    async def send(self, **form: str) -> Shown:
        found = NONCE.search(self.page)
        nonce = found[1] if found else ""
        return await self.world.organizing.take(Visit(token=self.token, form={"csrf": nonce, **form}))

    async def say(self, **form: str) -> Shown:
        await self.look()
        self.world.clock.forward(seconds=5)
        return await self.send(**form)


@pytest.fixture
async def asked(world, say):
    """Bob proposes another time for the lunch to which Alice has asked him, Carol and Dan; Dan's mailbox is no more."""
    world.save(say.meeting(guests=f"{BOB} {CAROL} {DAN}"))
    await world.drain()
    world.clock.forward(hours=1)
    facts = {
        "DTSTAMP": "20261102T090000Z",
        "DTSTART": TWO,
        "DTEND": "20261110T150000Z",
        "COMMENT": "After-lunch?",
    }
    more = f"ORGANIZER:mailto:{ALICE}\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{BOB}"
    await world.mail("COUNTER", say.event(more=more, **facts))
    await world.drain()
    token = re.search(r"http://pages/o/([^?\s\"]+)", words(world, ALICE))[1]  # type: ignore[index]
    world.alice = Organizer(world, token)
    world.outbox.mails.clear()
    return world


async def the_open(world) -> str:
    (one,) = await world.store.proposals.of_meeting(ALICE, "m1")
    return str(one.row.id)


async def test_the_page_tells_who_was_mailed_and_who_answered(asked, say):
    await asked.mail("REPLY", say.answer(who=CAROL), sender=CAROL)
    await asked.drain()
    edited = asked.text(HREF).replace(f":mailto:{DAN}", f";SCHEDULE-STATUS=5.1:mailto:{DAN}")
    asked.calendars.save(HREF, edited.encode())
    page = await asked.alice.look()
    rows = {
        who: row
        for row in page.partition("</tbody>")[0].split("<tr")
        for who in (BOB, CAROL, DAN)
        if who in row
    }
    assert "no answer yet" in rows[BOB] and "mailed Mon" in rows[BOB]
    assert "accepted" in rows[CAROL]
    assert "could not be delivered" in rows[DAN]
    assert "bob@example.net proposes another time" in page and "After-lunch?" in page and "14:00" in page
    assert ALICE not in page.split("<tbody")[1].split("</tbody>")[0]


async def test_the_page_speaks_every_language_in_its_direction_and_names_nobody_twice(asked):
    seen = set()
    for language in ("ar", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt-BR", "ru", "zh-Hans"):
        page = await asked.alice.look(lang=language, tz="Asia/Tokyo")
        assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
        assert "23:00" in page or "11:00" in page, "two in the afternoon of London"
        assert page.count(f'action="/o/{asked.alice.token}?lang={language}&amp;tz=Asia%2FTokyo"') == 2
        rows = page.split("<tbody")[1].partition("</tbody>")[0]
        assert rows.count(BOB) == rows.count(CAROL) == 1
        seen.add(re.search('id="guests">([^<]*)', page)[1])
    assert len(seen) == 12


async def test_looking_decides_nothing(asked):
    for query in ({"a": "accept"}, {"answer": "accept", "proposal": await the_open(asked)}):
        await asked.alice.look(**query)
    assert await asked.waiting() == []


async def test_an_accepted_proposal_moves_the_meeting_when_the_undo_time_is_over(asked):
    before = asked.text(HREF)
    sent = await asked.alice.say(proposal=await the_open(asked), answer="accept")
    assert (sent.status, sent.location) == (303, "n=given")
    await asked.work()
    assert asked.text(HREF) == before and "You agree. Everybody is told at" in await asked.alice.look()
    asked.clock.forward(seconds=61)
    await asked.work()
    assert f"DTSTART:{TWO}" in asked.text(HREF)
    await asked.drain()
    assert sorted(one.recipient for one in asked.outbox.mails) == sorted([BOB, CAROL, DAN])
    assert "proposes another time" not in await asked.alice.look()


async def test_a_proposal_that_is_kept_out_is_told_to_its_guest_alone(asked):
    before = asked.text(HREF)
    await asked.alice.say(proposal=await the_open(asked), answer="keep")
    asked.clock.forward(seconds=61)
    await asked.drain()
    assert [one.recipient for one in asked.outbox.mails] == [BOB] and asked.text(HREF) == before


async def test_a_word_can_be_taken_back(asked):
    before = asked.text(HREF)
    name = await the_open(asked)
    await asked.alice.say(proposal=name, answer="accept")
    assert (await asked.alice.say(proposal=name, answer="undo")).location == "n=undone"
    asked.clock.forward(seconds=61)
    await asked.drain()
    assert asked.text(HREF) == before and asked.outbox.mails == []
    assert (await asked.alice.say(proposal=name, answer="keep")).location == "n=given", "it is open again"


@pytest.mark.parametrize("order", [("accept", "keep"), ("keep", "accept")])
async def test_a_program_that_sends_both_forms_decides_nothing(order, asked):
    before = asked.text(HREF)
    name = await the_open(asked)
    await asked.alice.look()
    assert (await asked.alice.send(proposal=name, answer="accept")).location == "n=again", "too fast"
    asked.clock.forward(seconds=5)
    sent = [await asked.alice.send(proposal=name, answer=one) for one in order]
    assert [one.location for one in sent] == ["n=given", "n=both"]
    asked.clock.forward(seconds=61)
    await asked.drain()
    assert asked.text(HREF) == before and asked.outbox.mails == []


async def test_only_what_this_meeting_holds_can_be_decided(asked):
    for form in ({"proposal": "x"}, {"proposal": "", "answer": "accept"}, {"answer": "accept"}):
        assert (await asked.alice.say(**{"answer": "keep", **form})).location == "n=late"
    assert (await asked.alice.say(proposal=await the_open(asked), answer="burn")).location == "n=choose"
    assert await asked.waiting() == []


async def test_a_guests_link_opens_no_organizers_page_nor_the_reverse(asked):
    assert (await asked.rsvp.show(Visit(token=asked.alice.token))).status == 404
    row = 1  # the invitation of Bob
    guests = asked.organizing._links.token(Purpose.ANSWER, row, asked.clock.now())
    assert (await asked.organizing.show(Visit(token=guests))).status == 404
    forged = asked.organizing._links.token(Purpose.ORGANIZER, row, asked.clock.now())
    assert (await asked.organizing.show(Visit(token=forged))).status == 404, "only letters to him carry it"
    shown = await asked.organizing.take(Visit(token=guests, form={"answer": "accept"}))
    assert shown.status == 404


async def test_without_its_nonce_nothing_is_decided(asked):
    form = {"proposal": await the_open(asked), "answer": "accept", "csrf": "x"}
    shown = await asked.organizing.take(Visit(token=asked.alice.token, form=form))
    assert shown.status == 403 and await asked.waiting() == []


async def test_where_the_calendar_is_away_the_page_says_so(asked, say):
    asked.calendars.fail("find", say.unavailable, times=9)
    assert "the calendar cannot be reached" in await asked.alice.look()


async def test_the_page_speaks_german(asked):
    page = await asked.alice.look(lang="de", tz="Europe/Berlin")
    assert "schlägt eine andere Zeit vor" in page and "15:00 – 16:00" in page and "Zustimmen" in page


async def test_where_no_clock_is_chosen_all_of_the_page_is_on_that_of_the_meeting(world, say):
    berlin = {
        "DTSTART": ";TZID=Europe/Berlin:20261110T110000",
        "DTEND": ";TZID=Europe/Berlin:20261110T120000",
    }
    text = say.meeting(guests=BOB, **dict.fromkeys(berlin, "x"))
    for name, value in berlin.items():
        text = text.replace(f"{name}:x", f"{name}{value}")
    world.save(text)
    await world.drain()
    world.clock.forward(hours=1)
    facts = {"DTSTAMP": "20261102T090000Z", "DTSTART": TWO, "DTEND": "20261110T150000Z"}
    more = f"ORGANIZER:mailto:{ALICE}\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{BOB}"
    await world.mail("COUNTER", say.event(more=more, **facts))
    await world.drain()
    token = re.search(r"http://pages/o/([^?\s\"]+)", words(world, ALICE))[1]  # type: ignore[index]
    page = await Organizer(world, token).look()
    assert "15:00 – 16:00" in page and "11:00 – 12:00" in page and "14:00" not in page


def link(world, to: str) -> str:
    found = re.search(r"http://pages/r/([^?\s]+)\?a=yes", words(world, to))
    assert found is not None
    return found[1]


@pytest.fixture
async def asked_by_link(world, say):
    """Bob and Carol can answer by the links of their letters; Alice has one to her page."""
    world.save(say.meeting(guests=f"{BOB} {CAROL}"))
    await world.drain()
    world.links = {one: link(world, one) for one in (BOB, CAROL)}
    world.alice = Organizer(world, world.organizing._links.token(Purpose.ORGANIZER, 3, world.clock.now()))
    more = f"ORGANIZER:mailto:{ALICE}\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{BOB}"
    await world.mail(
        "COUNTER", say.event(more=more, DTSTAMP="20261102T090000Z", DTSTART=TWO, DTEND=TWO[:9] + "150000Z")
    )
    await world.drain()
    return world


async def opens(world, token: str) -> bool:
    return (await world.rsvp.show(Visit(token=token))).status == 200


async def test_links_that_are_taken_back_lead_nowhere_and_the_next_letter_brings_another(asked_by_link):
    world = asked_by_link
    sent = await world.alice.say(answer="revoke", guest=BOB)
    assert (sent.status, sent.location) == (303, "n=revoked")
    assert "These links lead nowhere any more." in await world.alice.look(n="revoked"), "and his own works"
    assert not await opens(world, world.links[BOB]) and await opens(world, world.links[CAROL])
    assert (await world.rsvp.take(Visit(token=world.links[BOB], form={"answer": "accepted"}))).status == 404
    assert await world.rsvp.calendar(Visit(token=world.links[BOB])) is None
    assert ("applied", "links-revoked") in await world.told("m1")
    world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.drain()
    assert await opens(world, link(world, BOB)) and not await opens(world, world.links[BOB])


async def test_the_links_of_all_guests_are_taken_back_at_once(asked_by_link):
    assert (await asked_by_link.alice.say(answer="revoke", guest="*")).location == "n=revoked"
    assert not [one for one in asked_by_link.links.values() if await opens(asked_by_link, one)]
    await asked_by_link.alice.look()


@pytest.mark.parametrize("guest", ["", ALICE, "somebody@example.net", "* "])
async def test_nobody_loses_a_link_by_a_form_that_names_none_of_the_guests(guest, asked_by_link):
    assert (await asked_by_link.alice.say(answer="revoke", guest=guest)).location == "n=whose"
    assert all([await opens(asked_by_link, one) for one in asked_by_link.links.values()])
    assert ("applied", "links-revoked") not in await asked_by_link.told("m1")


async def test_an_answer_by_a_link_that_is_taken_back_before_it_takes_effect_counts_for_nothing(
    asked_by_link,
):
    world = asked_by_link
    before = world.text(HREF)
    page = await world.rsvp.show(Visit(token=world.links[BOB]))
    nonce = NONCE.search(page.html)
    world.clock.forward(seconds=5)
    form = {"csrf": nonce[1], "answer": "accepted"}
    assert (await world.rsvp.take(Visit(token=world.links[BOB], form=form))).location == "n=given"
    await world.alice.say(answer="revoke", guest=BOB)
    world.clock.forward(seconds=61)
    await world.drain()
    assert world.text(HREF) == before
    assert ("ignored", "links-revoked") in await world.told("m1")


async def test_the_outbox_says_what_a_change_will_mail_and_when(asked):
    assert "Outbox" not in await asked.alice.look()
    dan = next(one for one in asked.text(HREF).splitlines(keepends=True) if f"mailto:{DAN}" in one)
    asked.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"), (dan, ""))
    await asked.sync()
    page = await asked.alice.look()
    box = page.partition("<h3>Outbox</h3>")[2].partition("</ul>")[0]
    assert "Your last change is mailed Mon, 2 Nov 2026, 09:01, unless" in box
    rows = dict(re.findall(r"<li><bdi>(.*?)</bdi> <span class=\"small\">(.*?)</span>", box))
    assert rows == {BOB: "change", CAROL: "change", DAN: "cancellation"}
    asked.outbox.mails.clear()
    await asked.drain()
    assert {one.recipient for one in asked.outbox.mails} == set(rows)
    assert "Outbox" not in await asked.alice.look()


async def test_the_outbox_says_that_a_change_needs_no_mail(asked):
    carol = next(one for one in asked.text(HREF).splitlines() if f"mailto:{CAROL}" in one)
    asked.edit(HREF, (carol, carol.replace("NEEDS-ACTION", "ACCEPTED")))
    await asked.sync()
    assert "Nobody needs a mail about your last change." in await asked.alice.look()


async def test_while_the_calendar_is_away_the_outbox_says_when_alone(asked, say):
    asked.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await asked.sync()
    asked.calendars.fail("find", say.unavailable, times=50)
    page = await asked.alice.look()
    assert "Your last change is mailed" in page and '<ul class="outbox">' not in page
