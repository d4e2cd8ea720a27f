"""The words of an answer in every language that has a catalogue; the letters name words that are among them."""

from __future__ import annotations

from pathlib import Path

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
