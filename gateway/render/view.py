"""What a template shows of a letter: everything decided and in words, nothing left but the layout."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import zip_longest
from urllib.parse import quote

from markupsafe import Markup

from gateway.imip.fields import Mailbox
from gateway.imip.letter import Links, Sheet
from gateway.itip.model import Facts, Guest, Said, Summary
from gateway.render.booking import Reservation, reservation
from gateway.render.changes import Row, listed, person, repeats, rows
from gateway.render.dates import Span, short, span
from gateway.render.phrases import Phrases, given, phrases
from gateway.render.repetition import moves
from gateway.render.styled import styled, words
from gateway.render.text import isolate, line, lines, place, web_address
from gateway.render.voice import Voice

GUESTS = 20
DATES = 3
_SYMBOLS = {"ACCEPTED": "✓", "DECLINED": "✕", "TENTATIVE": "?", "COMPLETED": "✓"}
_OPTIONAL = {"OPT-PARTICIPANT", "NON-PARTICIPANT"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One guest and what he said."""

    name: str
    symbol: str
    word: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place or a link; `url` is "" for what is no web address, `label` what it is called, if anything."""

    text: str
    url: str = ""
    label: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.label, self.text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One of several answers, in a sentence; `date` is the one of a series that it is about."""

    symbol: str
    sentence: str
    date: str = ""
    comment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The letter as the templates see it."""

    kind: str
    lang: str
    direction: str
    phrases: Phrases
    title: str
    when: Span | None = None
    due: bool = False  # `when` is a task's due date
    repeats: str = ""
    moves: str = ""  # when a series begins at another time of his day
    dates: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    changes: tuple[Row, ...] = ()
    place: Place | None = None
    joins: tuple[Place, ...] = ()
    link: Place | None = None
    description: tuple[str, ...] = ()
    styled: Markup = field(default_factory=Markup)
    attached: tuple[Place, ...] = ()
    comment: tuple[str, ...] = ()
    organizer: str = ""
    organizer_address: str = ""
    deputy: str = ""  # who writes for the organizer
    guests: tuple[Answer, ...] = ()
    more_guests: int = 0
    tally: str = ""
    links: Links = field(default_factory=Links)
    site: str = ""
    proposal: str = ""  # its name
    told: tuple[Told, ...] = ()
    more_told: int = 0
    booked: Reservation = field(default_factory=Reservation)
    aside: str = ""  # a line in English
    map: str = ""  # where the place is shown on a map
    imprint: tuple[str, ...] = ()


def view(
    sheet: Sheet, voice: Voice, *, aside: str = "", map_url: str = "", imprint: tuple[str, ...] = ()
) -> View:
    """The view of one letter; `aside`: its line in English; `map_url`: a page of a map, with {place}."""
    summary, now = sheet.summary, sheet.summary.now
    changes: tuple[Row, ...] = ()
    if summary.kind in {"update", "proposal"} and summary.before is not None:
        changes = rows(now, summary.before, summary.changed, voice=voice)
    guests = tuple(_answer(guest, voice) for guest in _people(now))
    return View(
        kind=summary.kind,
        lang=voice.language,
        direction=voice.direction,
        phrases=phrases(sheet, voice),
        title=isolate(line(now.title, 200), voice.direction) or voice.say("(no title)"),
        when=_when(now, voice),
        due=now.start is None,
        repeats="" if now.recurrence else repeats(now, voice),
        moves="" if now.recurrence else moves(now, voice),
        dates=() if now.recurrence else tuple(short(one, voice) for one in now.next_dates[:DATES]),
        skipped=() if now.recurrence else tuple(short(one, voice) for one in now.skipped[:DATES]),
        instances=_instances(summary.instances, voice)
        if summary.kind != "freebusy"
        else _taken(summary, voice),
        changes=changes,
        place=_place(now.location, voice),
        joins=_joins(now, voice),
        link=_link(now),
        description=lines(now.description) or words(now.styled),
        styled=styled(now.styled) if now.styled else Markup(),
        attached=_attached(now, voice),
        comment=lines(_comment(summary), limit=40),
        organizer=person(now.organizer, voice),
        organizer_address=line(now.organizer.address, 254) if now.organizer else "",
        deputy=_deputy(now, voice),
        guests=guests[:GUESTS],
        more_guests=max(0, len(guests) - GUESTS),
        tally=_tally(now, voice),
        links=sheet.links,
        site=sheet.site,
        proposal=line(summary.proposal, 80),
        told=_told(summary, voice),
        more_told=max(0, len(summary.answers) - GUESTS),
        booked=reservation(summary.booked, voice),
        aside=aside,
        map=_on_map(now.location, map_url),
        imprint=imprint,
    )


def preheader(shown: View) -> str:
    """What the inbox shows beside the subject."""
    when = " ".join(shown.when.lines) if shown.when else ""
    place = shown.place.text if shown.place else ""
    return " · ".join(one for one in (when, place, shown.organizer) if one)


def named(mailbox: Mailbox, voice: Voice) -> str:
    """A person by name, or by address."""
    return person(Guest(address=mailbox.address, name=mailbox.name), voice)


def _comment(summary: Summary) -> str:
    return summary.answers[0].comment if len(summary.answers) == 1 else summary.now.comment


def _told(summary: Summary, voice: Voice) -> tuple[Told, ...]:
    """Several answers in a list; a single one is what the letter begins with."""
    if len(summary.answers) < 2:
        return ()
    return tuple(_answered(one, summary.now, voice) for one in summary.answers[:GUESTS])


def _answered(one: Said, now: Facts, voice: Voice) -> Told:
    symbol, _, _, sentence = given(one.guest, now, voice)
    return Told(
        symbol=symbol,
        sentence=sentence,
        date=short(one.date, voice) if one.date else "",
        comment=lines(one.comment, limit=10),
    )


def _when(facts: Facts, voice: Voice) -> Span | None:
    if facts.start is not None:
        return span(facts.start, facts.end, voice)
    return span(facts.end, None, voice) if facts.end is not None else None


def _instances(instances: tuple[Facts, ...], voice: Voice) -> tuple[str, ...]:
    """The single dates that a message speaks of besides the series."""
    moments = [one.start or one.recurrence for one in instances]
    return tuple(short(one, voice) for one in moments if one is not None)[:20]


def _taken(summary: Summary, voice: Voice) -> tuple[str, ...]:
    """The busy times, from when until when; all of them stand in the calendar part."""
    ends = [(one.start, one.end) for one in summary.instances if one.start and one.end]
    return tuple(f"{short(start, voice)} – {short(end, voice)}" for start, end in ends)[:50]


def _place(text: str, voice: Voice) -> Place | None:
    """LOCATION and CONFERENCE are free text or an address; only http and https become links."""
    shown = place(text)
    if not shown:
        return None
    url = web_address(shown)
    return Place(text=shown if url else isolate(shown, voice.direction), url=url)


def _on_map(location: str, map_url: str) -> str:
    """Nobody looks for a web address on a map."""
    shown = place(location)
    return map_url.replace("{place}", quote(shown, safe="")) if shown and not web_address(shown) else ""


def _joins(facts: Facts, voice: Voice) -> tuple[Place, ...]:
    """Where to join, each by its name."""
    found = zip_longest(facts.conference, facts.labels[: len(facts.conference)], fillvalue="")
    places = ((_place(text, voice), _called(label, voice)) for text, label in found)
    return tuple(replace(one, label=label) for one, label in places if one is not None)


def _attached(facts: Facts, voice: Voice) -> tuple[Place, ...]:
    found = ((web_address(one.url), _called(one.name, voice)) for one in facts.attached)
    return tuple(Place(text=url, url=url, label=name) for url, name in found if url)


def _called(name: str, voice: Voice) -> str:
    name = line(name, 80)
    return isolate(name, voice.direction) if name else ""


def _deputy(facts: Facts, voice: Voice) -> str:
    """SENT-BY: whoever writes for the organizer is said to."""
    organizer = facts.organizer
    if organizer is None or not organizer.deputy or organizer.deputy == organizer.address:
        return ""
    deputy = person(Guest(address=organizer.deputy), voice)
    return voice.say("%(deputy)s on behalf of %(who)s", deputy=deputy, who=person(organizer, voice))


def _link(facts: Facts) -> Place | None:
    url = web_address(facts.url)
    return Place(text=url, url=url) if url and url not in facts.conference else None


def _people(facts: Facts) -> tuple[Guest, ...]:
    """Guests, without rooms that the place already names and without the organizer's own line."""
    own = facts.organizer.address.casefold() if facts.organizer else ""
    return tuple(one for one in facts.guests if one.address.casefold() != own)


def _answer(guest: Guest, voice: Voice) -> Answer:
    words = {
        "ACCEPTED": voice.say("accepted"),
        "DECLINED": voice.say("declined"),
        "TENTATIVE": voice.say("maybe"),
        "DELEGATED": voice.say("delegated"),
        "COMPLETED": voice.say("completed"),
        "IN-PROCESS": voice.say("in progress"),
    }
    status = guest.partstat.upper()
    return Answer(
        name=person(guest, voice),
        symbol=voice.onward if status == "DELEGATED" else _SYMBOLS.get(status, "–"),
        word=words.get(status, voice.say("no answer yet")),
        optional=guest.role.upper() in _OPTIONAL,
    )


def _tally(facts: Facts, voice: Voice) -> str:
    """`2 accepted, 1 maybe`: the list of guests in one line."""
    found = [guest.partstat.upper() for guest in _people(facts)]
    yes, maybe, no = (found.count(one) for one in ("ACCEPTED", "TENTATIVE", "DECLINED"))
    parts = [
        voice.count("%(n)s accepted", "%(n)s accepted", yes) if yes else "",
        voice.count("%(n)s maybe", "%(n)s maybe", maybe) if maybe else "",
        voice.count("%(n)s declined", "%(n)s declined", no) if no else "",
    ]
    return listed([part for part in parts if part], voice) if any(parts) else ""


__all__ = ["Answer", "Place", "Told", "View", "named", "preheader", "view"]
