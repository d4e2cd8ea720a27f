"""`demo`: the real daemon with a generated configuration, to try it without a server of one's own."""

from __future__ import annotations

import argparse
import secrets
import sys
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from pathlib import Path

from gateway import config as configuration

SAMPLE = "invitation.eml"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--state", type=Path, default=Path("var"), metavar="DIR", help="where everything lies"
    )
    parser.add_argument("--print-config", action="store_true", help="print the configuration and end")
    parser.add_argument("--smtp", default="127.0.0.1:2525", metavar="HOST:PORT")
    parser.add_argument("--web", default="127.0.0.1:8025", metavar="HOST:PORT")


def run(arguments: argparse.Namespace) -> int:
    """Write the configuration and a sample mail into the state directory, say what runs where, and serve."""
    state = arguments.state.resolve()
    if not arguments.print_config:
        _prepare(state)
    text = configuration.demo_config(state, smtp=arguments.smtp, web=arguments.web)
    if arguments.print_config:
        sys.stdout.write(text)
        return 0
    path = state / "config.toml"
    path.touch(mode=0o600)
    path.write_text(text)
    (state / SAMPLE).write_bytes(sample(datetime.now(UTC)))
    config = configuration.load(path)
    from gateway import daemon

    return daemon.serve(config, path, demo=True)


def _prepare(state: Path) -> None:
    """The folder, and the token by which its calendar server tells of changes."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = state / configuration.HOOK_TOKEN
    token.touch(mode=0o600)
    token.write_text(f"{secrets.token_urlsafe(24)}\n")


def sample(now: datetime) -> bytes:
    """An invitation as a guest's calendar program would mail it: Carol invites Alice, a week from now at 10 o'clock."""
    start = datetime.combine(now.date() + timedelta(days=7), time(10), UTC)
    calendar = f"""BEGIN:VCALENDAR
PRODID:-//Example Corp//Calendar 1.0//EN
VERSION:2.0
METHOD:REQUEST
BEGIN:VEVENT
UID:sample-1@example.com
DTSTAMP:{now:%Y%m%dT%H%M%SZ}
SEQUENCE:0
DTSTART:{start:%Y%m%dT%H%M%SZ}
DTEND:{start + timedelta(hours=1):%Y%m%dT%H%M%SZ}
SUMMARY:Tea with Carol
LOCATION:The garden\\, under the tree
ORGANIZER;CN=Carol Example:mailto:carol@example.com
ATTENDEE;CN=Carol Example;PARTSTAT=ACCEPTED:mailto:carol@example.com
ATTENDEE;CN=Alice Liddell;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:alice@example.org
END:VEVENT
END:VCALENDAR
"""
    mail = f"""From: Carol Example <carol@example.com>
To: Alice Liddell <alice@example.org>
Subject: Invitation: Tea with Carol
Date: {format_datetime(now)}
Message-ID: <sample-1@example.com>
MIME-Version: 1.0
Content-Type: text/calendar; charset=utf-8; method=REQUEST

{calendar}"""
    return mail.replace("\n", "\r\n").encode()
