"""The demo's pages show calendars and letters, and nothing that a letter holds can act in them."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from gateway.flows.showing import ShownCalendar, ShownGuest, ShownMeeting
from gateway.log import Log
from gateway.render.catalog import catalogues
from gateway.render.letters import FILTERS
from gateway.render.templates import Templates
from gateway.render.voice import voice
from gateway.web.app import Health, application
from gateway.web.demo import DemoView, routes

WEB = Path(__file__).resolve().parents[2] / "templates" / "web"
HOSTILE = "<script>alert(1)</script>"


def letter() -> bytes:
    mail = EmailMessage()
    mail["From"] = "Alice <alice@example.org>"
    mail["To"] = "guest@example.com"
    mail["Subject"] = f"Invitation: {HOSTILE}"
    mail["Date"] = "Mon, 23 Nov 2026 14:00:00 +0000"
    mail.set_content("plain words")
    mail.add_alternative(f"<p>pretty words {HOSTILE}</p>", subtype="html")
    mail.add_alternative(
        b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        maintype="text",
        subtype="calendar",
        params={"method": "REQUEST"},
    )
    return mail.as_bytes()


def demo(calendars: tuple[ShownCalendar, ...] = ()) -> Starlette:
    """The demo's pages, with one letter."""
    templates = Templates({f"web/{one.name}": one.read_text() for one in WEB.glob("*.html")}, filters=FILTERS)
    speaking = voice("en", "UTC", available=catalogues({}))

    async def now() -> tuple[ShownCalendar, ...]:
        return calendars

    def page(name: str, **values: Any) -> str:
        return templates.render(name, speaking, **values)

    view = DemoView(
        calendars=now,
        letters=lambda: [("1.host", letter())],
        page=page,
        addresses=[("Web", "http://x/demo")],
    )
    return application(health=Health(), metrics=Log().exposition, pages=routes(view))


async def get(path: str, calendars: tuple[ShownCalendar, ...] = ()) -> httpx.Response:
    transport = httpx.ASGITransport(demo(calendars))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.get(path)


def shown() -> tuple[ShownCalendar, ...]:
    """A calendar with a meeting, and one that cannot be read."""
    guests = (
        ShownGuest(name="Carol", address="carol@example.com", partstat="", role="organizer"),
        ShownGuest(name="Alice", address="alice@example.org", partstat="NEEDS-ACTION", role="self"),
        ShownGuest(name="Dora", address="dora@example.org", partstat="TENTATIVE", role="guest"),
    )
    meeting = ShownMeeting(
        uid="1",
        title=f"Tea {HOSTILE}",
        when="Monday",
        repeats="every week",
        place="Garden",
        status="CANCELLED",
        instance=False,
        guests=guests,
        order="",
    )
    calendar = ShownCalendar(account="alice@example.org", name="Alice Liddell", meetings=(meeting,))
    broken = ShownCalendar(account="bob@example.org", name="", meetings=(), error="temporary failure")
    return calendar, broken


async def test_the_overview_shows_calendars_answers_and_letters() -> None:
    page = (await get("/demo", shown())).text
    for words in (
        "Alice Liddell",
        "every week",
        "needs action",
        "organizer",
        "cancelled",
        "temporary failure",
    ):
        assert words in page
    assert HOSTILE not in page and "&lt;script&gt;" in page


async def test_the_root_leads_to_the_demo() -> None:
    found = await get("/")
    assert (found.status_code, found.headers["location"]) == (307, "/demo")


async def test_a_letter_is_shown_in_a_frame_that_can_do_nothing() -> None:
    page = (await get("/demo/letters/1.host")).text
    assert 'sandbox="allow-popups ' in page and "plain words" in page and HOSTILE not in page
    inside = await get("/demo/letters/1.host/html")
    assert "pretty words" in inside.text
    policy = inside.headers["content-security-policy"]
    assert "sandbox" in policy and "default-src 'none'" in policy and "script" not in policy


async def test_the_source_is_plain_text_and_an_unknown_letter_is_not_found() -> None:
    source = await get("/demo/letters/1.host/source")
    assert source.headers["content-type"].startswith("text/plain")
    for path in ("/demo/letters/nope", "/demo/letters/..%2F..%2Fetc", "/demo/letters/nope/html"):
        assert (await get(path)).status_code == 404
