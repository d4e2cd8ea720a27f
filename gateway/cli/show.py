"""What the commands share for showing: the configuration option, JSON, tables."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway import config as configuration


def config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-c", dest="config", metavar="FILE", type=Path, help="the configuration (TOML)")


def json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def load(arguments: argparse.Namespace) -> configuration.Config:
    """The configuration that the command names, or the default one. Raises ConfigError."""
    return configuration.load(configuration.find(arguments.config))


def as_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table for people; nothing at all when there are no rows."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not cells:
        return
    widths = [max(len(line[place]) for line in [list(columns), *cells]) for place in range(len(columns))]
    for line in [[column.upper() for column in columns], *cells]:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write(text.rstrip() + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ",".join(_cell(one) for one in value)
    return printable(str(value))


def printable(text: str) -> str:
    """Nothing that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)
