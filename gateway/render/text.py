"""Other people's text made fit to be shown: cleaned, isolated, escaped, and linked where a link is harmless.

Every field of a calendar object is hostile: names, titles, places and descriptions are written by strangers.
"""

from __future__ import annotations

import re
from itertools import accumulate
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from gateway.imip.fields import cut, plain

MOST = 12_000  # Gmail cuts a letter of more than 100 kB, and three octets are a character of Chinese
FSI, PDI = "\u2068", "\u2069"

_NEWLINES = re.compile("\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
# What Outlook hides everything above of; Zimbra strips it too.
_OUTLOOK_RULE = re.compile(r"^\s*(?:\*~)+\*?\s*$")
_DROPPED = re.compile(
    r"\b(?:(?:javascript|vbscript):\S+|data:[\w.+-]+/[\w.+-]+[;,]\S*|file:/\S+)", re.IGNORECASE
)
_LINK = re.compile(r"""https?://[^\s<>"'`{}|\\^]+""", re.IGNORECASE)
_TAIL = ".,;:!?…"
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


def line(text: str, limit: int = 300) -> str:
    """One clean line: no control, no bidi characters, at most `limit` characters."""
    return cut(plain(text), limit)


def place(text: str) -> str:
    """LOCATION, URL or CONFERENCE: free text or an address, without what no reader should follow."""
    return line(harmless(text), 400)


def lines(text: str, *, limit: int = 200, width: int = 2000) -> tuple[str, ...]:
    """The lines of a longer text, cleaned, without blank lines at the ends, at most `limit` of them and MOST characters."""
    kept = [
        line(one.rstrip(), width) for one in _NEWLINES.split(harmless(text)) if not _OUTLOOK_RULE.match(one)
    ]
    while kept and not kept[-1]:
        kept.pop()
    while kept and not kept[0]:
        kept.pop(0)
    ends = accumulate(len(one) for one in kept)
    fits = min(limit, sum(end <= MOST for end in ends))
    return tuple(kept) if len(kept) <= fits else (*kept[:fits], "…")


def harmless(text: str) -> str:
    """The text without script, data and file links (SPEC 11)."""
    return _DROPPED.sub("", text)


def isolate(text: str, direction: str = "ltr") -> str:
    """User text inside a sentence of ours: in isolates where its direction could disturb it."""
    return f"{FSI}{text}{PDI}" if direction == "rtl" or _RTL.search(text) else text


def web_address(text: str) -> str:
    """The text if it is a web address that may become a link, else ""."""
    text = plain(text)
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme.lower() in {"http", "https"} and parts.hostname and " " not in text else ""


def linked(text: str, style: str = "") -> Markup:
    """The text as HTML, its web addresses as links."""
    out: list[Markup] = []
    last = 0
    for match in _LINK.finditer(text):
        url = _trimmed(match.group())
        if not web_address(url):
            continue
        out.append(escape(text[last : match.start()]))
        out.append(
            Markup('<a href="{0}" style="{1}" rel="noopener noreferrer nofollow">{0}</a>').format(url, style)
        )
        last = match.start() + len(url)
    out.append(escape(text[last:]))
    return Markup("").join(out)


def paragraphs(text_lines: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Lines grouped at blank ones."""
    out: list[tuple[str, ...]] = []
    block: list[str] = []
    for one in (*text_lines, ""):
        if one:
            block.append(one)
        elif block:
            out.append(tuple(block))
            block = []
    return tuple(out)


def _trimmed(url: str) -> str:
    """Without the punctuation that ends the sentence, and a bracket that was opened before the address."""
    while url:
        if (
            url[-1] in _TAIL
            or (url[-1] == ")" and url.count("(") < url.count(")"))
            or (url[-1] == "]" and url.count("[") < url.count("]"))
        ):
            url = url[:-1]
        else:
            break
    return url


__all__ = ["harmless", "isolate", "line", "lines", "linked", "paragraphs", "place", "web_address"]
