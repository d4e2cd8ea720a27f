"""The doors to the outside: listeners, web, and a look at what they need."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.config import Config
from gateway.errors import GatewayError
from gateway.flows.showing import ShownCalendar, shown_calendar
from gateway.log import Event
from gateway.render.voice import voice
from gateway.smtp import listener
from gateway.smtp.client import Unreachable, connect
from gateway.smtp.settings import ListenerSettings
from gateway.web.app import WebServer, application
from gateway.web.demo import DemoView
from gateway.web.demo import routes as demo_routes
from gateway.wiring import meaning
from gateway.wiring.channel import daemon_runs
from gateway.wiring.parts import Parts, started
from gateway.wiring.storage import SystemClock


async def listeners(parts: Parts) -> list[listener.Server]:
    """Open every `[[listener]]`. Raises ConfigError, OSError."""

    def known(address: str) -> bool:
        return (
            parts.accounts.find(address) is not None or parts.accounts.is_gateway_address(address) is not None
        )

    def on_event(name: str, /, **facts: Any) -> None:
        parts.log.emit(Event(name), **facts)

    opened: list[listener.Server] = []
    for one in parts.config.listeners:
        if one.role == "outgoing":
            continue  # the witness comes in a later version; `config.later` says so at start
        settings = ListenerSettings(
            role=one.role,
            protocol=one.protocol,
            listen=str(one.listen),
            hostname=parts.config.gateway.domains[0],
            trusted_networks=tuple(str(network) for network in one.trusted_networks),
            tls_cert=str(one.starttls.cert or ""),
            tls_key=str(one.starttls.key or ""),
            auth_required=one.auth_required,
            max_message=one.max_message,
            max_connections=one.max_connections,
            unknown_recipients=one.unknown_recipients,
        )
        try:
            opened.append(await listener.listen(settings, intake=parts.door, known=known, on_event=on_event))
        except BaseException:
            for earlier in opened:
                await earlier.close(0)
            raise
    return opened


async def web(parts: Parts, *, demo: bool = False) -> WebServer | None:
    """Health, metrics and pages. Raises OSError."""
    endpoint = parts.config.web.listen
    if endpoint is None:
        return None
    pages = demo_routes(_demo_view(parts)) if demo else []
    app = application(health=parts.health, metrics=parts.log.exposition, pages=pages)
    server = WebServer(app, endpoint.host, endpoint.port)
    await server.start()
    return server


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
