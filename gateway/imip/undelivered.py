"""The report to a sender that his mail could not be passed on (RFC 3461 6, RFC 3464)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from gateway.imip.fields import date_field
from gateway.ports import ReceivedMail

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_MOST_HEADERS = 64_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One recipient who did not get it, and what the next hop said."""

    recipient: str
    original: str = ""  # ORCPT, with its type
    code: int = 0
    text: str = ""


def report(
    mail: ReceivedMail, failures: Sequence[Failure], *, hostname: str, postmaster: str, now: datetime
) -> bytes:
    """A multipart/report with the headers of the mail, and never its content: the sender has that, others need not."""
    facts = [mail.envelope.sender, *(one.recipient for one in failures), mail.received_at.isoformat()]
    digest = sha256("\0".join(facts).encode()).hexdigest()[:32]
    utf8 = mail.envelope.smtputf8
    global_ = "global-" if utf8 else ""
    parts = (
        _part("text/plain; charset=utf-8", _words(failures, hostname)),
        _part(f"message/{global_}delivery-status", _status(mail, failures, hostname)),
        _part("message/global-headers" if utf8 else "text/rfc822-headers", _headers(mail.content)),
    )
    head = (
        f"From: Mail Delivery System <{postmaster}>\r\n"
        f"To: <{mail.envelope.sender}>\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\n"
        f"{date_field('Date', now).decode()}"
        f"Message-ID: <{digest}@{hostname}>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={global_}delivery-status; boundary="{digest}"\r\n'
    )
    body = b"".join(f"\r\n--{digest}\r\n".encode() + part for part in parts)
    return head.encode() + body + f"\r\n--{digest}--\r\n".encode()


def _part(kind: str, content: bytes) -> bytes:
    encoding = "" if content.isascii() else "Content-Transfer-Encoding: 8bit\r\n"
    return f"Content-Type: {kind}\r\n{encoding}\r\n".encode() + content


def _words(failures: Sequence[Failure], hostname: str) -> bytes:
    lines = [f"This is the mail system at {hostname}.", "", "Your message could not be delivered to:", ""]
    for one in failures:
        lines += [f"<{one.recipient}>", f"    {one.code or ''} {one.text}".rstrip(), ""]
    return "\r\n".join(lines).encode()


def _status(mail: ReceivedMail, failures: Sequence[Failure], hostname: str) -> bytes:
    """RFC 3464 2.2 and 2.3."""
    envid = [f"Original-Envelope-Id: {mail.envelope.envid}"] if mail.envelope.envid else []
    groups = [[*envid, f"Reporting-MTA: dns; {hostname}"]]
    for one in failures:
        said = _STATUS.search(one.text)
        kind = "utf-8" if not one.recipient.isascii() else "rfc822"
        lines = [f"Original-Recipient: {one.original}"] if one.original else []
        lines += [
            f"Final-Recipient: {kind}; {one.recipient}",
            "Action: failed",
            f"Status: {said.group() if said and said.group()[0] == '5' else '5.0.0'}",
        ]
        if one.code:
            lines.append(f"Diagnostic-Code: smtp; {one.code} {one.text}".rstrip())
        groups.append(lines)
    return "\r\n".join("\r\n".join([*lines, ""]) for lines in groups).encode()


def _headers(content: bytes) -> bytes:
    end = content.find(b"\r\n\r\n", 0, _MOST_HEADERS)
    head = content[: end + 2] if end >= 0 else content[:_MOST_HEADERS]
    return head.replace(b"\0", b"")


__all__ = ["Failure", "report"]
