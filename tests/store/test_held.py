from __future__ import annotations

from datetime import timedelta

from gateway.ports import Held

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


async def test_an_answer_to_nothing_is_false(store) -> None:
    assert not await store.held.approve("nothing")
    assert not await store.held.refuse("nothing")


async def test_what_is_held_again_is_another_item(store, new_job) -> None:
    job, first = await held_job(store, new_job)
    await store.held.approve(first)
    (again,) = await store.queue.claim("w", limit=1, lease=LEASE)
    second = await store.queue.hold(again, Held(kind="crasher", account="a", reason="party-crasher"))
    assert [one["id"] for one in await store.held.list()] == [second]
