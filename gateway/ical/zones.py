"""From a TZID to a zone, for one object at a time: its own VTIMEZONE, else the IANA database, else the Windows names.

Nothing learnt from one message is kept for the next: a hostile VTIMEZONE moves no meeting but its own. (The icalendar
library keeps such a table for the process, which is why it is not asked.) zoneinfo caches by names of its database only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.ical.observances import observance_zone
from gateway.ical.tree import Component
from gateway.ical.vtimezone import vtimezone_of
from gateway.ical.windows_zones import SHOWN_ZONES, WINDOWS_ZONES

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z][A-Za-z0-9_+-]{0,30}){0,3}")
_NO_ZONES = frozenset(
    {"localtime", "posixrules", "Factory", "leapseconds", "tzdata", "zone", "posix", "right"}
)
_UTC_NAMES = frozenset({"UTC", "Z", "ETC/UTC", "UCT", "ZULU", "UNIVERSAL", "GMT", "ETC/GMT"})
_SHOWN = re.compile(r"\((?:UTC|GMT)(?:([+-])(\d\d)[:.]?(\d\d))?\)\s*(.*)")
_REGIONS = ("Europe", "America", "Asia", "Africa", "Australia", "Pacific", "Atlantic")
# Instants at which two definitions of a zone are compared: every season of two years.
PROBES = tuple(datetime(year, month, 15, 12, tzinfo=UTC) for year in (2025, 2026) for month in range(1, 13))


class Zones:
    """The zones that one calendar object knows."""

    __slots__ = ("_defined_zones", "_made", "_own")

    def __init__(self, own: Mapping[str, Component]) -> None:
        self._own = own
        self._made: dict[str, tzinfo | None] = {}
        self._defined_zones: dict[str, tzinfo | None] = {}

    @classmethod
    def of(cls, root: Component) -> Zones:
        """The zones of a VCALENDAR; of two VTIMEZONEs with one TZID the first counts."""
        own: dict[str, Component] = {}
        for component in root.subcomponents("VTIMEZONE"):
            own.setdefault(clean_tzid(component.text("TZID") or ""), component)
        return cls(own)

    @property
    def own(self) -> Mapping[str, Component]:
        """The object's own VTIMEZONEs by TZID."""
        return self._own

    def zone(self, tzid: str) -> tzinfo | None:
        """The zone of a TZID; None: nobody knows it, so its times are floating. Raise LimitExceeded for a bomb."""
        tzid = clean_tzid(tzid)
        if tzid not in self._made:
            self._made[tzid] = self._defined(tzid) or named_zone(tzid)
        return self._made[tzid]

    def iana(self, tzid: str) -> str | None:
        """The IANA name under which people know this zone; None when the object defines the name otherwise."""
        tzid = clean_tzid(tzid)
        defined = self._defined(tzid)
        if defined is None:
            return iana_name(tzid)
        location = self._own[tzid].text("X-LIC-LOCATION") or ""
        for candidate in (tzid, location):
            name = iana_name(candidate)
            if name is not None and _agree(defined, ZoneInfo(name)):
                return name
        return None

    def vtimezone(self, tzid: str, since: int = 2000) -> Component | None:
        """The VTIMEZONE of a TZID: the object's own, or one made from the IANA database that holds from year `since` on."""
        clean = clean_tzid(tzid)
        if self._defined(clean) is not None:
            return self._own[clean]
        name = iana_name(clean)
        return None if name is None else vtimezone_of(ZoneInfo(name), tzid, since)

    def joined(self, other: Zones) -> Zones:
        """These zones and those of another object; a TZID that both define keeps its meaning here."""
        if other is self or all(tzid in self._own for tzid in other._own):
            return self
        return Zones({**other._own, **self._own})

    def _defined(self, tzid: str) -> tzinfo | None:
        if tzid not in self._defined_zones:
            component = self._own.get(tzid)
            zone = None if component is None else observance_zone(component)
            named = None if zone is None else named_zone(tzid)
            if zone is not None and named is not None and zone.is_excerpt_of(named):
                zone = None  # the name tells the same, and the rest of it
            self._defined_zones[tzid] = zone
        return self._defined_zones[tzid]


def named_zone(tzid: str) -> tzinfo | None:
    """The zone that a name alone tells."""
    if tzid.upper() in _UTC_NAMES:
        return UTC
    name = iana_name(tzid)
    return None if name is None else ZoneInfo(name)


def iana_name(tzid: str) -> str | None:
    """The IANA zone of an IANA name, a vendor's path that ends in one, a Windows name or what Windows shows for it."""
    if tzid.upper() in _UTC_NAMES:
        return "Etc/UTC"
    return _by_path(tzid) or _by_windows(tzid) or _by_shown_name(tzid)


def _by_path(tzid: str) -> str | None:
    """`/mozilla.org/20050126_1/Europe/Berlin`, `/freeassociation.sourceforge.net/Tzfile/Europe/Vienna` and the plain name."""
    parts = tzid.strip("/").split("/")
    if len(parts) > 8:
        return None
    for length in range(min(3, len(parts)), 0, -1):
        name = "/".join(parts[-length:])
        for candidate in dict.fromkeys((name, name.replace(" ", "_"), name.title().replace(" ", "_"))):
            if _exists(candidate):
                return candidate
    return None


def _by_windows(tzid: str) -> str | None:
    name = tzid.casefold()
    return WINDOWS_ZONES.get(name) or WINDOWS_ZONES.get(f"{name} standard time") or SHOWN_ZONES.get(name)


def _by_shown_name(tzid: str) -> str | None:
    """`(UTC+01:00) Amsterdam, Berlin, Bern`: the first city that is a zone with that offset."""
    shown = _SHOWN.fullmatch(tzid)
    if shown is None:
        return None
    sign, hours, minutes, places = shown.groups()
    if known := SHOWN_ZONES.get(places.casefold()):
        return known
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    for place in places.split(",")[:8]:
        for region in _REGIONS:
            name = f"{region}/{place.strip().replace(' ', '_')}"
            if _exists(name) and offset in {ZoneInfo(name).utcoffset(probe) for probe in PROBES[:12]}:
                return name
    return None


def _exists(name: str) -> bool:
    """Whether the database has the name. The name is a path there, so it must look like one of its names and nothing else."""
    if _KEY.fullmatch(name) is None or name.partition("/")[0] in _NO_ZONES:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _agree(one: tzinfo, other: tzinfo) -> bool:
    return all(probe.astimezone(one).utcoffset() == probe.astimezone(other).utcoffset() for probe in PROBES)


def clean_tzid(tzid: str) -> str:
    """A TZID without the blanks and quotes that some producers put around it (SPEC 2.4)."""
    return tzid.strip().strip("\"'").strip()


__all__ = ["PROBES", "Zones", "clean_tzid", "iana_name", "named_zone"]
