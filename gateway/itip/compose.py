"""The iTIP messages that we write: REQUEST, CANCEL, REPLY, COUNTER and DECLINECOUNTER, complete and strict (RFC 5546 3.2, 3.4).

Exchange, Google and others ignore bare messages, so each carries UID, DTSTAMP, SEQUENCE, DTSTART, an end, SUMMARY and
ORGANIZER, whatever the tables would allow to leave out (SPEC 6.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.ical import times
from gateway.ical.event import CalendarObject, build
from gateway.ical.times import Zones
from gateway.ical.tree import Component, Property, prop, text_prop
from gateway.itip.tasks import PROGRESS
from gateway.itip.views import leaving

# What a REPLY repeats of the organizer's version: enough to know the meeting by, nothing else (RFC 5546 3.2.3).
_REPLIED: Final = (
    "UID",
    "RECURRENCE-ID",
    "SEQUENCE",
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "SUMMARY",
    "LOCATION",
    "PRIORITY",
    "ORGANIZER",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What every message of one decision has in common."""

    now: datetime
    prodid: str


def request(shown: Mapping[str, Component], source: CalendarObject, stamp: Stamp) -> CalendarObject:
    """RFC 5546 3.2.2: the components of a guest's view, as an invitation or its update."""
    return _message(shown.values(), source, stamp)


def cancel(
    shown: Mapping[str, Component], source: CalendarObject, stamp: Stamp, *, uninvited: frozenset[str]
) -> CalendarObject:
    """RFC 5546 3.2.5: STATUS:CANCELLED where the meeting falls, no STATUS for the keys from which only he is removed."""
    components = []
    for key, component in shown.items():
        bare = component.without("STATUS", "EXDATE" if key else "")
        components.append(bare if key in uninvited else bare.put(prop("STATUS", "CANCELLED")))
    return _message(components, source, stamp)


_REPLIED_OF_TASKS: Final = (*_REPLIED, *PROGRESS)


def reply(
    answers: Iterable[tuple[Component, Property]], source: CalendarObject, stamp: Stamp
) -> CalendarObject:
    """RFC 5546 3.2.3: what the organizer last said, with the one ATTENDEE line that answers it."""
    components = []
    for component, line in answers:
        bare = leaving(component).only(_REPLIED_OF_TASKS if component.name == "VTODO" else _REPLIED)
        bare = bare.with_children(bare.properties)
        answer = line.with_params(
            RSVP=None, SCHEDULE_AGENT=None, SCHEDULE_STATUS=None, SCHEDULE_FORCE_SEND=None
        )
        components.append(bare.add(answer))
    return _message(components, source, stamp)


def counter(
    proposed: Component, line: Property, source: CalendarObject, *, stamp: Stamp, comment: str = ""
) -> CalendarObject:
    """RFC 5546 3.2.7: the event as an attendee would have it, with his line alone and the SEQUENCE that he was asked with."""
    bare = leaving(proposed).without("ATTENDEE", "COMMENT", "STATUS").add(_only_line(line))
    bare = bare.add(text_prop("COMMENT", comment)) if comment else bare
    return _message((bare,), source, stamp)


def declinecounter(
    component: Component, line: Property, source: CalendarObject, *, stamp: Stamp, sequence: int | None
) -> CalendarObject:
    """RFC 5546 3.2.8: the event as it stays, to the one who would have changed it; SEQUENCE echoes the one he countered."""
    bare = leaving(component).only(_REPLIED)
    bare = bare.with_children(bare.properties).add(_only_line(line))
    return _message((bare if sequence is None else bare.put(prop("SEQUENCE", str(sequence))),), source, stamp)


def _only_line(line: Property) -> Property:
    return leaving(Component("VEVENT", (line,))).properties[0]


def complete(component: Component, zones: Zones, stamp: Stamp) -> Component:
    """The component with everything that SPEC 6.3 wants in a message."""
    done = component.put(times.utc_prop("DTSTAMP", stamp.now))
    if done.first("SEQUENCE") is None:
        done = done.add(prop("SEQUENCE", "0"))
    if done.first("SUMMARY") is None:
        done = done.add(text_prop("SUMMARY", ""))
    return _complete_task(done, stamp) if done.name == "VTODO" else _complete_event(done, zones)


def _complete_event(event: Component, zones: Zones) -> Component:
    """RFC 5545 3.6.1: an event without DTEND and DURATION lasts a day, or no time at all."""
    if event.first("DTEND") is not None:
        return event.without("DURATION")  # clients have left both; DTEND is what they show
    if event.first("DURATION") is not None:
        return event
    start = times.start(event, zones)
    return event.add(prop("DURATION", "P1D" if start is not None and start.is_date else "PT0S"))


def _complete_task(task: Component, stamp: Stamp) -> Component:
    """RFC 5546 3.4.2 wants PRIORITY and DTSTART, which RFC 5545 does not; a DURATION needs the DTSTART that it has."""
    if task.first("DUE") is not None or task.first("DTSTART") is None:
        task = task.without("DURATION")  # a length of nothing, unless it begins somewhere
    if task.first("PRIORITY") is None:
        task = task.add(prop("PRIORITY", "0"))
    if task.first("DTSTART") is not None:
        return task
    due = task.first("DUE")
    if due is not None:
        return task.add(prop("DTSTART", due.value, TZID=due.param("TZID"), VALUE=due.param("VALUE")))
    return task.add(prop("DTSTART", f"{stamp.now:%Y%m%d}", VALUE="DATE"))


def _message(components: Iterable[Component], source: CalendarObject, stamp: Stamp) -> CalendarObject:
    done = tuple(complete(_with_organizer(one, source), source.zones, stamp) for one in components)
    return build(done, source, prodid=stamp.prodid)


def _with_organizer(component: Component, source: CalendarObject) -> Component:
    """An override may lack what its master has; every component of a message names the organizer."""
    if component.first("ORGANIZER") is not None or source.organizer_prop is None:
        return component
    return component.add(leaving(Component(component.name, (source.organizer_prop,))).properties[0])


__all__ = ["Stamp", "cancel", "complete", "counter", "declinecounter", "reply", "request"]
