"""Guest and organizer are both ours: from calendar to calendar, and no mail (SPEC 5.6, 12.7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)
ALICE, BOB, ERIN = "alice@example.org", "bob@example.org", "erin@example.com"
UID = "local-1"
ACCEPTED = rf"ATTENDEE.*PARTSTAT=ACCEPTED.*{BOB}"


def event(*guests: str, sequence: int = 0, summary: str = "Planning") -> str:
    stamp = "%Y%m%dT%H%M%SZ"
    return "\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Client//EN",
            "BEGIN:VEVENT",
            f"UID:{UID}",
            f"DTSTAMP:{datetime.now(UTC):{stamp}}",
            f"SEQUENCE:{sequence}",
            f"DTSTART:{START:{stamp}}",
            f"DTEND:{START + timedelta(hours=1):{stamp}}",
            f"SUMMARY:{summary}",
            f"ORGANIZER;CN=Alice:mailto:{ALICE}",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ALICE}",
            *[f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{one}" for one in guests],
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


def recipients(gateway: Any) -> list[str]:
    return sorted(one["To"].addresses[0].addr_spec for one in gateway.take_letters())


@pytest.mark.slow
def test_a_guest_of_ours_is_invited_answers_and_is_uninvited_without_a_mail(gateway: Any) -> None:
    gateway.put("alice", UID, event(BOB, ERIN))
    gateway.settle()
    assert recipients(gateway) == [ERIN]
    copy = gateway.object("bob", UID)
    assert "SUMMARY:Planning" in copy
    gateway.put("bob", UID, re.sub(rf"ATTENDEE.*{BOB}", f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{BOB}", copy))
    gateway.settle()
    assert re.search(ACCEPTED, gateway.object("alice", UID))
    assert recipients(gateway) == []
    gateway.put("alice", UID, gateway.object("alice", UID).replace("Planning", "Plans"))
    gateway.settle()
    copy = gateway.object("bob", UID)
    assert "SUMMARY:Plans" in copy and re.search(ACCEPTED, copy)
    gateway.run("why", UID)
    with gateway.radicale.client("alice") as client:
        client.delete(next(iter(gateway.objects("alice")))).raise_for_status()
    gateway.settle()
    assert "STATUS:CANCELLED" in gateway.object("bob", UID)
    assert recipients(gateway) == [ERIN, ERIN]
    story = gateway.json("why", UID)
    assert {one["certainty"] for one in story if one["kind"] == "mail"} == {"proven"}
    assert gateway.json("queue", "list") == []


@pytest.mark.slow
def test_who_wants_mails_beside_gets_them_and_the_second_road_changes_nothing(start: Any) -> None:
    gateway = start(begun=False)
    text = gateway.config.read_text()
    gateway.config.write_text(text.replace("[delivery]\n", "[delivery]\nmail_local_guests = true\n"))
    gateway.start()
    gateway.settle()
    gateway.put("alice", UID, event(BOB))
    gateway.settle()
    before = gateway.object("bob", UID)
    (letter,) = gateway.take_letters()
    assert letter["To"].addresses[0].addr_spec == BOB and "SUMMARY:Planning" in before
    gateway.mail(letter.as_bytes(), BOB, sender=ALICE)
    assert gateway.object("bob", UID) == before
    assert [one["outcome"] for one in gateway.json("why", UID) if one["kind"] == "mail"] == [
        "applied",
        "unchanged",
    ]
