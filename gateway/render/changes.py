"""What changed, field by field, as people read it: label, what it was, what it is now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

from babel.lists import format_list

from gateway.itip.model import Facts, Guest
from gateway.render.dates import Span, span
from gateway.render.repetition import words
from gateway.render.text import isolate, line, lines, place
from gateway.render.voice import Voice

DIFF_LINES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field. "" on either side: there was nothing, or nothing is left."""

    label: str
    was: str = ""
    now: str = ""


def rows(now: Facts, before: Facts, changed: tuple[str, ...], *, voice: Voice) -> tuple[Row, ...]:
    """The rows for the fields that a summary names as changed, in the order of the letter."""
    fields = set(changed)
    out = []
    for names, label, show in _shown_fields(now, before, voice):
        if fields.isdisjoint(names):
            continue
        was, is_now = show(before), show(now)
        if was != is_now:
            out.append(Row(label=label, was=was, now=is_now))
    if "description" in fields:
        out.extend(_description(now, before, voice))
    if "guests" in fields:
        out.extend(_guests(now, before, voice))
    return tuple(out)


def person(guest: Guest | None, voice: Voice) -> str:
    """The name of somebody, or the address where there is none."""
    if guest is None:
        return ""
    return isolate(line(guest.name, 80) or line(guest.address, 254), voice.direction)


def status(facts: Facts, voice: Voice) -> str:
    known = {
        "CONFIRMED": voice.say("confirmed"),
        "TENTATIVE": voice.say("tentative"),
        "CANCELLED": voice.say("cancelled"),
        "NEEDS-ACTION": voice.say("to do"),
        "IN-PROCESS": voice.say("in progress"),
        "COMPLETED": voice.say("completed"),
    }
    return known.get(facts.status.upper(), "")


def _shown_fields(
    now: Facts, before: Facts, voice: Voice
) -> tuple[tuple[frozenset[str], str, Callable[[Facts], str]], ...]:
    one, two = _span(before, voice), _span(now, voice)
    zones = one is not None and two is not None and one.zone != two.zone
    return (
        (frozenset({"title"}), voice.say("Title"), lambda f: isolate(line(f.title), voice.direction)),
        (frozenset({"start", "end"}), voice.say("When"), lambda f: _when(f, voice, zones)),
        (frozenset({"rule"}), voice.say("Repeats"), lambda f: repeats(f, voice)),
        (frozenset({"location"}), voice.say("Where"), lambda f: isolate(place(f.location), voice.direction)),
        (
            frozenset({"conference"}),
            voice.say("Join"),
            lambda f: ", ".join(filter(None, map(place, f.conference))),
        ),
        (frozenset({"url"}), voice.say("Link"), lambda f: place(f.url)),
        (frozenset({"status"}), voice.say("Status"), lambda f: status(f, voice)),
        (frozenset({"organizer"}), voice.say("Organizer"), lambda f: person(f.organizer, voice)),
    )


def repeats(facts: Facts, voice: Voice) -> str:
    """The recurrence in words; what has none is said to be special, never guessed."""
    start = facts.start or facts.end
    if not facts.rule or start is None:
        return ""
    return words(facts.rule, start, voice) or voice.say("Repeats by a special rule")


def _span(facts: Facts, voice: Voice) -> Span | None:
    if facts.start is not None:
        return span(facts.start, facts.end, voice)
    return span(facts.end, None, voice) if facts.end is not None else None


def _when(facts: Facts, voice: Voice, zones: bool) -> str:
    """The zone is said only where it is part of the change."""
    taken = _span(facts, voice)
    if taken is None:
        return ""
    return f"{taken.whole} ({taken.zone})" if zones and taken.zone else taken.whole


def _description(now: Facts, before: Facts, voice: Voice) -> list[Row]:
    """Only the lines that differ, at most ten of each."""
    old, new = lines(before.description), lines(now.description)
    gone: list[str] = []
    come: list[str] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            gone += [one for one in old[i1:i2] if one]
            come += [one for one in new[j1:j2] if one]
    if not gone and not come:
        return []
    return [Row(label=voice.say("Description"), was=_capped(gone), now=_capped(come))]


def _capped(some: list[str]) -> str:
    return "\n".join(some[:DIFF_LINES] + (["…"] if len(some) > DIFF_LINES else []))


def _guests(now: Facts, before: Facts, voice: Voice) -> list[Row]:
    old = {guest.address.casefold(): guest for guest in before.guests}
    new = {guest.address.casefold(): guest for guest in now.guests}
    added = [person(guest, voice) for key, guest in new.items() if key not in old]
    removed = [person(guest, voice) for key, guest in old.items() if key not in new]
    out = []
    if added:
        out.append(Row(label=voice.say("Guests added"), now=listed(added, voice)))
    if removed:
        out.append(Row(label=voice.say("Guests removed"), now=listed(removed, voice)))
    return out


def listed(names: list[str], voice: Voice, *, limit: int = 20) -> str:
    """Names as a sentence has them, and how many more."""
    if len(names) > limit:
        rest = len(names) - limit
        names = [*names[:limit], voice.count("%(n)s more", "%(n)s more", rest)]
    return str(format_list(names, locale=voice.locale))


__all__ = ["Row", "listed", "person", "repeats", "rows", "status"]
