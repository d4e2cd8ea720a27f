"""PLAIN and LOGIN (the dialog 14 shows them on the wire)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.sasl import Login, decode, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\0alice\0pass", Login(username="alice", password="pass")),
        ("alice\0alice\0pass word", Login(username="alice", password="pass word")),
        ("\0jürgen\0", Login(username="jürgen", password="")),
        ("bob\0alice\0pass", None),
        ("\0\0pass", None),
        ("alice\0pass", None),
        ("\0a\0b\0c", None),
    ],
)
def test_plain_names_one_user(text: str, expected: Login | None) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("=", ""), ("YQ==", "a"), ("YQ", None), ("a b", None), ("/w==", None), ("ü", None)]
)
def test_base64_is_strict(text: str, expected: str | None) -> None:
    assert decode(text) == expected


@given(st.text())
def test_any_text_is_decoded_or_not(text: str) -> None:
    found = decode(text)
    assert found is None or isinstance(found, str)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Login(username="alice", password="secret"))
