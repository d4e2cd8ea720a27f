"""Where a server refuses an organizer's change in a guest's copy, the copy is deleted and written anew; dying loses nothing.

    the plan is told      that its object is to be created: it is journalled before anything is deleted
    the copy is deleted   on the condition that it is as it was read
    the new one is put    or, where the server does not take that either, the old one again

A run that finds such a plan and no object goes on where the other died (RFC 6638 3.2.4.3 is what Xandikos holds against us).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.accounts import Account
from gateway.errors import BackendRefused, PreconditionFailed
from gateway.flows import tidy
from gateway.flows.look import Seen
from gateway.ports import Calendars, Plan, Resource

REFUSAL = "attendee-allowed"
Creating = Callable[[Plan], Awaitable[Plan]]


async def put(
    calendars: Calendars, account: Account, plan: Plan, *, data: bytes, creating: Creating
) -> tuple[Plan, Resource]:
    """Write what is planned, anew if it must be; `creating` journals that. Raise as `Calendars.put`."""
    try:
        return await tidy.put(calendars, account, plan, data=data)
    except PreconditionFailed as error:
        if not plan.etag or _before(plan) is None or not await refused(calendars, account, error):
            raise
    except BackendRefused:
        if not plan.etag and (before := _before(plan)) is not None:
            await calendars.put(account, plan.href, before, etag="")
        raise
    there = await calendars.get(account, plan.href)
    if there is None or there.etag != plan.etag:
        raise PreconditionFailed(f"{plan.href}: changed since it was read")
    plan = await creating(plan)
    await calendars.delete(account, plan.href, etag=there.etag)
    return await put(calendars, account, plan, data=data, creating=creating)


async def refused(calendars: Calendars, account: Account, error: PreconditionFailed) -> bool:
    """Whether the server refuses the change itself, and would take it as another object."""
    return error.element == REFUSAL and (await calendars.profile(account)).replaces


def half_done(seen: Seen, plan: Plan) -> bool:
    """Whether an earlier run died when it had deleted what it was to write anew."""
    return begun(plan) and seen.resource is None


def begun(plan: Plan) -> bool:
    """Whether what lay there may have been deleted, to be written anew."""
    return plan.action == "store" and not plan.etag and _before(plan) is not None


def _before(plan: Plan) -> bytes | None:
    """What lay there when it was decided; nothing for a meeting that is new."""
    return plan.entry.restore if plan.entry is not None else None


__all__ = ["REFUSAL", "begun", "half_done", "put", "refused"]
