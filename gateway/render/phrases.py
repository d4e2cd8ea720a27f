"""The sentences of a letter, each whole so that it can be translated: what it is, who does it, what follows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.imip.letter import ASKING, Sheet
from gateway.itip.model import Facts, Guest, Said, Summary
from gateway.render import booking
from gateway.render.changes import person
from gateway.render.dates import short, short_zone
from gateway.render.text import isolate, line
from gateway.render.voice import Voice

TITLE = 80
_TO_ORGANIZER = frozenset({"reply", "booking", "refresh", "proposal", "message"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """`band` is the letter in three words, `symbol` and `tone` its shape and colour; never one without the others."""

    band: str
    symbol: str
    tone: str  # news | change | yes | maybe | no
    subject: str
    intro: tuple[str, ...]
    hint: str = ""
    footer: tuple[str, ...] = ()
    author: str = ""


def phrases(sheet: Sheet, voice: Voice) -> Phrases:
    """All sentences of one letter."""
    who = person(Guest(address=sheet.sender.address, name=sheet.sender.name), voice)
    kind = sheet.summary.kind
    make = {
        "update": _update,
        "cancellation": _cancellation,
        "removed": _removed,
        "reply": _reply,
        "booking": _booking,
        "refresh": _refresh,
        "freebusy": _freebusy,
        "proposal": _proposal,
        "proposal-declined": _proposal_declined,
        "message": _message,
        "answered": _answered,
        "answers": _answers,
        "stranger": _stranger,
        "delegation": _delegation,
        "bounced": _bounced,
    }
    band, symbol, tone, verb, intro = make.get(kind, _invitation)(sheet, who, voice)
    return Phrases(
        band=band,
        symbol=symbol,
        tone=tone,
        subject=_subject(verb, sheet.summary.now, voice),
        intro=tuple(one for one in intro if one),
        hint=_hint(sheet, voice),
        footer=_footer(sheet, who, voice),
        author=_author(sheet, voice),
    )


_Made = tuple[str, str, str, str, tuple[str, ...]]


def _invitation(sheet: Sheet, who: str, voice: Voice) -> _Made:
    now = sheet.summary.now
    if now.kind == "VTODO":
        return (
            voice.say("A task for you"),
            "●",
            "news",
            voice.say("Task: %(title)s"),
            (voice.say("%(who)s asks you to take on this task.", who=who),),
        )
    if now.recurrence is not None:
        sentence = voice.say("%(who)s invites you to one date of a series.", who=who)
    elif now.rule:
        sentence = voice.say("%(who)s invites you to a series of meetings.", who=who)
    else:
        sentence = voice.say("%(who)s invites you to a meeting.", who=who)
    role = _role(_own(now, sheet.recipient.address), voice)
    return voice.say("You are invited"), "●", "news", voice.say("Invitation: %(title)s"), (sentence, role)


def _delegation(sheet: Sheet, who: str, voice: Voice) -> _Made:
    """The delegator passes it on, or the organizer asks whom the delegator has named (RFC 5546 3.2.2.3)."""
    own = _own(sheet.summary.now, sheet.recipient.address)
    other = own.stands_for if own else ""
    if not other or other.casefold() == sheet.sender.address.casefold():
        sentence = voice.say("%(who)s asks you to come to this meeting in their place.", who=who)
    else:
        name = _named(other, sheet.summary.now, voice)
        sentence = voice.say(
            "%(who)s invites you to this meeting in place of %(other)s.", who=who, other=name
        )
    verb = voice.say("Standing in: %(title)s")
    return voice.say("You are asked to stand in"), voice.onward, "news", verb, (sentence, _role(own, voice))


def _update(sheet: Sheet, who: str, voice: Voice) -> _Made:
    now, changed = sheet.summary.now, set(sheet.summary.changed)
    if now.kind == "VTODO":
        band, sentence = (
            voice.say("The task has changed"),
            voice.say("%(who)s has changed this task.", who=who),
        )
    elif now.recurrence is not None:
        band = voice.say("One date has changed")
        sentence = voice.say(
            "%(who)s has changed this date of the series. The others stay as they are.", who=who
        )
    else:
        band = voice.say("New time") if changed & {"start", "end"} else voice.say("The meeting has changed")
        sentence = voice.say("%(who)s has changed this meeting.", who=who)
    role = _role(_own(now, sheet.recipient.address), voice)
    return band, "↻", "change", voice.say("Updated: %(title)s"), (sentence, _again(sheet, voice), role)


def _cancellation(sheet: Sheet, who: str, voice: Voice) -> _Made:
    now = sheet.summary.now
    if now.kind == "VTODO":
        sentence = voice.say("%(who)s has cancelled this task.", who=who)
    elif now.recurrence is not None:
        sentence = voice.say(
            "%(who)s has cancelled this date of the series. The others stay as they are.", who=who
        )
    elif now.rule:
        sentence = voice.say("%(who)s has cancelled the whole series.", who=who)
    else:
        sentence = voice.say("%(who)s has cancelled this meeting.", who=who)
    return voice.say("Cancelled"), "✕", "no", voice.say("Cancelled: %(title)s"), (sentence,)


def _removed(sheet: Sheet, who: str, voice: Voice) -> _Made:
    if sheet.summary.now.recurrence is not None:
        sentence = voice.say("%(who)s has taken you off the guest list of this date of the series.", who=who)
    else:
        sentence = voice.say("%(who)s has taken you off the guest list.", who=who)
    rest = voice.say("It may still take place, without you.")
    return (
        voice.say("No longer invited"),
        "✕",
        "no",
        voice.say("No longer invited: %(title)s"),
        (sentence, rest),
    )


def _reply(sheet: Sheet, who: str, voice: Voice) -> _Made:
    summary = sheet.summary
    said = replace(summary.attendee or Guest(address=sheet.sender.address), partstat=summary.partstat.upper())
    if summary.attendee is None:
        said = replace(said, name=sheet.sender.name)
    return _one_answer(Said(guest=said, date=summary.now.recurrence), summary.now, voice)


def _booking(sheet: Sheet, who: str, voice: Voice) -> _Made:
    summary = sheet.summary
    who = person(summary.attendee, voice) or who
    return booking.answer(summary.partstat.upper(), summary.booked, summary.now, who=who, voice=voice)


def _one_answer(said: Said, now: Facts, voice: Voice) -> _Made:
    symbol, tone, verb, sentence = given(said.guest, now, voice)
    scope = voice.say("This answer is for this one date of the series only.") if said.date else ""
    return _band(said.guest.partstat.upper(), voice), symbol, tone, verb, (sentence, scope)


def given(guest: Guest, now: Facts, voice: Voice) -> tuple[str, str, str, str]:
    """What somebody has answered: symbol, tone, verb of the subject, sentence."""
    who = person(guest, voice)
    sends = voice.say("%(who)s sends somebody else.", who=who)
    if guest.sends:
        sends = voice.say("%(who)s sends %(other)s instead.", who=who, other=_named(guest.sends, now, voice))
    known = {
        "ACCEPTED": (
            "✓",
            "yes",
            voice.say("Accepted: %(title)s"),
            voice.say("%(who)s has accepted.", who=who),
        ),
        "DECLINED": (
            "✕",
            "no",
            voice.say("Declined: %(title)s"),
            voice.say("%(who)s has declined.", who=who),
        ),
        "TENTATIVE": ("?", "maybe", voice.say("Maybe: %(title)s"), voice.say("%(who)s may come.", who=who)),
        "DELEGATED": (voice.onward, "maybe", voice.say("Delegated: %(title)s"), sends),
        "COMPLETED": (
            "✓",
            "yes",
            voice.say("Completed: %(title)s"),
            voice.say("%(who)s has completed the task.", who=who),
        ),
        "IN-PROCESS": (
            "●",
            "maybe",
            voice.say("Begun: %(title)s"),
            voice.say("%(who)s has begun the task.", who=who),
        ),
    }
    undecided = voice.say("%(who)s has not decided yet.", who=who)
    return known.get(guest.partstat.upper(), ("–", "maybe", voice.say("Answer: %(title)s"), undecided))


def _answers(sheet: Sheet, who: str, voice: Voice) -> _Made:
    """To the organizer: what has been answered since the last such letter."""
    told = sheet.summary.answers
    if len(told) == 1:
        return _one_answer(told[0], sheet.summary.now, voice)
    band = voice.count("%(n)s answer", "%(n)s answers", len(told))
    verb = voice.count("%(n)s answer: %(title)s", "%(n)s answers: %(title)s", len(told), title="%(title)s")
    return band, "●", "news", verb, (voice.say("Your guests have answered."),)


def _stranger(sheet: Sheet, who: str, voice: Voice) -> _Made:
    """The stranger's address and nothing else of his: he chose his name and his words to be read here."""
    guest = sheet.summary.attendee
    address = isolate(line(guest.address, 254), voice.direction) if guest is not None else who
    known = voice.say("%(address)s has answered, but is not on the guest list.", address=address)
    kept = voice.say("The answer waits and changes nothing; the sender is told nothing.")
    todo = (
        ""
        if sheet.links.page
        else voice.say(
            "If you want this person there, add the address to the guests in your calendar; if not, there is nothing to do."
        )
    )
    return (
        voice.say("Not on the guest list"),
        "?",
        "maybe",
        voice.say("Not invited: %(title)s"),
        (known, kept, todo),
    )


def _refresh(sheet: Sheet, who: str, voice: Voice) -> _Made:
    sentence = voice.say("%(who)s asks you to send this meeting once more.", who=who)
    why = voice.say("The copy in that calendar is gone or not complete.")
    return voice.say("Please send again"), "?", "news", voice.say("Once more: %(title)s"), (sentence, why)


def _freebusy(sheet: Sheet, who: str, voice: Voice) -> _Made:
    verb = voice.say("Busy times: %(title)s")
    if sheet.summary.partstat == "DECLINED":
        return voice.say("No answer"), "✕", "no", verb, (voice.say("%(who)s does not tell.", who=who),)
    some = voice.say("%(who)s is busy at these times, and free between them.", who=who)
    none = voice.say("%(who)s is free all the time.", who=who)
    return voice.say("Busy times"), "●", "news", verb, (some if sheet.summary.instances else none,)


def _proposal(sheet: Sheet, who: str, voice: Voice) -> _Made:
    who = person(sheet.summary.attendee, voice) or who
    if sheet.summary.now.recurrence is not None:
        sentence = voice.say("%(who)s proposes a change of this one date of the series.", who=who)
    else:
        sentence = voice.say("%(who)s proposes a change of this meeting.", who=who)
    stays = voice.say("It stays as it is until you change it.")
    return voice.say("A proposal"), "?", "maybe", voice.say("Proposal: %(title)s"), (sentence, stays)


def _proposal_declined(sheet: Sheet, who: str, voice: Voice) -> _Made:
    if sheet.summary.now.recurrence is not None:
        sentence = voice.say("%(who)s has declined your proposal for this date of the series.", who=who)
    else:
        sentence = voice.say("%(who)s has declined your proposal.", who=who)
    stays = voice.say("The meeting stays as it is.")
    return voice.say("It stays as it is"), "✕", "no", voice.say("As planned: %(title)s"), (sentence, stays)


def _message(sheet: Sheet, who: str, voice: Voice) -> _Made:
    who = person(sheet.summary.attendee, voice) or who
    sentence = voice.say("%(who)s writes to you about this meeting.", who=who)
    goes = voice.say("This is no answer to the invitation. What you reply goes to %(who)s.", who=who)
    return voice.say("A message"), "●", "news", voice.say("Message: %(title)s"), (sentence, goes)


def _answered(sheet: Sheet, who: str, voice: Voice) -> _Made:
    known = {
        "ACCEPTED": ("✓", "yes", voice.say("You have accepted.")),
        "DECLINED": ("✕", "no", voice.say("You have declined.")),
        "TENTATIVE": ("?", "maybe", voice.say("You have answered: maybe.")),
        "NEEDS-ACTION": (
            "↶",
            "news",
            voice.say(
                "The answer in your name is taken back. The links of earlier mails lead nowhere any more."
            ),
        ),
    }
    status = sheet.summary.partstat.upper()
    symbol, tone, sentence = known.get(status, ("●", "news", voice.say("Your answer has arrived.")))
    one_date = sheet.summary.now.recurrence is not None
    scope = voice.say("This answer is for this one date of the series only.") if one_date else ""
    told = voice.say(
        "%(who)s knows. If it was not you, or if you have changed your mind, answer anew.", who=who
    )
    if sheet.links.disown:
        told = voice.say(
            "%(who)s knows. If you have changed your mind, answer anew; if it was not you, take the answer back.",
            who=who,
        )
    elif status == "NEEDS-ACTION":
        told = voice.say("%(who)s knows. Please answer with the link of this mail.", who=who)
    return _band(status, voice), symbol, tone, voice.say("Your answer: %(title)s"), (sentence, scope, told)


def _bounced(sheet: Sheet, who: str, voice: Voice) -> _Made:
    known = {
        "3.7": voice.say("The mail server there says that nobody has this address."),
        "5.2": voice.say("There is no way to deliver mail to this address."),
        "5.3": voice.say("The mail server there does not want this mail."),
    }
    guest = sheet.summary.attendee
    address = line(guest.address, 254) if guest is not None else who
    sentence = voice.say("Your mail about this meeting did not reach %(address)s.", address=address)
    why = known.get(sheet.summary.partstat, voice.say("The mail server gave up."))
    return voice.say("Not delivered"), "✕", "no", voice.say("Not delivered: %(title)s"), (sentence, why)


def _band(status: str, voice: Voice) -> str:
    known = {
        "ACCEPTED": voice.say("Accepted"),
        "DECLINED": voice.say("Declined"),
        "TENTATIVE": voice.say("Maybe"),
        "DELEGATED": voice.say("Delegated"),
        "COMPLETED": voice.say("Completed"),
        "IN-PROCESS": voice.say("Begun"),
    }
    return known.get(status, voice.say("No answer yet"))


def _subject(verb: str, now: Facts, voice: Voice) -> str:
    """The verb, the title, and when: the inbox shows no more."""
    title = isolate(line(now.title, TITLE), voice.direction) or voice.say("(no title)")
    text = verb % {"title": title}
    moment = now.start or now.recurrence or now.end
    if moment is None:
        return text
    when = " ".join(one for one in (short(moment, voice), short_zone(moment, voice)) if one)
    return voice.say("%(what)s (%(when)s)", what=text, when=when)


def _author(sheet: Sheet, voice: Voice) -> str:
    """Who the letter is from where the gateway writes it."""
    if sheet.summary.kind in {"answers", "stranger", "bounced"} and sheet.site:
        return voice.say("Calendar of %(site)s", site=sheet.site)
    return voice.say("%(name)s via Calendar", name=line(sheet.sender.name, 60) or sheet.sender.address)


def _named(address: str, now: Facts, voice: Voice) -> str:
    """Somebody whom the meeting may know by name."""
    known = (one for one in now.guests if one.address.casefold() == address.casefold())
    return person(next(known, Guest(address=address)), voice)


def _own(now: Facts, recipient: str) -> Guest | None:
    return next((one for one in now.guests if one.address.casefold() == recipient.casefold()), None)


def _role(own: Guest | None, voice: Voice) -> str:
    roles = {
        "OPT-PARTICIPANT": voice.say("Your attendance is optional."),
        "NON-PARTICIPANT": voice.say("This is for your information only."),
        "CHAIR": voice.say("You chair this meeting."),
    }
    return roles.get(own.role.upper(), "") if own else ""


def _again(sheet: Sheet, voice: Voice) -> str:
    """Whether the reader has to answer once more."""
    summary: Summary = sheet.summary
    own = _own(summary.now, sheet.recipient.address)
    old = _own(summary.before, sheet.recipient.address) if summary.before else None
    if own is None or old is None or own.partstat.upper() != "NEEDS-ACTION":
        return ""
    if old.partstat.upper() in {"", "NEEDS-ACTION"}:
        return ""
    known = {
        "ACCEPTED": voice.say("You had accepted. That no longer counts: please answer again."),
        "DECLINED": voice.say("You had declined. That no longer counts: please answer again."),
    }
    return known.get(
        old.partstat.upper(), voice.say("Your earlier answer no longer counts: please answer again.")
    )


def _hint(sheet: Sheet, voice: Voice) -> str:
    """How to answer without the buttons of the letter."""
    if sheet.summary.kind == "proposal" and sheet.links.page:
        return voice.say("There you can agree, or keep the meeting as it is; whoever proposed it is told.")
    if sheet.summary.kind == "stranger" and sheet.links.page:
        return voice.say("There you can take this person in as a guest, or refuse the answer.")
    if sheet.summary.kind == "proposal":
        return voice.say(
            "To agree, change the meeting in your calendar; everybody is told. To keep it as it is, answer this mail."
        )
    if sheet.summary.kind not in ASKING:
        return ""
    if sheet.links.accept:
        return voice.say("If your mail program shows its own buttons, use those.")
    return voice.say("Please answer with the buttons of your mail or calendar program.")


def _footer(sheet: Sheet, who: str, voice: Voice) -> tuple[str, ...]:
    address, reader = line(sheet.sender.address, 254), line(sheet.recipient.address, 254)
    kind, named = sheet.summary.kind, who
    if who != address:
        named = f"{who} {isolate(f'<{address}>', voice.direction)}"
    organizer = sheet.summary.now.organizer
    other = organizer is not None and organizer.address.casefold() != sheet.recipient.address.casefold()
    if kind in {"answers", "stranger"} or (kind in _TO_ORGANIZER and not other):
        why = voice.say("You receive this because you organize this meeting.")
    elif kind == "answered":
        why = voice.say("You receive this because an answer was given in your name.")
    elif kind == "bounced":
        why = voice.say("You receive this because the mail was sent in your name.")
    else:
        why = voice.say("%(who)s sent this to %(reader)s.", who=named, reader=reader)
    site = voice.say("Delivered by the calendar gateway of %(site)s.", site=sheet.site) if sheet.site else ""
    forward = ""
    if sheet.links.accept or sheet.links.page:
        forward = voice.say("The links answer in your name: do not forward this mail.")
    return tuple(one for one in (why, forward, site) if one)


__all__ = ["Phrases", "given", "phrases"]
