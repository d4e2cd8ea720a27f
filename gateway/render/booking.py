"""What a room or a resource answers, in words: taken or not, why not, and when something else is booked there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from babel.dates import get_day_names

from gateway.itip.model import Booked, Declined, Facts, Taken, When
from gateway.render.changes import listed
from gateway.render.dates import Shown, clock, day, lasting, place, short, shown
from gateway.render.voice import Voice, zone_of

MOST = 20  # dates or stretches of time that a letter lists
_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_HOURS = re.compile(r"(\w\w)(?:-(\w\w))? (\d\d:\d\d)-(\d\d:\d\d)")
_DASH = re.compile("([–～])")  # after which a line may end, a no-break space or not
_NOTHING = Booked()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Three lists of lines: when something else is booked, and of a series what is booked now and what is not."""

    taken: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def reservation(booked: Booked | None, voice: Voice) -> Reservation:
    """The lists of an answer; every time is on the reader's clock."""
    booked = booked or _NOTHING
    return Reservation(
        taken=_taken(booked.busy, voice),
        kept=_dates(booked.accepted, voice),
        lost=_dates(booked.declined, voice),
    )


def answer(
    partstat: str, booked: Booked | None, now: Facts, *, who: str, voice: Voice
) -> tuple[str, str, str, str, tuple[str, ...]]:
    """Band, symbol, tone, verb of the subject, sentences."""
    booked = booked or _NOTHING
    why, hint = _why(booked, now, who=who, voice=voice)
    if partstat == "ACCEPTED" and booked.declined:
        some = voice.count(
            "%(who)s is booked for this series, except for %(n)s date.",
            "%(who)s is booked for this series, except for %(n)s dates.",
            len(booked.declined),
            who=who,
        )
        return voice.say("Partly booked"), "✓", "maybe", voice.say("Partly booked: %(title)s"), (some, hint)
    if partstat == "ACCEPTED":
        return voice.say("Booked"), "✓", "yes", voice.say("Booked: %(title)s"), (_all(now, who, voice),)
    if partstat == "TENTATIVE":
        waits = voice.say("%(who)s is reserved for you until its owner has decided.", who=who)
        mail = voice.say("You get another mail then.")
        return voice.say("Not confirmed yet"), "?", "maybe", voice.say("Reserved: %(title)s"), (waits, mail)
    stays = voice.say("The meeting stays as it is.")
    return voice.say("Not booked"), "✕", "no", voice.say("Not booked: %(title)s"), (why, hint, stays)


def _all(now: Facts, who: str, voice: Voice) -> str:
    if now.recurrence is not None:
        return voice.say("%(who)s is booked for this date of the series.", who=who)
    if now.rule:
        return voice.say("%(who)s is booked for all dates of this series.", who=who)
    return voice.say("%(who)s is booked for this meeting.", who=who)


def _why(booked: Booked, now: Facts, *, who: str, voice: Voice) -> tuple[str, str]:
    """Why it is not booked, and what could be instead."""
    most = booked.most
    match booked.reason:
        case Declined.BUSY:
            return voice.say("%(who)s is taken at that time.", who=who), ""
        case Declined.WHO:
            return voice.say("You may not book %(who)s.", who=who), ""
        case Declined.WINDOW:
            days = voice.count(
                "It can be booked at most %(n)s day ahead.",
                "It can be booked at most %(n)s days ahead.",
                most,
            )
            return voice.say("%(who)s cannot be booked that far ahead.", who=who), days if most else ""
        case Declined.DURATION:
            length = lasting(timedelta(minutes=most), voice)
            at_most = voice.say("The longest booking is %(length)s.", length=length) if length else ""
            return voice.say("%(who)s cannot be booked for that long.", who=who), at_most
        case Declined.HOURS:
            hours = _hours(booked, now, voice)
            only = voice.say("Bookings are possible at these hours: %(hours)s.", hours=hours)
            return voice.say("%(who)s cannot be booked at that time of day.", who=who), only if hours else ""
        case Declined.RECURRING:
            single = voice.say("Single dates can be booked.")
            return voice.say("%(who)s cannot be booked for a series.", who=who), single
        case Declined.CAPACITY:
            seats = voice.count("There is room for %(n)s person.", "There is room for %(n)s people.", most)
            return voice.say(
                "You have invited more people than %(who)s holds.", who=who
            ), seats if most else ""
        case Declined.OWNER:
            return voice.say("The owner of %(who)s has declined the booking.", who=who), ""
    return voice.say("%(who)s cannot be booked at present.", who=who), ""


def _hours(booked: Booked, now: Facts, voice: Voice) -> str:
    """The hours as the reader's language writes them, and whose clock they are of where his is another."""
    names = get_day_names("abbreviated", "format", voice.locale)
    stretches = []
    for first, last, start, end in _HOURS.findall(booked.hours):
        days = str(names[_DAYS.index(first)])
        if last:
            days = voice.say("%(start)s – %(end)s", start=days, end=str(names[_DAYS.index(last)]))
        begins, ends = (clock(_at(one), voice) for one in (start, end))
        hours = voice.say("%(start)s – %(end)s", start=begins, end=ends)
        stretches.append(voice.say("%(days)s, %(hours)s", days=days, hours=hours))
    text = listed(stretches, voice) if stretches else ""
    zone = zone_of(booked.zone) if booked.zone else None
    if not text or zone is None or now.start is None or now.start.utc is None or str(voice.zone) == str(zone):
        return text
    there = place(Shown(local=now.start.utc.astimezone(zone), whole_day=False, zone=zone), voice)
    return voice.say("%(time)s (%(zone)s)", time=text, zone=there)


def _at(text: str) -> datetime:
    """24:00 is midnight too."""
    hours, _, minutes = text.partition(":")
    return datetime(2000, 1, 1, int(hours) % 24, int(minutes), tzinfo=UTC)


def _taken(busy: tuple[Taken, ...], voice: Voice) -> tuple[str, ...]:
    """One line a day."""
    lines = []
    for first, some in groupby(busy[:MOST], key=lambda one: shown(one.start, voice).local.date()):
        times = listed([_stretch(one, first, voice) for one in some], voice, limit=MOST)
        lines.append(voice.say("%(date)s: %(times)s", date=day(first, voice, short=True), times=times))
    rest = len(busy) - MOST
    if rest > 0:
        lines.append(voice.count("and at %(n)s more time", "and at %(n)s more times", rest))
    return tuple(lines)


def _stretch(one: Taken, first: date, voice: Voice) -> str:
    start, end = shown(one.start, voice).local, shown(one.end, voice).local
    if end.date() != first:
        return voice.say("%(start)s – %(end)s", start=clock(start, voice), end=short(one.end, voice))
    whole = voice.say("%(start)s – %(end)s", start=clock(start, voice), end=clock(end, voice))
    return _DASH.sub("\\1\u2060", whole.replace(" ", "\u00a0"))


def _dates(dates: Iterable[When], voice: Voice) -> tuple[str, ...]:
    told = [short(one, voice) for one in dates]
    rest = len(told) - MOST
    more = [voice.count("and on %(n)s more date", "and on %(n)s more dates", rest)] if rest > 0 else []
    return (*told[:MOST], *more)


__all__ = ["Reservation", "answer", "reservation"]
