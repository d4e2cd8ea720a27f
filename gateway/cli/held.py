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
    parser.add_argument("id", nargs="*", help="items of the list; a burst has many")


def run(arguments: argparse.Namespace) -> int:
    """An approved item runs again with the owner's word for it; a refused one ends in the journal."""
    items = tuple(dict.fromkeys(arguments.id))
    if arguments.action != "list" and not items:
        sys.stderr.write(f"imip-gateway held {arguments.action}: which item?\n")
        return 64
    from gateway.wiring import channel, storage

    config = load(arguments)
    answer = asyncio.run(_act(storage, config, arguments.action, items))
    if arguments.action == "list":
        if arguments.json:
            as_json(answer)
        else:
            table(answer, COLUMNS)
        return 0
    for item in items:
        if item in answer:
            sys.stdout.write(f"{item}: {arguments.action}d\n")
        else:
            sys.stderr.write(f"imip-gateway held: no item {item}\n")
    if answer:
        channel.poke(config)
    return 0 if len(answer) == len(items) else NOT_FOUND


async def _act(storage: Any, config: Any, action: str, items: tuple[str, ...]) -> Any:
    """The list, or those of the items that were there."""
    async with storage.opened_store(config) as store:
        if action == "list":
            return await store.held.list()
        decide = store.held.approve if action == "approve" else store.held.refuse
        return [item for item in items if await decide(item)]
