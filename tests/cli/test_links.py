"""`links revoke`: whose links go, and what it says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.cli.main import main
from gateway.config import load
from gateway.ports import NewLetter
from gateway.store import letters, schema
from gateway.wiring import storage

CONFIG = """
[gateway]
domains = ["example.org"]
state_dir = "{state}"

[[account]]
address = "alice@example.org"
"""
ALICE, BOB, CAROL = "alice@example.org", "bob@example.net", "carol@example.com"
WRITTEN = [("m1", BOB), ("m1", CAROL), ("m1", ALICE), ("m2", BOB)]


def letter(uid: str, recipient: str) -> NewLetter:
    return NewLetter(
        account=ALICE,
        uid=uid,
        recurrence_id="",
        method="REQUEST",
        sender=ALICE,
        recipient=recipient,
        calendar=b"",
        summary={"kind": "invitation"},
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a gateway that has written four letters."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(state=tmp_path / "state"))
    named = [(f"l{number}", letter(*one)) for number, one in enumerate(WRITTEN)]

    async def write() -> None:
        async with storage.opened_store(load(path)) as store:
            for one in named:
                await store.db.write(
                    lambda conn, one=one: letters.write_planned(
                        conn, [one], plan=None, job="j", domain="x", now=datetime.now(UTC)
                    )
                )

    asyncio.run(write())
    return path


def revoked(config: Path) -> list[tuple[str, str]]:
    async def read() -> list[tuple[str, str]]:
        one = schema.letter
        asked = select(one.c.uid, one.c.recipient).where(one.c.revoked.is_not(None)).order_by(one.c.number)
        async with storage.opened_store(load(config)) as store:
            rows = await store.db.read(lambda conn: conn.execute(asked).all())
            return [(row.uid, row.recipient) for row in rows]

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ((ALICE, "m1", BOB), [("m1", BOB)]),
        ((ALICE, "m1", "Bob@Example.net", CAROL), [("m1", BOB), ("m1", CAROL)]),
        ((ALICE, "m1"), [("m1", BOB), ("m1", CAROL), ("m1", ALICE)]),
        ((ALICE, "m3"), []),
        ((ALICE, "m2", CAROL), []),
        (("dora@example.org", "m1"), []),
    ],
)
def test_the_links_of_those_who_are_named_are_taken_back(
    words: tuple[str, ...], gone: list[tuple[str, str]], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["links", "revoke", "-c", str(config), *words]) == (0 if gone else 69)
    assert revoked(config) == gone
    told = capsys.readouterr()
    assert f"{len(gone)} letters" in told.out if gone else "nothing to take back" in told.err
