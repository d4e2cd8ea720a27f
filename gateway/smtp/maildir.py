"""Mail into a Maildir instead of a mail server: for trials, tests and the demo."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from pathlib import Path

from gateway.ports import OutgoingMail, PassedOn, Sent
from gateway.smtp.destination import MALFORMED
from gateway.smtp.grammar import is_mailbox, is_path

_FOLDERS = ("tmp", "new", "cur")
_count = itertools.count()  # with time and process it makes names unique (maildir(5))


class Maildir:
    """`ports.Smarthost` and `ports.NextHop` that writes files."""

    def __init__(self, path: str, *, hostname: str = "localhost") -> None:
        self._path = Path(path)
        self._host = hostname.replace("/", "\\057").replace(":", "\\072")

    async def send(self, mail: OutgoingMail) -> Sent:
        if not (is_path(mail.sender) and is_mailbox(mail.recipient)):
            return MALFORMED
        try:
            name = await asyncio.to_thread(self._write, mail)
        except OSError as error:
            return Sent(state="deferred", text=f"maildir: {error.strerror or error}")
        return Sent(state="sent", code=250, text=name)

    async def pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        """Like `send`, for each recipient."""
        envelope, content = mail.envelope, mail.content
        if mail.rest is not None:
            content += await mail.rest.read(mail.skip, len(mail.rest))
        alone = (
            OutgoingMail(sender=envelope.sender, recipient=one.address, content=content)
            for one in envelope.recipients
        )
        return tuple([await self.send(one) for one in alone])

    async def offers(self) -> frozenset[str] | None:
        """A folder takes everything."""
        return frozenset({"8bitmime", "smtputf8"})

    async def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, mail: OutgoingMail) -> str:
        """Write to tmp, sync, rename to new, sync: after this the mail is there, whole, whatever happens."""
        for folder in _FOLDERS:
            (self._path / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        now = time.time_ns()
        name = f"{now // 1_000_000_000}.M{now // 1000 % 1_000_000}P{os.getpid()}Q{next(_count)}.{self._host}"
        draft = self._path / "tmp" / name
        # RFC 5321 4.4: the final delivery writes the reverse path down
        head = f"Return-Path: <{mail.sender}>\r\nDelivered-To: {mail.recipient}\r\n"
        try:
            with draft.open("xb") as file:
                file.write(head.encode() + mail.content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._path / "new" / name)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        _sync_folder(self._path / "new")
        return name


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
