"""The language, region and zone in which a letter or a page speaks.

The region comes from the language tag, else from the reader's zone: `en` in Berlin writes 14:00, `en` in New York 2:00 PM.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from babel.core import Locale, UnknownLocaleError, get_global

# English without a region: day before month, 24 hours. It is the one form that no reader takes for another.
_NEUTRAL = {"en": "en_150"}
_TRADITIONAL = frozenset({"Hant", "TW", "HK", "MO"})  # Chinese characters that are others


class Translations(Protocol):
    """What gettext and Babel call GNUTranslations."""

    def gettext(self, message: str, /) -> str: ...
    def ngettext(self, singular: str, plural: str, n: int, /) -> str: ...
    def pgettext(self, context: str, message: str, /) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How to speak to one reader. `zone` is None where nothing is known of him; `home` is then for times in UTC."""

    language: str
    translations: Translations
    locale: Locale
    zone: tzinfo | None = None
    home: tzinfo = field(default=UTC)

    @property
    def direction(self) -> str:
        return str(self.locale.text_direction)

    @property
    def onward(self) -> str:
        """An arrow to where the text goes on."""
        return "←" if self.direction == "rtl" else "→"

    def say(self, message: str, **values: object) -> str:
        """A translated sentence with its named values."""
        text = self.translations.gettext(message)
        return text % values if values else text

    def count(self, singular: str, plural: str, n: int, **values: object) -> str:
        """A translated sentence that depends on `n`, which it may name as %(n)s."""
        return self.translations.ngettext(singular, plural, n) % {"n": n, **values}

    def term(self, context: str, message: str) -> str:
        """A short word whose translation depends on where it stands."""
        return self.translations.pgettext(context, message)


def voice(
    language: str,
    zone: str,
    *,
    available: Mapping[str, Translations],
    home: str = "UTC",
) -> Voice:
    """The voice for a language tag (BCP 47) and an IANA zone name, both possibly "" or unknown."""
    wanted = fallbacks(language)
    spoken = catalogue(language, available) or "en"
    same = bool(wanted) and wanted[-1] == spoken.partition("_")[0]
    region = language if same and (len(wanted) > 1 or wanted[0] == spoken) else spoken
    return Voice(
        language=spoken.replace("_", "-"),
        translations=available[spoken],
        locale=locale_of(region, zone),
        zone=zone_of(zone),
        home=zone_of(home) or UTC,
    )


def catalogue(language: str, available: Collection[str]) -> str:
    """The catalogue for a language tag, "" for none: `pt` and `pt-PT` are served by pt_BR, `zh-TW` not by zh_Hans."""
    wanted = fallbacks(language)
    found = next((one for one in wanted if one in available), "")
    if found or not wanted or _TRADITIONAL.intersection(wanted[0].split("_")):
        return found
    return next((one for one in sorted(available) if one.partition("_")[0] == wanted[-1]), "")


def fallbacks(language: str) -> tuple[str, ...]:
    """`pt-BR` -> pt_BR, pt; the tag itself first, in the form of a catalogue's name."""
    parts = [part for part in language.replace("_", "-").split("-") if part.isalnum()]
    if not parts:
        return ()
    names = [parts[0].lower(), *(p.title() if len(p) == 4 else p.upper() for p in parts[1:])]
    return tuple("_".join(names[:count]) for count in range(len(names), 0, -1))


@lru_cache(maxsize=512)
def locale_of(language: str, zone: str) -> Locale:
    """CLDR data for a language, with the territory of the zone where the tag names none."""
    known = fallbacks(language) or ("en",)
    base = known[-1]
    if len(known) == 1:
        territory = get_global("zone_territories").get(zone, "")
        known = (f"{base}_{territory}", _NEUTRAL.get(base, base), base)
    for name in (*known, "en_150"):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    raise UnknownLocaleError(language)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo | None:
    """The IANA zone of that name, or None."""
    if name.upper() in {"UTC", "Z", "ETC/UTC"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None


__all__ = ["Translations", "Voice", "catalogue", "fallbacks", "locale_of", "voice", "zone_of"]
