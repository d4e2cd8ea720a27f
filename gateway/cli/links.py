"""`links`: take back what the letters about a meeting carry to be answered by."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from gateway.accounts import mailbox
from gateway.cli.show import config_option, load

NOT_FOUND = 69


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument("action", choices=("revoke",))
    parser.add_argument("account", help="whose meeting it is")
    parser.add_argument("uid")
    parser.add_argument("guest", nargs="*", help="whose links; without one, everybody's")


def run(arguments: argparse.Namespace) -> int:
    """69 when no letter about this meeting has a link that works."""
    from gateway.wiring import storage

    count = asyncio.run(_revoke(storage, load(arguments), arguments))
    if not count:
        sys.stderr.write(f"imip-gateway links: nothing to take back for {arguments.uid}\n")
        return NOT_FOUND
    sys.stdout.write(f"{arguments.uid}: the links of {count} letters lead nowhere any more\n")
    return 0


async def _revoke(storage: Any, config: Any, arguments: argparse.Namespace) -> int:
    guests = {mailbox(one) for one in arguments.guest}
    async with storage.opened_store(config) as store:
        return int(await store.links.revoke(mailbox(arguments.account), arguments.uid, guests))
