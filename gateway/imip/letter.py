"""From a stored letter to the parts of a mail: who it is from, how it threads, what it carries.

The wording is not ours: a `Renderer` (render/letters) is handed in and gets a `Sheet`. `write` puts the parts into octets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from gateway.ical.tree import Component, Property, parse, prop, text_prop, write
from gateway.imip import attached
from gateway.imip.fields import Mailbox, bare_id, mail_domain
from gateway.imip.links import LinkTokens, Purpose
from gateway.imip.sender import Identity, Mode, choose, deputy, identify
from gateway.imip.tokens import Tokens
from gateway.imip.write import LetterParts, with_method
from gateway.itip import summary as summaries
from gateway.itip.counter import DISALLOWS
from gateway.itip.model import Guest, Reason, Summary
from gateway.ports import Letter, NewLetter


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What is known of the one who will read. "" is unknown: then English, and the event's own zone."""

    language: str = ""
    zone: str = ""
    guessed: bool = False  # nobody has said that he reads this language


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where he can answer besides his calendar program; "" where there is no such way."""

    accept: str = ""
    tentative: str = ""
    decline: str = ""
    propose: str = ""  # another time
    page: str = ""
    mail: str = ""
    disown: str = ""  # where he says that it was not he who answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that a letter can be worded from."""

    summary: Summary
    sender: Mailbox
    recipient: Mailbox
    reader: Reader = field(default_factory=Reader)
    links: Links = field(default_factory=Links)
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """The words: `language` is the one that they are in, `author` how a sender is called for whom we write.

    `comment` is what an answer that no person gave says of itself in its calendar part.
    """

    language: str
    subject: str
    text: str
    html: str
    author: str
    comment: str = ""


ASKING = frozenset({"invitation", "update", "delegation"})
_OWN = frozenset(
    {"answers", "stranger", "bounced"}
)  # what the gateway says by itself: there is nobody to reply to
_PAGES = {
    "answered": Purpose.ANSWER,
    "proposal": Purpose.ORGANIZER,
    "message": Purpose.ORGANIZER,
    "bounced": Purpose.ORGANIZER,
    "answers": Purpose.ORGANIZER,
    "stranger": Purpose.ORGANIZER,
}


def answer_links(
    letter: Letter, summary: Summary, moment: datetime, *, tokens: Tokens, signed: LinkTokens | None
) -> Links:
    """The ways to answer an invitation of our own user; there are none to what somebody else organizes."""
    new = letter.letter
    if new.method != "REQUEST" or not _organizes(summary, new.sender):
        return Links()
    if summary.kind == "answered" and signed is not None:
        return _confirming(signed.link(Purpose.ANSWER, letter.sequence, moment), summary)
    if summary.kind not in ASKING:
        return Links()
    mail = tokens.answer(letter.sequence)
    if signed is None:
        return Links(mail=mail)
    page = signed.link(Purpose.ANSWER, letter.sequence, moment)
    return Links(
        page=page,
        accept=f"{page}?a=yes",
        tentative=f"{page}?a=maybe",
        decline=f"{page}?a=no",
        propose=f"{page}?answer=counter#propose" if _takes_proposals(new.calendar, summary) else "",
        mail=mail,
    )


def _opened(
    letter: Letter, summary: Summary, moment: datetime, signed: LinkTokens | None
) -> tuple[Summary, bytes]:
    """What is told, and the calendar text, with attachments that its guest can open (RFC 8607 3.12.2)."""
    new = letter.letter
    asks = new.method == "REQUEST" and summary.kind in ASKING | {"answered"}
    if signed is None or not asks or not _organizes(summary, new.sender):
        return summary, new.calendar
    found = attached.managed(new.calendar, letter.keeper)
    if not found:
        return summary, new.calendar
    links = attached.links(found, signed.link(Purpose.ATTACHMENT, letter.sequence, moment))
    told = attached.told(summary.now, found, links)
    return replace(summary, now=told), attached.linked(new.calendar, letter.keeper, links)


def _takes_proposals(calendar: bytes, summary: Summary) -> bool:
    """As the page that takes them; the name is looked for first, since hardly any letter has it."""
    if summary.now.kind != "VEVENT" or DISALLOWS.encode() not in calendar.upper():
        return summary.now.kind == "VEVENT"
    said = ((one.value(DISALLOWS) or "").strip().upper() for one in parse(calendar).components)
    return "TRUE" not in said


def _confirming(page: str, summary: Summary) -> Links:
    """Of what is taken back nothing is left to disown."""
    return Links(page=page, disown="" if summary.partstat == "NEEDS-ACTION" else f"{page}?answer=disown")


class Renderer(Protocol):
    def render(self, sheet: Sheet) -> Worded: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterSettings:
    """The keys of `[gateway]` and `[delivery]` that concern letters."""

    domains: tuple[str, ...]
    from_foreign: str = "agent"
    mark_all: bool = False
    attach: bool = True
    delegates: Mapping[str, frozenset[str]] = field(default_factory=dict)  # account -> who may act for it
    zone: tzinfo = field(default=UTC)  # of the Date field


def compose(
    letter: Letter,
    moment: datetime,
    *,
    reader: Reader,
    settings: LetterSettings,
    tokens: Tokens,
    renderer: Renderer,
    signed: LinkTokens | None = None,
) -> LetterParts | Reason:
    """The parts of the mail; a Reason when this letter must not leave."""
    new = letter.letter
    if "@" not in new.recipient or "@" not in new.sender:
        return Reason.LETTER_FAILED
    if not new.method:
        return _notice(
            letter,
            moment,
            reader=reader,
            settings=settings,
            tokens=tokens,
            renderer=renderer,
            signed=signed,
        )
    mode = choose(new.sender, new.method, domains=settings.domains, from_foreign=settings.from_foreign)
    summary = summaries.load(new.summary)
    if mode is Mode.AGENT and not _organizes(summary, new.sender):
        mode = Mode.ON_BEHALF  # a delegator passes on the meeting of somebody else, whose ORGANIZER stays
    if mode is Mode.REFUSE:
        return Reason.FROM_REFUSED
    who = identify(mode, new.sender, account=new.account, uid=new.uid, tokens=tokens)
    sender = Mailbox(address=new.sender, name=_name(summary, new.sender))
    recipient = Mailbox(address=new.recipient, name=new.recipient_name)
    site = mail_domain(tokens.service)
    links = answer_links(letter, summary, moment, tokens=tokens, signed=signed)
    summary, calendar = _opened(letter, summary, moment, signed)
    worded = renderer.render(
        Sheet(summary=summary, sender=sender, recipient=recipient, reader=reader, links=links, site=site)
    )
    return LetterParts(
        envelope_sender=tokens.bounce(letter.sequence),
        author=sender if mode is Mode.USER else Mailbox(address=who.author, name=worded.author),
        reply_to=sender if who.reply_to else None,
        deputy=_deputy(new, settings) if mode is Mode.USER else None,
        recipient=recipient,
        subject=worded.subject,
        date=moment.astimezone(settings.zone),
        message_id=letter.message_id,
        in_reply_to=_parent(letter),
        references=_ancestors(letter),
        language=worded.language,
        auto_submitted=automatic(new, mark_all=settings.mark_all),
        hop=site,
        text=worded.text,
        html=worded.html,
        method=new.method,
        calendar=with_method(represented(_commented(calendar, worded), who), new.method),
        attach=settings.attach,
    )


def spoken_to(new: NewLetter) -> str:
    """The language of a guest as his invitation says it (RFC 5545 3.2.10): of his line, else of the title; else ""."""
    if b"LANGUAGE=" not in new.calendar.upper():
        return ""
    events = [one for one in parse(new.calendar).components if one.name in {"VEVENT", "VTODO"}]
    for event in events:
        for line in (*event.all("ATTENDEE"), *event.all("ORGANIZER")):
            if line.value.casefold() == f"mailto:{new.recipient}".casefold() and line.param("LANGUAGE"):
                return line.param("LANGUAGE") or ""
    titles = (event.first("SUMMARY") for event in events)
    return next((one.param("LANGUAGE") or "" for one in titles if one is not None), "")


def outsider(letter: Letter, *, by_domain: Mapping[str, str], organizer: str) -> Reader:
    """One who is no account of ours: `by_domain` has languages, `organizer` speaks the one that is guessed."""
    new = letter.letter
    known = letter.language or spoken_to(new) or by_domain.get(mail_domain(new.recipient), "")
    return Reader(language=known or organizer, zone=letter.zone, guessed=not known)


def _notice(
    letter: Letter,
    moment: datetime,
    *,
    reader: Reader,
    settings: LetterSettings,
    tokens: Tokens,
    renderer: Renderer,
    signed: LinkTokens | None,
) -> LetterParts:
    """About what somebody did: from the gateway, with the null sender, and no meeting in it (SPEC 3.4)."""
    new = letter.letter
    summary = summaries.load(new.summary)
    sender = Mailbox(address=new.sender, name=_name(summary, new.sender))
    recipient = Mailbox(address=new.recipient, name=new.recipient_name)
    site = mail_domain(tokens.service)
    links = Links()
    if signed is not None and summary.kind in _PAGES and not _is_of_a_guest(summary, new.recipient):
        page = signed.link(_PAGES[summary.kind], letter.sequence, moment)
        links = _confirming(page, summary) if summary.kind == "answered" else Links(page=page)
    worded = renderer.render(
        Sheet(
            summary=summary,
            sender=sender,
            recipient=recipient,
            reader=reader,
            links=links,
            site=site,
        )
    )
    return LetterParts(
        envelope_sender="",
        author=Mailbox(address=tokens.service, name=worded.author),
        reply_to=None if summary.kind in _OWN else sender,
        recipient=recipient,
        subject=worded.subject,
        date=moment.astimezone(settings.zone),
        message_id=letter.message_id,
        in_reply_to=_parent(letter),
        references=_ancestors(letter),
        language=worded.language,
        auto_submitted="auto-generated",
        hop=site,
        text=worded.text,
        html=worded.html,
        method="",
        calendar=b"",
        attach=False,
    )


def _is_of_a_guest(summary: Summary, recipient: str) -> bool:
    """Of an answer that came back its organizer's page is nothing for the guest who gave it."""
    organizer = summary.now.organizer
    return summary.kind == "bounced" and (organizer is None or organizer.address != recipient)


def automatic(letter: NewLetter, *, mark_all: bool) -> str:
    """RFC 3834 5: nothing for what a person caused, unless all is to be marked (SPEC 12.2)."""
    if letter.automatic:
        return "auto-replied" if letter.in_reply_to or letter.method == "REPLY" else "auto-generated"
    return "auto-generated" if mark_all else ""


def _commented(calendar: bytes, worded: Worded) -> bytes:
    """RFC 5546 3.2.3: a REPLY says in its COMMENT why it answers so; programs show that in place of our letter."""
    if not worded.comment:
        return calendar
    root = parse(calendar)
    said = text_prop("COMMENT", worded.comment, LANGUAGE=worded.language)
    return write(
        root.with_children(
            tuple(
                child.put(said)
                if isinstance(child, Component) and child.name in {"VEVENT", "VTODO"}
                else child
                for child in root.children
            )
        )
    )


def represented(calendar: bytes, who: Identity) -> bytes:
    """The calendar text with the agent's address in ORGANIZER, so that native answers reach us (SPEC 6.4).

    CN and EMAIL (RFC 7986 6.2) still name the person. The calendar itself never sees this address.
    """
    if not who.organizer:
        return calendar
    root = parse(calendar)
    return write(root.with_children(tuple(_represented(child, who) for child in root.children)))


def _represented(child: Property | Component, who: Identity) -> Property | Component:
    if isinstance(child, Property):
        return child
    old = child.first("ORGANIZER")
    if old is None:
        return child
    name = old.param("CN") or who.reply_to.rpartition("@")[0]
    new = prop("ORGANIZER", f"mailto:{who.organizer}", CN=name, EMAIL=who.reply_to)
    return child.replace(old, new)


def _deputy(new: NewLetter, settings: LetterSettings) -> Mailbox | None:
    known = settings.delegates.get(new.account, frozenset())
    who = deputy(new.calendar, new.sender, delegates=known, domains=settings.domains)
    return Mailbox(address=who) if who else None


def _organizes(summary: Summary, sender: str) -> bool:
    organizer = summary.now.organizer
    return organizer is None or organizer.address.casefold() == sender.casefold()


def _name(summary: Summary, address: str) -> str:
    """How the summary calls the sender."""
    known: tuple[Guest | None, ...] = (summary.attendee, summary.now.organizer, *summary.now.guests)
    folded = address.casefold()
    return next((one.name for one in known if one and one.name and one.address.casefold() == folded), "")


def _parent(letter: Letter) -> str:
    """RFC 5322 3.6.4: the mail that it answers, else the one before it in the thread."""
    candidates = (letter.letter.in_reply_to, letter.previous_id, letter.root_id)
    own = bare_id(letter.message_id)
    return next((one for one in candidates if bare_id(one) not in {"", own}), "")


def _ancestors(letter: Letter) -> tuple[str, ...]:
    own = bare_id(letter.message_id)
    line = (letter.root_id, letter.previous_id, letter.letter.in_reply_to)
    return tuple(dict.fromkeys(one for one in map(bare_id, line) if one not in {"", own}))


__all__ = [
    "LetterSettings",
    "Links",
    "Reader",
    "Renderer",
    "Sheet",
    "Worded",
    "answer_links",
    "automatic",
    "compose",
    "outsider",
    "represented",
    "spoken_to",
]
