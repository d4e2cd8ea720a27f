"""A meeting that needs two objects is written so that dying between them loses nothing (SPEC 4.7, 9.2).

    its tail is written       before the series that ends where it begins
    its tail is removed       after the series that holds all again

The plan tells the whole meeting; which two objects that is follows from it. So a run that finds one of them written goes on.
"""

from __future__ import annotations

from gateway.accounts import Account
from gateway.errors import PreconditionFailed
from gateway.flows import anew
from gateway.flows.look import Look, Seen
from gateway.flows.stored import read_stored, says
from gateway.ical import linked
from gateway.ical.event import CalendarObject
from gateway.itip.significance import fingerprint
from gateway.ports import Calendars, Plan, Resource, Snapshot


def objects(plan: Plan) -> tuple[bytes, CalendarObject | None]:
    """The text to store at the plan's place, and the tail to store beside it."""
    if not says(plan.data, b"THISANDFUTURE"):
        return plan.data, None
    head, tail = linked.parts(read_stored(plan.data))
    return (plan.data, None) if tail is None else (head.data, tail)


def half_done(seen: Seen, plan: Plan) -> bool:
    """Whether an earlier run died when it had written the tail, and nobody has touched anything since."""
    if plan.action != "store" or seen.tail is None or seen.tail.own is None or seen.etag != plan.etag:
        return False
    settled = seen.tail.snapshot.etag if seen.tail.snapshot is not None else ""
    tail = objects(plan)[1]
    return tail is not None and seen.tail.etag != settled and fingerprint(seen.tail.own) == fingerprint(tail)


class Tails:
    """Writes and removes the tails of meetings."""

    def __init__(self, *, calendars: Calendars, look: Look) -> None:
        self._calendars = calendars
        self._look = look

    async def put(self, account: Account, plan: Plan, tail: CalendarObject) -> Resource:
        """What lies there now. Raise PreconditionFailed where another's object has this name."""
        there = await self._look.object(account, tail.uid)
        if there.resource is None or there.own is None:
            href = self._calendars.new_href(plan.collection, tail.uid)
            return await self._calendars.put(account, href, tail.data, etag="")
        if linked.whole_uid(there.own) != plan.uid:
            raise PreconditionFailed(f"{there.resource.href} is no tail")
        if there.resource.data == tail.data:
            return there.resource
        try:
            return await self._calendars.put(account, there.resource.href, tail.data, etag=there.etag)
        except PreconditionFailed as error:
            if not await anew.refused(self._calendars, account, error):
                raise
        await self._calendars.delete(account, there.resource.href, etag=there.etag)
        return await self._calendars.put(account, there.resource.href, tail.data, etag="")

    async def remove(self, account: Account, plan: Plan, seen: Seen) -> None:
        """Nothing is left of it where the meeting is one object again, or none."""
        if seen.tail is None or seen.tail.resource is None or not _ends(plan):
            return
        there = await self._calendars.get(account, seen.tail.resource.href)
        if there is not None:
            await self._calendars.delete(account, there.href, etag=there.etag)


def settled(plan: Plan, seen: Seen, written: Resource | None) -> tuple[tuple[Snapshot, ...], tuple[str, ...]]:
    """What is known of the tail from now on: its snapshot, and the places where it lies no more."""
    was = seen.tail
    if was is None and written is None:
        return (), ()
    known = () if was is None or was.snapshot is None else (was.snapshot.href, *was.ghosts)
    if _ends(plan):
        return (), known
    if plan.action == "store":
        if written is None or plan.keep_snapshot:
            return (), ()
        return (_snapshot(plan, seen, written),), was.ghosts if was is not None else ()
    changed = plan.entry is None or plan.entry.kind == "change"  # what the watch saw is what is known
    if was is None or not changed:
        return (), ()
    return ((), known) if was.resource is None else ((_snapshot(plan, seen, was.resource),), was.ghosts)


def _ends(plan: Plan) -> bool:
    return plan.action == "remove" or (plan.action == "store" and objects(plan)[1] is None)


def _snapshot(plan: Plan, seen: Seen, here: Resource) -> Snapshot:
    own = read_stored(here.data)
    old = seen.tail.snapshot if seen.tail is not None else None
    same = old is not None and old.href == here.href
    return Snapshot(
        account=plan.account,
        collection=old.collection if old is not None and same else here.href.rpartition("/")[0] + "/",
        href=here.href,
        uid=own.uid,
        etag=here.etag,
        fingerprint=fingerprint(own),
        data=here.data,
        base=plan.base,
    )


__all__ = ["Tails", "half_done", "objects", "settled"]
