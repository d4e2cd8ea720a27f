"""`demo`: the real daemon with a generated configuration, to try it without a server of one's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gateway import config as configuration


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, default=Path("var"), metavar="DIR", help="where everything lies")
    parser.add_argument("--print-config", action="store_true", help="print the configuration and end")
    parser.add_argument("--smtp", default="127.0.0.1:2525", metavar="HOST:PORT")
    parser.add_argument("--web", default="127.0.0.1:8025", metavar="HOST:PORT")


def run(arguments: argparse.Namespace) -> int:
    """Write the configuration into the state directory, say what runs where, and serve."""
    state = arguments.state.resolve()
    text = configuration.demo_config(state, smtp=arguments.smtp, web=arguments.web)
    if arguments.print_config:
        sys.stdout.write(text)
        return 0
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = state / "config.toml"
    path.touch(mode=0o600)
    path.write_text(text)
    config = configuration.load(path)
    from gateway import daemon

    return daemon.serve(config, path, ready=daemon.introduce)
