"""What hears how letters ended: the calendar of their sender, and he himself."""

from __future__ import annotations

from typing import Protocol

from gateway.accounts import Accounts
from gateway.config import Config
from gateway.flows.apply import Apply
from gateway.flows.bounced import Bounced
from gateway.flows.statuses import Statuses
from gateway.imip.tokens import Tokens
from gateway.log import Log
from gateway.ports import Calendars, Clock
from gateway.store.desk import Store


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


__all__ = ["bounced", "statuses"]
