"""Two gateways, two domains, two calendar servers, mailing each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)
UID = "between-us"


def instant(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def event(*lines: str) -> str:
    return "\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Client//EN",
            "BEGIN:VEVENT",
            f"UID:{UID}",
            f"DTSTAMP:{instant(datetime.now(UTC))}",
            f"DTSTART:{instant(START)}",
            f"DTEND:{instant(START + timedelta(hours=1))}",
            "SUMMARY:Across the street",
            "ORGANIZER;CN=Alice:mailto:alice@example.org",
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org",
            "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.net",
            *lines,
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


class Street:
    """What happens on one side arrives at the other; both come to rest."""

    def __init__(self, here: Any, there: Any) -> None:
        self.sides = (here, there)

    def rest(self) -> None:
        for _ in range(2):
            for side in self.sides:
                side.settle()


def partstat(text: str, address: str) -> str:
    line = next(one for one in text.split("\n") if one.startswith("ATTENDEE") and address in one)
    return next(
        (part.partition("=")[2].split(":")[0] for part in line.split(";") if part.startswith("PARTSTAT")),
        "NEEDS-ACTION",
    )


@pytest.mark.slow
def test_a_meeting_lives_its_whole_life_between_two_gateways(start: Any) -> None:
    """Invite, accept, reschedule, decline one instance, cancel one instance, cancel."""
    here = start("here", users=("alice",), domain="example.org")
    there = start("there", users=("bob",), domain="example.net", smarthost=f"smtp://127.0.0.1:{here.port}")
    here.reconfigure(smarthost=f"smtp://127.0.0.1:{there.port}")
    street = Street(here, there)
    street.rest()

    here.put("alice", UID, event("RRULE:FREQ=WEEKLY;COUNT=4"))
    street.rest()
    invited = there.object("bob", UID)
    assert "SUMMARY:Across the street" in invited and partstat(invited, "bob@example.net") == "NEEDS-ACTION"

    there.put("bob", UID, invited.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    street.rest()
    assert partstat(here.object("alice", UID), "bob@example.net") == "ACCEPTED"

    later = START + timedelta(hours=1)
    mine = here.object("alice", UID)
    moved = mine.replace(f"DTEND:{instant(later)}", f"DTEND:{instant(later + timedelta(hours=1))}").replace(
        f"DTSTART:{instant(START)}", f"DTSTART:{instant(later)}"
    )
    here.put("alice", UID, moved)
    street.rest()
    theirs = there.object("bob", UID)
    assert f"DTSTART:{instant(later)}" in theirs and partstat(theirs, "bob@example.net") == "NEEDS-ACTION"
    assert partstat(here.object("alice", UID), "bob@example.net") == "NEEDS-ACTION"

    second = later + timedelta(weeks=1)
    override = "\n".join(
        [
            "BEGIN:VEVENT",
            f"UID:{UID}",
            f"DTSTAMP:{instant(datetime.now(UTC))}",
            f"RECURRENCE-ID:{instant(second)}",
            f"DTSTART:{instant(second)}",
            f"DTEND:{instant(second + timedelta(hours=1))}",
            "SUMMARY:Across the street",
            "ORGANIZER;CN=Alice:mailto:alice@example.org",
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org",
            "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.net",
            "END:VEVENT",
            "END:VCALENDAR",
        ]
    )
    there.put("bob", UID, theirs.replace("END:VCALENDAR", override))
    street.rest()
    parts = here.object("alice", UID).split("BEGIN:VEVENT")
    declined = next(part for part in parts if f"RECURRENCE-ID:{instant(second)}" in part)
    assert partstat(declined, "bob@example.net") == "DECLINED"

    third = later + timedelta(weeks=2)
    mine = here.object("alice", UID)
    here.put(
        "alice",
        UID,
        mine.replace("RRULE:FREQ=WEEKLY;COUNT=4", f"RRULE:FREQ=WEEKLY;COUNT=4\nEXDATE:{instant(third)}"),
    )
    street.rest()
    theirs = there.object("bob", UID)
    gone = [part for part in theirs.split("BEGIN:VEVENT") if f"RECURRENCE-ID:{instant(third)}" in part]
    assert f"EXDATE:{instant(third)}" in theirs or "STATUS:CANCELLED" in gone[0]
    assert "RRULE:FREQ=WEEKLY;COUNT=4" in theirs

    here.delete("alice", UID)
    street.rest()
    assert "STATUS:CANCELLED" in there.object("bob", UID)
    for side in street.sides:
        stats = side.json("queue", "stats")
        assert (stats["held"], stats["buried"], stats["letters_due"]) == (0, 0, 0)


@pytest.mark.slow
def test_a_proposed_time_is_taken_up_on_both_sides(start: Any) -> None:
    """Bob proposes by mail, Alice finds it in her list, says yes, and both calendars show it; a second yes is none."""
    here = start("here", users=("alice",), domain="example.org")
    there = start("there", users=("bob",), domain="example.net", smarthost=f"smtp://127.0.0.1:{here.port}")
    here.reconfigure(smarthost=f"smtp://127.0.0.1:{there.port}")
    street = Street(here, there)
    street.rest()
    here.put("alice", UID, event())
    street.rest()
    assert f"DTSTART:{instant(START)}" in there.object("bob", UID)

    later = START + timedelta(hours=3)
    here.mail(counter(later), "alice@example.org", sender="bob@example.net")
    assert f"DTSTART:{instant(START)}" in here.object("alice", UID)
    (waiting,) = here.json("proposal", "list")
    assert (waiting["from"], waiting["uid"], waiting["comment"]) == (
        "bob@example.net",
        UID,
        "Three hours later?",
    )
    assert waiting["start"] == f"{later:%Y-%m-%dT%H:%M:%SZ}"

    here.run("proposal", "accept", waiting["id"])
    street.rest()
    mine, theirs = here.object("alice", UID), there.object("bob", UID)
    assert f"DTSTART:{instant(later)}" in mine and f"DTSTART:{instant(later)}" in theirs
    assert partstat(mine, "bob@example.net") == "ACCEPTED"
    here.run("proposal", "accept", waiting["id"], ok=(69,))
    here.run("proposal", "decline", "no-such-name", ok=(69,))
    here.run("proposal", "accept", ok=(64,))
    assert here.json("proposal", "list") == []
    for side in street.sides:
        stats = side.json("queue", "stats")
        assert (stats["held"], stats["buried"], stats["letters_due"]) == (0, 0, 0)


def counter(moment: datetime) -> bytes:
    """What Bob's program mails."""
    text = event("COMMENT:Three hours later?").replace(
        f"DTSTART:{instant(START)}", f"DTSTART:{instant(moment)}"
    )
    text = text.replace(
        f"DTEND:{instant(START + timedelta(hours=1))}", f"DTEND:{instant(moment + timedelta(hours=1))}"
    )
    text = text.replace("PRODID:", "METHOD:COUNTER\nPRODID:")
    head = (
        "From: bob@example.net\nTo: alice@example.org\nSubject: New time\nMessage-ID: <counter@example.net>\n"
        f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S +0000}\nMIME-Version: 1.0\n"
        "Content-Type: text/calendar; charset=utf-8; method=COUNTER\n\n"
    )
    return (head + text).encode()
