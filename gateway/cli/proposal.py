"""`proposal`: other times that guests propose, waiting for an organizer: list them, accept one, decline one."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from gateway.cli.show import as_json, config_option, json_option, load, table

NOT_FOUND = 69
COLUMNS = ("id", "state", "since", "account", "from", "old_start", "start", "end", "comment", "uid")
WORDS = {"accept": "accepted", "decline": "declined"}


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.add_argument("action", choices=("list", "accept", "decline"))
    parser.add_argument("id", nargs="?", default="")


def run(arguments: argparse.Namespace) -> int:
    """The daemon carries the word out: `why UID` tells what came of it. 69 when nothing of that name waits, and why."""
    if arguments.action != "list" and not arguments.id:
        sys.stderr.write(f"imip-gateway proposal {arguments.action}: which proposal?\n")
        return 64
    from gateway.wiring import channel, storage

    config = load(arguments)
    answer = asyncio.run(_act(storage, config, arguments.action, arguments.id))
    if arguments.action == "list":
        if arguments.json:
            as_json(answer)
        else:
            table(answer, COLUMNS)
        return 0
    if answer:
        sys.stderr.write(f"imip-gateway proposal: {_why_not(arguments.id, answer)}\n")
        return NOT_FOUND
    channel.poke(config)
    sys.stdout.write(f"{arguments.id}: {WORDS[arguments.action]}\n")
    return 0


async def _act(storage: Any, config: Any, action: str, proposal: str) -> Any:
    async with storage.opened_store(config) as store:
        if action == "list":
            return await store.proposals.list()
        given = await store.proposals.answer(proposal, WORDS[action])
        return "" if given else await store.proposals.state(proposal) or "unknown"


def _why_not(proposal: str, state: str) -> str:
    """Why there is nothing to be said to it any more."""
    known = {
        "accepted": "was accepted already",
        "declined": "was declined already",
        "replaced": "was replaced by a newer one of the same guest",
        "overtaken": "was overtaken by a newer version of the meeting",
    }
    return f"{proposal} {known[state]}" if state in known else f"no proposal {proposal}"
