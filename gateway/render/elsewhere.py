"""The meeting in calendars on other sites: links that fill in their forms, of one date only, as none of them takes a series whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from gateway.itip.model import Facts, When
from gateway.render.text import line, lines, place

GOOGLE: Final = "https://calendar.google.com/calendar/render"
OUTLOOK: Final = "https://outlook.live.com/calendar/0/deeplink/compose"
MICROSOFT_365: Final = "https://outlook.office.com/calendar/0/deeplink/compose"
LONGEST = 800  # characters of the description: a link is no letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """One such link; `site` is how the other one calls itself, in every language."""

    site: str
    url: str


def elsewhere(facts: Facts) -> tuple[Elsewhere, ...]:
    """The links; none for a task, for a series and for what has no time."""
    start, end = facts.start, facts.end or facts.start
    if start is None or end is None or facts.kind != "VEVENT" or (facts.rule and facts.recurrence is None):
        return ()
    if start.form == "date" and end.local <= start.local:
        end = When(form="date", local=start.local + timedelta(days=1))
    title, where = line(facts.title), place(facts.location)
    text = "\n".join((*lines(facts.description), *map(place, facts.conference)))[:LONGEST]
    google = {
        "action": "TEMPLATE",
        "text": title,
        "dates": f"{_basic(start)}/{_basic(end)}",
        "location": where,
        "details": text,
    }
    outlook = {
        "path": "/calendar/action/compose",
        "rru": "addevent",
        "subject": title,
        "startdt": _extended(start),
        "enddt": _extended(end),
        "allday": "true" if start.form == "date" else "",
        "location": where,
        "body": text,
    }
    return (
        Elsewhere(site="Google Calendar", url=_url(GOOGLE, google)),
        Elsewhere(site="Outlook.com", url=_url(OUTLOOK, outlook)),
        Elsewhere(site="Microsoft 365", url=_url(MICROSOFT_365, outlook)),
    )


def _url(base: str, values: dict[str, str]) -> str:
    return f"{base}?{urlencode({name: value for name, value in values.items() if value})}"


def _basic(when: When) -> str:
    if when.form == "date":
        return f"{when.local:%Y%m%d}"
    return f"{when.utc:%Y%m%dT%H%M%SZ}" if when.utc is not None else f"{when.local:%Y%m%dT%H%M%S}"


def _extended(when: When) -> str:
    if when.form == "date":
        return f"{when.local:%Y-%m-%d}"
    return f"{when.utc:%Y-%m-%dT%H:%M:%SZ}" if when.utc is not None else f"{when.local:%Y-%m-%dT%H:%M:%S}"


__all__ = ["Elsewhere", "elsewhere"]
