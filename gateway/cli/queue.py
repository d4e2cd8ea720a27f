"""`queue`: what waits in the queue; mailq for meetings."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from gateway.cli.show import as_json, config_option, json_option, load, table

NOT_FOUND = 69
COLUMNS = ("id", "kind", "state", "account", "uid", "attempts", "due", "reason")


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.add_argument("action", choices=("list", "show", "retry", "release", "drop", "stats"))
    parser.add_argument("id", nargs="?", default="")


def run(arguments: argparse.Namespace) -> int:
    """List, show one, or act on one; 69 when there is no such job in a state that the action fits."""
    if arguments.action in ("show", "retry", "release", "drop") and not arguments.id:
        sys.stderr.write(f"imip-gateway queue {arguments.action}: which job?\n")
        return 64
    from gateway.wiring import channel, storage

    config = load(arguments)
    answer = asyncio.run(_act(storage, config, arguments.action, arguments.id))
    if answer is None:
        sys.stderr.write(f"imip-gateway queue: no job {arguments.id} to {arguments.action}\n")
        return NOT_FOUND
    if arguments.action in ("retry", "release", "drop"):
        channel.poke(config)
        sys.stdout.write(f"{arguments.id}: done\n")
    elif arguments.json:
        as_json(answer)
    elif arguments.action == "list":
        table(answer, COLUMNS)
    else:
        for key, value in answer.items():
            sys.stdout.write(f"{key:<18} {'-' if value is None else value}\n")
    return 0


async def _act(storage: Any, config: Any, action: str, job: str) -> Any:
    async with storage.opened_store(config) as store:
        queue = store.queue
        if action == "list":
            return await queue.list_jobs()
        if action == "stats":
            return await queue.stats()
        if action == "show":
            return await queue.show(job)
        act = {"retry": queue.retry_now, "release": queue.release, "drop": queue.drop}[action]
        return True if await act(job) else None
