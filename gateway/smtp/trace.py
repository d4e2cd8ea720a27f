"""The Received line that we add, and the loop that they show (RFC 5321 4.4, 6.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime

from gateway.ports import Envelope, Peer

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:\-]*[A-Za-z0-9])?|\[[A-Za-z0-9.:]+\]")
_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_HEADER_SCAN = 1_000_000
OURS = "imip-gateway"  # by this comment `imip.trust` knows the line that is not the border's


def received_line(
    envelope: Envelope, peer: Peer, *, hostname: str, extended: bool, received_at: datetime
) -> bytes:
    """RFC 5321 4.4. The recipient is named only when there is one, since the others may be blind copies (7.2)."""
    helo = peer.helo if len(peer.helo) <= 255 and _NAME.fullmatch(peer.helo) else "unknown"
    literal = f"[IPv6:{peer.address}]" if ":" in peer.address else f"[{peer.address}]"
    by = f"by {hostname} ({OURS}) with {_protocol(envelope, peer, extended=extended)}"
    lines = [f"Received: from {helo} ({literal})" if peer.address else f"Received: from {helo}", by]
    if len(envelope.recipients) == 1 and envelope.recipients[0].address.isprintable():
        lines.append(f"for <{envelope.recipients[0].address}>")
    # with an offset to be named, `format_datetime` asks the system for the time zone of this machine each time
    moment = format_datetime(received_at.astimezone(UTC), usegmt=True).removesuffix("GMT")
    return ("\r\n\t".join(lines) + f"; {moment}+0000\r\n").encode()


def _protocol(envelope: Envelope, peer: Peer, *, extended: bool) -> str:
    """The protocol types of RFC 3848, and of RFC 6531 4.3 for mails with SMTPUTF8."""
    if not extended:
        return "SMTP"
    name = "LMTP" if peer.protocol == "lmtp" else "ESMTP"
    if envelope.smtputf8:
        name = "UTF8LMTP" if peer.protocol == "lmtp" else "UTF8SMTP"
    return name + ("S" if peer.tls else "") + ("A" if peer.user else "")


def hops(content: bytes) -> int:
    """How many Received fields the header has."""
    if content.startswith(b"\r\n"):
        return 0
    end = content.find(b"\r\n\r\n", 0, _HEADER_SCAN)
    return len(_RECEIVED.findall(content[: end if end >= 0 else _HEADER_SCAN]))
