"""One content line in, its parts out: parameters, escapes and folding (RFC 5545 3.1, 3.2, 3.3.11; RFC 6868).

Tolerant in reading, strict in writing. What producers really send and the grammar does not know: an unquoted
`SENT-BY=mailto:x`, `CN="a \\"b\\" c"`, a quote that never closes, a parameter without a value, `TZID=(UTC+01:00) Berlin`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

# A parameter value of the grammar, or Outlook's display name of a zone, whose colon does not end the parameters.
# Everything is possessive: a hostile line costs one pass.
_VALUE = r'(?:"[^"]*+"|\((?:UTC|GMT)[+-]\d\d:\d\d\)[^";:]*+|[^",;:]*+)'
_VALUES = rf"{_VALUE}(?:,{_VALUE})*+"
_LIST = re.compile(_VALUES)
_HEAD = re.compile(rf'[^;:"]*+(?:;[^=;:"]*+(?:={_VALUES})?+)*+:')
_PARAM = re.compile(rf';([^=;:"]*+)(?:=({_VALUES}))?+(?=;|\Z)')
_BROKEN_URI = re.compile(r"=(?:mailto|https?|ldaps?|cid):\Z", re.IGNORECASE)
_URI = re.compile(r"(?:mailto:|https?://|ldaps?://|cid:)", re.IGNORECASE)
_ITEM = re.compile(r'"([^"]*+)"|([^,"]++)')
_ESCAPED_QUOTE = re.compile(r'(?:[^"\\]|\\.)*+"(?=[;:]|\Z)')
_PLAIN_QUOTE = re.compile(r'[^"]*+"(?=[;:]|\Z)')
_NAME_END = re.compile("[=;:]")
_VALUE_END = re.compile("[;:]")
_CARET = re.compile(r"\^([nN'^])")
_TEXT = re.compile(r'\\([nN\\;,:"])')
_LINE_END = re.compile(r"\r\n|[\r\n]")
_NEEDS_QUOTES = re.compile(r"[,;:]")
_NEVER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile(r"[\udc80-\udcff]")

# Parameters that hold one value: a comma in them is text that somebody forgot to quote.
_SINGLE = frozenset(
    {"CN", "TZID", "SENT-BY", "EMAIL", "DIR", "ALTREP", "LABEL", "FILENAME", "SCHEDULE-STATUS"}
)

RawParams = tuple[tuple[str, tuple[str, ...]], ...]


def split_line(line: str) -> tuple[str, str, str] | None:
    """Name, parameter text (with its leading semicolon) and value of an unfolded line; None when there is no colon."""
    head, colon, value = line.partition(":")
    if ";" not in head:
        return (head, "", value) if colon else None
    found = _HEAD.match(line)
    if found is None or _BROKEN_URI.search(line, max(0, found.end() - 8), found.end()):
        end = _tolerant_end(line)
    else:
        end = found.end() - 1
    if end < 0:
        return None
    name, semicolon, params = line[:end].partition(";")
    return name, semicolon + params, line[end + 1 :]


def unfolded(data: bytes) -> bytes:
    """A whole text with each of its lines in one piece."""
    data = data.replace(b"\r\n ", b"").replace(b"\n ", b"")
    return data.replace(b"\r\n\t", b"").replace(b"\n\t", b"") if b"\t" in data else data


def split_params(text: str) -> RawParams:
    """The parameters of `;A=b;C="d","e"`: names in upper case, values unquoted and decoded."""
    out: list[tuple[str, tuple[str, ...]]] = []
    if '"' not in text and ":" not in text:  # then nothing but a semicolon ends one
        for item in text.split(";")[1:]:
            name, _, value = item.partition("=")
            if name := name.strip().upper():
                out.append((name, _values(name, value)))
        return tuple(out)
    position = 0
    while position < len(text):
        found = _PARAM.match(text, position)
        if found is None or _URI.match(text, found.end(1) + 1):
            name, value, position = _tolerant_param(text, position)
        else:
            name, value, position = found[1], found[2] or "", found.end()
        name = name.strip().upper()
        if name:
            out.append((name, _values(name, value)))
    return tuple(out)


class Parameter(NamedTuple):
    """A property parameter (RFC 5545 3.2): name in upper case, values unquoted and decoded (RFC 6868)."""

    name: str
    values: tuple[str, ...]


def read_params(text: str) -> tuple[Parameter, ...]:
    """`split_params`; a message is read at the door, from its job and from the calendar, with the same people each time."""
    return _often(text) if len(text) < _SHORT else _parameters(text)


def _parameters(text: str) -> tuple[Parameter, ...]:
    return tuple(map(Parameter._make, split_params(text)))


_SHORT = 256  # characters that are worth keeping
_often = lru_cache(maxsize=4096)(_parameters)


def join_params(params: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    """The parameters as text, quoted where RFC 5545 3.2 asks for it and encoded by RFC 6868."""
    return "".join(f";{name}={','.join(map(_param_value, values))}" for name, values in params)


def escape(text: str) -> str:
    """RFC 5545 3.3.11: plain text as a TEXT value. Control characters, which no TEXT may hold, are dropped."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    text = text.replace(";", "\\;").replace(",", "\\,")
    return _NEVER.sub("", _LINE_END.sub("\\\\n", text))


def unescape(value: str) -> str:
    """RFC 5545 3.3.11 read tolerantly: `\\"` and `\\:` lose their backslash, an unknown escape keeps it (C:\\temp)."""
    if "\\" not in value:
        return value
    return _TEXT.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def fold(line: str) -> str:
    """RFC 5545 3.1: lines of at most 75 octets, never cut inside a character; no line end survives inside."""
    line = _LINE_END.sub("\\\\n", line) if "\n" in line or "\r" in line else line
    if len(line) <= 75 and line.isascii():
        return line
    data = line.encode("utf-8", "surrogateescape")
    if len(data) <= 75:
        return line
    pieces: list[str] = []
    start, room = 0, 75
    while start < len(data):
        end = min(start + room, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80 and end > start + room - 4:
            end -= 1
        pieces.append(data[start:end].decode("utf-8", "surrogateescape"))
        start, room = end, 74
    return "\r\n ".join(pieces)


def mend(text: str) -> str:
    """Octet folding may cut a UTF-8 character in two (RFC 5545 3.1): put its halves together again."""
    if _SURROGATE.search(text):
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return text


def _values(name: str, value: str) -> tuple[str, ...]:
    if '"' not in value:
        if name == "CN":  # no parameter has escapes, yet Lotus and others write CN=Doe\\, Jane
            value = value.replace("\\,", ",")
        parts = (value,) if name in _SINGLE or "," not in value else tuple(value.split(","))
    elif _LIST.fullmatch(value):
        parts = tuple(quoted or plain for quoted, plain in _ITEM.findall(value))
    else:
        parts = (value.removeprefix('"').removesuffix('"').replace('\\"', '"'),)  # Outlook: CN="a \"b\" c"
    return tuple(map(_decoded, parts)) if "^" in value else parts


def _decoded(part: str) -> str:
    """RFC 6868 3.2; an unknown ^ stays."""
    if "^" not in part:
        return part
    return _CARET.sub(lambda found: {"n": "\n", "N": "\n", "'": '"', "^": "^"}[found[1]], part)


def _param_value(value: str) -> str:
    value = _LINE_END.sub("\n", value)
    if "^" in value or "\n" in value or '"' in value:
        value = value.replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    value = _NEVER.sub("", value)
    return f'"{value}"' if _NEEDS_QUOTES.search(value) else value


def _tolerant_end(line: str) -> int:
    """Where the parameters of a line end that the grammar cannot read; -1 if nowhere."""
    position = line.index(";")
    while position < len(line) and line[position] == ";":
        _, _, position = _tolerant_param(line, position)
    return position if position < len(line) else -1


def _tolerant_param(text: str, position: int) -> tuple[str, str, int]:
    """One parameter at the semicolon `position`: name, value as written, and where it ends (at `;`, `:` or the end)."""
    start = position + 1
    end = _next(_NAME_END, text, start)
    name = text[start:end]
    if end >= len(text) or text[end] != "=":
        return name, "", end
    start = end + 1
    if text.startswith('"', start):
        end = _closing_quote(text, start)
    elif uri := _URI.match(text, start):
        end = _next(_VALUE_END, text, uri.end())
    else:
        end = _next(_VALUE_END, text, start)
    return name, text[start:end], end


def _closing_quote(text: str, start: int) -> int:
    """Behind the quote that is followed by `;` or `:`; a backslash before a quote does not close unless nothing else does."""
    found = _ESCAPED_QUOTE.match(text, start + 1) or _PLAIN_QUOTE.match(text, start + 1)
    return found.end() if found else _next(_VALUE_END, text, start + 1)


def _next(stop: re.Pattern[str], text: str, start: int) -> int:
    found = stop.search(text, start)
    return found.start() if found else len(text)


__all__ = [
    "Parameter",
    "escape",
    "fold",
    "join_params",
    "mend",
    "read_params",
    "split_line",
    "split_params",
    "unescape",
    "unfolded",
]
