"""Every reply, as a whole."""

from __future__ import annotations

import re

import pytest

from gateway.smtp import replies

REPLIES = {name: text for name, text in vars(replies).items() if name.isupper() and isinstance(text, str)}


@pytest.mark.parametrize("name", sorted(REPLIES))
def test_a_reply_has_both_codes_of_one_class_and_is_short(name: str) -> None:
    """RFC 2034 4 asks for the enhanced code everywhere but in 3xx, and RFC 3463 2 for the class of the reply."""
    text = REPLIES[name]
    assert re.fullmatch(r"[2-5]\d\d [ -~]+", text)
    assert len(text) < 100
    if not text.startswith("3"):
        match = re.match(r"(\d)\d\d (\d)\.\d{1,3}\.\d{1,3} ", text)
        assert match is not None
        assert match[1] == match[2]


def test_a_reply_of_several_lines_ends_with_a_blank() -> None:
    assert replies.multiline(["a", "b", "c"]) == "250-a\r\n250-b\r\n250 c"
    assert replies.multiline(["a"]) == "250 a"
