"""Large mails are opened one at a time, and read beside the event loop: each is held whole for that, several times over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from gateway.imip import read as reading
from gateway.ports import Job, ReceivedMail, unpack_mail

T = TypeVar("T")
_ONE = ThreadPoolExecutor(1, "large-mail")
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
            return await _beside(partial(reading.may_hold_calendar, await mail.file.whole()))


async def content(job: Job) -> bytes:
    """What a job carries, whole."""
    return job.body if job.file is None else await job.file.whole()


async def read(content: bytes, limits: reading.MailLimits) -> reading.Mail:
    """Raises MalformedMail."""
    if len(content) <= LARGE:
        return reading.read(content, limits)
    return await _beside(partial(reading.read, content, limits))


async def _beside(work: Callable[[], T]) -> T:
    """In the one thread for it: the memory that each of many once needed would stay with each."""
    return await asyncio.get_running_loop().run_in_executor(_ONE, work)


__all__ = ["Large", "content", "read"]
