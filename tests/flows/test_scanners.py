"""Programs that look at mail before its reader does: whatever they do with its links, nobody has answered (SPEC 7.1).

The letters are those that left, in text and HTML; each machine finds their links and forms as such programs do.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from html.parser import HTMLParser
from itertools import permutations

import httpx
import pytest

from gateway.log import Log
from gateway.web.app import Health, application
from gateway.web.links import Doorman, routes

ALICE, BOB, CAROL = "alice@example.org", "bob@example.net", "carol@example.com"
HREF = "/alice/calendar/m1.ics"


class Page(HTMLParser):
    """The links of a page or letter, and each way to send each of its forms without filling anything in."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.forms: list[tuple[str, str, dict[str, str]]] = []  # method, action, fields
        self._open: tuple[str, str, dict[str, str], list[tuple[str, str]]] | None = None
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "a" and facts.get("href", "").startswith(("http", "/")):
            self.links.append(facts["href"])
        if tag == "form":
            self._open = (facts.get("method", "get"), facts.get("action", ""), {}, [])
        if self._open is None:
            return
        fields, buttons = self._open[2:]
        if tag == "button":
            buttons.append((facts.get("name", ""), facts.get("value", "")))
        elif tag == "select":
            self._select = facts["name"]
        elif tag == "option" and ("selected" in facts or self._select not in fields):
            fields[self._select] = facts["value"]
        elif tag == "textarea":
            fields[facts["name"]] = ""
        elif tag == "input" and (facts.get("type") not in ("radio", "checkbox") or "checked" in facts):
            fields[facts["name"]] = facts.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._open is not None:
            method, action, fields, buttons = self._open
            for name, value in buttons:
                self.forms.append((method, action, fields | ({name: value} if name else {})))
            self._open = None


class Scanner:
    """A machine between the mail server and the mailbox."""

    def __init__(self, world) -> None:
        self.world = world
        doorman = Doorman()
        found = [*routes("r", world.rsvp, doorman=doorman), *routes("o", world.organizing, doorman=doorman)]
        app = application(health=Health(), metrics=Log().exposition, pages=found)
        transport = httpx.ASGITransport(app, client=("192.0.2.1", 9))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://pages", follow_redirects=True)

    def links(self, recipient: str) -> list[str]:
        """Those of the newest letter to him, each once, in the order in which it has them."""
        mail = next(one for one in reversed(self.world.outbox.mails) if one.recipient == recipient)
        message = message_from_bytes(mail.content, policy=policy.default)
        html = Page(str(message.get_body(("html",)).get_content())).links
        text = re.findall(r"http://pages/\S+", str(message.get_body(("plain",)).get_content()))
        found = [one for one in dict.fromkeys([*html, *text]) if one.startswith("http://pages/")]
        assert found
        return found

    async def render(self, link: str) -> Page:
        found = await self.client.get(link)
        assert found.status_code in (200, 429)
        return Page(found.text)

    async def send(self, page: Page, *, only: int | None = None) -> Page:
        """Its forms as they are, by each of their buttons or by one; the page that comes of the last."""
        for method, action, fields in page.forms if only is None else page.forms[only : only + 1]:
            body = {"data": fields} if method == "post" else {"params": fields}
            found = await self.client.request(method.upper(), action, **body)  # type: ignore[arg-type]
            assert found.status_code != 500
            page = Page(found.text)
        return page

    def think(self) -> None:
        """Longer than the dwell: some have patience."""
        self.world.clock.forward(seconds=4)


async def heads(scanner: Scanner, links: list[str]) -> None:
    for link in links * 2:
        assert (await scanner.client.head(link)).status_code == 200


async def gets(scanner: Scanner, links: list[str]) -> None:
    """A script that runs in the page adds nothing, as no page has one: every link of the page, and its forms by GET."""
    for link in links * 2:
        page = await scanner.render(link)
        await asyncio.gather(*(scanner.client.get(one) for one in page.links if one.startswith("/")))
        for _, action, fields in page.forms:
            await scanner.client.get(action, params=fields)


async def hasty(scanner: Scanner, links: list[str]) -> None:
    """Every form as soon as it is there."""
    for link in links * 2:
        await scanner.send(await scanner.render(link))


async def at_once(scanner: Scanner, links: list[str]) -> None:
    """All pages together, then all forms together."""
    pages = await asyncio.gather(*(scanner.render(one) for one in links))
    scanner.think()
    await asyncio.gather(*(scanner.send(one) for one in pages))


async def again_and_again(scanner: Scanner, links: list[str]) -> None:
    """All pages, then all forms; and once more, with what has come of it."""
    for _ in range(3):
        pages = [await scanner.render(one) for one in links]
        scanner.think()
        for one in pages:
            await scanner.send(one, only=0)


async def one_by_one(scanner: Scanner, links: list[str]) -> None:
    """Each page, some time to think, its main form, the next page."""
    for link in links:
        page = await scanner.render(link)
        scanner.think()
        await scanner.send(page, only=0)


async def stubborn(scanner: Scanner, links: list[str]) -> None:
    """The first link alone, and the main form of every page that comes of it."""
    page = await scanner.render(links[0])
    for _ in range(4):
        scanner.think()
        page = await scanner.send(page, only=0)


MACHINES = (heads, gets, hasty, at_once, again_and_again, one_by_one)


async def untouched(world, before: str) -> None:
    """The undo time passes, and nothing has come of it for anybody."""
    world.outbox.mails.clear()
    world.clock.forward(seconds=125)
    await world.drain()
    assert world.text(HREF) == before
    assert world.outbox.mails == []
    told = await world.told("m1")
    assert not {("applied", "answer-recorded"), ("held", "proposal"), ("applied", "links-revoked")} & set(
        told
    )


@pytest.fixture(params=["", "FREQ=WEEKLY;COUNT=4"])
async def invited(request, world, say) -> AsyncIterator[Scanner]:
    world.save(say.meeting(guests=f"{BOB} {CAROL}", **({"RRULE": request.param} if request.param else {})))
    await world.drain()
    yield Scanner(world)


LATER = 180  # seconds behind the letter: only who sends contradictions is known for a machine


@pytest.mark.parametrize(
    ("machine", "after"), [*((one, after) for one in MACHINES for after in (0, LATER)), (stubborn, 0)]
)
async def test_no_machine_answers_for_a_guest(machine, after, invited):
    before = invited.world.text(HREF)
    links = invited.links(BOB)
    invited.world.clock.forward(seconds=after)
    assert {one.partition("?")[2] for one in links} >= {"a=yes", "a=maybe", "a=no"}
    await machine(invited, links)
    await untouched(invited.world, before)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_nor_does_one_that_takes_the_answers_in_another_order(order, invited):
    before = invited.world.text(HREF)
    answers = [one for one in invited.links(BOB) if "?a=" in one]
    invited.world.clock.forward(seconds=LATER)
    await one_by_one(invited, [answers[one] for one in order])
    await untouched(invited.world, before)


async def test_a_guest_answers_after_a_machine_has_been_there(invited):
    """Neither does it use his link up, nor does what it sent stand in his way."""
    links = invited.links(BOB)
    await one_by_one(invited, links)
    invited.world.clock.forward(seconds=LATER)
    await invited.world.work()
    page = await invited.render(next(one for one in links if one.endswith("a=no")))
    invited.think()
    await invited.send(page, only=0)
    invited.world.clock.forward(seconds=61)
    await invited.world.drain()
    line = next(one for one in invited.world.text(HREF).splitlines() if BOB in one and one.startswith("ATT"))
    assert "PARTSTAT=DECLINED" in line


async def test_who_thinks_better_of_it_on_the_page_is_no_machine(invited):
    links = invited.links(BOB)
    invited.world.clock.forward(seconds=LATER)
    page = await invited.render(next(one for one in links if one.endswith("a=yes")))
    invited.think()
    await invited.send(page, only=0)
    page = await invited.render(links[0].partition("?")[0])
    invited.think()
    method, action, fields = next(one for one in page.forms if "comment" in one[2])
    found = await invited.client.post(action, data=fields | {"answer": "declined"})
    assert method == "post" and "n=given" in str(found.url)


@pytest.mark.parametrize("machine", MACHINES)
async def test_no_machine_takes_back_what_a_guest_has_answered(machine, invited):
    """Its links are those of the letter that confirms the answer."""
    page = await invited.render(next(one for one in invited.links(BOB) if one.endswith("a=yes")))
    await given(invited, page, comment="I bring cake")
    invited.world.clock.forward(seconds=61)
    await invited.world.drain()
    links = invited.links(BOB)
    assert any(one.endswith("?answer=disown") for one in links)
    await machine(invited, links)
    invited.world.clock.forward(seconds=125)
    await invited.world.drain()
    line = next(one for one in invited.world.text(HREF).splitlines() if BOB in one and one.startswith("ATT"))
    assert "PARTSTAT=ACCEPTED" in line
    assert (await invited.client.get(links[0])).status_code == 200


async def given(scanner: Scanner, page: Page, **form: str) -> str:
    """Where the main form of a page leads, with this filled in."""
    scanner.think()
    _, action, fields = next(one for one in page.forms if "comment" in one[2])
    return str((await scanner.client.post(action, data=fields | form)).url)


async def test_a_guest_who_answers_at_once_chooses_himself_and_is_not_asked_again(invited):
    page = await invited.render(next(one for one in invited.links(BOB) if one.endswith("a=yes")))
    assert next(one[2] for one in page.forms if "comment" in one[2])["answer"] == "accepted"
    invited.think()
    page = await invited.send(page, only=0)
    assert not {"answer", "a"} & set(next(one[2] for one in page.forms if "comment" in one[2]))
    assert "n=given" in await given(invited, page, answer="declined")


async def test_who_writes_a_word_beside_it_is_no_machine(invited):
    page = await invited.render(next(one for one in invited.links(BOB) if one.endswith("a=yes")))
    assert "n=given" in await given(invited, page, comment="I bring cake")


async def test_who_opened_the_links_of_many_letters_chooses_himself_however_late(world, say):
    guests = [f"guest{one}@example.net" for one in range(4)]
    world.save(say.meeting(guests=" ".join(guests)))
    await world.drain()
    scanner = Scanner(world)
    links = [next(one for one in scanner.links(guest) if one.endswith("a=yes")) for guest in guests]
    world.clock.forward(seconds=LATER)
    before = world.text(HREF)
    pages = [await scanner.render(one) for one in links]
    for page in pages:
        assert "n=given" not in await given(scanner, page)
    await untouched(world, before)
    for page in pages[:2]:
        assert "n=given" in await given(Scanner(world), page), "nobody else is suspected for it"


@pytest.fixture
async def asked(world, say) -> AsyncIterator[Scanner]:
    """Bob proposes another time, and Alice has a letter about it."""
    world.save(say.meeting(guests=f"{BOB} {CAROL}"))
    await world.drain()
    facts = {"DTSTAMP": "20261102T090000Z", "DTSTART": "20261110T140000Z", "DTEND": "20261110T150000Z"}
    more = f"ORGANIZER:mailto:{ALICE}\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{BOB}"
    await world.mail("COUNTER", say.event(more=more, **facts))
    await world.drain()
    yield Scanner(world)


@pytest.mark.parametrize("machine", MACHINES)
async def test_no_machine_decides_for_an_organizer(machine, asked):
    before = asked.world.text(HREF)
    links = asked.links(ALICE)
    assert all("/o/" in one for one in links)
    await machine(asked, links)
    (row,) = await asked.world.store.proposals.of_meeting(ALICE, "m1")
    assert row.answer == ""
    world = asked.world
    world.outbox.mails.clear()
    world.clock.forward(seconds=125)
    await world.drain()
    assert world.text(HREF) == before and world.outbox.mails == []
    assert ("applied", "links-revoked") not in await world.told("m1")
