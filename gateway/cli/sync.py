"""`sync`: one watch round of every collection, now; waits for it, not for the settle time."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from gateway import config as configuration
from gateway.cli.show import as_json, config_option, json_option, load, table

AGAIN, NO_USER = 75, 67


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.add_argument("accounts", nargs="*", metavar="ACCOUNT")


def run(arguments: argparse.Namespace) -> int:
    """Works under the collections' leases, with or without a daemon; 75 if one could not be read."""
    from gateway.flows.watch import rounds_json
    from gateway.wiring import channel, parts

    config = load(arguments)
    accounts = configuration.accounts_of(config)
    unknown = [one for one in arguments.accounts if accounts.find(one) is None]
    if unknown:
        sys.stderr.write(f"imip-gateway sync: no account {unknown[0]}\n")
        return NO_USER
    rounds = rounds_json(asyncio.run(_rounds(parts, channel.daemon_runs(config), config, arguments.accounts)))
    channel.poke(config)
    if arguments.json:
        as_json(rounds)
    else:
        table(rounds, ("account", "collection", "changed", "baseline", "error"))
    return AGAIN if any(one["error"] for one in rounds) else 0


async def _rounds(parts: Any, share: bool, config: Any, names: list[str]) -> list[Any]:
    found: list[Any] = []
    async with parts.started(config, share=share) as running:
        wanted = [running.accounts.find(one) for one in names] or list(running.accounts)
        for account in wanted:
            found += await running.watch.all(account)
    return found
