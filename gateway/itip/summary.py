"""What a letter says about a meeting, read once here, so that the mail layer never reads or compares calendars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from gateway.ical import recur, times
from gateway.ical.address import Address, address
from gateway.ical.event import CalendarObject, partstat, person, sequence_of
from gateway.ical.times import Form, Moment, Zones
from gateway.ical.tree import Component, Property
from gateway.itip.model import Attached, Booked, Declined, Facts, Guest, Said, Summary, Taken, When
from gateway.itip.roles import sent_by
from gateway.itip.significance import components_by_key, instance

NEXT_DATES: Final = 3
ATTACHED: Final = 20
STYLED: Final = 16_384  # characters: what is longer is told by its plain text
_CONFERENCE: Final = ("CONFERENCE", "X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL")
_COMPARED: Final = (
    "title",
    "description",
    "location",
    "url",
    "conference",
    "start",
    "end",
    "rule",
    "status",
    "guests",
    "comment",
)


def facts(
    meeting: CalendarObject, key: str, *, viewer: Address | None, guest_list: str, now: datetime
) -> Facts:
    """What the viewer may read of the series ("") or of one instance; of an object without a master its first instance."""
    component = instance(meeting, key) or next(found for _, found in components_by_key(meeting))
    zones = meeting.zones
    recurrence = component.first("RECURRENCE-ID")
    joined = _conferences(component)
    return Facts(
        kind=component.name,
        uid=meeting.uid,
        sequence=sequence_of(component) or 0,
        title=component.text("SUMMARY") or "",
        description=component.text("DESCRIPTION") or "",
        location=component.text("LOCATION") or "",
        url=component.value("URL") or "",
        styled=_styled(component),
        conference=tuple(joined),
        labels=tuple(joined.values()),
        attached=tuple(_attached(component))[:ATTACHED],
        start=when_of(times.start(component, zones), zones),
        end=when_of(times.end(component, zones), zones),
        rule=_rule(meeting, component),
        recurrence=when_of(times.moment(recurrence, zones), zones) if recurrence else None,
        next_dates=_next_dates(meeting, component, now),
        skipped=_skipped(meeting, component, now),
        status=(component.value("STATUS") or "").strip().upper(),
        organizer=_organizer(component, meeting),
        guests=_guests(component, meeting.organizer, viewer, guest_list),
        comment=component.text("COMMENT") or "",
    )


def summarize(
    kind: str,
    now_object: CalendarObject,
    before_object: CalendarObject | None = None,
    *,
    now: datetime,
    key: str = "",
    further: Iterable[str] = (),
    viewer: Address | None = None,
    guest_list: str = "full",
    partstat: str = "",
    attendee: Property | None = None,
) -> Summary:
    """What a message says: the state it brings (of `key`, and of `further` instances), and what was different before."""
    here = facts(now_object, key, viewer=viewer, guest_list=guest_list, now=now)
    before = None
    if before_object is not None and instance(before_object, key) is not None:
        before = facts(before_object, key, viewer=viewer, guest_list=guest_list, now=now)
    return Summary(
        kind=kind,
        now=here,
        before=before,
        changed=changed(before, here) if before is not None else (),
        partstat=partstat,
        attendee=guest(attendee) if attendee is not None else None,
        instances=tuple(
            facts(now_object, one, viewer=viewer, guest_list=guest_list, now=now) for one in further
        ),
    )


def changed(before: Facts, now: Facts) -> tuple[str, ...]:
    """The names of the fields that a reader would call different; an answer of a guest is none of them."""
    return tuple(name for name in _COMPARED if _compared(before, name) != _compared(now, name))


@lru_cache(
    maxsize=4096
)  # each letter lists every guest: without it a thousand of them make a million of these
def guest(found: Property) -> Guest:
    """An ATTENDEE line as a reader sees it."""
    return Guest(
        address=person(found),
        name=(found.param("CN") or "").strip(),
        partstat=partstat(found),
        role=(found.param("ROLE") or "REQ-PARTICIPANT").upper(),
        cutype=(found.param("CUTYPE") or "INDIVIDUAL").upper(),
        stands_for=_first(found, "DELEGATED-FROM"),
        sends=_first(found, "DELEGATED-TO"),
    )


def _first(found: Property, name: str) -> str:
    return next((address(one) for one in found.param_values(name)), "")


def dump(summary: Summary) -> dict[str, Any]:
    """A summary as JSON; `load(dump(x)) == x`."""
    return {
        "kind": summary.kind,
        "now": _dump_facts(summary.now),
        "before": _dump_facts(summary.before) if summary.before else None,
        "changed": list(summary.changed),
        "partstat": summary.partstat,
        "attendee": _dump_guest(summary.attendee) if summary.attendee else None,
        "instances": [_dump_facts(one) for one in summary.instances],
        "proposal": summary.proposal,
        "answers": [
            {"guest": _dump_guest(one.guest), "comment": one.comment, "date": _dump_when(one.date)}
            for one in summary.answers
        ],
        "booked": _dump_booked(summary.booked) if summary.booked else None,
    }


def load(data: Mapping[str, Any]) -> Summary:
    """The inverse of `dump`."""
    return Summary(
        kind=data["kind"],
        now=_load_facts(data["now"]),
        before=_load_facts(data["before"]) if data.get("before") else None,
        changed=tuple(data["changed"]),
        partstat=data["partstat"],
        attendee=Guest(**data["attendee"]) if data.get("attendee") else None,
        instances=tuple(_load_facts(one) for one in data["instances"]),
        proposal=data.get("proposal", ""),
        answers=tuple(
            Said(guest=Guest(**one["guest"]), comment=one["comment"], date=_load_when(one["date"]))
            for one in data.get("answers", ())
        ),
        booked=_load_booked(data["booked"]) if data.get("booked") else None,
    )


def when_of(moment: Moment | None, zones: Zones) -> When | None:
    """A moment of a calendar as a reader needs it."""
    if moment is None:
        return None
    zone = (zones.iana(moment.tzid) or moment.tzid) if moment.form is Form.ZONED else ""
    return When(form=str(moment.form), local=moment.local, zone=zone, utc=moment.utc)


def _rule(meeting: CalendarObject, component: Component) -> str:
    """The RRULE, and on further lines what stands beside it: a sentence that passes over those would be wrong."""
    first, *more = component.all("RRULE") or (None,)
    if first is None:
        return ""
    beside = [*more, *(one for name in ("EXRULE", "RDATE", "EXDATE") for one in component.all(name))]
    lines = {f"{one.name}:{one.value}" for one in beside}
    if component is meeting.master:
        lines |= {f"EXDATE:{key}" for key, one in meeting.overrides.items() if _moved(one, meeting.zones)}
    return "\n".join([first.value, *sorted(lines)])


def _conferences(component: Component) -> dict[str, str]:
    """RFC 7986 5.11: where to join, and how its LABEL calls it."""
    found: dict[str, str] = {}
    for name in _CONFERENCE:
        for one in component.all(name):
            found.setdefault(one.value, one.param("LABEL") or "")
    return found


def _attached(component: Component) -> Iterable[Attached]:
    """RFC 5545 3.8.1.1: documents that lie on the web; what is inside of the calendar text is in it."""
    for one in component.all("ATTACH"):
        if one.value.lower().startswith(("https://", "http://")):
            yield Attached(url=one.value, name=one.param("FILENAME") or one.param("X-FILENAME") or "")


def _styled(component: Component) -> str:
    """RFC 9073 6.5: STYLED-DESCRIPTION; before there was one, ALTREP (RFC 5545 3.2.1) and X-ALT-DESC held the same."""
    for name in ("STYLED-DESCRIPTION", "X-ALT-DESC"):
        for one in component.all(name):
            if (one.param("FMTTYPE") or "").lower() == "text/html":
                return one.text if len(one.value) <= STYLED else ""
    plain = component.first("DESCRIPTION")
    kind, _, data = ((plain.param("ALTREP") if plain is not None else "") or "").partition(",")
    if kind.lower().partition(";")[0] != "data:text/html" or ";base64" in kind.lower():
        return ""
    return unquote(data) if len(data) <= 3 * STYLED else ""


def _moved(override: Component, zones: Zones) -> bool:
    """Whether a date of the series is not where its rule has it."""
    named = override.first("RECURRENCE-ID")
    begins = when_of(times.start(override, zones), zones)
    ruled = when_of(times.moment(named, zones), zones) if named else None
    if begins is None or ruled is None:
        return True
    return begins.local != ruled.local and (begins.utc is None or begins.utc != ruled.utc)


def _next_dates(meeting: CalendarObject, component: Component, now: datetime) -> tuple[When, ...]:
    if component is not meeting.master or not meeting.recurring:
        return ()
    found = (when_of(one.start, meeting.zones) for one in recur.first(meeting, NEXT_DATES, after=now))
    return tuple(one for one in found if one is not None)


def _skipped(meeting: CalendarObject, component: Component, now: datetime) -> tuple[When, ...]:
    if component is not meeting.master or not meeting.recurring:
        return ()
    zones = meeting.zones
    dates = {one.key: one for found in component.all("EXDATE") for one in times.moments(found, zones)}
    today = now.replace(
        tzinfo=None
    )  # by the clock of UTC: a date of today is told a few hours longer, or not
    coming = sorted((one for one in dates.values() if one.local > today), key=lambda one: one.local)
    told = (when_of(one, zones) for one in coming[:NEXT_DATES])
    return tuple(one for one in told if one is not None)


def _organizer(component: Component, meeting: CalendarObject) -> Guest | None:
    found = component.first("ORGANIZER") or meeting.organizer_prop
    if found is None:
        return None
    own = next((one for one in component.all("ATTENDEE") if person(one) == person(found)), None)
    return Guest(
        address=person(found),
        name=(found.param("CN") or (own.param("CN") if own else "") or "").strip(),
        partstat=partstat(own) if own is not None else "ACCEPTED",
        role="CHAIR",
        deputy=sent_by(found) or "",
    )


def _guests(
    component: Component, organizer: Address | None, viewer: Address | None, guest_list: str
) -> tuple[Guest, ...]:
    """SPEC 4.8: with `self` a guest sees himself only; a viewer of None is the organizer's side."""
    lines = (one for one in component.all("ATTENDEE") if person(one) != organizer)
    if guest_list == "self" and viewer is not None:
        lines = (one for one in lines if viewer in (one.address, person(one)))
    return tuple(guest(one) for one in lines)


def _compared(told: Facts, name: str) -> object:
    value: object = getattr(told, name)
    if name == "guests":
        return frozenset(one.address for one in told.guests)
    if name == "status":
        return value or "CONFIRMED"
    if isinstance(value, When):
        return value.utc or (value.form, value.local)
    return " ".join(value.split()) if isinstance(value, str) else value


def _dump_guest(one: Guest) -> dict[str, Any]:
    return {item.name: getattr(one, item.name) for item in fields(one)}


def _dump_when(one: When | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "form": one.form,
        "local": one.local.isoformat(),
        "zone": one.zone,
        "utc": one.utc.isoformat() if one.utc else None,
    }


def _load_when(data: Mapping[str, Any] | None) -> When | None:
    if data is None:
        return None
    return When(
        form=data["form"],
        local=datetime.fromisoformat(data["local"]),
        zone=data["zone"],
        utc=datetime.fromisoformat(data["utc"]) if data["utc"] else None,
    )


def _dump_booked(told: Booked) -> dict[str, Any]:
    return {
        "reason": str(told.reason or ""),
        "most": told.most,
        "hours": told.hours,
        "zone": told.zone,
        "busy": [[_dump_when(one.start), _dump_when(one.end)] for one in told.busy],
        "accepted": [_dump_when(one) for one in told.accepted],
        "declined": [_dump_when(one) for one in told.declined],
    }


def _load_booked(data: Mapping[str, Any]) -> Booked:
    taken = ((_load_when(start), _load_when(end)) for start, end in data["busy"])
    return Booked(
        reason=Declined(data["reason"]) if data["reason"] else None,
        most=data["most"],
        hours=data["hours"],
        zone=data["zone"],
        busy=tuple(Taken(start=start, end=end) for start, end in taken if start and end),
        accepted=_load_whens(data["accepted"]),
        declined=_load_whens(data["declined"]),
    )


def _load_whens(data: Iterable[Mapping[str, Any]]) -> tuple[When, ...]:
    return tuple(one for one in map(_load_when, data) if one is not None)


def _dump_facts(told: Facts) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for item in fields(told):
        value = getattr(told, item.name)
        if item.name in ("start", "end", "recurrence"):
            value = _dump_when(value)
        elif item.name in ("next_dates", "skipped"):
            value = [_dump_when(one) for one in value]
        elif item.name == "organizer":
            value = _dump_guest(value) if value else None
        elif item.name == "guests":
            value = [_dump_guest(one) for one in value]
        elif item.name == "attached":
            value = [[one.url, one.name] for one in value]
        elif item.name in ("conference", "labels"):
            value = list(value)
        out[item.name] = value
    return out


def _load_facts(data: Mapping[str, Any]) -> Facts:
    whens = {name: _load_when(data[name]) for name in ("start", "end", "recurrence")}
    return Facts(
        **{
            **data,
            **whens,
            "next_dates": _load_whens(data["next_dates"]),
            "skipped": _load_whens(data.get("skipped", ())),
            "organizer": Guest(**data["organizer"]) if data["organizer"] else None,
            "guests": tuple(Guest(**one) for one in data["guests"]),
            "conference": tuple(data["conference"]),
            "labels": tuple(data.get("labels", ())),
            "attached": tuple(Attached(url=url, name=name) for url, name in data.get("attached", ())),
        }
    )


__all__ = ["NEXT_DATES", "changed", "dump", "facts", "guest", "load", "summarize", "when_of"]
