"""The door of the queue: a mail is committed, and then it is ours.

Mails that arrive together are written together: one call of `_insert` for all that wait (HOUSE 4a).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, bindparam, delete, insert, select

from gateway.ports import Draft, Envelope, Hands, JobKind, NewJob, ReceivedMail, pack_mail
from gateway.store import schema
from gateway.store.bodies import LARGE
from gateway.store.db import Database
from gateway.store.ids import token
from gateway.store.instants import EPOCH
from gateway.store.jobs import Hold, Jobs, Laid
from gateway.store.prepared import Prepared
from gateway.store.room import DiskRoom, IntakeLimits, QueueRoom

_T = schema.accepted
_FORGET = Prepared(delete(_T).where(_T.c.at <= bindparam("before")))
_FORGOTTEN_EVERY = timedelta(minutes=1)
_REMEMBER = Prepared(insert(_T))

_RECEIVED = re.compile(rb"received[ \t]*:.*\r?\n(?:[ \t].*\r?\n)*", re.IGNORECASE)


@lru_cache(maxsize=16)
def _known(count: int) -> Prepared:
    """The question which of so many digests are known."""
    names = [bindparam(str(place), type_=_T.c.digest.type) for place in range(count)]
    return Prepared(select(_T.c.digest, _T.c.job, _T.c.at).where(_T.c.digest.in_(names)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    digest: str
    laid: tuple[Laid, ...]  # the mail to read, the mail to pass on, or both; the first names the mail


class Intake:
    """Implements `ports.Intake`."""

    def __init__(
        self,
        db: Database,
        jobs: Jobs,
        limits: IntakeLimits | None = None,
        *,
        free_bytes: Callable[[Path], int] | None = None,
    ) -> None:
        self._db = db
        self._jobs = jobs
        self._limits = limits or IntakeLimits()
        self._disk = DiskRoom(self._limits, db.state_dir, free_bytes)
        self._room = QueueRoom(self._limits)
        self._large = asyncio.Lock()  # of mails that have to be whole in memory to be queued
        self._forgotten = EPOCH  # what was accepted before this is gone; used in the writer thread only

    @property
    def closed(self) -> str:
        """Why no mail is taken now, in words for the log; "" while the door is open."""
        return self._room.closed or self._disk.closed

    async def look(self) -> None:
        """Whether a closed door may open, though nobody knocks. Raises BackendUnavailable."""
        if self._room.closed:
            await self._db.write(lambda conn: self._room.look(conn, self._jobs.now()))
        if self._disk.closed:
            self._disk.look()

    async def accept(
        self,
        mail: ReceivedMail,
        *,
        read: bool = True,
        passed_on: Envelope | None = None,
        hands: Hands | None = None,
    ) -> str:
        """Commit the mail and return its job id. Raise QueueFull or BackendUnavailable.

        A mail that we have already, because our 250 was lost on its way, is the job that it was (RFC 1047). One that is
        to be passed on is a job of its own beside the reading of it, so that neither waits for the other (SPEC 1.4).
        Whoever passes it on at once (`hands`) spares the queue a lease, and himself the reading of what he has in memory.
        """
        digest = await _digest(mail)
        if mail.file is None:
            self._disk.take(len(mail.content))
        elif self._jobs.bodies.shared:  # with other nodes, which have not our files
            async with self._large:
                whole = replace(mail, content=await mail.file.whole(), file=None)
                return await self._accept(whole, digest, read=read, passed_on=passed_on, hands=hands)
        return await self._accept(mail, digest, read=read, passed_on=passed_on, hands=hands)

    def draft(self) -> Draft | None:
        """Where a large mail is written while it comes in. Raises QueueFull, BackendUnavailable."""
        return self._jobs.bodies.draft(self._disk.take)

    async def _accept(
        self, mail: ReceivedMail, digest: str, *, read: bool, passed_on: Envelope | None, hands: Hands | None
    ) -> str:
        size = len(mail.content)  # in memory
        name = self._jobs.name()
        laid = [await self._laid(name, JobKind.MAIL, mail)] if read else []
        if passed_on is None:
            return await self._db.write_each(self._insert, _Arrival(digest=digest, laid=tuple(laid)))
        own = self._jobs.name() if read else name
        onward = await self._laid(own, JobKind.RELAY, replace(mail, envelope=passed_on), first=name)
        if hands is None or not hands.reserve(size):
            return await self._db.write_each(self._insert, _Arrival(digest=digest, laid=(*laid, onward)))
        hold = Hold(owner=hands.name, token=token(), until=self._jobs.now() + hands.lease)
        onward = replace(onward, held=hold)
        try:
            job = self._jobs.born(onward)
            known = await self._db.write_each(self._insert, _Arrival(digest=digest, laid=(*laid, onward)))
        except BaseException:
            hands.release(size)
            raise
        if known == name:
            hands.take(job)
        else:
            hands.release(size)
        return known

    async def _laid(self, name: str, kind: JobKind, mail: ReceivedMail, *, first: str = "") -> Laid:
        payload = pack_mail(mail) | ({"mail": first} if first else {})
        job = NewJob(kind=kind, lane=f"{kind}:{name}", payload=payload, body=mail.content, file=mail.file)
        return await self._jobs.lay_one(name, job)

    def _insert(self, conn: Connection, arrivals: Sequence[_Arrival]) -> list[str]:
        now = self._jobs.now()
        known = self._known(conn, [one.digest for one in arrivals], now - self._limits.window)
        fresh = []
        for one in arrivals:
            if one.digest in known:
                for laid in one.laid:
                    self._jobs.bodies.discard(conn, laid.file)
            else:
                known[one.digest] = one.laid[0].id
                fresh.append(one)
        if fresh:
            self._room.take(conn, len(fresh), now)
            self._jobs.queue(conn, [laid for one in fresh for laid in one.laid])
            _REMEMBER.run(conn, [{"digest": one.digest, "job": one.laid[0].id, "at": now} for one in fresh])
        return [known[one.digest] for one in arrivals]

    def _known(self, conn: Connection, digests: Sequence[str], before: datetime) -> dict[str, str]:
        """digest -> job of those that came after `before`. What is older goes now and then, and when it is met."""
        # A power of two, so that there are few statements.
        size = 1 << (len(digests) - 1).bit_length()
        padded = [*digests, *[digests[-1]] * (size - len(digests))]
        rows = _known(len(padded)).ask(conn, {str(place): one for place, one in enumerate(padded)})
        if before - self._forgotten > _FORGOTTEN_EVERY or any(at <= before for _, _, at in rows):
            _FORGET.run(conn, [{"before": before}])
            self._forgotten = before
        return {digest: job for digest, job, at in rows if at > before}


async def _digest(mail: ReceivedMail) -> str:
    """Who sent what to whom, without the Received line that we put on top: that one differs each time."""
    envelope, peer = mail.envelope, mail.peer
    to = sorted(one.address for one in envelope.recipients)
    if mail.file is not None:
        content = mail.file.digest
    elif len(mail.content) > LARGE:
        content = await asyncio.to_thread(_content_digest, mail.content)
    else:
        content = _content_digest(mail.content)
    # none of these holds a line end
    facts = (peer.role, peer.after, envelope.sender, envelope.envid, content, *to)
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _content_digest(content: bytes) -> str:
    ours = _RECEIVED.match(content)
    return hashlib.sha256(memoryview(content)[ours.end() if ours else 0 :]).hexdigest()


__all__ = ["Intake"]
