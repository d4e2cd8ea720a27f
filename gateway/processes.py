"""Several processes of one daemon: a parent that binds the addresses, and children that serve them.

The parent does nothing but this: no loop, no database, no thread, so that it can fork at any time. Who connects waits in
the backlog of a socket that outlives every child; a child that dies is replaced, and SIGHUP replaces them one by one with
the new configuration. A child ends when its parent does, since the pipe between them closes.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

LOOK: Final = 1.0  # seconds between two looks at what goes by itself
QUICK: Final = 5.0  # a child that lived shorter is replaced only after as long again
READY: Final = 120.0  # seconds that a child may take until it serves

_SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})

log = logging.getLogger("imip-gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a child stands: its number, and its two ends of the pipes to the parent."""

    number: int
    ready: int  # written to once it serves
    alive: int  # at its end when the parent is gone


Serve = Callable[[Place], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    number: int
    pid: int
    born: float
    ready: int


class Processes:
    """Keeps `count` children alive until SIGTERM or SIGINT."""

    def __init__(
        self,
        count: int,
        *,
        serve: Callable[[], Serve],
        grace: float,
        told: Callable[[str], None],
    ) -> None:
        """`serve` gives what a child does, from the configuration as it is now, or raises; `told` is sd_notify."""
        self._count = count
        self._serve = serve
        self._grace = grace
        self._told = told
        self._children: dict[int, _Child] = {}
        self._serving: set[int] = set()  # pids
        self._waiting: dict[int, float] = {}  # number -> when it is to be replaced
        self._ends: tuple[int, int] = (-1, -1)

    def run(self) -> int:
        """Return the exit code of the daemon."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._ends = os.pipe()
        child = self._serve()
        for number in range(self._count):
            self._fork(number, child)
        if not self._all_ready():
            self._stop()
            return 1
        self._told("READY=1\nSTATUS=working")
        log.info("ready: %d processes", self._count)
        while True:
            match self._signal():
                case signal.SIGTERM | signal.SIGINT:
                    self._told("STOPPING=1")
                    return self._stop()
                case signal.SIGHUP:
                    child = self._renewed(child)
            self._told("WATCHDOG=1")
            self._reap()
            self._replace(child)

    def _signal(self) -> int | None:
        found = signal.sigtimedwait(_SIGNALS, LOOK)
        return found.si_signo if found is not None else None

    def _fork(self, number: int, serve: Serve) -> None:
        ready, told = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(ready)
            os.close(self._ends[1])
            for other in self._children.values():
                os.close(other.ready)
            _live(serve, Place(number=number, ready=told, alive=self._ends[0]))
        os.close(told)
        self._children[pid] = _Child(number=number, pid=pid, born=time.monotonic(), ready=ready)

    def _all_ready(self) -> bool:
        """Wait until every child serves; False when one of them has ended, or takes too long."""
        until = time.monotonic() + READY
        while not self._serving.issuperset(self._children):
            if self._signal() in (signal.SIGTERM, signal.SIGINT) or time.monotonic() > until:
                return False
            if self._reap():
                return False
            self._listen(0.0)
        return True

    def _listen(self, seconds: float) -> None:
        """Take note of the children that have come up."""
        waiting = {one.ready: one.pid for one in self._children.values() if one.pid not in self._serving}
        for end in select.select(list(waiting), [], [], seconds)[0]:
            if os.read(end, 1):
                self._serving.add(waiting[end])

    def _reap(self) -> int:
        """Take note of the children that have ended; how many."""
        gone = 0
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            child = self._children.pop(pid, None)
            if child is None:
                continue
            gone += 1
            self._serving.discard(pid)
            os.close(child.ready)
            lived = time.monotonic() - child.born
            self._waiting[child.number] = time.monotonic() + (0.0 if lived > QUICK else QUICK)
            log.critical("process %d ended: %s", child.number, _how(status))
        return gone

    def _replace(self, serve: Serve) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._waiting.items() if due <= now]:
            del self._waiting[number]
            self._fork(number, serve)
        self._listen(0.0)

    def _renewed(self, old: Serve) -> Serve:
        """SPEC 10.1: validated first; then one child after the other is replaced, while the rest serve."""
        self._told("RELOADING=1")
        try:
            fresh = self._serve()
        except Exception as error:
            for problem in getattr(error, "problems", (error,)):
                log.warning("not reloaded: %s", problem)
            self._told("READY=1")
            return old
        for child in tuple(self._children.values()):
            self._end(child)
            self._waiting.pop(child.number, None)
            self._fork(child.number, fresh)
            until = time.monotonic() + READY
            new = next(reversed(self._children))
            while new in self._children and new not in self._serving and time.monotonic() < until:
                self._listen(LOOK)
                self._reap()
        log.info("reloaded: %d processes", self._count)
        self._told("READY=1")
        return fresh

    def _end(self, child: _Child) -> None:
        """Ask it to stop, and wait; it finishes what it holds."""
        os.kill(child.pid, signal.SIGTERM)
        until = time.monotonic() + self._grace
        while time.monotonic() < until:
            if os.waitpid(child.pid, os.WNOHANG)[0]:
                break
            time.sleep(0.02)
        else:
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
        os.close(child.ready)
        self._serving.discard(child.pid)
        del self._children[child.pid]

    def _stop(self) -> int:
        for child in self._children.values():
            os.kill(child.pid, signal.SIGTERM)
        for child in tuple(self._children.values()):
            self._end(child)
        return 0


def _live(serve: Serve, place: Place) -> NoReturn:
    """A child: never returns into what its parent was doing."""
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        code = serve(place)
    except BaseException:
        log.critical("process %d failed", place.number, exc_info=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit code {os.WEXITSTATUS(status)}"


__all__ = ["Place", "Processes", "Serve"]
