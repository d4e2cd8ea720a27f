"""A room answers by itself, and is booked once, whichever process of whichever node is asked (SPEC 8.2)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)
ALICE, ROOM = "alice@example.org", "room1@example.org"
SETTINGS = {"more": 'kind = "room"\n', "trust": 'trusted_networks_are = "proven"'}


def event(uid: str, organizer: str, *, minutes: int = 0, method: str = "") -> str:
    start, stamp = START + timedelta(minutes=minutes), "%Y%m%dT%H%M%SZ"
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Client//EN",
        *([f"METHOD:{method}"] if method else []),
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{datetime.now(UTC):{stamp}}",
        f"DTSTART:{start:{stamp}}",
        f"DTEND:{start + timedelta(hours=1):{stamp}}",
        "SUMMARY:Planning",
        f"ORGANIZER:mailto:{organizer}",
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}",
        f"ATTENDEE;CN=Room 1;CUTYPE=ROOM;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{ROOM}",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(lines)


def request(uid: str, organizer: str, *, minutes: int = 0) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = organizer, ROOM, "Invitation"
    mail["Message-ID"] = f"<{uid}.{datetime.now(UTC).timestamp()}@example.org>"
    mail.set_content("See the calendar part.")
    text = event(uid, organizer, minutes=minutes, method="REQUEST")
    mail.add_alternative(
        text.encode(), maintype="text", subtype="calendar", params={"method": "REQUEST", "charset": "utf-8"}
    )
    return mail


def subjects(gateway: Any) -> list[tuple[str, str]]:
    told = ((one["To"].addresses[0].addr_spec, str(one["Subject"])) for one in gateway.take_letters())
    return sorted((who, subject.partition(" (")[0]) for who, subject in told)


def answers(gateway: Any) -> Counter[str]:
    """What the copies in the room's calendar say."""
    found = (
        re.search(rf"ATTENDEE.*PARTSTAT=([A-Z-]+).*{ROOM}", text)
        for text in gateway.objects("room1").values()
    )
    return Counter(one[1] for one in found if one is not None)


def test_a_room_is_booked_refused_and_given_back(start: Callable[..., Any]) -> None:
    gateway = start(users=("alice", "room1"), **SETTINGS)
    gateway.settle()
    gateway.put("alice", "mine", event("mine", ALICE))
    gateway.settle()
    assert re.search(rf"ATTENDEE.*PARTSTAT=ACCEPTED.*{ROOM}", gateway.object("alice", "mine"))
    gateway.mail(request("theirs", "carol@example.org", minutes=30), ROOM, sender="carol@example.org")
    assert subjects(gateway) == [("carol@example.org", "Not booked: Planning")]
    gateway.delete("alice", "mine")
    gateway.settle()
    gateway.mail(request("others", "dave@example.org", minutes=30), ROOM, sender="dave@example.org")
    assert subjects(gateway) == [("dave@example.org", "Booked: Planning")]


@pytest.mark.slow
def test_of_thirty_who_ask_two_nodes_at_once_one_gets_the_room(
    start: Callable[..., Any], postgresql: Any, tmp_path: Path
) -> None:
    """Two daemons of two processes each, one database, one calendar server."""
    key = tmp_path / "key"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o600)
    name = postgresql.create()
    general = f'database_url = "{postgresql.url(name)}"\nprocesses = 2\nsecret_key_file = "{key}"'
    common = {"users": ("alice", "room1"), "general": general, "maildir": tmp_path / "mail", **SETTINGS}
    first = start("first", **common)
    second = start("second", radicale=first.radicale, **common)
    first.settle()
    nodes = (first, second)

    def ask(number: int) -> None:
        who = f"guest{number}@example.org"
        nodes[number % 2].post(request(f"m{number}", who, minutes=number), ROOM, sender=who)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(ask, range(30)))
    first.run("drain", "--timeout", "120")
    told = Counter(subject for _, subject in subjects(first))
    assert told == {"Booked: Planning": 1, "Not booked: Planning": 29}
    assert answers(first) == {"ACCEPTED": 1, "DECLINED": 29}
    for one in nodes:
        one.stop()
    postgresql.drop(name)
