"""Commands out and replies in over a connection that stands, many at once where the peer takes them so (RFC 2920)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import cast

from gateway.smtp.data import DOT, straighten

CHUNK = 262_144
_LONGEST = 65_536  # octets of replies that nobody has read; no honest peer says so much


class Reply:
    """One reply of the peer (RFC 5321 4.2); the lines of a long one are joined."""

    __slots__ = ("code", "text")

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text


class Broken(OSError):
    """The connection is of no more use."""


class Talk(asyncio.Protocol):
    """Takes the place of whoever opened the connection. Raises Broken, or TimeoutError of a peer that is silent."""

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._replies: deque[Reply] = deque()
        self._lines: list[bytes] = []  # of a reply whose last line has not come
        self._rest = b""
        self._expected = 0
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._gone = ""
        self._transport.set_protocol(self)

    @property
    def alive(self) -> bool:
        return not self._gone and not self._transport.is_closing()

    def close(self) -> None:
        self._transport.close()

    # --- out ---

    def say(self, *commands: bytes) -> None:
        """Write commands, one reply is expected for each."""
        if not self.alive:
            raise Broken(self._gone or "the connection is closed")
        if any(b"\r" in one or b"\n" in one for one in commands):
            raise ValueError("a command is one line")
        self._expected += len(commands)
        self._transport.write(b"\r\n".join((*commands, b"")))

    async def ask(self, command: bytes, timeout: float) -> Reply:
        self.say(command)
        return await self.reply(timeout)

    async def give(
        self,
        content: bytes,
        timeout: float,
        *,
        straight: bool = False,
        rest: AsyncIterator[bytes] | None = None,
    ) -> Reply:
        """The mail after a 354, and what is said to it. Never more of it waits in memory than the connection holds.

        `straight`: its lines end in CRLF, so do those of the `rest` always.
        """
        self._expected += 1
        stuffer = Stuffer()
        await self._give(stuffer.feed(content if straight else straighten(content)[0]), timeout)
        if rest is not None:
            async for piece in rest:
                await self._give(stuffer.feed(piece), timeout)
        self._transport.write(stuffer.end() + b".\r\n")
        return await self.reply(timeout)

    async def _give(self, data: bytes, timeout: float) -> None:
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            if not self.alive:
                raise Broken(self._gone or "the connection is closed")
            self._transport.write(view[start : start + CHUNK])
            if self._room is not None:
                async with asyncio.timeout(timeout):
                    await self._room

    # --- in ---

    async def reply(self, timeout: float) -> Reply:
        """The next reply."""
        if not self._replies:
            if not self.alive:
                raise Broken(self._gone or "the connection is closed")
            self._waiter = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(timeout):
                await self._waiter
        return self._replies.popleft()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.rstrip(b"\r"))
        if len(self._rest) + sum(map(len, self._lines)) > _LONGEST:
            self._break("a reply without end")
        if self._replies:
            self._wake()

    def _take(self, line: bytes) -> None:
        self._lines.append(line[4:].strip(b" \t"))
        if line[3:4] == b"-" and line[:3].isdigit():
            return
        text = b"\n".join(self._lines).decode("utf-8", "replace")
        self._lines.clear()
        if not self._expected:
            return  # said without being asked: 421 of a peer that closes, most often
        self._expected -= 1
        self._replies.append(Reply(int(line[:3]) if line[:3].isdigit() else -1, text))

    def eof_received(self) -> bool:
        self._break("the peer hung up")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._break(f"{type(error).__name__}: {error}" if error else "the connection is closed")

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _break(self, why: str) -> None:
        self._gone = self._gone or why
        self._transport.close()
        self._wake(Broken(self._gone))
        self.resume_writing()

    def _wake(self, error: Exception | None = None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)


class Stuffer:
    """A mail whose lines end in CRLF, in pieces, as it goes over the wire, without the final dot (RFC 5321 4.5.2)."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = b"\r\n"  # the last two octets that came, however the pieces were cut

    def feed(self, piece: bytes) -> bytes:
        last = self._last
        self._last = piece[-2:] if len(piece) > 1 else (last + piece)[-2:]
        if piece[:2].find(b".") >= 0:  # the line end before it may be in the piece before
            return (last + piece).replace(b"\r\n.", b"\r\n..")[2:]
        return piece if DOT.search(piece) is None else piece.replace(b"\r\n.", b"\r\n..")

    def end(self) -> bytes:
        """What is missing of the last line end."""
        return b"" if self._last == b"\r\n" else b"\r\n"


__all__ = ["Broken", "Reply", "Stuffer", "Talk"]
