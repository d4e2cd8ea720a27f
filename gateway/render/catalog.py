"""The gettext catalogues: text of a .po file to what speaks it; the only user of Babel's message formats."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.support import Translations as Compiled

from gateway.errors import ConfigError
from gateway.render.voice import Translations


def catalogues(sources: Mapping[str, bytes]) -> dict[str, Translations]:
    """Language (`de`, `pt_BR`) -> translations, from the text of its .po file. English is always there.

    Raise ConfigError with every file that is broken; a fuzzy entry counts as not translated.
    """
    out: dict[str, Translations] = {"en": _Spoken(Compiled())}
    problems = []
    for language, source in sources.items():
        try:
            out[language] = _compiled(language, source)
        except (PoFileError, ValueError) as error:
            problems.append(f"locale/{language}.po: {error}")
    if problems:
        raise ConfigError(tuple(problems))
    return out


class _Spoken:
    """Babel's translations, with the types that it promises less of."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled

    def gettext(self, message: str, /) -> str:
        return self._compiled.gettext(message) if message else ""

    def ngettext(self, singular: str, plural: str, n: int, /) -> str:
        return self._compiled.ngettext(singular, plural, n)

    def pgettext(self, context: str, message: str, /) -> str:
        return str(self._compiled.pgettext(context, message))


def _compiled(language: str, source: bytes) -> Translations:
    catalog = read_po(BytesIO(source), locale=language, domain="messages", abort_invalid=True)
    for message, errors in catalog.check():  # a placeholder that is missing would fail in the first letter
        raise ValueError(f"line {message.lineno}: {errors[0]}")
    binary = BytesIO()
    write_mo(binary, catalog)
    binary.seek(0)
    return _Spoken(Compiled(binary))


__all__ = ["catalogues"]
