"""HTML that a stranger wrote: what it says stays, whatever else it could do is gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.render.styled import styled, words


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("<p>Bring <b>both</b> <i>keys</i></p>", "<p>Bring <b>both</b> <i>keys</i></p>"),
        ("<ul><li>one</li><li dir=rtl>two</li></ul>", '<ul><li>one</li><li dir="rtl">two</li></ul>'),
        ("<h1>Loud</h1> text", "Loud text"),
        ("read<script>steal()</script><style>b{}</style> this", "read this"),
        ("<p onclick=steal() style='color:white' class=x id=y>seen</p>", "<p>seen</p>"),
        ("<img src=https://spy.example/1.png>seen<iframe src=//x></iframe>", "seen"),
        ("<form action=/r/1><button>Accept</button></form>", "Accept"),
        ("<a href='javascript:steal()'>one</a>", '<a rel="noopener noreferrer nofollow">one</a>'),
        ("<a href='/r/token'>one</a>", '<a rel="noopener noreferrer nofollow">one</a>'),
        (
            "<a href=https://example.org/plan target=_top>plan</a>",
            '<a href="https://example.org/plan" rel="noopener noreferrer nofollow">plan</a>',
        ),
        ("<p>open <b>and never", "<p>open <b>and never</b></p>"),
        ("3 < 4 & 5 > 4", "3 &lt; 4 &amp; 5 &gt; 4"),
        ("gro\u202eatt\u202cack\x07", "groattack"),
        ("<p>&nbsp;</p><img src=https://spy.example/1.png>", ""),
    ],
)
def test_text_lists_and_links_stay(written: str, kept: str) -> None:
    assert styled(written) == kept


@given(st.text(st.sampled_from("<>/=\"' abhimgscrptydvnloe:&;#x0-!\n"), max_size=80))
def test_nothing_that_acts_survives(written: str) -> None:
    kept = styled(written)
    assert not any(f"<{tag}" in kept for tag in ("script", "img", "style", "svg", "form", "meta", "body"))
    assert styled(kept) == kept


def test_its_words_are_lines_of_text() -> None:
    written = (
        "<div>First&nbsp;line<br>second</div>\n<ul>\n<li>1 &lt; 2</li>\n<li>end</li></ul><script>x()</script>"
    )
    assert [one.strip() for one in words(written) if one] == ["First line", "second", "1 < 2", "end"]
