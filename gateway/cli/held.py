"""`held`: what waits for a person: list it, approve it, refuse it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from gateway.cli.show import as_json, config_option, json_option, load, printable, table

NOT_FOUND = 69
COLUMNS = ("id", "kind", "since", "account", "sender", "uid", "method", "reason")
FILTERS = ("kind", "account", "sender", "reason")


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.add_argument("action", choices=("list", "approve", "refuse"))
    parser.add_argument("id", nargs="*", help="items of the list; a burst has many")
    parser.add_argument("--all", action="store_true", help="approve or refuse all that the filters leave")
    for name in FILTERS:
        parser.add_argument(f"--{name}", default="", help=f"only items of this {name}")


def run(arguments: argparse.Namespace) -> int:
    """An approved item runs again with the owner's word for it; a refused one ends in the journal."""
    action, items = arguments.action, tuple(dict.fromkeys(arguments.id))
    wanted = {name: value for name in FILTERS if (value := getattr(arguments, name))}
    if action != "list" and bool(items) is arguments.all:
        sys.stderr.write(f"imip-gateway held {action}: which item? Name some, or --all\n")
        return 64
    if items and wanted:
        sys.stderr.write(f"imip-gateway held {action}: a filter goes with --all\n")
        return 64
    from gateway.wiring import channel, storage

    config = load(arguments)
    rows = asyncio.run(_act(storage, config, action, items, wanted=wanted))
    if action == "list":
        _show(rows, as_text=not arguments.json)
        return 0
    if arguments.json:
        as_json(rows)
    for row in rows if not arguments.json else ():
        sys.stdout.write(f"{row['id']}: {action}d  {_told(row)}\n")
    known = {row["id"] for row in rows}
    for item in items:
        if item not in known:
            sys.stderr.write(f"imip-gateway held: no item {item}\n")
    if rows:
        channel.poke(config)
    return 0 if known.issuperset(items) else NOT_FOUND


def _show(rows: Sequence[dict[str, Any]], *, as_text: bool) -> None:
    if as_text:
        table(rows, COLUMNS)
    else:
        as_json(rows)


def _told(row: dict[str, Any]) -> str:
    return printable("  ".join(row[name] or "-" for name in ("kind", "account", "sender", "uid")))


async def _act(
    storage: Any, config: Any, action: str, items: tuple[str, ...], *, wanted: dict[str, str]
) -> list[dict[str, Any]]:
    """The list, or those of its rows that were approved or refused."""
    async with storage.opened_store(config) as store:
        rows = [
            row
            for row in await store.held.list()
            if all((row[name] or "").lower() == value.lower() for name, value in wanted.items())
            and (not items or row["id"] in items)
        ]
        if action == "list":
            return rows
        decide = store.held.approve if action == "approve" else store.held.refuse
        return [row for row in rows if await decide(row["id"])]
