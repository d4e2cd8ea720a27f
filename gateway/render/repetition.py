"""How a meeting repeats, for one reader: in words where they are true on his clock, else None."""

from __future__ import annotations

from datetime import timedelta

from gateway.itip.model import When
from gateway.render.dates import shown
from gateway.render.recurrence.sentences import sentence
from gateway.render.recurrence.shapes import shape
from gateway.render.voice import Voice, zone_of

_CLOCKS = timedelta(hours=2)  # Berlin and Sydney are eight to ten hours apart


def words(rule: str, start: When, voice: Voice) -> str | None:
    """The sentence for the text of a rule (`Facts.rule`), or None."""
    zone = zone_of(start.zone) if start.zone else None
    if start.form == "zoned" and zone is None and "UNTIL" in rule.upper():
        return None
    found = shape(rule, start.local.date() if start.form == "date" else start.local, zone)
    if found is None or not _days_agree(start, voice) or (found.times and not _same_clock(start, voice)):
        return None
    return sentence(found, voice)


def _days_agree(start: When, voice: Voice) -> bool:
    """A rule speaks of days in the event's zone; in another zone they may be other days, at least in summer."""
    here = shown(start, voice).local.replace(tzinfo=None)
    return _same_clock(start, voice) or all(
        one.date() == start.local.date() for one in (here - _CLOCKS, here, here + _CLOCKS)
    )


def _same_clock(start: When, voice: Voice) -> bool:
    """Whether the reader's clock shows the event's own time all year."""
    if start.form in {"date", "floating"}:
        return True
    if not start.zone:
        return str(voice.zone or voice.home) == "UTC"
    return voice.zone is None or str(voice.zone) == start.zone


__all__ = ["words"]
