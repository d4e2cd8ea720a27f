"""One mail transaction, from MAIL to the end of DATA (RFC 5321 3.3)."""

from __future__ import annotations

from typing import Protocol

from gateway.ports import Envelope, Recipient
from gateway.smtp.parameters import MailParameters


class Incoming(Protocol):
    """A mail under way (`smtp.incoming`)."""

    def release(self) -> None: ...


class Transaction:
    """What was agreed so far. It stands where aiosmtpd keeps its envelope, and is new after each mail."""

    __slots__ = ("dropped", "incoming", "parameters", "promised", "recipients", "sender")

    def __init__(self) -> None:
        self.sender: str | None = None  # None: no MAIL yet; "": the null sender
        self.parameters = MailParameters()
        self.recipients: list[Recipient] = []
        self.promised: list[str] = []  # every RCPT that got its 250, in order; LMTP owes each a reply
        self.incoming: Incoming | None = (
            None  # what DATA or BDAT has brought so far; None once it is handed over
        )
        self.dropped = 0  # of these, taken though unknown (SPEC 1.1)

    def take(self, recipient: Recipient, *, known: bool) -> None:
        self.promised.append(recipient.address)
        if known:
            self.recipients.append(recipient)
        else:
            self.dropped += 1

    def release(self) -> None:
        """It comes to nothing: give back what came of its mail."""
        if self.incoming is not None:
            self.incoming.release()

    def envelope(self) -> Envelope:
        return Envelope(
            sender=self.sender or "",
            recipients=tuple(self.recipients),
            body=self.parameters.body,
            smtputf8=self.parameters.smtputf8,
            ret=self.parameters.ret,
            envid=self.parameters.envid,
        )
