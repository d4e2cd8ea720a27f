"""What is offered in a page's settings, and what a browser asks for."""

from __future__ import annotations

import pytest

from gateway.render.choices import accepted, languages, zones


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", ()),
        ("de", ("de",)),
        ("fr;q=0.5, de-AT, en;q=0.7", ("de-AT", "en", "fr")),
        ("de;q=0", ()),
        ("de;q=x, en", ("en",)),
        ("*", ("*",)),
    ],
)
def test_a_browser_asks_for_the_best_language_first(header: str, tags: tuple[str, ...]) -> None:
    assert accepted(header) == tags


def test_languages_name_themselves_and_zones_their_cities() -> None:
    assert [(one.value, one.label) for one in languages(("de", "en"), "de")] == [
        ("de", "Deutsch"),
        ("en", "English"),
    ]
    found = {one.value: one.label for one in zones("de", "Europe/Vienna")}
    assert found["Europe/Vienna"] == "Wien" and found["UTC"] == "UTC" and len(found) > 300
    assert found["Asia/Kolkata"] == "Kalkutta" and found["America/Argentina/Buenos_Aires"] == "Buenos Aires"
    assert not any("/" in one for one in found.values()) and len(set(found.values())) == len(found)
