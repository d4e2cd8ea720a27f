"""What axe-core finds wrong with the pages and the letters, by day and by night, from the left and from the right: nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.cli.main import main as command
from gateway.render.samples import NAMES
from gateway.web.app import WebServer
from tests.web.test_demo import demo, shown

BOB, CAROL, DAN = "bob@example.net", "carol@example.com", "dan@example.net"
EVE = "eve@example.net"
ALICE = "alice@example.org"
HREF = "/alice/calendar/m1.ics"
# A letter is shown within the page of a mail program, which has its one main landmark already.
LANDMARKS = ("landmark-one-main", "region")


DESK, PHONE = ("en", 1280, False), ("ar", 375, True)
OTHERS = (("en", 375, True), ("ar", 1280, False))


EVERY = tuple(
    (language, width, dark)
    for language in ("en", "ar", "ja")
    for width in (1280, 375)
    for dark in (False, True)
)
PICTURES = os.environ.get("PICTURES", "")  # a folder for what was seen (make screenshots)


async def nothing_wrong(tab, url: str, *looks, without: tuple[str, ...] = ()) -> None:
    name = os.environ["PYTEST_CURRENT_TEST"].rpartition("::")[2].partition(" ")[0].replace("/", "-")
    for language, width, dark in EVERY if PICTURES else looks or (DESK, PHONE):
        await tab.looks(width=width, dark=dark)
        await tab.go(url.format(language=language))
        await tab.find("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        if PICTURES:
            light = "night" if dark else "day"
            await tab.picture(Path(PICTURES) / f"{name}.{language}.{width}.{light}.png")
        found = await tab.violations(without=without)
        assert not found, "\n".join([language, "dark" if dark else "light", *found])


async def test_axe_finds_what_is_wrong(tab):
    """Or the tests below would say nothing."""
    await tab.go("data:text/html,<p style='color:%23bbb'>hardly to be read<img src='data:,'>")
    told = "\n".join(await tab.violations())
    assert all(one in told for one in ("color-contrast", "image-alt", "html-has-lang", "document-title"))


@pytest.fixture
async def weekly(site, say):
    more = {
        "RRULE": "FREQ=WEEKLY;COUNT=4",
        "LOCATION": "https://meet.example/a-long-room-name",
        "DESCRIPTION": "The agenda\\nSee https://example.org/agenda",
    }
    site.world.save(say.meeting(guests=f"{BOB} {CAROL} {DAN}", **more))
    await site.world.drain()
    return site


async def test_the_question(weekly, tab):
    await nothing_wrong(tab, weekly.link(query="?lang={language}&a=yes"))


@pytest.mark.slow
async def test_the_question_in_other_light(weekly, tab):
    await nothing_wrong(tab, weekly.link(query="?lang={language}&a=yes"), *OTHERS)


async def test_a_form_that_comes_back_with_all_that_can_be_said(weekly, tab):
    weekly.world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await tab.go(weekly.link(query=""))
    weekly.world.clock.forward(seconds=5)
    await tab.click(".answers label:has([value=accepted])")
    await tab.click("form.card > button.main", loads=True)
    await nothing_wrong(tab, weekly.link(query="?lang={language}&n=deputy&answer=delegate"))
    await nothing_wrong(tab, weekly.link(query="?lang={language}&n=mine&answer=disown"))


async def test_a_meeting_that_is_cancelled(weekly, tab):
    link = weekly.link(query="?lang={language}")
    weekly.world.edit(HREF, ("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY"))
    await weekly.world.drain()
    await nothing_wrong(tab, link)


async def test_a_link_that_leads_nowhere(site, tab):
    await nothing_wrong(tab, site.url + "/r/nothing?lang={language}")


async def test_the_page_of_an_organizer(weekly, tab, say):
    weekly.world.clock.forward(hours=1)
    facts = {"DTSTAMP": "20261102T090000Z", "DTSTART": "20261110T140000Z", "DTEND": "20261110T150000Z"}
    more = f"ORGANIZER:mailto:{ALICE}\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{BOB}\nCOMMENT:After-lunch?"
    text = say.event(more=f"RECURRENCE-ID:20261110T100000Z\n{more}", **facts)
    await weekly.world.mail("COUNTER", text)
    await weekly.world.mail("REPLY", say.answer(who=CAROL), sender=CAROL)
    await weekly.world.mail("REPLY", say.answer(who=EVE), sender=EVE)
    await weekly.world.drain()
    weekly.world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await weekly.world.sync()
    await nothing_wrong(tab, weekly.link(ALICE, "?lang={language}&n=whose"))


async def looked_at(kind: str, tab, folder: Path, *looks) -> None:
    for language in ("en", "ar"):
        assert command(["templates", "preview", kind, "--language", language, "--output", str(folder)]) == 0
    await nothing_wrong(tab, f"{folder.as_uri()}/{kind}.{{language}}.html", *looks, without=LANDMARKS)


async def test_the_letter_that_all_others_are_like(tab, tmp_path: Path):
    await looked_at("update", tab, tmp_path)


@pytest.mark.parametrize("path", ["", "/letters/1.host"])
async def test_the_demo(path: str, tab):
    server = WebServer(demo(shown()), "127.0.0.1", 0)
    host, port = await server.start()
    await nothing_wrong(tab, f"http://{host}:{port}/demo{path}")
    await server.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", NAMES)
async def test_a_letter(kind, tab, tmp_path: Path):
    await looked_at(kind, tab, tmp_path, DESK, PHONE, *OTHERS)
