"""The spool of `submit`: one durable file per mail, written without the daemon, taken by it into the queue (SPEC 1.2).

A file is a line of JSON (sender, recipients, when it was written, how long the mail is), then the mail as it came. It is
written under a name that begins with a dot, synced, renamed, and its folder synced: what has no dot is whole.

Who may write: `state_dir/spool` is made with mode 0700, files in it with 0600, for an MTA that runs `submit` as the
daemon's user. To let another user submit, the administrator makes the folder setgid and writable for a group of both
(`chgrp imip spool; chmod 2770 spool`); files are then 0640, so that the daemon reads them through that group, and
deletes them by its right on the folder. Being able to write there is being trusted: such mail counts as mail from
`trusted_networks` (SPEC 12.6). Files are taken only if they are plain files, never through a link.

The writing half imports nothing but the standard library, and little of it: a mail server starts it once per mail.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.ports import Intake, ReceivedMail

FOLDER, BAD = "spool", "bad"
AT_ONCE = 32  # mails that are handed over together, and so share a commit
_LONGEST_LINE = 1_000_000
_LINE_END = re.compile(rb"\r+\n|\r|\n")
_ABANDONED = 86_400.0  # seconds after which a file that was never renamed belongs to nobody


def write(state_dir: Path, *, sender: str, recipients: Sequence[str], content: bytes) -> Path:
    """Spool one mail; it is safe when this returns. Raises OSError."""
    folder = _folder(state_dir)
    shared = folder.stat().st_mode & stat.S_IWGRP
    written = time.time()
    head = {"sender": sender, "recipients": list(recipients), "written": written, "size": len(content)}
    name = f"{int(written * 1e6):016d}-{os.urandom(8).hex()}"
    hidden, whole = folder / f".{name}", folder / name
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(hidden, flags, 0o600), "wb") as out:
            if shared:
                os.fchmod(out.fileno(), 0o640)
            out.write(json.dumps(head).encode() + b"\n" + content)
            out.flush()
            os.fsync(out.fileno())
        hidden.rename(whole)
        _sync(folder)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    return whole


def _folder(state_dir: Path) -> Path:
    folder = state_dir / FOLDER
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sync(state_dir)
    return folder


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class SpoolError(ValueError):
    """A file in the spool that `write` has not made."""


class SpoolReader:
    """The daemon's half: hands spooled mails over, oldest first."""

    def __init__(self, state_dir: Path, hostname: str = "") -> None:
        self._folder = state_dir / FOLDER
        self._hostname = hostname

    def waiting(self) -> bool:
        """Are there mails that nobody has queued yet?"""
        return next(self._files(), None) is not None

    async def take(self, intake: Intake) -> int:
        """Hand over everything that is there; how many mails. A file goes once its mail is committed.

        Raises what the intake raises (QueueFull, BackendUnavailable): the rest stays for the next time.
        """
        import asyncio  # late: `submit` imports this module and must not pay for it

        taken = 0
        files = await asyncio.to_thread(lambda: sorted(self._files()))
        for start in range(0, len(files), AT_ONCE):
            part = files[start : start + AT_ONCE]
            answers = await asyncio.gather(
                *(self._hand_over(one, intake) for one in part), return_exceptions=True
            )
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer
                taken += answer
        return taken

    async def _hand_over(self, path: Path, intake: Intake) -> int:
        import asyncio

        from gateway.errors import PeerError

        try:
            mail = await asyncio.to_thread(self.read, path)
        except FileNotFoundError:
            return 0
        except SpoolError as error:
            await asyncio.to_thread(self._set_aside, path, error)
            return 0
        try:
            await intake.accept(mail)
        except PeerError as error:
            await asyncio.to_thread(self._set_aside, path, error)
            return 0
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return 1

    def read(self, path: Path) -> ReceivedMail:
        """One file as a mail. Raises SpoolError, OSError."""
        with open(path, "rb", opener=_open_plain) as file:
            return self._mail(file.readline(_LONGEST_LINE), file.read())

    def _mail(self, head: bytes, content: bytes) -> ReceivedMail:
        from datetime import UTC, datetime
        from email.utils import format_datetime

        from gateway.ports import Envelope, Peer, ReceivedMail, Recipient

        try:
            facts = json.loads(head)
            sender, recipients = _addresses([facts["sender"]])[0], _addresses(facts["recipients"])
            written = datetime.fromtimestamp(float(facts["written"]), UTC)
            if facts["size"] != len(content) or not any(recipients):
                raise SpoolError("cut short, or for nobody")
        except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError) as error:
            raise SpoolError(str(error)) from error
        received = f"Received: by {self._host()} (imip-gateway) with local; {format_datetime(written)}\r\n"
        envelope = Envelope(
            sender=sender,
            recipients=tuple(Recipient(address=one) for one in recipients),
            smtputf8=not all(one.isascii() for one in (sender, *recipients)),
        )
        return ReceivedMail(
            envelope=envelope,
            peer=Peer(protocol="submit", trusted=True),
            content=received.encode() + _straight(content),
            received_at=written,
        )

    def _host(self) -> str:
        if not self._hostname:
            import socket

            self._hostname = socket.gethostname()
        return self._hostname

    def _files(self) -> Iterator[Path]:
        try:
            paths = list(self._folder.iterdir())
        except FileNotFoundError:
            return
        for path in paths:
            if path.name.startswith("."):
                _clear_away(path)
            elif path.name != BAD:
                yield path

    def _set_aside(self, path: Path, error: Exception) -> None:
        """Kept for a person: never deleted, never tried again."""
        import logging

        logging.getLogger("imip-gateway").warning("spool: %s goes to %s: %s", path.name, BAD, error)
        bad = self._folder / BAD
        bad.mkdir(exist_ok=True, mode=0o700)
        path.rename(bad / path.name)


def _clear_away(path: Path) -> None:
    """What was begun and never renamed: its writer died, and has said to nobody that it was done."""
    try:
        if time.time() - path.lstat().st_mtime > _ABANDONED:
            path.unlink()
    except OSError:
        return  # renamed this very moment


def _open_plain(path: str, flags: int) -> int:
    """Open nothing but a plain file: whoever may write in the folder must not make us read what he cannot."""
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO):
            raise SpoolError(error.strerror) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise SpoolError("not a plain file")
    return handle


def _addresses(values: object) -> list[str]:
    """Addresses that the database and a header can hold."""
    if not isinstance(values, list):
        raise SpoolError("not a list of addresses")
    for one in values:
        if not isinstance(one, str) or any(ord(letter) < 32 or ord(letter) == 127 for letter in one):
            raise SpoolError("not an address")
        one.encode()  # what was no UTF-8 on the command line is a UnicodeEncodeError, a ValueError
    return [str(one) for one in values]


def _straight(content: bytes) -> bytes:
    """A pipe gives LF or CRLF, and an mbox line on top from some MTAs; the queue holds CRLF only."""
    if content.startswith(b"From "):
        content = content.partition(b"\n")[2]
    return _LINE_END.sub(b"\r\n", content)


__all__ = ["SpoolError", "SpoolReader", "write"]
