"""The doors to the outside: listeners, web, and a look at what they need."""

from __future__ import annotations

import asyncio
import hmac
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.accounts import Accounts, mailbox
from gateway.caldav.href import canonical
from gateway.config import Config
from gateway.errors import GatewayError
from gateway.flows.showing import ShownCalendar, shown_calendar
from gateway.imip.links import Purpose
from gateway.log import Event
from gateway.ports import Peer
from gateway.render.voice import voice
from gateway.smtp import listener
from gateway.smtp.client import Unreachable, connect
from gateway.smtp.limits import Receiving
from gateway.smtp.settings import ListenerSettings
from gateway.web.app import WebServer, application
from gateway.web.app import bind as bind_web
from gateway.web.demo import DemoView
from gateway.web.demo import routes as demo_routes
from gateway.web.hooks import Hasten
from gateway.web.hooks import routes as hook_routes
from gateway.web.links import Doorman, attachment_routes, styled
from gateway.web.links import routes as link_routes
from gateway.wiring import meaning
from gateway.wiring.channel import daemon_runs
from gateway.wiring.parts import Parts, started
from gateway.wiring.storage import SystemClock

OFFERS_HOLD, OFFERS_AGAIN = 300.0, 5.0  # seconds until the next hop is asked again what it offers


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The sockets that the processes of one daemon share, in the order of the configuration."""

    config: Config
    listeners: tuple[socket.socket, ...]
    web: socket.socket | None

    def close(self) -> None:
        for one in (*self.listeners, *filter(None, [self.web])):
            one.close()
        for settings in _settings(self.config):
            listener.remove(listener.check(settings))


def bind(config: Config) -> Doors:
    """Bind what several processes will share. Raises ConfigError, OSError."""
    bound: list[socket.socket] = []
    try:
        bound += [listener.bind(one) for one in _settings(config)]
        place = config.web.listen
        web = None if place is None else bind_web(place.host, place.port)
    except BaseException:
        for earlier in bound:
            earlier.close()
        raise
    return Doors(config=config, listeners=tuple(bound), web=web)


def addresses(config: Config) -> tuple[object, ...]:
    """What must stay as it is while the processes are replaced."""
    return (*((one.listen, one.role, one.protocol) for one in config.listeners), config.web.listen)


def _settings(config: Config) -> list[ListenerSettings]:
    return [
        ListenerSettings(
            role=one.role,
            protocol=one.protocol,
            listen=str(one.listen),
            hostname=config.gateway.domains[0],
            trusted_networks=tuple(str(network) for network in one.trusted_networks),
            tls_cert=str(one.starttls.cert or ""),
            tls_key=str(one.starttls.key or ""),
            auth_required=one.auth_required,
            max_message=one.max_message,
            max_connections=one.max_connections,
            unknown_recipients=one.unknown_recipients,
            proxy_protocol=one.proxy_protocol,
            after=one.after,
            relay_to=one.relay_to,
            evidence=one.evidence,
            offer_smtputf8=one.after == "discard",  # what the next hop takes, `offering` finds out
            offer_8bitmime=one.after == "discard",
        )
        for one in config.listeners
    ]


async def listeners(parts: Parts, doors: Doors | None = None) -> list[listener.Server]:
    """Open every `[[listener]]`, or take up those that are bound already. Raises ConfigError, OSError."""

    def known(address: str) -> bool:
        return (
            parts.accounts.find(address) is not None or parts.accounts.is_gateway_address(address) is not None
        )

    def of_ours(address: str) -> bool:
        """SPEC 1.1: what is relayed may be for anybody of our domains, and for nobody else."""
        return known(address) or mailbox(address).rpartition("@")[2] in parts.config.gateway.domains

    def on_event(name: str, /, **facts: Any) -> None:
        parts.log.emit(Event(name), **facts)

    opened: list[listener.Server] = []
    receiving = Receiving(parts.config.limits.receiving)
    for count, settings in enumerate(_settings(parts.config)):
        inherited = doors.listeners[count] if doors is not None else None
        try:
            server = await listener.listen(
                settings,
                intake=parts.door,
                known=of_ours if settings.after == "relay" else known,
                may_send=partial(_may_send, parts.accounts),
                authenticate=partial(_authenticate, parts.accounts),
                on_event=on_event,
                inherited=inherited,
                receiving=receiving,
            )
            opened.append(server)
        except BaseException:
            for earlier in opened:
                await earlier.close(0)
            raise
    return opened


def _may_send(accounts: Accounts, sender: str, peer: Peer) -> bool:
    """SPEC 1.1: the sender is an account; who has logged in speaks for himself alone."""
    account = accounts.find(sender)
    return account is not None and peer.user in ("", account.address)


def _authenticate(accounts: Accounts, username: str, password: str) -> str | None:
    """The account with this name or address, and this password of its own (SPEC 12.20)."""
    found = None
    for one in accounts:
        named = username in (one.address, one.username) and bool(one.password)
        if hmac.compare_digest(one.password.encode(), password.encode()) and named:
            found = one.address
    return found


async def offering(parts: Parts, servers: list[listener.Server]) -> None:
    """Offer what the next hop offers, as long as we run (SPEC 1.4)."""
    relaying = [one for one in servers if one.relay_to]
    while relaying:
        seen = [await parts.hops[one.relay_to].offers() for one in relaying]
        for server, offers in zip(relaying, seen, strict=True):
            if offers is not None:
                server.offer(offers)
        await asyncio.sleep(OFFERS_HOLD if None not in seen else OFFERS_AGAIN)


async def web(
    parts: Parts,
    *,
    demo: bool = False,
    metrics: Callable[[], bytes] | None = None,
    doors: Doors | None = None,
) -> WebServer | None:
    """Health, metrics and pages. Raises OSError."""
    endpoint = parts.config.web.listen
    if endpoint is None:
        return None
    pages = [
        *hook_routes(token=parts.config.web.hook_token, hasten=_hastening(parts)),
        *(demo_routes(_demo_view(parts)) if demo else []),
    ]
    pages += _linked(parts)
    app = application(health=parts.health, metrics=metrics or parts.log.exposition, pages=pages)
    inherited = doors.web if doors is not None else None
    server = WebServer(app, endpoint.host, endpoint.port, inherited=inherited)
    await server.start()
    return server


def _hastening(parts: Parts) -> Hasten:
    """A server names a path as it sees it itself: below the prefix under which we reach it."""
    prefixes = {urlsplit(url).path.rstrip("/") for url in parts.urls.values()} | {""}

    async def hasten(path: str, account: str) -> int:
        snapshots = parts.store.snapshots
        if path:
            try:
                whole = [canonical(f"{prefix}/{path.lstrip('/')}") for prefix in sorted(prefixes)]
            except GatewayError:  # no path of any server
                return 0
            count = sum([await snapshots.hasten(path=one) for one in whole])
        else:
            known = parts.accounts.find(account)
            count = await snapshots.hasten(account=known.address) if known is not None else 0
        parts.rounds.wake()
        return count

    return hasten


def _linked(parts: Parts) -> list[Any]:
    """The pages behind the links of letters."""
    if not parts.pages:
        return []
    doorman = Doorman(processes=parts.config.gateway.processes)
    speaking = voice("en", "", available=parts.words.translations)
    style = parts.words.templates.render("web/pages.css", speaking)
    found = [link_routes(place, pages, doorman=doorman) for place, pages in parts.pages.items()]
    documents = attachment_routes(Purpose.ATTACHMENT, parts.attachments, doorman=doorman)
    return [styled(style), *documents, *(route for each in found for route in each)]


def _demo_view(parts: Parts) -> DemoView:
    config = parts.config
    speaking = voice(config.gateway.language, "", available=parts.words.translations)
    maildir = meaning.sender_settings(config).destination
    clock = SystemClock()

    async def calendars() -> list[ShownCalendar]:
        one_by_one = (
            shown_calendar(
                account, accounts=parts.accounts, calendars=parts.calendars, voice=speaking, now=clock.now()
            )
            for account in parts.accounts
        )
        return list(await asyncio.gather(*one_by_one))

    def letters() -> list[tuple[str, bytes]]:
        """Newest first; names of a Maildir are its own, never the reader's."""
        folder = Path(maildir.path) / "new" if maildir.scheme == "maildir" else None
        paths = sorted(folder.iterdir(), reverse=True)[:200] if folder and folder.is_dir() else []
        return [(path.name, path.read_bytes()) for path in paths]

    def page(name: str, **values: Any) -> str:
        return parts.words.templates.render(name, speaking, **values)

    return DemoView(calendars=calendars, letters=letters, page=page, addresses=places(parts))


def places(parts: Parts) -> list[tuple[str, str]]:
    """What runs where, for people."""
    found = [(f"{one.role} {one.protocol.upper()}", str(one.listen)) for one in parts.config.listeners]
    if parts.config.web.listen is not None:
        found.append(("Web", f"http://{parts.config.web.listen}/demo"))
    found += [(f"CalDAV {name}", url) for name, url in parts.urls.items()]
    return found


async def probe(config: Config) -> list[str]:
    """What only the outside can tell (`check --online`): one line per trouble."""
    troubles: list[str] = []
    quiet = replace(config, log=replace(config.log, level="error"))
    async with started(quiet, share=daemon_runs(config)) as parts:
        for account in parts.accounts:
            try:
                await parts.calendars.invitations(account)
            except GatewayError as error:
                troubles.append(f"{account.address}: calendars: {error.detail}")
        settings = meaning.sender_settings(config)
        if settings.destination.scheme != "maildir":
            try:
                await (await connect(settings)).quit()
            except Unreachable as error:
                troubles.append(f"smarthost: {error}")
    return troubles
