"""The URLs of mail."""

from __future__ import annotations

import pytest

from gateway.smtp.destination import Destination, parse_destination


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mx.example.org", Destination(scheme="smtp", host="mx.example.org", port=25)),
        ("smtp://[::1]:2525", Destination(scheme="smtp", host="::1", port=2525)),
        (
            "smtps://a%40b:p%3A%2F@mx/",
            Destination(scheme="smtps", host="mx", port=465, username="a@b", password="p:/"),
        ),
        ("lmtp://127.0.0.1", Destination(scheme="lmtp", host="127.0.0.1", port=24)),
        ("lmtp+unix:/run/lmtp", Destination(scheme="lmtp", path="/run/lmtp")),
        ("maildir:/var/mail/x", Destination(scheme="maildir", path="/var/mail/x")),
        ("maildir:///var/mail/x", Destination(scheme="maildir", path="/var/mail/x")),
    ],
)
def test_a_destination_is_read(url: str, expected: Destination) -> None:
    assert parse_destination(url) == expected


@pytest.mark.parametrize(
    "url", ["", "http://x", "smtp://", "smtp://a/b", "maildir:", "smtp://a:99999", "lmtp+unix:"]
)
def test_what_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        parse_destination(url)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(parse_destination("smtp://a:secret@b"))


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("smtp://localhost", True),
        ("smtp://127.1.2.3", True),
        ("lmtp+unix:/x", True),
        ("smtp://10.0.0.1", False),
        ("smtp://mx", False),
    ],
)
def test_near_is_this_machine(url: str, near: bool) -> None:
    assert parse_destination(url).is_near is near
