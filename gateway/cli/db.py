"""`db`: bring the database to this program's schema, or say which schema it has."""

from __future__ import annotations

import argparse
import sys

from gateway.cli.show import config_option, load


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument("action", choices=("upgrade", "version"))


def run(arguments: argparse.Namespace) -> int:
    """The daemon upgrades by itself at start; this is for those who want to see it done before."""
    from gateway.wiring import storage

    database = storage.database(load(arguments))
    if arguments.action == "upgrade":
        database.upgrade()
    sys.stdout.write(f"{database.version() or 'empty'}\n")
    return 0
