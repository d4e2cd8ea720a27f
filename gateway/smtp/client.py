"""One connection to a next hop, kept for many mails; the one place that knows aiosmtplib."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import aiosmtplib
from aiosmtplib import SMTPException, SMTPHeloError, SMTPResponse, SMTPResponseException

from gateway.ports import OutgoingMail, PassedOn, Recipient, Sent
from gateway.smtp.destination import Destination

_DATA_TIMEOUT = 600.0  # RFC 5321 4.5.3.2.6: giving up too early delivers twice
_PROBE_TIMEOUT = 10.0
_MAX_TEXT = 300


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

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self._client = client
        self.used_at = 0.0

    @property
    def alive(self) -> bool:
        return self._client.is_connected

    def close(self) -> None:
        self._client.close()

    async def quit(self) -> None:
        try:
            await self._client.quit(timeout=_PROBE_TIMEOUT)
        except (SMTPException, OSError):
            pass
        finally:
            self._client.close()

    async def answers(self) -> bool:
        """Whether a long silent connection still works."""
        try:
            return (await self._client.execute_command(b"RSET", timeout=_PROBE_TIMEOUT)).code == 250
        except (SMTPException, OSError):
            return False

    async def send(self, mail: OutgoingMail) -> Sent:
        """One transaction for one recipient. Raise Lost."""
        options = self._mail_options(mail)
        if isinstance(options, Sent):
            return options
        recipient = mail.recipient.encode()
        late = False
        try:
            for command in (
                (b"MAIL", b"FROM:<" + mail.sender.encode() + b">", *options),
                (b"RCPT", b"TO:<" + recipient + b">"),
            ):
                response = await self._client.execute_command(*command)
                if response.code not in (250, 251):
                    return await self._refused(response)
            late = True
            return _sent(await self._client.data(mail.content, timeout=_DATA_TIMEOUT))
        except SMTPResponseException as error:
            return await self._refused(SMTPResponse(error.code, error.message))
        except (SMTPException, OSError) as error:
            self._client.close()
            raise Lost(_clean(f"{type(error).__name__}: {error}"), late=late) from error

    def _mail_options(self, mail: OutgoingMail) -> list[bytes] | Sent:
        """The parameters of MAIL; a Sent when this hop cannot take such a mail, now or later."""
        wide = mail.smtputf8 or not (mail.sender + mail.recipient).isascii()
        return self._options(mail.content, eight_bit=not mail.content.isascii(), smtputf8=wide)

    def _options(self, content: bytes, *, eight_bit: bool, smtputf8: bool) -> list[bytes] | Sent:
        offers = self._client.supports_extension
        options: list[bytes] = []
        if offers("size"):
            most = self._client.esmtp_extensions["size"].strip()
            if most.isdigit() and 0 < int(most) < len(content):
                return Sent(state="failed", code=552, text="5.3.4 message too big for the next hop")
            options.append(b"SIZE=%d" % len(content))
        if eight_bit:
            # RFC 6152 3
            if not offers("8bitmime"):
                return Sent(state="failed", code=554, text="5.6.3 the next hop does not take 8-bit mail")
            options.append(b"BODY=8BITMIME")
        if smtputf8:
            # RFC 6531 3.5
            if not offers("smtputf8"):
                return Sent(
                    state="failed", code=550, text="5.6.7 the next hop does not take SMTPUTF8 addresses"
                )
            options.append(b"SMTPUTF8")
        return options

    def offers(self) -> frozenset[str]:
        """The extensions of the next hop, lower case."""
        return frozenset(self._client.esmtp_extensions)

    async def pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        """One transaction for all recipients (RFC 5321 3.3); in LMTP one for each (RFC 2033 4.2). Raise Lost."""
        if isinstance(self._client, _Lmtp):
            alone = [replace(mail.envelope, recipients=(one,)) for one in mail.envelope.recipients]
            return tuple([(await self._pass_on(replace(mail, envelope=one)))[0] for one in alone])
        return await self._pass_on(mail)

    async def _pass_on(self, mail: PassedOn) -> tuple[Sent, ...]:
        envelope = mail.envelope
        count = len(envelope.recipients)
        eight_bit = envelope.body == "8BITMIME" or not mail.content.isascii()
        options = self._options(mail.content, eight_bit=eight_bit, smtputf8=envelope.smtputf8)
        if isinstance(options, Sent):
            return (options,) * count
        late = False
        try:
            options += self._dsn(RET=envelope.ret, ENVID=envelope.envid)
            response = await self._client.execute_command(
                b"MAIL", b"FROM:<" + envelope.sender.encode() + b">", *options
            )
            if response.code != 250:
                return (await self._refused(response),) * count
            answers = [await self._recipient(one) for one in envelope.recipients]
            if not any(one.state == "sent" for one in answers):
                await self._refused(SMTPResponse(0, ""))
                return tuple(answers)
            late = True
            end = _sent(await self._client.data(mail.content, timeout=_DATA_TIMEOUT))
            return tuple(end if one.state == "sent" else one for one in answers)
        except SMTPResponseException as error:
            return (await self._refused(SMTPResponse(error.code, error.message)),) * count
        except (SMTPException, OSError) as error:
            self._client.close()
            raise Lost(_clean(f"{type(error).__name__}: {error}"), late=late) from error

    async def _recipient(self, one: Recipient) -> Sent:
        options = self._dsn(NOTIFY=one.notify, ORCPT=one.orcpt)
        response = await self._client.execute_command(
            b"RCPT", b"TO:<" + one.address.encode() + b">", *options
        )
        return _sent(response)

    def _dsn(self, **words: str) -> list[bytes]:
        """RFC 3461 4: only for a next hop that takes them."""
        if not self._client.supports_extension("dsn"):
            return []
        return [f"{name}={value}".encode() for name, value in words.items() if value]

    async def _refused(self, response: SMTPResponse) -> Sent:
        """Leave the connection ready for the next mail, or close it."""
        # RFC 5321 3.8: 421 is the end of the connection
        if response.code == 421 or not self._client.is_connected or not await self.answers():
            self._client.close()
        return _sent(response)


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
    return Connection(client)


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


def _sent(response: SMTPResponse) -> Sent:
    """RFC 5321 4.2.1: the first digit decides; what is no reply at all may be one the next time."""
    state = {2: "sent", 5: "failed"}.get(response.code // 100, "deferred")
    return Sent(state=state, code=max(response.code, 0), text=_clean(response.message))


def _clean(text: str) -> str:
    """A text of the peer as one printable line."""
    flat = "".join(c if c.isprintable() else " " for c in text.encode("utf-8", "replace").decode())
    return " ".join(flat.split())[:_MAX_TEXT]
