"""A letter in its reader's language: subject, text and HTML from one view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.imip.letter import Sheet, Worded
from gateway.render.phrases import phrases
from gateway.render.templates import Templates
from gateway.render.text import linked
from gateway.render.view import preheader, view
from gateway.render.voice import Translations, Voice, catalogue, voice

KINDS = (
    "invitation",
    "delegation",
    "update",
    "cancellation",
    "removed",
    "reply",
    "booking",
    "refresh",
    "freebusy",
    "proposal",
    "proposal-declined",
    "message",
    "answered",
    "answers",
    "stranger",
    "bounced",
)


class Letters:
    """The renderer that `imip.letter.compose` is given."""

    def __init__(
        self,
        templates: Templates,
        translations: Mapping[str, Translations],
        *,
        language: str = "en",
        zone: str = "UTC",
        map_url: str = "",
        imprint: Sequence[str] = (),
    ) -> None:
        """`language` and `zone` are the gateway's own, for readers of whom nothing is known; `map_url` has {place}."""
        self._templates = templates
        self._translations = translations
        self._language = language
        self._zone = zone
        self._map_url = map_url
        self._imprint = tuple(imprint)

    def render(self, sheet: Sheet) -> Worded:
        """All the words of one letter."""
        speaking = self.voice(sheet)
        kind = sheet.summary.kind if sheet.summary.kind in KINDS else "invitation"
        aside = self._aside(sheet, speaking)
        shown = view(sheet, speaking, aside=aside, map_url=self._map_url, imprint=self._imprint)
        values = {"v": shown, "p": shown.phrases, "preheader": preheader(shown)}
        return Worded(
            language=speaking.language,
            subject=shown.phrases.subject,
            text=_tidy(self._templates.render(f"mail/{kind}.txt", speaking, **values)),
            html=self._templates.render(f"mail/{kind}.html", speaking, **values),
            author=shown.phrases.author,
            comment=" ".join(shown.phrases.intro) if kind == "booking" else "",
        )

    def _aside(self, sheet: Sheet, speaking: Voice) -> str:
        """In a letter whose language is a guess, one line in English says what it is."""
        if not sheet.reader.guessed or speaking.language.partition("-")[0] == "en":
            return ""
        english = voice("en", sheet.reader.zone, available=self._translations, home=self._zone)
        return f"In English: {phrases(sheet, english).subject}"

    def voice(self, sheet: Sheet) -> Voice:
        """The reader's language if there is a catalogue for it, else the gateway's; his zone, else the event's."""
        known = sheet.reader.language if catalogue(sheet.reader.language, self._translations) else ""
        return voice(
            known or self._language,
            sheet.reader.zone,
            available=self._translations,
            home=self._zone,
        )


def _tidy(text: str) -> str:
    """No blanks at line ends, no more than one blank line. The signature's `-- ` keeps its blank (RFC 3676 4.3)."""
    rows = [row if row == "-- " else row.rstrip() for row in text.split("\n")]
    kept = [row for row, before in zip(rows, ["", *rows], strict=False) if row or before]
    return "\n".join(kept).strip("\n") + "\n"


FILTERS = {"linked": linked}

__all__ = ["FILTERS", "KINDS", "Letters"]
