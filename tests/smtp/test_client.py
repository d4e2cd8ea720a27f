"""The values around a connection (what it does on the wire is in test_sender)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.client import _clean, _sent
from gateway.smtp.talk import Reply


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (250, "sent"),
        (251, "sent"),
        (451, "deferred"),
        (550, "failed"),
        (354, "deferred"),
        (-1, "deferred"),
        (0, "deferred"),
        (999, "deferred"),
    ],
)
def test_the_first_digit_decides(code: int, state: str) -> None:
    assert _sent(Reply(code, "words")).state == state


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_the_words_of_a_peer_become_one_printable_line(text: str) -> None:
    clean = _clean(text)
    assert clean.isprintable()
    assert len(clean) <= 300
    clean.encode()
