"""`replay`: what would have become of the mails of an mbox, a Maildir or a folder; writes nothing."""

from __future__ import annotations

import argparse
import mailbox
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from gateway import config as configuration
from gateway.cli.show import as_json, config_option, json_option, load, table
from gateway.errors import MalformedMail

NO_INPUT = 66


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.add_argument(
        "--as", dest="as_address", default="", metavar="ADDRESS", help="whose calendar all of them meet"
    )
    parser.add_argument("path", metavar="PATH", type=Path, help="an mbox, a Maildir or a folder of .eml")


def run(arguments: argparse.Namespace) -> int:
    """Print how many messages came to each outcome, with `--json` each mail's story; 66 when there is no mail to read."""
    from gateway.flows.explain import Calendars, explain
    from gateway.wiring import meaning

    config = load(arguments)
    accounts = configuration.accounts_of(config)
    settings, policy = meaning.receive_settings(config), meaning.policy_of(config)
    calendars, stories = Calendars(), []
    try:
        for name, content in _mails(arguments.path):
            try:
                story = explain(
                    content,
                    accounts=accounts,
                    settings=settings,
                    policy=policy,
                    now=_when(content),
                    as_address=arguments.as_address,
                    calendars=calendars,
                )
            except MalformedMail as error:
                story = {"mail": None, "verdict": None, "messages": [_unread(error.code)]}
            stories.append({"file": name, **story})
    except OSError as error:
        sys.stderr.write(
            f"imip-gateway replay: {error.filename or arguments.path}: {error.strerror or error}\n"
        )
        return NO_INPUT
    if not stories:
        sys.stderr.write(f"imip-gateway replay: {arguments.path}: no mail in it\n")
        return NO_INPUT
    if arguments.json:
        as_json(stories)
    else:
        _tell(stories)
    return 0


def _mails(path: Path) -> Iterator[tuple[str, bytes]]:
    """In the order in which they came, as far as the names tell it. Raises OSError."""
    if not path.is_dir():
        with path.open("rb") as file:
            several = file.read(5) == b"From "
        if not several:
            yield path.name, path.read_bytes()
            return
        with closing(mailbox.mbox(path, create=False)) as box:
            for key in box.iterkeys():
                yield f"{path.name}:{int(key) + 1}", box.get_bytes(key)
    elif (path / "cur").is_dir() or (path / "new").is_dir():
        found = (one for folder in ("cur", "new") for one in (path / folder).glob("[!.]*") if one.is_file())
        for one in sorted(found, key=lambda file: file.name):  # it begins with the second of delivery
            yield one.name, one.read_bytes()
    else:
        for one in sorted(path.rglob("*.eml")):
            yield str(one.relative_to(path)), one.read_bytes()


def _when(content: bytes) -> datetime:
    """When the mail came, by its topmost Received line, else by its Date: old meetings were not over then."""
    headers = BytesHeaderParser().parsebytes(content)
    now = datetime.now(UTC)
    for text in (str(headers.get("Received", "")).rpartition(";")[2], str(headers.get("Date", ""))):
        try:
            found = parsedate_to_datetime(text)
        except (TypeError, ValueError):
            continue
        return min(now, found if found.tzinfo else found.replace(tzinfo=UTC))
    return now


def _unread(reason: str) -> dict[str, Any]:
    """In the shape of `explain`: the mail itself cannot be read."""
    nothing = dict.fromkeys(("uid", "method", "component", "account"))
    return {**nothing, "outcome": "refused", "reason": reason, "notes": [], "change": "none", "outgoing": []}


def _tell(stories: list[dict[str, Any]]) -> None:
    counted: Counter[tuple[str, str, str]] = Counter()
    for story in stories:
        for one in story["messages"]:
            counted[one["outcome"], one["reason"], one["method"] or "-"] += 1
    rows = [
        {"count": count, "outcome": outcome, "reason": reason, "method": method}
        for (outcome, reason, method), count in sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    ]
    table(rows, ("count", "outcome", "reason", "method"))
    letters = sum(len(one["outgoing"]) for story in stories for one in story["messages"])
    sys.stdout.write(f"{len(stories)} mails, {letters} letters in answer\n")
