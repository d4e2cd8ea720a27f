"""RANGE: which messages speak of an occurrence and all behind it, and what becomes of those that cannot be carried out."""

from __future__ import annotations

from gateway.ical import onward
from gateway.itip.model import Context, Decision, Message, Note, Outcome, Reason


def unknown_range(message: Message) -> Decision | None:
    """RFC 5545 3.2.13: THISANDPRIOR is no more. Taken for the one occurrence that it names it would do harm."""
    found = (component.first("RECURRENCE-ID") for component in message.object.components)
    ranges = (line.param("RANGE") for line in found if line is not None)
    if not any(value and value.strip().upper() != "THISANDFUTURE" for value in ranges):
        return None
    return Decision(
        outcome=Outcome.UNSUPPORTED,
        reason=Reason.UNSUPPORTED_METHOD,
        notes=(Note(code="this-and-prior"),),
    )


def speaks_onward(message: Message, context: Context) -> bool:
    """Whether this message, or what its sender said before, is about an occurrence and all behind it."""
    told = (message.object, context.base)
    return any(onward.is_onward(key) for of in told if of is not None for key in of.overrides)


def beyond_bounds(context: Context) -> Decision:
    """SPEC 4.7: a rest that cannot be told in overrides waits for a person, whose approval does not make it shorter."""
    approved = context.policy.approved
    return Decision(
        outcome=Outcome.REFUSED if approved else Outcome.HELD,
        reason=Reason.EXPANSION_LIMIT,
        notes=(Note(code="this-and-future"),),
        held_kind="" if approved else "mail",
    )


__all__ = ["beyond_bounds", "speaks_onward", "unknown_range"]
