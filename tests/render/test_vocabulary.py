"""The words of an answer in every language that has a catalogue; the letters name words that are among them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.imip.words import answer
from gateway.render.catalog import catalogues
from gateway.render.vocabulary import vocabulary

LOCALES = Path(__file__).resolve().parents[2] / "templates" / "locale"
WORDS = vocabulary(catalogues({one.stem: one.read_bytes() for one in LOCALES.glob("*.po")}))


def test_english_always_counts_and_the_catalogues_beside_it() -> None:
    alone = vocabulary(catalogues({}))
    for word, partstat in (("accept", "ACCEPTED"), ("maybe", "TENTATIVE"), ("decline", "DECLINED")):
        assert answer(word, alone)[0] == answer(word, WORDS)[0] == partstat
    for word, partstat in (("Zusagen", "ACCEPTED"), ("vielleicht", "TENTATIVE"), ("absagen", "DECLINED")):
        assert (answer(word, alone)[0], answer(word, WORDS)[0]) == ("", partstat)
    assert answer("ja", WORDS)[0] == "ACCEPTED" and answer("Ja, aber wann?", WORDS)[0] == ""


def test_no_word_means_two_answers() -> None:
    assert not set(WORDS.words) & set(WORDS.short)
    assert set(WORDS.words.values()) == {"ACCEPTED", "TENTATIVE", "DECLINED"}


@pytest.mark.parametrize(
    ("word", "partstat"),
    [
        ("J’accepte !", "ACCEPTED"),
        ("Rechazo", "DECLINED"),
        ("Forse, dipende dal treno", "TENTATIVE"),
        ("Aceito", "ACCEPTED"),
        ("Afslaan.", "DECLINED"),
        ("przyjmuję", "ACCEPTED"),
        ("Отклоняю", "DECLINED"),
        ("出席します。", "ACCEPTED"),
        ("未定", "TENTATIVE"),
        ("谢绝，谢谢", "DECLINED"),
        ("أعتذر", "DECLINED"),
        ("نعم", "ACCEPTED"),
        ("No, mañana no puedo", ""),
    ],
)
def test_each_language_has_its_answers(word: str, partstat: str) -> None:
    assert answer(word, WORDS)[0] == partstat


@pytest.mark.parametrize("language", [one.stem for one in LOCALES.glob("*.po")])
def test_the_words_that_a_letter_names_are_answers(language: str) -> None:
    """Each word of the line `Or write to ... and begin with ...` in that language, and each word of its catalogue."""
    spoken = catalogues({language: (LOCALES / f"{language}.po").read_bytes()})[language]
    line = spoken.gettext("Or write to %(address)s and begin with accept, maybe or decline.")
    named = {answer(word, WORDS)[0] for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", line)}
    assert named >= {"ACCEPTED", "TENTATIVE", "DECLINED"}
    for message in (
        "accept, accepted, accepting",
        "maybe, tentative, perhaps",
        "decline, declined, declining",
    ):
        said = spoken.pgettext("words that begin a mail", message).split(",")
        assert all(answer(word.strip(), WORDS)[0] for word in said), said
