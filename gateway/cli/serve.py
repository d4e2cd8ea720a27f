"""`serve`: the daemon, in the foreground."""

from __future__ import annotations

import argparse

from gateway import config as configuration
from gateway.cli.show import config_option


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    path = configuration.find(arguments.config)
    config = configuration.load(path)
    from gateway import daemon

    return daemon.serve(config, path)
