"""The catalogues: complete, with every placeholder, or refused at start."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gateway.errors import ConfigError
from gateway.render.catalog import catalogues

ROOT = Path(__file__).resolve().parents[2]
KEYWORDS = {
    "say": None,
    "count": (1, 2),
    "term": ((1, "c"), 2),
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
}


def extracted() -> set[str]:
    """Every sentence of the code and the templates of letters and pages."""
    found: set[str] = set()
    for folder, methods in (
        ("gateway/render", [("**.py", "python")]),
        ("templates/mail", [("**.html", "jinja2"), ("**.txt", "jinja2")]),
        ("templates/web", [("**.html", "jinja2")]),
    ):
        for _, _, message, *_ in extract_from_dir(ROOT / folder, methods, keywords=KEYWORDS):
            found.add(message[0] if isinstance(message, tuple) else message)
    return found


@pytest.mark.parametrize("language", ["de"])
def test_every_sentence_of_a_letter_is_translated(language: str, locales: dict[str, bytes]) -> None:
    catalog = read_po(BytesIO(locales[language]), locale=language)
    translated = {
        message.id[0] if isinstance(message.id, tuple) else message.id
        for message in catalog
        if message.id and all([message.string] if isinstance(message.string, str) else message.string)
    }
    assert extracted() - translated == set()
    assert translated - extracted() == set()


def test_english_lists_every_sentence(locales: dict[str, bytes]) -> None:
    catalog = read_po(BytesIO(locales["en"]), locale="en")
    assert {m.id[0] if isinstance(m.id, tuple) else m.id for m in catalog if m.id} == extracted()


@pytest.mark.parametrize("language", ["de"])
def test_a_translation_names_the_values_of_its_source(language: str, locales: dict[str, bytes]) -> None:
    for message in read_po(BytesIO(locales[language]), locale=language):
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
        named = set(re.findall(r"%\((\w+)\)s", " ".join(ids)))
        assert not message.id or all(set(re.findall(r"%\((\w+)\)s", one)) <= named for one in strings)


def test_a_broken_catalogue_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        catalogues({"de": b"nonsense\n", "fr": b'#, python-format\nmsgid "%(a)s"\nmsgstr "%(b)s"\n'})
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["locale/de.po", "locale/fr.po"]


def test_english_needs_no_catalogue() -> None:
    assert catalogues({})["en"].gettext("Accept") == "Accept"
