"""The words by which people answer a mail, in every language that there is a catalogue for."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.imip.words import Vocabulary
from gateway.render.voice import Translations


def vocabulary(translations: Mapping[str, Translations]) -> Vocabulary:
    """English words always count, beside those of the catalogues; a word that two languages use otherwise counts for none."""
    long, short = _Words(), _Words()
    for one in translations.values():

        def term(context: str, message: str, spoken: Translations = one) -> str:
            return f"{message}, {spoken.pgettext(context, message)}"

        long.add("ACCEPTED", term("words that begin a mail", "accept, accepted, accepting"))
        long.add("TENTATIVE", term("words that begin a mail", "maybe, tentative, perhaps"))
        long.add("DECLINED", term("words that begin a mail", "decline, declined, declining"))
        short.add("ACCEPTED", term("words that are a whole mail", "yes, ok, okay"))
        short.add("DECLINED", term("words that are a whole mail", "no, sorry"))
    return Vocabulary(words=long.clear(), short=short.clear())


class _Words:
    def __init__(self) -> None:
        self._found: dict[str, set[str]] = {}

    def add(self, partstat: str, words: str) -> None:
        for word in words.split(","):
            self._found.setdefault(word.strip().casefold(), set()).add(partstat)

    def clear(self) -> dict[str, str]:
        return {word: next(iter(said)) for word, said in self._found.items() if word and len(said) == 1}


__all__ = ["vocabulary"]
