"""`held`: what waits for a person: list it, approve it, refuse it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from gateway.cli.show import as_json, config_option, json_option, load, table

NOT_FOUND = 69
COLUMNS = ("id", "kind", "since", "account", "sender", "uid", "method", "reason")


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.add_argument("action", choices=("list", "approve", "refuse"))
    parser.add_argument("id", nargs="?", default="")


def run(arguments: argparse.Namespace) -> int:
    """An approved item runs again with the owner's word for it; a refused one ends in the journal."""
    if arguments.action != "list" and not arguments.id:
        sys.stderr.write(f"imip-gateway held {arguments.action}: which item?\n")
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
    if not answer:
        sys.stderr.write(f"imip-gateway held: no item {arguments.id}\n")
        return NOT_FOUND
    channel.poke(config)
    sys.stdout.write(f"{arguments.id}: {arguments.action}d\n")
    return 0


async def _act(storage: Any, config: Any, action: str, item: str) -> Any:
    async with storage.opened_store(config) as store:
        if action == "list":
            return await store.held.list()
        return await (store.held.approve(item) if action == "approve" else store.held.refuse(item))
