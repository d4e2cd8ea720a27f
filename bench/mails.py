"""The mails of the measurements: no two alike, since a double costs nothing."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

START = datetime(2030, 1, 7, 10, tzinfo=UTC)


def calendar(uid: str, *, attendees: int = 3, moved: int = 0) -> bytes:
    """A REQUEST of about 2 KB for alice@example.org."""
    begin = START + timedelta(hours=moved)
    guests = "".join(
        f"ATTENDEE;CN=Guest {number};CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:\r\n"
        f" mailto:guest{number}@example.com\r\n"
        for number in range(attendees - 1)
    )
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Bench//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20291201T080000Z\r\nSEQUENCE:{moved}\r\nDTSTART:{begin:%Y%m%dT%H%M%SZ}\r\n"
        f"DTEND:{begin + timedelta(hours=1):%Y%m%dT%H%M%SZ}\r\nSUMMARY:Quarterly planning\r\nLOCATION:Room 4\r\n"
        "DESCRIPTION:Agenda: numbers\\, hiring\\, roadmap. Please read the papers before we meet.\r\n"
        "ORGANIZER;CN=Carol Jones:mailto:carol@example.com\r\n"
        "ATTENDEE;CN=Carol Jones;PARTSTAT=ACCEPTED:mailto:carol@example.com\r\n"
        f"ATTENDEE;CN=Alice;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:alice@example.org\r\n{guests}"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def invitation(uid: str, *, attendees: int = 3, moved: int = 0, size: int = 5_500) -> bytes:
    """A mail as mail programs write it: text, HTML and calendar, base64; about `size` octets."""
    content = base64.encodebytes(calendar(uid, attendees=attendees, moved=moved)).replace(b"\n", b"\r\n")
    filler = b"<p>Please answer with the buttons of your mail program.</p>\r\n"
    html = filler * max(1, (size - len(content) - 900) // len(filler))
    return (
        (
            f"From: Carol Jones <carol@example.com>\r\nTo: alice@example.org\r\nSubject: Invitation {uid}\r\n"
            f"Date: Sat, 01 Dec 2029 08:00:00 +0000\r\nMessage-ID: <{uid}.{moved}@example.com>\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/alternative; boundary="b1"\r\n\r\n'
            "--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nYou are invited.\r\n"
            "--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        ).encode()
        + html
        + b"--b1\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + content + b"--b1--\r\n"
    )


def plain(name: str, size: int) -> bytes:
    """A mail without a calendar part."""
    line = b"Nothing in this mail is about a meeting, and no part of it is a calendar.\r\n"
    head = (
        f"From: carol@example.com\r\nTo: alice@example.org\r\nSubject: {name}\r\n"
        f"Date: Sat, 01 Dec 2029 08:00:00 +0000\r\nMessage-ID: <{name}@example.com>\r\n\r\n"
    ).encode()
    return head + line * max(1, (size - len(head)) // len(line))
