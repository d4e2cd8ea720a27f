"""Hostile calendar parts of 1 MiB, through what `explain` does with them; prints the CPU of the worst as JSON."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.stage import ROOT

MIB = 1_048_576


def parts() -> Iterator[tuple[str, bytes]]:
    """(name, calendar text)"""
    head = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\n"
    event = (
        b"BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20290101T000000Z\r\nDTSTART:20300101T100000Z\r\n"
        b"ORGANIZER:mailto:carol@example.com\r\nATTENDEE:mailto:alice@example.org\r\n"
    )
    end = b"END:VEVENT\r\nEND:VCALENDAR\r\n"

    def filled(line: bytes) -> bytes:
        return head + event + line * ((MIB - 400) // len(line)) + end

    yield "attendees", filled(b"ATTENDEE:mailto:a@example.com\r\n")
    yield "parameters", head + event + b"ATTENDEE" + b";X-A=b" * (MIB // 6 - 100) + b":mailto:a@b.c\r\n" + end
    yield "one line", head + event + b"DESCRIPTION:" + b"x" * (MIB - 500) + b"\r\n" + end
    yield "folds", head + event + b"DESCRIPTION:x" + b"\r\n x" * (MIB // 4 - 200) + b"\r\n" + end
    yield (
        "quotes",
        head + event + b'ATTENDEE;CN="' + b'";CN="' * (MIB // 6 - 100) + b'":mailto:a@b.c\r\n' + end,
    )
    yield "escapes", head + event + b"DESCRIPTION:" + b"\\" * (MIB - 500) + b"\r\n" + end
    yield "depth", head + b"BEGIN:VEVENT\r\n" * (MIB // 14 - 50)
    yield "components", head + (event + b"END:VEVENT\r\n") * (MIB // 180) + b"END:VCALENDAR\r\n"
    yield "properties", filled(b"X-A:b\r\n")
    yield (
        "rdates",
        head + event + b"RDATE:" + b"20300101T100000Z," * (MIB // 17 - 50) + b"20300102T100000Z\r\n" + end,
    )
    yield (
        "exdates",
        head
        + event
        + b"RRULE:FREQ=DAILY\r\nEXDATE:"
        + b"20300101T100000Z," * (MIB // 17 - 60)
        + b"20300102T100000Z\r\n"
        + end,
    )
    yield "rule", head + event + b"RRULE:FREQ=SECONDLY;BYSETPOS=-1;BYMONTH=2;BYMONTHDAY=30\r\n" + end
    yield "rule of years", head + event + b"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2000\r\n" + end
    zone = (
        b"BEGIN:VTIMEZONE\r\nTZID:Z\r\n"
        + b"BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nRRULE:FREQ=DAILY\r\nEND:STANDARD\r\n"
        * 500
    )
    yield (
        "zones",
        head
        + zone
        + b"END:VTIMEZONE\r\n"
        + event.replace(b"DTSTART:20300101T100000Z", b"DTSTART;TZID=Z:20300101T100000")
        + end,
    )
    yield "bytes", bytes(range(256)) * (MIB // 256)


def about_a_series() -> Iterator[tuple[str, bytes]]:
    """(name, calendar text) of messages that speak of each of 1 900 dates of the meeting that the account has."""
    head = "UID:u\r\nSEQUENCE:2\r\nDTSTAMP:20290201T000000Z\r\nORGANIZER:mailto:carol@example.com\r\n"
    head += "ATTENDEE:mailto:alice@example.org\r\nSUMMARY:s\r\n"
    days = [datetime(2030, 1, 1, 10, tzinfo=UTC) + timedelta(days=day) for day in range(1900)]

    def told(method: str, *lines: str, shift: int = 0) -> bytes:
        parts = []
        for day in days:
            named, begin = (f"{at:%Y%m%dT%H%M%SZ}" for at in (day, day + timedelta(hours=shift)))
            own = "\r\n".join(lines).replace("NAMED", named).replace("BEGIN", begin)
            parts.append(f"BEGIN:VEVENT\r\n{head}{own}\r\nEND:VEVENT\r\n")
        body = "".join(parts)
        text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:{method}\r\n{body}END:VCALENDAR\r\n"
        return text.encode()

    yield "dates called off", told("CANCEL", "RECURRENCE-ID:NAMED", "DTSTART:BEGIN", "STATUS:CANCELLED")
    yield "dates moved", told("REQUEST", "RECURRENCE-ID:NAMED", "DTSTART:BEGIN", shift=1)
    yield "dates added", told("ADD", "DTSTART:BEGIN", shift=3)


SERIES = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:u\r\nSEQUENCE:1\r\nDTSTAMP:20290101T000000Z\r\n"
    "DTSTART:20300101T100000Z\r\nRRULE:FREQ=DAILY;COUNT=1990\r\nORGANIZER:mailto:carol@example.com\r\n"
    "ATTENDEE:mailto:alice@example.org\r\nSUMMARY:s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def main() -> None:
    import contextlib
    import io
    import sys

    from gateway.cli.main import main as command

    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "config.toml"
        config.write_text(
            f'[gateway]\ndomains = ["example.org"]\nstate_dir = "{place}/state"\n[[server]]\nname = "main"\n'
            'url = "http://127.0.0.1:1/"\n[[account]]\naddress = "alice@example.org"\nusername = "a"\npassword = "b"\n'
        )
        config.chmod(0o600)
        stored = Path(place) / "stored.ics"
        stored.write_text(SERIES)
        whole = [(name, text, []) for name, text in parts()]
        whole += [(name, text, ["--stored", str(stored)]) for name, text in about_a_series()]
        for name, text, beside in whole:
            mail = Path(place) / "mail.eml"
            mail.write_bytes(
                b"From: carol@example.com\r\nTo: alice@example.org\r\nMessage-ID: <x@y>\r\nMIME-Version: 1.0\r\n"
                b"Content-Type: text/calendar; method=REQUEST\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                + text
            )
            words = ["explain", "-c", str(config), "--sender-certainty", "proven", *beside, str(mail)]
            begun = time.process_time()
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
                contextlib.suppress(SystemExit),
            ):
                command(words)
            found[name] = time.process_time() - begun
    worst = max(found, key=lambda name: found[name])
    print(json.dumps({"worst_s": found[worst], **{f"{name}_s": value for name, value in found.items()}}))
    sys.stderr.write(f"worst: {worst}; {ROOT.name}\n")


if __name__ == "__main__":
    main()
