"""Two spellings of one person compare equal; nothing raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ical.address import Address, address, domain, is_mail, mailto

SPELLINGS = [
    ("mailto:Bob@Example.ORG", "bob@example.org"),
    ("MAILTO: bob@example.org ", "bob@example.org"),
    ("bob@example.org", "bob@example.org"),
    ("<mailto:bob@example.org>", "bob@example.org"),
    ('"Bob" <bob@example.org>', "bob@example.org"),
    ("'bob@example.org'", "bob@example.org"),
    ("mailto:bob@example.org?subject=hi", "bob@example.org"),
    ("mailto:b%6Fb@example.org", "bob@example.org"),
    ("mailto:j%C3%BC@x", "jü@x"),
    ("mailto:jü@Bücher.example", "jü@xn--bcher-kva.example"),
    ("mailto:bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example"),
    ("mailto:bob@example.org.", "bob@example.org"),
    ("mailto:a%0d%0ab@x", "ab@x"),
    ("urn:uuid:ABCD", "urn:uuid:abcd"),
    ("/principals/users/A/", "/principals/users/A/"),
    ("https://x/@y", "https://x/@y"),
    ("invalid:nomail", "invalid:nomail"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "canonical"), SPELLINGS)
def test_every_spelling_has_one_canonical_form(text: str, canonical: str) -> None:
    assert address(text) == canonical


@pytest.mark.parametrize(
    "text", ["https://x/@y", "/principals/a@b/", "urn:uuid:1", "a@x,b@y", "", "joe", "mailto:joe"]
)
def test_what_is_no_single_mailbox_gets_no_mail(text: str) -> None:
    assert not is_mail(address(text))
    assert domain(address(text)) == ""


def test_the_domain_is_compared_as_a_labels() -> None:
    assert domain(address("mailto:a@Bücher.Example")) == "xn--bcher-kva.example"


def test_a_percent_sign_in_the_local_part_survives_the_uri() -> None:
    assert mailto(Address("a%b@x")) == "mailto:a%25b@x"


@given(st.text())
def test_any_text_gives_an_address_that_is_its_own_canonical_form(text: str) -> None:
    once = address(text)
    if is_mail(once):
        assert address(mailto(once)) == once
        assert "\n" not in once
        assert "\r" not in once


@pytest.mark.parametrize("letter", ["\u202e", "\u2066", "\u200f", "\u2028", "\u0000", "\u200b", "\u061c"])
def test_what_nobody_sees_is_no_part_of_an_address(letter: str) -> None:
    assert address(f"mailto:{letter}al{letter}ice@example.org") == "alice@example.org"
