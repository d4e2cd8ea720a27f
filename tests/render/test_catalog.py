"""The catalogues: complete, with every placeholder, or refused at start."""

from __future__ import annotations

import re
from functools import cache
from gettext import c2py
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gateway.errors import ConfigError
from gateway.render.catalog import catalogues

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("ar", "de", "es", "fr", "it", "ja", "nl", "pl", "pt_BR", "ru", "zh_Hans")
KEYWORDS = {
    "say": None,
    "count": (1, 2),
    "term": ((1, "c"), 2),
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
}


@cache
def extracted() -> set[tuple[str | None, str]]:
    """Every sentence of the code and the templates of letters and pages."""
    found: set[tuple[str | None, str]] = set()
    for folder, methods in (
        ("gateway/render", [("**.py", "python")]),
        ("templates/mail", [("**.html", "jinja2"), ("**.txt", "jinja2")]),
        ("templates/web", [("**.html", "jinja2")]),
    ):
        for _, _, message, _, context in extract_from_dir(ROOT / folder, methods, keywords=KEYWORDS):
            found.add((context, message[0] if isinstance(message, tuple) else message))
    return found


def texts(message: Message) -> tuple[str, ...]:
    """Each form of a translation."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated(language: str, locales: dict[str, bytes]) -> None:
    catalog = read_po(BytesIO(locales[language]), locale=language)
    translated = {(one.context, ids(one)[0]) for one in catalog if one.id and all(texts(one))}
    assert extracted() - translated == set()
    assert not [one.id for one in catalog if one.fuzzy and one.id] and not catalog.obsolete


def test_english_lists_every_sentence(locales: dict[str, bytes]) -> None:
    catalog = read_po(BytesIO(locales["en"]), locale="en")
    assert {(one.context, ids(one)[0]) for one in catalog if one.id} == extracted()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_the_plural_forms_of_cldr(language: str, locales: dict[str, bytes]) -> None:
    catalog = read_po(BytesIO(locales[language]), locale=language)
    forms = {"ar": 6, "ru": 3, "pl": 3, "ja": 1, "zh_Hans": 1}.get(language, 2)
    assert catalog.num_plurals == forms
    assert all(len(texts(one)) == forms for one in catalog if isinstance(one.id, tuple))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_names_the_values_of_its_source(language: str, locales: dict[str, bytes]) -> None:
    """Only a plural form that is for one number alone may leave the number out: 21 has the form of 1 in Russian."""
    catalog = read_po(BytesIO(locales[language]), locale=language)
    form = c2py(catalog.plural_expr)
    numbers = [form(n) for n in range(1000)]
    for message in catalog:
        named = set(re.findall(r"%\((\w+)\)s", ids(message)[0])) if message.id else set()
        for index, text in enumerate(texts(message) if message.id else ()):
            alone = numbers.count(index) <= 1 and len(texts(message)) > 1
            found = set(re.findall(r"%\((\w+)\)s", text))
            assert found in ((named, named - {"n"}) if alone else (named,)), (message.id, text)


@pytest.mark.parametrize(
    ("language", "wrong"),
    [
        ("fr", "[^\u00a0][:;!?»](?: |$)|[^ ] ?«[^\u00a0]"),  # a no-break space before each of them
        ("de", ": (?:bitte|leiten|antworten|geben)"),  # a sentence after a colon
        ("ja", "[\u3040-\u30ff\u4e00-\u9fff][,.:;!?()]"),  # the full-width forms
        ("zh_Hans", "[\u4e00-\u9fff][,.:;!?()]"),
        ("ar", "[\u0621-\u064a][,;?]"),
    ],
)
def test_punctuation_is_that_of_the_language(language: str, wrong: str, locales: dict[str, bytes]) -> None:
    """But for the lists of words (those with a context), which commas divide."""
    catalog = read_po(BytesIO(locales[language]), locale=language)
    said = [text for one in catalog if one.id and not one.context for text in texts(one)]
    assert [text for text in said if re.search(wrong, text)] == []


def test_babel_takes_every_catalogue_as_it_stands(locales: dict[str, bytes]) -> None:
    assert set(catalogues(locales)) == {"en", *LANGUAGES}


def test_a_broken_catalogue_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        catalogues({"de": b"nonsense\n", "fr": b'#, python-format\nmsgid "%(a)s"\nmsgstr "%(b)s"\n'})
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["locale/de.po", "locale/fr.po"]


def test_english_needs_no_catalogue() -> None:
    assert catalogues({})["en"].gettext("Accept") == "Accept"
