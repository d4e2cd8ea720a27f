"""The content of a mail as it comes over the wire: where it ends, and what is made of its lines (RFC 5321 4.5.2, 2.3.8)."""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
# CR CR LF is one line end that somebody converted twice: two would cut the header in half.
_BARE = re.compile(rb"\r+\n|\r|\n")


class Collector:
    """Takes chunks until CRLF.CRLF and nothing else (no smuggling: CVE-2024-27305), whatever the chunks' borders."""

    __slots__ = ("_buffer", "_dropped", "_most", "_stop")

    def __init__(self, most: int) -> None:
        self._buffer = bytearray(b"\r\n")  # DATA's own line end: a mail may be empty
        self._most = most
        # Stuffed dots do not count (RFC 1870 5), so the raw bound is looser; it is there for the memory alone.
        self._stop = most + most // 2 + len(_END)
        self._dropped = 0

    def feed(self, chunk: bytes) -> bytes | None:
        """Take a chunk; None: the mail goes on; else what followed its end (pipelined commands)."""
        buffer = self._buffer
        start = max(0, len(buffer) - len(_END) + 1)
        buffer += chunk
        end = buffer.find(_END, start)
        if end >= 0:
            rest = bytes(memoryview(buffer)[end + len(_END) :])
            del buffer[end + 2 :]
            return rest
        if self._dropped or len(buffer) > self._stop:
            self._dropped += len(buffer) - len(_END)
            del buffer[: -len(_END)]
        return None

    @property
    def hopeless(self) -> bool:
        """Far over the limit, and no end: waiting for it to refuse politely is no use."""
        return self._dropped > 3 * self._stop

    def content(self) -> bytes | None:
        """The mail with its dots unstuffed; None when it was over the limit."""
        if self._dropped:
            return None
        buffer = self._buffer
        # RFC 5321 4.5.2
        if b"\r\n." in buffer:
            buffer = buffer.replace(b"\r\n.", b"\r\n")
        content = bytes(memoryview(buffer)[2:])
        return content if len(content) <= self._most else None


def straighten(content: bytes) -> tuple[bytes, bool]:
    """Make every bare CR or LF a CRLF; whether there was one (SPEC 1.1).

    RFC 5321 2.3.8 forbids them; passed on as they came they would let our next hop see another end of the mail.
    """
    pairs = content.count(b"\r\n")
    if content.count(b"\n") == pairs and content.count(b"\r") == pairs:
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
