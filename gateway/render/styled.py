"""A description as its author laid it out, without what could harm, spy or shout; the only user of nh3."""

from __future__ import annotations

import html
import re

import nh3
from markupsafe import Markup

from gateway.imip.fields import UNSAFE
from gateway.render.text import lines

_TAGS = frozenset(
    [
        "p",
        "br",
        "div",
        "strong",
        "b",
        "em",
        "i",
        "u",
        "s",
        "ul",
        "ol",
        "li",
        "a",
        "blockquote",
        "h3",
        "h4",
        "h5",
        "table",
        "thead",
        "tbody",
        "tr",
        "td",
        "th",
        "code",
        "pre",
        "span",
    ]
)
_ATTRIBUTES = {"a": {"href"}, "*": {"dir", "lang"}}
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_BLOCK = re.compile(r"(?:<br */?>|</(?:p|div|li|tr|h[1-6]|blockquote)>)(?!\s*\Z)", re.IGNORECASE)


def styled(text: str) -> Markup:
    """HTML of a stranger as a piece of ours: text, lists and links, no picture, no style, no script. "" where it says nothing."""
    kept = nh3.clean(
        _readable(text),
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        url_schemes=set(_SCHEMES),
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(kept.strip()) if words(kept) else Markup("")  # noqa: S704  cleaned just now


def words(text: str) -> tuple[str, ...]:
    """What is left of such HTML in a text."""
    bare = nh3.clean(_BLOCK.sub("\n", " ".join(_readable(text).split())), tags=set())
    return lines(html.unescape(bare))


def _readable(text: str) -> str:
    return UNSAFE.sub(lambda one: one[0] if one[0] in "\t\r\n" else "", text)


__all__ = ["styled", "words"]
