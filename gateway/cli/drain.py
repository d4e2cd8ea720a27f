"""`drain`: wait until no job or letter is due or running; works the queue itself when no daemon does."""

from __future__ import annotations

import argparse
import asyncio
import time

from gateway.cli.show import config_option, load
from gateway.config import Config
from gateway.store.desk import Store
from gateway.wiring import channel, storage

AGAIN = 75
BEAT = 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds; 75 when they are over"
    )
    parser.add_argument("--settle", action="store_true", help="wait for settle and undo timers too")


def run(arguments: argparse.Namespace) -> int:
    """0 when all is quiet, 75 when the time is over (INTERFACE 2, SPEC 12.19)."""
    config = load(arguments)
    deadline = time.monotonic() + arguments.timeout
    return asyncio.run(_drain(config, deadline, arguments.settle))


async def _drain(config: Config, deadline: float, timers: bool) -> int:
    while time.monotonic() < deadline:
        if channel.daemon_runs(config):
            channel.poke(config)
            async with storage.opened_store(config) as store:
                quiet = await _wait(store, config, deadline, timers)
        else:
            quiet = await _work(config, deadline, timers)
        if quiet:
            return 0
    return AGAIN


async def _wait(store: Store, config: Config, deadline: float, timers: bool) -> bool:
    """A daemon works; we look. False when it went away or the time is over."""
    while time.monotonic() < deadline:
        if not channel.spooled(config) and await store.queue.drained(timers):
            return True
        if not channel.daemon_runs(config):
            return False
        await asyncio.sleep(BEAT)
    return False


async def _work(config: Config, deadline: float, timers: bool) -> bool:
    """Nobody works, so we do, under the state directory's lock."""
    from gateway.wiring.parts import started

    with channel.locked(config):
        name = channel.worker_name(config)
        async with started(config, worker=name) as parts:
            await parts.store.recover(name)
            while time.monotonic() < deadline:
                await parts.spool.take(parts.door)
                await parts.worker.once()
                if await parts.store.queue.drained(timers):
                    return True
                await asyncio.sleep(BEAT)
    return False
