"""The table of docs/servers.md says what was measured: each server's column is measured anew and compared.

`make interop-table` writes the columns of all servers that are installed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.interop.probe import FACTS, measure
from tests.interop.servers import SERVERS, Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "servers.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
TITLES = {
    "radicale": "Radicale",
    "xandikos": "Xandikos",
    "cyrus": "Cyrus",
    "davical": "DAViCal",
    "sogo": "SOGo",
}


def read() -> dict[str, dict[str, str]]:
    """server -> fact -> cell."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in PAGE.read_text().partition(BEGIN)[2].partition(END)[0].splitlines()
        if line.startswith("|") and "---" not in line
    ]
    head, *body = rows or [[""]]
    return {
        server: {row[0]: row[head.index(title)] for row in body}
        for server, title in TITLES.items()
        if title in head
    }


def write(cells: dict[str, dict[str, str]]) -> None:
    lines = ["| | " + " | ".join(TITLES.values()) + " |", "|---" * (len(TITLES) + 1) + "|"]
    for fact in FACTS:
        lines.append(f"| {fact} | " + " | ".join(cells.get(one, {}).get(fact, "") for one in TITLES) + " |")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + rest.partition(END)[2])


def test_every_server_and_every_fact_has_its_cell() -> None:
    cells = read()
    assert set(cells) == set(SERVERS) == set(TITLES)
    for server, column in cells.items():
        assert list(column) == list(FACTS) and all(column.values()), server


def test_the_column_says_what_the_server_does(server: Server) -> None:
    measured = measure(server)
    if os.environ.get("INTEROP_WRITE"):
        write({**read(), server.name: measured})
    assert read()[server.name] == measured
