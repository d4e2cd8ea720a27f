"""The guest's page in his language and on his clock: all of it is decided here, the template only lays it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from gateway.accounts import Account
from gateway.imip.fields import Mailbox
from gateway.imip.letter import Reader, Sheet
from gateway.itip.invited import Standing
from gateway.itip.model import Summary, When
from gateway.ports import Visit
from gateway.render.choices import Choice, accepted, as_chosen, city, clock_of, languages, zones
from gateway.render.dates import clock, short, shown
from gateway.render.elsewhere import Elsewhere, elsewhere
from gateway.render.templates import Templates
from gateway.render.text import isolate, line, lines
from gateway.render.view import View, named, view
from gateway.render.voice import Translations, Voice, catalogue, voice, zone_of

_ASKED = {"yes": "accepted", "maybe": "tentative", "no": "declined"}
_TONES = {
    "ACCEPTED": ("yes", "✓"),
    "TENTATIVE": ("maybe", "?"),
    "DECLINED": ("no", "✕"),
    "DELEGATED": ("news", "→"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An answer or a proposal that can still be taken back; `void`: it will never take effect."""

    answer: str
    proposal: bool
    date: str
    due: datetime
    void: bool
    start: str = ""
    to: str = ""  # whom he sends in his place


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a page is made of. `values` are the fields of a form that came back, or what the link preselects."""

    summary: Summary
    recipient: str
    recipient_name: str
    account: Account
    action: str
    nonce: str
    closed: str
    reachable: bool
    standing: Standing
    date: str
    pending: tuple[Pending, ...]
    problem: str
    values: Mapping[str, str] = field(default_factory=dict)
    language: str = ""  # that the guest has answered in
    zone: str = ""  # the clock that he has answered by
    answered: datetime | None = None  # when he gave the answer that counts
    feed: str = ""  # where his calendar program may come back for the meeting


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """One thing to know before anything else: word and shape, never colour alone. `urgent`: it answers what was done."""

    tone: str
    symbol: str
    text: str
    urgent: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionView:
    """The page as the template sees it."""

    v: View
    banners: tuple[Banner, ...]
    answering: str
    action: str
    nonce: str
    open: bool
    undo: bool
    answers: tuple[Choice, ...]
    scopes: tuple[Choice, ...]
    dates: tuple[Choice, ...]
    counters: bool
    proposing: bool
    sending: bool
    answered: bool  # something counts, or will, that was said in his name
    disowning: bool
    deputy: str
    name: str
    all_day: bool
    start: str
    end: str
    zone: str
    zone_name: str
    comment: str
    problem: str
    asked: str  # what the link preselects, as it says it
    ics: str
    feed: str
    elsewhere: tuple[Elsewhere, ...]
    coming: bool


class Questions:
    """Renders the pages of guests."""

    def __init__(
        self,
        templates: Templates,
        translations: Mapping[str, Translations],
        *,
        language: str,
        zone: str,
    ) -> None:
        self._templates = templates
        self._translations = translations
        self._language = language
        self._zone = zone

    def nothing(self, visit: Visit) -> str:
        """A link that leads nowhere: the same page for one that never was and one whose time is over."""
        speaking = self.voice(visit, Reader())
        return self._templates.render(
            "web/nothing.html", speaking, lang=speaking.language, direction=speaking.direction
        )

    def disowned(self, visit: Visit, who: str) -> str:
        """It was not he who answered: all links of his have ended, this one too."""
        speaking = self.voice(visit, Reader())
        return self._templates.render(
            "web/disowned.html", speaking, lang=speaking.language, direction=speaking.direction, who=who
        )

    def question(self, question: Question, visit: Visit) -> str:
        """The page."""
        account = question.account
        known = Reader(language="", zone="")
        if question.recipient in (account.address, *account.aliases):
            known = Reader(language=account.language, zone=account.timezone)
        known = replace(known, language=known.language or question.language, zone=known.zone or question.zone)
        speaking = self.voice(visit, known)
        return self._templates.render(
            "web/question.html",
            speaking,
            q=_view(question, speaking, visit),
            languages=languages(tuple(self._translations), speaking.language),
            zones=zones(str(speaking.locale), _zone_name(speaking)),
        )

    def chosen(self, visit: Visit) -> str:
        """The language that he chose on the page, as a tag; "" where he did not, or we do not speak it."""
        return self._first((visit.query.get("lang", ""),))

    def asked(self, visit: Visit) -> str:
        """The best that his browser asks for and we speak, as a tag."""
        return self._first(accepted(visit.languages))

    def _first(self, wanted: Iterable[str]) -> str:
        found = (catalogue(one, self._translations) for one in wanted)
        return next((one for one in found if one), "").replace("_", "-")

    def voice(self, visit: Visit, known: Reader) -> Voice:
        """Chosen on the page, else the setting of one of ours or what he has answered in, else what his browser asks for, else
        the gateway's."""
        wanted = (visit.query.get("lang", ""), known.language, *accepted(visit.languages), self._language)
        spoken = (one for one in wanted if catalogue(one, self._translations))
        chosen = clock_of(visit)
        zone = chosen if chosen is not None else known.zone if zone_of(known.zone) else ""
        return voice(next(spoken, "en"), zone, available=self._translations, home=self._zone)


def _view(question: Question, speaking: Voice, visit: Visit) -> QuestionView:
    organizer = question.summary.now.organizer
    sender = Mailbox(
        address=organizer.address if organizer else question.account.address,
        name=organizer.name if organizer else question.account.name,
    )
    recipient = Mailbox(address=question.recipient, name=question.recipient_name)
    sheet = Sheet(summary=question.summary, sender=sender, recipient=recipient)
    values = question.values
    begin, end = _times(question, speaking)
    return QuestionView(
        v=view(sheet, speaking),
        banners=_banners(question, speaking),
        answering=named(recipient, speaking),
        action=as_chosen(question.action, visit),
        nonce=question.nonce,
        open=not question.closed,
        undo=any(not one.void for one in question.pending),
        answers=_answers(question, speaking),
        scopes=_scopes(question, speaking),
        dates=_dates(question, speaking),
        counters=question.standing.counters and not question.closed,
        proposing=values.get("answer") == "counter",
        sending=values.get("answer") == "delegate",
        answered=_is_answered(question),
        disowning=values.get("answer") == "disown",
        deputy=line(values.get("deputy", ""), 254),
        name=line(values.get("name", ""), 80),
        all_day=question.summary.now.start is not None and question.summary.now.start.form == "date",
        start=values.get("start") or begin,
        end=values.get("end") or end,
        zone=_zone_name(speaking) or _event_zone(question),
        zone_name=city(_zone_name(speaking) or _event_zone(question), str(speaking.locale)),
        comment="\n".join(lines(values.get("comment", ""), limit=40))[:500],
        problem=_problem(question.problem, speaking),
        asked=values.get("a", "") if values.get("a") in _ASKED else "",
        ics=question.action + "/event.ics" if question.closed != "removed" else "",
        feed=_feed(question),
        elsewhere=() if question.closed else elsewhere(question.summary.now),
        coming=not question.closed and _comes(question),
    )


def _feed(question: Question) -> str:
    """As calendar programs know what to subscribe to."""
    _, found, place = question.feed.partition("://")
    return f"webcal://{place}/event.ics" if found and not question.closed else ""


def _comes(question: Question) -> bool:
    """Then he will want it in his calendar."""
    waits = [one.answer for one in question.pending if one.answer and not one.void]
    return (waits or [question.standing.partstat])[-1] in ("ACCEPTED", "TENTATIVE")


def _is_answered(question: Question) -> bool:
    standing = question.standing
    said = {standing.partstat, *(one.partstat for one in standing.dates)} - {"", "NEEDS-ACTION"}
    return bool(said or any(not one.void for one in question.pending))


def _answers(question: Question, speaking: Voice) -> tuple[Choice, ...]:
    """What was pressed in the letter, else what waits, else what holds."""
    waits = next((one.answer.lower() for one in question.pending if one.answer), "")
    asked = question.values.get("answer") or _ASKED.get(question.values.get("a", ""), "")
    now = asked or waits or question.standing.partstat.lower()
    words = {
        "accepted": speaking.say("Accept"),
        "tentative": speaking.say("Maybe"),
        "declined": speaking.say("Decline"),
    }
    return tuple(
        Choice(
            value=value,
            label=label,
            chosen=value == now,
            tone=_TONES[value.upper()][0],
            symbol=_TONES[value.upper()][1],
        )
        for value, label in words.items()
    )


def _scopes(question: Question, speaking: Voice) -> tuple[Choice, ...]:
    standing = question.standing
    if not standing.repeats or not standing.dates:
        return ()
    words = {
        "series": speaking.say("All dates"),
        "instance": speaking.say("Only this date"),
        "following": speaking.say("This date and all following"),
    }
    if not standing.whole:
        del words["series"], words["following"]
    told = question.values.get("scope", "")
    usual = "instance" if question.date or not standing.whole else "series"
    chosen = told if told in words else usual
    return tuple(Choice(value=one, label=label, chosen=one == chosen) for one, label in words.items())


def _dates(question: Question, speaking: Voice) -> tuple[Choice, ...]:
    wanted = question.values.get("instance") or question.date
    found = question.standing.dates
    if wanted not in {one.key for one in found}:
        wanted = found[0].key if found else ""
    return tuple(
        Choice(
            value=one.key,
            label=short(one.when, speaking),
            chosen=one.key == wanted,
            note=_word(one.partstat, speaking),
        )
        for one in found
    )


def _word(partstat: str, speaking: Voice) -> str:
    words = {
        "ACCEPTED": speaking.say("accepted"),
        "TENTATIVE": speaking.say("maybe"),
        "DECLINED": speaking.say("declined"),
    }
    return words.get(partstat, "")


def _banners(question: Question, speaking: Voice) -> tuple[Banner, ...]:
    found = [*_done(question, speaking), *_waiting(question, speaking)]
    closed = {
        "gone": speaking.say("This meeting is no longer in the organizer's calendar."),
        "removed": speaking.say("You are no longer on the guest list of this meeting."),
        "cancelled": speaking.say("This meeting was cancelled."),
        "over": speaking.say("This meeting is over."),
    }
    if question.closed:
        tone = "news" if question.closed == "over" else "no"
        found.append(Banner(tone=tone, symbol="●" if tone == "news" else "✕", text=closed[question.closed]))
    elif not question.reachable:
        text = speaking.say(
            "The organizer's calendar cannot be reached at the moment. You can answer all the same: your answer is kept."
        )
        found.append(Banner(tone="change", symbol="!", text=text))
    if question.summary.changed:
        text = speaking.say("This meeting has changed since the mail that brought you here.")
        found.append(Banner(tone="change", symbol="↻", text=text))
    status = question.standing.partstat
    if status in _TONES and not question.closed:
        tone, symbol = _TONES[status]
        held = {
            "ACCEPTED": speaking.say("You have accepted."),
            "TENTATIVE": speaking.say("You have answered: maybe."),
            "DECLINED": speaking.say("You have declined."),
            "DELEGATED": speaking.say("You have sent somebody in your place."),
        }
        found.append(Banner(tone=tone, symbol=symbol, text=held[status], note=_since(question, speaking)))
    return tuple(found)


def _since(question: Question, speaking: Voice) -> str:
    if question.answered is None:
        return ""
    at = question.answered.astimezone(UTC)
    near = replace(speaking, zone=speaking.zone or zone_of(_event_zone(question)))
    when = short(When(form="utc", local=at.replace(tzinfo=None), utc=at), near)
    return speaking.say("Answered on %(when)s.", when=when)


def _done(question: Question, speaking: Voice) -> list[Banner]:
    """What became of what was just sent."""
    good = {"undone": speaking.say("Taken back. The organizer was told nothing.")}
    bad = {
        "late": speaking.say("It was too late to take that back. You can answer anew."),
        "both": speaking.say(
            "Two different answers came at the same time, so neither of them counts. Please answer once more."
        ),
        "again": speaking.say(
            "Please send your answer once more: it came so fast that it may have been a program and not you."
        ),
    }
    if question.problem in good:
        return [Banner(tone="news", symbol="↶", text=good[question.problem], urgent=True)]
    if question.problem in bad:
        return [Banner(tone="change", symbol="!", text=bad[question.problem], urgent=True)]
    if _problem(question.problem, speaking):
        return [Banner(tone="no", symbol="!", text=_problem(question.problem, speaking), urgent=True)]
    return []


def _waiting(question: Question, speaking: Voice) -> list[Banner]:
    """What was said and has not taken effect."""
    found = []
    for one in question.pending:
        if one.void:
            continue
        zone = speaking.zone or zone_of(_event_zone(question)) or speaking.home
        at = clock(one.due.astimezone(zone), speaking)
        if one.proposal:
            text = speaking.say("Your proposal goes to the organizer at %(time)s.", time=at)
            found.append(Banner(tone="maybe", symbol="↗", text=text, urgent=True))
            continue
        sentence = {
            "ACCEPTED": speaking.say("You accept. The organizer is told at %(time)s.", time=at),
            "TENTATIVE": speaking.say("You may come. The organizer is told at %(time)s.", time=at),
            "DECLINED": speaking.say("You decline. The organizer is told at %(time)s.", time=at),
            "DELEGATED": speaking.say(
                "You send %(who)s in your place. The organizer is told at %(time)s.",
                who=isolate(line(one.to, 254), speaking.direction),
                time=at,
            ),
        }
        tone, symbol = _TONES.get(one.answer, ("news", "●"))
        found.append(Banner(tone=tone, symbol=symbol, text=sentence.get(one.answer, ""), urgent=True))
    return found


def _problem(problem: str, speaking: Voice) -> str:
    words = {
        "stale": speaking.say(
            "This page was open for too long. Nothing was sent; please send your answer once more."
        ),
        "choose": speaking.say("Please choose one of the answers."),
        "sure": speaking.say(
            "One more step: programs that check mail send such forms too. Please choose your answer yourself, and send it."
        ),
        "date": speaking.say("Please choose one of the dates to which you are invited."),
        "one": speaking.say("Please choose one date for which you propose another time."),
        "time": speaking.say("Please give a beginning and an end that comes after it."),
        "closed": speaking.say("This cannot be answered any more."),
        "mine": speaking.say("Please say that you did not give this answer."),
        "deputy": speaking.say("Please give the e-mail address of somebody who can come in your place."),
    }
    return words.get(problem, "")


def _times(question: Question, speaking: Voice) -> tuple[str, str]:
    """Beginning and end as the fields of the proposal want them; of whole days the last one."""
    now = question.summary.now
    first = question.standing.dates[0].when if question.standing.dates else now.start
    if now.start is None or first is None:
        return "", ""
    length = now.end.local - now.start.local if now.end is not None else timedelta()
    begin = shown(first, speaking).local.replace(tzinfo=None)
    if now.start.form == "date":
        return f"{begin:%Y-%m-%d}", f"{begin + max(length - timedelta(days=1), timedelta()):%Y-%m-%d}"
    return f"{begin:%Y-%m-%dT%H:%M}", f"{begin + length:%Y-%m-%dT%H:%M}"


def _event_zone(question: Question) -> str:
    start = question.summary.now.start
    return start.zone if start is not None and start.form == "zoned" and zone_of(start.zone) else "UTC"


def _zone_name(speaking: Voice) -> str:
    return str(getattr(speaking.zone, "key", "UTC")) if speaking.zone is not None else ""


__all__ = ["Banner", "Pending", "Question", "QuestionView", "Questions"]
