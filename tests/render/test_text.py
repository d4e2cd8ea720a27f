"""Other people's text: what is shown is what they wrote, less what could harm."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.render.text import harmless, isolate, line, lines, linked, paragraphs, web_address


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "plain"),
        ("<b>&</b>", "&lt;b&gt;&amp;&lt;/b&gt;"),
        ("see https://a.example/x?y=1&z=2.", "https://a.example/x?y=1&amp;z=2</a>."),
        ("(https://a.example/x_(y))", "https://a.example/x_(y)</a>)"),
        ("https://a.example, https://b.example!", "https://b.example</a>!"),
        ("HTTP://A.example/", "HTTP://A.example/</a>"),
    ],
)
def test_web_addresses_become_links_and_the_rest_is_escaped(text: str, html: str) -> None:
    assert html in linked(text)


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "ftp://a.example/",
        "mailto:a@b.example",
        "http://",
        "https://[",
        "www.a.example",
    ],
)
def test_nothing_else_becomes_a_link(text: str) -> None:
    assert "<a" not in linked(text) and web_address(text) == ""


def test_a_link_cannot_break_out_of_its_attribute() -> None:
    html = linked("https://a.example/\"onmouseover='x' https://b.example/<script>")
    assert re.findall("<[^>]*>", html.replace(' style="" rel="noopener noreferrer nofollow"', "")) == [
        '<a href="https://a.example/">',
        "</a>",
        '<a href="https://b.example/">',
        "</a>",
    ]


@given(st.text(max_size=200))
def test_any_text_holds_no_tag_but_our_links(text: str) -> None:
    assert "<" not in re.sub("</?a[^<>]*>", "", linked(text))


@pytest.mark.parametrize(
    "bad",
    ["javascript:alert(1)", "JavaScript:x", "vbscript:x", "data:text/html;base64,PGI+", "file:///etc/passwd"],
)
def test_script_data_and_file_links_are_dropped(bad: str) -> None:
    assert harmless(f"a {bad} b") == "a  b"


def test_words_before_a_colon_are_kept() -> None:
    assert harmless("The file: see below. Data: 4, 5") == "The file: see below. Data: 4, 5"


def test_a_line_has_no_control_and_no_bidi_character() -> None:
    assert line("a\r\nb\u202ec\u2066\x00\ufeff d\u2028e") == "a bc d e"
    assert line("x" * 400, 10) == "x" * 9 + "…"


def test_lines_lose_blank_ends_and_the_rule_of_outlook() -> None:
    assert lines("\n\nWhen: now\n*~*~*~*~*~*\n\ntext\n\n") == ("When: now", "", "text")
    assert lines("a\n" * 5, limit=2) == ("a", "a", "…")


def test_paragraphs_are_parted_by_blank_lines() -> None:
    assert paragraphs(("a", "b", "", "", "c")) == (("a", "b"), ("c",))


def test_only_text_that_could_turn_a_sentence_is_isolated() -> None:
    assert isolate("Bob") == "Bob"
    assert isolate("שלום") == "\u2068שלום\u2069"
    assert isolate("Bob", "rtl") == "\u2068Bob\u2069"
