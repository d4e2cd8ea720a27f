"""`why`: the story of a Message-ID, a UID or a job, from the journal, oldest first."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from gateway.cli.show import as_json, config_option, json_option, load


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.add_argument("key", metavar="MESSAGE-ID|UID|JOB")


def run(arguments: argparse.Namespace) -> int:
    """Tell it; nothing known is said in words, and is no error."""
    from gateway.wiring import storage

    story = asyncio.run(_story(storage, load(arguments), arguments.key))
    if arguments.json:
        as_json(story)
        return 0
    if not story:
        sys.stdout.write(f"nothing is known of {arguments.key}\n")
    for line in story:
        _tell(line)
    return 0


async def _story(storage: Any, config: Any, key: str) -> list[dict[str, Any]]:
    async with storage.opened_store(config) as store:
        found: list[dict[str, Any]] = await store.journal.story(key)
        return found


def _tell(line: dict[str, Any]) -> None:
    sure = f" ({line['certainty']})" if line["certainty"] else ""
    who = f" from {line['sender']}{sure}" if line["sender"] else ""
    what = " ".join(str(line[key]) for key in ("method", "uid", "recurrence_id") if line[key])
    account = f" for {line['account']}" if line["account"] else ""
    sys.stdout.write(f"{line['time']}  {line['kind']} {what}{who}{account}\n")
    sys.stdout.write(f"    {line['outcome']}: {line['reason']}\n")
    for note in line["notes"]:
        facts = " ".join(f"{key}={value}" for key, value in note.items() if key != "code")
        sys.stdout.write(f"    note {note['code']} {facts}\n")
    for letter in line["letters"]:
        kind = f"letter {letter['method']}" if letter["method"] else "notice"
        sys.stdout.write(f"    {kind} to {letter['to']}: {letter['state']}\n")
