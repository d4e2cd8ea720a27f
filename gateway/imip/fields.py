"""Header fields as octets: RFC 5322 structure, RFC 2047 words, RFC 2231 parameters, RFC 6532 only where it must be.

Whatever text comes in, what goes out is one well-formed field: control and bidi characters are gone before anything is
encoded, so neither a CN nor a SUMMARY can begin a line of its own.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.ical.address import address as canonical
from gateway.ical.address import domain

LINE = 78
WORD = 75  # RFC 2047 2
NAME = 80

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Controls, line and paragraph separators, bidi embeddings, overrides and isolates, byte order marks, lone surrogates.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_BREAKS = re.compile("[\\s\u2028\u2029]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")  # RFC 2045 5.1
_PAIR = re.compile("\u2068([^\u2066-\u2069]*)\u2069")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")
_DOT_ATOM = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+)*"
)
_MESSAGE_ID = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
_Q_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A person in From, To or Reply-To."""

    address: str
    name: str = ""


def plain(text: str) -> str:
    """One line of text without control and bidi characters."""
    return UNSAFE.sub("", _BREAKS.sub(" ", text)).strip()


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, ended with an ellipsis where something was taken."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def mail_domain(address: str) -> str:
    """The domain of an address, or a domain itself, as lower-case A-label."""
    text = plain(address).rpartition("@")[2].rstrip(".").lower()
    return text if text.isascii() else domain(canonical(f"x@{text}")) or text


def needs_smtputf8(address: str) -> bool:
    """Whether an address cannot be written in ASCII. A domain always can, a local part never (RFC 6531)."""
    return not addr_spec(address).isascii()


def addr_spec(address: str) -> str:
    """RFC 5322 3.4.1 local part (quoted where it must be) and A-label domain."""
    local, _, _ = plain(address).rpartition("@")
    if not (_DOT_ATOM.fullmatch(local) or (local[:1] == local[-1:] == '"' and len(local) > 2)):
        local = _quoted(local)
    elif local.startswith('"'):
        local = _quoted(re.sub(r"\\(.)", r"\1", local[1:-1]))
    return f"{local}@{mail_domain(address)}"


def text_field(name: str, text: str) -> bytes:
    """An unstructured field such as Subject (RFC 5322 3.6.5); the isolates of our own wording may stay, in pairs."""
    marked = _PAIR.sub("\ue000\\1\ue001", text.replace("\ue000", "").replace("\ue001", ""))
    text = plain(marked).replace("\ue000", "\u2068").replace("\ue001", "\u2069")
    return _folded(name, _words(text, offset=len(name) + 2))


def mailbox_field(name: str, mailbox: Mailbox) -> bytes:
    """From, To or Reply-To with one mailbox (RFC 5322 3.4)."""
    spec = addr_spec(mailbox.address)
    phrase = cut(plain(mailbox.name), NAME)
    if not phrase or phrase.casefold() == mailbox.address.casefold():
        return _folded(name, [spec])
    return _folded(name, [*_phrase(phrase, offset=len(name) + 2), f"<{spec}>"])


def ids_field(name: str, ids: Iterable[str]) -> bytes:
    """Message-ID, In-Reply-To or References; empty where no usable id is left (RFC 5322 3.6.4)."""
    known = [f"<{one}>" for one in dict.fromkeys(map(bare_id, ids)) if one]
    return _folded(name, known) if known else b""


def bare_id(text: str) -> str:
    """A message id without its angle brackets; "" for what we would not repeat in a header."""
    text = text.strip().removeprefix("<").removesuffix(">")
    return text if len(text) < 900 and _MESSAGE_ID.fullmatch(text) else ""


def date_field(name: str, moment: datetime) -> bytes:
    """RFC 5322 3.3, in the moment's own offset."""
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    stamp = f"{day}, {moment.day:02d} {month} {moment.year:04d} {moment:%H:%M:%S}"
    return f"{name}: {stamp} {moment.strftime('%z')[:5] or '-0000'}\r\n".encode("ascii")


def parameter(name: str, value: str) -> str:
    """`; name=value`, quoted where needed, RFC 2231 4 for what is not ASCII."""
    value = plain(value)
    if not value.isascii():
        octets = (chr(octet) if octet in _Q_SAFE else f"%{octet:02X}" for octet in value.encode())
        return f";\r\n {name}*=utf-8''{''.join(octets)}"
    return f"; {name}={value if _TOKEN.fullmatch(value) else _quoted(value)}"


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _phrase(name: str, *, offset: int) -> list[str]:
    parts = name.split(" ")
    if all(map(_ATOM.fullmatch, parts)) and "=?" not in name and len(name) < LINE - offset:
        return parts
    if name.isascii() and "=?" not in name and len(_quoted(name)) < LINE - offset:
        return [_quoted(name)]
    return _encoded(name, offset=offset)


def _words(text: str, *, offset: int) -> list[str]:
    parts = text.split(" ")
    if text.isascii() and "=?" not in text and max(map(len, parts)) <= LINE - offset:
        return parts
    return _encoded(text, offset=offset)


def _encoded(text: str, *, offset: int) -> list[str]:
    """RFC 2047 words, cut between characters; white space between two of them is not part of the text."""
    octets = text.encode("utf-8")
    base64 = sum(3 if octet not in _Q_SAFE and octet != 0x20 else 1 for octet in octets) > len(octets) * 4 / 3
    prefix = f"=?utf-8?{'b' if base64 else 'q'}?"
    room = min(WORD, LINE - offset) - len(prefix) - 2
    out: list[str] = []
    chunk = ""
    for char in text:
        if chunk and len(_payload(chunk + char, base64=base64)) > room:
            out.append(f"{prefix}{_payload(chunk, base64=base64)}?=")
            chunk, room = "", WORD - len(prefix) - 2
        chunk += char
    out.append(f"{prefix}{_payload(chunk, base64=base64)}?=")
    return out


def _payload(text: str, *, base64: bool) -> str:
    octets = text.encode("utf-8")
    if base64:
        return b64encode(octets).decode("ascii")
    return "".join("_" if o == 0x20 else chr(o) if o in _Q_SAFE else f"={o:02X}" for o in octets)


def _folded(name: str, words: Iterable[str]) -> bytes:
    lines: list[str] = []
    line = f"{name}:"
    for word in words:
        if len(line) + 1 + len(word) > LINE and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    lines.append(line)
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


__all__ = [
    "UNSAFE",
    "Mailbox",
    "addr_spec",
    "bare_id",
    "cut",
    "date_field",
    "ids_field",
    "mail_domain",
    "mailbox_field",
    "needs_smtputf8",
    "parameter",
    "plain",
    "text_field",
]
