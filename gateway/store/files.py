"""A large content in a file: written while it comes, read in pieces, never whole unless somebody asks for that.

A file that is written has a name that begins with a dot, until it is done and a job is about to name it: what a crash
leaves under such a name was promised to nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.store.faults import translating
from gateway.store.ids import token

PIECE = 262_144
# What is large is read by one thread: the memory that each of many once needed would stay with each.
_ONE = ThreadPoolExecutor(1, "large-file")
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV})


class File:
    """Implements `ports.Stored`. Its methods raise FileNotFoundError when the file is lost."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size
        self._ascii: bool | None = None

    def __len__(self) -> int:
        return self._size

    async def read(self, start: int, count: int) -> bytes:
        """Up to `count` octets from `start` on."""
        return await asyncio.to_thread(self._read, start, count)

    async def whole(self) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(_ONE, self.path.read_bytes)

    async def isascii(self) -> bool:
        if self._ascii is None:
            self._ascii = await asyncio.to_thread(self._look)
        return self._ascii

    def _read(self, start: int, count: int) -> bytes:
        with self.path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), count, start)

    def _look(self) -> bool:
        with self.path.open("rb", buffering=0) as file:
            return all(piece.isascii() for piece in iter(lambda: file.read(PIECE), b""))


class Draft(File):
    """Implements `ports.Draft`: a file that grows while a mail comes in. `room` raises QueueFull when the disk has none."""

    def __init__(self, folder: Path, room: Callable[[int], None]) -> None:
        super().__init__(folder / f".{token()}", 0)
        self._room = room
        self._sha = hashlib.sha256()
        self._synced = False
        with translating():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._ascii = True
        self._out = os.fdopen(handle, "wb", buffering=0)

    @property
    def digest(self) -> str:
        """Of what was written, without what was not to count."""
        return self._sha.hexdigest()

    async def write(self, data: bytes | bytearray, *, counts: bool = True) -> None:
        """Add to the end; `counts`: to the digest too. Raises QueueFull, BackendUnavailable."""
        self._room(len(data))
        with translating():
            await asyncio.to_thread(self._append, data, counts)
        self._size += len(data)

    def discard(self) -> None:
        """Nobody needs it under this name any more."""
        self._out.close()
        self.path.unlink(missing_ok=True)

    def sync(self) -> None:
        """It is on the disk when this returns."""
        if not self._synced:
            os.fsync(self._out.fileno())
            self._synced = True

    def _append(self, data: bytes | bytearray, counts: bool) -> None:
        if counts:
            self._sha.update(data)
        self._ascii = self._ascii and data.isascii()
        rest = memoryview(data)
        while rest:
            rest = rest[self._out.write(rest) or 0 :]


def put_beside(source: File, target: Path) -> None:
    """The same content under another name, durable when this returns; a file system without links gets a copy."""
    if isinstance(source, Draft):
        source.sync()
    try:
        os.link(source.path, target)
        os.utime(target)  # young, so that nobody sweeps it before a row names it
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with source.path.open("rb") as old, target.open("xb") as new:
            shutil.copyfileobj(old, new, PIECE)
            new.flush()
            os.fsync(new.fileno())
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path, known: frozenset[str], *, before: float, drafts: bool) -> int:
    """Remove files that no row names and that nobody has touched since `before`; how many.

    `drafts`: those that were begun and never done whatever their age, when nobody who writes one is alive.
    """
    gone = 0
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            begun = path.name.startswith(".")
            with contextlib.suppress(FileNotFoundError):
                if path.name not in known and ((begun and drafts) or path.stat().st_mtime < before):
                    path.unlink()
                    gone += 1
    return gone


__all__ = ["PIECE", "Draft", "File", "put_beside", "sweep", "sync_folder"]
