"""An answer from another address of an invitee: the thread of our letter names him, a person says yes once (SPEC 4.4).

Who answers a letter of ours from an address that nobody invited is most likely the one to whom it went. Most likely is not
enough, since letters are forwarded: the organizer is asked once, and the ledger remembers it for this meeting alone.
"""

from __future__ import annotations

from gateway.ical.address import Address, mailto
from gateway.ical.event import CalendarObject
from gateway.ical.tree import Component, Property
from gateway.itip.model import Context, Mark, MarkKey, Message, Method
from gateway.itip.roles import attendee, groups, identities, parameter_addresses


def asks_thread(stored: CalendarObject | None, message: Message) -> bool:
    """Whether it matters to whom the letter went that this answers."""
    if stored is None or message.method is not Method.REPLY or message.sender is None:
        return False
    return attendee(stored, frozenset({message.sender})) is None


def as_invitee(stored: CalendarObject, message: Message, context: Context) -> Message | None:
    """The answer in the words of the invitee for whom its uninvited sender speaks; None: he speaks for nobody else.

    RFC 5546 3.2.2.3, 3.7.2: one who says that he comes in another's place, or of an invited group, is no invitee himself.
    """
    if not asks_thread(stored, message) or message.sender is None:
        return None
    whom = _remembered(message.sender, context) or context.thread
    line = attendee(stored, frozenset({whom})) if whom is not None else None
    if line is None or line.address in groups(stored) or identities(line) & context.owner:
        return None
    his = frozenset({message.sender}) | identities(line)
    parts = {}
    for key, component in _by_key(message.object).items():
        said = component.all("ATTENDEE")
        if len(said) != 1 or not identities(said[0]) & his or _comes_for_others(said[0]):
            return None
        parts[key] = component.replace(said[0], said[0].with_value(mailto(line.address)))
    return Message(method=message.method, object=message.object.with_components(parts), sender=line.address)


def is_remembered(message: Message, context: Context) -> bool:
    """Whether a person has said of this sender, in this meeting, that he is the invitee."""
    return message.sender is not None and _remembered(message.sender, context) is not None


def remembered(message: Message, invitee: Message, context: Context) -> dict[MarkKey, Mark]:
    """The ledger's line; a sender for whom nobody vouches is asked about each time."""
    if message.sender is None or not context.vouched:
        return {}
    return {_key(message.sender): Mark(speaks_for=invitee.sender)}


def _remembered(sender: Address, context: Context) -> Address | None:
    mark = context.marks.get(_key(sender))
    return mark.speaks_for if mark is not None and context.vouched else None


def _key(sender: Address) -> MarkKey:
    return MarkKey(recurrence_id="", party=f"address:{sender}")


def _comes_for_others(line: Property) -> bool:
    return any(parameter_addresses(line, name) for name in ("DELEGATED-FROM", "MEMBER"))


def _by_key(of: CalendarObject) -> dict[str, Component]:
    master = {"": of.master} if of.master is not None else {}
    return {**master, **of.overrides}


__all__ = ["as_invitee", "asks_thread", "is_remembered", "remembered"]
