"""Hostile lines cost one pass; what is written reads back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ical.lexer import (
    escape,
    fold,
    join_params,
    mend,
    split_line,
    split_params,
    unescape,
    unfolded,
)

LINES = [
    ("A:b:c", ("A", "", "b:c")),
    ("A;B=c:d", ("A", ";B=c", "d")),
    ('A;B="x:y;z":d', ("A", ';B="x:y;z"', "d")),
    ("A;B=mailto:x@y:d", ("A", ";B=mailto:x@y", "d")),
    ('A;B="open:d', ("A", ';B="open', "d")),
    ('A;B="a","b:c",d:e', ("A", ';B="a","b:c",d', "e")),
    ("A;:d", ("A", ";", "d")),
    (":d", ("", "", "d")),
    ("garbage", None),
    ("garbage;x=y", None),
    ("A;B=mailto:x", None),
]


@pytest.mark.parametrize(("line", "parts"), LINES)
def test_a_line_falls_into_its_parts(line: str, parts: tuple[str, str, str] | None) -> None:
    assert split_line(line) == parts


VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


@given(
    st.lists(
        st.tuples(st.sampled_from(["CN", "MEMBER", "X-A", "TZID"]), VALUES.map(lambda value: (value,))),
        max_size=4,
    )
)
def test_written_parameters_read_back(params: list[tuple[str, tuple[str, ...]]]) -> None:
    text = join_params(params)
    assert split_params(text) == tuple(params)
    assert split_line(f"A{text}:v") == ("A", text, "v")


@given(st.lists(VALUES.filter(lambda value: "," not in value), min_size=2, max_size=4))
def test_written_lists_read_back(values: list[str]) -> None:
    wanted = tuple(f"mailto:{value}" for value in values)
    assert split_params(join_params([("MEMBER", wanted)])) == (("MEMBER", wanted),)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_text_reads_back(text: str) -> None:
    clean = "".join(
        c for c in text.replace("\r\n", "\n").replace("\r", "\n") if c >= " " and c != "\x7f" or c in "\n\t"
    )
    assert unescape(escape(text)) == clean


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n")))
def test_folded_lines_unfold(text: str) -> None:
    folded = fold(text)
    assert folded.replace("\r\n ", "") == text
    assert all(len(line.encode()) <= 75 for line in folded.split("\r\n"))


def test_a_text_unfolds_whatever_its_line_ends() -> None:
    assert unfolded(b"A:b\r\n c\r\n\td\r\nE:f\n g\n\th\n") == b"A:bcd\r\nE:fgh\n"


def test_folding_never_lets_a_line_end_through() -> None:
    assert fold("a\r\nb\rc\nd") == "a\\nb\\nc\\nd"


def test_bytes_that_are_no_utf_8_can_be_folded() -> None:
    text = (b"\x80\xbf" * 200).decode("utf-8", "surrogateescape")
    assert fold(text).replace("\r\n ", "") == text


def test_halves_of_a_character_are_put_together() -> None:
    assert mend("\udcc3\udcbc") == "ü"
    assert mend("\udcfc") == "\udcfc"


# Each shape made a backtracking or rescanning reader quadratic or worse; with one it would run for hours and be killed.
HOSTILE = [
    "A;x=(UTC)a",
    'A;x="\\"',
    ";a",
    ";a=mailto:",
    'a;b="c',
    '"',
    ',"a"',
    ';x=(UTC+01:00)"',
    "A;B=http://",
]


@pytest.mark.parametrize("shape", HOSTILE)
@pytest.mark.parametrize("end", ["", ":", '"', '":1'])
def test_a_hostile_line_is_read_in_one_pass(shape: str, end: str) -> None:
    line = "A;" + shape * (300_000 // len(shape)) + end
    parts = split_line(line)
    if parts is not None:
        split_params(parts[1])
