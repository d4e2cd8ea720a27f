"""`explain`: what would be decided about a mail, offline; writes nothing."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway import config as configuration
from gateway.cli.show import as_json, config_option, json_option
from gateway.errors import ConfigError, PeerError

DATA, NO_INPUT = 65, 66
CERTAINTIES = ("proven", "likely", "unknown", "contradicted")


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.add_argument("mail", metavar="MAIL.eml", type=Path)
    parser.add_argument(
        "--as", dest="as_address", default="", metavar="ADDRESS", help="whose calendar it meets"
    )
    parser.add_argument("--stored", type=Path, metavar="FILE.ics", help="what that calendar holds")
    parser.add_argument("--sender-certainty", choices=CERTAINTIES, help="overrides the evidence")


def run(arguments: argparse.Namespace) -> int:
    """Print the decision; 65 when the mail or the stored object cannot be read."""
    from gateway.flows.explain import Calendars, explain
    from gateway.flows.stored import read_stored
    from gateway.itip.model import Certainty
    from gateway.wiring import meaning

    config = _configuration(arguments)
    try:
        content = arguments.mail.read_bytes()
        stored = read_stored(arguments.stored.read_bytes()) if arguments.stored else None
        story = explain(
            content,
            accounts=configuration.accounts_of(config),
            settings=meaning.receive_settings(config),
            policy=meaning.policy_of(config),
            now=datetime.now(UTC),
            as_address=arguments.as_address,
            calendars=Calendars(stored),
            certainty=Certainty(arguments.sender_certainty) if arguments.sender_certainty else None,
        )
    except OSError as error:
        sys.stderr.write(f"imip-gateway explain: {error.filename}: {error.strerror}\n")
        return NO_INPUT
    except PeerError as error:
        sys.stderr.write(f"imip-gateway explain: {error.code}: {error.detail}\n")
        return DATA
    if arguments.json:
        as_json(story)
    else:
        _tell(story)
    return 0


def _configuration(arguments: argparse.Namespace) -> configuration.Config:
    """With no file anywhere: the defaults, and `--as` as the only account (INTERFACE 2)."""
    try:
        path = configuration.find(arguments.config)
    except ConfigError:
        if not arguments.as_address:
            raise
    else:
        return configuration.load(path)
    domain = arguments.as_address.rpartition("@")[2]
    text = f'[gateway]\ndomains = ["{domain}"]\n[[account]]\naddress = "{arguments.as_address}"\nusername = "x"\n'
    return configuration.parse(text)


def _tell(story: dict[str, Any]) -> None:
    verdict = story["verdict"]
    sys.stdout.write(
        f"sender   {verdict['sender'] or 'nobody'}: {verdict['certainty']} ({', '.join(verdict['reasons'])})\n"
    )
    for message in story["messages"]:
        what = " ".join(str(message[key]) for key in ("method", "component", "uid") if message[key])
        sys.stdout.write(f"message  {what or '(none)'} for {message['account'] or 'nobody'}\n")
        sys.stdout.write(
            f"         {message['outcome']}: {message['reason']}; calendar: {message['change']}\n"
        )
        for note in message["notes"]:
            facts = " ".join(f"{key}={value}" for key, value in note.items() if key != "code")
            sys.stdout.write(f"         note {note['code']} {facts}\n")
        for letter in message["outgoing"]:
            sys.stdout.write(f"         letter {letter['method']} to {letter['to']}\n")
