from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.ports import CollectionState, Held
from gateway.store.held import CRASHERS

LEASE = timedelta(minutes=5)


async def held_job(store, new_job, **facts):
    await store.queue.add([new_job(message_id="<m@x>", payload={"source": "mail", "n": 1})])
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    held = Held(
        **{
            "kind": "mail",
            "account": "alice@example.org",
            "reason": "not-authenticated",
            "job": job.id,
            "sender": "bob@example.com",
            "uid": "uid-1",
            "method": "REQUEST",
            "message_id": "<m@x>",
        }
        | facts
    )
    return job, await store.queue.hold(job, held)


async def test_what_is_held_is_listed(store, new_job) -> None:
    _, name = await held_job(store, new_job, uid="")
    assert await store.held.list() == [
        {
            "id": name,
            "kind": "mail",
            "since": "2027-03-10T09:30:00.000Z",
            "account": "alice@example.org",
            "sender": "bob@example.com",
            "uid": None,
            "method": "REQUEST",
            "message_id": "<m@x>",
            "reason": "not-authenticated",
        }
    ]


async def test_the_oldest_is_listed_first(store, new_job, clock) -> None:
    _, first = await held_job(store, new_job)
    clock.forward(seconds=1)
    _, second = await held_job(store, new_job)
    assert [one["id"] for one in await store.held.list()] == [first, second]


async def test_an_approved_job_runs_again_with_a_persons_word(store, new_job) -> None:
    job, name = await held_job(store, new_job)
    assert await store.held.approve(name)
    (again,) = await store.queue.claim("w", limit=9, lease=LEASE)
    assert (again.id, again.payload) == (job.id, {"source": "mail", "n": 1, "approved": True})
    assert await store.held.list() == []
    assert not await store.held.approve(name)


async def test_a_refused_job_ends_in_the_journal(store, new_job) -> None:
    job, name = await held_job(store, new_job)
    assert await store.held.refuse(name)
    assert await store.queue.list_jobs() == []
    (line,) = await store.journal.story(job.id)
    assert (line["outcome"], line["reason"], line["kind"]) == ("refused", "policy", "mail")
    assert (line["sender"], line["method"], line["uid"]) == ("bob@example.com", "REQUEST", "uid-1")
    assert not await store.held.refuse(name)


async def test_a_word_with_a_time_takes_effect_then(store, new_job, clock) -> None:
    job, name = await held_job(store, new_job, kind="crasher")
    due = clock.now() + timedelta(minutes=1)
    assert await store.held.approve(name, due=due)
    (waiting,) = await store.held.crashers("alice@example.org", "uid-1")
    assert (waiting.item, waiting.word, waiting.due) == (name, "approved", due)
    assert await store.queue.claim("w", limit=9, lease=LEASE) == ()
    clock.forward(minutes=1)
    assert await store.held.crashers("alice@example.org", "uid-1") == ()
    (again,) = await store.queue.claim("w", limit=9, lease=LEASE)
    assert again.payload["approved"] and not await store.held.withdraw(name)


@pytest.mark.parametrize("word", ["approve", "refuse"])
async def test_a_word_that_is_taken_back_was_never_said(word, store, new_job, clock) -> None:
    job, name = await held_job(store, new_job, kind="crasher")
    before = await store.queue.show(job.id)
    assert not await store.held.withdraw(name)
    assert await getattr(store.held, word)(name, due=clock.now() + timedelta(minutes=1))
    assert await store.held.withdraw(name) and not await store.held.withdraw(name)
    assert await store.queue.show(job.id) == before
    clock.forward(minutes=2)
    assert await store.queue.claim("w", limit=9, lease=LEASE) == ()
    (open_again,) = await store.held.crashers("alice@example.org", "uid-1")
    assert (open_again.word, open_again.due) == ("", None)
    assert await store.held.refuse(name)


async def test_the_crashers_of_a_meeting_are_its_own_and_the_first_of_many(store, new_job, clock) -> None:
    await held_job(store, new_job)  # a mail that is held for another reason
    await held_job(store, new_job, kind="crasher", uid="another")
    await held_job(store, new_job, kind="crasher", account="carol@example.org")
    mine = []
    for _ in range(CRASHERS + 1):
        clock.forward(seconds=1)
        mine.append((await held_job(store, new_job, kind="crasher"))[1])
    found = await store.held.crashers("alice@example.org", "uid-1")
    assert [one.item for one in found] == mine[:CRASHERS]


async def test_an_answer_to_nothing_is_false(store) -> None:
    assert not await store.held.approve("nothing")
    assert not await store.held.refuse("nothing")


async def test_what_is_held_again_is_another_item(store, new_job) -> None:
    job, first = await held_job(store, new_job)
    await store.held.approve(first)
    (again,) = await store.queue.claim("w", limit=1, lease=LEASE)
    second = await store.queue.hold(again, Held(kind="crasher", account="a", reason="party-crasher"))
    assert [one["id"] for one in await store.held.list()] == [second]


async def test_of_a_burst_the_first_is_told_whichever_process_holds_it(open_store, new_job, clock) -> None:
    stores = [await open_store() for _ in range(2)]
    await stores[0].snapshots.synced(CollectionState(account="alice@example.org", path="/"))

    async def told(*accounts: str) -> int:
        """How many of these had somebody told."""
        jobs = []
        for number in range(len(accounts)):
            await stores[0].queue.add([new_job(f"lane{number}")])
            jobs += await stores[number % 2].queue.claim("w", limit=1, lease=LEASE)
        calls = (
            stores[number % 2].queue.hold_burst(
                job,
                Held(kind="burst", account=account, reason="burst", job=job.id),
                within=timedelta(minutes=10),
                spawn=(new_job(f"alarm{number}"),),
            )
            for number, (job, account) in enumerate(zip(jobs, accounts, strict=True))
        )
        await asyncio.gather(*calls)
        alarms = await stores[0].queue.claim("w", limit=9, lease=LEASE)
        for one in alarms:
            await stores[0].queue.finish(one)
        return len(alarms)

    alice = "alice@example.org"
    assert await told(*[alice] * 8) == 1
    clock.forward(minutes=9)
    assert await told(alice, "dora@example.org") == 1
    clock.forward(minutes=9)
    assert await told(alice) == 0, "it still goes on"
    clock.forward(minutes=10)
    assert await told(alice) == 1
