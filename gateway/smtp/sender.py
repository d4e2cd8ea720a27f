"""The smarthost: a few kept connections, one transaction per recipient, and an answer that is never an exception."""

from __future__ import annotations

import asyncio
from typing import Protocol

from gateway.ports import OutgoingMail, Sent
from gateway.smtp.client import Connection, Lost, SenderSettings, Unreachable, connect
from gateway.smtp.destination import MALFORMED
from gateway.smtp.grammar import is_mailbox, is_path
from gateway.smtp.maildir import Maildir


class ClosableSmarthost(Protocol):
    """`ports.Smarthost`, with an end."""

    async def send(self, mail: OutgoingMail) -> Sent: ...
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

    async def _send(self, mail: OutgoingMail) -> Sent:
        kept = await self._take_kept()
        if kept is not None:
            try:
                return await self._send_through(kept, mail)
            except Lost as lost:
                # It died of old age under our hands; the mail had not gone out, so a new one may try.
                if lost.late:
                    return Sent(state="deferred", text=str(lost))
        try:
            return await self._send_through(await connect(self._settings), mail)
        except Lost as lost:
            return Sent(state="deferred", text=str(lost))

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

    async def _send_through(self, connection: Connection, mail: OutgoingMail) -> Sent:
        try:
            sent = await connection.send(mail)
        except BaseException:
            connection.close()  # also when we are cancelled in the middle: nobody knows where the talk stands
            raise
        if connection.alive:
            connection.used_at = asyncio.get_running_loop().time()
            self._kept.append(connection)
        return sent
