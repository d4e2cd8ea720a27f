"""Configuration to parts, for the daemon and the commands: the only file that knows every concrete class."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway import config as configuration
from gateway.accounts import Account, Accounts
from gateway.caldav import embedded
from gateway.caldav.calendars import CalDavCalendars
from gateway.caldav.client import ServerSettings
from gateway.config import Config, accounts_of
from gateway.errors import ConfigError, GatewayError
from gateway.flows.apply import Apply
from gateway.flows.changed import Burst, Changed
from gateway.flows.deliver import Deliver, DeliverSettings
from gateway.flows.messages import Messages
from gateway.flows.receive import Door, Receive, ReceiveSettings
from gateway.flows.showing import ShownCalendar, shown_calendar
from gateway.flows.watch import Watch, WatchSettings
from gateway.flows.worker import Run, Worker, WorkerSettings
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject
from gateway.ical.tree import Limits
from gateway.imip.letter import LetterSettings, Reader
from gateway.imip.letter import compose as compose_letter
from gateway.imip.read import MailLimits
from gateway.imip.tokens import Tokens
from gateway.imip.trust import TrustSettings
from gateway.imip.write import write
from gateway.itip.model import Certainty, Method, Policy, Reason, Verdict
from gateway.log import Event, Log, configure
from gateway.policy import rules
from gateway.ports import Job, JobKind, Letter, OutgoingMail, Smarthost
from gateway.render.catalog import catalogues
from gateway.render.letters import FILTERS, Letters
from gateway.render.templates import Templates
from gateway.render.voice import Translations, voice
from gateway.smtp import listener
from gateway.smtp.client import SenderSettings, Unreachable, connect
from gateway.smtp.destination import parse_destination
from gateway.smtp.evidence import organizational_domain
from gateway.smtp.sender import open_smarthost
from gateway.smtp.settings import ListenerSettings
from gateway.store.db import Database
from gateway.store.desk import Store
from gateway.store.lock import is_held, state_lock
from gateway.store.lock import poke as poke_daemon
from gateway.store.spool import SpoolReader
from gateway.web.app import Health, WebServer, application
from gateway.web.demo import DemoView
from gateway.web.demo import routes as demo_routes


class SystemClock:
    """The one clock of the gateway."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that runs."""

    config: Config
    accounts: Accounts
    log: Log
    store: Store
    calendars: CalDavCalendars
    smarthost: Smarthost
    worker: Worker
    watch: Watch
    door: Door
    spool: SpoolReader
    health: Health
    tokens: Tokens
    words: Words
    urls: Mapping[str, str]  # server name -> where it answers


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def database(config: Config) -> Database:
    return Database(config.gateway.database, config.gateway.state_dir)


@contextlib.asynccontextmanager
async def opened_store(config: Config) -> AsyncIterator[Store]:
    """The store alone, for the commands. Creates or upgrades the database."""
    config.gateway.state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    domain = config.delivery.service_address.rpartition("@")[2]
    store = Store(config.gateway.database, config.gateway.state_dir, domain, now=SystemClock().now)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def started(config: Config, *, share: bool = False) -> AsyncIterator[Parts]:
    """All parts, ready to work; closed in the reverse order. `share`: a daemon runs, so its embedded server serves us too."""
    configure(format=config.log.format, level=config.log.level)
    words = words_of(config)  # a broken template stops the start, never a letter
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(config))
        accounts = accounts_of(config)
        urls = {one.name: one.url for one in config.servers}
        urls |= await _embedded(config, accounts, stack, share=share)
        calendars = CalDavCalendars(tuple(_server(one, urls[one.name]) for one in config.servers))
        stack.push_async_callback(calendars.aclose)
        smarthost = open_smarthost(sender_settings(config))
        stack.push_async_callback(smarthost.close)
        yield _assemble(config, accounts, store, calendars, smarthost, words, urls)


def _assemble(
    config: Config,
    accounts: Accounts,
    store: Store,
    calendars: CalDavCalendars,
    smarthost: Smarthost,
    words: Words,
    urls: Mapping[str, str],
) -> Parts:
    clock, log, tokens = SystemClock(), Log(), tokens_of(config)
    apply = Apply(
        queue=store.queue, plans=store.plans, snapshots=store.snapshots, calendars=calendars, log=log
    )
    policy = policy_of(config)
    messages = Messages(
        accounts=accounts,
        queue=store.queue,
        ledger=store.ledger,
        apply=apply,
        policy=policy,
        clock=clock,
        park_for=config.inbound.park_for,
    )
    changed = Changed(
        accounts=accounts,
        queue=store.queue,
        ledger=store.ledger,
        snapshots=store.snapshots,
        calendars=calendars,
        apply=apply,
        policy=lambda account: policy(account, None, Method.REQUEST, _nobody()),
        clock=clock,
        log=log,
        burst=Burst(events=config.watch.burst.events, within=config.watch.burst.within),
    )
    deliver = Deliver(
        plans=store.plans,
        queue=store.queue,
        smarthost=smarthost,
        compose=_composer(config, accounts, tokens, words.letters),
        clock=clock,
        log=log,
        settings=DeliverSettings(retry_for=config.delivery.retry_for),
    )
    receive = Receive(queue=store.queue, accounts=accounts, settings=receive_settings(config), log=log)
    name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    watch = Watch(
        accounts=accounts,
        snapshots=store.snapshots,
        calendars=calendars,
        clock=clock,
        log=log,
        settings=WatchSettings(
            interval=config.watch.interval,
            settle=config.watch.settle,
            settle_deleted=config.watch.settle_deleted,
        ),
        worker=name,
        schedules=lambda account, meeting: _schedules(accounts, account, meeting),
    )
    worker = Worker(
        name=name,
        queue=store.queue,
        journeys=_journeys(receive, messages, changed, deliver),
        clock=clock,
        log=log,
        settings=WorkerSettings(retry_for=config.delivery.retry_for),
    )
    return Parts(
        config=config,
        accounts=accounts,
        log=log,
        store=store,
        calendars=calendars,
        smarthost=smarthost,
        worker=worker,
        watch=watch,
        door=Door(store.intake, accounts, log),
        spool=SpoolReader(config.gateway.state_dir),
        health=Health(),
        tokens=tokens,
        words=words,
        urls=urls,
    )


def _journeys(receive: Receive, messages: Messages, changed: Changed, deliver: Deliver) -> dict[str, Run]:
    async def apply(job: Job) -> None:
        await (changed.run(job) if job.payload.get("source") == "change" else messages.run(job))

    return {str(JobKind.MAIL): receive.run, str(JobKind.APPLY): apply, str(JobKind.LETTER): deliver.run}


def _schedules(accounts: Accounts, account: Account, meeting: CalendarObject) -> bool:
    """Has the object to do with scheduling at all: an organizer, and our account is he or one of the guests."""
    if meeting.organizer is None:
        return False
    owner = accounts.addresses(account)
    return meeting.organizer in owner or any(one.address in owner for one in meeting.attendees())


def _nobody() -> Verdict:
    return Verdict(sender=None, certainty=Certainty.UNKNOWN)


# --- what the configuration means ------------------------------------------------------------------------------------


def receive_settings(config: Config) -> ReceiveSettings:
    """`[trust]` and `[limits]` for reading and judging."""
    trust, limits = config.trust, config.limits
    name, _, value = trust.spam_header.partition(":")
    return ReceiveSettings(
        trust=TrustSettings(
            authserv_ids=frozenset(one.lower() for one in trust.authserv_ids),
            border_hops=trust.border_hops,
            trusted_networks_are=Certainty(trust.trusted_networks_are),
            spam_header=(name.strip().lower(), value.strip().lower()) if name else None,
            organizational=organizational_domain,
        ),
        mail_limits=MailLimits(
            header=limits.header, parts=limits.parts, depth=limits.depth, calendar=limits.calendar
        ),
        calendar_limits=Limits(
            bytes=limits.calendar,
            line=limits.line,
            components=limits.components,
            depth=limits.depth,
            attendees=limits.attendees,
        ),
    )


def policy_of(config: Config) -> Callable[[Account, Address | None, Method, Verdict], Policy]:
    """What an account's owner wants done about a message of this sender."""
    defaults = Policy(
        on_unknown=config.trust.on_unknown,
        cancel=config.inbound.cancel.partition(":")[0],
        party_crasher=config.inbound.party_crasher,
        past_events=config.watch.past_events,
    )

    def policy(account: Account, sender: Address | None, method: Method, verdict: Verdict) -> Policy:
        return rules.policy_for(
            account,
            config.policy(account.policy).rules,
            sender=sender,
            method=method,
            verdict=verdict,
            defaults=defaults,
        )

    return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Templates and catalogues, and the letters made of them."""

    templates: Templates
    translations: Mapping[str, Translations]
    letters: Letters


def words_of(config: Config) -> Words:
    """Templates and catalogues; one file in `[templates] directory` replaces ours. Raises ConfigError."""
    root = _templates_root()
    sources: dict[str, str] = {}
    for folder in (root, config.templates.directory):
        if folder is not None:
            for kind in ("mail", "web"):
                for path in sorted((folder / kind).glob("*.*")):
                    sources[f"{kind}/{path.name}"] = path.read_text("utf-8")
    translations = catalogues({path.stem: path.read_bytes() for path in (root / "locale").glob("*.po")})
    templates = Templates(sources, filters=FILTERS)
    letters = Letters(templates, translations, language=config.gateway.language, zone=config.gateway.timezone)
    return Words(templates=templates, translations=translations, letters=letters)


def _templates_root() -> Path:
    """Inside the wheel beside this file, in a checkout beside the package."""
    here = Path(__file__).resolve().parent
    return next(path for path in (here / "templates", here.parent / "templates") if path.is_dir())


def tokens_of(config: Config) -> Tokens:
    """The signing key, made once in the state directory with mode 0600."""
    path = config.gateway.secret_key_path
    if not path.exists() and config.gateway.secret_key_file is None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        fresh = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(secrets.token_hex(32).encode())
            handle.flush()
            os.fsync(handle.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # whoever was first has made the key
        fresh.unlink()
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError((f"[gateway] secret_key_file {path}: {error.strerror}",)) from error
    if len(secret) < 16:
        raise ConfigError((f"[gateway] secret_key_file {path}: shorter than 16 octets",))
    return Tokens(secret=secret, service=config.delivery.service_address)


def _composer(
    config: Config, accounts: Accounts, tokens: Tokens, letters: Letters
) -> Callable[[Letter, datetime], OutgoingMail | Reason]:
    settings = LetterSettings(
        domains=config.gateway.domains,
        from_foreign=config.delivery.from_foreign,
        mark_all=config.delivery.mark_all,
        zone=ZoneInfo(config.gateway.timezone),
    )

    def compose(letter: Letter, moment: datetime) -> OutgoingMail | Reason:
        account = accounts.find(letter.letter.recipient)
        reader = Reader(language=account.language, zone=account.timezone) if account else Reader()
        parts = compose_letter(
            letter, moment, reader=reader, settings=settings, tokens=tokens, renderer=letters
        )
        return parts if isinstance(parts, Reason) else write(parts)

    return compose


def sender_settings(config: Config) -> SenderSettings:
    """`[delivery]` for the wire."""
    return SenderSettings(
        destination=parse_destination(config.delivery.smarthost),
        starttls=config.delivery.starttls,
        hostname=config.gateway.domains[0],
        connections=config.delivery.connections,
    )


# --- edges -----------------------------------------------------------------------------------------------------------


def _server(server: configuration.Server, url: str) -> ServerSettings:
    return ServerSettings(
        name=server.name,
        url=url,
        profile=server.profile,
        auth=server.auth,
        username=server.username,
        password=server.password,
        impersonate=server.impersonate,
        timeout=server.timeout,
        connections=server.connections,
    )


async def _embedded(
    config: Config, accounts: Accounts, stack: contextlib.AsyncExitStack, *, share: bool
) -> dict[str, str]:
    """Start the child servers that the configuration asks for, or find the daemon's; name -> URL."""
    urls = {}
    for server in config.servers:
        if server.url != embedded.URL:
            continue
        folder = config.gateway.state_dir / f"radicale-{server.name}"
        if share and (folder / "port").exists():
            urls[server.name] = f"http://{embedded.HOST}:{int((folder / 'port').read_text())}/"
            continue
        child = embedded.EmbeddedRadicale(folder, (one for one in accounts if one.server == server.name))
        urls[server.name] = await child.start()
        stack.push_async_callback(child.stop)
    return urls


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
    speaking = voice(config.gateway.language, config.gateway.timezone, available=parts.words.translations)
    maildir = sender_settings(config).destination
    clock = SystemClock()

    async def calendars() -> list[ShownCalendar]:
        one_by_one = (
            shown_calendar(account, parts.accounts, parts.calendars, speaking, clock.now())
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
    async with started(replace(config, log=replace(config.log, level="error"))) as parts:
        for account in parts.accounts:
            try:
                await parts.calendars.invitations(account)
            except GatewayError as error:
                troubles.append(f"{account.address}: calendars: {error.detail}")
        settings = sender_settings(config)
        if settings.destination.scheme != "maildir":
            try:
                await (await connect(settings)).quit()
            except Unreachable as error:
                troubles.append(f"smarthost: {error}")
    return troubles


# --- the commands' channel to the daemon (SPEC 12.19) ----------------------------------------------------------------


def poke(config: Config) -> None:
    poke_daemon(config.gateway.state_dir)


def daemon_runs(config: Config) -> bool:
    return is_held(config.gateway.state_dir)


@contextlib.contextmanager
def locked(config: Config) -> Iterator[None]:
    with state_lock(config.gateway.state_dir):
        yield


def spooled(config: Config) -> bool:
    """Are there mails in the spool that no daemon has queued yet?"""
    return SpoolReader(config.gateway.state_dir).waiting()
