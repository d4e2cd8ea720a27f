"""Our guest sends somebody else, or is somebody's delegate himself: whom he writes to beside the organizer (SPEC 12.8).

he delegates to E      REPLY to the organizer with both lines, REQUEST to E: the organizer's own, with both lines
he stands in for C     a copy of his REPLY to C
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateway.ical.address import Address, is_mail, mailto
from gateway.ical.event import CalendarObject
from gateway.ical.tree import Component, Property, prop
from gateway.itip import compose, roles
from gateway.itip.delegation import delegate_of, fault
from gateway.itip.model import Context, Method, Outgoing
from gateway.itip.significance import components_by_key
from gateway.itip.summary import summarize
from gateway.itip.views import is_cancelled, shareable

Parts = Mapping[str, tuple[Component, Property]]


def impossible(component: Component | None, line: Property) -> bool:
    """Whether he delegates to himself, to the organizer, or back to one who delegated to him."""
    return bool(fault(component, line.address, line))


def with_delegates(reply: CalendarObject) -> CalendarObject:
    """RFC 5546 4.2.5: the delegator's REPLY names the delegate in a line of his own, behind the one that answers."""
    changed = {
        key: component.add(_delegate_line(line, to))
        for key, component in components_by_key(reply)
        for line in component.all("ATTENDEE")
        if (to := delegate_of(line)) is not None
    }
    return reply.with_components(changed) if changed else reply


def letters(
    source: CalendarObject, parts: Parts, reply: Outgoing, *, context: Context
) -> tuple[Outgoing, ...]:
    """What leaves beside the REPLY to the organizer."""
    return (*_requests(source, parts, reply, context), *_copies(parts, reply))


def _requests(source: CalendarObject, parts: Parts, reply: Outgoing, context: Context) -> Iterable[Outgoing]:
    """The organizer's last word, as he said it to us, with the two lines changed; one letter per delegate."""
    named = {to: line for _, line in parts.values() if (to := delegate_of(line)) is not None and is_mail(to)}
    stamp = compose.Stamp(now=context.now, prodid=context.prodid)
    for to, line in named.items():
        keys = [key for key, (_, one) in parts.items() if delegate_of(one) == to]
        shown = _handed_on(shareable(source), keys, parts, line)
        if not shown:
            continue
        message = compose.request(shown, source, stamp)
        first, *further = (key for key, _ in components_by_key(message))
        yield Outgoing(
            method=Method.REQUEST,
            sender=reply.sender,
            recipient=to,
            object=message,
            summary=summarize(
                "delegation",
                message,
                now=context.now,
                key=first,
                further=further if first else (),
                viewer=to,
            ),
        )


def _handed_on(
    source: CalendarObject, keys: Iterable[str], parts: Parts, line: Property
) -> dict[str, Component]:
    wanted = dict(components_by_key(source)) if "" in keys else {key: parts[key][0] for key in keys}
    shown = {}
    for key, component in wanted.items():
        own = roles.line_in(component, roles.identities(line))
        if own is not None and not is_cancelled(component):
            shown[key] = _with_both(component, own, line)
    return shown


def _with_both(component: Component, own: Property, line: Property) -> Component:
    to = delegate_of(line)
    mine = own.with_params(
        PARTSTAT="DELEGATED", DELEGATED_TO=line.param_values("DELEGATED-TO")[:1], RSVP=None
    )
    component = component.replace(own, mine)
    if to is None:
        return component
    there = roles.line_in(component, frozenset({to}))
    if there is not None:
        return component.replace(there, there.with_params(DELEGATED_FROM=own.value, RSVP="TRUE"))
    return component.add(_delegate_line(line, to))


def _delegate_line(line: Property, to: Address) -> Property:
    return prop("ATTENDEE", mailto(to), RSVP="TRUE", DELEGATED_FROM=mailto(line.address))


def _copies(parts: Parts, reply: Outgoing) -> Iterable[Outgoing]:
    """RFC 5546 4.2.6: the delegate's answer goes to his delegator as well."""
    lines = [line for _, line in parts.values()]
    delegators = dict.fromkeys(
        one for line in lines for one in roles.parameter_addresses(line, "DELEGATED-FROM") if is_mail(one)
    )
    others = (one for one in delegators if one not in (reply.recipient, reply.sender))
    return (replace(reply, recipient=one, recipient_name="") for one in others)


__all__ = ["impossible", "letters", "with_delegates"]
