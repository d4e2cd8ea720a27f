"""`held`: one item or many, and each told in a line of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import held
from gateway.config import load
from gateway.ports import Held, JobKind, NewJob
from gateway.wiring.storage import opened_store

CONFIG = """
[gateway]
domains = ["example.org"]
state_dir = "{state}"

[[account]]
address = "alice@example.org"
"""
ITEMS = (("burst", "alice", "m1"), ("burst", "bob", "m2"), ("mail", "alice", "m3"))


async def _hold(config: Path) -> None:
    async with opened_store(load(config)) as store:
        for kind, name, uid in ITEMS:
            await store.queue.add([NewJob(kind=JobKind.APPLY, lane=uid, payload={"source": "change"})])
            (job,) = await store.queue.claim("w", limit=1, lease=timedelta(minutes=1))
            item = Held(kind=kind, account=f"{name}@example.org", reason=kind, job=job.id, uid=uid)
            await store.queue.hold(job, item)


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`held` with these words on three items; exit code, output, complaints."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(state=tmp_path))
    asyncio.run(_hold(config))

    def run(*words: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        held.arguments(parser)
        capsys.readouterr()
        code = held.run(parser.parse_args(["-c", str(config), *words]))
        return code, *capsys.readouterr()

    return run


def left(call: Any, *words: str) -> list[str]:
    return sorted(one["uid"] for one in json.loads(call("list", "--json", *words)[1]))


@pytest.mark.parametrize("action", ["approve", "refuse"])
def test_all_are_decided_at_once_and_each_is_told(call: Any, action: str) -> None:
    code, out, _ = call(action, "--all")
    assert code == 0
    assert [line.split()[1:] for line in out.splitlines()] == [
        [f"{action}d", kind, f"{name}@example.org", "-", uid] for kind, name, uid in ITEMS
    ]
    assert left(call) == []
    assert call(action, "--all")[:2] == (0, "")


@pytest.mark.parametrize(
    ("words", "decided"),
    [
        (("--kind", "burst"), ["m1", "m2"]),
        (("--account", "Alice@example.org"), ["m1", "m3"]),
        (("--kind", "burst", "--account", "alice@example.org"), ["m1"]),
        (("--reason", "nothing"), []),
    ],
)
def test_a_filter_lists_what_it_would_decide(call: Any, words: tuple[str, ...], decided: list[str]) -> None:
    assert left(call, *words) == decided
    rows = json.loads(call("refuse", "--all", "--json", *words)[1])
    assert sorted(one["uid"] for one in rows) == decided
    assert left(call) == sorted({"m1", "m2", "m3"} - set(decided))


def test_one_item_is_decided_and_an_unknown_one_is_named(call: Any) -> None:
    (first, *_) = json.loads(call("list", "--json")[1])
    code, out, complaints = call("approve", first["id"], "nobody", first["id"])
    assert (code, out.count("approved")) == (held.NOT_FOUND, 1)
    assert complaints == "imip-gateway held: no item nobody\n"
    assert left(call) == ["m2", "m3"]


@pytest.mark.parametrize("words", [(), ("x", "--all"), ("x", "--kind", "mail"), ("--kind", "mail")])
def test_what_is_meant_must_be_said(call: Any, words: tuple[str, ...]) -> None:
    code, out, complaints = call("approve", *words)
    assert (code, out) == (64, "") and "held approve" in complaints
    assert left(call) == ["m1", "m2", "m3"]
