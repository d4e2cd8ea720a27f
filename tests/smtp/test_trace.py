"""Our Received line, and the count of those of others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.ports import Envelope, Peer, Recipient
from gateway.smtp.trace import hops, received_line

AT = datetime(2027, 3, 10, 9, 30, tzinfo=UTC)
ONE = (Recipient(address="alice@example.org"),)


def line(
    *, extended: bool = True, recipients: tuple[Recipient, ...] = ONE, utf8: bool = False, **peer: Any
) -> str:
    envelope = Envelope(sender="", recipients=recipients, smtputf8=utf8)
    facts: dict[str, Any] = {"helo": "client.example", "address": "192.0.2.1"} | peer
    made = received_line(envelope, Peer(**facts), hostname="mx", extended=extended, received_at=AT).decode()
    assert made.endswith("; Wed, 10 Mar 2027 09:30:00 +0000\r\n")
    assert made.count("\r\n\t") == made.count("\r\n") - 1
    return made.replace("\r\n\t", " ").partition("; ")[0]


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({}, "ESMTP"),
        ({"extended": False}, "SMTP"),
        ({"tls": True}, "ESMTPS"),
        ({"user": "a"}, "ESMTPA"),
        ({"tls": True, "user": "a"}, "ESMTPSA"),
        ({"protocol": "lmtp"}, "LMTP"),
        ({"protocol": "lmtp", "tls": True}, "LMTPS"),
        ({"utf8": True}, "UTF8SMTP"),
        ({"utf8": True, "protocol": "lmtp", "tls": True, "user": "a"}, "UTF8LMTPSA"),
    ],
)
def test_the_protocol_has_its_registered_name(facts: dict[str, Any], name: str) -> None:
    assert (
        line(**facts)
        == f"Received: from client.example ([192.0.2.1]) by mx (imip-gateway) with {name} for <alice@example.org>"
    )


def test_several_recipients_are_not_told_of_each_other() -> None:
    assert " for " not in line(recipients=(*ONE, Recipient(address="bob@example.org")))


@pytest.mark.parametrize("helo", ["", "a b", "x\r\nX-Evil: y", "(comment)", "jürgen", "a;b", "x" * 300])
def test_a_helo_cannot_write_a_header(helo: str) -> None:
    assert line(helo=helo).startswith("Received: from unknown ([192.0.2.1]) by mx")


def test_addresses_have_their_literal_form() -> None:
    assert "([IPv6:2001:db8::1])" in line(address="2001:db8::1", helo="[IPv6:2001:db8::1]")
    assert line(address="").startswith("Received: from client.example by mx")


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", 0),
        (b"Received: a\r\nRECEIVED : b\r\nReceived:c\r\n\r\nReceived: body\r\n", 3),
        (b"\r\nReceived: body\r\n", 0),
        (b"X-Received: a\r\nSubject: x\r\n Received: folded\r\n", 0),
        (b"Received: a", 1),
    ],
)
def test_only_received_fields_of_the_header_count(content: bytes, count: int) -> None:
    assert hops(content) == count
