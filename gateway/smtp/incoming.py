"""A mail while it comes in: small in memory, large in a file as it arrives, and never more than the house has room for."""

from __future__ import annotations

import asyncio
from datetime import datetime

from gateway.ports import Draft, Peer
from gateway.smtp import replies, trace
from gateway.smtp.data import Lines, Straightener, has_line_over, straighten
from gateway.smtp.desk import Desk
from gateway.smtp.transaction import Transaction

LARGE = 262_144  # octets; what is larger goes to a file, about so many at a time
_LONG_TO_LOOK_AT = 1_000_000


class Incoming:
    """Takes a mail piece by piece, its dots unstuffed. Once it is refused the rest is taken and thrown away.

    Whoever has made this calls `release` in the end.
    """

    def __init__(self, desk: Desk, transaction: Transaction, peer: Peer, *, extended: bool) -> None:
        self._desk = desk
        self._transaction = transaction
        self._peer = peer
        self._extended = extended
        self._kept = bool(transaction.recipients)  # False: it is for nobody of ours
        self._held = bytearray()
        self._counted = 0  # octets of the budget of all
        self._straightener = Straightener()
        self._lines = Lines(desk.settings.max_line)
        self._small = True  # so far
        self._large = LARGE
        self.draft: Draft | None = None
        self.received_at: datetime | None = None
        self.size = 0
        self.straightened = False
        self.refusal, self.reason = "", ""
        self.trouble: Exception | None = None  # of ours, and the refusal is for now

    async def take(self, piece: bytes) -> None:
        """Never raises: what goes wrong is a refusal."""
        self.size += len(piece)
        if self.refusal or not piece:
            return
        if self.size > self._desk.settings.max_message:
            self._refuse(replies.TOO_BIG, "too-large")
        elif not self._desk.receiving.take(len(piece), trusted=self._peer.trusted):
            self._refuse(replies.TOO_MUCH_AT_ONCE, "too-much-at-once")
        else:
            self._counted += len(piece)
            try:
                await self._add(piece)
            except Exception as error:
                self._failed(error)

    async def end(self) -> bytes:
        """The mail with its Received line; b"" when it lies in the draft, or is refused or for nobody. Never raises."""
        if self.refusal:
            return b""
        try:
            return await self._ended()
        except Exception as error:
            self._failed(error)
            return b""

    def release(self) -> None:
        """The mail is committed, or will never be: give back what it took."""
        self._desk.receiving.give_back(self._counted)
        self._counted = 0
        self._held = bytearray()
        draft, self.draft = self.draft, None
        if draft is not None:
            draft.discard()

    async def _add(self, piece: bytes) -> None:
        if not self._small:
            await self._stream(piece)
            return
        self._held += piece
        if len(self._held) > self._large:
            await self._to_file()

    async def _to_file(self) -> None:
        """It has become too large to be kept in memory, if there is a place for files."""
        held = bytes(self._held)
        if self._too_many_hops(held):
            return
        if self._kept:
            self.draft = self._desk.callables.intake.draft()
            if self.draft is None:
                self._large = self._desk.settings.max_message
                return
            await self.draft.write(self._received(), counts=False)
        self._small, self._held = False, bytearray()
        await self._stream(held)

    async def _stream(self, piece: bytes) -> None:
        clean = self._straightener.feed(piece)
        if self._lines.is_over(clean):
            self._refuse(replies.LONG_LINE, "too-large")
        elif self.draft is not None:
            self._held += clean
            if len(self._held) >= LARGE:
                await self._flush(self.draft)

    async def _flush(self, draft: Draft) -> None:
        block, self._held = self._held, bytearray()
        await draft.write(block)

    async def _ended(self) -> bytes:
        if self._small:
            return await self._ended_small()
        self._held += self._straightener.end()
        self.straightened = self._straightener.changed
        if self.draft is not None:
            await self._flush(self.draft)
        return b""

    async def _ended_small(self) -> bytes:
        content, self._held = bytes(self._held), bytearray()
        if len(content) <= _LONG_TO_LOOK_AT:
            content, self.straightened = straighten(content)
        else:
            content, self.straightened = await asyncio.to_thread(straighten, content)
        if has_line_over(content, self._desk.settings.max_line):
            self._refuse(replies.LONG_LINE, "too-large")
        if self.refusal or self._too_many_hops(content) or not self._kept:
            return b""
        return self._received() + content

    def _received(self) -> bytes:
        """The line that goes on top."""
        now = self.received_at = self._desk.callables.clock.now()
        envelope, hostname = self._transaction.envelope(), self._desk.settings.hostname
        return trace.received_line(
            envelope, self._peer, hostname=hostname, extended=self._extended, received_at=now
        )

    def _too_many_hops(self, content: bytes) -> bool:
        """RFC 5321 6.3."""
        if trace.hops(content) > self._desk.settings.max_received:
            self._refuse(replies.LOOP, "mail-loop")
        return bool(self.refusal)

    def _refuse(self, reply: str, reason: str) -> None:
        self.refusal, self.reason = reply, reason
        self.release()

    def _failed(self, error: Exception) -> None:
        self.trouble = error
        self._refuse(replies.TEMPORARY, "internal-error")
