"""Killed at a step, opened again, compared: nothing that was answered is lost, nothing half done is seen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from gateway.store.spool import SpoolReader

LEASE = timedelta(minutes=5)
ROOT = Path(__file__).resolve().parents[2]

START = """
import asyncio, os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from gateway.ports import *
from gateway.store.desk import Store
from gateway.store.writer import after_commit

AT = datetime(2027, 3, 10, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
die = lambda *ignored: os._exit(9)

def mail(text, size=0):
    envelope = Envelope(sender="bob@example.com", recipients=(Recipient(address="alice@example.org"),))
    return ReceivedMail(envelope=envelope, peer=Peer(), content=f"Subject: {text}\\r\\n\\r\\n".encode() + b"x" * size, received_at=AT)

def dying(target, name, *, after):
    done = getattr(target, name)
    def wrapped(*given, **named):
        done(*given, **named)
        after()
    setattr(target, name, wrapped)

async def main():
    store = Store(os.environ["TEST_DATABASE"], Path(sys.argv[1]), "example.org", now=lambda: AT)
    await store.start()
    await run(store)
    os._exit(9)
"""

MANY = """
async def run(store):
    told = []
    async def one(number):
        told.append(await store.intake.accept(mail(number)))
        print(told[-1], flush=True)
    async def killer():
        while store.db.commits < 4 or not told:
            await asyncio.sleep(0)
        die()
    async with asyncio.TaskGroup() as group:
        group.create_task(killer())
        for number in range(2000):
            group.create_task(one(number))
            if number % 50 == 0:
                await asyncio.sleep(0)
"""

BEFORE = """
async def run(store):
    dying(store.queue._jobs, "queue", after=die)
    await store.intake.accept(mail("one", 300_000))
"""

DRAFT = """
from dataclasses import replace
async def run(store):
    draft = store.intake.draft()
    await draft.write(b"Subject: x\\r\\n\\r\\n" + b"x" * 300_000)
    if sys.argv[2] == "laid":
        dying(store.queue._jobs, "queue", after=die)
        await store.intake.accept(replace(mail("one"), content=b"", file=draft))
"""

AFTER = """
async def run(store):
    change = store.intake._insert
    def insert(conn, arrivals):
        answer = change(conn, arrivals)
        after_commit(conn, die)
        return answer
    store.intake._insert = insert
    await store.intake.accept(mail("one", 300_000))
"""

SETTLE = """
async def run(store):
    new = NewJob(kind=JobKind.APPLY, lane="alice|u", payload={}, account="alice", uid="u")
    await store.queue.add([new])
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    letter = NewLetter(account="alice", uid="u", recurrence_id="", method="REQUEST", sender="alice", recipient="bob")
    entry = Entry(job=job.id, kind="change", outcome="applied", reason="invited", uid="u")
    plan = Plan(job=job.id, account="alice", uid="u", action="store", href="/u.ics", entry=entry,
                marks=(MarkRow(recurrence_id="", party="bob", mark={}),))
    plan = await store.plans.plan(job, plan, [letter])
    print(job.id, flush=True)
    shot = Snapshot(account="alice", collection="/", href="/u.ics", uid="u", etag="1", fingerprint="f", data=b"x")
    if sys.argv[2] == "before":
        dying(store.plans, "_wake_parked", after=die)
    else:
        step = store.plans._wake_parked
        store.plans._wake_parked = lambda conn, *more: (step(conn, *more), after_commit(conn, die))
    await store.plans.settle(job, plan, snapshot=shot)
"""

SPOOL = """
from gateway.store.spool import SpoolReader
async def run(store):
    class Door:
        async def accept(self, mail):
            print(await store.intake.accept(mail), flush=True)
            die()
    await SpoolReader(Path(sys.argv[1]), "here").take(Door())
"""

SUBMIT = """
from gateway.store import spool
async def run(store):
    (Path(sys.argv[1]) / "spool").mkdir()
    if sys.argv[2] == "before":
        Path.rename = die
    else:
        spool._sync = die
    spool.write(Path(sys.argv[1]), sender="bob@example.com", recipients=["alice@example.org"], content=b"Subject: x")
"""


@pytest.fixture
def killed(state_dir: Path, database_url: str) -> Callable[..., list[str]]:
    return partial(until_it_dies, state_dir, database_url)


def until_it_dies(state_dir: Path, url: str, script: str, *more: str) -> list[str]:
    """Run it until it kills itself; what it had answered by then."""
    done = subprocess.run(
        [sys.executable, "-c", START + script + "\nasyncio.run(main())", os.fspath(state_dir), *more],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE": url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 9, done.stderr
    return done.stdout.split()


async def queued(store) -> list[str]:
    return [one["id"] for one in await store.queue.list_jobs()]


async def test_no_mail_that_was_answered_is_lost(killed, open_store, state_dir) -> None:
    answered = killed(MANY)
    store = await open_store()
    found = set(await queued(store))
    assert answered
    assert set(answered) <= found
    jobs = await store.queue.claim("w", limit=3000, lease=LEASE)
    assert {job.id for job in jobs} == found
    assert all(job.body.startswith(b"Subject: ") for job in jobs)


async def test_a_mail_that_was_not_committed_was_never_there(killed, open_store, state_dir) -> None:
    killed(BEFORE)
    store = await open_store()
    assert await queued(store) == []
    for orphan in state_dir.glob("content/*"):
        assert await store.queue.sweep(orphan.stat().st_mtime + 9999) == 1


@pytest.mark.parametrize("step", ["begun", "laid"])
async def test_a_mail_that_was_coming_by_a_file_leaves_none(killed, open_store, state_dir, step: str) -> None:
    killed(DRAFT, step)
    assert list(state_dir.glob("content/.*"))
    store = await open_store()
    await store.recover("w")
    assert await queued(store) == []
    if not store.db.shared:  # else a sibling may be writing it
        assert not list(state_dir.glob("content/.*"))
    left = list((state_dir / "content").iterdir())
    late = max((one.stat().st_mtime for one in left), default=0.0) + 9999
    assert await store.queue.sweep(late) == len(left)
    assert not list((state_dir / "content").iterdir())


async def test_a_mail_whose_answer_was_lost_is_known_when_it_comes_again(
    killed, open_store, state_dir, clock
) -> None:
    killed(AFTER)
    store = await open_store()
    (name,) = await queued(store)
    space = {}
    exec(START.split("def dying")[0], space)
    assert await store.intake.accept(space["mail"]("one", 300_000)) == name
    (job,) = await store.queue.claim("w", limit=9, lease=LEASE)
    assert len(job.file or job.body) > 300_000


async def test_settling_is_done_or_not_begun(killed, open_store, state_dir, clock) -> None:
    (name,) = killed(SETTLE, "before")
    store = await open_store()
    clock.forward(minutes=5)
    (job,) = await store.queue.claim("w", limit=9, lease=LEASE)
    plan = await store.plans.open_plan(job)
    assert (job.id, plan.uid, len(plan.letters)) == (name, "u", 1)
    assert (await store.plans.letter(plan.letters[0])).state == "planned"
    assert await store.snapshots.by_uid("alice", "u") == ()
    assert await store.ledger.marks("alice", "u") == ()
    assert await store.journal.story(name) == []


async def test_what_was_settled_stays_settled(killed, open_store, state_dir) -> None:
    (name,) = killed(SETTLE, "after")
    store = await open_store()
    (line,) = await store.queue.list_jobs()
    assert line["kind"] == "letter"
    assert len(await store.snapshots.by_uid("alice", "u")) == 1
    assert len(await store.ledger.marks("alice", "u")) == 1
    ((letter,),) = [line["letters"] for line in await store.journal.story(name)]
    assert letter["state"] == "ready"


async def test_a_spooled_mail_that_was_committed_is_not_queued_twice(killed, open_store, state_dir) -> None:
    from gateway.store import spool

    spool.write(
        state_dir, sender="bob@example.com", recipients=["alice@example.org"], content=b"Subject: x\n\ny\n"
    )
    (name,) = killed(SPOOL)
    reader = SpoolReader(state_dir, "here")
    assert reader.waiting()
    store = await open_store()
    assert await reader.take(store.intake) == 1
    assert await queued(store) == [name]
    assert not reader.waiting()


@pytest.mark.parametrize(("moment", "there"), [("before", False), ("after", True)])
async def test_a_spool_file_is_whole_or_not_there(killed, state_dir, moment, there) -> None:
    killed(SUBMIT, moment)
    reader = SpoolReader(state_dir)
    assert reader.waiting() is there
    for path in sorted((state_dir / "spool").glob("[!.]*")):
        assert reader.read(path).envelope.sender == "bob@example.com"
