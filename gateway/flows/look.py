"""What the calendar and the store hold of one meeting at the moment of deciding, its tail included (SPEC 4.7).

A meeting may lie in two objects: `own` is what one of them holds, `stored` the meeting that they are together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.accounts import Account
from gateway.flows.rows import marks_of
from gateway.flows.stored import read_stored
from gateway.ical import linked
from gateway.ical.event import CalendarObject
from gateway.itip.model import Mark, MarkKey
from gateway.itip.significance import fingerprint
from gateway.ports import Calendars, Resource, Snapshot, Snapshots, Whereabouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One meeting: where it lies, what it is there, and what we last knew of it."""

    resource: Resource | None
    stored: CalendarObject | None
    snapshot: Snapshot | None
    own: CalendarObject | None = None
    ghosts: tuple[str, ...] = ()  # hrefs with a snapshot where the meeting lies no more: it was moved
    tail: Seen | None = None
    marks: Mapping[MarkKey, Mark] = field(default_factory=dict)  # the ledger

    @property
    def known(self) -> bool:
        """Whether anything of this meeting was found, in the calendars or in the store."""
        return any(one is not None for one in (self.resource, self.snapshot, self.tail))

    @property
    def etag(self) -> str:
        return self.resource.etag if self.resource is not None else ""

    @property
    def etags(self) -> tuple[str, str]:
        """Of both objects."""
        return self.etag, self.tail.etag if self.tail is not None else ""

    @property
    def text(self) -> bytes | None:
        """The whole meeting as text."""
        if self.tail is not None and self.stored is not None:
            return self.stored.data
        return self.resource.data if self.resource is not None else None

    @property
    def base(self) -> bytes | None:
        """The organizer's last version; the tail of a series whose beginning was deleted keeps it."""
        if self.snapshot is None and self.tail is not None:
            return self.tail.base
        return self.snapshot.base if self.snapshot is not None else None

    @property
    def before(self) -> CalendarObject | None:
        """The whole meeting as it was when it last settled."""
        return linked.joined(_known(self), _known(self.tail) if self.tail is not None else None)

    @property
    def unsettled(self) -> bool:
        """A person changed an object and the watch has not settled it: its snapshot must keep the older state."""
        if self.tail is not None and self.tail.unsettled:
            return True
        if self.own is None:
            return False
        return self.snapshot is None or self.snapshot.fingerprint != fingerprint(self.own)


def _known(seen: Seen) -> CalendarObject | None:
    if seen.snapshot is None or not seen.snapshot.data:
        return None
    return read_stored(seen.snapshot.data)


class Look:
    """Finds meetings."""

    def __init__(self, *, snapshots: Snapshots, calendars: Calendars, fresh: timedelta | None = None) -> None:
        """`fresh`: how old the watch's last round may be for its index to be believed; None: it never is."""
        self._snapshots = snapshots
        self._calendars = calendars
        self._fresh = fresh

    async def at(self, account: Account, uid: str, *, thorough: bool = True) -> Seen:
        """The meeting with this UID where it really lies, and our snapshots of it. Raise MalformedCalendar.

        Not `thorough`: a UID that the watch has never seen is looked for where it would lie, and no further.
        """
        tail = linked.tail_uid(uid)
        within = None if thorough else self._fresh
        known = await self._snapshots.whereabouts(account.address, uid, tail, within=within)
        head = await self._found(account, uid, known)
        marked = head.own is not None and linked.has_tail(head.own)
        if not marked and not known.beside:
            return head
        rest = await self.object(account, tail)
        if rest.resource is None and rest.snapshot is None:
            return replace(head, stored=linked.joined(head.own, None))
        return replace(head, stored=linked.joined(head.own, rest.own), tail=rest)

    async def object(self, account: Account, uid: str) -> Seen:
        """One object and its snapshot, whatever else the meeting consists of."""
        known = Whereabouts(here=await self._snapshots.by_uid(account.address, uid))
        return await self._found(account, uid, known)

    async def _found(self, account: Account, uid: str, known: Whereabouts) -> Seen:
        snapshots, marks = known.here, marks_of(known.marks)
        hints = tuple(one.href for one in snapshots)
        resource = await self._calendars.find(account, uid, hints=hints, indexed=known.indexed)
        if resource is None:
            return Seen(resource=None, stored=None, snapshot=next(iter(snapshots), None), marks=marks)
        elsewhere = [one.href for one in snapshots if one.href != resource.href]
        here = [one for one in snapshots if one.href == resource.href]
        own = read_stored(resource.data)
        return Seen(
            marks=marks,
            resource=resource,
            stored=own,
            own=own,
            snapshot=next(iter(here or snapshots), None),
            ghosts=tuple([href for href in elsewhere if await self._calendars.get(account, href) is None]),
        )


__all__ = ["Look", "Seen"]
