"""Every language, whole: nothing of a letter or a page is left untranslated or glued, and any meeting can be told in each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.core import Locale

from gateway.accounts import Account
from gateway.errors import GatewayError
from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.tree import prop
from gateway.imip.letter import Links, Reader, Sheet
from gateway.imip.read import read
from gateway.itip.invited import Dated, Standing
from gateway.itip.model import Booked, Declined, Facts, Guest, Said, Summary, Taken, When
from gateway.itip.summary import facts
from gateway.ports import Crasher, Posted, ProposalRow, Undecided, Visit
from gateway.render.letters import FILTERS, KINDS, Letters
from gateway.render.overview import Guest as SeenGuest
from gateway.render.overview import Overview, Overviews
from gateway.render.question import Pending, Question, Questions
from gateway.render.recurrence.shapes import shape
from gateway.render.templates import Templates
from gateway.render.voice import Voice, zone_of

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt-BR", "ru", "zh-Hans")
RTL = {"ar"}
LINKS = Links(
    accept="https://gw.example/r/T?a=yes",
    tentative="https://gw.example/r/T?a=maybe",
    decline="https://gw.example/r/T?a=no",
    mail="calendar+aTOKEN@example.org",
)
MakeSheet = Callable[..., Sheet]
At = Callable[..., When]


class Pseudo:
    """Every message of ours in brackets and in Georgian letters: whatever stays Latin was not translated."""

    def gettext(self, message: str, /) -> str:
        parts = re.split(r"(%\(\w+\)s)", message)
        return (
            "⟦" + "".join(one if one.startswith("%(") else _georgian(one) for one in parts) + "⟧"
            if message
            else ""
        )

    def ngettext(self, singular: str, plural: str, n: int, /) -> str:
        return self.gettext(singular if n == 1 else plural)

    def pgettext(self, context: str, message: str, /) -> str:
        return self.gettext(message)


def _georgian(text: str) -> str:
    return re.sub("[A-Za-z]", lambda one: chr(0x10D0 + ord(one[0].lower()) - ord("a")), text)


# Two messages side by side, unless the first is a whole sentence or the label of a column.
GLUED = re.compile(
    "(?<![.:])"
    + "".join(f"(?<!⟦{_georgian(one)})" for one in ("was", "now", "at present", "proposed"))
    + r"⟧[ \u00a0]+⟦"
)


class PseudoLetters(Letters):
    """Letters in the pseudo-language, with the dates of a locale that has no Latin letters either."""

    locale = "el"

    def voice(self, sheet: Sheet) -> Voice:
        return Voice(
            language="qps",
            translations=Pseudo(),
            locale=Locale.parse(self.locale),
            zone=zone_of("Europe/Berlin"),
        )


class Texts(HTMLParser):
    """What is read of a page: its texts, and those of title, alt and label attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag == "style" or (self._hidden and tag != "body")
        self.found += [value for name, value in attrs if value and name in {"alt", "title", "aria-label"}]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False if tag == "style" else self._hidden

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.found.append(data.strip())


def meeting_of(at: At) -> Facts:
    """A meeting of which every word is Thai, so that a Latin letter in its letter is ours."""
    guests = (
        Guest(address="a@example.org", name="สมชาย", partstat="ACCEPTED", role="CHAIR"),
        Guest(address="b@example.net", name="มานี", partstat="TENTATIVE", role="OPT-PARTICIPANT"),
        Guest(address="c@example.net", name="ปิติ", partstat="DELEGATED"),
        Guest(address="d@example.net", name="ชูใจ"),
    )
    return Facts(
        kind="VEVENT",
        uid="u1@example.org",
        sequence=1,
        title="ประชุม",
        description="วาระ",
        location="ห้อง",
        conference=("ทางไกล",),
        start=at("2026-11-23 15:00"),
        end=at("2026-11-23 16:30"),
        rule="FREQ=MONTHLY;INTERVAL=2;BYDAY=4MO;COUNT=5\nEXDATE:20270125T150000",
        next_dates=(at("2026-11-23 15:00"), at("2027-03-22 15:00")),
        status="TENTATIVE",
        organizer=guests[0],
        guests=guests,
        comment="หมายเหตุ",
    )


def pieces(worded_text: str, html: str) -> Iterator[str]:
    yield from worded_text.splitlines()
    yield from Texts(html).found


def summaries(meeting: Facts, kind: str) -> Iterator[Summary]:
    before = replace(
        meeting, location="", title="เก่า", rule="FREQ=DAILY", status="CONFIRMED", guests=meeting.guests[:2]
    )
    changed = ("location", "title", "rule", "status", "guests", "start")
    said = Said(
        guest=replace(meeting.guests[1], partstat="DELEGATED", sends="d@example.net"), date=meeting.start
    )
    if kind == "answers":
        yield Summary(kind=kind, now=meeting, answers=(said, replace(said, comment="หมายเหตุ")))
    if kind == "booking":
        yield from bookings(meeting)
        return
    if kind == "delegation":
        own = (Guest(address="bob@example.net", stands_for="c@example.net"), meeting.guests[2])
        yield Summary(kind=kind, now=replace(meeting, guests=own))
    for partstat in (
        "ACCEPTED",
        "DECLINED",
        "TENTATIVE",
        "DELEGATED",
        "NEEDS-ACTION",
        "COMPLETED",
        "IN-PROCESS",
    ):
        for what in ("VEVENT", "VTODO"):
            now = replace(meeting, kind=what)
            yield Summary(
                kind=kind,
                now=now,
                before=before,
                changed=changed,
                partstat=partstat,
                attendee=meeting.guests[1],
            )
    one = replace(meeting, rule="", recurrence=meeting.start)
    yield Summary(kind=kind, now=one, before=before, changed=changed, partstat="ACCEPTED", instances=(one,))


def bookings(meeting: Facts) -> Iterator[Summary]:
    """Every answer of a room, for every reason."""
    start, end = meeting.start, meeting.end
    assert start and end
    room = Guest(address="d@example.net", name="ห้อง")
    many = (Taken(start=start, end=end), Taken(start=end, end=meeting.next_dates[1])) * 12
    booked = Booked(most=90, hours="Mo-Fr 08:00-18:00, Sa 09:00-12:00", zone="Asia/Tokyo")
    some = replace(booked, busy=many, accepted=(start,) * 30, declined=(start,) * 2)
    said = [("DECLINED", replace(booked, reason=reason)) for reason in (None, *Declined)]
    said += [("TENTATIVE", booked), ("ACCEPTED", some), ("ACCEPTED", booked)]
    for partstat, one in said:
        yield Summary(kind="booking", now=meeting, partstat=partstat, attendee=room, booked=one)
    for now in (replace(meeting, rule=""), replace(meeting, rule="", recurrence=start)):
        yield Summary(kind="booking", now=now, partstat="ACCEPTED", attendee=room, booked=booked)


@pytest.mark.parametrize("locale", ["el", "he"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_letter_says_anything_untranslated_or_glued(
    kind: str, locale: str, sources: dict[str, str], sheet: MakeSheet, at: At
) -> None:
    letters = PseudoLetters(Templates(sources, filters=FILTERS), {"en": Pseudo()})
    letters.locale = locale
    for summary in summaries(meeting_of(at), kind):
        for links in (Links(), LINKS):
            worded = letters.render(sheet(summary, links=links, site="เว็บ"))
            for text in (worded.subject, worded.author, *pieces(worded.text, worded.html)):
                ours = re.sub(
                    r"https?://\S+|[\w.+-]+@[\w.-]+|UTC[+−\d:]*|C[EE]S?T|Alice Liddell|Bob", "", text
                )
                assert not re.search("[A-Za-z]", ours), (text, summary.partstat)
                assert not GLUED.search(text), text
            assert f'dir="{"rtl" if locale == "he" else "ltr"}"' in worded.html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_letter_has_its_language_and_direction(
    kind: str, language: str, letters: Letters, sheet: MakeSheet, at: At
) -> None:
    for summary in summaries(meeting_of(at), kind):
        worded = letters.render(sheet(summary, language=language, links=LINKS))
        assert worded.language == language
        direction = "rtl" if language in RTL else "ltr"
        assert worded.html.count(f'lang="{language}" dir="{direction}"') >= 2
        said = worded.text + worded.html + worded.subject
        assert "%(" not in said and "duration-" not in said  # Babel's name of a unit that it does not know
        if language not in {"ja", "zh-Hans"}:
            assert not re.search("[\u3040-\u30ff\u4e00-\u9fff]", said)  # nor the stand-alone months of others


def test_a_name_of_the_other_direction_is_isolated_in_a_sentence(
    letters: Letters, sheet: MakeSheet, at: At
) -> None:
    meeting = replace(meeting_of(at), title="Q3 review")
    worded = letters.render(sheet(Summary(kind="invitation", now=meeting), language="ar"))
    assert "\u2068Q3 review\u2069" in worded.subject and "\u2068Alice Liddell\u2069" in worded.text


# --- pages -----------------------------------------------------------------------------------------------------------


class PseudoPages(Questions):
    """Pages in the pseudo-language."""

    locale = "el"

    def voice(self, visit: Visit, known: Reader) -> Voice:
        return Voice(
            language="qps",
            translations=Pseudo(),
            locale=Locale.parse(self.locale),
            zone=zone_of("Europe/Berlin") if visit.query.get("tz") else None,
        )


@pytest.fixture
def pseudo() -> PseudoPages:
    sources = {f"web/{one.name}": one.read_text("utf-8") for one in (TEMPLATES / "web").glob("*.html")}
    return PseudoPages(Templates(sources, filters=FILTERS), {"el": Pseudo()}, language="el", zone="UTC")


def said(html: str) -> None:
    """Every word of the page is a translated one, and none are put together."""
    for text in Texts(html).found:
        ours = re.sub(r"[\w.+-]+@[\w.-]+|UTC[+−\d:]*|C[EE]S?T|Lower Prince’s Quarter", "", text)
        assert not re.search("[A-Za-z]", ours), text
        assert not GLUED.search(text), text


def questions(meeting: Facts, at: At) -> Iterator[Question]:
    update = Summary(
        kind="update",
        now=meeting,
        before=replace(meeting, location="", status="CONFIRMED"),
        changed=("location", "status"),
    )
    dates = tuple(
        Dated(key=f"2026{month}", when=at(f"2026-{month}-23 15:00"), partstat=partstat)
        for month, partstat in (("11", "DECLINED"), ("12", "ACCEPTED"))
    )
    due = datetime(2026, 11, 2, 9, 1, tzinfo=UTC)
    first = Question(
        summary=update,
        recipient="b@example.net",
        recipient_name="มานี",
        account=Account(address="a@example.org", name="สมชาย"),
        action="/r/1",
        nonce="1",
        closed="",
        reachable=False,
        standing=Standing(line=None, whole=True, repeats=True, counters=True, dates=dates),
        date="",
        pending=(),
        problem="",
    )
    yield first
    yield replace(first, values={"answer": "counter"}, problem="time")
    for closed in ("gone", "removed", "cancelled", "over"):
        yield replace(first, closed=closed)
    for problem in ("undone", "late", "both", "again", "stale", "choose", "date", "one", "closed"):
        yield replace(first, problem=problem)
    for answer in ("ACCEPTED", "TENTATIVE", "DECLINED", ""):
        pending = Pending(answer=answer, proposal=not answer, date="", due=due, void=False)
        line = prop("ATTENDEE", "mailto:b@example.net", PARTSTAT=answer or "ACCEPTED")
        yield replace(first, pending=(pending,), standing=replace(first.standing, line=line))


@pytest.mark.parametrize("locale", ["el", "he"])
def test_no_page_of_a_guest_says_anything_untranslated_or_glued(
    locale: str, pseudo: PseudoPages, at: At
) -> None:
    pseudo.locale = locale
    for question in questions(meeting_of(at), at):
        for query in ({}, {"tz": "Europe/Berlin"}):
            said(pseudo.question(question, Visit(token="", query=query)))
    said(pseudo.nothing(Visit(token="")))


@pytest.mark.parametrize("locale", ["el", "he"])
def test_no_page_of_an_organizer_says_anything_untranslated_or_glued(
    locale: str, pseudo: PseudoPages, at: At
) -> None:
    pseudo.locale = locale
    meeting = meeting_of(at)
    now = datetime(2026, 11, 2, 9, 1, tzinfo=UTC)
    states = ("sent", "deferred", "dropped", "failed", "ready")
    guests = [
        SeenGuest(
            guest=replace(one, partstat=partstat) if partstat else None,
            posted=Posted(recipient="b@example.net", method="REQUEST", state=state, reason="550", at=now)
            if state
            else None,
            status="",
            comment="วาระ",
        )
        for one in meeting.guests[1:3]
        for partstat in ("ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED", "NEEDS-ACTION", "")
        for state in (*states, "")
        if partstat or state
    ]
    row = ProposalRow(
        id="1",
        account="a@example.org",
        uid="1",
        recurrence_id="",
        sender="b@example.net",
        sequence=0,
        data=b"",
        start="2026-11-24T14:00:00Z",
        end="2026-11-24T15:00:00Z",
        old_start="2026-11-23",
        old_end="2026-11-24",
        comment="วาระ",
    )
    crashers = tuple(
        Crasher(
            item=word, sender=f"{word or 'x'}@example.net", since=now, word=word, due=now if word else None
        )
        for word in ("", "approved", "refused")
    )
    pages = Overviews(pseudo._templates, {"el": Pseudo()}, pseudo)
    for there, answer in ((True, ""), (False, "accepted"), (True, "declined")):
        for problem in ("", "undone", "given", "late", "both", "again", "stale", "choose"):
            overview = Overview(
                summary=Summary(kind="invitation", now=meeting),
                account=Account(address="a@example.org", name="สมชาย"),
                action="/o/1",
                nonce="1",
                there=there,
                guests=tuple(guests) if there else (),
                proposals=(Undecided(row=row, answer=answer, due=now),),
                crashers=crashers,
                problem=problem,
            )
            said(pages.overview(overview, Visit(token="")))


# --- the corpus ------------------------------------------------------------------------------------------------------


def told(shared: Path, step: int) -> Iterator[tuple[str, Facts]]:
    """The meetings of every `step`th file, calendars and mails alike, seen a day before they begin."""
    paths = sorted(one for one in (shared / "corpus").rglob("*") if one.suffix in {".ics", ".eml"})
    for path in paths[::step]:
        content = path.read_bytes()
        try:
            texts = [content] if path.suffix == ".ics" else [one.data for one in read(content).parts]
            for text in texts:
                meeting = parse_object(text)
                yield from ((f"{path.name} {key}", one) for key, one in _facts(meeting))
        except GatewayError:
            continue


def _facts(meeting: CalendarObject) -> Iterator[tuple[str, Facts]]:
    for key in ([""] if meeting.master is not None else []) + sorted(meeting.overrides):
        first = facts(meeting, key, viewer=None, guest_list="full", now=datetime(2026, 11, 2, tzinfo=UTC))
        if first.start is None or first.start.utc is None or first.start.utc.year < 1900:
            yield key, first
            continue
        before = first.start.utc - timedelta(days=1)
        yield key, facts(meeting, key, viewer=None, guest_list="full", now=before)


def told_in_every_language(meetings: Iterator[tuple[str, Facts]], letters: Letters, sheet: MakeSheet) -> int:
    count = 0
    for _, now in meetings:
        for language in LANGUAGES:
            worded = letters.render(sheet(Summary(kind="invitation", now=now), language=language))
            assert worded.language == language and worded.text and worded.subject
        count += 1
    return count


def test_a_meeting_of_the_corpus_is_told_in_every_language(
    shared: Path, letters: Letters, sheet: MakeSheet
) -> None:
    assert told_in_every_language(told(shared, 60), letters, sheet) > 5


@pytest.mark.slow
def test_any_meeting_of_the_corpus_is_told_in_every_language(
    shared: Path, letters: Letters, sheet: MakeSheet
) -> None:
    assert told_in_every_language(told(shared, 1), letters, sheet) > 300


def test_the_sentence_of_a_rule_of_the_corpus_has_its_next_dates(shared: Path) -> None:
    found = 0
    for name, now in told(shared, 1):
        if not now.rule or "\n" in now.rule or now.start is None or now.recurrence is not None:
            continue
        start = now.start.local.date() if now.start.form == "date" else now.start.local
        known = shape(now.rule, start, zone_of(now.start.zone) if now.start.zone else None)
        if known is None:
            continue
        first = now.start.local.date()
        dates = sorted({one.local.date() for one in now.next_dates})
        days = (
            [dates[0] + timedelta(days=count) for count in range((dates[-1] - dates[0]).days + 1)]
            if dates
            else []
        )
        assert dates == [day for day in days if known.falls_on(day, first)], (name, now.rule)
        found += 1
    assert found > 20
