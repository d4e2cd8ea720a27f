"""Mail on its way in: what a listener saw, and the door of the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Protocol

from gateway.ports.jobs import Job, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One accepted RCPT TO, with the parameters of RFC 3461 that came with it."""

    address: str  # as the client wrote it, without angle brackets
    orcpt: str = ""
    notify: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """MAIL FROM and RCPT TO of one transaction (RFC 5321 3.3, 3461, 6152, 6531)."""

    sender: str  # "" is the null sender
    recipients: tuple[Recipient, ...]
    body: str = ""  # "", "7BIT", "8BITMIME"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who handed us the mail, as far as the connection tells."""

    role: str = "incoming"  # incoming | outgoing
    protocol: str = "smtp"  # smtp | lmtp | submit
    address: str = ""  # IP address, or "" for a unix socket or the spool
    trusted: bool = False  # inside `trusted_networks` (or submitted: SPEC 12.6)
    user: str = ""  # SASL user
    helo: str = ""
    tls: bool = False
    after: str = "discard"  # discard | relay | render
    relay_to: str = ""
    evidence: str = "login"  # outgoing: login | network


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """One mail, as it will lie in the queue: `content` already carries our Received line, and only CRLF line ends."""

    envelope: Envelope
    peer: Peer
    content: bytes  # b"" when it lies in a file
    received_at: datetime
    file: Draft | None = None  # of a large one that came in just now

    @property
    def size(self) -> int:
        return len(self.content) if self.file is None else len(self.file)


def pack_mail(mail: ReceivedMail) -> dict[str, Any]:
    """The envelope of a mail as the JSON payload of its MAIL job; the content is the job's body."""
    recipients = [_RECIPIENT(one) for one in mail.envelope.recipients]
    return {
        "envelope": _ENVELOPE(mail.envelope) | {"recipients": recipients},
        "peer": _PEER(mail.peer),
        "received_at": mail.received_at.isoformat(),
    }


class _Packer:
    """`dataclasses.asdict` copies what it finds, at ten times the price."""

    def __init__(self, kind: type[Any]) -> None:
        self._names = tuple(field.name for field in fields(kind))
        self._values = attrgetter(*self._names)

    def __call__(self, value: object) -> dict[str, Any]:
        return dict(zip(self._names, self._values(value), strict=True))


_RECIPIENT, _ENVELOPE, _PEER = (_Packer(kind) for kind in (Recipient, Envelope, Peer))


def unpack_mail(payload: Mapping[str, Any], body: bytes) -> ReceivedMail:
    """The inverse of `pack_mail`."""
    envelope = dict(payload["envelope"])
    recipients = tuple(Recipient(**one) for one in envelope.pop("recipients"))
    return ReceivedMail(
        envelope=Envelope(recipients=recipients, **envelope),
        peer=Peer(**payload["peer"]),
        content=body,
        received_at=datetime.fromisoformat(payload["received_at"]),
    )


class Draft(Stored, Protocol):
    """A large mail that is written to a file while it comes in."""

    @property
    def digest(self) -> str:
        """SHA-256 of what was written and counts."""
        ...

    async def write(self, data: bytes | bytearray, *, counts: bool = True) -> None:
        """Add to the end. `counts`: to the digest too. Raises QueueFull, BackendUnavailable."""
        ...

    def discard(self) -> None:
        """It is committed, or never will be."""
        ...


class Intake(Protocol):
    """The door of the queue."""

    def draft(self) -> Draft | None:
        """Where a large mail is written while it comes in; None: it is kept in memory. Raises QueueFull, BackendUnavailable."""
        ...

    async def accept(self, mail: ReceivedMail) -> str:
        """Commit the mail and return its job id; only then may 250 be said. Raise QueueFull or BackendUnavailable."""
        ...


class Hands(Protocol):
    """Who works on a mail at once, from memory: his lease stands in the row from the first moment."""

    name: str
    lease: timedelta

    def reserve(self, size: int) -> bool:
        """Is there room for a mail of so many octets? If so, `take` or `release` follows."""
        ...

    def take(self, job: Job) -> None:
        """It is committed, and his."""
        ...

    def release(self, size: int) -> None:
        """It came to nothing, or we had it already."""
        ...


class MailQueue(Intake, Protocol):
    """The queue behind the door."""

    @property
    def closed(self) -> str:
        """Why no mail is taken now, in words for the log; "" while the door is open."""
        ...

    async def look(self) -> None:
        """Whether a closed door may open, though nobody knocks. Raises BackendUnavailable."""
        ...

    async def accept(
        self,
        mail: ReceivedMail,
        *,
        read: bool = True,
        passed_on: Envelope | None = None,
        hands: Hands | None = None,
    ) -> str:
        """Commit the mail and return its job id. Raise QueueFull or BackendUnavailable.

        `read`: for what it says to our calendars; `passed_on`: for the next hop, with this envelope. One of them at least.
        `hands`: who passes it on at once, if he has room; else it waits its turn.
        """
        ...
