"""The embedded Radicale: starts, gives everybody a calendar, keeps them, ends."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.accounts import Account
from gateway.caldav.client import ServerSettings
from gateway.caldav.embedded import DEATHS, EmbeddedRadicale
from gateway.errors import BackendRefused, BackendUnavailable, ConfigError

ALICE = Account(address="alice@example.org", username="alice", password="se cret:x")
BOB = Account(address="bob@example.org", password="demo")


async def test_calendars_survive_a_restart_at_the_same_place(tmp_path: Path, open_calendars, event):
    first = EmbeddedRadicale(tmp_path / "state" / "radicale", [ALICE, BOB])
    url = await first.start()
    try:
        calendars = open_calendars(ServerSettings(url=url))
        assert [one.name for one in await calendars.collections(BOB)] == ["Calendar"]
        home = (await calendars.invitations(ALICE)).path
        assert home == "/alice/calendar/"
        await calendars.put(ALICE, f"{home}one.ics", event("one"), etag="")
        with pytest.raises(BackendRefused):
            await calendars.get(BOB, f"{home}one.ics")
    finally:
        await first.stop()
    assert not first.alive
    again = EmbeddedRadicale(tmp_path / "state" / "radicale", [ALICE, BOB])
    try:
        assert await again.start() == url
        assert await open_calendars(ServerSettings(url=url)).find(ALICE, "one") is not None
    finally:
        await again.stop()


async def test_a_child_that_died_is_seen_and_started_again(tmp_path: Path):
    server = EmbeddedRadicale(tmp_path, [ALICE])
    await server.start()
    try:
        assert server.pid is not None and server._child is not None
        os.kill(server.pid, signal.SIGKILL)
        server._child.wait()
        assert not server.alive
        await server.start()
        assert server.alive
    finally:
        await server.stop()


async def test_who_dies_is_started_again_at_the_same_place_and_not_for_ever(tmp_path: Path, monkeypatch):
    server = EmbeddedRadicale(tmp_path, [ALICE])
    url, started = await server.start(), asyncio.Event()

    async def start() -> str:
        """The first time as it is; then it dies at once."""
        lives.append(server.pid)
        if len(lives) == 1:
            await EmbeddedRadicale.start(server)
            started.set()
        return url

    lives: list[int | None] = []
    monkeypatch.setattr(server, "start", start)
    keeping = asyncio.create_task(server.keep(glance=0.001))
    try:
        os.kill(server.pid or 0, signal.SIGKILL)
        await asyncio.wait_for(started.wait(), 60)
        assert server.alive and server.url == url and lives != [server.pid]
        os.kill(server.pid or 0, signal.SIGKILL)
        await asyncio.wait_for(keeping, 60)
        assert len(lives) == DEATHS and not server.alive
    finally:
        keeping.cancel()
        await server.stop()


async def test_a_radicale_that_cannot_start_is_unavailable(tmp_path: Path):
    (tmp_path / "collections").write_text("not a folder")
    server = EmbeddedRadicale(tmp_path, [ALICE])
    with pytest.raises(BackendUnavailable):
        await server.start()
    assert not server.alive


def test_secrets_are_for_the_owner_only(tmp_path: Path):
    server = EmbeddedRadicale(tmp_path / "new", [ALICE])
    server._write_files()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "users").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "account",
    [
        Account(address="a@example.org", username="a:b", password="x"),
        Account(address="a@example.org", username="a/b", password="x"),
        Account(address="a@example.org", username="a", password="x\ny"),
        Account(address="a@example.org", username="a"),
    ],
)
def test_names_that_the_password_file_cannot_hold_are_a_configuration_error(tmp_path: Path, account: Account):
    with pytest.raises(ConfigError):
        EmbeddedRadicale(tmp_path, [account])


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_the_child_dies_with_its_parent(tmp_path: Path):
    script = (
        "import asyncio, os, signal, sys; from pathlib import Path\n"
        "from gateway.accounts import Account; from gateway.caldav.embedded import DEATHS, EmbeddedRadicale\n"
        "server = EmbeddedRadicale(Path(sys.argv[1]), [Account(address='a@b.c', username='a', password='x')])\n"
        "asyncio.run(server.start()); print(server.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert has_ended(int(done.stdout))


def has_ended(pid: int) -> bool:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 30)[0])
    finally:
        os.close(watched)
