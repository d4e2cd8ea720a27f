"""A guest answers a letter by plain mail to the address that it names (SPEC 7.2).

The first word is his answer; whatever else he wrote goes to the organizer, as the comment of the answer or as a letter.
The address proves the answer only together with its guest in From; anybody else's waits for a person, as mail of unknown
senders does. Automatic mail is no answer and is not passed on.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gateway.accounts import Account
from gateway.errors import MalformedCalendar
from gateway.flows.apply import Apply, Story
from gateway.flows.large import content
from gateway.flows.opened import SOURCE, Opened, Opener, proven
from gateway.flows.receive import lane, pack_verdict
from gateway.ical.address import address
from gateway.imip.read import Mail
from gateway.imip.words import Vocabulary, answer, own_words
from gateway.itip import invited, summary
from gateway.itip.model import (
    Certainty,
    Decision,
    Method,
    Notice,
    Outcome,
    Reason,
    Summary,
    Verdict,
)
from gateway.ports import Entry, Job, JobKind, NewJob, Plans, ReceivedMail
from gateway.render.text import lines

WORDS = "words"  # the key of a payload that carries them
LONGEST = 4000  # characters that are passed on
COMMENT = 500
A_DAY = 5  # letters to the organizer about the words of one guest
_ROBOTS = frozenset(["x-autoreply", "x-autorespond", "x-auto-reply", "x-imip-gateway-hop"])


class Mailed:
    """Reads answers in words, and passes on what is none."""

    def __init__(self, *, opener: Opener, apply: Apply, plans: Plans, vocabulary: Vocabulary) -> None:
        self._opener = opener
        self._apply = apply
        self._plans = plans
        self._vocabulary = vocabulary

    async def turn(
        self, job: Job, received: ReceivedMail, mail: Mail, *, verdict: Verdict, row: int
    ) -> Entry | NewJob:
        """What the mail to this answer address comes to."""
        opened = await self._opener.row(row)
        if opened is None or opened.expired:
            return _ended(job, mail, Reason.UNKNOWN_UID)
        if _automatic(received, mail):
            return _ended(job, mail, Reason.AUTO_SUBMITTED, opened)
        if verdict.certainty is Certainty.CONTRADICTED:
            return _ended(job, mail, Reason.SENDER_CONTRADICTED, opened, outcome=Outcome.REFUSED)
        words = "\n".join(lines(own_words(received.content), limit=100, width=1000))[:LONGEST]
        if not words:
            return _ended(job, mail, Reason.NO_CALENDAR_PART, opened)
        said, rest = answer(words, self._vocabulary)
        found = _message(opened, said, rest) if said and not opened.closed else None
        who = proven(opened.who)
        if mail.sender != opened.who:
            who = Verdict(
                sender=opened.who, certainty=Certainty.UNKNOWN, reasons=("answer-token", "other-from")
            )
        return _job(opened, received, mail, verdict=who, message=found, words=words)

    async def run(self, job: Job) -> None:
        """Pass on the words of a job to the organizer."""
        opened = await self._opener.row(int(job.payload["page"]))
        facts = job.payload
        who = str(facts["who"])
        story = Story(kind=SOURCE, message_id=job.message_id, sender=who)
        if opened is None or facts["verdict"]["certainty"] != str(Certainty.PROVEN):
            # whoever got hold of the address could write to the organizer in somebody's name
            decision = Decision(outcome=Outcome.REFUSED, reason=Reason.NOT_AUTHENTICATED)
        elif await self._had_enough(job, opened):
            decision = Decision(outcome=Outcome.IGNORED, reason=Reason.RATE_LIMITED)
        else:
            notice = _notice(opened, (await content(job)).decode("utf-8", "replace"))
            decision = Decision(outcome=Outcome.APPLIED, reason=Reason.WORDS_FORWARDED, notices=(notice,))
        owner = opened.account if opened is not None else Account(address=job.account)
        await self._apply.conclude(job, story, decision, account=owner)

    async def _had_enough(self, job: Job, opened: Opened) -> bool:
        since = opened.context.now - timedelta(days=1)
        sent = await self._plans.letters_sent(job.account, job.uid)
        lately = [one for one in sent if not one.letter.method and one.letter.sender == opened.who]
        return sum(one.created > since for one in lately) >= A_DAY


def _message(opened: Opened, said: str, rest: str) -> bytes | None:
    """The REPLY to what the letter asked: the one date that it was about, or all of it."""
    if opened.stored is None:
        return None
    key = opened.letter.letter.recurrence_id
    try:
        found = invited.reply(
            opened.stored, opened.who, key, answer=said, comment=rest[:COMMENT], context=opened.context
        )
    except (
        MalformedCalendar
    ):  # the organizer's calendar holds what nobody can read: he reads the words himself
        return None
    return found.data if found is not None else None


def _job(
    opened: Opened,
    received: ReceivedMail,
    mail: Mail,
    *,
    verdict: Verdict,
    message: bytes | None,
    words: str,
) -> NewJob:
    new = opened.letter.letter
    facts = {
        "source": SOURCE,
        "page": opened.row,
        "who": opened.who,
        "key": f"mail {opened.row}",
        "answer": "",
        "method": str(Method.REPLY) if message is not None else "",
        "verdict": pack_verdict(verdict),
        "mail_date": mail.date.isoformat() if mail.date else None,
        "arrived": received.received_at.isoformat(),
    }
    return NewJob(
        kind=JobKind.APPLY,
        lane=lane(opened.account, new.uid),
        account=opened.account.address,
        uid=new.uid,
        message_id=mail.message_id,
        body=message if message is not None else words.encode(),
        payload=facts if message is not None else {**facts, WORDS: True},
    )


def _notice(opened: Opened, words: str) -> Notice:
    """A letter to the organizer with what his guest wrote; his answer to it goes to the guest."""
    told = replace(opened.told(), before=None, changed=())
    line = opened.standing.line
    who = summary.guest(line) if line is not None else None
    return Notice(
        sender=opened.who,
        recipient=address(opened.letter.letter.sender),
        recipient_name=opened.account.name,
        summary=Summary(kind="message", now=replace(told.now, comment=words), attendee=who),
    )


def _automatic(received: ReceivedMail, mail: Mail) -> bool:
    """RFC 3834 5: an out-of-office or a report of delivery is never an answer, and nobody wants it forwarded."""
    if mail.auto_submitted not in ("", "no") or mail.is_list or received.envelope.sender == "":
        return True
    kinds = [value.lower() for name, value in mail.headers if name == "content-type"]
    said = {name for name, _ in mail.headers}
    return bool(said & _ROBOTS) or any(one.startswith("multipart/report") for one in kinds)


def _ended(
    job: Job,
    mail: Mail,
    reason: Reason,
    opened: Opened | None = None,
    *,
    outcome: Outcome = Outcome.IGNORED,
) -> Entry:
    return Entry(
        job=job.id,
        kind="mail",
        outcome=str(outcome),
        reason=str(reason),
        message_id=mail.message_id,
        sender=mail.sender or "",
        uid=opened.letter.letter.uid if opened is not None else "",
        account=opened.account.address if opened is not None else "",
    )


__all__ = ["WORDS", "Mailed"]
