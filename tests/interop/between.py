"""A wire between the gateway and its calendar server that a test can cut: at once, or in the middle of an answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Between:
    """A TCP proxy on loopback. While cut, each connection gets so many bytes of answers and then ends."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._allowed: int | None = None
        self._wires: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    @contextlib.contextmanager
    def cut(self, after: int) -> Iterator[None]:
        """Nothing that is open stays open; what is opened now is cut."""
        self._allowed = after
        self._drop()
        try:
            yield
        finally:
            self._allowed = None
            self._drop()

    def stop(self) -> None:
        """No more connections."""
        self._listener.close()
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            wires = tuple(self._wires)
        for one in wires:
            _end(one)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        allowed = self._allowed
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._upstream)) as server,
        ):
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._wires |= {client, server}
            up = threading.Thread(target=_pump, args=(client, server, None), daemon=True)
            up.start()
            _pump(server, client, allowed)
            _end(server)
            up.join()
            with self._lock:
                self._wires -= {client, server}


def _pump(source: socket.socket, target: socket.socket, allowed: int | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if allowed is not None and len(data) >= allowed:
                target.sendall(data[:allowed])
                break
            allowed = allowed and allowed - len(data)
            target.sendall(data)
    _end(target)


def _end(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
