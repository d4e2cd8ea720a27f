"""Finds out, from MIME headers alone, whether a mail can hold a calendar part (SPEC 2.1).

99 % of a content filter's traffic holds none: no body is decoded and nothing is parsed a second time for it. In doubt
the answer is yes, and `imip.read` looks properly.
"""

from __future__ import annotations

import re

DEPTH, PARTS, HEADER = 10, 100, 65_536

# As the standard library reads: the header ends where a line is no field and continues none, blank or not.
_FIELDS = re.compile(rb"(?:(?:From |[\x21-\x39\x3b-\x7e]*:|[ \t])[^\r\n]*(?:\r\n|\r|\n|\Z))*")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_TYPE = re.compile(
    rb"^content-type[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE
)
_BOUNDARY = re.compile(rb'boundary[ \t]*=[ \t\r\n]*(?:"([^"\\]{1,200})"|([^\s;"\\]{1,200}))', re.IGNORECASE)
_CALENDAR = (
    b"text/calendar",
    b"application/ics",
    b"text/x-vcalendar",
    b"application/ms-tnef",
    b"application/vnd.ms-tnef",
    b"pkcs7-mime",
)
# A name in the pieces or the percent signs of RFC 2231 may be any name.
_NAMES = re.compile(rb"\.(?:ics|ical|icalendar|ifb)\b|name\*", re.IGNORECASE)
_REST = re.compile(rb"(--)?[ \t]*\r?$", re.MULTILINE)  # of a delimiter line
_TNEF_NAME = re.compile(rb"winmail\.dat", re.IGNORECASE)


def may_hold_calendar(content: bytes) -> bool:
    """Whether some part of the mail is, by type or name, one that `imip.read` would open."""
    return _may(content, 0, len(content), 0, [PARTS])


def _may(content: bytes, start: int, end: int, depth: int, left: list[int]) -> bool:
    left[0] -= 1
    if left[0] < 0 or depth > DEPTH:
        return True  # too odd to say no
    limit = min(end, start + HEADER)
    fields = _FIELDS.match(content, start, limit)
    body = fields.end() if fields else start
    if body == limit < end:
        return True  # no end of the header in sight
    header = content[start:body]
    blank = _LINE_END.match(content, body, end)
    body = blank.end() if blank else body
    field = _TYPE.search(header)
    kind = field.group(1).lower() if field else b"text/plain"
    if kind.startswith(_CALENDAR) or b"pkcs7-mime" in kind:
        return True
    if kind.startswith(b"application/octet-stream") and _NAMES.search(header):
        return True
    if kind.startswith(b"message/"):
        return kind.startswith(b"message/rfc822") and _may(content, body, end, depth + 1, left)
    if not kind.startswith(b"multipart/"):
        return bool(_TNEF_NAME.search(header))
    boundary = _BOUNDARY.search(field.group(1)) if field else None
    if boundary is None or kind.startswith(b"multipart/digest"):
        return True  # the parts of a digest are mails without saying so (RFC 2046 5.1.5)
    return _inside(content, body, end, depth, left, boundary.group(1) or boundary.group(2))


def _inside(content: bytes, body: int, end: int, depth: int, left: list[int], boundary: bytes) -> bool:
    """The parts between the delimiter lines of RFC 2046 5.1.1."""
    mark = b"--" + boundary.rstrip()
    began = -1
    start = content.find(mark, body, end)
    while start >= 0:
        line = _REST.match(content, start + len(mark), end)
        if line is None or (start and content[start - 1] != 10):
            start = content.find(mark, start + 1, end)
            continue
        if began >= 0 and _may(content, began, start, depth + 1, left):
            return True
        if line.group(1) and start != began:
            return False  # an end right behind a beginning is none to the standard library
        began = min(line.end() + 1, end)
        start = content.find(mark, line.end(), end)
    return began >= 0 and _may(content, began, end, depth + 1, left)
