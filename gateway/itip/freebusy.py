"""VFREEBUSY by mail: who asks when our user is busy gets the busy times, or learns nothing at all (RFC 5546 3.3).

    REQUEST          of one whom the account's `freebusy` names: busy periods in UTC, no further than its horizon
                     of anybody else who is proven: a REPLY without data; nobody vouches for him: nothing
    PUBLISH, REPLY   we ask nobody, so nobody has been asked

The server's own free-busy-query is not used: it knows nothing of PARTSTAT, so a declined meeting would block.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final

from gateway.ical import recur, times
from gateway.ical.address import Address, domain, is_mail, mailto
from gateway.ical.event import CalendarObject, build, partstat
from gateway.ical.times import Period
from gateway.ical.tree import Component, Property, prop
from gateway.itip.automatic import counted, why_not
from gateway.itip.circle import strict
from gateway.itip.model import (
    Busy,
    Certainty,
    Context,
    Decision,
    Facts,
    Message,
    Method,
    Note,
    Outcome,
    Outgoing,
    Reason,
    Summary,
    When,
)
from gateway.itip.roles import find, identities, line_in

KIND: Final = "VFREEBUSY"
_FREE: Final = frozenset({"DECLINED", "DELEGATED", "COMPLETED"})
_MAYBE: Final = frozenset({"TENTATIVE", "NEEDS-ACTION"})


def decide(message: Message, context: Context) -> Decision:
    """What comes of a VFREEBUSY; no calendar changes by one."""
    certainty = context.verdict.certainty if context.verdict is not None else Certainty.UNKNOWN
    if certainty is Certainty.CONTRADICTED:
        return Decision(outcome=Outcome.REFUSED, reason=Reason.SENDER_CONTRADICTED)
    if message.method is not Method.REQUEST:
        return Decision(outcome=Outcome.REFUSED, reason=Reason.NOT_ASKED)
    if certainty is not Certainty.PROVEN or message.sender is None:
        # SPEC 12.5: nothing automatic for one of whom we are not sure
        return Decision(outcome=Outcome.IGNORED, reason=Reason.NOT_AUTHENTICATED)
    asker, own = message.object.organizer_prop, _own(message, context)
    if asker is None or message.sender not in identities(asker):
        return Decision(outcome=Outcome.REFUSED, reason=Reason.SENDER_NOT_ORGANIZER)
    if own is None:
        return Decision(outcome=Outcome.IGNORED, reason=Reason.NOT_INVITED)
    reason = why_not(context, f"freebusy:{message.sender}", to_request=True)
    if reason is not None:
        return Decision(outcome=Outcome.IGNORED, reason=reason)
    asked = _asked(message.object)
    if asked is None:
        return Decision(outcome=Outcome.REFUSED, reason=Reason.MALFORMED_CALENDAR)
    return _answer(message, own, asked, context=context)


def window(message: Message, context: Context) -> Period | None:
    """The time of which the calendar must be read to answer this; None when it tells nothing."""
    asked = _asked(message.object) if message.method is Method.REQUEST else None
    proven = context.verdict is not None and context.verdict.certainty is Certainty.PROVEN
    if asked is None or not proven or not _allowed(message.sender, context):
        return None
    return _clipped(asked, stretch(context.now, context.now + context.policy.freebusy_horizon))


def busy(objects: Iterable[CalendarObject], owner: frozenset[Address], within: Period) -> tuple[Busy, ...]:
    """When these meetings take their owner's time. TRANSPARENT, CANCELLED and DECLINED do not block (SPEC 8.2).

    Raise MalformedCalendar for what cannot be expanded.
    """
    return together(part for meeting in objects for part in taken(meeting, owner, within))


def taken(
    meeting: CalendarObject, owner: frozenset[Address], within: Period, *, floating: tzinfo = UTC
) -> tuple[Busy, ...]:
    """The stretches of this window that one meeting takes. Raise MalformedCalendar for what cannot be expanded."""
    if meeting.kind != "VEVENT":
        return ()
    found = []
    for one in recur.occurrences(meeting, after=within.start, before=within.end, floating=floating):
        kind = _kind(one.component, owner)
        part = _clipped(stretch(one.start.instant(floating), one.end.instant(floating)), within)
        if kind and part is not None:
            found.append(Busy(period=part, kind=kind))
    return tuple(found)


def together(found: Iterable[Busy]) -> tuple[Busy, ...]:
    """All of it in as few periods as can be, in order; what is sure hides what is doubtful at the same time."""
    parts = tuple(found)
    sure = merged(one.period for one in parts if one.kind == "BUSY")
    maybe = merged(one.period for one in parts if one.kind != "BUSY")
    left = [Busy(period=one, kind="BUSY-TENTATIVE") for one in _without(maybe, sure)]
    return tuple(sorted((*(Busy(period=one) for one in sure), *left), key=lambda one: one.period.start))


def merged(periods: Iterable[Period]) -> tuple[Period, ...]:
    """The same time in as few periods as can be, in order; half-open, so that neighbours join."""
    out: list[Period] = []
    for one in sorted(periods, key=lambda each: each.start):
        if out and one.start <= out[-1].end:
            out[-1] = stretch(out[-1].start, max(out[-1].end, one.end))
        elif one.start < one.end:
            out.append(one)
    return tuple(out)


def _without(periods: Iterable[Period], taken: Iterable[Period]) -> Iterable[Period]:
    rest = list(periods)
    for gone in taken:
        cut = []
        for one in rest:
            cut += [stretch(one.start, min(one.end, gone.start)), stretch(max(one.start, gone.end), one.end)]
        rest = [one for one in cut if one.start < one.end]
    return merged(rest)


def stretch(start: datetime, end: datetime) -> Period:
    return Period(start=start, end=end)


def _clipped(one: Period, to: Period) -> Period | None:
    start, end = max(one.start, to.start), min(one.end, to.end)
    return stretch(start, end) if start < end else None


def _kind(component: Component, owner: frozenset[Address]) -> str:
    """FBTYPE (RFC 5545 3.2.9), or "" for what leaves the time free."""
    status = (component.value("STATUS") or "").strip().upper()
    if status == "CANCELLED" or (component.value("TRANSP") or "").strip().upper() == "TRANSPARENT":
        return ""
    own = line_in(component, owner)
    organizer = component.first("ORGANIZER")
    his = organizer is not None and bool(identities(organizer) & owner)
    answer = partstat(own) if own is not None and not his else "ACCEPTED"
    if answer in _FREE:
        return ""
    return "BUSY-TENTATIVE" if status == "TENTATIVE" or answer in _MAYBE else "BUSY"


def _own(message: Message, context: Context) -> Property | None:
    lines = (line for part in message.object.components for line in part.all("ATTENDEE"))
    return find(lines, context.owner, context.invited_as)


def _asked(request: CalendarObject) -> Period | None:
    component = request.components[0]
    start, end = (component.first(name) for name in ("DTSTART", "DTEND"))
    if start is None or end is None:
        return None
    begin, stop = (times.moment(one, request.zones).instant() for one in (start, end))
    return stretch(begin, stop) if begin < stop else None


def _allowed(sender: Address | None, context: Context) -> bool:
    if sender is None:
        return False
    policy = context.policy
    ours = domain(sender) in policy.freebusy_domains
    match policy.freebusy:
        case "all":
            return True
        case "known":
            return ours or context.met
        case "domains":
            return ours
    return False


def _answer(message: Message, own: Property, asked: Period, *, context: Context) -> Decision:
    shown = window(message, context)
    if shown is None:
        told, status = asked, f"3.7;Invalid calendar user;{own.name}:{own.value}"
    elif context.free_busy is None:
        return Decision(outcome=Outcome.FAILED, reason=Reason.BACKEND_UNAVAILABLE)
    else:
        told, status = shown, "2.0;Success"
    found = (context.free_busy or ()) if shown is not None else ()
    letter = _letter(message, own, told, found=found, status=status, context=context)
    lawful, illegal = strict((letter,) if letter is not None else ())
    if not lawful:
        return Decision(outcome=Outcome.FAILED, reason=Reason.MALFORMED_CALENDAR, notes=illegal)
    return Decision(
        outcome=Outcome.APPLIED,
        reason=Reason.BUSY_TOLD if shown is not None else Reason.BUSY_WITHHELD,
        outgoing=lawful,
        marks=counted(context, f"freebusy:{message.sender}"),
        notes=(Note(code="unread-events", facts={"count": str(context.unread)}),)
        if shown and context.unread
        else (),
    )


def _letter(
    message: Message, own: Property, told: Period, *, found: tuple[Busy, ...], status: str, context: Context
) -> Outgoing | None:
    asker = message.object.organizer_prop
    sender = next((one for one in sorted(identities(own)) if is_mail(one)), None)
    if asker is None or sender is None or message.sender is None:
        return None
    reply = Component(
        KIND,
        (
            prop("UID", message.object.components[0].value("UID") or ""),
            times.utc_prop("DTSTAMP", context.now),
            prop("ORGANIZER", mailto(message.sender)),
            prop("ATTENDEE", mailto(sender)),
            times.utc_prop("DTSTART", told.start),
            times.utc_prop("DTEND", told.end),
            *(_line(one) for one in found),
            prop("REQUEST-STATUS", status),
        ),
    )
    return Outgoing(
        method=Method.REPLY,
        sender=sender,
        recipient=message.sender,
        recipient_name=(asker.param("CN") or "").strip(),
        object=build((reply,), None, prodid=context.prodid),
        summary=_summary(message, sender, told, found, refused=not status.startswith("2")),
        automatic=True,
    )


def _line(one: Busy) -> Property:
    """RFC 5546 3.3.3: UTC, ascending."""
    value = "/".join(f"{at:%Y%m%dT%H%M%SZ}" for at in (one.period.start, one.period.end))
    return prop("FREEBUSY", value, FBTYPE=one.kind)


def _summary(
    message: Message, sender: Address, told: Period, found: tuple[Busy, ...], *, refused: bool
) -> Summary:
    def facts(period: Period) -> Facts:
        start, end = (_when(one) for one in (period.start, period.end))
        return Facts(kind=KIND, uid=message.object.uid, sequence=0, title=str(sender), start=start, end=end)

    return Summary(
        kind="freebusy",
        now=facts(told),
        partstat="DECLINED" if refused else "ACCEPTED",
        instances=tuple(facts(one.period) for one in found),
    )


def _when(at: datetime) -> When:
    return When(form="utc", local=at.replace(tzinfo=None), utc=at)


__all__ = ["KIND", "busy", "decide", "merged", "stretch", "taken", "together", "window"]
