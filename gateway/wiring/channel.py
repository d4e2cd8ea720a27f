"""How the commands and the daemon meet: rows, a lock and a poke (SPEC 12.19)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gateway.config import Config
from gateway.store.lock import is_held, state_lock
from gateway.store.lock import poke as poke_daemon
from gateway.store.lock import worker_name as name_of_worker
from gateway.store.spool import SpoolReader


def poke(config: Config) -> None:
    poke_daemon(config.gateway.state_dir)


def daemon_runs(config: Config) -> bool:
    return is_held(config.gateway.state_dir)


def worker_name(config: Config) -> str:
    """Under whose name the work is done by who holds the lock of the state directory."""
    return name_of_worker(config.gateway.state_dir)


@contextlib.contextmanager
def locked(config: Config) -> Iterator[None]:
    with state_lock(config.gateway.state_dir):
        yield


def spooled(config: Config) -> bool:
    """Are there mails in the spool that no daemon has queued yet?"""
    return SpoolReader(config.gateway.state_dir).waiting()
