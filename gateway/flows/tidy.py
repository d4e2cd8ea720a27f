"""What a server refuses for lines that no calendar program reads is offered to it once more without them.

We keep every line as it came, also one without a colon or with a name that is none (RFC 5545 3.1). Radicale refuses the
whole object for one of those. They mean nothing to anybody, so the meeting is worth more than they are.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from gateway.accounts import Account
from gateway.errors import ObjectRefused
from gateway.flows.stored import GENEROUS
from gateway.ical.tree import Component, Property, parse, write
from gateway.ports import Calendars, Plan, Resource

_NAME: Final = re.compile(r"[A-Z0-9-]+", re.ASCII)


async def put(calendars: Calendars, account: Account, plan: Plan, *, data: bytes) -> tuple[Plan, Resource]:
    """Write what is planned; a plan that had to leave lines out says so in the journal. Raise as `Calendars.put`."""
    try:
        return plan, await calendars.put(account, plan.href, data, etag=plan.etag)
    except ObjectRefused:
        bare, lost = without_nonsense(data)
        if not lost:
            raise
    written = await calendars.put(account, plan.href, bare, etag=plan.etag)
    if plan.entry is None:
        return plan, written
    note = {"code": "lines-left-out", "count": str(lost)}
    return replace(plan, entry=replace(plan.entry, notes=(*plan.entry.notes, note))), written


def without_nonsense(data: bytes) -> tuple[bytes, int]:
    """The text without the lines that are no properties, and how many those were."""
    tree = parse(data, GENEROUS)
    bare = _bare(tree)
    return write(bare), _count(tree) - _count(bare)


def _bare(component: Component) -> Component:
    kept = (one for one in component.children if isinstance(one, Component) or _NAME.fullmatch(one.name))
    return component.with_children(_bare(one) if isinstance(one, Component) else one for one in kept)


def _count(component: Component) -> int:
    return sum(1 if isinstance(one, Property) else _count(one) for one in component.children)


__all__ = ["put", "without_nonsense"]
