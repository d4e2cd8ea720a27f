"""The organizer's page in words: of each guest what he was sent and what he said, and what the guests propose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

from gateway.accounts import Account
from gateway.imip.fields import Mailbox
from gateway.imip.letter import Reader, Sheet
from gateway.itip.model import Guest as Invited
from gateway.itip.model import Outgoing, Summary, When
from gateway.ports import Crasher, Posted, Undecided, Visit
from gateway.render.changes import person
from gateway.render.choices import as_chosen, languages, zones
from gateway.render.dates import clock, short, span
from gateway.render.question import Banner, Questions
from gateway.render.templates import Templates
from gateway.render.text import isolate, line, lines
from gateway.render.view import View, view
from gateway.render.voice import Translations, Voice, zone_of

_SYMBOLS = {"ACCEPTED": "✓", "DECLINED": "✕", "TENTATIVE": "?"}
_TONES = {"ACCEPTED": "yes", "DECLINED": "no", "TENTATIVE": "maybe"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One guest as he stands in the calendar (None: no longer), and the last letter to him."""

    guest: Invited | None
    posted: Posted | None
    status: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """What leaves when his last change has settled; `mails` None: that cannot be said now."""

    due: datetime
    mails: tuple[Outgoing, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What the page is made of."""

    summary: Summary
    account: Account
    action: str
    nonce: str
    there: bool
    guests: tuple[Guest, ...]
    proposals: tuple[Undecided, ...]
    crashers: tuple[Crasher, ...]
    problem: str
    outbox: Outbox | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A guest in words."""

    name: str
    address: str
    symbol: str
    tone: str
    answer: str
    mailed: str
    trouble: bool
    comment: tuple[str, ...]
    written_to: str  # the address of the last letter, "" none


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A proposal in words; `pending`: what was said to it and can be taken back."""

    id: str
    who: str
    now: str
    proposed: str
    comment: tuple[str, ...]
    pending: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninvited:
    """Somebody who answered uninvited. His address alone: he chose his name and his words to be read here."""

    address: str
    who: str
    since: str
    pending: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A mail that will leave."""

    who: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewView:
    """The page as the template sees it."""

    v: View
    banners: tuple[Banner, ...]
    action: str
    nonce: str
    guests: tuple[Row, ...]
    wishes: tuple[Wish, ...]
    uninvited: tuple[Uninvited, ...]
    settling: str  # when his last change is told, and that it can still be changed; "" none is
    leaving: tuple[Leaving, ...]


class Overviews:
    """Renders the pages of organizers."""

    def __init__(
        self, templates: Templates, translations: Mapping[str, Translations], pages: Questions
    ) -> None:
        self._templates = templates
        self._translations = translations
        self._pages = pages

    def nothing(self, visit: Visit) -> str:
        """The same page as for guests."""
        return self._pages.nothing(visit)

    def overview(self, overview: Overview, visit: Visit) -> str:
        """The page."""
        account = overview.account
        known = Reader(language=account.language, zone=account.timezone)
        speaking = self._pages.voice(visit, known)
        zone = str(getattr(speaking.zone, "key", "")) if speaking.zone is not None else ""
        return self._templates.render(
            "web/overview.html",
            speaking,
            q=_view(overview, speaking, visit),
            languages=languages(tuple(self._translations), speaking.language),
            zones=zones(str(speaking.locale), zone),
        )


def _view(overview: Overview, speaking: Voice, visit: Visit) -> OverviewView:
    near = replace(speaking, zone=speaking.zone or _zone(overview))  # one clock on the whole page
    me = Mailbox(address=overview.account.address, name=overview.account.name)
    return OverviewView(
        v=view(Sheet(summary=overview.summary, sender=me, recipient=me), speaking),
        banners=_banners(overview, speaking),
        action=as_chosen(overview.action, visit),
        nonce=overview.nonce,
        guests=tuple(_row(one, near) for one in overview.guests),
        wishes=tuple(_wish(one, overview, near) for one in overview.proposals),
        uninvited=_uninvited(overview.crashers, near),
        settling=_settling(overview, near),
        leaving=_leaving(overview, near),
    )


def _settling(overview: Overview, speaking: Voice) -> str:
    outbox = overview.outbox
    if outbox is None:
        return ""
    if outbox.mails == ():
        return speaking.say("Nobody needs a mail about your last change.")
    at = _at(outbox.due, speaking)
    return speaking.say("Your last change is mailed %(when)s, unless you change the meeting again.", when=at)


def _leaving(overview: Overview, speaking: Voice) -> tuple[Leaving, ...]:
    mails = (overview.outbox.mails if overview.outbox is not None else None) or ()
    words = {
        "invitation": speaking.say("invitation"),
        "delegation": speaking.say("invitation"),
        "update": speaking.say("change"),
        "cancellation": speaking.say("cancellation"),
        "removed": speaking.say("cancellation"),
    }
    known = {one.address: one for one in overview.summary.now.guests}
    return tuple(
        Leaving(
            who=person(
                known.get(one.recipient) or Invited(address=one.recipient, name=one.recipient_name), speaking
            ),
            what=words.get(one.summary.kind, speaking.say("mail")),
        )
        for one in mails
    )


def _zone(overview: Overview) -> tzinfo | None:
    start = overview.summary.now.start
    return zone_of(start.zone) if start is not None and start.form == "zoned" else None


def _banners(overview: Overview, speaking: Voice) -> tuple[Banner, ...]:
    words = {
        "undone": ("news", "↶", speaking.say("Taken back. Nobody was told.")),
        "given": ("yes", "✓", speaking.say("Noted. Until it takes effect you can take it back.")),
        "late": ("change", "!", speaking.say("This no longer waits for your word.")),
        "both": (
            "change",
            "!",
            speaking.say(
                "Two different answers came at the same time, so neither of them counts. Please answer once more."
            ),
        ),
        "again": (
            "change",
            "!",
            speaking.say(
                "Please send your answer once more: it came so fast that it may have been a program and not you."
            ),
        ),
        "stale": (
            "no",
            "!",
            speaking.say(
                "This page was open for too long. Nothing was sent; please send your answer once more."
            ),
        ),
        "choose": ("no", "!", speaking.say("Please choose one of the answers.")),
        "whose": ("no", "!", speaking.say("Please choose whose links to take back.")),
        "revoked": (
            "news",
            "↶",
            speaking.say("These links lead nowhere any more. The next mail brings a new one."),
        ),
    }
    found = []
    if overview.problem in words:
        tone, symbol, text = words[overview.problem]
        found.append(Banner(tone=tone, symbol=symbol, text=text, urgent=True))
    if not overview.there:
        gone = speaking.say("This meeting is not in your calendar, or the calendar cannot be reached.")
        found.append(Banner(tone="change", symbol="!", text=gone))
    return tuple(found)


def _row(one: Guest, speaking: Voice) -> Row:
    guest = one.guest
    address = guest.address if guest is not None else (one.posted.recipient if one.posted else "")
    status = guest.partstat.upper() if guest is not None else ""
    words = {
        "ACCEPTED": speaking.say("accepted"),
        "DECLINED": speaking.say("declined"),
        "TENTATIVE": speaking.say("maybe"),
        "DELEGATED": speaking.say("delegated"),
        "": speaking.say("no longer invited"),
    }
    mailed, trouble = _mailed(one, speaking)
    return Row(
        name=person(guest or Invited(address=address), speaking),
        address=line(address, 254) if guest is not None and guest.name else "",
        symbol=speaking.onward if status == "DELEGATED" else _SYMBOLS.get(status, "–"),
        tone=_TONES.get(status, ""),
        answer=words.get(status, speaking.say("no answer yet")),
        mailed=mailed,
        trouble=trouble,
        comment=lines(one.comment, limit=20),
        written_to=one.posted.recipient if one.posted is not None else "",
    )


def _mailed(one: Guest, speaking: Voice) -> tuple[str, bool]:
    """What became of the last letter to him. RFC 6638 3.2.9: 3.x and 5.x are failures."""
    posted = one.posted
    if one.status[:2] in ("3.", "5.") or (posted is not None and posted.state == "failed"):
        return speaking.say("could not be delivered"), True
    if posted is None:
        return speaking.say("not written to by us"), False
    at = _at(posted.at, speaking)
    words = {
        "sent": speaking.say("mailed %(when)s", when=at),
        "deferred": speaking.say("being tried again since %(when)s", when=at),
        "dropped": speaking.say("not mailed"),
    }
    return words.get(posted.state, speaking.say("about to be mailed")), posted.state == "dropped"


def _at(moment: datetime, speaking: Voice) -> str:
    when = When(form="utc", local=moment.astimezone(UTC).replace(tzinfo=None), utc=moment.astimezone(UTC))
    return short(when, speaking)


def _wish(one: Undecided, overview: Overview, speaking: Voice) -> Wish:
    known = (each for each in overview.summary.now.guests if each.address == one.row.sender)
    pending = ""
    if one.answer and one.due is not None:
        at = clock(one.due.astimezone(speaking.zone or speaking.home), speaking)
        said = {
            "accepted": speaking.say("You agree. Everybody is told at %(time)s.", time=at),
            "declined": speaking.say("It stays as it is. Who proposed it is told at %(time)s.", time=at),
        }
        pending = said.get(one.answer, "")
    return Wish(
        id=one.row.id,
        who=person(next(known, Invited(address=one.row.sender)), speaking),
        now=_range(one.row.old_start, one.row.old_end, speaking),
        proposed=_range(one.row.start, one.row.end, speaking),
        comment=lines(one.row.comment, limit=20),
        pending=pending,
    )


def _uninvited(crashers: tuple[Crasher, ...], speaking: Voice) -> tuple[Uninvited, ...]:
    """Each of them once, however often he has answered."""
    found: dict[str, list[Crasher]] = {}
    for one in crashers:
        found.setdefault(one.sender, []).append(one)
    return tuple(
        Uninvited(
            address=sender,
            who=isolate(line(sender, 254), speaking.direction),
            since=_at(his[0].since, speaking),
            pending=_said(next((one for one in his if one.due is not None), his[0]), speaking),
        )
        for sender, his in found.items()
    )


def _said(one: Crasher, speaking: Voice) -> str:
    if one.due is None:
        return ""
    at = clock(one.due.astimezone(speaking.zone or speaking.home), speaking)
    words = {
        "approved": speaking.say("This answer will count from %(time)s.", time=at),
        "refused": speaking.say("This answer will be refused at %(time)s. Nobody is told.", time=at),
    }
    return words.get(one.word, "")


def _range(start: str, end: str, speaking: Voice) -> str:
    first, last = _when(start), _when(end)
    if first is None:
        return ""
    return span(first, last, speaking).whole


def _when(text: str) -> When | None:
    """RFC 3339, a day, or a time of nowhere."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) == len("2026-11-21"):
        return When(form="date", local=moment)
    if moment.tzinfo is None:
        return When(form="floating", local=moment)
    utc = moment.astimezone(UTC)
    return When(form="utc", local=utc.replace(tzinfo=None), utc=utc)


__all__ = ["Guest", "Overview", "Overviews"]
