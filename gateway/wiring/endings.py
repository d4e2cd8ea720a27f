"""What hears how letters and mails ended and what guests said: the calendar of their sender, and he himself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gateway.accounts import Accounts
from gateway.config import Config
from gateway.flows.apply import Apply
from gateway.flows.bounced import Bounced
from gateway.flows.burial import Burial
from gateway.flows.relay import Relay
from gateway.flows.statuses import Statuses
from gateway.flows.telling import Telling
from gateway.imip.tokens import Tokens
from gateway.log import Log
from gateway.ports import Calendars, Clock, NextHop
from gateway.smtp.sender import open_smarthost
from gateway.store.desk import Store
from gateway.wiring import meaning


class Common(Protocol):
    """What the parts of a process share."""

    @property
    def config(self) -> Config: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def store(self) -> Store: ...
    @property
    def apply(self) -> Apply: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def log(self) -> Log: ...


def statuses(common: Common, calendars: Calendars) -> Statuses:
    """SCHEDULE-STATUS, written into the event."""
    store = common.store
    return Statuses(
        accounts=common.accounts,
        queue=store.queue,
        plans=store.plans,
        calendars=calendars,
        apply=common.apply,
    )


def bounced(common: Common, tokens: Tokens) -> Bounced:
    """Reports that come to the bounce addresses of letters."""
    return Bounced(
        accounts=common.accounts,
        queue=common.store.queue,
        plans=common.store.plans,
        apply=common.apply,
        tokens=tokens,
        clock=common.clock,
        log=common.log,
        writes=common.config.watch.schedule_status,
    )


def relay(common: Common, hops: Mapping[str, NextHop]) -> Relay:
    """Mail that goes on, and reports to those whose mail did not."""
    config = common.config
    opened = dict(hops)

    def hop(url: str) -> NextHop:
        if url not in opened:  # a mail that came before the configuration changed
            opened[url] = open_smarthost(meaning.next_hop_settings(config, url))
        return opened[url]

    return Relay(
        queue=common.store.queue,
        hop=hop,
        clock=common.clock,
        log=common.log,
        settings=meaning.relay_settings(config),
    )


def burial(common: Common, calendars: Calendars, relay: Relay) -> Burial:
    """What is asked before a job is given up."""
    return Burial(accounts=common.accounts, plans=common.store.plans, calendars=calendars, relay=relay)


def telling(common: Common) -> Telling:
    """What an organizer is told of his guests."""
    return Telling(
        accounts=common.accounts,
        queue=common.store.queue,
        apply=common.apply,
        clock=common.clock,
    )


__all__ = ["bounced", "burial", "relay", "statuses", "telling"]
