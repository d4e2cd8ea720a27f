"""A calendar program that mails by itself: the guests get one mail for each change, not two (SPEC 1.1, 5.4, 12.15)."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.controller import Controller

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)
ALICE, DAVE, ERIN = "alice@example.org", "dave@example.com", "erin@example.com"
UID = "client-mailed-1"
STAMP = "%Y%m%dT%H%M%SZ"


def event(*, sequence: int = 0, summary: str = "Planning", method: str = "", more: str = "") -> str:
    return "\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN",
            *([f"METHOD:{method}"] if method else []),
            "BEGIN:VEVENT",
            f"UID:{UID}",
            f"DTSTAMP:{datetime.now(UTC):{STAMP}}",
            f"SEQUENCE:{sequence}",
            f"DTSTART:{START:{STAMP}}",
            f"DTEND:{START + timedelta(hours=1):{STAMP}}",
            f"SUMMARY:{summary}",
            *([more] if more else []),
            f"ORGANIZER;CN=Alice:mailto:{ALICE}",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ALICE}",
            *[f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{one}" for one in (DAVE, ERIN)],
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


class Client:
    """Mails through the `outgoing` listener, as the mail server's copy of what its users write comes."""

    def __init__(self, gateway: Any, port: int) -> None:
        self.gateway = gateway
        self.port = port

    def mail(
        self, method: str, *to: str, sender: str = ALICE, copied: str = "", login: str = "", **facts: Any
    ) -> None:
        text = event(method=method, **facts)
        content = (
            f"From: {sender}\nTo: {', '.join(to)}\nMessage-ID: <{method}.{len(text)}@example.org>\nSubject: x\n"
            f"MIME-Version: 1.0\nContent-Type: text/calendar; charset=utf-8; method={method}\n\n{text}"
        )
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as wire:
            if login:
                wire.login("alice", login)
            wire.sendmail(sender, [copied] if copied else list(to), content.replace("\n", "\r\n").encode())
        self.gateway.run("drain", "--timeout", "60")

    def letters(self) -> list[str]:
        self.gateway.settle()
        return sorted(one["To"].addresses[0].addr_spec for one in self.gateway.take_letters())


@pytest.fixture
def client(start: Any, free: Any) -> Client:
    gateway = start(begun=False)
    port = free()
    with gateway.config.open("a") as file:
        file.write(f'[[listener]]\nrole = "outgoing"\nlisten = "127.0.0.1:{port}"\nevidence = "network"\n')
    gateway.start()
    gateway.settle()
    return Client(gateway, port)


def test_a_program_that_mails_by_itself_is_the_one_sender(client: Client) -> None:
    gateway = client.gateway
    client.mail("REQUEST", DAVE, ERIN)
    gateway.put("alice", UID, event())
    assert client.letters() == []
    notes = [note for one in gateway.json("why", UID) for note in one["notes"]]
    assert {note["rule"] for note in notes if note["code"] == "not-sent"} == {"witness"}

    # the next change comes from a telephone that mails nobody
    gateway.put("alice", UID, gateway.object("alice", UID).replace("Planning", "Plans"))
    assert client.letters() == [DAVE, ERIN]

    # the program tells one guest alone: the other is ours
    client.mail("REQUEST", DAVE, sequence=5, more="LOCATION:Room 3")
    gateway.put("alice", UID, event(sequence=5, more="LOCATION:Room 3"))
    assert client.letters() == [ERIN]

    client.mail("CANCEL", DAVE, ERIN, sequence=6, copied="copies@gateway.invalid")
    with gateway.radicale.client("alice") as calendar:
        calendar.delete(next(iter(gateway.objects("alice")))).raise_for_status()
    assert client.letters() == []
    assert gateway.json("queue", "list") == []


@pytest.mark.slow
def test_what_somebody_else_writes_silences_nobody(client: Client) -> None:
    """Bob's mail about Alice's meeting says nothing of what she has told; a stranger may not write at all."""
    client.mail("REQUEST", DAVE, ERIN, sender="bob@example.org")
    with pytest.raises(smtplib.SMTPSenderRefused):
        client.mail("REQUEST", DAVE, ERIN, sender="mallory@example.com")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        client.mail("REQUEST", DAVE, ERIN, login="guessed")
    with pytest.raises(smtplib.SMTPSenderRefused):
        client.mail("REQUEST", DAVE, ERIN, sender="bob@example.org", login="demo")
    client.gateway.put("alice", UID, event())
    assert client.letters() == [DAVE, ERIN]


@pytest.mark.slow
def test_an_answer_that_the_program_mails_itself_is_not_sent_again(client: Client) -> None:
    gateway = client.gateway
    invitation = event(method="REQUEST").replace(f"mailto:{ALICE}", f"mailto:{DAVE}", 1)
    invitation = re.sub(rf"ATTENDEE[^\n]*{DAVE}\n", "", invitation)
    gateway.mail(
        (
            f"From: {DAVE}\nTo: {ALICE}\nMessage-ID: <i@example.com>\nSubject: x\nMIME-Version: 1.0\n"
            f"Content-Type: text/calendar; charset=utf-8; method=REQUEST\n\n{invitation}"
        ).encode(),
        ALICE,
        sender=DAVE,
    )
    copy = gateway.object("alice", UID)
    answer = re.sub(rf"ATTENDEE.*{ALICE}", f"ATTENDEE;PARTSTAT=TENTATIVE:mailto:{ALICE}", copy)
    reply = answer.replace("BEGIN:VEVENT", "METHOD:REPLY\nBEGIN:VEVENT", 1)
    content = (
        f"From: {ALICE}\nTo: {DAVE}\nMessage-ID: <r@example.org>\nSubject: x\nMIME-Version: 1.0\n"
        f"Content-Type: text/calendar; charset=utf-8; method=REPLY\n\n{reply}"
    )
    with smtplib.SMTP("127.0.0.1", client.port, timeout=30) as wire:
        wire.sendmail(ALICE, [DAVE], content.replace("\n", "\r\n").encode())
    gateway.put("alice", UID, answer)
    assert client.letters() == []
    assert "PARTSTAT=TENTATIVE" in gateway.object("alice", UID)


class Next:
    """The mail server behind the gateway."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.reached += envelope.rcpt_tos
        return "250 ok"


@pytest.fixture
def behind(free: Any) -> Iterator[tuple[Next, int]]:
    server, port = Next(), free()
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    yield server, port
    controller.stop()


@pytest.mark.slow
def test_a_meeting_mailed_by_its_organizer_is_rendered_updated_and_called_off(
    start: Any, free: Any, behind: tuple[Next, int]
) -> None:
    server, onward = behind
    gateway, port = start(begun=False), free()
    with gateway.config.open("a") as file:
        file.write(
            f'[[listener]]\nrole = "outgoing"\nlisten = "127.0.0.1:{port}"\nevidence = "network"\n'
            f'after = "render"\nrelay_to = "smtp://127.0.0.1:{onward}"\n'
        )
    gateway.start()
    gateway.settle()
    client = Client(gateway, port)
    boss = "boss@example.net"

    client.mail("REQUEST", DAVE, ERIN, boss)
    letters = gateway.take_letters()
    assert sorted(one["To"].addresses[0].addr_spec for one in letters) == [DAVE, ERIN]
    assert all(one["From"].addresses[0].addr_spec == ALICE for one in letters)
    assert server.reached == [boss]
    assert "SUMMARY:Planning" in gateway.object("alice", UID)
    assert client.letters() == [], "the watch finds nothing new"

    client.mail("REQUEST", DAVE, ERIN, sequence=1, more="LOCATION:Room 3")
    assert client.letters() == [DAVE, ERIN]
    client.mail("CANCEL", DAVE, ERIN, sequence=2, more="STATUS:CANCELLED")
    assert client.letters() == [DAVE, ERIN]
    assert "STATUS:CANCELLED" in gateway.object("alice", UID)
    assert server.reached == [boss]
    reasons = [one["reason"] for one in gateway.json("why", UID) if one["letters"]]
    assert sorted(reasons) == ["cancelled", "invited", "updated"]
