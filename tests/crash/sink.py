"""Where letters go: a mail server that now and then says 451, or takes a mail and loses its own 250."""

from __future__ import annotations

import email
import email.policy
import random
import re
import time
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


@dataclass(frozen=True)
class Letter:
    """One mail that the sink has taken."""

    at: float
    message_id: str
    recipient: str
    method: str
    uid: str
    facts: str  # what it tells: the version's name, or the answer
    content: bytes
    lost: bool  # its 250 did not arrive

    @property
    def change(self) -> tuple[str, str, str, str]:
        """What may be told once."""
        return self.uid, self.recipient, self.method, self.facts


@dataclass
class Sink:
    port: int
    chance: random.Random
    stormy: bool = False
    letters: list[Letter] = field(default_factory=list)

    def start(self) -> Sink:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=True)
        self._controller.start()
        return self

    def stop(self) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        dice = self.chance.random() if self.stormy else 1.0
        if dice < 0.04:
            return "451 4.3.0 later"
        lost = dice < 0.08
        self.letters += [letter(envelope.original_content, to, lost=lost) for to in envelope.rcpt_tos]
        if lost:
            server.transport.close()
        return "250 ok"


def letter(content: bytes, recipient: str, *, lost: bool) -> Letter:
    mail = email.message_from_bytes(content, policy=email.policy.default)
    part = next((one for one in mail.walk() if one.get_content_type() == "text/calendar"), None)
    text = re.sub(r"\r?\n[ \t]", "", str(part.get_content())) if part is not None else ""

    def told(pattern: str) -> str:
        found = re.search(pattern, text, re.MULTILINE)
        return found[1].strip() if found else ""

    method = told(r"^METHOD:(\w+)")
    facts = told(r"^ATTENDEE[^:\n]*PARTSTAT=([A-Z-]+)") if method == "REPLY" else told(r"^SUMMARY:(.*)")
    return Letter(
        at=time.time(),
        message_id=str(mail["Message-ID"]),
        recipient=recipient,
        method=method,
        uid=told(r"^UID:(.*)"),
        facts=facts,
        content=content,
        lost=lost,
    )
