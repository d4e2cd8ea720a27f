"""One daemon per state directory, and a poke for it when somebody else wrote a row (SPEC 12.19)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

from gateway.errors import GatewayError

LOCK, WAKE, NODE = "daemon.lock", "wake.sock", "node"


class StateDirBusy(GatewayError):
    """Another process works on this state directory."""

    code = "state-dir-busy"
    public = "already running"
    temporary = True


@contextlib.contextmanager
def state_lock(state_dir: Path) -> Iterator[None]:
    """Hold the state directory; raise StateDirBusy while another process does. The kernel frees it when we die."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    handle = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateDirBusy(f"{state_dir} is in use by a running daemon") from error
        yield
    finally:
        os.close(handle)


def worker_name(state_dir: Path, number: int = 0) -> str:
    """The name of a process of this state directory among all that work on one database; the same after a restart.

    For who holds the lock: the first makes it.
    """
    path = state_dir / NODE
    if not path.exists():
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        fresh = path.with_suffix(".new")
        fresh.write_text(f"{socket.gethostname()}-{secrets.token_hex(4)}\n")
        fresh.rename(path)
    return f"{path.read_text().strip()}:{number}"


def is_held(state_dir: Path) -> bool:
    """Does a daemon work on this state directory now?"""
    try:
        with state_lock(state_dir):
            return False
    except StateDirBusy:
        return True


def poke(state_dir: Path) -> None:
    """Tell the daemon that there is something to do; a lost poke is made up by its poll."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.setblocking(False)
        wire.sendto(b"!", os.fspath(state_dir / WAKE))


def wake_socket(state_dir: Path) -> socket.socket | None:
    """The socket at which pokes arrive; None where the path is too long for one (the poll must do)."""
    path = state_dir / WAKE
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        path.unlink(missing_ok=True)
        wire.setblocking(False)
        wire.bind(os.fspath(path))
        path.chmod(0o660)
    except OSError:
        wire.close()
        return None
    return wire
