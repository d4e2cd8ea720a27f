"""Tokens: what we made is read back, what anybody else made is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.imip.tokens import LONGEST_NAME, Purpose, Token, Tokens

TOKENS = Tokens(secret=b"one", service="calendar@example.org")
OTHER = Tokens(secret=b"two", service="calendar@example.org")


@given(st.integers(min_value=0, max_value=2**79))
def test_a_row_comes_back_from_its_address(row: int) -> None:
    for address, purpose in ((TOKENS.bounce(row), Purpose.BOUNCE), (TOKENS.answer(row), Purpose.ANSWER)):
        local = address.partition("@")[0]
        assert len(local) <= 64 and local == local.lower()
        for spelling in (address, address.upper(), f"<{address}>"):
            token = TOKENS.read(spelling)
            assert token is not None and (token.purpose, token.row) == (purpose, row)


def test_another_secret_reads_nothing() -> None:
    assert OTHER.read(TOKENS.bounce(7)) is None


def test_a_key_of_before_is_believed_and_signs_nothing_more() -> None:
    turned = Tokens(secret=b"two", service="calendar@example.org", older=(b"one",))
    assert turned.read(TOKENS.bounce(7)) == TOKENS.read(TOKENS.bounce(7))
    assert turned.bounce(7) == OTHER.bounce(7)
    token = turned.read(TOKENS.organizer("alice@example.org", "m1"))
    assert token is not None and turned.is_organizer(token, "alice@example.org", "m1")
    assert not OTHER.is_organizer(token, "alice@example.org", "m1")


@given(st.integers(min_value=0, max_value=2**40 - 1))
def test_the_longest_service_address_that_is_allowed_has_room_for_every_row(row: int) -> None:
    tokens = Tokens(secret=b"one", service=f"{'c' * LONGEST_NAME}@example.org")
    assert len(tokens.bounce(row).partition("@")[0]) == 64
    assert len(tokens.organizer("a", "b").partition("@")[0]) <= 64


def test_a_token_is_good_for_one_purpose() -> None:
    assert TOKENS.read(TOKENS.bounce(7).replace("+b", "+a")) is None


def test_a_changed_token_is_nobodys() -> None:
    address = TOKENS.bounce(7)
    at = address.index("@") - 2
    changed = address[:at] + ("a" if address[at] != "a" else "b") + address[at + 1 :]
    assert TOKENS.read(changed) is None


@pytest.mark.parametrize(
    "address",
    [
        "calendar@example.org",
        "calendar+@example.org",
        "calendar+b@example.org",
        "calendar+bzzzzzzzz@example.org",
        "calendar+b11111111@example.org",
        "calendar+x" + "a" * 24 + "@example.org",
        "other+b" + "a" * 24 + "@example.org",
        "calendar+b" + "a" * 24 + "@example.net",
        "calendar+bé@example.org",
        "nonsense",
        "",
    ],
)
def test_any_other_address_is_no_token(address: str) -> None:
    assert TOKENS.read(address) is None


@given(st.text(max_size=100))
def test_any_text_is_read_without_error(text: str) -> None:
    TOKENS.read(f"calendar+{text}@example.org")


def test_the_organizer_of_a_uid_keeps_one_address() -> None:
    address = TOKENS.organizer("alice@foreign.example", "uid-1")
    assert address == TOKENS.organizer("alice@foreign.example", "uid-1")
    assert address != TOKENS.organizer("alice@foreign.example", "uid-2")
    token = TOKENS.read(address.upper())
    assert token is not None and token.purpose is Purpose.ORGANIZER
    assert TOKENS.is_organizer(token, "alice@foreign.example", "uid-1")
    assert not TOKENS.is_organizer(token, "bob@foreign.example", "uid-1")
    assert not OTHER.is_organizer(token, "alice@foreign.example", "uid-1")


def test_a_row_token_is_no_organizer() -> None:
    token = Token(purpose=Purpose.BOUNCE, row=1, mac=b"x" * 10)
    assert not TOKENS.is_organizer(token, "a", "b")


def test_a_service_address_too_long_for_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        Tokens(secret=b"one", service=f"{'c' * 45}@example.org").bounce(1)


def test_no_secret_is_shown() -> None:
    assert "one" not in repr(TOKENS)
