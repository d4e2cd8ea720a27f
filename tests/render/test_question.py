"""What the pages choose by themselves: language, clock, and the words of each state."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.imip.letter import Reader
from gateway.ports import Visit
from gateway.render.catalog import catalogues
from gateway.render.choices import accepted
from gateway.render.letters import FILTERS
from gateway.render.question import Questions
from gateway.render.templates import Templates

ROOT = Path(__file__).resolve().parents[2] / "templates"
PAGES = Questions(
    Templates({f"web/{one.name}": one.read_text() for one in (ROOT / "web").glob("*.html")}, filters=FILTERS),
    catalogues({"de": (ROOT / "locale" / "de.po").read_bytes()}),
    language="de",
    zone="UTC",
)


@given(st.text(max_size=600))
def test_any_header_is_read(header: str) -> None:
    assert len(accepted(header)) <= 501
    PAGES.voice(Visit(token="", languages=header, query={"lang": header, "tz": header}), Reader())


@pytest.mark.parametrize(
    ("query", "known", "header", "spoken"),
    [
        ({"lang": "en"}, "de", "de", "en"),
        ({"lang": "xx"}, "en", "de", "en"),
        ({}, "", "fr, en;q=0.5", "en"),
        ({}, "", "fr", "de"),
    ],
)
def test_what_was_chosen_counts_before_what_is_known_and_what_is_asked(
    query: dict[str, str], known: str, header: str, spoken: str
) -> None:
    found = PAGES.voice(Visit(token="", query=query, languages=header), Reader(language=known))
    assert found.language == spoken


def test_a_link_that_leads_nowhere_says_no_more() -> None:
    assert "Dieser Link" in PAGES.nothing(Visit(token="whatever"))


def test_the_colours_of_the_pages_can_be_read_by_everybody() -> None:
    """WCAG 2.2 1.4.3 for text, 1.4.11 for the edges of what one fills in, in both schemes."""
    light, dark = re.findall(r":root \{(.*?)\}", (ROOT / "web" / "pages.css").read_text(), re.DOTALL)
    for scheme in (light, dark):
        found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", scheme))
        for ink, paper in [
            ("ink", "card"),
            ("ink", "page"),
            ("soft", "card"),
            ("soft", "page"),
            ("link", "card"),
            ("link", "page"),
            ("on", "link"),
        ]:
            assert contrast(found[ink], found[paper]) >= 4.5, (ink, paper)
        for tone in ("news", "change", "yes", "maybe", "no"):
            assert contrast(found[tone], found[f"{tone}-bg"]) >= 4.5, tone
        assert min(contrast(found["edge"], found["card"]), contrast(found["edge"], found["page"])) >= 3


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
