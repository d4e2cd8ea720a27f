"""What programs get wrong, or only do otherwise, and the rooms behind understand as it stands: one named rule each (SPEC 2.4).

A rule finds its quirk in the calendar as it came. Where a standard forbids the quirk it can be switched off; the message is
then read without what the quirk tells, or, where nothing sensible would be left, refused. What no standard forbids is
named and counted, and always understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass

from gateway.errors import MalformedCalendar
from gateway.ical.address import Address, address, is_mail
from gateway.ical.event import KINDS, method_of
from gateway.ical.stamp import Stamp, read_stamp
from gateway.ical.tree import Component, Property
from gateway.ical.windows_zones import SHOWN_ZONES, WINDOWS_ZONES
from gateway.ical.zones import clean_tzid, iana_name
from gateway.itip.model import Message, Method
from gateway.itip.roles import find, identities, sent_by

_PEOPLE = ("ATTENDEE", "ORGANIZER")
_PLAIN = re.compile(r"mailto:[\w.+-]+@[a-z0-9.-]*[a-z0-9]\Z", re.ASCII)
_ENCODED = re.compile(r"mailto:.*%[0-9a-f]{2}", re.IGNORECASE)
_SHOWN = re.compile(r"\((?:UTC|GMT)(?:[+-]\d\d:\d\d)?\)", re.IGNORECASE)
_DIGITS = re.compile(r"\s*\d+\s*", re.ASCII)
_MICROSOFT_SEQUENCE = "X-MICROSOFT-CDO-APPT-SEQUENCE"
_RESPONSE_COMMENT = "X-RESPONSE-COMMENT"
_MOST_ZONES = 100

Change = Callable[[Component], Component]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How a quirk is found; `without` is the calendar when it is off, None: then the message is refused."""

    found: Callable[[Component], bool]
    without: Change | None = None
    legal: bool = False  # no standard forbids it: it cannot be switched off
    odd: bool = False  # where everybody stands as `mailto:` and a plain address it is not there


def reply_without_organizer(calendar: Component) -> bool:
    """RFC 5546 3.2.3 wants ORGANIZER in a REPLY: Exchange and outlook.com leave it out. The meeting is found by its UID."""
    return _is_reply(calendar) and any(
        not (part.value("ORGANIZER") or "").strip() for part in _parts(calendar)
    )


def reply_with_series(calendar: Component) -> bool:
    """RFC 5546 3.2.3 allows it: some answer with the whole series where one component would say it."""
    parts = tuple(_parts(calendar))
    return _is_reply(calendar) and (
        len(parts) > 1 or any(part.first(name) for part in parts for name in ("RRULE", "RDATE"))
    )


def reply_with_other_guests(calendar: Component) -> bool:
    """RFC 5546 3.2.3 wants one ATTENDEE: some repeat the list of guests. Only the sender's own line is read."""
    return _is_reply(calendar) and any(len(part.all("ATTENDEE")) > 1 for part in _parts(calendar))


def lower_case_method(calendar: Component) -> bool:
    """RFC 5545 3.7.2 and RFC 5546 1.4 write methods in capitals; scripts and phones do not always."""
    told = (calendar.text("METHOD") or "").strip()
    return told != told.upper()


def windows_timezone(calendar: Component) -> bool:
    """Outlook and Exchange name zones as Windows does; the message's own VTIMEZONE is the truth (RFC 5545 3.6.5)."""
    own = _defined(calendar)
    return any(tzid in own and _is_windows(tzid) for tzid in _named(calendar))


def customized_timezone(calendar: Component) -> bool:
    """Exchange gives every zone that Windows does not know one name; only the message's own VTIMEZONE tells which."""
    return any(tzid.casefold().startswith("customized time zone") for tzid in _named(calendar))


def undefined_timezone(calendar: Component) -> bool:
    """RFC 5545 3.2.19 wants a VTIMEZONE for every TZID: scripts, and Outlook at times, leave the name to tell the zone."""
    return any(iana_name(tzid) is not None for tzid in _undefined(calendar))


def unknown_timezone(calendar: Component) -> bool:
    """RFC 5545 3.2.19: a TZID that neither the message nor the world knows; its times count as the reader's own clock."""
    return any(iana_name(tzid) is None for tzid in _undefined(calendar))


def recurrence_id_in_utc(calendar: Component) -> bool:
    """RFC 5545 3.8.4.4 wants the form of DTSTART: Google answers in UTC. The instant names the occurrence."""
    return any(
        named.is_utc and not begin.is_utc and not begin.is_date for named, begin in _instances(calendar)
    )


def recurrence_id_date_only(calendar: Component) -> bool:
    """RFC 5545 3.8.4.4 wants the form of DTSTART: some name an occurrence by its day alone."""
    return any(named.is_date and not begin.is_date for named, begin in _instances(calendar))


def recurrence_id_zero_time(calendar: Component) -> bool:
    """RFC 5545 3.8.4.4 wants the form of DTSTART: Exchange sets the time of day to zero, also that of whole days."""
    return any(
        not named.is_date and _is_midnight(named) and (begin.is_date or not _is_midnight(begin))
        for named, begin in _instances(calendar)
        if begin.is_date or not named.is_utc
    )


def microsoft_sequence(calendar: Component) -> bool:
    """RFC 5545 3.8.7.4: Exchange leaves SEQUENCE out of some answers, its own property tells it."""
    return any(
        part.first("SEQUENCE") is None and _DIGITS.fullmatch(part.value(_MICROSOFT_SEQUENCE) or "")
        for part in _parts(calendar)
    )


def google_response_comment(calendar: Component) -> bool:
    """RFC 5546 3.2.3 has COMMENT for it: Google says what a guest wrote in a parameter of his line."""
    return any(line.param(_RESPONSE_COMMENT) for line in _people(calendar))


def percent_encoded_address(calendar: Component) -> bool:
    """RFC 6068 2 allows it: `mailto:a%2Bb@example.org` is a+b@example.org."""
    return any(_ENCODED.match(line.value.strip()) for line in _people(calendar))


def upper_case_mailto(calendar: Component) -> bool:
    """RFC 3986 3.1 lets a scheme be written in any case: Exchange says MAILTO:, and naive readers see another guest."""
    return any(
        line.value.strip()[:7].lower() == "mailto:" != line.value.strip()[:7] for line in _people(calendar)
    )


def principal_address(calendar: Component) -> bool:
    """Apple's and other servers' inner names (a principal path, urn:uuid:) in ORGANIZER or ATTENDEE, which no mail reaches."""
    return any(_is_inner(line) for line in _people(calendar))


def email_parameter(calendar: Component) -> bool:
    """RFC 7986 6.2: EMAIL tells the mail address of one whose value is none."""
    return any(_is_inner(line) and is_mail(address(line.param("EMAIL") or "")) for line in _people(calendar))


def address_in_name(calendar: Component) -> bool:
    """DAVx5 puts the name of its account, a mail address, into CN of one whose value is none."""
    return any(_is_inner(line) and is_mail(address(line.param("CN") or "")) for line in _people(calendar))


def counter_as_request(message: Message, owner: Set[Address]) -> bool:
    """RFC 5546 3.2.7 has COUNTER for it: some clients propose another time by a REQUEST from a guest to the organizer."""
    organizer, sender = message.object.organizer_prop, message.sender
    if message.method is not Method.REQUEST or organizer is None or sender is None:
        return False
    names = identities(organizer)
    if not names & owner or sender in owner or sender in names or sender == sent_by(organizer):
        return False
    return find(message.object.attendees(), {sender}) is not None


def _without_microsoft_sequence(calendar: Component) -> Component:
    return _changed(calendar, lambda part: part.without(_MICROSOFT_SEQUENCE))


def _without_comments(calendar: Component) -> Component:
    return _with_people(calendar, lambda line: line.with_params(X_RESPONSE_COMMENT=None))


def _without_email(calendar: Component) -> Component:
    return _with_people(calendar, lambda line: line.with_params(EMAIL=None) if _is_inner(line) else line)


def _without_name(calendar: Component) -> Component:
    return _with_people(
        calendar,
        lambda line: (
            line.with_params(CN=None)
            if _is_inner(line) and is_mail(address(line.param("CN") or ""))
            else line
        ),
    )


TOLERATED: Mapping[str, Tolerance] = {
    "reply-without-organizer": Tolerance(found=reply_without_organizer),
    "lower-case-method": Tolerance(found=lower_case_method),
    "reply-with-series": Tolerance(found=reply_with_series, legal=True),
    "reply-with-other-guests": Tolerance(found=reply_with_other_guests),
    "windows-timezone": Tolerance(found=windows_timezone, legal=True),
    "customized-timezone": Tolerance(found=customized_timezone, legal=True),
    "undefined-timezone": Tolerance(found=undefined_timezone),
    "unknown-timezone": Tolerance(found=unknown_timezone),
    "recurrence-id-in-utc": Tolerance(found=recurrence_id_in_utc),
    "recurrence-id-date-only": Tolerance(found=recurrence_id_date_only),
    "recurrence-id-zero-time": Tolerance(found=recurrence_id_zero_time),
    "microsoft-sequence": Tolerance(found=microsoft_sequence, without=_without_microsoft_sequence),
    "google-response-comment": Tolerance(found=google_response_comment, without=_without_comments),
    "percent-encoded-address": Tolerance(found=percent_encoded_address, legal=True, odd=True),
    "upper-case-mailto": Tolerance(found=upper_case_mailto, legal=True, odd=True),
    "principal-address": Tolerance(found=principal_address, odd=True),
    "email-parameter": Tolerance(found=email_parameter, without=_without_email, odd=True),
    "address-in-name": Tolerance(found=address_in_name, without=_without_name, odd=True),
}


def tolerate(calendar: Component, *, off: Set[str] = frozenset()) -> tuple[Component, tuple[str, ...]]:
    """The calendar, and the names of the quirks in it that are understood. Raise MalformedCalendar for one that is off."""
    names = []
    odd = any(
        _PLAIN.match(line.value) is None for line in _people(calendar)
    )  # asked once of a thousand guests
    for name, rule in TOLERATED.items():
        if (rule.odd and not odd) or not rule.found(calendar):
            continue
        if name not in off or rule.legal:
            names.append(name)
        elif rule.without is None:
            raise MalformedCalendar(f"{name} is switched off")
        else:
            calendar = rule.without(calendar)
    return calendar, tuple(names)


def _parts(calendar: Component) -> Iterator[Component]:
    return (part for part in calendar.components if part.name in KINDS)


def _people(calendar: Component) -> Iterator[Property]:
    return (line for part in _parts(calendar) for name in _PEOPLE for line in part.all(name))


def _is_reply(calendar: Component) -> bool:
    return method_of(calendar) == Method.REPLY


def _is_inner(line: Property) -> bool:
    return bool(line.value.strip()) and not is_mail(line.address)


def _named(calendar: Component) -> frozenset[str]:
    """Every TZID that a property names."""
    return frozenset(clean_tzid(tzid) for part in _parts(calendar) for tzid in part.tzids)


def _defined(calendar: Component) -> frozenset[str]:
    return frozenset(clean_tzid(zone.text("TZID") or "") for zone in calendar.subcomponents("VTIMEZONE"))


def _undefined(calendar: Component) -> frozenset[str]:
    """None at all when there are more than `ical.event` takes: each costs a look at the database."""
    found = _named(calendar) - _defined(calendar)
    return found if len(found) <= _MOST_ZONES else frozenset()


def _is_windows(tzid: str) -> bool:
    return tzid.casefold() in WINDOWS_ZONES or tzid.casefold() in SHOWN_ZONES or bool(_SHOWN.match(tzid))


def _instances(calendar: Component) -> Iterator[tuple[Stamp, Stamp]]:
    """Each RECURRENCE-ID with the start that its form is to follow: the master's, or without one its own component's."""
    parts = tuple(_parts(calendar))
    if all(part.first("RECURRENCE-ID") is None for part in parts):
        return
    masters = {part.text("UID"): part for part in parts if part.first("RECURRENCE-ID") is None}
    for part in parts:
        named = _stamp(part, "RECURRENCE-ID")
        begin = _stamp(masters.get(part.text("UID"), part), "DTSTART")
        if named is not None and begin is not None:
            yield named, begin


def _stamp(part: Component, name: str) -> Stamp | None:
    try:
        return read_stamp(part.value(name) or "")
    except MalformedCalendar:
        return None


def _is_midnight(stamp: Stamp) -> bool:
    return not (stamp.local.hour or stamp.local.minute or stamp.local.second)


def _changed(calendar: Component, change: Change) -> Component:
    return calendar.with_children(
        change(child) if isinstance(child, Component) and child.name in KINDS else child
        for child in calendar.children
    )


def _with_people(calendar: Component, change: Callable[[Property], Property]) -> Component:
    def changed(part: Component) -> Component:
        return part.with_children(
            change(child) if isinstance(child, Property) and child.name in _PEOPLE else child
            for child in part.children
        )

    return _changed(calendar, changed)


__all__ = ["TOLERATED", "Tolerance", "counter_as_request", "tolerate"]
