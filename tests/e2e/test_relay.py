"""As a content filter: the mail goes on to the next hop at once, and the meeting into the calendar beside it."""

from __future__ import annotations

import email
import email.policy
import smtplib
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)


class Sink:
    """The mail server behind the gateway."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.refuses: set[str] = set()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuses:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        return "250 ok"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    handler = Sink()
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        port = int(wire.getsockname()[1])
    controller = Controller(handler, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    yield handler, port
    controller.stop()


@pytest.fixture
def filtering(start: Callable[..., Any], sink: tuple[Sink, int]) -> Any:
    gateway = start(begun=False)
    text = gateway.config.read_text()
    relaying = (
        f'listen = "127.0.0.1:{gateway.port}"\nafter = "relay"\nrelay_to = "smtp://127.0.0.1:{sink[1]}"\n'
    )
    gateway.config.write_text(text.replace(f'listen = "127.0.0.1:{gateway.port}"\n', relaying, 1))
    gateway.start()
    gateway.settle()
    return gateway


def mail(to: str, *, invitation: bool) -> EmailMessage:
    out = EmailMessage(policy=email.policy.SMTP)
    out["From"], out["To"], out["Subject"] = "carol@example.com", to, "Grüße"
    out["Message-ID"], out["Date"] = f"<{to}-{invitation}>", "Sat, 21 Nov 2026 10:00:00 +0000"
    out.set_content("Grüße aus Köln\n", cte="8bit")
    if invitation:
        text = (
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n"
            f"UID:talk\r\nDTSTAMP:{START:%Y%m%dT%H%M%SZ}\r\nDTSTART:{START:%Y%m%dT%H%M%SZ}\r\nDURATION:PT1H\r\n"
            f"SUMMARY:Talk\r\nORGANIZER:mailto:carol@example.com\r\nATTENDEE;RSVP=TRUE:mailto:{to}\r\n"
            "END:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        parameters = {"method": "REQUEST", "charset": "utf-8"}
        out.add_alternative(text.encode(), maintype="text", subtype="calendar", params=parameters)
    return out


def below_the_trace(content: bytes) -> bytes:
    """The mail without what the gateway put on top: its header and its Received line."""
    head, _, rest = content.partition(b"\r\n")
    assert head.startswith(b"X-Imip-Gateway-Id: ")
    assert rest.startswith(b"Received: ")
    while rest.partition(b"\r\n")[2].startswith((b"\t", b" ")):
        rest = rest.partition(b"\r\n")[2]
    return rest.partition(b"\r\n")[2]


def test_every_mail_goes_on_unchanged_and_the_meeting_is_in_the_calendar(
    filtering: Any, sink: tuple[Sink, int]
) -> None:
    handler, _ = sink
    plain, invited = mail("nobody@example.org", invitation=False), mail("alice@example.org", invitation=True)
    for one in (plain, invited):
        filtering.mail(one, str(one["To"]), sender="carol@example.com")
    found = {one.rcpt_tos[0]: one for one in handler.mails}
    assert set(found) == {"nobody@example.org", "alice@example.org"}
    for one in (plain, invited):
        passed = found[str(one["To"])]
        assert below_the_trace(passed.original_content) == one.as_bytes()
        assert passed.mail_from == "carol@example.com"
    assert "SUMMARY:Talk" in filtering.object("alice", "talk")
    job = found["alice@example.org"].original_content.split(b"\r\n")[0].partition(b": ")[2].decode()
    assert [(line["outcome"], line["uid"]) for line in filtering.json("why", job)] == [("applied", "talk")]


def test_nobody_outside_our_domains_is_relayed_to(filtering: Any) -> None:
    with smtplib.SMTP("127.0.0.1", filtering.port, timeout=30) as client:
        client.helo("x")
        client.mail("carol@example.com")
        assert client.rcpt("somebody@example.net")[0] == 550
        assert client.rcpt("anybody@example.org")[0] == 250


def test_a_refused_recipient_is_reported_to_the_sender(filtering: Any, sink: tuple[Sink, int]) -> None:
    handler, _ = sink
    handler.refuses.add("gone@example.org")
    filtering.mail(mail("gone@example.org", invitation=False), "gone@example.org", sender="carol@example.com")
    (report,) = filtering.letters()
    assert report.get_content_type() == "multipart/report"
    assert (report["To"], report["Auto-Submitted"]) == ("carol@example.com", "auto-replied")
    assert handler.mails == []


def test_mail_waits_while_the_next_hop_is_away_and_a_restart_loses_none(
    start: Callable[..., Any], filtering: Any, sink: tuple[Sink, int]
) -> None:
    handler, port = sink
    text = filtering.config.read_text()
    filtering.stop()
    filtering.config.write_text(text.replace(f"127.0.0.1:{port}", "127.0.0.1:1"))
    filtering.start()
    filtering.post(
        mail("alice@example.org", invitation=True), "alice@example.org", sender="carol@example.com"
    )
    filtering.run("drain", "--timeout", "60")
    assert "SUMMARY:Talk" in filtering.object("alice", "talk")  # a next hop that is down delays no calendar
    (job,) = [one for one in filtering.json("queue", "list") if one["kind"] == "relay"]
    assert job["state"] == "due"
    filtering.stop(9)
    filtering.start()
    assert [one["id"] for one in filtering.json("queue", "list")] == [job["id"]]


def test_what_the_next_hop_offers_is_offered(filtering: Any) -> None:
    for _ in range(100):
        with smtplib.SMTP("127.0.0.1", filtering.port, timeout=30) as client:
            client.ehlo()
            if client.has_extn("smtputf8"):
                assert client.has_extn("8bitmime")
                assert not client.has_extn("dsn")
                return
    raise AssertionError("SMTPUTF8 was never offered")
