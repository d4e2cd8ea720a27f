"""The routes behind the links of letters: forms without script, strict headers, and an end to guessing."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.ports import Attachments, Document, Pages, Shown, Visit
from gateway.web.rates import Rate, Variety, network

LARGEST = 16 * 1024  # octets of a form
FIELDS = 40
FEWEST = 3  # visits at once: a guest whose browser always comes to the same process answers, and thinks again
# Nothing but our own style; the demo may show its letters in frames, these pages are in nobody's (clickjacking).
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow, noarchive",
    "x-content-type-options": "nosniff",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "vary": "Accept-Language",
}
BY_TLS = {"strict-transport-security": "max-age=31536000"}  # RFC 6797 7.2: not over plain HTTP
OF_MANY = 4  # links of as many letters within OF_LATE seconds: a program that looks into the mail of many
OF_LATE = 600
# What a program shows and does not run; the rest is handed over as octets.
HARMLESS = frozenset({"image/png", "image/jpeg", "application/pdf", "text/plain"})
AT_ONCE = 2  # documents in memory
PATIENCE = 30  # seconds until one of them is done with, or the visitor is asked to come again
SENDING = 120  # seconds in which a visitor has taken his
PIECE = 64 * 1024
FORM = "application/x-www-form-urlencoded"

Endpoint = Callable[[Request], Awaitable[Response]]


class Doorman:
    """Bounds on visits: of one link, of one address, and of what leads nowhere (SPEC 7.1).

    Processes that share a socket know nothing of each other's visitors: each has its part of what is allowed.
    """

    def __init__(self, *, processes: int = 1) -> None:
        def part(*, burst: float, per_minute: float) -> Rate:
            return Rate(burst=max(burst / processes, FEWEST), per_minute=per_minute / processes)

        self._link = part(burst=40, per_minute=30)
        self._posts = part(burst=15, per_minute=6)
        self._address = part(burst=120, per_minute=120)
        self._wrong = part(burst=20, per_minute=6)
        self._variety = Variety(within=OF_LATE, most_things=OF_MANY)

    def lets_in(self, request: Request) -> bool:
        address = _address(request)
        link = _digest(request)
        cost = _cost(address)
        if self._wrong.is_empty(address, cost) or not (
            self._address.allows(address, cost) and self._link.allows(link)
        ):
            return False
        return request.method != "POST" or self._posts.allows(link)

    def roams(self, request: Request) -> bool:
        """Whether links of many letters were opened from here lately. Of a proxy that does not say for whom it asks nobody knows."""
        address = _address(request)
        many = self._variety.of(address, _digest(request)) >= OF_MANY
        return many and _cost(address) >= 1

    def was_wrong(self, request: Request) -> None:
        """A link that leads nowhere: whoever tries many is guessing."""
        address = _address(request)
        self._wrong.allows(address, _cost(address))


def styled(style: str) -> BaseRoute:
    """The style of all such pages."""

    async def css(_: Request) -> Response:
        headers = {"cache-control": "public, max-age=3600"}
        return Response(style, media_type="text/css; charset=utf-8", headers=headers)

    return Route("/pages.css", css, methods=["GET"])


def routes(place: str, pages: Pages, *, doorman: Doorman) -> list[BaseRoute]:
    """`/PLACE/TOKEN` with its calendar file."""

    async def page(request: Request) -> Response:
        roams = doorman.roams(request)
        if request.method == "POST":
            return await _posted(request, pages, roams=roams)
        return _answer(request, await pages.show(_visit(request)))

    async def calendar(request: Request) -> Response:
        text = await pages.calendar(_visit(request))
        if text is None:
            return _answer(request, await pages.show(_visit(request)), status=404)
        headers = {"content-disposition": 'attachment; filename="event.ics"'}
        return Response(text, media_type="text/calendar; charset=utf-8", headers=headers)

    watched = _watched(doorman)
    return [
        Route(f"/{place}/{{token}}", watched(page), methods=["GET", "POST"]),
        Route(f"/{place}/{{token}}/event.ics", watched(calendar), methods=["GET"]),
    ]


def attachment_routes(place: str, attachments: Attachments, *, doorman: Doorman) -> list[BaseRoute]:
    """`/PLACE/TOKEN/NUMBER`: to be saved, never shown in our name, whatever it is."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def document(request: Request) -> Response:
        visit, number = _visit(request), request.path_params["number"]
        known = len(number) <= 3 and number.isascii() and number.isdecimal() and int(number) > 0
        async with asyncio.timeout(PATIENCE):
            await turn.acquire()
        try:
            found = await attachments.fetch(visit, int(number)) if known else None
        except BaseException:
            turn.release()
            raise
        if found is not None:
            return _Handed(found, turn)
        turn.release()
        return _answer(request, await attachments.show(visit))

    return [Route(f"/{place}/{{token}}/{{number}}", _watched(doorman)(document), methods=["GET"])]


class _Handed(Response):
    """A document in pieces, so that what waits for a slow reader is small, and no reader has it for ever."""

    def __init__(self, document: Document, turn: asyncio.Semaphore) -> None:
        kind = document.kind.partition(";")[0].strip().lower()
        super().__init__(
            document.content,
            headers={
                "content-type": kind if kind in HARMLESS else "application/octet-stream",
                "content-disposition": _disposition(document.name),
                "content-security-policy": "sandbox; default-src 'none'",
            },
        )
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SENDING):
                    await self._send(send)
        finally:
            self._turn.release()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        whole = memoryview(self.body)
        for start in range(0, len(whole), PIECE):
            piece = bytes(whole[start : start + PIECE])
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _disposition(name: str) -> str:
    """RFC 6266 4.1, RFC 8187 3.2: the name, and for programs that know no other letters what is left of it in ASCII."""
    plain = "".join(one if one.isascii() and one.isprintable() and one not in '"\\%' else "_" for one in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _watched(doorman: Doorman) -> Callable[[Endpoint], Endpoint]:
    """Every answer of these pages has the headers; too many of them are none."""

    def around(endpoint: Endpoint) -> Endpoint:
        async def within(request: Request) -> Response:
            if not doorman.lets_in(request):
                response: Response = PlainTextResponse(
                    "Too many requests; please wait a minute.\n",
                    status_code=429,
                    headers={"retry-after": "60"},
                )
            else:
                response = await _kept(endpoint, request)
            if response.status_code == 404:
                doorman.was_wrong(request)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            if request.url.scheme == "https":
                response.headers.update(BY_TLS)
            return response

        return within

    return around


async def _kept(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except (GatewayError, TimeoutError):
        words = "The calendar gateway has trouble; please try again in a minute.\n"
        return PlainTextResponse(words, status_code=503, headers={"retry-after": "60"})


async def _posted(request: Request, pages: Pages, *, roams: bool) -> Response:
    """RFC 9110 15.4.4: an answer is taken once, and shown by the GET that follows."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return PlainTextResponse("This form belongs to another page.\n", status_code=403)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return PlainTextResponse("A form is expected.\n", status_code=415)
    body = await _body(request)
    try:
        fields = parse_qsl((body or b"").decode(), keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        body = None
    if body is None:
        return PlainTextResponse("That is too much for a form.\n", status_code=413)
    return _answer(request, await pages.take(_visit(request, dict(fields), roams=roams)))


async def _body(request: Request) -> bytes | None:
    """The form; None when it is larger than any of ours."""
    found = b""
    try:
        async for chunk in request.stream():
            found += chunk
            if len(found) > LARGEST:
                return None
    except ClientDisconnect:
        return None
    return found


def _visit(request: Request, form: dict[str, str] | None = None, *, roams: bool = False) -> Visit:
    return Visit(
        token=request.path_params["token"],
        query={name: value[:200] for name, value in request.query_params.items()},
        form=form or {},
        languages=request.headers.get("accept-language", ""),
        roams=roams,
    )


def _answer(request: Request, shown: Shown, *, status: int = 0) -> Response:
    if shown.location is None:
        return HTMLResponse(shown.html, status_code=status or shown.status)
    kept = "".join(
        f"&{name}={_plain(request.query_params[name])}"
        for name in ("lang", "tz")
        if name in request.query_params
    )
    return RedirectResponse(f"{request.url.path}?{shown.location}{kept}", status_code=shown.status)


def _plain(value: str) -> str:
    """What a language tag or the name of a zone consists of."""
    return "".join(one for one in value[:60] if one.isascii() and (one.isalnum() or one in "-_/+"))


def _digest(request: Request) -> str:
    return hashlib.sha256(request.path_params["token"].encode()).hexdigest()


def _cost(address: str) -> float:
    """A proxy on this machine that does not say for whom it asks speaks for many."""
    return 0.1 if address.startswith(("127.", "::1", "::/64")) else 1.0


def _address(request: Request) -> str:
    return network(request.client.host if request.client is not None else "")


__all__ = ["HEADERS", "Doorman", "attachment_routes", "routes", "styled"]
