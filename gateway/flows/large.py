"""Large mails are opened one at a time, and read beside the event loop: each is held whole for that, several times over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from gateway.imip import read as reading
from gateway.ports import Job, ReceivedMail, unpack_mail

LARGE = 262_144  # octets whose reading nobody waits for


class Large:
    """The one place where a large mail may be whole in memory."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def opened(self, job: Job) -> AsyncIterator[ReceivedMail]:
        """The mail of a job with its content; no other large one is opened meanwhile."""
        if job.file is None:
            yield unpack_mail(job.payload, job.body)
            return
        async with self._one:
            yield unpack_mail(job.payload, await job.file.whole())

    async def may_hold_calendar(self, mail: ReceivedMail) -> bool:
        if mail.file is None:
            return reading.may_hold_calendar(mail.content)
        async with self._one:
            return await asyncio.to_thread(reading.may_hold_calendar, await mail.file.whole())


async def read(content: bytes, limits: reading.MailLimits) -> reading.Mail:
    """Raises MalformedMail."""
    if len(content) <= LARGE:
        return reading.read(content, limits)
    return await asyncio.to_thread(reading.read, content, limits)


__all__ = ["Large", "read"]
