"""HTTP to one CalDAV server with one credential: with `wire`, the only user of httpx.

Requests go to the configured origin and nowhere else, whatever a redirect or an href says. Answers are bounded in size and
time. What the network or a 5xx did is BackendUnavailable; the rest is for the caller, who knows what he asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

import aiohttp
import httpx

from gateway.accounts import Account
from gateway.caldav.faults import BrokenAnswer, WriteLost
from gateway.caldav.href import Origin, escape, origin_of
from gateway.caldav.wire import Wire
from gateway.caldav.xml import MultiStatus, parse_multistatus, precondition
from gateway.errors import BackendError, BackendRefused, BackendUnavailable, ConfigError, PreconditionFailed

OBJECT_LIMIT = 16 * 1024 * 1024  # bytes of one answer about one object
REPORT_LIMIT = 32 * 1024 * 1024  # bytes of a multistatus
REDIRECTS = 5
PATIENCE = 4  # an answer may take this many timeouts in all, each of its pauses one
READS = frozenset({"GET", "OPTIONS", "PROPFIND", "REPORT"})
XML_TYPE = 'application/xml; charset="utf-8"'
CALENDAR_TYPE = "text/calendar; charset=utf-8"
_UID_TAKEN = frozenset({"no-uid-conflict", "unique-scheduling-object-resource"})
_SCHEDULING = frozenset(
    {
        "attendee-allowed",
        "allowed-attendee-scheduling-object-change",
        "allowed-organizer-scheduling-object-change",
        "same-organizer-in-all-components",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """One `[[server]]` of the configuration (INTERFACE 3), its password read."""

    url: str
    name: str = "main"
    profile: str = "auto"
    auth: str = "basic"  # basic | digest | bearer | header
    username: str = ""
    password: str = field(default="", repr=False)
    impersonate: str = ""  # a header name, or a template of the login with {user}
    timeout: timedelta = timedelta(seconds=30)
    connections: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """How one account shows itself to its server. `user` is whose calendars are meant, `login` who logs in."""

    user: str
    login: str
    password: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    service: bool = False  # one login that may write for everybody


def credential_of(settings: ServerSettings, account: Account) -> Credential:
    """The account's own password, else the server's service user in the way that the server lets it stand for others."""
    user = account.username or account.address
    if settings.auth == "header":
        name = (
            settings.impersonate
            if settings.impersonate and "{" not in settings.impersonate
            else "X-Remote-User"
        )
        return Credential(
            user=user, login=settings.username, password=settings.password, headers=((name, user),)
        )
    if account.password:
        return Credential(user=user, login=user, password=account.password)
    if "{user}" in settings.impersonate:
        login = settings.impersonate.replace("{user}", user)
        return Credential(user=user, login=login, password=settings.password)
    headers = ((settings.impersonate, user),) if settings.impersonate else ()
    service = bool(settings.username) and settings.username != user and not headers
    return Credential(
        user=user,
        login=settings.username or user,
        password=settings.password,
        headers=headers,
        service=service,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer. `path` is where it came from after redirects, canonical."""

    request: str  # method and path, for messages
    path: str
    status: int
    headers: Mapping[str, str]  # names lower case
    body: bytes

    @property
    def etag(self) -> str:
        return entity_tag(self.headers.get("etag", ""))

    def expect(self, *statuses: int) -> Reply:
        """This reply if its status is one of these; else raise what it means."""
        if self.status in statuses:
            return self
        raise self.error()

    def error(self) -> BackendError:
        """What a failure means, for any method (PUT and DELETE know more)."""
        element = precondition(self.body)
        detail = f"{self.request}: {self.status}" + (f" {element}" if element else "")
        if self.status >= 500 and self.status != 501:
            return BackendUnavailable(detail)
        if self.status in (408, 425, 429):
            return BackendUnavailable(detail)
        if self.status in (409, 412, 423) or element in _UID_TAKEN | _SCHEDULING:
            return PreconditionFailed(detail, element=element, status=self.status)
        if 400 <= self.status < 600:
            return BackendRefused(detail)
        return BrokenAnswer(f"{detail}: not the answer to what was asked")


class DavClient:
    """One credential at one server; keeps its cookies for life (Nextcloud: 650 ms per request without, 31 with)."""

    def __init__(
        self,
        *,
        origin: Origin,
        credential: Credential,
        auth: httpx.Auth | None,
        transport: httpx.AsyncBaseTransport,
        gate: asyncio.Semaphore,
        timeout: float,
    ) -> None:
        self.origin = origin
        self.credential = credential
        self._transport = transport
        self._gate = gate
        self._timeout = timeout
        self._cookies = httpx.Cookies()
        self._extensions = {"timeout": httpx.Timeout(timeout).as_dict()}
        self._root = httpx.URL(str(origin))
        self._url = lru_cache(maxsize=64)(self._url_of)  # an object is read, then written
        # No compression: proxies that compress change the ETag ("...-gzip") and no If-Match fits any more.
        fields = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "imip-gateway"}
        self._fields = fields | dict(credential.headers)
        self._auth = auth

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        limit: int = OBJECT_LIMIT,
        follow: bool = True,
    ) -> Reply:
        """Ask and, unless told not to, follow redirects inside the origin, for every method (Cyrus moves shared calendars by 301).

        Raises BackendUnavailable when there is no whole answer; any status is an answer.
        """
        for _ in range(REDIRECTS):
            reply = await self._patiently(method, path, body=body, headers=headers or {}, limit=limit)
            if not follow or reply.status not in (301, 302, 307, 308):
                return reply
            location = reply.headers.get("location", "")
            target = self.origin.inside(location, base=path) if location else path
            if target is None or target == path:
                raise BackendUnavailable(
                    f"{reply.request}: redirected outside {self.origin}: {location[:200]!r}"
                )
            path = target
        raise BackendUnavailable(f"{method} {path}: too many redirects")

    async def propfind(self, path: str, body: bytes, *, depth: int) -> MultiStatus:
        """A PROPFIND's multistatus (RFC 4918 9.1)."""
        return await self.multistatus("PROPFIND", path, body, depth=depth)

    async def report(self, path: str, body: bytes, *, depth: int = 1) -> MultiStatus:
        """A REPORT's multistatus (RFC 3253 3.6, RFC 4791 7)."""
        return await self.multistatus("REPORT", path, body, depth=depth)

    async def multistatus(self, method: str, path: str, body: bytes, *, depth: int) -> MultiStatus:
        """Ask with an XML body and read the multistatus; raise BrokenAnswer when it is none."""
        headers = {"Depth": str(depth), "Content-Type": XML_TYPE}
        reply = await self.request(method, path, body=body, headers=headers, limit=REPORT_LIMIT)
        reply.expect(207)
        try:
            return parse_multistatus(reply.body, base=reply.path)
        except BrokenAnswer as error:
            raise BrokenAnswer(f"{reply.request}: {error.detail}") from error

    async def _patiently(
        self, method: str, path: str, *, body: bytes, headers: Mapping[str, str], limit: int
    ) -> Reply:
        """Once more when the connection of a read was reset: Radicale and SOGo do that under load. So is a write that could
        not be sent: sogod closes kept connections without saying so."""
        try:
            return await self._once(method, path, body=body, headers=headers, limit=limit)
        except _ConnectionLostError as error:
            if method not in READS and not error.unsent:
                raise WriteLost(error.detail) from error
        try:
            return await self._once(method, path, body=body, headers=headers, limit=limit)
        except _ConnectionLostError as error:
            raise BackendUnavailable(error.detail) from error

    async def _once(
        self, method: str, path: str, *, body: bytes, headers: Mapping[str, str], limit: int
    ) -> Reply:
        name = f"{method} {path}"
        async with self._gate:
            try:
                async with asyncio.timeout(self._timeout * PATIENCE):
                    request = httpx.Request(
                        method,
                        self._url(path),
                        content=body or None,
                        headers={**self._fields, **headers},
                        extensions=self._extensions,
                    )
                    response = await self._authorized(request)
                    try:
                        content = await _read(response, limit, name)
                    finally:
                        await response.aclose()
            except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, TimeoutError) as error:
                raise _trouble(error, name) from error
        found = {key.lower(): value for key, value in response.headers.items()}
        return Reply(request=name, path=path, status=response.status_code, headers=found, body=content)

    async def _authorized(self, request: httpx.Request) -> httpx.Response:
        """Send it as the credential does; a digest needs the server's word first."""
        if self._auth is None:
            return await self._sent(request)
        flow = self._auth.sync_auth_flow(request)
        request = next(flow)
        while True:
            response = await self._sent(request)
            try:
                request = flow.send(response)
                await _read(response, OBJECT_LIMIT, "a challenge")  # or its connection could not be kept
            except StopIteration:
                return response
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        """httpx's transport without its client, whose layers cost as much as the request; cookies are kept here."""
        if self._cookies:
            self._cookies.set_cookie_header(request)
        response = await self._transport.handle_async_request(request)
        response.request = request
        if "set-cookie" in response.headers:
            self._cookies.extract_cookies(response)
        return response

    def _url_of(self, path: str) -> httpx.URL:
        return self._root.copy_with(raw_path=escape(path).encode("ascii"))


class _ConnectionLostError(Exception):
    def __init__(self, detail: str, *, unsent: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.unsent = (
            unsent  # the connection was closed before the whole request was written: nothing was done
        )


def _trouble(error: Exception, name: str) -> Exception:
    reset = isinstance(
        error, (httpx.NetworkError, httpx.RemoteProtocolError, aiohttp.ClientError, ConnectionError)
    )
    reset = reset or isinstance(error.__cause__, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError))
    detail = f"{name}: {type(error).__name__} {error}".rstrip()
    return _ConnectionLostError(detail, unsent=_unsent(error)) if reset else BackendUnavailable(detail)


def _unsent(error: BaseException | None) -> bool:
    """Whether aiohttp found the connection closed before it had written all of the request."""
    while error is not None and not isinstance(error, aiohttp.ClientConnectionResetError):
        error = error.__cause__
    return error is not None


async def _read(response: httpx.Response, limit: int, name: str) -> bytes:
    content = bytearray()
    encoded = "content-encoding" in response.headers
    async for chunk in response.aiter_bytes() if encoded else _stream(response):
        content += chunk
        if len(content) > limit:
            raise BrokenAnswer(f"{name}: an answer of more than {limit} bytes")
    return bytes(content)


def _stream(response: httpx.Response) -> AsyncIterable[bytes]:
    """The body as it comes, without the layers of httpx that decode and count."""
    assert isinstance(response.stream, AsyncIterable)  # noqa: S101 - every asynchronous transport's is
    return response.stream


def entity_tag(text: str) -> str:
    """An ETag in one form (RFC 9110 8.8.3): some servers leave out the quotes in XML but not in the header."""
    tag = text.strip()
    return tag if not tag or tag.endswith('"') else f'"{tag}"'


class Connections:
    """The clients of one server: one per credential, sharing its connections. Built lazily, inside the event loop."""

    def __init__(
        self,
        settings: ServerSettings,
        *,
        transport: Callable[[ServerSettings], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self.settings = settings
        try:
            self.origin = origin_of(settings.url)
        except ValueError as error:
            raise ConfigError((f"server {settings.name}: {error}",)) from error
        self._make_transport = transport or (lambda settings: Wire(connections=settings.connections))
        self._transport: httpx.AsyncBaseTransport | None = None
        self._gate = asyncio.Semaphore(settings.connections)
        self._clients: dict[Credential, DavClient] = {}

    def client(self, account: Account) -> DavClient:
        """The client that speaks for this account."""
        credential = credential_of(self.settings, account)
        known = self._clients.get(credential)
        if known is not None:
            return known
        if self._transport is None:
            self._transport = self._make_transport(self.settings)
        timeout = self.settings.timeout.total_seconds()
        made = DavClient(
            origin=self.origin,
            credential=credential,
            auth=_auth(self.settings, credential),
            transport=self._transport,
            gate=self._gate,
            timeout=timeout,
        )
        self._clients[credential] = made
        return made

    async def aclose(self) -> None:
        """Close every connection."""
        if self._transport is not None:
            await self._transport.aclose()
        self._clients.clear()
        self._transport = None


def _auth(settings: ServerSettings, credential: Credential) -> httpx.Auth | None:
    if settings.auth == "bearer":
        return _Bearer(credential.password)
    if not credential.login or (settings.auth == "header" and not credential.password):
        return None
    if settings.auth == "digest":
        return httpx.DigestAuth(credential.login, credential.password)
    return httpx.BasicAuth(credential.login, credential.password)


class _Bearer(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


__all__ = [
    "CALENDAR_TYPE",
    "OBJECT_LIMIT",
    "REPORT_LIMIT",
    "XML_TYPE",
    "Connections",
    "Credential",
    "DavClient",
    "Reply",
    "ServerSettings",
    "credential_of",
    "entity_tag",
]
