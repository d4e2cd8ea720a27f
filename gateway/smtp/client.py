"""One connection to a next hop, kept for many mails; the one place that knows aiosmtplib."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import aiosmtplib
from aiosmtplib import SMTPException, SMTPHeloError, SMTPResponse, SMTPResponseException

from gateway.ports import Envelope, OutgoingMail, PassedOn, Recipient, Sent
from gateway.smtp.destination import Destination
from gateway.smtp.talk import Broken, Reply, Talk

_DATA_TIMEOUT = 600.0  # RFC 5321 4.5.3.2.6: giving up too early delivers twice
_PROBE_TIMEOUT = 10.0
_MAX_TEXT = 300
READ = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """`[delivery]` as far as the wire is concerned."""

    destination: Destination
    starttls: str = "opportunistic"  # never | opportunistic | required
    hostname: str = "localhost"  # how we introduce ourselves
    connections: int = 4
    timeout: float = 120.0
    idle: float = 20.0  # seconds after which a kept connection is asked first whether it still lives
    cafile: str = ""  # beside the system's certificate authorities


class Unreachable(Exception):
    """The next hop could not be brought to take a mail at all: worth another try, whatever the code."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class Lost(Exception):
    """A connection broke. `late`: after the mail had gone out, so that nobody knows what became of it."""

    def __init__(self, text: str, *, late: bool) -> None:
        super().__init__(text)
        self.late = late


class _NoTls(Exception):
    """STARTTLS was tried and did not come about."""


class _Lmtp(aiosmtplib.SMTP):
    """RFC 2033 4.1: the same greeting by another name, and no HELO to fall back on."""

    async def ehlo(self, *, hostname: str | None = None, timeout: Any = None) -> SMTPResponse:
        name = (hostname or self.local_hostname or "localhost").encode("ascii")
        response = await self.execute_command(b"LHLO", name)
        if response.code != 250:
            raise SMTPHeloError(response.code, response.message)
        self.last_ehlo_response = response
        return response

    async def helo(self, *, hostname: str | None = None, timeout: Any = None) -> SMTPResponse:
        raise SMTPHeloError(500, "no LHLO")


class Connection:
    """A connection that has been greeted, secured and logged in."""

    def __init__(self, client: aiosmtplib.SMTP, timeout: float) -> None:
        self._client = client
        self._offers = dict(client.esmtp_extensions)
        self._timeout = timeout
        self._talk = Talk(cast("asyncio.BaseTransport", client.transport))
        self.used_at = 0.0

    @property
    def alive(self) -> bool:
        return self._talk.alive

    def close(self) -> None:
        self._talk.close()
        self._client.close()

    async def quit(self) -> None:
        with contextlib.suppress(OSError):
            await self._talk.ask(b"QUIT", _PROBE_TIMEOUT)
        self.close()

    async def answers(self) -> bool:
        """Whether a long silent connection still works."""
        try:
            return (await self._talk.ask(b"RSET", _PROBE_TIMEOUT)).code == 250
        except OSError:
            return False

    def offers(self) -> frozenset[str]:
        """The extensions of the next hop, lower case."""
        return frozenset(self._offers)

    async def send(self, mail: OutgoingMail) -> Sent:
        """One transaction for one recipient. Raise Lost."""
        smtputf8 = mail.smtputf8 or not (mail.sender + mail.recipient).isascii()
        envelope = Envelope(
            sender=mail.sender, recipients=(Recipient(address=mail.recipient),), smtputf8=smtputf8
        )
        return (await self._pass_on(PassedOn(envelope=envelope, content=mail.content)))[0]

    async def pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        """One transaction for all recipients (RFC 5321 3.3); in LMTP one for each (RFC 2033 4.2). Raise Lost."""
        if isinstance(self._client, _Lmtp):
            alone = [replace(mail.envelope, recipients=(one,)) for one in mail.envelope.recipients]
            return tuple([(await self._pass_on(replace(mail, envelope=one)))[0] for one in alone])
        return await self._pass_on(mail)

    async def _pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        envelope = mail.envelope
        eight_bit = envelope.body == "8BITMIME" or not mail.content.isascii()
        if mail.rest is not None:
            eight_bit = eight_bit or not await mail.rest.isascii()
        options = self._options(mail.size, eight_bit=eight_bit, smtputf8=envelope.smtputf8)
        if isinstance(options, Sent):
            return (options,) * len(envelope.recipients)
        options += self._dsn(RET=envelope.ret, ENVID=envelope.envid)
        late = False
        try:
            begin, answers, go = await self._said(envelope, options)
            if begin.code != 250:
                return (await self._refused(begin),) * len(answers)
            if not any(one.state == "sent" for one in answers):
                await self._refused(go)
                return answers
            if go.code != 354:
                refused = await self._refused(go)
                return tuple(refused if one.state == "sent" else one for one in answers)
            late = True
            end = await self._talk.give(mail.content, _DATA_TIMEOUT, straight=mail.straight, rest=_rest(mail))
            if end.code == 421:
                self.close()
            return tuple(_sent(end) if one.state == "sent" else one for one in answers)
        except OSError as error:
            self.close()
            raise Lost(_clean(f"{type(error).__name__}: {error}"), late=late) from error

    async def _said(self, envelope: Envelope, options: list[bytes]) -> tuple[Reply, tuple[Sent, ...], Reply]:
        """What is said to MAIL, to each RCPT and to DATA; at once where the next hop takes it so (RFC 2920 3.1)."""
        first = b" ".join((b"MAIL FROM:<" + envelope.sender.encode() + b">", *options))
        rest = [self._rcpt(one) for one in envelope.recipients]
        at_once = "pipelining" in self._offers
        if at_once:
            self._talk.say(first, *rest, b"DATA")
        begin = await self._heard(b"" if at_once else first)
        if begin.code != 250:
            if at_once and begin.code != 421:
                await self._unheard(len(rest))
            return begin, (_sent(begin),) * len(rest), begin
        answers = tuple([_sent(await self._heard(b"" if at_once else one)) for one in rest])
        taken = any(one.state == "sent" for one in answers)
        if not taken and not at_once:
            return begin, answers, begin
        go = await self._heard(b"" if at_once else b"DATA")
        if go.code == 354 and not taken:
            # RFC 2920 3.1: a server may wait for a mail that is for nobody
            go = await self._talk.give(b"", self._timeout)
        return begin, answers, go

    async def _unheard(self, count: int) -> None:
        """What a peer that refused MAIL says to the rest of the group; it may hang up instead."""
        with contextlib.suppress(OSError):
            for _ in range(count):
                await self._heard(b"")
            if (await self._heard(b"")).code == 354:
                await self._talk.give(b"", self._timeout)

    async def _heard(self, command: bytes) -> Reply:
        """The answer to this command, or to one that was sent before."""
        if command:
            self._talk.say(command)
        return await self._talk.reply(self._timeout)

    def _rcpt(self, one: Recipient) -> bytes:
        options = self._dsn(NOTIFY=one.notify, ORCPT=one.orcpt)
        return b" ".join((b"RCPT TO:<" + one.address.encode() + b">", *options))

    def _options(self, size: int, *, eight_bit: bool, smtputf8: bool) -> list[bytes] | Sent:
        """The parameters of MAIL; a Sent when this hop cannot take such a mail, now or later."""
        options: list[bytes] = []
        if "size" in self._offers:
            most = self._offers["size"].strip()
            if most.isdigit() and 0 < int(most) < size:
                return Sent(state="failed", code=552, text="5.3.4 message too big for the next hop")
            options.append(b"SIZE=%d" % size)
        if eight_bit:
            # RFC 6152 3
            if "8bitmime" not in self._offers:
                return Sent(state="failed", code=554, text="5.6.3 the next hop does not take 8-bit mail")
            options.append(b"BODY=8BITMIME")
        if smtputf8:
            # RFC 6531 3.5
            if "smtputf8" not in self._offers:
                return Sent(
                    state="failed", code=550, text="5.6.7 the next hop does not take SMTPUTF8 addresses"
                )
            options.append(b"SMTPUTF8")
        return options

    def _dsn(self, **words: str) -> list[bytes]:
        """RFC 3461 4: only for a next hop that takes them."""
        if "dsn" not in self._offers:
            return []
        return [f"{name}={value}".encode() for name, value in words.items() if value]

    async def _refused(self, reply: Reply) -> Sent:
        """Leave the connection ready for the next mail, or close it."""
        # RFC 5321 3.8: 421 is the end of the connection
        if reply.code == 421 or not self.alive or not await self.answers():
            self.close()
        return _sent(reply)


async def _rest(mail: PassedOn) -> AsyncIterator[bytes]:
    """What lies in a file, of which little is in memory at a time. Raises Broken: what was begun cannot be ended well."""
    at, end = mail.skip, len(mail.rest) if mail.rest is not None else 0
    while mail.rest is not None and at < end:
        piece = await mail.rest.read(at, READ)
        if not piece:
            raise Broken("the file of the mail is cut short")
        at += len(piece)
        yield piece


async def connect(settings: SenderSettings) -> Connection:
    """Open a connection. Raise Unreachable."""
    try:
        return await _connect(settings, starttls=settings.starttls)
    except _NoTls as error:
        # RFC 7435 3: opportunistic means that bad TLS is no worse than none; but a password never travels in clear.
        if settings.starttls != "opportunistic" or _has_password(settings):
            raise Unreachable(f"TLS: {error}") from error
        return await _connect(settings, starttls="never")


async def _connect(settings: SenderSettings, *, starttls: str) -> Connection:
    client = _client(settings)
    try:
        await client.connect()
        await client._ehlo_or_helo_if_needed()
        if starttls == "required" or (starttls == "opportunistic" and client.supports_extension("starttls")):
            await _secure(client)
        if settings.destination.username:
            await _log_in(client, settings)
    except SMTPResponseException as error:
        client.close()
        raise Unreachable(_clean(error.message), error.code) from error
    except (SMTPException, OSError) as error:
        client.close()
        raise Unreachable(_clean(f"{type(error).__name__}: {error}")) from error
    except BaseException:
        client.close()
        raise
    return Connection(client, settings.timeout)


async def _secure(client: aiosmtplib.SMTP) -> None:
    if client.use_tls or client.socket_path is not None:
        return
    try:
        await client.starttls()
    except (SMTPException, OSError) as error:
        raise _NoTls(_clean(f"{type(error).__name__}: {error}")) from error
    await client._ehlo_or_helo_if_needed()


async def _log_in(client: aiosmtplib.SMTP, settings: SenderSettings) -> None:
    if _has_password(settings) and client.get_transport_info("sslcontext") is None:
        raise Unreachable("the next hop offers no TLS, and a password is not sent without")
    await client.login(settings.destination.username, settings.destination.password)


def _client(settings: SenderSettings) -> aiosmtplib.SMTP:
    destination = settings.destination
    make = _Lmtp if destination.scheme == "lmtp" else aiosmtplib.SMTP
    implicit = destination.scheme == "smtps"
    verify = implicit or settings.starttls == "required" or _has_password(settings)
    return make(
        hostname=destination.host or None,
        port=destination.port or None,
        socket_path=destination.path or None,
        local_hostname=settings.hostname,
        timeout=settings.timeout,
        use_tls=implicit,
        start_tls=False,  # we do it ourselves, to know where it failed
        tls_context=_tls_context(settings.cafile, verify=verify),
    )


@lru_cache(maxsize=8)
def _tls_context(cafile: str, *, verify: bool) -> ssl.SSLContext:
    """RFC 3207 6: with a certificate nobody checks TLS helps against listeners only; still better than nothing.

    Made once: reading the certificate authorities takes longer than a mail does.
    """
    context = ssl.create_default_context()
    if cafile:
        context.load_verify_locations(cafile)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _has_password(settings: SenderSettings) -> bool:
    """Whether there is a password that somebody on the way could hear."""
    return bool(settings.destination.username) and not settings.destination.is_near


def _sent(response: Reply) -> Sent:
    """RFC 5321 4.2.1: the first digit decides; what is no reply at all may be one the next time."""
    state = {2: "sent", 5: "failed"}.get(response.code // 100, "deferred")
    return Sent(state=state, code=max(response.code, 0), text=_clean(response.text))


def _clean(text: str) -> str:
    """A text of the peer as one printable line."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(c if c.isprintable() else " " for c in text.encode("utf-8", "replace").decode())
    return " ".join(text.split())[:_MAX_TEXT]
