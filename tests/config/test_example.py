"""config.example.toml is the reference manual: every key, each with its default."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts import Account, Booking
from gateway.config import Config, Gateway, Policy, parse
from gateway.config.reader import FILE, Rows, Table

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"
NOT_KEYS = {"password": "server", "hook_token": "web", "status_token": "web"}  # filled from files


def uncommented() -> str:
    """A commented key begins with `#` and no space; explanations with `# `; an array's lines with two spaces."""
    return re.sub(r"^#(?! [^ ]|$)", "", EXAMPLE.read_text(), flags=re.MULTILINE)


def keys(table: Table) -> set[str]:
    found = set()
    for key, kind in table.keys.items():
        inner = kind.of if isinstance(kind, Rows) else kind
        found |= {f"{key}.{one}" for one in keys(inner)} if isinstance(inner, Table) else {key}
    return found


def written(document: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for key, value in document.items():
        rows = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
        found |= {f"{key}.{one}" for row in rows for one in written(row)} if any(rows) else {key}
    return found


def test_every_known_key_is_in_it_and_every_key_in_it_is_known() -> None:
    assert written(tomllib.loads(uncommented())) == keys(FILE)


def test_as_it_stands_it_is_the_smallest_configuration() -> None:
    assert parse(EXAMPLE.read_text()) == parse('[gateway]\ndomains = ["example.org"]')


def test_every_default_in_it_is_the_default() -> None:
    shown = parse(uncommented())
    plain = parse('[gateway]\ndomains = ["example.org"]\n[[account]]\naddress = "alice@example.org"')
    assert replace(shown, policies=()) == plain


def test_each_line_is_an_explanation_or_a_key() -> None:
    for line in EXAMPLE.read_text().splitlines():
        assert len(line) <= 130
        assert not line.startswith("#") or line == "#" or re.match(r"#( |\[|\]|[a-z_]+ = )", line), line


@pytest.mark.parametrize("table", list(FILE.keys.values()), ids=list(FILE.keys))
def test_every_field_of_the_values_is_a_key(table: Table | Rows) -> None:
    def compare(one: Table) -> None:
        names = {field.name for field in fields(one.makes)}
        derived = {name for name, where in NOT_KEYS.items() if where == one.makes.__name__.lower()}
        assert names - derived == set(one.keys)
        for kind in one.keys.values():
            inner = kind.of if isinstance(kind, Rows) else kind
            if isinstance(inner, Table):
                compare(inner)

    compare(table.of if isinstance(table, Rows) else table)


@pytest.mark.parametrize("kind", [Gateway, Account, Booking, Policy, Config])
def test_only_two_keys_are_required(kind: type) -> None:
    without = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    assert without == {Gateway: {"domains"}, Account: {"address"}, Config: {"gateway"}}.get(kind, set())
