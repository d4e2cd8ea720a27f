"""What a report about a letter says of its fate: RFC 3464 from most servers, plain text from some.

The letter is known by the address that the report came to (VERP), never by what the report says: anybody can write a report.
"""

from __future__ import annotations

import email
import re
from dataclasses import dataclass
from email.message import Message
from email.policy import compat32
from typing import Final

from gateway.imip import fate

WHOLE: Final = 128 * 1024  # octets of a report that are parsed: the letter comes back behind what it says
LIMIT: Final = 64 * 1024  # characters of text that are looked at
WORDS: Final = 400  # characters of the server's own words that are passed on

_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")  # RFC 3463 2
_BASIC = re.compile(r"(?<![\d.])(5[0-5]\d)[ -](?=\S)")
_FINAL = re.compile(
    r"permanent(?:ly)? (?:fatal )?(?:error|failure|failed)|could not be delivered|couldn[’']t be delivered|"
    r"delivery (?:has )?failed|undeliverable|wasn[’']t able to deliver|giving up|returned mail|delivery status notification \(failure\)|"
    r"konnte nicht zugestellt werden|unzustellbar|n[’']a pas pu être (?:remis|distribué)|no se pudo entregar|"
    r"не удалось доставить|не может быть доставлено",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"delayed|still trying|will (?:keep trying|be retried)|warning message only|retry for", re.IGNORECASE
)
_NOBODY = re.compile(r"RESOLVER\.ADR|RecipientNotFound", re.IGNORECASE)
_MACHINES = re.compile(r"mailer-daemon|postmaster|mail delivery|microsoftexchange", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report. `action` as in RFC 3464 2.3.3; `status` is a SCHEDULE-STATUS, "" where the report decides nothing."""

    action: str  # failed | delayed | delivered | relayed | expanded
    status: str = ""
    words: str = ""  # the server's own


def read(content: bytes) -> Report | None:
    """The report that a mail is; None for anything else, such as an out-of-office. Never raises."""
    try:
        mail = email.message_from_bytes(content[:WHOLE], policy=compat32)
        return _of_fields(mail) or _of_text(mail)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # the standard library's readers let these out for hostile mail


def _of_fields(mail: Message) -> Report | None:
    """RFC 3464: the first recipient's block that says something; a letter of ours has one recipient."""
    for part in mail.walk():
        if part.get_content_type() not in ("message/delivery-status", "message/global-delivery-status"):
            continue
        for fields in _blocks(part):
            action = fields.get("action", "").split("(")[0].strip().lower()
            if action:
                return _report(action, _word(fields.get("status", "")), _diagnosis(fields))
    return None


def _blocks(part: Message) -> list[dict[str, str]]:
    """Groups of fields; some servers send them encoded, so that the parser has one text instead of messages."""
    payload = part.get_payload()
    inside = [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else [part]
    whole = Message(policy=compat32)
    whole["Content-Transfer-Encoding"] = part.get("Content-Transfer-Encoding", "8bit")
    whole.set_payload("\n\n".join(_raw(one, fields=one is not part) for one in inside))
    groups = re.split(r"\n\s*\n", _decoded(whole).replace("\r\n", "\n").strip())
    return [
        {
            name.lower(): str(value)
            for name, value in email.message_from_string(group, policy=compat32).items()
        }
        for group in groups
    ]


def _diagnosis(fields: dict[str, str]) -> str:
    """Without the kind of code before the semicolon (RFC 3464 2.3.6)."""
    text = fields.get("diagnostic-code", "")
    kind, found, rest = text.partition(";")
    return _line(rest if found and re.fullmatch(r"\s*[\w.-]+\s*", kind) else text)


def _of_text(mail: Message) -> Report | None:
    """qmail, older Exim, and servers that write for people: only what a machine wrote, and only what is final for certain."""
    subject, sender = str(mail.get("Subject", "")), str(mail.get("From", ""))
    failed = mail.get("X-Failed-Recipients")
    if not (failed or _MACHINES.search(sender) or mail.get_content_type() == "multipart/report"):
        return None
    told = next((_decoded(one) for one in mail.walk() if one.get_content_type() == "text/plain"), "")[:LIMIT]
    head = (
        told.replace("\r\n", "\n").split("\nReceived:")[0].split("\nReturn-Path:")[0]
    )  # the letter comes back below
    if not failed and not _FINAL.search(subject) and not _FINAL.search(head):
        return _report("delayed", "", "") if _LATER.search(subject) or _LATER.search(head) else None
    if _LATER.search(subject) and not _FINAL.search(subject):
        return _report("delayed", "", "")
    found = _ENHANCED.search(head)
    basic = _BASIC.search(head)
    at = min((one.start() for one in (found, basic) if one is not None), default=0)
    return _report("failed", found[1] if found else "", _line(head[at:].split("\n\n")[0]) if at else "")


def _report(action: str, status: str, words: str) -> Report:
    if action == "delivered":
        return Report(action=action, status=fate.DELIVERED, words=words)
    if action != "failed":
        return Report(action=action, words=words)
    return Report(action=action, status=_meaning(status, words), words=words)


def _meaning(status: str, words: str) -> str:
    """The server's words know more than a status of 5.0.0, and more than one of a temporary trouble that was given up."""
    told = _ENHANCED.search(words)
    if _NOBODY.search(
        words
    ):  # Exchange says 5.1.10, which elsewhere is a domain that takes no mail (RFC 7505)
        return fate.NO_SUCH_USER
    exact = status if status.startswith("5.") and not status.startswith("5.0.") else ""
    return fate.of_failure(exact or (told[1] if told is not None else "") or status)


def _word(text: str) -> str:
    found = _ENHANCED.search(text)
    return found[1] if found else ""


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


def _raw(part: Message, *, fields: bool) -> str:
    """As it came; what the parser took for fields of a message is one of the groups."""
    payload = part.get_payload()
    head = [f"{name}: {value}" for name, value in part.items()] if fields else []
    return "\n".join([*head, "", payload if isinstance(payload, str) else ""])


def _line(text: str) -> str:
    return " ".join(text.split())[:WORDS]


__all__ = ["Report", "read"]
