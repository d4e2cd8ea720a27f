"""A letter as the octets of a mail: RFC 6047 2.4 in the tree that every reader understands (SPEC 6.3).

    multipart/mixed
     |- multipart/alternative        first child: Exchange looks nowhere else (MS-STANOICAL V0343)
     |   |- text/plain
     |   |- text/html
     |   `- text/calendar; method    base64, without Content-Disposition: an attachment is no meeting to Exchange and Evolution
     `- application/ics              the same octets, for readers that look at attachments only

Built by hand: the standard library takes a hundred times as long, leaves bare LF inside base64 and writes invalid addresses.
"""

from __future__ import annotations

from base64 import encodebytes
from binascii import b2a_qp
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from gateway.imip.fields import (
    Mailbox,
    addr_spec,
    bare_id,
    date_field,
    ids_field,
    mailbox_field,
    needs_smtputf8,
    parameter,
    plain,
    text_field,
)
from gateway.ports import OutgoingMail

_ASCII = bytes(range(127))


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterParts:
    """A letter that only needs to be written down. `calendar` already carries METHOD, or is empty in a notice that has
    no meeting in it; ids with or without brackets."""

    envelope_sender: str
    author: Mailbox
    recipient: Mailbox
    subject: str
    date: datetime
    message_id: str
    text: str
    html: str
    method: str
    calendar: bytes
    reply_to: Mailbox | None = None
    deputy: Mailbox | None = None  # who wrote it for the author: Sender
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    language: str = "en"
    auto_submitted: str = ""  # "", "auto-generated", "auto-replied"
    hop: str = ""  # the gateway that sends, for X-Imip-Gateway-Hop
    filename: str = "invite.ics"
    attach: bool = True  # the second copy


def write(parts: LetterParts) -> OutgoingMail:
    """The mail: CRLF only, no line over 998 octets, 78 in the header wherever a word allows it."""
    addresses = tuple(one for one in (parts.author, parts.deputy, parts.recipient, parts.reply_to) if one)
    return OutgoingMail(
        sender=parts.envelope_sender,
        recipient=addr_spec(parts.recipient.address),
        content=header(parts) + body(parts),
        smtputf8=any(needs_smtputf8(one.address) for one in addresses),
    )


def header(parts: LetterParts) -> bytes:
    """The fields of RFC 5322 3.6, our own, and the type of the outer multipart."""
    fields = [
        date_field("Date", parts.date),
        mailbox_field("From", parts.author),
        mailbox_field("Sender", parts.deputy) if parts.deputy else b"",
        mailbox_field("Reply-To", parts.reply_to) if parts.reply_to else b"",
        mailbox_field("To", parts.recipient),
        text_field("Subject", parts.subject),
        ids_field("Message-ID", (parts.message_id,)),
        ids_field("In-Reply-To", (parts.in_reply_to,)),
        ids_field("References", parts.references),
        _ascii_field("Auto-Submitted", parts.auto_submitted),
        b"X-Auto-Response-Suppress: OOF, AutoReply\r\n",
        _ascii_field("X-Imip-Gateway-Hop", parts.hop),
        b"Content-Class: urn:content-classes:calendarmessage\r\n" if parts.calendar else b"",
        _ascii_field("Content-Language", parts.language),
        b"MIME-Version: 1.0\r\n",
    ]
    return b"".join(fields)


def body(parts: LetterParts) -> bytes:
    """The tree, from its Content-Type on. No boundary can occur inside: neither base64 nor quoted-printable holds `=_`."""
    mark = sha256(bare_id(parts.message_id).encode()).hexdigest()[:24].encode("ascii")
    words = (_text_part("plain", parts.text), _text_part("html", parts.html))
    if not parts.calendar:
        return _multipart(b"alternative", b"=_a_" + mark, words)
    encoded = encodebytes(parts.calendar).replace(b"\n", b"\r\n")
    method = plain(parts.method).upper()
    inner = _multipart(
        b"alternative",
        b"=_a_" + mark,
        (*words, _part(f"text/calendar; charset=UTF-8; method={method}", encoded)),
    )
    children = [inner]
    if parts.attach:
        kind = "application/ics" + parameter("name", parts.filename)
        disposition = "attachment" + parameter("filename", parts.filename)
        children.append(_part(kind, encoded, disposition=disposition))
    return _multipart(b"mixed", b"=_m_" + mark, children)


def with_method(calendar: bytes, method: str) -> bytes:
    """RFC 5546 1.4: the calendar text with its METHOD, as the first property, and no other METHOD."""
    lines = [
        line for line in calendar.split(b"\r\n") if not line.upper().startswith((b"METHOD:", b"METHOD;"))
    ]
    return b"\r\n".join([lines[0], b"METHOD:" + method.encode("ascii"), *lines[1:]])


def _ascii_field(name: str, value: str) -> bytes:
    value = plain(value)
    return f"{name}: {value}\r\n".encode("ascii", "ignore") if value else b""


def _multipart(subtype: bytes, boundary: bytes, children: tuple[bytes, ...] | list[bytes]) -> bytes:
    start = b"--" + boundary + b"\r\n"
    return b"".join(
        (
            b"Content-Type: multipart/" + subtype + b';\r\n boundary="' + boundary + b'"\r\n\r\n',
            *(start + child + b"\r\n" for child in children),
            b"--" + boundary + b"--\r\n",
        )
    )


def _part(kind: str, encoded: bytes, *, disposition: str = "") -> bytes:
    lines = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n"
    if disposition:
        lines += f"Content-Disposition: {disposition}\r\n"
    return lines.encode("ascii") + b"\r\n" + encoded


def _text_part(subtype: str, text: str) -> bytes:
    """Quoted-printable where people could still read it, base64 for scripts that it would triple."""
    unix = (text.rstrip() + "\n").replace("\r\n", "\n").replace("\r", "\n")
    octets = unix.replace("\n", "\r\n").encode("utf-8", "replace")
    if len(octets.translate(None, _ASCII)) * 4 < len(octets):
        name, encoded = "quoted-printable", b2a_qp(octets).replace(b"\nFrom ", b"\n=46rom ")  # for mbox
    else:
        name, encoded = "base64", encodebytes(octets).replace(b"\n", b"\r\n")
    lines = f"Content-Type: text/{subtype}; charset=UTF-8\r\nContent-Transfer-Encoding: {name}\r\n\r\n"
    return lines.encode("ascii") + encoded


__all__ = ["LetterParts", "body", "header", "with_method", "write"]
