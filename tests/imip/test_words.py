"""What a person wrote above the quote, and the answer that it begins with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.imip.words import Vocabulary, answer, own_words, without_quotes

KNOWN = Vocabulary(
    words={"accept": "ACCEPTED", "zusagen": "ACCEPTED", "maybe": "TENTATIVE", "decline": "DECLINED"},
    short={"yes": "ACCEPTED", "no": "DECLINED"},
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accept", ("ACCEPTED", "")),
        ("  ACCEPT!\n\nI bring cake", ("ACCEPTED", "I bring cake")),
        ("Accept, with pleasure", ("ACCEPTED", "with pleasure")),
        ("*Zusagen.*", ("ACCEPTED", "")),
        ("“Maybe” later", ("TENTATIVE", "” later")),
        ("Yes!", ("ACCEPTED", "")),
        ("no.\nI am away", ("DECLINED", "I am away")),
        ("No problem, see you there", ("", "No problem, see you there")),
        ("Yes we have no bananas", ("", "Yes we have no bananas")),
        ("Acceptance is key", ("", "Acceptance is key")),
        ("1 accept", ("", "1 accept")),
        ("I accept", ("", "I accept")),
        ("", ("", "")),
        ("…", ("", "…")),
    ],
)
def test_an_answer_is_the_first_word_and_a_short_one_only_alone(text: str, said: tuple[str, str]) -> None:
    assert answer(text, KNOWN) == said


@pytest.mark.parametrize(
    "below",
    [
        "> decline\n> quoted",
        "On Mon, 2 Nov 2026 at 08:00, Alice wrote:\n> decline",
        "On Mon, 2 Nov 2026 at 08:00, Alice Liddell\n<alice@example.org> wrote:\n\n> decline",
        "Am 02.11.26 um 08:00 schrieb Alice:\n> decline",
        "-- \nBob\ndecline",
        "-----Original Message-----\nFrom: Alice",
        "-----Ursprüngliche Nachricht-----\nVon: Alice",
        "________________________________\nVon: Alice <alice@example.org>",
        "Von: Alice <alice@example.org>\nGesendet: heute",
        "| decline",
    ],
)
def test_what_is_quoted_is_not_said(below: str) -> None:
    assert without_quotes(f"accept\n\nSee you\n\n{below}") == "accept\n\nSee you"


def test_an_answer_below_a_quote_is_none() -> None:
    assert without_quotes("> Accept? Decline?\naccept") == ""


def mail(body: str, kind: str = "text/plain; charset=utf-8", extra: str = "") -> bytes:
    return f"From: b@example.net\r\nContent-Type: {kind}\r\n{extra}\r\n{body}".encode()


MIXED = """--x\r
Content-Type: text/html\r
\r
<html><head><title>decline</title><style>p {}</style></head><body><div>accept</div><div>See&nbsp;you</div>\r
<blockquote>decline</blockquote></body></html>\r
--x\r
Content-Type: text/plain\r
Content-Disposition: attachment\r
\r
decline\r
--x--\r
"""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (mail("accept\r\n"), "accept"),
        (mail("YWNjZXB0", extra="Content-Transfer-Encoding: base64\r\n"), "accept"),
        (mail("zusagen=20\r\n", extra="Content-Transfer-Encoding: quoted-printable\r\n"), "zusagen"),
        (mail("accept", "text/plain; charset=nonsense"), "accept"),
        (mail(MIXED, "multipart/mixed; boundary=x"), "accept\n\nSee you"),
        (mail("", "multipart/mixed; boundary=x"), ""),
        (mail("BEGIN:VCALENDAR", "text/calendar"), ""),
        (b"", ""),
    ],
)
def test_the_words_of_a_mail_are_found(content: bytes, words: str) -> None:
    assert own_words(content).replace("\xa0", " ") == words


@given(st.binary(max_size=400))
def test_no_mail_is_too_odd(content: bytes) -> None:
    said, _ = answer(own_words(b"Content-Type: text/html\r\n\r\n" + content), KNOWN)
    assert said in ("", "ACCEPTED", "TENTATIVE", "DECLINED")
