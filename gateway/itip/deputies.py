"""Whom a person has let speak for an organizer: remembered for this meeting and this organizer alone (SPEC 3.3).

Some programs send invitations from an address of their own, without SENT-BY. The first such mail is held; its approval
names its sender in the ledger, so that the next one need not wait. The mark is bound to the organizer for whom it was
given: it opens no other meeting, and not this one once somebody else organizes it. How sure we are of a later mail is asked
all the same. A guest who passes the invitation on has been believed once, and speaks for nobody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gateway.ical.address import Address
from gateway.ical.tree import Property
from gateway.itip.model import Context, Decision, Mark, MarkKey, Message, Outcome
from gateway.itip.roles import attendee, identities

_PARTY: Final = "deputy:"


def is_deputy(sender: Address | None, organizer: Property | None, context: Context) -> bool:
    """Whether a person has approved a mail of this sender in this organizer's name, about this meeting."""
    if sender is None or organizer is None:
        return False
    mark = context.marks.get(_key(sender))
    return mark is not None and mark.organizer in identities(organizer)


def remembered(decision: Decision, message: Message) -> Decision:
    """What an approved mail of somebody else than its organizer has come to: its sender is known from now on."""
    organizer = message.object.organizer_prop
    if decision.outcome is not Outcome.APPLIED or message.sender is None or organizer is None:
        return decision
    if attendee(message.object, frozenset({message.sender})) is not None:
        return decision
    mark = Mark(organizer=organizer.address)
    return replace(decision, marks={**decision.marks, _key(message.sender): mark})


def _key(sender: Address) -> MarkKey:
    return MarkKey(recurrence_id="", party=f"{_PARTY}{sender}")


__all__ = ["is_deputy", "remembered"]
