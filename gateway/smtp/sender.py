"""The smarthost: a few kept connections, one transaction per recipient, and an answer that is never an exception."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from gateway.ports import OutgoingMail, PassedOn, Sent
from gateway.smtp.client import Connection, Lost, SenderSettings, Unreachable, connect
from gateway.smtp.destination import MALFORMED
from gateway.smtp.grammar import is_mailbox, is_path
from gateway.smtp.maildir import Maildir

T = TypeVar("T")


class ClosableSmarthost(Protocol):
    """`ports.Smarthost` and `ports.NextHop`, with an end."""

    async def send(self, mail: OutgoingMail) -> Sent: ...
    async def pass_on(self, mail: PassedOn) -> tuple[Sent, ...]: ...
    async def offers(self) -> frozenset[str] | None: ...
    async def close(self) -> None: ...


def open_smarthost(settings: SenderSettings) -> ClosableSmarthost:
    """The smarthost of a destination. Nothing is connected before the first mail."""
    if settings.destination.scheme == "maildir":
        return Maildir(settings.destination.path, hostname=settings.hostname)
    return Sender(settings)


class Sender:
    """Hands mails to one next hop by SMTP or LMTP."""

    def __init__(self, settings: SenderSettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.connections)
        self._kept: list[Connection] = []  # the warmest at the end

    async def send(self, mail: OutgoingMail) -> Sent:
        if not (is_path(mail.sender) and is_mailbox(mail.recipient)):
            return MALFORMED
        async with self._slots:
            try:
                return await self._send(mail)
            except Unreachable as trouble:
                return Sent(state="deferred", code=trouble.code, text=str(trouble))
            except Exception as error:
                # `ports.Smarthost` promises not to raise; an unknown exception counts as temporary.
                return Sent(state="deferred", text=type(error).__name__)

    async def close(self) -> None:
        kept, self._kept = self._kept, []
        await asyncio.gather(*(connection.quit() for connection in kept))

    async def pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        """Like `send`, for a mail with its own envelope; an answer for each recipient."""
        if not is_path(mail.envelope.sender):
            return (MALFORMED,) * len(mail.envelope.recipients)
        async with self._slots:
            try:
                return await self._talk(lambda connection: connection.pass_on(mail))
            except Exception as error:  # as in `send`
                code = error.code if isinstance(error, Unreachable) else 0
                text = str(error) if isinstance(error, Lost | Unreachable) else type(error).__name__
                return (Sent(state="deferred", code=code, text=text),) * len(mail.envelope.recipients)

    async def offers(self) -> frozenset[str] | None:
        """The extensions of the next hop, lower case; None while it cannot be asked."""

        async def asked(connection: Connection) -> frozenset[str]:
            return connection.offers()

        async with self._slots:
            try:
                return await self._talk(asked)
            except (Lost, Unreachable):
                return None

    async def _send(self, mail: OutgoingMail) -> Sent:
        try:
            return await self._talk(lambda connection: connection.send(mail))
        except Lost as lost:
            return Sent(state="deferred", text=str(lost))

    async def _talk(self, say: Callable[[Connection], Awaitable[T]]) -> T:
        """Over a kept connection or a new one. Raise Lost, Unreachable."""
        kept = await self._take_kept()
        if kept is not None:
            try:
                return await self._through(kept, say)
            except Lost as lost:
                # It died of old age under our hands; the mail had not gone out, so a new one may try.
                if lost.late:
                    raise
        return await self._through(await connect(self._settings), say)

    async def _take_kept(self) -> Connection | None:
        now = asyncio.get_running_loop().time()
        while self._kept:
            connection = self._kept.pop()
            if not connection.alive:
                continue
            if now - connection.used_at < self._settings.idle or await connection.answers():
                return connection
            connection.close()
        return None

    async def _through(self, connection: Connection, say: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            said = await say(connection)
        except BaseException:
            connection.close()  # also when we are cancelled in the middle: nobody knows where the talk stands
            raise
        if connection.alive:
            connection.used_at = asyncio.get_running_loop().time()
            self._kept.append(connection)
        return said
