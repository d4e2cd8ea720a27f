"""The UID of calendar text, read just far enough to know whether an object is the one that was asked for."""

from __future__ import annotations

import re

_FOLD = re.compile(rb"\r?\n[ \t]")
_LINE = re.compile(
    rb"^(BEGIN|END|UID)((?:;[^:\r\n\"]*(?:\"[^\"\r\n]*\"[^:\r\n\"]*)*)?):([^\r\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_END = re.compile(rb"\n(?![ \t])")
_USUAL = 4096  # octets in which an object tells its UID
_ESCAPED = re.compile(r"\\([\\;,nN])")
_KINDS = frozenset({b"VEVENT", b"VTODO", b"VJOURNAL", b"VFREEBUSY"})


def uid_of(data: bytes) -> str:
    """The first UID of an event, task, journal entry or free/busy answer, unescaped; "" when there is none.

    A UID may stand in a VALARM too (RFC 9074 4), hence the look at where it stands.
    """
    end = _LINE_END.search(data, _USUAL)
    return (_first(data[: end.end()]) if end is not None else "") or _first(data)


def _first(data: bytes) -> str:
    inside: list[bytes] = []
    for match in _LINE.finditer(_FOLD.sub(b"", data)):
        name, value = match[1].upper(), match[3].strip()
        if name == b"BEGIN":
            inside.append(value.upper())
        elif name == b"END":
            if inside:
                inside.pop()
        elif inside and inside[-1] in _KINDS and value:
            return _text(value)
    return ""


def _text(value: bytes) -> str:
    """A TEXT value (RFC 5545 3.3.11) without its escapes."""
    text = value.decode("utf-8", "replace")
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], text)


__all__ = ["uid_of"]
