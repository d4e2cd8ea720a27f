"""A meeting, the letters about it, and what wires them, for the tests of outgoing mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.imip.letter import LetterSettings, Reader, compose
from gateway.imip.links import LinkTokens
from gateway.imip.tokens import Tokens
from gateway.imip.write import LetterParts
from gateway.itip.model import Booked, Declined, Facts, Guest, Reason, Said, Summary, Taken, When
from gateway.itip.summary import dump
from gateway.ports import Letter, NewLetter
from gateway.render.catalog import catalogues
from gateway.render.letters import FILTERS, Letters
from gateway.render.templates import Templates

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"

BERLIN = """BEGIN:VTIMEZONE\r
TZID:Europe/Berlin\r
BEGIN:DAYLIGHT\r
TZOFFSETFROM:+0100\r
TZOFFSETTO:+0200\r
TZNAME:CEST\r
DTSTART:19810329T020000\r
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r
END:DAYLIGHT\r
BEGIN:STANDARD\r
TZOFFSETFROM:+0200\r
TZOFFSETTO:+0100\r
TZNAME:CET\r
DTSTART:19961027T030000\r
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r
END:STANDARD\r
END:VTIMEZONE\r
"""


def at(day: int, hour: int, minute: int = 0) -> When:
    """A moment of November 2026 in Berlin."""
    local = datetime(2026, 11, day, hour, minute)
    return When(
        form="zoned",
        local=local,
        zone="Europe/Berlin",
        utc=local.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC),
    )


ALICE = Guest(address="alice@example.org", name="Alice Liddell", partstat="ACCEPTED", role="CHAIR")
BOB = Guest(address="bob@example.net", name="Bob Müller")
CAROL = Guest(address="carol@example.com", name="Carol Jones", partstat="ACCEPTED")
MEETING = Facts(
    kind="VEVENT",
    uid="20261123-quarter@example.org",
    sequence=0,
    title="Quarterly planning",
    description="1. Numbers\n2. Hiring: https://docs.example.org/plan?id=4&x=1",
    location="Room 4",
    conference=("https://video.example.org/j/83424",),
    start=at(23, 15),
    end=at(23, 16, 30),
    organizer=ALICE,
    guests=(BOB, CAROL),
)
MOVED = replace(MEETING, sequence=1, start=at(24, 10), end=at(24, 11, 30), location="Room 7", guests=(BOB,))
ANSWERED = replace(MEETING, guests=(replace(BOB, partstat="ACCEPTED"), CAROL))


def calendar(
    facts: Facts, *, attendees: str = "", organizer: str = "alice@example.org", extra: str = ""
) -> bytes:
    """The calendar text of a meeting, without METHOD."""
    start, end = facts.start, facts.end
    assert start and end
    attendees = (
        attendees or "ATTENDEE;CN=Bob Müller;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.net\r\n"
    )
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//imip-gateway//EN\r\n"
        f"{BERLIN}BEGIN:VEVENT\r\nUID:{facts.uid}\r\nDTSTAMP:20261101T080000Z\r\nSEQUENCE:{facts.sequence}\r\n"
        f"DTSTART;TZID=Europe/Berlin:{start.local:%Y%m%dT%H%M%S}\r\n"
        f"DTEND;TZID=Europe/Berlin:{end.local:%Y%m%dT%H%M%S}\r\n"
        f"SUMMARY:Quarterly planning\r\nORGANIZER;CN=Alice Liddell:mailto:{organizer}\r\n"
        f"{attendees}{extra}END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def new_letter(summary: Summary, /, **changes: Any) -> NewLetter:
    """A letter from Alice to Bob."""
    values: dict[str, Any] = {
        "account": "alice@example.org",
        "uid": MEETING.uid,
        "recurrence_id": "",
        "method": "REQUEST",
        "sender": "alice@example.org",
        "recipient": "bob@example.net",
        "recipient_name": "Bob Müller",
        "calendar": calendar(summary.now),
        "summary": dump(summary),
    }
    return NewLetter(**{**values, **changes})


def stored(letter: NewLetter, **changes: Any) -> Letter:
    """The letter as the store has it."""
    values: dict[str, Any] = {
        "id": "L1",
        "state": "ready",
        "letter": letter,
        "message_id": "<first@example.org>",
        "root_id": "<first@example.org>",
        "previous_id": "",
        "sequence": 7,
        "created": datetime(2026, 11, 1, 8, 0, tzinfo=UTC),
        "changed": datetime(2026, 11, 1, 8, 0, tzinfo=UTC),
    }
    return Letter(**{**values, **changes})


ACCEPTED = "ATTENDEE;CN=Bob Müller;PARTSTAT=ACCEPTED:mailto:bob@example.net\r\n"
STANDING_IN = (
    'ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;DELEGATED-FROM="mailto:carol@example.com":mailto:bob@example.net\r\n'
    'ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:bob@example.net":mailto:carol@example.com\r\n'
)
CARLA = replace(ALICE, address="carla@foreign.example", name="Carla Rossi")
FOREIGN = replace(MEETING, organizer=CARLA)
LATER = {"message_id": "<second@example.org>", "previous_id": "<first@example.org>", "sequence": 8}
REPLY = {
    "method": "REPLY",
    "sender": "bob@example.net",
    "recipient": "alice@example.org",
    "recipient_name": "Alice Liddell",
    "calendar": calendar(MEETING, attendees=ACCEPTED),
    "in_reply_to": "<request@other.example>",
}
BARE = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//imip-gateway//EN\r\nBEGIN:VEVENT\r\n"
    f"UID:{MEETING.uid}\r\nDTSTAMP:20261101T080000Z\r\nORGANIZER;CN=Alice Liddell:mailto:alice@example.org\r\n"
    "ATTENDEE:mailto:bob@example.net\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
).encode()
BUSY = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//imip-gateway//EN\r\nBEGIN:VFREEBUSY\r\n"
    f"UID:{MEETING.uid}\r\nDTSTAMP:20261101T080000Z\r\nDTSTART:20261122T230000Z\r\nDTEND:20261123T230000Z\r\n"
    "ORGANIZER:mailto:alice@example.org\r\nATTENDEE:mailto:bob@example.net\r\n"
    "FREEBUSY:20261123T140000Z/20261123T153000Z\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
).encode()
ANSWER = Summary(
    kind="reply",
    now=replace(MEETING, guests=(), comment="Ten minutes late."),
    partstat="ACCEPTED",
    attendee=replace(BOB, partstat="ACCEPTED"),
)

CASES: dict[str, Letter] = {
    "invitation": stored(new_letter(Summary(kind="invitation", now=MEETING))),
    "delegation": stored(
        new_letter(
            Summary(
                kind="delegation",
                now=replace(
                    MEETING,
                    guests=(replace(BOB, stands_for=CAROL.address), replace(CAROL, partstat="DELEGATED")),
                ),
            ),
            calendar=calendar(MEETING, attendees=STANDING_IN),
        )
    ),
    "update": stored(
        new_letter(
            Summary(
                kind="update",
                now=MOVED,
                before=ANSWERED,
                changed=("start", "end", "location", "guests"),
            )
        ),
        **LATER,
    ),
    "cancellation": stored(
        new_letter(
            Summary(kind="cancellation", now=replace(MEETING, status="CANCELLED", sequence=2)),
            method="CANCEL",
        ),
        **LATER,
    ),
    "removed": stored(
        new_letter(Summary(kind="removed", now=replace(MEETING, sequence=2)), method="CANCEL"), **LATER
    ),
    "reply": stored(new_letter(ANSWER, **REPLY)),
    "invitation-agent": stored(
        new_letter(
            Summary(kind="invitation", now=FOREIGN),
            sender="carla@foreign.example",
            account="carla@foreign.example",
            calendar=calendar(FOREIGN, organizer="carla@foreign.example"),
        )
    ),
}


WISHED = replace(MEETING, start=at(24, 10), end=at(24, 11, 30), guests=(BOB,), comment="I am away on Monday.")
CASES["proposal-declined"] = stored(
    new_letter(
        Summary(kind="proposal-declined", now=replace(MEETING, guests=(BOB,))), method="DECLINECOUNTER"
    ),
    **LATER,
)
CASES["refresh"] = stored(
    new_letter(
        Summary(kind="refresh", now=replace(MEETING, guests=()), attendee=BOB),
        **{**REPLY, "method": "REFRESH", "calendar": BARE, "automatic": True},
    )
)
CASES["freebusy"] = stored(
    new_letter(
        Summary(
            kind="freebusy",
            now=Facts(
                kind="VFREEBUSY",
                uid=MEETING.uid,
                sequence=0,
                title="bob@example.net",
                start=at(23, 0),
                end=at(24, 0),
            ),
            instances=(MEETING, MOVED),
        ),
        **{**REPLY, "calendar": BUSY, "automatic": True},
    )
)


ROOM = Guest(address="room4@example.org", name="Room 4", cutype="ROOM")
BUSY_AT = (
    Taken(start=at(23, 14), end=at(23, 15, 30)),
    Taken(start=at(23, 16), end=at(23, 17)),
    Taken(start=at(30, 22), end=at(30, 23, 30)),
)
BOOKINGS = {
    "booking": ("DECLINED", Booked(reason=Declined.BUSY, busy=BUSY_AT[:2])),
    "booking-accepted": ("ACCEPTED", Booked()),
    "booking-partly": (
        "ACCEPTED",
        Booked(
            reason=Declined.BUSY,
            busy=BUSY_AT,
            accepted=tuple(at(day, 15) for day in range(24, 30)),
            declined=(at(23, 15), at(30, 15)),
        ),
    ),
    "booking-waits": ("TENTATIVE", Booked(reason=Declined.OWNER)),
    "booking-hours": (
        "DECLINED",
        Booked(reason=Declined.HOURS, hours="Mo-Fr 08:00-14:30, Sa 09:00-12:00", zone="Europe/London"),
    ),
    "booking-duration": ("DECLINED", Booked(reason=Declined.DURATION, most=60)),
}
for name, (partstat, booked) in BOOKINGS.items():
    CASES[name] = stored(
        new_letter(
            Summary(
                kind="booking",
                now=replace(MEETING, guests=(), rule="FREQ=DAILY;COUNT=8" if booked.accepted else ""),
                partstat=partstat,
                attendee=ROOM,
                booked=booked,
            ),
            **{
                **REPLY,
                "sender": ROOM.address,
                "account": ROOM.address,
                "automatic": True,
                "calendar": calendar(
                    MEETING,
                    attendees=f"ATTENDEE;CN=Room 4;CUTYPE=ROOM;PARTSTAT={partstat}:mailto:{ROOM.address}\r\n",
                    extra="RRULE:FREQ=DAILY;COUNT=8\r\n" if booked.accepted else "",
                ),
            },
        )
    )


CASES["answered-coming"] = stored(
    new_letter(
        Summary(
            kind="answered", now=ANSWERED, partstat="ACCEPTED", attendee=replace(BOB, partstat="ACCEPTED")
        ),
        calendar=calendar(
            MEETING, attendees=ACCEPTED.replace("PARTSTAT=ACCEPTED", "PARTSTAT=ACCEPTED;RSVP=FALSE")
        ),
        automatic=True,
    ),
    **LATER,
)


def notice(summary: Summary, *, home: bool = True, **changes: Any) -> Letter:
    """What the gateway tells Alice about Bob; with `home=False`, Bob about Alice."""
    alice, bob = ("alice@example.org", "Alice Liddell"), ("bob@example.net", "Bob Müller")
    sender, recipient = (bob, alice) if home else (alice, bob)
    values = {
        "method": "",
        "calendar": b"",
        "automatic": True,
        "sender": sender[0],
        "recipient": recipient[0],
    }
    return stored(new_letter(summary, **values, recipient_name=recipient[1], **changes))


NOTICES: dict[str, Letter] = {
    "proposal": notice(
        Summary(
            kind="proposal",
            proposal="06enxkq1v0t8r3",
            now=WISHED,
            before=replace(MEETING, guests=(BOB,)),
            changed=("start", "end"),
            attendee=BOB,
        )
    ),
    "message": notice(
        Summary(kind="message", now=replace(MEETING, comment="Is there a parking lot nearby?"), attendee=BOB)
    ),
    "answers": notice(
        Summary(
            kind="answers",
            now=MEETING,
            answers=(
                Said(guest=replace(BOB, partstat="ACCEPTED")),
                Said(
                    guest=replace(CAROL, partstat="DELEGATED", sends="dan@example.com"),
                    comment="Dan knows more.",
                ),
                Said(guest=replace(BOB, partstat="DECLINED"), comment="Not that day.", date=at(30, 15)),
            ),
        )
    ),
    "stranger": notice(
        Summary(kind="stranger", now=MEETING, attendee=Guest(address="eve@example.net", partstat="ACCEPTED"))
    ),
    "answered": notice(Summary(kind="answered", now=ANSWERED, partstat="DECLINED", attendee=BOB), home=False),
    "bounced": notice(
        Summary(
            kind="bounced",
            now=replace(MEETING, comment="550 5.1.1 <bob@example.net>: User unknown"),
            partstat="3.7",
            attendee=BOB,
        )
    ),
}


@pytest.fixture(scope="session")
def notices() -> dict[str, Letter]:
    """Letters to our own users, with no meeting in them."""
    return NOTICES


@pytest.fixture(scope="session")
def cases() -> dict[str, Letter]:
    """One stored letter of each kind."""
    return CASES


@pytest.fixture(scope="session")
def a_letter() -> Callable[..., Letter]:
    """Alice's invitation to Bob, with changed facts (`now`), or changed fields of the letter."""

    def make(now: dict[str, Any] | None = None, **changes: Any) -> Letter:
        facts = replace(MEETING, **(now or {}))
        return stored(new_letter(Summary(kind="invitation", now=facts), **changes))

    return make


@pytest.fixture(scope="session")
def tokens() -> Tokens:
    return Tokens(secret=b"a secret of the tests", service="calendar@example.org")


@pytest.fixture(scope="session")
def renderer() -> Letters:
    sources = {
        path.relative_to(TEMPLATES).as_posix(): path.read_text("utf-8") for path in TEMPLATES.glob("mail/*.*")
    }
    spoken = {path.stem: path.read_bytes() for path in (TEMPLATES / "locale").glob("*.po")}
    return Letters(Templates(sources, filters=FILTERS), catalogues(spoken))


@pytest.fixture(scope="session")
def composed(renderer: Letters, tokens: Tokens) -> Callable[..., LetterParts | Reason]:
    """`compose` as wiring calls it, for our domain example.org."""

    def make(
        letter: Letter, *, reader: Reader | None = None, signed: LinkTokens | None = None, **settings: Any
    ) -> LetterParts | Reason:
        values: dict[str, Any] = {
            "domains": ("example.org",),
            "zone": timezone(timedelta(hours=1)),
            **settings,
        }
        return compose(
            letter,
            letter.created,
            reader=reader or Reader(language="en", zone="Europe/Berlin"),
            settings=LetterSettings(**values),
            tokens=tokens,
            renderer=renderer,
            signed=signed,
        )

    return make
