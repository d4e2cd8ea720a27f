"""The guest's page: looking changes nothing, an answer waits, and what then takes effect went the road of every message."""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta
from email import message_from_bytes, policy
from itertools import permutations

import pytest

from gateway.flows.rsvp import Rsvp
from gateway.ports import Shown, Visit

BOB, CAROL = "bob@example.net", "carol@example.com"
HREF = "/alice/calendar/m1.ics"
NONCE = re.compile(r'name="csrf" value="([^"]+)"')


class Guest:
    """Somebody with the link of his letter, and no script."""

    def __init__(self, world, token: str) -> None:
        self.world = world
        self.token = token
        self.page = ""

    @property
    def rsvp(self) -> Rsvp:
        return self.world.rsvp

    async def look(self, **query: str) -> str:
        shown = await self.rsvp.show(Visit(token=self.token, query=query))
        assert shown.status == 200
        self.page = shown.html
        return shown.html

    @property
    def nonce(self) -> str:
        found = NONCE.search(self.page)
        return found[1] if found else ""

    async def send(self, **form: str) -> Shown:
        return await self.rsvp.take(Visit(token=self.token, form={"csrf": self.nonce, **form}))

    async def answer(self, **form: str) -> Shown:
        """As a person does: look, think, send."""
        await self.look()
        self.world.clock.forward(seconds=5)
        return await self.send(**form)


def token_of(world, to: str = BOB) -> str:
    mail = next(one for one in reversed(world.outbox.mails) if one.recipient == to)
    text = mail.content.decode().replace("=\r\n", "")
    return re.search(r"http://pages/r/([^?\s]+)\?a=3Dyes", text)[1]  # type: ignore[index]


@pytest.fixture
async def invited(world, say):
    """Alice has asked Bob and Carol to a lunch at ten."""
    world.save(say.meeting(guests=f"{BOB} {CAROL}"))
    await world.drain()
    world.bob = Guest(world, token_of(world))
    world.outbox.mails.clear()
    return world


@pytest.fixture
async def weekly(world, say):
    world.save(say.meeting(guests=f"{BOB} {CAROL}", RRULE="FREQ=WEEKLY;COUNT=4"))
    await world.drain()
    world.bob = Guest(world, token_of(world))
    world.outbox.mails.clear()
    return world


async def after_undo(world) -> None:
    world.clock.forward(seconds=61)
    await world.work()


async def journal(world) -> list[tuple[str, str]]:
    story = await world.store.journal.story("m1")
    return [(one["outcome"], one["reason"]) for one in story if one["kind"] == "answer"]


async def test_looking_changes_nothing_however_often(invited):
    before = invited.text(HREF)
    for answer in ("yes", "maybe", "no", "<script>", "accepted"):
        page = await invited.bob.look(a=answer)
        assert "Lunch" in page and "<script>" not in page
    assert await invited.waiting() == []
    await after_undo(invited)
    assert invited.text(HREF) == before and await journal(invited) == []


async def test_the_page_speaks_every_language_in_its_direction(weekly):
    seen = set()
    for language in ("ar", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt-BR", "ru", "zh-Hans"):
        page = await weekly.bob.look(lang=language, tz="Asia/Tokyo")
        assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
        stays = f'method="post" action="/r/{weekly.bob.token}?lang={language}&amp;tz=Asia%2FTokyo"'
        assert page.count(stays) == page.count('method="post"') == 3
        assert '<option value="Asia/Tokyo" selected>' in page
        seen.add(re.search("<h1.*?</h1>.*?<legend>(.*?)</legend>", page, re.DOTALL)[1])
    assert len(seen) == 12


async def test_a_language_that_was_chosen_is_kept_by_an_answer_and_by_no_look(invited):
    async def chosen() -> str:
        (letter,) = [
            one
            for one in await invited.store.plans.letters_sent("alice@example.org", "m1")
            if one.letter.recipient == BOB
        ]
        return (await invited.store.plans.letter(letter.id)).language

    await invited.bob.look(lang="pl", a="yes")
    assert await chosen() == ""
    invited.clock.forward(seconds=5)
    for lang, kept in (("xx", ""), ("<script>", ""), ("pt", "pt-BR"), ("", "pt-BR"), ("pl", "pl")):
        form = {"csrf": invited.bob.nonce, "answer": "accepted"}
        await invited.rsvp.take(Visit(token=invited.bob.token, query={"lang": lang}, form=form))
        assert await chosen() == kept
    forged = {"csrf": "forged", "answer": "accepted"}
    await invited.rsvp.take(Visit(token=invited.bob.token, query={"lang": "ja"}, form=forged))
    assert await chosen() == "pl"
    assert '<html lang="pl"' in await invited.bob.look()
    assert '<html lang="ja"' in await invited.bob.look(lang="ja")


async def test_what_the_browser_of_a_guest_asks_for_is_kept_until_he_chooses(invited):
    letter = next(
        one
        for one in await invited.store.plans.letters_sent("alice@example.org", "m1")
        if one.letter.recipient == BOB
    )
    for browser, lang, kept in (
        ("xx, fr-CH;q=0.9", "", "fr"),
        ("ja", "", "fr"),
        ("ja", "de", "de"),
        ("ja", "", "de"),
    ):
        await invited.bob.look()
        form = {"csrf": invited.bob.nonce, "answer": "accepted"}
        await invited.rsvp.take(
            Visit(token=invited.bob.token, query={"lang": lang}, form=form, languages=browser)
        )
        assert (await invited.store.plans.letter(letter.id)).language == kept


async def test_the_clock_that_was_chosen_is_that_of_the_page_and_of_the_next_letter(invited):
    await invited.bob.look(tz="Asia/Tokyo")
    assert "19:00 – 20:00" not in await invited.bob.look(), "a look keeps nothing"
    for clock, hours in (
        ("Asia/Tokyo", "19:00 – 20:00"),
        ("nowhere", "19:00 – 20:00"),
        ("", "10:00 – 11:00"),
    ):
        await invited.bob.look(tz=clock)
        invited.clock.forward(seconds=5)
        visit = Visit(
            token=invited.bob.token,
            query={"tz": clock},
            form={"csrf": invited.bob.nonce, "answer": "tentative"},
        )
        assert (await invited.rsvp.take(visit)).location == "n=given"
        assert hours in await invited.bob.look()
    await invited.bob.look(tz="Asia/Tokyo")
    form = {"csrf": invited.bob.nonce, "answer": "accepted"}
    invited.clock.forward(seconds=5)
    await invited.rsvp.take(Visit(token=invited.bob.token, query={"tz": "Asia/Tokyo"}, form=form))
    await after_undo(invited)
    invited.outbox.mails.clear()
    invited.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await invited.drain()
    texts = {one.recipient: words(one.content) for one in invited.outbox.mails}
    assert "19:00 – 20:00" in texts[BOB] and "10:00 – 11:00" in texts[CAROL]


def words(content: bytes) -> str:
    body = message_from_bytes(content, policy=policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_the_link_of_the_letter_preselects_and_no_more(invited):
    page = await invited.bob.look(a="maybe")
    assert re.search(r'value="tentative" checked', page) and page.count(" checked") == 1
    assert "checked" not in await invited.bob.look()


async def test_a_form_that_is_asked_for_once_more_keeps_what_was_chosen_beside_the_answer(weekly):
    await weekly.bob.look(a="yes")
    weekly.clock.forward(seconds=5)
    shown = await weekly.bob.send(a="yes", answer="accepted", scope="instance", instance="20261117T100000Z")
    assert shown.status == 422 and await weekly.waiting() == []
    assert 'name="scope" value="instance" checked' in shown.html
    assert '<option value="20261117T100000Z" selected>' in shown.html
    assert shown.html.count(" checked") == 1 and 'name="a"' not in shown.html


async def test_an_answer_takes_effect_when_the_undo_time_is_over(invited):
    sent = await invited.bob.answer(answer="accepted", comment="I bring\r\ncake")
    assert (sent.status, sent.location) == (303, "n=given")
    await invited.work()
    assert "PARTSTAT=ACCEPTED:mailto:bob" not in invited.text(HREF).replace(";RSVP=TRUE", "")
    assert "You accept. The organizer is told at" in await invited.bob.look()
    await after_undo(invited)
    assert "ATTENDEE;PARTSTAT=ACCEPTED" in line(invited, BOB) and "NEEDS-ACTION" in line(invited, CAROL)
    assert await journal(invited) == [("applied", "answer-recorded")]
    assert "You have accepted." in await invited.bob.look()
    (mail,) = invited.outbox.mails
    assert mail.recipient == BOB and b"in your name" in mail.content, "SPEC 7.1: it may not have been he"


async def test_the_letter_leads_to_where_another_time_is_proposed(invited):
    page = await invited.bob.look(answer="counter")
    assert '<details id="propose" open>' in page and "checked" not in page
    assert '<details id="propose">' in await invited.bob.look()


async def test_who_comes_gets_the_meeting_with_his_answer_in_it(invited):
    """So that his calendar shows it, though no program of his has answered."""
    await invited.bob.answer(answer="tentative")
    await after_undo(invited)
    (mail,) = invited.outbox.mails
    part = next(
        one for one in message_from_bytes(mail.content).walk() if one.get_content_type() == "text/calendar"
    )
    text = part.get_payload(decode=True).decode().replace("\r\n ", "")
    assert "METHOD:REQUEST" in text and "SEQUENCE:0" in text and text.count("UID:m1") == 1
    assert re.search(r"ATTENDEE[^:\n]*;PARTSTAT=TENTATIVE[^:\n]*;RSVP=FALSE[^:\n]*:mailto:bob@", text)
    assert re.search(r"ATTENDEE[^:\n]*PARTSTAT=NEEDS-ACTION[^:\n]*:mailto:carol@", text)
    assert b"Auto-Submitted: auto-replied" in mail.content
    line_of_bob = line(invited, BOB)
    assert "PARTSTAT=TENTATIVE" in line_of_bob and "RSVP=FALSE" not in line_of_bob, (
        "the calendar is not ours to change"
    )


def dates_of(page: str) -> int:
    """How many dates there are to choose from; the two forms below offer them as well."""
    return page.partition("</select>")[0].count('<option value="20261')


def line(world, who: str) -> str:
    return next(one for one in world.text(HREF).splitlines() if who in one and one.startswith("ATTENDEE"))


async def test_who_comes_is_offered_ways_into_his_calendar_first(invited):
    page = await invited.bob.look()
    assert '<h2 id="adding">' not in page and "<summary>Add to your calendar</summary>" in page
    await invited.bob.answer(answer="accepted")
    page = await invited.bob.look()
    assert page.index('<h2 id="adding">') < page.index('<h2 id="answer">')
    assert page.count("/event.ics") == 2 and page.count('rel="external noopener noreferrer"') == 3
    await after_undo(invited)
    assert '<h2 id="adding">' in await invited.bob.look()
    await invited.bob.answer(answer="declined")
    assert '<h2 id="adding">' not in await invited.bob.look(), "what waits counts before what holds"


async def test_the_page_says_when_the_answer_was_given(invited):
    await invited.bob.answer(answer="accepted")
    await after_undo(invited)
    assert "Answered on Mon, 2 Nov 2026, 08:00." in await invited.bob.look()
    assert "Answered on Mon, 2 Nov 2026, 17:00." in await invited.bob.look(tz="Asia/Tokyo")
    his = line(invited, BOB)
    invited.edit(HREF, (his, his.replace("ACCEPTED", "TENTATIVE")))
    assert "Answered on" not in await invited.bob.look(), "another one is there that we know nothing of"


async def test_one_may_change_ones_mind_while_it_waits_and_after(invited):
    for answer, partstat in (("accepted", None), ("declined", "DECLINED"), ("tentative", "TENTATIVE")):
        assert (await invited.bob.answer(answer=answer)).location == "n=given"
        if partstat:
            await after_undo(invited)
            assert f"PARTSTAT={partstat}" in line(invited, BOB)
    assert await journal(invited) == [("applied", "answer-recorded")] * 2


async def test_an_answer_can_be_taken_back(invited):
    before = invited.text(HREF)
    await invited.bob.answer(answer="declined")
    assert "Take it back" in await invited.bob.look()
    assert (await invited.bob.send(answer="undo")).location == "n=undone"
    await after_undo(invited)
    assert invited.text(HREF) == before
    assert await journal(invited) == [("ignored", "withdrawn")]
    assert (await invited.bob.answer(answer="undo")).location == "n=late"


async def test_a_form_that_comes_faster_than_a_person_is_asked_for_again(invited):
    await invited.bob.look()
    assert (await invited.bob.send(answer="accepted")).location == "n=again&a=yes"
    invited.clock.forward(seconds=1)
    assert (await invited.bob.send(answer="accepted")).location == "n=again&a=yes"
    assert await invited.waiting() == []


@pytest.mark.parametrize("order", list(permutations(("accepted", "tentative", "declined"))))
async def test_a_scanner_that_sends_every_form_answers_nothing(order, invited):
    """It renders each link of the letter, waits, and sends them all."""
    before = invited.text(HREF)
    pages = [Guest(invited, invited.bob.token) for _ in order]
    for one in pages:
        await one.look()
    invited.clock.forward(seconds=4)
    sent = [await one.send(answer=answer) for one, answer in zip(pages, order, strict=True)]
    assert [one.location for one in sent] == ["n=given", "n=both", "n=both"]
    assert "Take it back" not in await invited.bob.look()
    await after_undo(invited)
    assert invited.text(HREF) == before
    assert await journal(invited) == [("ignored", "contradictory")]


async def test_after_a_contradiction_the_next_answer_counts(invited):
    one, other = Guest(invited, invited.bob.token), Guest(invited, invited.bob.token)
    await one.look()
    await other.look()
    invited.clock.forward(seconds=4)
    await one.send(answer="accepted")
    await other.send(answer="declined")
    assert (await invited.bob.answer(answer="tentative")).location == "n=given"
    await after_undo(invited)
    assert "PARTSTAT=TENTATIVE" in line(invited, BOB)


@pytest.mark.parametrize("form", [{"csrf": ""}, {"csrf": "forged.x"}, {"csrf": "of another"}])
async def test_a_form_without_the_nonce_of_its_page_is_refused(form, invited):
    if form["csrf"] == "of another":
        await invited.bob.look()
        form = {"csrf": invited.bob.nonce[:-1] + ("0" if invited.bob.nonce[-1] != "0" else "1") + "f"}
    shown = await invited.rsvp.take(Visit(token=invited.bob.token, form={**form, "answer": "accepted"}))
    assert shown.status == 403 and await invited.waiting() == []


async def test_a_form_from_yesterday_is_asked_for_again_and_keeps_its_words(invited):
    await invited.bob.look()
    invited.clock.forward(hours=25)
    shown = await invited.bob.send(answer="accepted", comment="my long thoughts")
    assert shown.status == 403 and "my long thoughts" in shown.html
    assert await invited.waiting() == []


@pytest.mark.parametrize(
    "token", ["", "x", "WzEsMjExNzdd.AAAA", "a" * 5000, "../../etc/passwd", "WzEsMjExNzdd"]
)
async def test_a_guessed_link_leads_nowhere(token, invited):
    for shown in (await invited.rsvp.show(Visit(token=token)), await invited.rsvp.take(Visit(token=token))):
        assert shown.status == 404 and "Lunch" not in shown.html
    assert await invited.rsvp.calendar(Visit(token=token)) is None


async def test_a_link_ends_a_month_behind_the_meeting(invited):
    invited.clock.forward(days=37)
    assert "This meeting is over." in await invited.bob.look()
    assert (await invited.bob.send(answer="accepted")).status == 403
    invited.clock.forward(days=2)
    assert (await invited.rsvp.show(Visit(token=invited.bob.token))).status == 404


async def test_a_guest_who_was_struck_off_answers_nothing_more(invited):
    await invited.bob.look()
    invited.edit(HREF, (f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{BOB}\r\n", ""))
    await invited.drain()
    before = invited.text(HREF)
    assert (await invited.bob.send(answer="accepted")).status == 409
    page = await invited.bob.look()
    assert "no longer on the guest list" in page and 'name="answer"' not in page
    assert await invited.rsvp.calendar(Visit(token=invited.bob.token)) is None
    await after_undo(invited)
    assert invited.text(HREF) == before


async def test_an_answer_to_an_older_version_is_stale_when_its_time_comes(invited):
    """SPEC 7.1: the event's revision is looked at again when the undo time is over."""
    await invited.bob.answer(answer="accepted")
    invited.edit(HREF, ("DTSTART:20261110T100000Z", "DTSTART:20261110T120000Z"), ("T110000Z", "T130000Z"))
    await invited.sync()
    invited.clock.forward(seconds=31)
    await invited.work()  # the new time is told to the guests
    await after_undo(invited)
    assert "NEEDS-ACTION" in line(invited, BOB)
    assert (await journal(invited))[-1][0] == "stale"
    page = await invited.bob.look()
    assert "has changed since the mail" in page and "10:00" in page and "12:00" in page


async def test_a_cancelled_meeting_says_so(invited):
    invited.edit(HREF, ("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY"))
    await invited.drain()
    page = await invited.bob.look()
    assert "This meeting was cancelled." in page and 'name="answer"' not in page


async def test_a_meeting_that_is_gone_shows_what_the_letter_told(invited):
    invited.calendars.remove(HREF)
    await invited.drain()
    page = await invited.bob.look()
    assert "no longer in the organizer" in page and "Lunch" in page and 'name="answer"' not in page


async def test_while_the_calendar_is_away_an_answer_is_kept(invited, say):
    invited.calendars.fail("find", say.unavailable, times=50)
    page = await invited.bob.look()
    assert "cannot be reached at the moment" in page and "Lunch" in page
    invited.clock.forward(seconds=5)
    assert (await invited.bob.send(answer="accepted")).location == "n=given"
    await after_undo(invited)
    invited.calendars.faults.clear()
    for _ in range(5):
        invited.clock.forward(minutes=10)
        await invited.work()
    assert "PARTSTAT=ACCEPTED" in line(invited, BOB)


async def test_a_crash_loses_no_answer_and_applies_none_twice(new_world, say):
    """Killed at each step of the work in turn."""
    for fatal in range(12):
        world = await new_world()
        world.save(say.meeting(guests=f"{BOB} {CAROL}"))
        await world.drain()
        bob = Guest(world, token_of(world))
        await bob.answer(answer="accepted")
        world.clock.forward(seconds=61)
        world.process = world.begin(fatal)
        with contextlib.suppress(say.Killed):
            await world.work()
        await world.restart()
        await world.work()
        assert "PARTSTAT=ACCEPTED" in line(world, BOB), fatal
        assert (await journal(world)).count(("applied", "answer-recorded")) == 1, fatal


async def test_one_date_and_the_rest_of_a_series_are_answered_apart(weekly):
    page = await weekly.bob.look()
    assert dates_of(page) == 4 and "This date and all following" in page
    await weekly.bob.answer(answer="accepted", scope="series", instance="20261110T100000Z")
    await weekly.bob.answer(answer="declined", scope="instance", instance="20261117T100000Z")
    await after_undo(weekly)
    text = weekly.text(HREF)
    assert text.count("BEGIN:VEVENT") == 2
    master, second = text.split("BEGIN:VEVENT")[1:]
    assert "RECURRENCE-ID:20261117T100000Z" in second and "PARTSTAT=DECLINED" in second
    assert "PARTSTAT=ACCEPTED" in next(one for one in master.splitlines() if BOB in one)
    assert "(declined)" in await weekly.bob.look()


@pytest.mark.parametrize(
    "form",
    [
        {"answer": ""},
        {"answer": "delegated"},
        {"answer": "accepted", "scope": "instance"},
        {"answer": "accepted", "scope": "instance", "instance": "20261118T100000Z"},
        {"answer": "accepted", "scope": "following", "instance": "nonsense"},
        {"answer": "accepted", "scope": "everything", "instance": "20261117T100000Z"},
        {"answer": "accepted", "scope": "instance", "instance": "20261117T100000Z+"},
        {"answer": "counter", "scope": "series", "start": "2026-11-18T10:00", "end": "2026-11-18T11:00"},
        {"answer": "counter", "scope": "instance", "instance": "20261117T100000Z", "start": "x", "end": "y"},
        {
            "answer": "counter",
            "scope": "instance",
            "instance": "20261117T100000Z",
            "start": "2026-11-18T11:00",
            "end": "2026-11-18T10:00",
        },
        {
            "answer": "counter",
            "scope": "instance",
            "instance": "20261117T100000Z",
            "start": "9999-11-18T11:00",
            "end": "9999-11-18T12:00",
        },
    ],
)
async def test_a_form_that_makes_no_sense_is_shown_again(form, weekly):
    shown = await weekly.bob.answer(**form)
    assert shown.status == 422 and 'role="status"' in shown.html
    assert await weekly.waiting() == []


async def test_a_proposal_becomes_a_counter_on_the_clock_of_the_page(invited):
    form = {
        "answer": "counter",
        "start": "2026-11-10T15:00",
        "end": "2026-11-10T16:00",
        "tz": "Europe/Berlin",
    }
    assert (await invited.bob.answer(**form, comment="After lunch?")).location == "n=proposed"
    assert "Your proposal goes to the organizer" in await invited.bob.look()
    before = invited.text(HREF)
    await after_undo(invited)
    (row,) = await invited.store.proposals.list()
    assert (row["from"], row["start"], row["end"]) == (BOB, "2026-11-10T14:00:00Z", "2026-11-10T15:00:00Z")
    assert row["comment"] == "After lunch?" and invited.text(HREF) == before
    await invited.drain()
    assert [one.recipient for one in invited.outbox.mails] == ["alice@example.org"]


async def test_where_no_proposals_are_taken_none_is_offered(invited):
    invited.edit(HREF, ("SUMMARY", "X-MICROSOFT-DISALLOW-COUNTER:TRUE\r\nSUMMARY"))
    await invited.drain()
    assert "Propose another time" not in await invited.bob.look()
    sent = await invited.bob.answer(answer="counter", start="2026-11-10T15:00", end="2026-11-10T16:00")
    assert sent.status == 409


async def test_the_page_shows_the_guest_no_more_than_his_letter_did(world, say):
    world.policy = say.replace(world.policy, guest_list="self")
    world.save(say.meeting(guests=f"{BOB} {CAROL}", more_private="x"))
    await world.drain()
    bob = Guest(world, token_of(world))
    assert CAROL not in await bob.look()
    text = await world.rsvp.calendar(Visit(token=bob.token))
    assert text is not None and b"METHOD:PUBLISH" in text and CAROL.encode() not in text
    assert BOB.encode() in text


async def test_hostile_words_stay_words(world, say):
    world.save(
        say.meeting(guests=BOB, SUMMARY="<img src=x onerror=alert(1)>", LOCATION="javascript:alert(1)")
    )
    await world.drain()
    bob = Guest(world, token_of(world))
    page = await bob.look(a='"><script>', lang='"><script>', tz='"><script>', n="<script>")
    assert "<img" not in page and "<script" not in page and "javascript:" not in page
    again = await bob.answer(
        answer="", comment="</textarea><script>", instance="<script>", start='"><script>'
    )
    assert again.status == 422 and "<script" not in again.html


async def test_the_page_speaks_the_language_and_the_clock_that_are_chosen(invited):
    page = await invited.bob.look(lang="de", tz="America/New_York")
    assert '<html lang="de"' in page and "Ihre Antwort" in page and "05:00" in page
    shown = await invited.rsvp.show(Visit(token=invited.bob.token, languages="fi, de-AT;q=0.8, en;q=0.5"))
    assert '<html lang="de"' in shown.html
    assert 'action="/r/' in page and "lang=de" in page and "tz=America" in page


async def test_what_the_link_preselects_survives_another_language(invited):
    page = await invited.bob.look(a="no")
    assert '<input type="hidden" name="a" value="no">' in page
    for nonsense in ("", "x", '"><b>'):
        assert 'name="a"' not in await invited.bob.look(a=nonsense)


async def test_what_is_wrong_is_tied_to_its_field(weekly):
    shown = await weekly.bob.answer(answer="")
    assert re.search(
        r'<p class="banner no" role="status" id="result"[^>]*>.*choose one of the answers', shown.html
    )
    assert '<fieldset class="answers" aria-describedby="result">' in shown.html
    shown = await weekly.bob.answer(
        answer="counter", scope="instance", instance="20261117T100000Z", start="x"
    )
    assert shown.html.count('aria-invalid="true" aria-describedby="result clock"') == 2


async def test_an_answer_waits_as_long_as_is_configured(invited):
    (sent,) = [await invited.bob.answer(answer="accepted")]
    assert sent.location == "n=given"
    (job,) = await invited.store.queue.to_come("alice@example.org", "m1")
    assert job.due - job.created == timedelta(seconds=60)
    assert await invited.store.queue.drained(False) and not await invited.store.queue.drained(True)


async def test_whole_days_are_proposed_as_days(world, say):
    text = say.meeting(guests=BOB, DTSTART="x", DTEND="x")
    text = text.replace("DTSTART:x", "DTSTART;VALUE=DATE:20261110").replace(
        "DTEND:x", "DTEND;VALUE=DATE:20261112"
    )
    world.save(text)
    await world.drain()
    bob = Guest(world, token_of(world))
    page = await bob.look()
    assert 'type="date" name="start" value="2026-11-10"' in page
    assert 'type="date" name="end" value="2026-11-11"' in page, "the last day, not the one behind it"
    sent = await bob.answer(answer="counter", start="2026-11-17", end="2026-11-18", tz="Asia/Tokyo")
    assert sent.location == "n=proposed"
    await after_undo(world)
    (row,) = await world.store.proposals.list()
    assert (row["start"], row["end"]) == ("2026-11-17", "2026-11-19")


async def test_a_guest_of_one_date_answers_that_date_only(weekly):
    only = (
        f"BEGIN:VEVENT\r\nUID:m1\r\nRECURRENCE-ID:20261124T100000Z\r\nDTSTAMP:20261102T070000Z\r\n"
        "DTSTART:20261124T100000Z\r\nDTEND:20261124T110000Z\r\nSUMMARY:Lunch\r\n"
        f"ORGANIZER:mailto:alice@example.org\r\nATTENDEE:mailto:{BOB}\r\nATTENDEE:mailto:eve@example.net\r\n"
        "END:VEVENT\r\nEND:VCALENDAR"
    )
    weekly.edit(HREF, ("END:VCALENDAR", only))
    await weekly.drain()
    eve = Guest(weekly, token_of(weekly, "eve@example.net"))
    page = await eve.look()
    assert dates_of(page) == 1 and "All dates" not in page
    assert (await eve.answer(answer="accepted", scope="series")).status == 422
    assert (await eve.answer(answer="accepted", instance="20261117T100000Z")).status == 422
    assert (await eve.answer(answer="accepted", instance="20261124T100000Z")).location == "n=given"
    await after_undo(weekly)
    assert "ACCEPTED" in line(weekly, "eve@example.net")


async def test_a_task_is_taken_on_by_its_page_too(world, say):
    task = say.meeting(guests=BOB).replace("VEVENT", "VTODO").replace("DTEND", "DUE")
    world.save(task)
    await world.drain()
    bob = Guest(world, token_of(world))
    assert "Propose another time" not in await bob.look()
    await bob.answer(answer="accepted")
    await after_undo(world)
    assert "PARTSTAT=ACCEPTED" in line(world, BOB)


EVE = "eve@example.net"


async def test_a_guest_sends_somebody_else_whom_the_organizer_then_asks(invited):
    sent = await invited.bob.answer(
        answer="delegate", deputy=" Eve <EVE@example.net> ", name="Eve\r\nX", comment="away"
    )
    assert sent.location == "n=given"
    assert "You send Eve X in your place. The organizer is told at" in await invited.bob.look()
    await after_undo(invited)
    own, other = line(invited, "DELEGATED-TO"), line(invited, f":mailto:{EVE}")
    assert "PARTSTAT=DELEGATED" in own and f'DELEGATED-TO="mailto:{EVE}"' in own and "away" in own
    assert f'DELEGATED-FROM="mailto:{BOB}"' in other and "CN=Eve X" in other
    await invited.drain()
    assert sorted({one.recipient for one in invited.outbox.mails}) == sorted([BOB, EVE])
    assert "You have sent somebody in your place." in await invited.bob.look()
    eve = Guest(invited, token_of(invited, EVE))
    assert (await eve.answer(answer="accepted")).location == "n=given"
    await after_undo(invited)
    assert "PARTSTAT=ACCEPTED" in line(invited, f":mailto:{EVE}")


async def test_who_sent_somebody_may_come_himself_after_all(invited):
    await invited.bob.answer(answer="delegate", deputy=EVE)
    await after_undo(invited)
    await invited.bob.answer(answer="accepted")
    await after_undo(invited)
    assert "PARTSTAT=ACCEPTED" in line(invited, BOB) and EVE not in invited.text(HREF)


async def test_one_date_is_handed_on(weekly):
    sent = await weekly.bob.answer(answer="delegate", deputy=EVE, instance="20261117T100000Z")
    assert sent.location == "n=given"
    await after_undo(weekly)
    master, second = weekly.text(HREF).split("BEGIN:VEVENT")[1:]
    assert "RECURRENCE-ID:20261117T100000Z" in second and EVE in second and EVE not in master


@pytest.mark.parametrize(
    "deputy",
    [
        "",
        "nobody",
        "a@",
        "@b",
        "a b@c.example",
        "a@b\r\nBcc: c@d",
        "a@b,c@d",
        "https://example.org/eve",
        f"{'x' * 300}@y.example",
        BOB,
        "alice@example.org",
        "mailto:bob@example.net",
    ],
)
async def test_nobody_is_sent_who_cannot_come(deputy, invited):
    shown = await invited.bob.answer(answer="delegate", deputy=deputy)
    assert shown.status == 422 and "somebody who can come in your place" in shown.html
    assert re.search('id="deputy"[^>]* aria-invalid="true" aria-describedby="result"', shown.html)
    assert await invited.waiting() == []


async def test_the_page_is_no_cannon(invited):
    """One delegation waits at a time; those that take effect are counted with all that this guest has caused."""
    for number in range(15):
        await invited.bob.answer(answer="delegate", deputy=f"eve{number}@example.net")
    await invited.drain()
    assert [one.recipient for one in invited.outbox.mails if "eve" in one.recipient] == ["eve14@example.net"]
    for number in range(30):
        await invited.bob.answer(answer="delegate", deputy=f"dan{number}@example.net")
        await after_undo(invited)
    await invited.drain()
    assert len([one for one in invited.outbox.mails if one.recipient != BOB]) <= 20


async def disowned(guest: Guest, **form: str) -> Shown:
    return await guest.answer(answer="disown", **({"not-me": "yes"} | form))


async def test_an_answer_that_was_not_his_is_taken_back_and_only_his_mailbox_gets_a_link(invited):
    stolen = Guest(invited, invited.bob.token)
    await stolen.answer(answer="declined")
    await after_undo(invited)
    assert "PARTSTAT=DECLINED" in line(invited, BOB)
    told = Guest(invited, re.search(r"/r/([^?\s]+)\?answer=3Ddisown", letter_to(invited))[1])
    invited.outbox.mails.clear()
    page = await told.look(answer="disown")
    assert "<details open>\n<summary>Not you?" in page
    shown = await disowned(told)
    assert shown.status == 200 and "The answer is taken back" in shown.html and BOB in shown.html
    await invited.work()
    assert "PARTSTAT=NEEDS-ACTION" in line(invited, BOB) and "NEEDS-ACTION" in line(invited, CAROL)
    for one in (stolen, told):
        assert (await one.rsvp.show(Visit(token=one.token))).status == 404
    assert ("applied", "answer-recorded") in await journal(invited)
    (mail,) = invited.outbox.mails
    assert mail.recipient == BOB and "answer=3Ddisown" not in letter_to(invited)
    assert "The answer in your name is taken back." in letter_to(invited)
    new = Guest(invited, re.search(r"/r/([^?\s]+)", letter_to(invited))[1])
    assert (await new.answer(answer="accepted")).location == "n=given"
    await after_undo(invited)
    assert "PARTSTAT=ACCEPTED" in line(invited, BOB)


def letter_to(world) -> str:
    mail = next(one for one in reversed(world.outbox.mails) if one.recipient == BOB)
    return mail.content.decode().replace("=\r\n", "").replace("\r\n", " ")


async def test_what_waits_never_takes_effect_once_it_was_not_his(invited):
    await invited.bob.answer(answer="declined")
    assert (await disowned(invited.bob)).status == 200
    await after_undo(invited)
    assert "NEEDS-ACTION" in line(invited, BOB)
    assert ("ignored", "withdrawn") in await journal(invited)
    assert "The answer in your name is taken back." in letter_to(invited), "and brings the only link there is"


async def test_of_a_series_all_is_taken_back_that_was_answered(weekly):
    await weekly.bob.answer(answer="accepted")
    await after_undo(weekly)
    await weekly.bob.answer(answer="declined", scope="instance", instance="20261117T100000Z")
    await after_undo(weekly)
    assert "PARTSTAT=DECLINED" in weekly.text(HREF)
    await disowned(weekly.bob)
    await weekly.work()
    his = [one for one in weekly.text(HREF).splitlines() if one.endswith(BOB)]
    assert len(his) == 2 and all("PARTSTAT=NEEDS-ACTION" in one for one in his)


async def test_who_is_not_asked_whether_it_was_he_has_nothing_to_take_back(invited):
    page = await invited.bob.look()
    assert "Not you?" in page and 'value="disown"' not in page


async def test_a_form_that_is_sent_as_it_comes_takes_nothing_back(invited):
    await invited.bob.answer(answer="accepted")
    await after_undo(invited)
    shown = await disowned(invited.bob, **{"not-me": ""})
    assert shown.status == 422 and "Please say that you did not give this answer." in shown.html
    assert re.search('name="not-me"[^>]* aria-invalid="true" aria-describedby="result ended"', shown.html)
    await after_undo(invited)
    assert "PARTSTAT=ACCEPTED" in line(invited, BOB)
    assert (await invited.rsvp.show(Visit(token=invited.bob.token))).status == 200


async def test_while_the_calendar_is_away_the_links_end_all_the_same(invited, say):
    await invited.bob.answer(answer="declined")
    await after_undo(invited)
    await disowned(invited.bob)
    invited.calendars.fail("find", say.unavailable, times=50)
    await invited.work()
    assert "PARTSTAT=DECLINED" in line(invited, BOB)
    assert (await invited.rsvp.show(Visit(token=invited.bob.token))).status == 404
    invited.calendars.faults.clear()
    for _ in range(5):
        invited.clock.forward(minutes=10)
        await invited.work()
    assert "PARTSTAT=NEEDS-ACTION" in line(invited, BOB)
