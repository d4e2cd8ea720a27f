"""What all sessions of one listener share: settings, callables, the door, and the commits under way."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Protocol

from gateway.errors import GatewayError
from gateway.ports import Peer
from gateway.smtp.limits import Door, Networks, Receiving
from gateway.smtp.settings import MEGABYTE, Callables, ListenerSettings
from gateway.smtp.transaction import Transaction

RECEIVING = 1000 * MEGABYTE


class Session(Protocol):
    """What the end of the listener must know of a conversation."""

    @property
    def listening(self) -> bool: ...
    @property
    def transaction(self) -> Transaction: ...
    def dismiss(self, reply: str) -> None: ...


class Desk:
    """Shared by the sessions of one listener in one event loop."""

    def __init__(
        self,
        settings: ListenerSettings,
        callables: Callables,
        tls: ssl.SSLContext | None = None,
        receiving: Receiving | None = None,
    ) -> None:
        self.settings = settings
        self.callables = callables
        self.tls = tls
        self.trusted = Networks(settings.trusted_networks)
        self.door = Door(settings.max_connections, settings.max_connections_per_peer)
        self.receiving = receiving or Receiving(RECEIVING)
        self.closing = False
        self.sessions: dict[asyncio.Task[None], Session] = {}
        self._commits: set[asyncio.Task[str]] = set()

    async def finish(self, commit: Coroutine[Any, Any, str]) -> str:
        """Await a commit that goes on even when its session is cancelled: a client that drops does not undo it."""
        task = asyncio.get_running_loop().create_task(commit)
        self._commits.add(task)
        task.add_done_callback(self._commits.discard)
        return await asyncio.shield(task)

    async def settled(self) -> None:
        """Return when no commit is under way."""
        while self._commits:
            await asyncio.wait(self._commits)

    def failed(self, peer: Peer, reply: str, error: Exception) -> None:
        """Report that something of ours broke: where, and its own words only when they are ours (no stranger's secrets)."""
        ours = isinstance(error, GatewayError)
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        trail = " < ".join(f"{Path(one.filename).name}:{one.lineno} {one.name}" for one in reversed(frames))
        reason = error.code if isinstance(error, GatewayError) else "internal-error"
        words = f"{type(error).__name__}: {error}" if ours else type(error).__name__
        self.refused(peer, reply, reason, error=words, trail=trail)

    def report(self, name: str, **facts: Any) -> None:
        """Tell of an event. Whoever listens cannot change by a failure what became of the mail."""
        with contextlib.suppress(Exception):
            self.callables.on_event(name, **facts)

    def refused(self, peer: Peer, reply: str, reason: str, **facts: Any) -> None:
        """Report a mail (or a recipient) that we did not take."""
        self.report("mail.refused", role=peer.role, peer=peer.address, code=reply[:3], reason=reason, **facts)
