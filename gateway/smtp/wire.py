"""The plumbing under a session: lines and chunks in, replies out, timers, TLS; the one place that knows aiosmtpd.

What is aiosmtpd's: the life of the connection as a stream protocol, and the change to TLS with everything that came before it
thrown away (RFC 3207 4.2; CVE-2024-34083). What is not: its constructor (reflection, and a blocking look-up of the host's
name), its command loop, its line-by-line DATA, its timers that count the commit, and its way of cancelling whoever half-closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiosmtpd.smtp import SMTP, TLSSetupException

from gateway.smtp import replies
from gateway.smtp.data import Collector
from gateway.smtp.desk import Desk
from gateway.smtp.limits import plain_address
from gateway.smtp.proxy import NoProxyHeader, read_header
from gateway.smtp.transaction import Transaction

WINDOW = 262_144
_LINGER = 10.0  # seconds that a client has to take our last words
_LINE_END = b"\n"


Take = Callable[[bytes], Awaitable[None]]


class HangUp(Exception):
    """Nothing more can be said on this connection."""


class Wire(SMTP):
    """A connection. Its session is the coroutine `converse` of a subclass."""

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        reader = asyncio.StreamReader(limit=WINDOW, loop=loop)
        # Past aiosmtpd's own constructor; the attributes below are those that its methods in use here read.
        asyncio.StreamReaderProtocol.__init__(self, reader, self._cb_client_connected, loop=loop)
        self.loop = loop
        self.event_handler = None
        self.hostname = desk.settings.hostname
        self.tls_context = desk.tls
        self._handle_hooks: dict[str, Any] = {}
        self._timeout_duration = desk.settings.timeouts.command
        self._timeout_handle: asyncio.TimerHandle | None = None
        self._tls_handshake_okay = True
        self._tls_protocol = None
        self._original_transport = None
        self.session = None
        self.envelope = None
        self.transport = None
        self._handler_coroutine: asyncio.Task[None] | None = None
        # Ours.
        self.desk = desk
        self.timeouts = desk.settings.timeouts
        self.address = ""
        self.trusted = False
        self._refusal = ""
        self._held = bytearray()
        self._listening = False

    # --- the life of the connection ---

    def _create_envelope(self) -> Any:
        return Transaction()

    @property
    def transaction(self) -> Transaction:
        return cast("Transaction", self.envelope)

    def forget(self) -> None:
        """Begin a new transaction."""
        if self.envelope is not None:
            self.transaction.release()
        self.envelope = self._create_envelope()

    @property
    def tls(self) -> bool:
        return self.session is not None and self.session.ssl is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        first = self._original_transport is None
        if first:
            self.address = plain_address(transport.get_extra_info("peername"))
            self.trusted = self.address in self.desk.trusted
            self._refusal = self.desk.door.enter(self.address, trusted=self.trusted)
        super().connection_made(transport)
        if first and self._handler_coroutine is not None:
            self.desk.sessions[self._handler_coroutine] = self

    def connection_lost(self, error: Exception | None) -> None:
        self.desk.door.leave(self.address)
        super().connection_lost(error)

    def eof_received(self) -> bool | None:
        """The client has said all; what it said is still worked off, and answered (aiosmtpd would cancel it)."""
        asyncio.StreamReaderProtocol.eof_received(self)
        return not self.tls

    async def _handle_client(self) -> None:
        try:
            if self.desk.settings.proxy_protocol and self.trusted and not self._refusal:
                await self._proxied()
            if self._refusal:
                await self.push(self._refusal)
                return
            await self.converse()
        except (HangUp, NoProxyHeader, OSError, TLSSetupException):
            pass
        finally:
            self.forget()
            if self._handler_coroutine is not None:
                self.desk.sessions.pop(self._handler_coroutine, None)
            self._hang_up()

    async def _proxied(self) -> None:
        """Learn who stands behind the proxy, and count him in its stead."""
        if self.tls:
            return  # this connection has told it before it was secured
        address = plain_address((await read_header(self.read_octets),))
        if address:
            self.desk.door.leave(self.address)
            self.address, self.trusted = address, address in self.desk.trusted
            self._refusal = self.desk.door.enter(address, trusted=self.trusted)

    async def converse(self) -> None:
        """The session; a subclass has it."""

    def _hang_up(self) -> None:
        self._stop_timer()
        transport = self.transport
        if transport is None:
            return
        if self._held and not transport.is_closing():
            self._writer.write(bytes(self._held))
            self._held.clear()
        transport.close()
        # A client that does not read would keep the connection, and its place, for ever.
        raw = cast("asyncio.WriteTransport", self._original_transport or transport)
        if self.tls or raw.get_write_buffer_size():
            self.loop.call_later(_LINGER, raw.abort)

    # --- timers ---

    def _start_timer(self, seconds: float) -> None:
        self._reset_timeout(seconds)

    def _stop_timer(self) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()

    def _timeout_cb(self) -> None:
        self.dismiss(replies.TIMED_OUT)

    # --- out ---

    def hold(self, reply: str) -> bool:
        """Keep a reply back while the client's next command lies here already (RFC 2920 3.2)."""
        if _LINE_END not in self._reader._buffer:  # type: ignore[attr-defined]
            return False
        self._held += reply.encode() + b"\r\n"
        return True

    async def push(self, status: str | bytes) -> None:
        self._held += (status.encode() if isinstance(status, str) else status) + b"\r\n"
        await self._flush()

    async def _flush(self) -> None:
        if self._held:
            self._writer.write(bytes(self._held))
            self._held.clear()
            if not self._paused:  # type: ignore[attr-defined]
                return
            self._start_timer(self.timeouts.command)  # a client that does not read is as silent as any other
            await self._writer.drain()
            self._stop_timer()

    def dismiss(self, reply: str) -> None:
        """Say a last word out of turn, and end the session."""
        if self.transport is not None and not self.transport.is_closing():
            self._held += reply.encode() + b"\r\n"
        self._hang_up()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()

    # --- in ---

    @property
    def listening(self) -> bool:
        """Whether we wait for the client's next line."""
        return self._listening

    async def read_line(self, most: int) -> bytes | None:
        """The next line with its end; None: it was longer than `most` (and is thrown away). Raise HangUp at the end."""
        await self._flush()
        if _LINE_END not in self._reader._buffer:  # type: ignore[attr-defined]
            self._start_timer(self.timeouts.command)
        self._listening = True
        try:
            line = await self._reader.readuntil(_LINE_END)
        except asyncio.LimitOverrunError as overrun:
            await self._skip_line(overrun)
            return None
        except asyncio.IncompleteReadError as error:
            raise HangUp from error
        finally:
            self._listening = False
            self._stop_timer()
        return line if len(line) <= most else None

    async def _skip_line(self, overrun: asyncio.LimitOverrunError) -> None:
        consumed = overrun.consumed
        self._start_timer(self.timeouts.command)
        while True:
            await self._reader.read(consumed)
            try:
                await self._reader.readuntil(_LINE_END)
                return
            except asyncio.LimitOverrunError as again:
                consumed = again.consumed
            except asyncio.IncompleteReadError as error:
                raise HangUp from error
            finally:
                self._stop_timer()

    async def read_mail(self, collector: Collector, take: Take) -> None:
        """Give the mail away piece by piece until the end of data. Raise HangUp when it does not come: what came is forgotten.

        Nor is there a way back to commands after any other surprise in here: the rest of the mail would be taken for them.
        """
        try:
            rest = await self._feed(collector, take)
        except Exception as error:
            raise HangUp from error
        self._reader._buffer[:0] = rest  # type: ignore[attr-defined]

    async def _feed(self, collector: Collector, take: Take) -> bytes:
        ends = self.mail_ends()
        rest: bytes | None = None
        while rest is None:
            self._start_timer(min(self.timeouts.chunk, max(0.001, ends - self.loop.time())))
            chunk = await self._reader.read(WINDOW)
            self._stop_timer()
            if not chunk:
                raise HangUp
            piece, rest = collector.feed(chunk)
            await take(piece)
            if collector.hopeless:
                await self.push(replies.TOO_BIG)
                raise HangUp
        return rest

    async def read_octets(self, count: int, ends: float = 0.0) -> bytes:
        """Exactly so many octets, by this time of the loop at the latest. Raise HangUp when they do not come."""
        data = bytearray()
        ends = ends or self.mail_ends()
        while len(data) < count:
            self._start_timer(min(self.timeouts.chunk, max(0.001, ends - self.loop.time())))
            chunk = await self._reader.read(min(WINDOW, count - len(data)))
            self._stop_timer()
            if not chunk:
                raise HangUp
            data += chunk
        return bytes(data)

    def mail_ends(self) -> float:
        """When a mail that begins now must have come whole."""
        return self.loop.time() + self.timeouts.mail

    async def start_tls(self) -> None:
        """RFC 3207 4: whatever the client sent in clear after STARTTLS is thrown away, before and after the handshake."""
        self.forget()
        self._reader._buffer.clear()  # type: ignore[attr-defined]
        self._start_timer(self.timeouts.handshake)
        await super().smtp_STARTTLS("")
