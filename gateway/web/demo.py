"""The demo's pages: everybody's calendar and every letter that left, to look at."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

# A letter is shown as its reader gets it, in a frame of its own that may load and run nothing; its links open beside it.
LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoView:
    """What the pages ask for."""

    calendars: Callable[[], Awaitable[Sequence[Any]]]
    letters: Callable[[], Sequence[tuple[str, bytes]]]  # newest first: id, mail
    page: Callable[..., str]  # template name, values -> HTML
    addresses: Sequence[tuple[str, str]]  # what runs where: name, address


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLetter:
    id: str
    sender: str
    recipient: str
    subject: str
    date: str
    method: str


def routes(view: DemoView) -> list[BaseRoute]:
    """`/demo` and below (INTERFACE 4)."""

    async def overview(_: Request) -> Response:
        letters = [_shown(name, _read(raw)) for name, raw in view.letters()]
        calendars = await view.calendars()
        return HTMLResponse(
            view.page("web/demo.html", calendars=calendars, letters=letters, addresses=view.addresses)
        )

    async def letter(request: Request) -> Response:
        found = _find(view, request)
        if found is None:
            return PlainTextResponse("no such letter\n", status_code=404)
        mail = _read(found)
        shown = _shown(request.path_params["id"], mail)
        return HTMLResponse(
            view.page(
                "web/demo_letter.html", letter=shown, text=_body(mail, "plain"), calendar=_calendar(mail)
            )
        )

    async def html(request: Request) -> Response:
        found = _find(view, request)
        if found is None:
            return PlainTextResponse("no such letter\n", status_code=404)
        shown = _body(_read(found), "html").replace("<head>", '<head><base target="_blank">', 1)
        return HTMLResponse(shown, headers={"content-security-policy": LETTER_POLICY})

    async def source(request: Request) -> Response:
        found = _find(view, request)
        if found is None:
            return PlainTextResponse("no such letter\n", status_code=404)
        return PlainTextResponse(found.decode("utf-8", "replace"))

    async def root(_: Request) -> Response:
        return RedirectResponse("/demo")

    return [
        Route("/", root),
        Route("/demo", overview),
        Route("/demo/letters/{id}", letter),
        Route("/demo/letters/{id}/html", html),
        Route("/demo/letters/{id}/source", source),
    ]


def _find(view: DemoView, request: Request) -> bytes | None:
    wanted = request.path_params["id"]
    return next((raw for name, raw in view.letters() if name == wanted), None)


def _read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def _shown(name: str, mail: EmailMessage) -> ShownLetter:
    part = next((one for one in mail.walk() if one.get_content_type() == "text/calendar"), None)
    return ShownLetter(
        id=name,
        sender=str(mail.get("From", "")),
        recipient=str(mail.get("To", "")),
        subject=str(mail.get("Subject", "")),
        date=str(mail.get("Date", "")),
        method=str(part.get_param("method", "")) if part is not None else "",
    )


def _body(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body(preferencelist=(subtype,))
    return str(part.get_content()) if part is not None else ""


def _calendar(mail: EmailMessage) -> str:
    for part in mail.walk():
        if part.get_content_type() == "text/calendar":
            return str(part.get_content())
    return ""
