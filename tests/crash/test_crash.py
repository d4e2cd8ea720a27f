"""The short crash suite: one run of each kind that needs no PostgreSQL, power cuts in `make long`. The whole is `make crash`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash import power, runs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize(("kind", "seed"), [("sqlite", 3), pytest.param("power", 4, marks=pytest.mark.slow)])
def test_nothing_is_lost_and_nothing_is_done_twice(kind: str, seed: int, tmp_path: Path) -> None:
    runs.one(kind, seed, tmp_path / kind, meetings=8, faults=2)


def test_the_end_of_each_transaction_is_found_in_the_log(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / power.DATABASE, isolation_level=None) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("CREATE TABLE one (number)")
        for number in range(3):
            conn.execute("INSERT INTO one VALUES (?)", (number,))
        log = (tmp_path / f"{power.DATABASE}-wal").read_bytes()
    conn.close()
    ends = power.commits(log)
    assert len(ends) == 4
    assert ends[-1] == len(log)
    assert power.commits(log[: ends[1] + 100]) == ends[:2]
