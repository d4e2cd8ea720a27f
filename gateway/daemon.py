"""The daemon: starts the parts, says when it is ready, and stops without losing what it holds."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path

from gateway.config import Config, later, load, warnings
from gateway.errors import ConfigError, GatewayError
from gateway.log import configure, together
from gateway.ports import VANISHED
from gateway.processes import Place, Processes, Serve
from gateway.store.lock import state_lock, wake_socket, worker_name
from gateway.wiring import edges
from gateway.wiring.parts import Parts, loop_factory, started

GRACE = 30.0  # seconds that leased jobs and open connections get at SIGTERM
FORGET_EVERY = 3600.0  # seconds
COLLECTED_AFTER = 20_000, 20, 20  # objects, and rounds of the younger two generations
BEAT = 1.0  # seconds between two looks at what is due: the poll that makes up for a lost poke

log = logging.getLogger("imip-gateway")


def serve(config: Config, path: Path | None, *, demo: bool = False) -> int:
    """Run until SIGTERM or SIGINT. Raises ConfigError, StateDirBusy and what the start of a part raises."""
    _ready_to_serve(config)
    with state_lock(config.gateway.state_dir):
        if config.gateway.processes > 1:
            return _several(config, path)
        _run(Daemon(config, path, demo=demo))
    return 0


def _ready_to_serve(config: Config) -> None:
    configure(format=config.log.format, level=config.log.level)
    for line in (*warnings(config), *later(config)):
        log.warning("%s", line)


def _run(daemon: Daemon) -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(daemon.run())


def leave_be() -> None:
    """What the start has made stays until the end: the collector of cycles need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


def _several(config: Config, path: Path | None) -> int:
    """The parent of `processes` children, which share the addresses that it binds."""
    worker_name(config.gateway.state_dir)  # made before there are two who would make it
    doors = edges.bind(config)
    begun = [config]

    def serve() -> Serve:
        fresh = begun.pop() if begun else load(path) if path else config
        _ready_to_serve(fresh)
        if edges.addresses(fresh) != edges.addresses(config) or fresh.gateway != config.gateway:
            raise ConfigError(("[gateway] or an address was changed: that needs a restart",))

        def child(place: Place) -> int:
            _run(Daemon(fresh, path, place=place, doors=doors))
            return 0

        return child

    try:
        return Processes(config.gateway.processes, serve=serve, grace=GRACE + 10, told=_notify).run()
    finally:
        doors.close()


class Daemon:
    """One process of the gateway; `place` when it is one of several."""

    def __init__(
        self,
        config: Config,
        path: Path | None,
        *,
        demo: bool = False,
        place: Place | None = None,
        doors: edges.Doors | None = None,
    ) -> None:
        self._config = config
        self._path = path
        self._demo = demo
        self._place = place
        self._doors = doors
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def _first(self) -> bool:
        """What one process does for all: the spool, and the pokes of the commands."""
        return self._place is None or self._place.number == 0

    @property
    def _worker(self) -> str:
        number = 0 if self._place is None else self._place.number
        return worker_name(self._config.gateway.state_dir, number)

    async def run(self) -> None:
        """Start in the order of dependence, stop in the reverse."""
        async with started(self._config, worker=self._worker) as parts:
            await parts.store.recover(self._worker)  # we hold the lock: who had this name is dead
            self._signals()
            server = await edges.listeners(parts, self._doors)
            web = await edges.web(parts, demo=self._demo, metrics=self._exposition(parts), doors=self._doors)
            wake = None
            try:
                self._start(parts.worker.run())
                self._start(parts.rounds.run())
                self._start(self._gauges(parts))
                self._start(edges.offering(parts, server))
                if self._first:
                    self._start(self._forgetting(parts))
                    self._start(self._spool(parts))
                    wake = self._poked(parts)
                if self._place is None:
                    self._start(self._alive())
                parts.health.now("")
                leave_be()
                if self._demo:
                    sys.stdout.write(introduction(parts))
                    sys.stdout.flush()
                log.info("ready: %s", ", ".join(f"{name} {place}" for name, place in edges.places(parts)))
                self._ready()
                await self._stopping.wait()
            finally:
                self._tell("STOPPING=1")
                parts.health.now("stopping")
                for one in server:
                    await one.close(GRACE)
                await self._stop(parts)
                if web is not None:
                    await web.close()
                if wake is not None:
                    wake.close()

    def _ready(self) -> None:
        self._tell("READY=1\nSTATUS=working")
        if self._place is not None:
            os.write(self._place.ready, b"!")

    def _tell(self, state: str) -> None:
        """Of several processes the parent speaks."""
        if self._place is None:
            _notify(state)

    def _exposition(self, parts: Parts) -> Callable[[], bytes]:
        if self._place is None:
            return parts.log.exposition
        folder, own = self._figures(), str(self._place.number)

        def all_of_them() -> bytes:
            others = {path.name: path.read_bytes() for path in sorted(folder.glob("[0-9]*"))}
            return together({**others, own: parts.log.exposition()})

        return all_of_them

    def _figures(self) -> Path:
        return self._config.gateway.state_dir / "metrics"

    def _start(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part that ends by itself is a bug: say so and stop, the supervisor starts us anew."""
        if not task.cancelled() and task.exception() is not None:
            log.critical("a part of the daemon failed", exc_info=task.exception())
            self._stopping.set()

    async def _stop(self, parts: Parts) -> None:
        parts.worker.stop()
        worker, *others = self._tasks
        for task in others:
            task.cancel()
        await asyncio.wait([worker], timeout=GRACE)
        worker.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await parts.worker.leave()

    def _signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        if self._place is None:
            loop.add_signal_handler(signal.SIGHUP, self._reload)
        else:
            loop.add_reader(self._place.alive, self._stopping.set)

    def _reload(self) -> None:
        """SPEC 10.1: validate first, keep the old configuration on error. What can change at run time is the log level."""
        _notify("RELOADING=1")
        try:
            fresh = load(self._path) if self._path else self._config
        except ConfigError as error:
            for problem in error.problems:
                log.warning("not reloaded: %s", problem)
        else:
            log.setLevel(fresh.log.level.upper())
            log.warning("configuration checked; a restart puts its other changes into force")
        _notify("READY=1")

    async def _alive(self) -> None:
        """The watchdog asks whether the loop turns; a calendar server that hangs does not stop it."""
        while True:
            _notify("WATCHDOG=1")
            await asyncio.sleep(BEAT * 5)

    async def _spool(self, parts: Parts) -> None:
        while True:
            try:
                await parts.spool.take(parts.door)
            except (GatewayError, OSError) as error:
                log.warning("spool: %s", error)
            await asyncio.sleep(BEAT)

    async def _forgetting(self, parts: Parts) -> None:
        """SPEC 9: the database does not grow without bound."""
        keep = self._config.gateway.keep
        accounts = frozenset(one.address for one in parts.accounts)
        while True:
            with contextlib.suppress(GatewayError):
                before = datetime.now(UTC) - keep
                gone = await parts.store.forget_others(before, accounts)
                gone += await parts.store.forget(before)
                if gone:
                    log.info("forgotten: %d rows older than [gateway] keep", gone)
            await asyncio.sleep(min(FORGET_EVERY, max(keep.total_seconds() / 4, BEAT)))

    async def _gauges(self, parts: Parts) -> None:
        while True:
            with contextlib.suppress(GatewayError):
                await parts.door.look()
                parts.log.queue(await parts.store.queue.stats())
                await _sync_ages(parts)
            if self._place is not None:
                _write_figures(self._figures(), self._place.number, parts.log.exposition())
            await asyncio.sleep(BEAT * 5)

    def _poked(self, parts: Parts) -> socket.socket | None:
        wire = wake_socket(self._config.gateway.state_dir)
        if wire is not None:
            asyncio.get_running_loop().add_reader(wire, _read_poke, wire, parts)
        return wire


def _write_figures(folder: Path, number: int, page: bytes) -> None:
    """For the one of our processes that is asked for /metrics."""
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True, mode=0o750)
        fresh = folder / f".{number}"
        fresh.write_bytes(page)
        fresh.rename(folder / str(number))


async def _sync_ages(parts: Parts) -> None:
    servers = {account.address: account.server for account in parts.accounts}
    ages: dict[str, float] = {}
    for state in await parts.store.snapshots.collections():
        server = servers.get(state.account)
        if server is not None and state.synced_at is not None and state.error != VANISHED:
            age = (datetime.now(UTC) - state.synced_at).total_seconds()
            ages[server] = max(ages.get(server, 0.0), age)
    for server, age in ages.items():
        parts.log.sync_age(server, age)


def introduction(parts: Parts) -> str:
    """What the demo prints: what runs where, and three commands to try."""
    state = parts.config.gateway.state_dir
    shown = Path(os.path.relpath(state)) if state.is_relative_to(Path.cwd()) else state
    rows = "\n".join(
        f"  {name:<14} {address}" for name, address in [*edges.places(parts), ("State", str(shown))]
    )
    return f"""
imip-gateway demo: alice, bob and room1 @example.org, password "demo". Nothing leaves this machine.

{rows}

Three commands to try, from another terminal:

  .venv/bin/imip-gateway submit -c {shown}/config.toml -f carol@example.com alice@example.org < {shown}/invitation.eml
  .venv/bin/imip-gateway why -c {shown}/config.toml sample-1@example.com
  .venv/bin/imip-gateway queue -c {shown}/config.toml stats

The invitation is then in Alice's calendar: look at the web page, or add the CalDAV address to any calendar program
and accept it there. Ctrl-C ends the demo.

"""


def _read_poke(wire: socket.socket, parts: Parts) -> None:
    with contextlib.suppress(BlockingIOError):
        while wire.recv(16):
            pass
    parts.store.queue.wake()
    parts.rounds.wake()


def _notify(state: str) -> None:
    """sd_notify(3): one datagram, a no-op without NOTIFY_SOCKET."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
