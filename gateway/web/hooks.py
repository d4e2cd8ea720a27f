"""`POST /hooks/caldav`: a calendar server says that a collection changed, and it is looked at now (SPEC 1.3)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LARGEST = 4096  # bytes of a body; it names one path or one address

# (path, account) -> how many watched collections were meant; one of the two is ""
Hasten = Callable[[str, str], Awaitable[int]]


def routes(*, token: str, hasten: Hasten) -> list[Route]:
    """None without a token: whoever may call this makes us ask the calendar server."""
    if not token:
        return []

    async def changed(request: Request) -> Response:
        """202 with how many collections are looked at; 401, 400, 413 and 404 with the reason."""
        if not _bears(request, token):
            return _refusal(401, "a bearer token is asked for: [web] hook_token_file")
        body = await _body(request)
        if body is None:
            return _refusal(413, f"the body is larger than {LARGEST} bytes")
        named = _named(body)
        if named is None:
            return _refusal(
                400, 'the body is {"path": "/alice/calendar/"} or {"account": "alice@example.org"}'
            )
        count = await hasten(*named)
        if not count:
            return _refusal(404, "no watched collection of that name")
        return JSONResponse({"collections": count}, status_code=202)

    return [Route("/hooks/caldav", changed, methods=["POST"])]


def _bears(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


async def _body(request: Request) -> bytes | None:
    """None: larger than it may be, whatever Content-Length said."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            return None
    return body


def _named(body: bytes) -> tuple[str, str] | None:
    try:
        told: Any = json.loads(body)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    path, account = told.get("path", ""), told.get("account", "")
    if not isinstance(path, str) or not isinstance(account, str) or bool(path) == bool(account):
        return None
    return path, account


def _refusal(status: int, words: str) -> Response:
    return JSONResponse({"error": words}, status_code=status)


__all__ = ["routes"]
