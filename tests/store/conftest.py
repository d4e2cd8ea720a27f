"""What the tests of the store share: a clock that a test moves, and databases made by copying one that is upgraded."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.ports import Envelope, JobKind, NewJob, Peer, ReceivedMail, Recipient
from gateway.store.db import Database
from gateway.store.desk import Store
from gateway.store.room import IntakeLimits


@dataclass
class Clock:
    """Stands still unless a test moves it."""

    moment: datetime = datetime(2027, 3, 10, 9, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def forward(self, **time: float) -> datetime:
        self.moment += timedelta(**time)
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded SQLite file without rows: a copy costs less than an upgrade."""
    folder = tmp_path_factory.mktemp("template")
    database = Database("", folder)
    database.upgrade()
    database.write_now(lambda conn: None)
    database.dispose()
    return folder / "gateway.sqlite3"


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every test that opens a store runs on both; what is about one alone says so by `parametrize("backend", ...)`."""
    return str(request.param)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def database_url(request: pytest.FixtureRequest, backend: str, state_dir: Path) -> Iterator[str]:
    if backend == "sqlite":
        shutil.copy(request.getfixturevalue("empty_database"), state_dir / "gateway.sqlite3")
        yield ""
        return
    server = request.getfixturevalue("postgresql")
    name = server.create(request.getfixturevalue("empty_postgresql"))
    yield server.url(name)
    server.drop(name)


OpenStore = Callable[..., Awaitable[Store]]


@pytest.fixture
async def open_store(state_dir: Path, database_url: str, clock: Clock) -> AsyncIterator[OpenStore]:
    """Opens a store on the test's database; several are several processes."""
    opened: list[Store] = []

    async def open_one(limits: IntakeLimits | None = None) -> Store:
        store = Store(database_url, state_dir, "example.org", now=clock.now, limits=limits)
        await store.start()
        opened.append(store)
        return store

    yield open_one
    for one in opened:
        await one.close()


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    return await open_store()


@pytest.fixture
def new_job() -> Callable[..., NewJob]:
    def make(lane: str = "alice|uid-1", **facts: Any) -> NewJob:
        plain: dict[str, Any] = {
            "kind": JobKind.APPLY,
            "payload": {"source": "mail"},
            "account": "alice@example.org",
        }
        return NewJob(**plain | {"lane": lane, "uid": lane.rpartition("|")[2]} | facts)

    return make


@pytest.fixture
def new_mail(clock: Clock) -> Callable[..., ReceivedMail]:
    def make(
        text: str = "hello", *, sender: str = "bob@example.com", to: tuple[str, ...] = ("alice@example.org",)
    ) -> ReceivedMail:
        received = f"Received: from mx by here\r\n\tfor <{to[0]}>; {clock.now().isoformat()}\r\n"
        return ReceivedMail(
            envelope=Envelope(sender=sender, recipients=tuple(Recipient(address=one) for one in to)),
            peer=Peer(address="192.0.2.1", helo="mx"),
            content=f"{received}Subject: x\r\n\r\n{text}\r\n".encode(),
            received_at=clock.now(),
        )

    return make
