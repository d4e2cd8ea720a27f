"""The voice of a letter: the language that we have, in the region of its reader."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.render.voice import Voice, fallbacks, zone_of


@pytest.mark.parametrize(
    ("language", "zone", "tongue", "locale"),
    [
        ("en", "Europe/Berlin", "en", "en_DE"),
        ("en", "America/New_York", "en", "en_US"),
        ("en", "UTC", "en", "en_150"),
        ("en-GB", "America/New_York", "en", "en_GB"),
        ("de-AT", "", "de", "de_AT"),
        ("de", "Europe/Zurich", "de", "de_CH"),
        ("DE_at", "", "de", "de_AT"),
        ("fr-CA", "Europe/Paris", "fr", "fr_CA"),
        ("fi-FI", "Europe/Paris", "en", "en_FR"),
        ("pt", "", "pt-BR", "pt_BR"),
        ("pt-PT", "", "pt-BR", "pt_PT"),
        ("zh", "Asia/Taipei", "zh-Hans", "zh_Hans"),
        ("zh-CN", "", "zh-Hans", "zh_Hans_CN"),
        ("zh-Hans-SG", "", "zh-Hans", "zh_Hans_SG"),
        ("zh-TW", "", "en", "en_150"),
        ("ar", "Africa/Cairo", "ar", "ar_EG"),
        ("", "", "en", "en_150"),
        ("xx", "Nowhere/Town", "en", "en_150"),
        ("../../etc", "../../etc/passwd", "en", "en_150"),
    ],
)
def test_a_voice_has_a_language_of_ours_and_a_region(
    language: str, zone: str, tongue: str, locale: str, speak: Callable[..., Voice]
) -> None:
    voice = speak(language, zone)
    assert (voice.language, str(voice.locale)) == (tongue, locale)


def test_arabic_runs_from_right_to_left(speak: Callable[..., Voice]) -> None:
    assert speak("ar").direction == "rtl" and speak("de").direction == "ltr"


def test_a_tag_falls_back_part_by_part() -> None:
    assert fallbacks("zh-Hant-TW") == ("zh_Hant_TW", "zh_Hant", "zh")
    assert fallbacks("pt-br") == ("pt_BR", "pt")


@pytest.mark.parametrize("name", ["", "Europe", "Nowhere/Town", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_an_unknown_zone_is_none(name: str) -> None:
    assert zone_of(name) is None
