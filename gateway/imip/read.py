"""A mail becomes its sender, its addresses and its calendar parts, as RFC 6047 lays them out.

One exception leaves: MalformedMail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.feedparser import BytesFeedParser
from email.message import Message as MimePart
from email.policy import compat32
from email.utils import collapse_rfc2231_value, getaddresses, parsedate_to_datetime

from gateway.errors import MalformedMail
from gateway.ical.address import Address, address, is_mail
from gateway.imip.scan import may_hold_calendar
from gateway.itip.model import Note, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLimits:
    """SPEC 11. Sizes in octets."""

    header: int = 65_536
    parts: int = 100
    depth: int = 10
    calendar: int = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPart:
    """One calendar part, decoded."""

    data: bytes  # UTF-8
    method: str  # of the MIME type, upper case, or ""
    where: str  # inline | attachment | by-name | forwarded
    lowered: tuple[str, ...] = ()  # what makes it less to be trusted
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What deciding needs of a mail."""

    message_id: str = ""
    date: datetime | None = None
    sender: Address | None = None  # the one address of the one From field; Reply-To is never an identity
    to: tuple[Address, ...] = ()
    delivered_to: tuple[Address, ...] = ()
    auto_submitted: str = ""
    is_list: bool = False
    in_reply_to: tuple[str, ...] = ()
    subject: str = ""
    headers: tuple[tuple[str, str], ...] = ()  # lower-case name, unfolded value, top to bottom
    parts: tuple[CalendarPart, ...] = ()
    refusals: tuple[Reason, ...] = ()


_PIECE = 65_536
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_ID = re.compile(r"<[^<>\s]{1,990}>")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)", re.DOTALL)
_ANGLE = re.compile(r"\A[^<>,;]*<\s*([^<>\s,;@]+@[^<>\s,;@]+)\s*>\s*\Z")
_BARE = re.compile(r"\A\s*([^<>\s,;:@]+@[^<>\s,;:@]+)\s*\Z")
_METHOD = re.compile(rb"^METHOD[^:\r\n]*:[ \t]*([A-Za-z-]+)", re.IGNORECASE | re.MULTILINE)
_VERSION_1 = re.compile(rb"^VERSION[^:\r\n]*:[ \t]*1\.0[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(r"\.(?:ics|ical|icalendar|ifb)\Z", re.IGNORECASE)
_BY_TYPE = frozenset({"text/calendar", "application/ics", "text/x-vcalendar"})
_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_STATEFUL = ("iso-2022", "utf-7", "utf-16", "utf-32", "hz")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def read(content: bytes, limits: MailLimits = MailLimits()) -> Mail:
    """Read a mail. Raises MalformedMail when it is none."""
    try:
        message = _parsed(content)
        headers = _headers(message)
        if not headers:
            raise MalformedMail("no header fields")
        if sum(len(name) + len(value) for name, value in headers) > limits.header:
            return _mail(headers, (), (Reason.TOO_LARGE,))
        parts, refusals = _collect(message, limits)
    except MalformedMail:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        # the standard library's readers let these out for hostile headers
        raise MalformedMail(f"unreadable: {type(error).__name__}") from error
    return _mail(headers, parts, refusals)


class _Part(MimePart):
    """A part of a mail, as read: its type, which its parser asks for five times, is taken out of the header once."""

    _kind = ""

    def get_content_type(self) -> str:
        self._kind = self._kind or super().get_content_type()
        return self._kind


def _parsed(content: bytes) -> MimePart:
    """Fed piece by piece: `message_from_bytes` holds a large mail three times more, four octets for each of its own."""
    parser = BytesFeedParser(_Part, policy=compat32)
    for start in range(0, len(content), _PIECE):
        parser.feed(content[start : start + _PIECE])
    return parser.close()


def _mail(
    headers: tuple[tuple[str, str], ...], parts: tuple[CalendarPart, ...], refusals: tuple[Reason, ...]
) -> Mail:
    def values(*names: str) -> list[str]:
        return [value for name, value in headers if name in names]

    sender = _from(values("from"))
    ids = _ID.findall(" ".join(values("message-id")))
    return Mail(
        message_id=ids[0] if ids else "",
        date=_date(values("date")),
        sender=sender,
        to=_addresses(values("to", "cc")),
        delivered_to=_addresses(values("delivered-to", "x-original-to", "envelope-to", "x-envelope-to")),
        auto_submitted=" ".join(values("auto-submitted")).split(";")[0].strip().lower(),
        is_list=_is_list(headers),
        in_reply_to=tuple(dict.fromkeys(_ID.findall(" ".join(values("in-reply-to", "references")))))[:100],
        subject=" ".join(values("subject"))[:998],
        headers=headers,
        parts=parts,
        # what else the mail held matters only when nothing in it could be read
        refusals=() if parts else refusals,
    )


def _headers(message: MimePart) -> tuple[tuple[str, str], ...]:
    return tuple([(name.lower(), _text(_unfolded(str(value)))) for name, value in message.raw_items()])


def _unfolded(value: str) -> str:
    return _FOLD.sub("", value) if "\n" in value else value


def _text(value: str) -> str:
    """Raw 8-bit header octets are UTF-8 (RFC 6532) or are shown as unknown characters; never half of either."""
    if value.isascii():
        return value.strip()
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def _from(fields: list[str]) -> Address | None:
    """RFC 6047 3: the sender is the one address in the one From field; two of either are nobody."""
    if len(fields) != 1:
        return None
    bare = _QUOTED.sub("", fields[0])
    for _ in range(5):  # comments nest
        bare = _COMMENT.sub("", bare)
    found = _ANGLE.match(bare) or _BARE.match(bare)
    if found is None:
        return None
    sender = address("mailto:" + found.group(1).replace("%", "%25"))
    return sender if is_mail(sender) else None


def _addresses(fields: list[str]) -> tuple[Address, ...]:
    found = (address(one) for _, one in getaddresses(fields[:50]) if "@" in one)
    return tuple(dict.fromkeys(found))[:1000]


def _date(fields: list[str]) -> datetime | None:
    try:
        moment = parsedate_to_datetime(fields[0])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (IndexError, ValueError, TypeError, OverflowError):
        return None


def _is_list(headers: tuple[tuple[str, str], ...]) -> bool:
    """RFC 2919, 2369, and the Precedence habit: nothing is ever answered to a list (SPEC 3.4)."""
    return any(
        name in ("list-id", "list-post", "list-unsubscribe")
        or (name == "precedence" and value.lower() in ("list", "bulk", "junk"))
        for name, value in headers
    )


def _collect(message: MimePart, limits: MailLimits) -> tuple[tuple[CalendarPart, ...], tuple[Reason, ...]]:
    parts: list[CalendarPart] = []
    refusals: list[Reason] = []
    for count, (part, depth, forwarded) in enumerate(_walk(message, 0, False)):
        if count >= limits.parts:
            refusals.append(Reason.TOO_MANY_PARTS)
            break
        if depth > limits.depth:
            refusals.append(Reason.TOO_DEEP)
            continue
        found = _look(part, forwarded, limits)
        if isinstance(found, Reason):
            refusals.append(found)
        elif found is not None:
            parts.append(found)
    return tuple(parts), tuple(dict.fromkeys(refusals))


def _walk(part: MimePart, depth: int, forwarded: bool) -> Iterator[tuple[MimePart, int, bool]]:
    """Depth first; whatever lies inside a message/rfc822 is a forward (SPEC 2.2)."""
    yield part, depth, forwarded
    payload = part.get_payload()
    if isinstance(payload, list) and depth <= 50:
        inside = forwarded or part.get_content_maintype() == "message"
        for one in payload:
            if isinstance(one, MimePart):
                yield from _walk(one, depth + 1, inside)


def _look(part: MimePart, forwarded: bool, limits: MailLimits) -> CalendarPart | Reason | None:
    kind = part.get_content_type()
    name = (part.get_filename() or "") if _may_be_named(part) else ""
    if kind in _SMIME:
        return Reason.UNSUPPORTED_SMIME
    if kind in _TNEF or name.lower() == "winmail.dat":
        return Reason.UNSUPPORTED_TNEF
    by_name = kind == "application/octet-stream" and bool(_NAME.search(name))
    if part.is_multipart() or not (kind in _BY_TYPE or by_name):
        return None
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes) or not payload.strip():
        return None
    if len(payload) > limits.calendar:
        return Reason.TOO_LARGE
    if _VERSION_1.search(payload):
        return Reason.UNSUPPORTED_VCALENDAR
    return _part(part, payload, by_name=by_name, forwarded=forwarded)


def _may_be_named(part: MimePart) -> bool:
    """Whether it is worth taking its header fields apart for a name (of these `get_filename` asks)."""
    fields = (part.get("content-disposition", ""), part.get("content-type", ""))
    return any("name" in str(field).lower() for field in fields)


def _part(part: MimePart, payload: bytes, *, by_name: bool, forwarded: bool) -> CalendarPart:
    data, odd_charset = _utf8(payload, _parameter(part, "charset"))
    method = _parameter(part, "method").upper()
    inside = _METHOD.search(data)
    lowered = ["by-name"] if by_name else []
    notes = [Note(code="wrong-charset")] if odd_charset else []
    if method and inside and inside.group(1).decode("ascii").upper() != method:
        # SPEC 2.2: METHOD in the object wins over the parameter
        lowered.append(str(Reason.METHOD_MISMATCH))
        notes.append(Note(code=str(Reason.METHOD_MISMATCH), facts={"parameter": method[:20]}))
    where = "attachment" if part.get_content_disposition() == "attachment" else "inline"
    if by_name:
        where = "by-name"
    if forwarded:
        where = "forwarded"
    return CalendarPart(data=data, method=method, where=where, lowered=tuple(lowered), notes=tuple(notes))


def _parameter(part: MimePart, name: str) -> str:
    value = part.get_param(name)
    if value is None:
        return ""
    return collapse_rfc2231_value(value).strip().strip("'\"")


def _utf8(payload: bytes, declared: str) -> tuple[bytes, bool]:
    """The text as UTF-8, and whether it was in another charset than declared: BOM, stateful charset, UTF-8, declared.

    RFC 5545 3.1.4: where nothing is declared, UTF-8 is what it should be.
    """
    for bom, charset in _BOMS:
        if payload.startswith(bom):
            return payload[len(bom) :].decode(charset, "replace").encode(), False
    declared = declared.lower()
    expected = "utf-8" if declared in ("", "utf8") else declared
    trials = ["utf-8", declared, "cp1252"]
    if declared.startswith(_STATEFUL):
        trials.insert(0, declared)
    for charset in trials:
        try:
            text = payload.decode(charset or "utf-8")
        except (UnicodeError, LookupError):
            continue
        odd = charset != expected and not payload.isascii()
        return text.encode("utf-8", "replace"), odd
    return payload.decode("latin-1").encode(), True


__all__ = ["CalendarPart", "Mail", "MailLimits", "may_hold_calendar", "read"]
