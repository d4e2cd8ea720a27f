"""The content of a mail as it comes over the wire: where it ends, and what is made of its lines (RFC 5321 4.5.2, 2.3.8)."""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
_MOST_RETURNS = 65_536  # CRs in a row that may be one line end
# Expressions that begin with one octet that is rare: a third of what looking for two octets costs.
DOT = re.compile(rb"\n\.")
_ALONE = re.compile(rb"\r(?!\n)")
# CR CR LF is one line end that somebody converted twice: two would cut the header in half.
_BARE = re.compile(rb"\r+\n|\r|\n")


class Collector:
    """Takes chunks until CRLF.CRLF and nothing else (no smuggling: CVE-2024-27305), whatever the chunks' borders.

    It keeps the last six octets: two that were given out, since a dot is stuffed only behind a line end, and four that may
    begin the end.
    """

    __slots__ = ("_buffer", "_left")

    def __init__(self, most: int) -> None:
        self._buffer = b"\r\n"  # DATA's own line end: a mail may be empty
        self._left = 6 * most + 4 * len(_END)  # a mail so far over the limit has no end

    def feed(self, chunk: bytes) -> tuple[bytes, bytes | None]:
        """Take a chunk. A piece of the mail, its dots unstuffed; and None, or what followed the end (pipelined commands)."""
        buffer = self._buffer + chunk
        dots = DOT.search(buffer) is not None
        end = buffer.find(_END) if dots else -1
        self._left -= len(chunk)
        if end >= 0:
            return _unstuffed(buffer[: end + 2])[2:], buffer[end + len(_END) :]
        cut = max(2, len(buffer) - len(_END) + 1)
        self._buffer = buffer[cut - 2 :]
        return (_unstuffed(buffer[:cut])[2:] if dots else buffer[2:cut]), None

    @property
    def hopeless(self) -> bool:
        """Far over the limit, and no end: waiting for it to refuse politely is no use."""
        return self._left < 0


def _unstuffed(piece: bytes) -> bytes:
    """RFC 5321 4.5.2."""
    return piece.replace(b"\r\n.", b"\r\n")


class Straightener:
    """`straighten` for a mail that comes in pieces."""

    __slots__ = ("_returns", "changed")

    def __init__(self) -> None:
        self._returns = 0  # CRs at the end of what came: the next octet says how many line ends they are
        self.changed = False

    def feed(self, piece: bytes) -> bytes:
        bare = piece.rstrip(b"\r")
        if not bare:
            self._returns += len(piece)
            return self.end(keep=1) if self._returns > _MOST_RETURNS else b""
        before, self._returns = self._returns, len(piece) - len(bare)
        clean, changed = straighten(b"\r" * before + bare if before else bare)
        self.changed = self.changed or changed
        return clean

    def end(self, *, keep: int = 0) -> bytes:
        """What the last CRs are when nothing follows."""
        ends, self._returns = self._returns - keep, keep
        self.changed = self.changed or ends > 0
        return b"\r\n" * ends


class Lines:
    """`has_line_over` for straightened content that comes in pieces, none of which ends within a line end."""

    __slots__ = ("_most", "_open")

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0  # octets of the line that has no end yet

    def is_over(self, piece: bytes) -> bool:
        first = piece.find(b"\r\n")
        if first < 0:
            self._open += len(piece)
            return self._open > self._most
        if self._open + first > self._most:
            return True
        self._open = len(piece) - piece.rfind(b"\r\n") - 2
        return has_line_over(piece, self._most)


def straighten(content: bytes) -> tuple[bytes, bool]:
    """Make every bare CR or LF a CRLF; whether there was one (SPEC 1.1).

    RFC 5321 2.3.8 forbids them; passed on as they came they would let our next hop see another end of the mail.
    """
    if content.count(b"\n") == content.count(b"\r") and _ALONE.search(content) is None:
        return content, False
    return _BARE.sub(b"\r\n", content), True


def has_line_over(content: bytes, most: int) -> bool:
    """Whether a line of straightened content is longer than `most` octets without its CRLF."""
    start = 0
    while len(content) - start > most:
        end = content.rfind(b"\r\n", start, start + most + 2)
        if end < 0:
            return True
        start = end + 2
    return False
