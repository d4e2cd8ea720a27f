"""What a visitor chooses of a page itself, its language and its clock, and what he is offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlencode

from babel.core import Locale, get_global

from gateway.ports import Visit
from gateway.render.voice import zone_of

_OLD = frozenset({"US/", "Etc/", "SystemV/"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing to choose."""

    value: str
    label: str
    chosen: bool = False
    note: str = ""
    tone: str = ""
    symbol: str = ""


def as_chosen(action: str, visit: Visit) -> str:
    """Where a form goes, so that the page that follows speaks as this one does."""
    chosen = {name: visit.query[name] for name in ("lang", "tz") if name in visit.query}
    return action + (f"?{urlencode(chosen)}" if chosen else "")


def clock_of(visit: Visit) -> str | None:
    """The clock that he chose on the page, "" for that of the meeting; None where he has chosen none."""
    name = visit.query.get("tz")
    return name if name is None or name == "" or zone_of(name) else None


def accepted(header: str) -> tuple[str, ...]:
    """RFC 9110 12.5.4: the languages that a browser asks for, the best first."""
    found = []
    for part in header[:500].split(","):
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if tag and quality > 0:
            found.append((-quality, tag.strip()))
    return tuple(tag for _, tag in sorted(found, key=lambda one: one[0]))


@lru_cache(maxsize=64)
def languages(known: tuple[str, ...], spoken: str) -> tuple[Choice, ...]:
    """Every language that we have, each in its own words."""
    names = []
    for one in sorted(known):
        tag = one.replace("_", "-")
        locale = Locale.parse(one)
        name = locale.get_display_name(locale) or tag
        names.append(Choice(value=tag, label=name[:1].upper() + name[1:], chosen=tag == spoken))
    return tuple(names)


def zones(locale: str, chosen: str) -> tuple[Choice, ...]:
    """The time zones by their cities."""
    return tuple(Choice(value=name, label=city, chosen=name == chosen) for name, city in _cities(locale))


def city(zone: str, locale: str) -> str:
    """The city of a zone; the name of the zone where it has none."""
    return dict(_cities(locale)).get(zone, zone)


@lru_cache(maxsize=32)
def _cities(locale: str) -> tuple[tuple[str, str], ...]:
    names = [
        one
        for one in get_global("zone_territories")
        if "/" in one and not any(one.startswith(old) for old in _OLD) and zone_of(one)
    ]
    told = Locale.parse(locale).time_zones
    found = [(one, _city_of(one, told)) for one in names]
    return (("UTC", "UTC"), *sorted(found, key=lambda one: one[1].casefold()))


def _city_of(name: str, told: Mapping[str, Mapping[str, str]]) -> str:
    """CLDR keeps the first name that a zone ever had: Asia/Calcutta has the city, Asia/Kolkata has none."""
    cities = (told.get(one, {}).get("city") for one in (name, *_former().get(name, ())))
    return next(filter(None, cities), name.rpartition("/")[2].replace("_", " "))


@lru_cache(maxsize=1)
def _former() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for old, new in get_global("zone_aliases").items():
        found.setdefault(new, []).append(old)
    return found


__all__ = ["Choice", "accepted", "as_chosen", "city", "clock_of", "languages", "zones"]
