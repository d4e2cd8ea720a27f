"""Where a mail ends, and what is made of its lines."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.data import Collector, Lines, Straightener, has_line_over, straighten

NASTY = st.lists(
    st.sampled_from([b"\r\n", b".", b"..", b"\r", b"\n", b"a", b"\0", b"\r\n.\r\n", b"\r\n..", b"text"]),
    max_size=40,
).map(b"".join)


def reference(data: bytes) -> tuple[bytes, bytes] | None:
    """RFC 5321 4.5.2, line by line."""
    lines, at = [], 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        line, at = data[at:end], end + 2
        if line == b".":
            return b"".join(lines), data[at:]
        lines.append((line[1:] if line.startswith(b".") else line) + b"\r\n")


@given(NASTY, st.lists(st.integers(1, 7), max_size=60))
def test_the_borders_of_chunks_mean_nothing(data: bytes, sizes: list[int]) -> None:
    collector, at, rest, content = Collector(10_000), 0, None, b""
    for size in [*sizes, len(data) + 1]:
        piece, rest = collector.feed(data[at : at + size])
        content += piece
        at += size
        if rest is not None or at >= len(data):
            break
    expected = reference(data)
    if expected is None:
        assert rest is None
    else:
        assert (content, (rest or b"") + data[at:]) == expected


def test_a_flood_uses_no_memory_and_is_given_up() -> None:
    collector = Collector(1000)
    for _ in range(100):
        assert collector.feed(b"x" * 1000)[1] is None
        assert len(collector._buffer) <= 6
    assert collector.hopeless


def test_a_mail_a_little_too_big_is_waited_for() -> None:
    collector = Collector(1000)
    collector.feed(b"x" * 2000)
    assert not collector.hopeless
    assert collector.feed(b"\r\n.\r\nrest") == (b"xxxx\r\n", b"rest")


@given(NASTY, st.lists(st.integers(1, 7), max_size=60))
def test_a_mail_is_straightened_and_measured_in_pieces_as_it_would_be_whole(
    data: bytes, sizes: list[int]
) -> None:
    straightener, lines, at, straight, over = Straightener(), Lines(3), 0, b"", False
    for size in [*sizes, len(data)]:
        clean = straightener.feed(data[at : at + size])
        over = over or lines.is_over(clean)
        straight += clean
        at += size
    last = straightener.end()
    assert (straight + last, straightener.changed) == straighten(data)
    assert (over or lines.is_over(last)) == has_line_over(straight + last, 3)


def test_a_flood_of_returns_is_not_kept() -> None:
    straightener = Straightener()
    assert straightener.feed(b"\r" * 100_000) == b"\r\n" * 99_999
    assert straightener.feed(b"\n") == b"\r\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\nb\r\n", b"a\r\nb\r\n"),
        (b"a\rb\r\n", b"a\r\nb\r\n"),
        (b"a\r\r\nb\r\r\r\n", b"a\r\nb\r\n"),
        (b"a\n\n\rb", b"a\r\n\r\n\r\nb"),
        (b"a\n.\nb\r\n", b"a\r\n.\r\nb\r\n"),
        (b"", b""),
    ],
)
def test_bare_line_ends_are_straightened_and_noted(content: bytes, expected: bytes) -> None:
    assert straighten(content) == (expected, content != expected)


@given(NASTY)
def test_straight_is_straight_and_stays_so(content: bytes) -> None:
    straight, _ = straighten(content)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", straight)
    assert straighten(straight) == (straight, False)
    assert re.sub(rb"[\r\n]", b"", straight) == re.sub(rb"[\r\n]", b"", content)


@given(st.lists(st.integers(0, 12), max_size=12), st.booleans())
def test_the_longest_line_decides(lengths: list[int], ended: bool) -> None:
    content = b"\r\n".join(b"x" * length for length in lengths) + (b"\r\n" if ended else b"")
    assert has_line_over(content, 8) == any(length > 8 for length in lengths)
