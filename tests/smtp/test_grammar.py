"""Addresses and parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.grammar import is_mailbox, is_path, is_xtext, split_parameters, split_path


@pytest.mark.parametrize(
    "address",
    [
        "a@b",
        "alice@example.org",
        "a.b+c_d-e@sub.example.org",
        "!#$%&'*+-/=?^_`{|}~@example.org",
        '"John Doe"@example.org',
        '"a@b>c"@example.org',
        '"\\"quoted\\""@example.org',
        '""@example.org',
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "a@xn--mller-kva.example",
        "jürgen@müller.example",
        "用户@例子.广告",
        "a@my_host.example",
        "x" * 256 + "@example.org",
    ],
)
def test_a_mailbox_is_taken_as_written(address: str) -> None:
    assert is_mailbox(address)
    assert split_path(f"<{address}>") == (address, "")
    assert split_path(f"<{address}> SIZE=1  BODY=7BIT ") == (address, "SIZE=1  BODY=7BIT")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b",
        "<a>",
        "<a@>",
        "<@b>",
        "<a@b",
        "a@b>",
        "<a@b>x",
        "<a@b>\tSIZE=1",
        "<a@b(c)>",
        "<(c)a@b>",
        "<@x,@y:a@b>",
        "<a b@c>",
        "<a @b>",
        "< a@b>",
        "<a@b >",
        "<a..b@c>",
        "<.a@b>",
        "<a.@b>",
        "<a@b..c>",
        "<a@.b>",
        "<a@b.>",
        "<a@-b>",
        "<a@b->",
        "<a@b@c>",
        '<"a"b@c>',
        '<"a@b>',
        '<a"b"@c>',
        "<a@[1.2.3]>",
        "<a@[300.1.1.1]>",
        "<a@[IPv6:1]>",
        "<a@[anything]>",
        "<<a@b>>",
        "<a@b\n>",
        "<a@b\x85c>",
        "<a\u2028@b>",
        "<" + "x" * 257 + "@b>",
        "<a@" + "b" * 256 + ">",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    assert split_path(text) is None


def test_the_null_path_and_postmaster_are_the_exceptions() -> None:
    assert split_path("<>") == ("", "")
    assert split_path("<> SIZE=1") == ("", "SIZE=1")
    assert split_path("<PostMaster>") == ("PostMaster", "")
    assert is_path("")
    assert not is_mailbox("postmaster")


@given(st.text(max_size=60))
def test_an_accepted_path_cannot_break_its_line(text: str) -> None:
    for candidate in (text, f"<{text}>", f"<a@b> {text}"):
        found = split_path(candidate)
        if found is not None:
            assert not set(found[0]) & set("\r\n\0")
            assert candidate.startswith(f"<{found[0]}>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("SIZE=1 body=8BITMIME smtputf8", {"SIZE": "1", "BODY": "8BITMIME", "SMTPUTF8": None}),
        ("AUTH=<>", {"AUTH": "<>"}),
        ("ORCPT=utf-8;jürgen@x", {"ORCPT": "utf-8;jürgen@x"}),
        ("SIZE=1 size=2", None),
        ("SIZE=", None),
        ("=1", None),
        ("A_B=1", None),
        ("-A", None),
        ("A=b=c", None),
    ],
)
def test_parameters_are_split(text: str, expected: dict[str, str | None] | None) -> None:
    assert split_parameters(text) == expected


@pytest.mark.parametrize(
    ("text", "good"), [("a+2Bb", True), ("", True), ("a+2b", False), ("a+", False), ("a=b", False)]
)
def test_xtext_is_told_from_other_text(text: str, good: bool) -> None:
    assert is_xtext(text) is good
