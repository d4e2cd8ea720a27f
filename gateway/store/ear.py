"""Hears the bell that other processes ring in PostgreSQL (LISTEN, NOTIFY); without it the poll makes up for it."""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Connection

from gateway.store.bell import Bell

if TYPE_CHECKING:
    import psycopg

CHANNEL: Final = "imip_gateway_work"
_LOOK_SECONDS, _AGAIN_SECONDS = 0.5, 5.0


class Ear:
    """A thread with a connection of its own."""

    def __init__(self, url: URL, bell: Bell) -> None:
        self._url = url
        self._bell = bell
        self._stopping = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        self._thread = Thread(target=self._hear, name="store-ear", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Return once its connection is closed."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _hear(self) -> None:
        import psycopg

        info = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._stopping.is_set():
            try:
                with psycopg.connect(info, autocommit=True) as conn:
                    conn.execute(f"LISTEN {CHANNEL}")
                    self._listen(conn)
            except psycopg.Error as error:
                logging.getLogger("imip-gateway").warning("no wake-up from other nodes: %s", error)
                self._stopping.wait(_AGAIN_SECONDS)

    def _listen(self, conn: psycopg.Connection[tuple[Any, ...]]) -> None:
        while not self._stopping.is_set():
            for _ in conn.notifies(timeout=_LOOK_SECONDS, stop_after=1):
                self._bell.ring()


def tell_others(conn: Connection) -> None:
    """Ring at the other processes once this transaction stands; PostgreSQL tells each of them once."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"NOTIFY {CHANNEL}")


__all__ = ["CHANNEL", "Ear", "tell_others"]
