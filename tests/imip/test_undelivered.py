from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime

import pytest

from gateway.imip.undelivered import Failure, report
from gateway.ports import Envelope, Peer, ReceivedMail, Recipient

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


def received(
    content: bytes = b"Subject: x\r\n\r\nbody\r\n", sender: str = "carol@example.com"
) -> ReceivedMail:
    envelope = Envelope(
        sender=sender, recipients=(Recipient(address="eve@example.org"),), smtputf8=not sender.isascii()
    )
    return ReceivedMail(envelope=envelope, peer=Peer(), content=content, received_at=AT)


def made(mail: ReceivedMail, *failures: Failure) -> bytes:
    return report(mail, failures, hostname="mx.example.org", postmaster="daemon@mx.example.org", now=AT)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("5.2.2 mailbox full", "5.2.2"),
        ("4.2.2 mailbox full", "5.0.0"),
        ("no such user", "5.0.0"),
        ("", "5.0.0"),
    ],
)
def test_the_status_is_the_next_hops_where_it_says_one(text: str, status: str) -> None:
    content = made(received(), Failure(recipient="eve@example.org", code=550, text=text))
    assert f"Status: {status}\r\n".encode() in content


def test_every_line_ends_as_it_should_and_none_is_stray() -> None:
    content = made(
        received(), Failure(recipient="eve@example.org", original="rfc822;e@x", code=550, text="no")
    )
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    assert b"Original-Recipient: rfc822;e@x\r\n" in content


def test_an_internationalised_mail_has_an_internationalised_report() -> None:
    content = made(received(sender="jürgen@example.com"), Failure(recipient="ève@example.org"))
    mail = email.message_from_bytes(content, policy=email.policy.SMTPUTF8)
    assert mail.get_param("report-type") == "global-delivery-status"
    assert [part.get_content_type() for part in mail.iter_parts()] == [
        "text/plain",
        "message/global-delivery-status",
        "message/global-headers",
    ]
    assert "Final-Recipient: utf-8; ève@example.org".encode() in content


def test_a_mail_without_an_end_of_its_header_is_reported_all_the_same() -> None:
    content = made(received(b"Subject: " + b"x" * 100_000), Failure(recipient="eve@example.org"))
    assert len(content) < 70_000


def test_two_reports_about_two_mails_have_two_names() -> None:
    one = made(received(), Failure(recipient="eve@example.org"))
    two = made(received(), Failure(recipient="bob@example.org"))
    assert one.split(b"Message-ID: ")[1][:40] != two.split(b"Message-ID: ")[1][:40]
