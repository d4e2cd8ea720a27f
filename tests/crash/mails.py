"""The mails and calendar objects of the stories."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)
ALICE, CAROL, DAVE, ERIN = "alice@example.org", "carol@example.com", "dave@example.com", "erin@example.net"


def instant(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def calendar(
    uid: str, *lines: str, method: str = "", hours: int = 0, sequence: int = 0, second: int = 0
) -> str:
    """One event; `second` orders what has the same SEQUENCE."""
    begin = START + timedelta(hours=hours)
    stamp = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1) + timedelta(seconds=second)
    return "\r\n".join(
        [
            *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//Crash//EN"),
            *([f"METHOD:{method}"] if method else []),
            *("BEGIN:VEVENT", f"UID:{uid}", f"DTSTAMP:{instant(stamp)}", f"SEQUENCE:{sequence}"),
            *(f"DTSTART:{instant(begin)}", f"DTEND:{instant(begin + timedelta(hours=1))}"),
            *lines,
            *("END:VEVENT", "END:VCALENDAR", ""),
        ]
    )


def mail(name: str, sender: str, text: str, *, method: str, size: int = 0, trace: str = "") -> bytes:
    """A mail with a calendar part; `trace` makes of the same message another one on the wire, as a second route does."""
    filler = "<p>Please answer with the buttons of your mail program.</p>\r\n" * (size // 60)
    head = f"X-Route: {trace}\r\n" if trace else ""
    part = base64.encodebytes(text.encode()).decode().replace("\n", "\r\n")
    return (
        f"{head}From: {sender}\r\nTo: {ALICE}\r\nSubject: {name}\r\nMessage-ID: <{name}@mail.example>\r\n"
        f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} +0000\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b1"\r\n\r\n'
        f"--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello.</p>\r\n{filler}"
        f"--b1\r\nContent-Type: text/calendar; method={method}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{part}--b1--\r\n"
    ).encode()


def poison(name: str, number: int) -> bytes:
    """Mails that no reading makes sense of."""
    good = calendar(name, f"ORGANIZER:mailto:{CAROL}", f"ATTENDEE:mailto:{ALICE}", method="REQUEST")
    texts = (
        good[: len(good) // 2],
        good.replace(f"UID:{name}\r\n", ""),
        "\x00\xff" * 500,
        "BEGIN:VCALENDAR\r\n" * 5000,
        good.replace("END:VEVENT", "RRULE:FREQ=SECONDLY;INTERVAL=0\r\nEND:VEVENT"),
    )
    return mail(name, CAROL, texts[number % len(texts)], method="REQUEST")
