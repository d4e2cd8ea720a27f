"""An answer in plain words: what a person wrote above what he quoted, and the answer that it begins with (SPEC 7.2).

zusagen. Ich bringe Kuchen mit.        ACCEPTED, and the rest is his comment
No problem, but could we meet later?   no answer: a short word counts only where it stands alone
"""

from __future__ import annotations

import email
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message as MimePart
from email.policy import compat32
from html.parser import HTMLParser
from typing import Final

LIMIT: Final = 64 * 1024  # octets of a part that are looked at
LINES: Final = 100
_SEPARATOR = re.compile(
    r"\s*(?:--|[-_=*]{5,}.*|-+\s*(?:original message|ursprüngliche nachricht|forwarded message)\b.*|"
    r"(?:from|von|de|da|van|od|от|差出人|发件人|من)\s?:\s.*@.*)\s*",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\s*(?:>|\|)")
_WORD = re.compile(r"[^\W\d_]+(?:[’'-][^\W\d_]+)*")
_BLOCKS = frozenset({"p", "div", "br", "li", "tr", "table", "h1", "h2", "h3", "blockquote"})
_UNREAD = frozenset({"style", "script", "head", "title"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Words of answers, case-folded, each with its PARTSTAT; a `short` one is so common that it counts only alone."""

    words: Mapping[str, str] = field(default_factory=dict)
    short: Mapping[str, str] = field(default_factory=dict)


def answer(text: str, vocabulary: Vocabulary) -> tuple[str, str]:
    """The PARTSTAT that the text begins with, "" for none; and what else it says."""
    first, _, rest = text.strip().partition("\n")
    found = _WORD.search(first)
    if found is None or any(map(str.isdigit, first[: found.start()])):
        return "", text.strip()
    word, beside = found[0].casefold(), first[found.end() :].strip(" .,;:!…*_")
    if word in vocabulary.words:
        return vocabulary.words[word], "\n".join(filter(None, (beside, rest.strip())))
    if word in vocabulary.short and not beside:
        return vocabulary.short[word], rest.strip()
    return "", text.strip()


def own_words(content: bytes) -> str:
    """What the author of a mail wrote himself; never raises."""
    try:
        return without_quotes(_text(email.message_from_bytes(content, policy=compat32)))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""  # the standard library's readers let these out for hostile mail


def without_quotes(text: str) -> str:
    """The lines above the first quoted one, without the line that announces it, and without a signature."""
    kept: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[: 10 * LINES]:
        if _QUOTED.match(line) or _SEPARATOR.fullmatch(line):
            break
        kept.append(line.rstrip())
    else:
        return "\n".join(kept[:LINES]).strip()
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join(_unannounced(kept)[:LINES]).strip()


def _unannounced(kept: list[str]) -> list[str]:
    """Without `On Monday Alice wrote:`, which mail programs break in two."""
    if kept and kept[-1].endswith((":", "：")):
        last = kept.pop()
        if kept and kept[-1] and not re.search(r"\d{4}|\d{1,2}[:.]\d\d", last):
            kept.pop()
    return kept


def _text(message: MimePart) -> str:
    found: dict[str, str] = {}
    for count, part in enumerate(message.walk()):
        kind = part.get_content_type()
        if count > 100 or kind in found or part.get_content_disposition() == "attachment":
            continue
        if kind in ("text/plain", "text/html"):
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes) and payload.strip():
                found[kind] = _decoded(payload[:LIMIT], part.get_content_charset() or "utf-8")
    return found.get("text/plain") or _of_html(found.get("text/html", ""))


def _decoded(payload: bytes, charset: str) -> str:
    try:
        return payload.decode(charset, "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


class _Reader(HTMLParser):
    """The text of HTML, up to what it quotes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._unread = 0
        self._ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = dict(attrs).get("class") or ""
        if tag == "blockquote" or "gmail_quote" in classes:
            self._ended = True
        self._unread += tag in _UNREAD
        if tag in _BLOCKS:
            self.out.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unread = max(0, self._unread - (tag in _UNREAD))
        if tag in _BLOCKS and tag != "br":
            self.out.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unread and not self._ended:
            self.out.append(" ".join(data.split()) if data.strip() else " ")


def _of_html(text: str) -> str:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return "".join(reader.out)


__all__ = ["Vocabulary", "answer", "own_words", "without_quotes"]
