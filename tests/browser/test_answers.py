"""A guest at the page of his letter, with mouse, with keyboard alone, and without script: what he sees and what comes of it."""

from __future__ import annotations

import pytest

BOB, CAROL = "bob@example.net", "carol@example.com"
HREF = "/alice/calendar/m1.ics"
SEND = "form.card > button.main"


@pytest.fixture
async def invited(site, say):
    site.world.save(say.meeting(guests=f"{BOB} {CAROL}", SUMMARY="Tea & <cake>"))
    await site.world.drain()
    site.world.clock.forward(minutes=3)
    return site


@pytest.fixture
async def weekly(site, say):
    site.world.save(say.meeting(guests=f"{BOB} {CAROL}", RRULE="FREQ=WEEKLY;COUNT=4"))
    await site.world.drain()
    return site


async def answer(tab, site, value, *, link="") -> None:
    """Look, think, choose, send."""
    await tab.go(link or site.link(query=""))
    site.world.clock.forward(seconds=5)
    await tab.click(f".answers label:has([value={value}])")
    await tab.click(SEND, loads=True)


async def test_a_guest_accepts_and_his_calendar_file_is_there(invited, tab):
    await tab.go(invited.link())
    assert await tab.find("document.querySelector('[name=answer]:checked').value") == "accepted"
    assert "Tea & <cake>" in await tab.text()
    invited.world.clock.forward(seconds=5)
    await tab.click(SEND, loads=True)
    assert "You accept. The organizer is told at" in await tab.text()
    assert "NEEDS-ACTION" in invited.line(), "not before the undo time is over"
    await invited.undo_time_is_over()
    assert "PARTSTAT=ACCEPTED" in invited.line() and "NEEDS-ACTION" in invited.line(CAROL)
    await tab.go(invited.link())
    assert "You have accepted." in await tab.text()


async def test_who_answers_as_soon_as_the_mail_is_there_chooses_himself_by_keyboard(site, say, tab):
    site.world.save(say.meeting(guests=BOB))
    await site.world.drain()
    await tab.go(site.link())
    site.world.clock.forward(seconds=5)
    await tab.click(SEND, loads=True)
    assert "One more step" in (await tab.focus())[1]
    assert await tab.find("document.querySelectorAll('[name=answer]:checked').length") == 0
    await tab.press("Tab")
    await tab.press(" ")
    site.world.clock.forward(seconds=5)
    await tab.press("Enter", loads=True)
    assert "You accept." in await tab.text()


async def test_a_guest_changes_his_mind(invited, tab):
    await answer(tab, invited, "accepted")
    await answer(tab, invited, "tentative")
    await invited.undo_time_is_over()
    assert "PARTSTAT=TENTATIVE" in invited.line()
    await answer(tab, invited, "declined")
    await invited.undo_time_is_over()
    assert "PARTSTAT=DECLINED" in invited.line()


async def test_a_guest_takes_his_answer_back(invited, tab):
    before = invited.world.text(HREF)
    await answer(tab, invited, "declined")
    await tab.click(".undo button", loads=True)
    assert "Taken back. The organizer was told nothing." in await tab.text()
    await invited.undo_time_is_over()
    assert invited.world.text(HREF) == before


async def test_a_guest_proposes_another_time(invited, tab):
    await tab.go(invited.link(query="?tz=Europe/Berlin"))
    invited.world.clock.forward(seconds=5)
    await tab.click("summary")
    await tab.fill("#start", "2026-11-10T15:00")
    await tab.fill("#end", "2026-11-10T16:30")
    await tab.click("#why")
    await tab.write("After lunch?")
    await tab.click("[value=counter]", loads=True)
    assert "Your proposal goes to the organizer at" in await tab.text()
    await invited.undo_time_is_over()
    (row,) = await invited.world.store.proposals.list()
    assert (row["start"], row["end"]) == ("2026-11-10T14:00:00Z", "2026-11-10T15:30:00Z")
    assert row["comment"] == "After lunch?"


async def test_enter_sends_the_form_in_which_one_is(invited, tab):
    """Though an answer is chosen above, as the link of the letter has it."""
    await tab.go(invited.link())
    invited.world.clock.forward(seconds=5)
    await tab.click("details:nth-of-type(2) summary")
    await tab.click("#deputy")
    await tab.write("eve@example.net")
    await tab.press("Enter", loads=True)
    assert "You send eve@example.net in your place." in await tab.text()
    await invited.undo_time_is_over()
    assert "PARTSTAT=DELEGATED" in invited.line() and "eve@example.net" in invited.line("mailto:eve")


async def test_a_guest_who_never_answered_takes_it_back_by_keyboard(invited, tab):
    await answer(tab, invited, "declined")
    await invited.undo_time_is_over()
    await tab.go(invited.link(query="?answer=disown"))
    invited.world.clock.forward(seconds=5)
    await tab.click("[value=disown]", loads=True)
    assert "Please say that you did not give this answer." in (await tab.focus())[1]
    invited.world.clock.forward(seconds=5)
    await tab.click("label:has([name=not-me])")
    await tab.press("Tab")
    await tab.press("Enter", loads=True)
    assert "The answer is taken back" in (await tab.focus())[1]
    await invited.world.work()
    assert "NEEDS-ACTION" in invited.line()


async def test_one_date_of_a_series_is_declined(weekly, tab):
    await tab.go(weekly.link(query=""))
    weekly.world.clock.forward(seconds=5)
    await tab.click("label:has([value=instance])")
    await tab.fill("#instance", "20261117T100000Z")
    await tab.click(".answers label:has([value=declined])")
    await tab.click(SEND, loads=True)
    await weekly.undo_time_is_over()
    text = weekly.world.text(HREF)
    assert "RECURRENCE-ID:20261117T100000Z" in text and text.count("PARTSTAT=DECLINED") == 1
    await tab.go(weekly.link(query=""))
    assert "(declined)" in await tab.find("document.querySelector('#instance').textContent")


async def test_what_is_missing_is_said_where_one_reads_first(weekly, tab):
    await tab.go(weekly.link(query=""))
    weekly.world.clock.forward(seconds=5)
    await tab.click("#comment")
    await tab.write("my long thoughts")
    await tab.click(SEND, loads=True)
    assert "Please choose one of the answers." in (await tab.focus())[1], "and a screen reader begins there"
    assert await tab.find("document.querySelector('#comment').value") == "my long thoughts"


async def test_an_expired_link_leads_nowhere_and_offers_nothing(invited, tab):
    link = invited.link()
    invited.world.clock.forward(days=60)
    await tab.go(link)
    text = await tab.text()
    assert "This link leads nowhere" in text and "Tea" not in text
    assert await tab.find("document.forms.length") == 0


async def test_a_cancelled_meeting_says_so_and_takes_no_answer(invited, tab):
    link = invited.link()
    invited.world.edit(HREF, ("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY"))
    await invited.world.drain()
    await tab.go(link)
    assert "This meeting was cancelled." in await tab.text()
    assert await tab.find("document.querySelectorAll('[name=answer]').length") == 0


async def test_an_arabic_page_runs_from_right_to_left(invited, tab):
    await tab.go(invited.link(query="?lang=ar"))
    assert await tab.find("getComputedStyle(document.body).direction") == "rtl"
    assert await tab.find(
        "(() => { const [leaf, time] = ['.leaf', '.time'].map(one => document.querySelector(one)"
        ".getBoundingClientRect()); return leaf.left > time.left; })()"
    )
    invited.world.clock.forward(seconds=5)
    await tab.click(".answers label:has([value=accepted])")
    await tab.click(SEND, loads=True)
    assert await tab.find("document.documentElement.lang") == "ar", "the language stays chosen"
    await invited.undo_time_is_over()
    assert "PARTSTAT=ACCEPTED" in invited.line()


async def test_the_keyboard_alone_answers(weekly, tab):
    await tab.go(weekly.link(query=""))
    weekly.world.clock.forward(seconds=5)
    order = []
    for _ in range(9):
        await tab.press("Tab")
        name, _, seen = await tab.focus()
        assert seen, f"nobody sees where {name} is"
        order.append(name)
    assert order == ["answer", "scope", "instance", "comment", "button"] + ["summary"] * 4
    await tab.go(weekly.link(query=""))
    weekly.world.clock.forward(seconds=5)
    await tab.press("Tab")
    await tab.press(" ")
    await tab.press("ArrowDown", times=2)
    await tab.press("Tab", times=3)
    await tab.write("I am away")
    await tab.press("Tab")
    await tab.press("Enter", loads=True)
    assert "You decline. The organizer is told at" in await tab.text()
    await weekly.undo_time_is_over()
    assert "PARTSTAT=DECLINED" in weekly.line() and "I am away" in weekly.line()


async def test_the_keyboard_alone_takes_an_answer_back(invited, tab):
    before = invited.world.text(HREF)
    await answer(tab, invited, "accepted")
    await tab.press("Tab")
    assert (await tab.focus())[1:] == ("undo", True), "the first thing one reaches"
    await tab.press("Enter", loads=True)
    await invited.undo_time_is_over()
    assert invited.world.text(HREF) == before


async def test_all_of_it_works_without_script(weekly, tab):
    await tab.without_script()
    await tab.go(weekly.link(query="?lang=de"))
    weekly.world.clock.forward(seconds=5)
    await tab.press("Tab")
    await tab.press(" ")
    await tab.press("Tab", times=4)
    await tab.press("Enter", loads=True)
    page = await tab.html()
    assert "Sie sagen zu." in page
    await tab.press("Tab")
    await tab.press("Enter", loads=True)
    assert "Zurückgenommen" in await tab.html()
    await weekly.undo_time_is_over()
    assert "NEEDS-ACTION" in weekly.line()


async def test_the_page_runs_no_script_and_asks_nobody_else(invited, tab):
    await tab.ask("Network.enable")
    await tab.go(invited.link())
    seen = {
        one["params"]["request"]["url"]
        for one in tab.events
        if one.get("method") == "Network.requestWillBeSent"
    }
    seen = {one for one in seen if not one.startswith("data:")}  # Chromium's own pictures of its fields
    assert seen == {invited.link(), f"{invited.url}/pages.css"}
    assert await tab.find("document.scripts.length") == 0


async def test_another_language_and_clock_keep_what_the_letter_preselects_and_outlast_the_answer(
    invited, tab
):
    await tab.without_script()
    await tab.go(invited.link())
    await tab.press("Tab", times=8)
    await tab.press("ArrowUp")  # Deutsch stands before English
    await tab.press("Tab", times=2)
    await tab.press("Enter", loads=True)
    invited.world.clock.forward(seconds=5)
    assert await tab.find("document.documentElement.lang") == "de"
    assert await tab.find("document.querySelector('[name=answer]:checked').value") == "accepted"
    await tab.click(SEND, loads=True)
    assert "Sie sagen zu." in await tab.text()
    assert await tab.find("document.documentElement.lang") == "de"


@pytest.fixture
async def asked(invited, say):
    """Bob proposes another time, and Alice has a letter about it."""
    invited.world.clock.forward(hours=1)
    facts = {"DTSTAMP": "20261102T090000Z", "DTSTART": "20261110T140000Z", "DTEND": "20261110T150000Z"}
    more = f"ORGANIZER:mailto:alice@example.org\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{BOB}"
    await invited.world.mail("COUNTER", say.event(more=more, **facts))
    await invited.world.drain()
    return invited


async def test_an_organizer_agrees_by_keyboard_and_in_his_language(asked, tab):
    await tab.go(asked.link("alice@example.org", "?lang=de&tz=Europe/Berlin"))
    asked.world.clock.forward(seconds=5)
    await tab.press("Tab")
    await tab.press(" ")
    await tab.press("Tab")
    await tab.press("Enter", loads=True)
    assert "Sie stimmen zu." in await tab.text()
    assert await tab.find("document.querySelector('#tz').value") == "Europe/Berlin"
    await asked.undo_time_is_over()
    assert "DTSTART:20261110T140000Z" in asked.world.text(HREF)


async def test_an_organizer_takes_the_links_of_a_guest_back(asked, tab):
    link = asked.link(query="")
    await tab.go(asked.link("alice@example.org", ""))
    asked.world.clock.forward(seconds=5)
    await tab.click("summary")
    await tab.fill("#guest", BOB)
    await tab.click("[value=revoke]", loads=True)
    assert "These links lead nowhere any more." in await tab.text()
    await tab.go(link)
    assert "This link leads nowhere" in await tab.text()


async def test_a_scanner_with_a_browser_that_opens_every_link_answers_nothing(invited, tab):
    before = invited.world.text(HREF)
    for query in ("?a=yes", "?a=maybe", "?a=no", ""):
        await tab.go(invited.link(query=query))
        invited.world.clock.forward(seconds=5)
    await invited.undo_time_is_over()
    assert invited.world.text(HREF) == before and await invited.world.waiting() == []
