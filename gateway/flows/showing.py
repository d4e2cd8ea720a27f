"""Calendars as a person reads them, for the demo's page: what each account's server holds right now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.accounts import Account, Accounts
from gateway.errors import GatewayError, MalformedCalendar
from gateway.flows.sorting import owner_of
from gateway.flows.stored import read_stored
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject
from gateway.itip.model import Facts
from gateway.itip.summary import facts
from gateway.ports import Calendars
from gateway.render import dates, repetition
from gateway.render.voice import Voice


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGuest:
    name: str
    address: str
    partstat: str
    role: str  # organizer | guest | self


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMeeting:
    """One component of one object: the series itself, or one instance that differs."""

    uid: str
    title: str
    when: str
    repeats: str
    place: str
    status: str
    instance: bool
    guests: tuple[ShownGuest, ...]
    order: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCalendar:
    account: str
    name: str
    meetings: tuple[ShownMeeting, ...]
    error: str = ""


async def shown_calendar(
    account: Account, *, accounts: Accounts, calendars: Calendars, voice: Voice, now: datetime
) -> ShownCalendar:
    """Everything in the account's calendars, soonest first; an unreachable server is said, not raised."""
    found: list[ShownMeeting] = []
    try:
        for collection in await calendars.collections(account):
            listing = await calendars.sync(account, collection.path, token="")
            hrefs = [one.href for one in listing.changes if one.etag is not None]
            for resource in await calendars.multiget(account, collection.path, hrefs):
                found += _meetings(resource.data, owner_of(accounts, account), voice, now)
    except GatewayError as error:
        return ShownCalendar(account=account.address, name=account.name, meetings=(), error=error.public)
    found.sort(key=lambda one: (one.order, one.instance))
    return ShownCalendar(account=account.address, name=account.name, meetings=tuple(found))


def _meetings(data: bytes, owner: frozenset[Address], voice: Voice, now: datetime) -> list[ShownMeeting]:
    try:
        meeting = read_stored(data)
    except MalformedCalendar:
        return []
    keys = ([""] if meeting.master is not None else []) + sorted(meeting.overrides)
    return [_meeting(meeting, key, owner, voice, now) for key in keys]


def _meeting(
    meeting: CalendarObject, key: str, owner: frozenset[Address], voice: Voice, now: datetime
) -> ShownMeeting:
    told = facts(meeting, key, viewer=None, guest_list="full", now=now)
    when = dates.span(told.start, told.end, voice).whole if told.start else ""
    rule = repetition.words(told.rule, told.start, voice) if told.rule and told.start else None
    return ShownMeeting(
        uid=meeting.uid,
        title=told.title,
        when=when,
        repeats=rule or ("repeats" if told.rule else ""),
        place=told.location,
        status=told.status,
        instance=bool(key),
        guests=_guests(told, owner),
        order=told.start.local.isoformat() if told.start else "",
    )


def _guests(told: Facts, owner: frozenset[Address]) -> tuple[ShownGuest, ...]:
    organizer = told.organizer.address if told.organizer else ""
    people = list(told.guests)
    if told.organizer and all(one.address != organizer for one in people):
        people.insert(0, told.organizer)
    return tuple(
        ShownGuest(
            name=one.name or one.address,
            address=one.address,
            partstat="" if one.address == organizer else one.partstat,
            role="organizer" if one.address == organizer else "self" if one.address in owner else "guest",
        )
        for one in people
    )
