"""`check`: every error of the configuration at once; with --online also what only the outside can tell."""

from __future__ import annotations

import argparse
import asyncio
import sys

from gateway import config as configuration
from gateway.cli.show import config_option

UNAVAILABLE = 69


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument("--online", action="store_true", help="also CalDAV logins and the smarthost")


def run(arguments: argparse.Namespace) -> int:
    """Say what is wrong, what is risky, what comes later; 78 when the configuration cannot be used."""
    config = configuration.load(configuration.find(arguments.config))
    for line in configuration.warnings(config):
        sys.stdout.write(f"warning: {line}\n")
    for line in configuration.later(config):
        sys.stdout.write(f"later: {line}\n")
    if arguments.online:
        from gateway.wiring import edges

        troubles = asyncio.run(edges.probe(config))
        for line in troubles:
            sys.stdout.write(f"error: {line}\n")
        if troubles:
            return UNAVAILABLE
    sys.stdout.write(f"{config.path or 'configuration'}: ok, {len(config.accounts)} accounts\n")
    return 0
