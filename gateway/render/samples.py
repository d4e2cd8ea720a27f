"""A letter of every kind, with people and a meeting that nobody mistakes for his own: for previews and screenshots."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from gateway.imip.fields import Mailbox
from gateway.imip.letter import ASKING, Links, Reader, Sheet
from gateway.itip.model import Booked, Declined, Facts, Guest, Said, Summary, Taken, When
from gateway.render.letters import KINDS

NAMES = (*KINDS, "booking-accepted", "booking-partly", "booking-waits")
ZONE = "Europe/Berlin"
_ALICE = Guest(address="alice@example.org", name="Alice Liddell", partstat="ACCEPTED", role="CHAIR")
_BOB = Guest(address="bob@example.net", name="Bob Ross")
_DAN = Guest(address="dan@example.com", name="Dan", partstat="TENTATIVE", role="OPT-PARTICIPANT")
_ROOM = Guest(address="room4@example.org", name="Room 4", cutype="ROOM")
_PAGE = "https://calendar.example.org/r/sample"
_LINKS = Links(
    accept=f"{_PAGE}?a=accepted",
    tentative=f"{_PAGE}?a=tentative",
    decline=f"{_PAGE}?a=declined",
    propose=f"{_PAGE}?answer=counter#propose",
    page=_PAGE,
    mail="calendar+asample@example.org",
)
# Which kinds come from a guest to the organizer; all others go to a guest.
_HOME = frozenset({"reply", "refresh", "proposal", "message", "answers", "stranger", "bounced"})
_PAGED = frozenset({"answered", "proposal", "message", "answers", "stranger", "bounced"})


def sample(kind: str, *, language: str, now: datetime, zone: str = ZONE) -> Sheet:
    """The letter of this kind, one of NAMES, to somebody who reads `language`; its meeting is on a Monday, three weeks after `now`."""
    first = _monday(now)
    facts = _meeting(first)
    if kind.startswith("booking"):
        room, alice = _mailbox(_ROOM), _mailbox(_ALICE)
        return Sheet(
            summary=_booking(kind, facts, first),
            sender=room,
            recipient=alice,
            reader=Reader(language=language, zone=zone),
            site="example.org",
        )
    alice, bob = _mailbox(_ALICE), _mailbox(_BOB)
    home = kind in _HOME
    disown = f"{_PAGE}?answer=disown" if kind == "answered" else ""
    links = _LINKS if kind in ASKING else Links(page=_PAGE, disown=disown) if kind in _PAGED else Links()
    return Sheet(
        summary=_summary(kind, facts),
        sender=bob if home else alice,
        recipient=alice if home else bob,
        reader=Reader(language=language, zone=zone),
        links=links,
        site="example.org",
    )


def _summary(kind: str, facts: Facts) -> Summary:
    moved = replace(facts, start=_later(facts.start), end=_later(facts.end), location="Room 7")
    if kind == "update":
        return Summary(kind=kind, now=moved, before=facts, changed=("start", "end", "location"))
    if kind == "proposal":
        said = replace(moved, comment="An hour later I could come too.")
        return Summary(kind=kind, now=said, before=facts, changed=("start", "end"), attendee=_BOB)
    if kind == "proposal-declined":
        return Summary(kind=kind, now=facts, before=moved, changed=("start", "end"))
    if kind == "reply":
        answered = replace(_BOB, partstat="ACCEPTED")
        said = replace(facts, comment="Looking forward to it.")
        return Summary(kind=kind, now=said, partstat="ACCEPTED", attendee=answered)
    if kind == "answered":
        return Summary(kind=kind, now=facts, partstat="ACCEPTED", attendee=_BOB)
    if kind == "bounced":
        said = replace(facts, comment="550 5.1.1 <bob@example.net>: User unknown")
        return Summary(kind=kind, now=said, partstat="3.7", attendee=_BOB)
    if kind == "delegation":
        own = replace(_BOB, stands_for=_DAN.address)
        return Summary(
            kind=kind, now=replace(facts, guests=(_ALICE, own, replace(_DAN, partstat="DELEGATED")))
        )
    if kind == "answers":
        dan = replace(_DAN, partstat="DECLINED")
        told = (
            Said(guest=replace(_BOB, partstat="ACCEPTED")),
            Said(guest=dan, comment="I am away that week."),
        )
        return Summary(kind=kind, now=facts, answers=told)
    if kind == "stranger":
        return Summary(kind=kind, now=facts, attendee=Guest(address="eve@example.net", partstat="ACCEPTED"))
    if kind == "freebusy":
        day = replace(facts, kind="VFREEBUSY", title=_ALICE.address)
        return Summary(kind=kind, now=day, instances=(facts, moved))
    if kind == "message":
        said = replace(facts, comment="Is there a parking lot nearby?")
        return Summary(kind=kind, now=said, attendee=_BOB)
    return Summary(kind=kind, now=facts)


def _booking(name: str, facts: Facts, first: datetime) -> Summary:
    """A room's: it declines, unless the name says something else."""
    partstat, booked = "DECLINED", Booked(reason=Declined.BUSY, busy=_taken(first))
    if name == "booking-accepted":
        partstat, booked = "ACCEPTED", Booked()
    elif name == "booking-waits":
        partstat, booked = "TENTATIVE", Booked(reason=Declined.OWNER)
    elif name == "booking-partly":
        facts = replace(facts, rule="FREQ=WEEKLY;COUNT=4")
        dates = [first + timedelta(weeks=count) for count in range(4)]
        partstat, booked = (
            "ACCEPTED",
            Booked(
                reason=Declined.BUSY,
                busy=_taken(dates[2]),
                accepted=tuple(map(_when, (*dates[:2], dates[3]))),
                declined=(_when(dates[2]),),
            ),
        )
    return Summary(kind="booking", now=facts, partstat=partstat, attendee=_ROOM, booked=booked)


def _taken(start: datetime) -> tuple[Taken, ...]:
    """Its first hour, and the third."""
    hours = [_when(start + timedelta(hours=count)) for count in range(4)]
    return tuple(Taken(start=one, end=until) for one, until in (hours[:2], hours[2:]))


def _monday(now: datetime) -> datetime:
    there = (now + timedelta(weeks=3)).astimezone(ZoneInfo(ZONE))
    return (there + timedelta(days=-there.weekday() % 7)).replace(hour=15, minute=0, second=0, microsecond=0)


def _meeting(day: datetime) -> Facts:
    return Facts(
        kind="VEVENT",
        uid="sample@example.org",
        sequence=0,
        title="Quarterly planning",
        description="What we did, what we learned, what comes next.\n\nPlease read https://example.org/plan before.",
        location="Room 4",
        conference=("https://video.example.org/j/83424",),
        start=_when(day),
        end=_when(day + timedelta(minutes=90)),
        organizer=_ALICE,
        guests=(_ALICE, _BOB, _DAN),
    )


def _when(moment: datetime) -> When:
    return When(form="zoned", local=moment.replace(tzinfo=None), zone=ZONE, utc=moment.astimezone(UTC))


def _later(when: When | None) -> When | None:
    if when is None or when.utc is None:
        return when
    return _when((when.utc + timedelta(hours=1)).astimezone(ZoneInfo(ZONE)))


def _mailbox(guest: Guest) -> Mailbox:
    return Mailbox(address=guest.address, name=guest.name)


__all__ = ["NAMES", "ZONE", "sample"]
