"""The guest's page: what it shows is read anew each time, what it is told becomes a message like any other (SPEC 7).

    GET    the meeting as the organizer's calendar holds it now, and a form with a nonce; changes nothing
    POST   an APPLY job that lies in the queue until the undo time is over: REPLY or COUNTER, as from a calendar program

An answer that waits can be replaced and taken back; a crash loses none. Whoever sends an older form with another answer
than the one that waits, or several links of the letter as they preselect it, is a machine that follows every link: then
none counts, and the page asks once more. So it does, with nothing chosen, where one link alone comes back as it was, from
somebody who opens the links of many letters or was there when the letter had just left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.flows.messages import Messages
from gateway.flows.opened import SOURCE, Opened, Opener
from gateway.flows.receive import lane, pack_verdict
from gateway.ical import onward
from gateway.ical.address import address
from gateway.ical.event import CalendarObject
from gateway.imip.links import LinkTokens, Purpose
from gateway.itip import answers, invited
from gateway.itip.model import Method, Outcome, Reason
from gateway.log import Event, Log
from gateway.ports import Clock, Entry, Job, JobKind, Languages, Links, NewJob, Plans, Queue, Shown, Visit
from gateway.render.choices import clock_of
from gateway.render.question import Pending, Question, Questions
from gateway.render.text import line, lines
from gateway.render.voice import zone_of

ANSWERS = {"accepted": "ACCEPTED", "tentative": "TENTATIVE", "declined": "DECLINED"}
COUNTER, DELEGATE, UNDO, DISOWN = "counter", "delegate", "undo", "disown"
DISOWNED = "n=disowned"
OPEN_FOR = timedelta(days=1)  # a form that was fetched longer ago is asked for again
COMMENT = 500
ADDRESS = 254  # RFC 5321 4.5.3.1.3
AT_ONCE = 5  # forms of one guest that come in the same moment
FARTHEST = timedelta(days=3660)
_FORMS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")


@dataclass(frozen=True, slots=True, kw_only=True)
class RsvpSettings:
    """The keys of `[web]` that concern answers."""

    undo: timedelta
    dwell: timedelta
    caution: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer that can be acted on."""

    method: Method
    answer: str  # PARTSTAT, or ""
    key: str
    message: CalendarObject
    to: str = ""  # whom he sends


class _Refused(Exception):
    """The form cannot be taken; `problem` is what the page says about it."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Rsvp:
    """Implements `ports.Pages` for guests."""

    def __init__(
        self,
        *,
        opener: Opener,
        queue: Queue,
        links: LinkTokens,
        pages: Questions,
        clock: Clock,
        log: Log,
        languages: Languages,
        settings: RsvpSettings,
    ) -> None:
        self._opener = opener
        self._languages = languages
        self._queue = queue
        self._links = links
        self._pages = pages
        self._clock = clock
        self._log = log
        self._settings = settings

    async def show(self, visit: Visit) -> Shown:
        """The question, or what has become of it."""
        opened = await self._opener.open(Purpose.ANSWER, visit.token)
        if opened is None:
            return Shown(status=404, html=self._pages.nothing(visit))
        return Shown(status=200, html=self._page(visit, opened, visit.query))

    async def calendar(self, visit: Visit) -> bytes | None:
        """The meeting for a calendar program of his that has no mail: nobody answers what is only published."""
        opened = await self._opener.open(Purpose.ANSWER, visit.token)
        return opened.published() if opened is not None else None

    async def take(self, visit: Visit) -> Shown:
        """Queue what the form says, and show the page again."""
        opened = await self._opener.open(Purpose.ANSWER, visit.token)
        if opened is None:
            return Shown(status=404, html=self._pages.nothing(visit))
        try:
            done = await self._in_turn(visit, opened)
        except _Refused as refused:
            status = 403 if refused.problem == "stale" else 409 if refused.problem == "closed" else 422
            kept = visit.form if refused.problem != "sure" else _unanswered(visit.form)
            return Shown(status=status, html=self._page(visit, opened, kept, problem=refused.problem))
        if done == DISOWNED:
            return Shown(status=200, html=self._pages.disowned(visit, opened.who))
        await self._remember(visit, opened.letter.letter.recipient)
        return Shown(status=303, location=done)

    async def _in_turn(self, visit: Visit, opened: Opened) -> str:
        """Of forms that come in the same moment each is looked at with those in mind that were first."""
        for _ in range(AT_ONCE):
            done = await self._taken(visit, opened)
            if done:
                return done
            opened = await self._opener.row(opened.row) or opened
        return "n=both"

    async def _remember(self, visit: Visit, address: str) -> None:
        """SPEC 6.1: who sends a form says in which language and by which clock he reads; a link alone changes nothing (SPEC 7.1)."""
        chosen, zone = self._pages.chosen(visit), clock_of(visit)
        language = chosen or self._pages.asked(visit)
        if language or zone is not None:
            await self._languages.reads(address, language, chosen=bool(chosen), zone=zone)

    async def _taken(self, visit: Visit, opened: Opened) -> str:
        """What the page is to show; "" when another form was first by a moment."""
        form = visit.form
        nonce = self._links.read_nonce(Purpose.ANSWER, opened.row, form.get("csrf", ""))
        now = self._clock.now()
        if nonce is None or now - nonce.made > OPEN_FOR:
            raise _Refused("stale")
        if form.get("answer") == UNDO:
            live = [one for one in opened.waiting if not one.payload.get("void")]
            await self._queue.add([_void(one, Reason.WITHDRAWN, None) for one in live])
            return "n=undone" if live else "n=late"
        if now - nonce.made < self._settings.dwell:
            return f"n=again&a={_short(form.get('answer', ''))}"
        if form.get("answer") == DISOWN:
            return await self._disowned(form, opened)
        said = _said(form, opened)
        if _untouched(form) and (visit.roams or nonce.made < self._in_hand(opened)):
            raise _Refused("sure")
        before = next((one for one in opened.waiting if one.payload["key"] == _place(said)), None)
        known = nonce.seen == _digest(opened)
        if before is not None and _contradicts(before, said, linked=_linked(form), known=known):
            void = _void(before, Reason.CONTRADICTORY, now + self._settings.undo)
            return "n=both" if await self._queue.replace(void, over=before) else ""
        if not await self._queue.replace(self._job(opened, said, form), over=before):
            return ""
        self._log.emit(Event.ANSWER_GIVEN, uid=opened.letter.letter.uid, method=str(said.method))
        return "n=proposed" if said.method is Method.COUNTER else "n=given"

    async def _disowned(self, form: Mapping[str, str], opened: Opened) -> str:
        """It was not he: what waits never takes effect, what has is open again, and whoever has his links has nothing."""
        if opened.stored is None or opened.closed:
            raise _Refused("closed")
        if form.get("not-me") != "yes":
            raise _Refused("mine")
        message = invited.withdrawal(opened.stored, opened.who, context=opened.context)
        if message is None:
            raise _Refused("closed")
        said = Said(method=Method.REPLY, answer=invited.OPEN, key="", message=message)
        job = self._job(opened, said, form)
        job = replace(
            job,
            payload={**job.payload, "revokes": opened.letter.letter.recipient},
            due=None,
            key=f"{job.key}:{DISOWN}",
        )
        await self._queue.add([*(_void(one, Reason.WITHDRAWN, None) for one in opened.waiting), job])
        return DISOWNED

    def _in_hand(self, opened: Opened) -> datetime:
        """From when on its reader, and not what looks at his mail before him, opens the letter."""
        return opened.letter.changed + self._settings.caution

    def _job(self, opened: Opened, said: Said, form: Mapping[str, str]) -> NewJob:
        new, now = opened.letter.letter, self._clock.now()
        verdict = opened.context.verdict
        return NewJob(
            kind=JobKind.APPLY,
            lane=lane(opened.account, new.uid),
            account=opened.account.address,
            uid=new.uid,
            message_id=opened.letter.message_id,
            body=said.message.data,
            payload={
                "source": SOURCE,
                "page": opened.row,
                "who": opened.who,
                "key": _place(said),
                "answer": said.answer,
                "linked": _linked(form),
                "to": said.to,
                "date": onward.anchor(said.key),
                "start": form.get("start", "") if said.method is Method.COUNTER else "",
                "given": now.isoformat(),
                "method": str(said.method),
                "verdict": pack_verdict(verdict) if verdict is not None else {},
                "mail_date": None,
                "arrived": now.isoformat(),
            },
            due=now + self._settings.undo,
            reason="undo",
            key=f"page:{opened.account.address}:{new.uid}:{opened.who}:{_place(said)}",
        )

    def _page(self, visit: Visit, opened: Opened, values: Mapping[str, str], *, problem: str = "") -> str:
        now = self._clock.now()
        new = opened.letter.letter
        question = Question(
            summary=opened.shown(),
            recipient=opened.who,
            recipient_name=new.recipient_name,
            language=opened.letter.language,
            zone=opened.letter.zone,
            account=opened.account,
            action=f"/{Purpose.ANSWER}/{visit.token}",
            nonce=self._links.nonce(Purpose.ANSWER, opened.row, now, seen=_digest(opened)),
            closed=opened.closed,
            reachable=opened.reachable,
            standing=opened.standing,
            answered=opened.answered,
            feed=self._links.link(Purpose.CALENDAR, opened.row, now),
            date=new.recurrence_id,
            pending=tuple(_pending(one) for one in opened.waiting),
            problem=problem or visit.query.get("n", ""),
            values=values,
        )
        return self._pages.question(question, visit)


class Given:
    """Handles the APPLY jobs that answers on pages became."""

    def __init__(self, *, queue: Queue, plans: Plans, revoking: Links, messages: Messages) -> None:
        self._queue = queue
        self._plans = plans
        self._revoking = revoking
        self._messages = messages

    async def run(self, job: Job) -> None:
        """The undo time is over: what was said takes the road of every message."""
        if revokes := job.payload.get("revokes"):
            await self._revoking.revoke(job.account, job.uid, {revokes})
            await self._messages.run(job)
            return
        letter = await self._plans.letter_of_row(job.payload["page"])
        revoked = Reason.LINKS_REVOKED if letter is not None and letter.revoked else ""
        void = job.payload.get("void") or revoked
        if not void:
            await self._messages.run(job)
            return
        entry = Entry(
            job=job.id,
            kind=SOURCE,
            outcome=str(Outcome.IGNORED),
            reason=str(void),
            message_id=job.message_id,
            uid=job.uid,
            account=job.account,
            method=str(job.payload["method"]),
            sender=str(job.payload["who"]),
        )
        await self._queue.finish(job, entries=(entry,))


def _said(form: Mapping[str, str], opened: Opened) -> Said:
    """What the form says, against the meeting as it is now. Raise _Refused."""
    if opened.stored is None or opened.closed:
        raise _Refused("closed")
    answer, comment = form.get("answer", ""), "\n".join(lines(form.get("comment", ""), limit=40))[:COMMENT]
    whole = opened.standing.whole and not (answer == DELEGATE and form.get("instance"))
    scope = form.get("scope") or ("series" if whole else "instance")
    date = form.get("instance", "") if scope != "series" else ""
    if scope not in ("series", "instance", "following") or (scope != "series" and not date):
        raise _Refused("date")
    if not opened.standing.whole and scope == "series":
        raise _Refused("date")
    key = invited.key_of(scope, date)
    if date and (onward.is_onward(date) or not answers.occurs(opened.stored, date)):
        raise _Refused("date")
    try:
        if answer == COUNTER:
            return _proposal(form, opened, opened.stored, key, comment)
        if answer == DELEGATE:
            return _deputy(form, opened, opened.stored, key, comment)
        if answer not in ANSWERS:
            raise _Refused("choose")
        partstat = ANSWERS[answer]
        message = invited.reply(
            opened.stored, opened.who, key, answer=partstat, comment=comment, context=opened.context
        )
    except (MalformedCalendar, LimitExceeded) as error:
        raise _Refused("date") from error
    if message is None:
        raise _Refused("date")
    return Said(method=Method.REPLY, answer=partstat, key=key, message=message)


def _proposal(
    form: Mapping[str, str], opened: Opened, stored: CalendarObject, key: str, comment: str
) -> Said:
    if onward.is_onward(key) or (not key and stored.recurring):
        raise _Refused("one")
    if not opened.standing.counters:
        raise _Refused("closed")
    start, end = _time(form.get("start", "")), _time(form.get("end", ""))
    now = opened.context.now.replace(tzinfo=None)
    if start is None or end is None or not now - timedelta(days=1) <= start <= now + FARTHEST:
        raise _Refused("time")
    if invited.is_all_day(stored, key):
        start, end = (one.replace(hour=0, minute=0, second=0) for one in (start, end))
        end += timedelta(days=1)
    if not start < end <= start + FARTHEST:
        raise _Refused("time")
    zone = zone_of(form.get("tz", "")) or invited.zone_at(stored, key)
    message = invited.counter(
        stored, opened.who, key, times_=(start, end), zone=zone, comment=comment, context=opened.context
    )
    if message is None:
        raise _Refused("date")
    return Said(method=Method.COUNTER, answer="", key=key, message=message)


def _deputy(form: Mapping[str, str], opened: Opened, stored: CalendarObject, key: str, comment: str) -> Said:
    """Each delegate is a letter to somebody whom he names: `itip.delegation` counts them."""
    to, name = address(form.get("deputy", "")[:ADDRESS]), line(form.get("name", ""), 80)
    message = invited.delegation(
        stored, opened.who, key, to=to, name=name, comment=comment, context=opened.context
    )
    if message is None or onward.is_onward(key):
        raise _Refused("deputy")
    return Said(method=Method.REPLY, answer="DELEGATED", key=key, message=message, to=name or to)


def _time(text: str) -> datetime | None:
    for form in _FORMS:
        try:
            return datetime.strptime(text.strip()[:25], form)  # noqa: DTZ007 - on the clock of the field `tz`
        except ValueError:
            continue
    return None


def _place(said: Said) -> str:
    """One answer and one proposal can wait for each part of the meeting."""
    return f"{COUNTER if said.method is Method.COUNTER else 'reply'} {said.key}"


def _linked(form: Mapping[str, str]) -> bool:
    """Whether the form came back as a link of the letter had filled it in."""
    return bool(form.get("a")) and form["a"] == _short(form.get("answer", ""))


def _untouched(form: Mapping[str, str]) -> bool:
    return _linked(form) and not form.get("comment", "").strip()


def _unanswered(form: Mapping[str, str]) -> dict[str, str]:
    """What was said beside the answer."""
    return {name: value for name, value in form.items() if name not in ("a", "answer")}


def _contradicts(before: Job, said: Said, *, linked: bool, known: bool) -> bool:
    """A machine follows the links of a letter at once, so that no form knows of the other, or one after the other, each as it
    is; who thinks better of it says so on the page that shows what he said, or clicks a link when the undo time is over."""
    if before.payload["answer"] == said.answer:
        return False
    return not known or (linked and bool(before.payload.get("linked")))


def _void(job: Job, reason: Reason, due: datetime | None) -> NewJob:
    """In the place of an answer that shall not take effect."""
    return NewJob(
        kind=job.kind,
        lane=job.lane,
        account=job.account,
        uid=job.uid,
        message_id=job.message_id,
        payload={**job.payload, "void": str(reason), "answer": ""},
        due=due,
        reason="undo",
        key=f"page:{job.account}:{job.uid}:{job.payload['who']}:{job.payload['key']}",
    )


def _digest(opened: Opened) -> str:
    """What waits, so that a form knows whether it has seen it."""
    told = [f"{one.id} {one.payload.get('given')} {one.payload.get('void', '')}" for one in opened.waiting]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16] if told else ""


def _pending(job: Job) -> Pending:
    facts = job.payload
    return Pending(
        answer=str(facts["answer"]),
        proposal=facts["method"] == str(Method.COUNTER),
        date=str(facts.get("date", "")),
        due=job.due,
        void=bool(facts.get("void")),
        start=str(facts.get("start", "")),
        to=str(facts.get("to", "")),
    )


def _short(answer: str) -> str:
    """As the links of letters say it."""
    return {"accepted": "yes", "tentative": "maybe", "declined": "no"}.get(answer, "")


__all__ = ["Given", "Rsvp", "RsvpSettings"]
