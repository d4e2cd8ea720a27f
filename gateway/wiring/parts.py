"""Everything that runs, built once and closed in the reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.accounts import Account, Accounts
from gateway.caldav.calendars import CalDavCalendars
from gateway.config import Config, accounts_of
from gateway.flows.alone import Alone
from gateway.flows.apply import Apply
from gateway.flows.attachments import Attachments
from gateway.flows.bounced import SOURCE as BOUNCE
from gateway.flows.changed import ALARM, Burst, Changed
from gateway.flows.deliver import Deliver, DeliverSettings
from gateway.flows.doctor import Doctor
from gateway.flows.domains import Domains
from gateway.flows.expiry import SOURCE, Expiry
from gateway.flows.feed import Feed
from gateway.flows.mailed import WORDS, Mailed
from gateway.flows.messages import Messages
from gateway.flows.naming import Naming
from gateway.flows.opened import Opener
from gateway.flows.organizing import Organizing
from gateway.flows.proposals import Decided
from gateway.flows.receive import Door, Receive
from gateway.flows.rendering import RENDER, Rendering
from gateway.flows.rounds import Rounds
from gateway.flows.rsvp import Given, Rsvp, RsvpSettings
from gateway.flows.sorting import owner_of
from gateway.flows.statuses import SOURCE as STATUS
from gateway.flows.telling import SOURCE as TELLING
from gateway.flows.watch import Watch, WatchSettings
from gateway.flows.witness import SOURCE as OUTGOING
from gateway.flows.witness import Witness
from gateway.flows.worker import Run, Worker, WorkerSettings
from gateway.ical.event import CalendarObject
from gateway.imip.links import Purpose
from gateway.imip.tokens import Tokens
from gateway.itip.model import Certainty, Method, Role, Verdict
from gateway.itip.roles import role
from gateway.log import Log, configure
from gateway.ports import Calendars, Job, JobKind, NextHop, Pages, Smarthost
from gateway.render.letters import Letters
from gateway.render.overview import Overviews
from gateway.render.question import Questions
from gateway.render.vocabulary import vocabulary
from gateway.smtp.evidence import organizational_domain
from gateway.smtp.records import DnsRecords
from gateway.smtp.sender import ClosableSmarthost, open_smarthost
from gateway.store.desk import Store
from gateway.store.spool import SpoolReader
from gateway.web.app import Health
from gateway.wiring import endings, meaning
from gateway.wiring.embedded import embedded_urls
from gateway.wiring.storage import SystemClock, opened_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that runs."""

    config: Config
    accounts: Accounts
    log: Log
    store: Store
    calendars: Calendars
    smarthost: Smarthost
    hops: Mapping[str, NextHop]  # relay_to -> where it goes on; "" is the smarthost
    worker: Worker
    watch: Watch
    rounds: Rounds
    doctor: Doctor
    domains: Domains
    door: Door
    spool: SpoolReader
    health: Health
    tokens: Tokens
    words: meaning.Words
    urls: Mapping[str, str]  # server name -> where it answers
    pages: Mapping[str, Pages]  # behind the links of letters, by place; none where they carry none
    attachments: Attachments


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@contextlib.asynccontextmanager
async def started(config: Config, *, share: bool = False, worker: str = "") -> AsyncIterator[Parts]:
    """All parts, ready to work; closed in the reverse order.

    `share`: a daemon runs, so its embedded server serves us too. `worker`: the name that its leases bear, the same after
    a restart; else one of its own.
    """
    configure(format=config.log.format, level=config.log.level)
    words = meaning.words_of(config)  # a broken template stops the start, never a letter
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(config))
        accounts = accounts_of(config)
        urls = {one.name: one.url for one in config.servers}
        urls |= await embedded_urls(config, accounts, stack, share=share)
        calendars = CalDavCalendars(
            tuple(meaning.server_settings(one, urls[one.name]) for one in config.servers),
            accounts=accounts,
            exclusion=Alone(store.writing) if store.db.shared else None,  # a file has one process
        )
        stack.push_async_callback(calendars.aclose)
        hops = {"": open_smarthost(meaning.sender_settings(config))}
        for url in {one.relay_to for one in config.listeners} - {""}:
            hops[url] = open_smarthost(meaning.next_hop_settings(config, url))
        for hop in hops.values():
            stack.push_async_callback(hop.close)
        named = Naming(
            calendars,
            accounts=accounts,
            principals=store.principals,
            snapshots=store.snapshots,
            hosts={name: urlsplit(url).hostname or "" for name, url in urls.items()},
            domains=config.gateway.domains,
        )
        yield _assemble(config, store, named, hops, words=words, urls=urls, worker=worker)


def _assemble(
    config: Config,
    store: Store,
    calendars: Calendars,
    hops: Mapping[str, ClosableSmarthost],
    *,
    words: meaning.Words,
    urls: Mapping[str, str],
    worker: str,
) -> Parts:
    clock, log, accounts, tokens = SystemClock(), Log(), accounts_of(config), meaning.tokens_of(config)
    apply = Apply(
        queue=store.queue,
        plans=store.plans,
        snapshots=store.snapshots,
        calendars=calendars,
        log=log,
        fresh=2 * config.watch.interval,
    )
    common = _Common(config=config, accounts=accounts, store=store, apply=apply, clock=clock, log=log)
    name = worker or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    pages, attachments, mailed = _answers(common, calendars, tokens, words)
    receive = _receive(common, tokens, mailed)
    deliver = _deliver(common, hops[""], tokens=tokens, letters=words.letters)
    relay = endings.relay(common, hops)
    working = Worker(
        name=name,
        queue=store.queue,
        journeys={
            **_journeys(common, calendars, receive=receive, deliver=deliver, mailed=mailed, tokens=tokens),
            str(JobKind.RELAY): relay.run,
        },
        clock=clock,
        log=log,
        settings=WorkerSettings(retry_for=config.delivery.retry_for),
        burial=endings.burial(common, calendars, relay),
    )
    watch = _watch(common, calendars, name)
    return Parts(
        config=config,
        accounts=accounts,
        log=log,
        store=store,
        calendars=calendars,
        smarthost=hops[""],
        hops=hops,
        worker=working,
        watch=watch,
        rounds=_rounds(common, watch),
        doctor=_doctor(common, calendars),
        domains=_domains(config),
        door=Door(store.intake, accounts, log, hands=working),
        spool=SpoolReader(config.gateway.state_dir),
        health=Health(),
        tokens=tokens,
        words=words,
        urls=urls,
        pages=pages,
        attachments=attachments,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """What most journeys need."""

    config: Config
    accounts: Accounts
    store: Store
    apply: Apply
    clock: SystemClock
    log: Log


def _receive(common: _Common, tokens: Tokens, mailed: Mailed) -> Receive:
    return Receive(
        queue=common.store.queue,
        accounts=common.accounts,
        tokens=tokens,
        settings=meaning.receive_settings(common.config),
        log=common.log,
        words=mailed.turn,
    )


def _deliver(common: _Common, smarthost: Smarthost, *, tokens: Tokens, letters: Letters) -> Deliver:
    return Deliver(
        accounts=common.accounts,
        plans=common.store.plans,
        queue=common.store.queue,
        apply=common.apply,
        smarthost=smarthost,
        compose=meaning.composer(common.config, common.accounts, tokens=tokens, letters=letters),
        clock=common.clock,
        log=common.log,
        settings=DeliverSettings(
            retry_for=common.config.delivery.retry_for,
            mail_local=common.config.delivery.mail_local_guests,
            statuses=common.config.watch.schedule_status,
        ),
    )


def _messages(common: _Common) -> Messages:
    return Messages(
        accounts=common.accounts,
        queue=common.store.queue,
        ledger=common.store.ledger,
        apply=common.apply,
        policy=meaning.policy_of(common.config),
        clock=common.clock,
        park_for=common.config.inbound.park_for,
        bounds=meaning.expansion(common.config),
        answers=common.config.letters.answers,
    )


def _answers(
    common: _Common, calendars: Calendars, tokens: Tokens, words: meaning.Words
) -> tuple[dict[str, Pages], Attachments, Mailed]:
    """The pages of guests and organizers, where letters carry links, and the answers by plain mail."""
    config, store = common.config, common.store
    links = meaning.links_of(config, tokens)
    opener = Opener(
        accounts=common.accounts,
        plans=store.plans,
        queue=store.queue,
        ledger=store.ledger,
        snapshots=store.snapshots,
        apply=common.apply,
        policy=meaning.policy_of(config),
        links=links,
        clock=common.clock,
    )
    spoken = vocabulary(words.translations)
    mailed = Mailed(opener=opener, apply=common.apply, plans=store.plans, vocabulary=spoken)
    pages = Questions(
        words.templates, words.translations, language=config.gateway.language, zone=config.gateway.timezone
    )
    attachments = Attachments(opener=opener, calendars=calendars, pages=pages)
    if links is None:
        return {}, attachments, mailed
    settings = RsvpSettings(undo=config.web.undo, dwell=config.web.dwell, caution=config.web.caution)
    guests = Rsvp(
        opener=opener,
        queue=store.queue,
        links=links,
        pages=pages,
        clock=common.clock,
        log=common.log,
        languages=store.languages,
        settings=settings,
    )
    organizers = Organizing(
        accounts=common.accounts,
        plans=store.plans,
        revoking=store.links,
        proposals=store.proposals,
        crashers=store.held,
        outbox=_changed(common, calendars).outbox,
        queue=store.queue,
        apply=common.apply,
        links=links,
        pages=Overviews(words.templates, words.translations, pages),
        clock=common.clock,
        settings=settings,
    )
    feed = Feed(opener=opener, pages=pages)
    found: dict[str, Pages] = {Purpose.ANSWER: guests, Purpose.ORGANIZER: organizers, Purpose.CALENDAR: feed}
    return found, attachments, mailed


def _changed(common: _Common, calendars: Calendars) -> Changed:
    policy, burst = meaning.policy_of(common.config), common.config.watch.burst
    return Changed(
        accounts=common.accounts,
        queue=common.store.queue,
        snapshots=common.store.snapshots,
        calendars=calendars,
        apply=common.apply,
        policy=lambda account: policy(account, _nobody(), method=Method.REQUEST),
        clock=common.clock,
        log=common.log,
        burst=Burst(events=burst.events, within=burst.within),
        bounds=meaning.expansion(common.config),
    )


def _watch(common: _Common, calendars: Calendars, name: str) -> Watch:
    times = common.config.watch
    return Watch(
        snapshots=common.store.snapshots,
        calendars=calendars,
        clock=common.clock,
        log=common.log,
        settings=WatchSettings(
            interval=times.interval, settle=times.settle, settle_deleted=times.settle_deleted
        ),
        worker=name,
        schedules=lambda account, meeting: _schedules(common.accounts, account, meeting),
    )


def _doctor(common: _Common, calendars: Calendars) -> Doctor:
    return Doctor(
        accounts=common.accounts,
        calendars=calendars,
        snapshots=common.store.snapshots,
        clock=common.clock,
        domains=common.config.gateway.domains,
    )


def _domains(config: Config) -> Domains:
    ours = (*config.gateway.domains, config.delivery.service_address.rpartition("@")[2])
    return Domains(records=DnsRecords(), domains=ours, organizational=organizational_domain)


def _rounds(common: _Common, watch: Watch) -> Rounds:
    return Rounds(
        accounts=common.accounts,
        snapshots=common.store.snapshots,
        watch=watch,
        clock=common.clock,
        interval=common.config.watch.interval,
    )


def _decided(common: _Common, calendars: Calendars) -> Decided:
    policy = meaning.policy_of(common.config)
    return Decided(
        accounts=common.accounts,
        queue=common.store.queue,
        proposals=common.store.proposals,
        calendars=calendars,
        apply=common.apply,
        policy=lambda account: policy(account, _nobody(), method=Method.REQUEST),
        clock=common.clock,
    )


def _journeys(
    common: _Common,
    calendars: Calendars,
    *,
    receive: Receive,
    deliver: Deliver,
    mailed: Mailed,
    tokens: Tokens,
) -> dict[str, Run]:
    messages, changed, decided = _messages(common), _changed(common, calendars), _decided(common, calendars)
    queue, accounts = common.store.queue, common.accounts
    given = Given(queue=queue, plans=common.store.plans, revoking=common.store.links, messages=messages)
    bounced = endings.bounced(common, tokens)
    witness = _witness(common)
    by_source: dict[object, Run] = {
        "change": changed.run,
        ALARM: changed.alarm,
        SOURCE: Expiry(accounts=accounts, queue=queue, apply=common.apply).run,
        STATUS: endings.statuses(common, calendars).run,
        TELLING: endings.telling(common).run,
        OUTGOING: witness.keep,
        RENDER: Rendering(queue=queue, accounts=accounts, apply=common.apply, changed=changed).run,
        BOUNCE: bounced.run,
    }

    async def mail(job: Job) -> Job | None:
        if job.payload["peer"]["role"] == "outgoing":
            await witness.read(job)
        elif bounced.concerns(job):
            await bounced.read(job)
        else:
            return await receive.run(job)
        return None

    async def apply(job: Job) -> None:
        run = by_source.get(job.payload.get("source"))
        if run is not None:
            await run(job)
        elif "proposal" in job.payload:
            await decided.run(job)
        elif WORDS in job.payload:
            await mailed.run(job)
        elif "page" in job.payload:
            await given.run(job)
        else:
            await messages.run(job)

    return {str(JobKind.MAIL): mail, str(JobKind.APPLY): apply, str(JobKind.LETTER): deliver.run}


def _witness(common: _Common) -> Witness:
    return Witness(
        queue=common.store.queue,
        accounts=common.accounts,
        apply=common.apply,
        settings=meaning.receive_settings(common.config),
        log=common.log,
    )


def _schedules(accounts: Accounts, account: Account, meeting: CalendarObject) -> bool:
    """Has the object to do with scheduling at all: an organizer, and our account is he or one of the guests."""
    if meeting.organizer_prop is None:
        return False
    return role(meeting, owner_of(accounts, account)) is not Role.STRANGER


def _nobody() -> Verdict:
    return Verdict(sender=None, certainty=Certainty.UNKNOWN)
