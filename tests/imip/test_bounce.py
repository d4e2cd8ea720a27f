"""Reports as servers write them, each with what it says of a letter's end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.imip import bounce
from gateway.imip.bounce import Report

HERE = Path(__file__).parent / "bounces"
TOLD = {
    "postfix-unknown": (
        "failed",
        "3.7",
        "550 5.1.1 <bob@example.net>: Recipient address rejected: User unknown",
    ),
    "postfix-delayed": ("delayed", "", "connect to mail.example.net"),
    "postfix-expired": ("failed", "5.1", "connect to mail.example.net[192.0.2.7]:25: Connection timed out"),
    "postfix-nodomain": ("failed", "5.2", "Host or domain name not found."),
    "exim-report": ("failed", "5.1", "550 No such person at this address"),
    "exchange-unknown": ("failed", "3.7", "550 5.1.10 RESOLVER.ADR.RecipientNotFound"),
    "exchange-full": ("failed", "5.1", "554 5.2.2 mailbox full"),
    "gmail-unknown": ("failed", "3.7", "550-5.1.1 The email account that you tried to reach"),
    "gmail-policy": ("failed", "5.3", "550-5.7.26 Unauthenticated email"),
    "sendmail-unknown": ("failed", "3.7", "550 5.1.1 <bob@example.net>... User unknown"),
    "encoded-fields": ("failed", "5.3", "550 5.7.1 Relaying denied"),
    "smtputf8": ("failed", "5.2", "SMTPUTF8 is required"),
    "delivered": ("delivered", "1.2", "250 2.0.0 Ok: queued as 9F"),
    "relayed": ("relayed", "", ""),
    "qmail": ("failed", "3.7", "550 5.1.1 <bob@example.net>: no mailbox here by that name"),
    "exim-old": ("failed", "5.1", ""),
    "exim-warning": ("delayed", "", ""),
    "german": ("failed", "5.3", "550 5.7.1 Zugriff verweigert"),
    "out-of-office": None,
    "words": None,
}


def content(name: str) -> bytes:
    return (HERE / f"{name}.eml").read_bytes().replace(b"\n", b"\r\n")


def test_every_report_here_has_its_meaning() -> None:
    assert {path.stem for path in HERE.glob("*.eml")} == set(TOLD)


@pytest.mark.parametrize("name", TOLD)
def test_what_a_report_says(name: str) -> None:
    found, wanted = bounce.read(content(name)), TOLD[name]
    if wanted is None:
        assert found is None
        return
    assert found is not None
    assert (found.action, found.status) == wanted[:2]
    assert found.words.startswith(wanted[2])
    assert bounce.read(content(name).replace(b"\r\n", b"\n")) == found, "whatever its line ends"


@given(some.binary(max_size=300), some.sampled_from(sorted(TOLD)), some.integers(0, 3000))
def test_no_mail_makes_it_fail(noise: bytes, name: str, at: int) -> None:
    mail = content(name)
    found = bounce.read(mail[:at] + noise + mail[at:])
    assert found is None or isinstance(found, Report)


def test_only_the_beginning_of_a_large_mail_is_parsed() -> None:
    """Whoever had a letter knows its bounce address, and may send 24 MB of groups to it."""
    mail = content("postfix-unknown")
    assert bounce.read(mail + b"\r\n\r\n" * 6_000_000) == bounce.read(mail)
    head, _, report = mail.partition(b"--B\r\n")
    assert bounce.read(head + b"a: b\r\n\r\n" * bounce.WHOLE + b"--B\r\n" + report) is None
