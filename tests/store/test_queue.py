from __future__ import annotations

import asyncio
import tracemalloc
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.errors import LeaseLost
from gateway.ports import Entry, Held, Job, JobKind, JobState, NewJob, Plan
from gateway.store import claims, lanes, schema
from gateway.store.bodies import LARGE

LEASE = timedelta(minutes=5)


async def claim(store, limit: int = 10, worker: str = "w", **facts):
    return await store.queue.claim(worker, limit=limit, lease=LEASE, **facts)


async def rows(store, table) -> int:
    return await store.db.read(
        lambda conn: conn.execute(select(func.count()).select_from(table)).scalar_one()
    )


def entry(job, **facts) -> Entry:
    return Entry(
        **{"job": job.id, "kind": "mail", "outcome": "applied", "reason": "invitation-stored"} | facts
    )


async def test_a_job_comes_back_as_it_was_queued(store, new_job, clock) -> None:
    new = new_job(
        payload={"source": "mail", "ä": [1, None]}, body=b"\x00body\xff", message_id="<m@x>", reason="why"
    )
    (name,) = await store.queue.add([new])
    (job,) = await claim(store)
    assert (job.id, job.kind, job.state, job.lane) == (name, JobKind.APPLY, JobState.LEASED, new.lane)
    assert (job.payload, job.body, job.account, job.uid) == (new.payload, new.body, new.account, new.uid)
    assert (job.message_id, job.attempts, job.reason) == ("<m@x>", 0, "why")
    assert job.due == job.created == clock.now()
    assert job.token


async def test_the_oldest_due_comes_first_and_nothing_before_its_time(store, new_job, clock) -> None:
    late, early, future = (
        new_job(f"lane-{n}", due=clock.now() + timedelta(seconds=seconds))
        for n, seconds in enumerate((-1, -9, 1))
    )
    names = await store.queue.add([late, early, future])
    assert [job.id for job in await claim(store)] == [names[1], names[0]]
    clock.forward(seconds=1)
    assert [job.id for job in await claim(store)] == [names[2]]


async def test_jobs_of_one_moment_run_in_the_order_in_which_they_came(store, new_job) -> None:
    names = await store.queue.add([new_job(f"lane-{n}") for n in range(40)])
    assert tuple(job.id for job in await claim(store, limit=40)) == names


async def test_a_claim_takes_no_more_than_asked(store, new_job) -> None:
    await store.queue.add([new_job(f"lane-{n}") for n in range(5)])
    assert len(await claim(store, limit=3)) == 3
    assert len(await claim(store, limit=3)) == 2


async def test_a_claim_can_ask_for_kinds(store, new_job) -> None:
    await store.queue.add([new_job("a"), new_job("b", kind=JobKind.LETTER)])
    assert [job.kind for job in await claim(store, kinds=(JobKind.LETTER,))] == [JobKind.LETTER]


async def test_a_lane_is_a_line(store, new_job) -> None:
    first, second, other = await store.queue.add([new_job("a"), new_job("a"), new_job("b")])
    got = await claim(store)
    assert [job.id for job in got] == [first, other]
    assert await claim(store) == ()
    await store.queue.finish(got[0])
    assert [job.id for job in await claim(store)] == [second]


async def test_a_lane_longer_than_any_index_is_still_one_lane(store, new_job) -> None:
    lane = "alice|" + "x" * 9000
    await store.queue.add([new_job(lane), new_job(lane), new_job(lane + "y")])
    assert len(await claim(store)) == 2


async def test_two_workers_never_hold_jobs_of_one_lane(open_store, new_job) -> None:
    one, two = await open_store(), await open_store()
    await one.queue.add([new_job(f"lane-{n % 3}") for n in range(9)])
    got = await asyncio.gather(claim(one, worker="1"), claim(two, worker="2"))
    lanes = [job.lane for jobs in got for job in jobs]
    assert sorted(lanes) == ["lane-0", "lane-1", "lane-2"]


async def test_an_expired_lease_is_claimable_again_and_its_old_owner_writes_nothing(
    store, new_job, clock
) -> None:
    await store.queue.add([new_job(), new_job()])
    (old,) = await claim(store)
    clock.forward(minutes=5)
    (new,) = await claim(store)
    assert (new.id, new.attempts) == (old.id, 1)
    assert new.token != old.token
    with pytest.raises(LeaseLost):
        await store.queue.finish(old, entries=[entry(old)], spawn=[new_job("b")])
    assert await rows(store, schema.journal) == 0
    assert await rows(store, schema.job) == 2
    await store.queue.finish(new)


async def test_every_ending_needs_the_lease(store, new_job, clock) -> None:
    await store.queue.add([new_job()])
    (job,) = await claim(store)
    await store.queue.finish(job)
    queue = store.queue
    endings = (
        queue.finish(job),
        queue.retry(job, due=clock.now(), reason="x"),
        queue.hold(job, Held(kind="mail", account="a", reason="r")),
        queue.park(job, due=clock.now(), reason="x"),
        queue.bury(job, "x"),
    )
    for ending in endings:
        with pytest.raises(LeaseLost):
            await ending
    assert not await queue.extend(job, LEASE)
    assert await rows(store, schema.held) == 0


async def test_jobs_that_end_together_end_alone_where_one_has_lost_its_lease(store, new_mail) -> None:
    for number in range(5):
        await store.intake.accept(new_mail(str(number)))
    jobs = await claim(store)
    lost = replace(jobs[2], token="somebody else's")
    ends = await asyncio.gather(
        *(store.queue.finish(one) for one in (*jobs[:2], lost, *jobs[3:])), return_exceptions=True
    )
    assert [isinstance(one, LeaseLost) for one in ends] == [False, False, True, False, False]
    assert await rows(store, schema.job) == 1
    assert await rows(store, schema.content) == 1
    before = store.db.commits
    await store.queue.finish(jobs[2])
    assert (await rows(store, schema.job), store.db.commits - before) == (0, 1)


async def test_a_prolonged_lease_is_not_taken(store, new_job, clock) -> None:
    await store.queue.add([new_job()])
    (job,) = await claim(store)
    clock.forward(minutes=4)
    assert await store.queue.extend(job, LEASE)
    clock.forward(minutes=4)
    assert await claim(store) == ()
    await store.queue.finish(job)


async def test_a_lease_that_ran_out_unnoticed_still_ends_its_job(store, new_job, clock) -> None:
    await store.queue.add([new_job()])
    (job,) = await claim(store)
    clock.forward(hours=1)
    await store.queue.finish(job)
    assert await rows(store, schema.job) == 0


async def test_the_leases_of_a_dead_worker_are_ended_at_once(store, new_job) -> None:
    await store.queue.add([new_job("a"), new_job("b")])
    (dead,) = await claim(store, limit=1, worker="dead")
    (alive,) = await claim(store, limit=1, worker="alive")
    assert await store.queue.recover("dead") == 1
    assert [job.id for job in await claim(store)] == [dead.id]
    assert await store.queue.recover() == 2
    assert {job.id for job in await claim(store)} == {dead.id, alive.id}


async def test_finishing_writes_the_journal_and_queues_what_follows_at_once(store, new_job) -> None:
    await store.queue.add([new_job(body=b"x")])
    (job,) = await claim(store)
    await store.queue.finish(job, entries=[entry(job)], spawn=[new_job("b"), new_job("c")])
    assert [one.lane for one in await claim(store)] == ["b", "c"]
    assert await rows(store, schema.journal) == 1
    assert await rows(store, schema.content) == 0


async def test_a_retry_counts_and_waits(store, new_job, clock) -> None:
    await store.queue.add([new_job()])
    (job,) = await claim(store)
    await store.queue.retry(job, due=clock.now() + timedelta(minutes=1), reason="backend-unavailable")
    assert await claim(store) == ()
    clock.forward(minutes=1)
    (again,) = await claim(store)
    assert (again.attempts, again.reason, again.created) == (1, "backend-unavailable", job.created)


async def test_a_retried_job_does_not_block_its_lane(store, new_job, clock) -> None:
    await store.queue.add([new_job("a"), new_job("a")])
    (first,) = await claim(store)
    await store.queue.retry(first, due=clock.now() + timedelta(minutes=1), reason="x")
    (second,) = await claim(store)
    assert second.id != first.id


async def test_a_newer_job_with_the_same_key_replaces_the_older_and_its_due_time(
    store, new_job, clock
) -> None:
    later = clock.now() + timedelta(seconds=30)
    (name,) = await store.queue.add([new_job(key="k", due=later, body=b"one", payload={"n": 1})])
    clock.forward(seconds=20)
    later = clock.now() + timedelta(seconds=30)
    again = await store.queue.add([new_job(key="k", due=later, body=b"two", payload={"n": 2})])
    assert again == (name,)
    clock.forward(seconds=29)
    assert await claim(store) == ()
    clock.forward(seconds=1)
    (job,) = await claim(store)
    assert (job.payload, job.body) == ({"n": 2}, b"two")


async def test_a_leased_job_is_not_replaced(store, new_job) -> None:
    (first,) = await store.queue.add([new_job(key="k")])
    (job,) = await claim(store)
    (second,) = await store.queue.add([new_job(key="k")])
    assert first != second
    await store.queue.finish(job)
    assert [one.id for one in await claim(store)] == [second]


async def test_a_job_takes_the_place_of_the_one_that_its_maker_knows_and_of_no_other(
    store, new_job, clock
) -> None:
    def said(word: str) -> NewJob:
        return new_job(key="page", payload={"answer": word}, due=clock.now() + timedelta(minutes=1))

    async def waiting() -> Job:
        (found,) = await store.queue.to_come("alice@example.org", "uid-1")
        return found

    assert await store.queue.replace(said("yes"), over=None)
    first = await waiting()
    assert not await store.queue.replace(said("no"), over=None)
    assert await store.queue.replace(said("maybe"), over=first)
    assert not await store.queue.replace(said("no"), over=first)
    assert (await waiting()).payload == {"answer": "maybe"}


async def test_of_two_that_know_of_nobody_one_is_first(open_store, new_job, clock) -> None:
    stores = [await open_store(), await open_store()]
    jobs = [
        new_job(key="page", payload={"answer": word}, due=clock.now() + timedelta(minutes=1)) for word in "ab"
    ]
    asked = (one.queue.replace(job, over=None) for one, job in zip(stores, jobs, strict=True))
    assert sorted(await asyncio.gather(*asked)) == [False, True]


async def test_a_retry_gives_way_to_the_newer_job_of_its_key(store, new_job, clock) -> None:
    await store.queue.add([new_job(key="k", body=b"old")])
    (job,) = await claim(store)
    (newer,) = await store.queue.add([new_job(key="k")])
    await store.queue.retry(job, due=clock.now(), reason="x")
    assert [one["id"] for one in await store.queue.list_jobs()] == [newer]


async def test_a_held_job_and_a_newer_one_of_its_key_live_side_by_side(store, new_job) -> None:
    await store.queue.add([new_job(key="k")])
    (job,) = await claim(store)
    await store.queue.add([new_job(key="k")])
    await store.queue.hold(job, Held(kind="burst", account="a", reason="burst"))
    assert {one["state"] for one in await store.queue.list_jobs()} == {"due", "waiting"}


async def test_a_change_of_what_is_held_waits_with_it(store, new_job) -> None:
    (name,) = await store.queue.add([new_job(key="k", payload={"n": 1})])
    (job,) = await claim(store)
    await store.queue.hold(job, Held(kind="burst", account="a", reason="burst"))
    assert await store.queue.add([new_job(key="k", payload={"n": 2})]) == (name,)
    shown = await store.queue.show(name)
    assert (shown["state"], shown["payload"], shown["due"]) == ("waiting", {"n": 2}, None)


async def test_a_buried_job_is_revived_by_a_newer_one_of_its_key(store, new_job) -> None:
    (name,) = await store.queue.add([new_job(key="k")])
    (job,) = await claim(store)
    await store.queue.bury(job, "given-up")
    assert await claim(store) == ()
    await store.queue.add([new_job(key="k")])
    assert [one.id for one in await claim(store)] == [name]


async def test_a_held_job_waits_for_a_person(store, new_job, clock) -> None:
    await store.queue.add([new_job()])
    (job,) = await claim(store)
    held = Held(kind="mail", account="alice@example.org", reason="not-authenticated", job=job.id)
    assert await store.queue.hold(job, held, entries=[entry(job, outcome="held")])
    clock.forward(days=99)
    assert await claim(store) == ()
    assert await store.queue.next_due() is None
    assert await rows(store, schema.journal) == 1


async def test_a_parked_job_comes_due_by_itself_at_the_end(store, new_job, clock) -> None:
    await store.queue.add([new_job()])
    (job,) = await claim(store)
    await store.queue.park(
        job, due=clock.now() + timedelta(hours=72), reason="unknown-uid", entries=[entry(job)]
    )
    assert await claim(store) == ()
    assert await store.queue.next_due() is None
    clock.forward(hours=72)
    (again,) = await claim(store)
    assert (again.reason, again.attempts) == ("unknown-uid", 0)


async def test_a_buried_job_is_kept_and_can_be_released(store, new_job, clock) -> None:
    await store.queue.add([new_job(body=b"kept")])
    (job,) = await claim(store)
    await store.queue.bury(job, "given-up", entries=[entry(job, outcome="failed")])
    clock.forward(days=9)
    assert await claim(store) == ()
    assert not await store.queue.retry_now(job.id)
    assert await store.queue.release(job.id)
    (again,) = await claim(store)
    assert (again.body, again.attempts, again.created) == (b"kept", 1, clock.now())
    assert not await store.queue.release(job.id)


async def test_what_settles_is_counted_by_account_until_it_is_decided(store, new_job, clock) -> None:
    later = clock.now() + timedelta(seconds=30)
    await store.queue.add(
        [
            new_job("a", reason="settling", due=later, key="change|1"),
            new_job("b", reason="settling", due=later, key="change|2"),
            new_job("c", reason="settling-gone", due=later, key="change|3"),
            new_job("d", reason="settling", due=later, key="change|4", account="other"),
            new_job("e", reason="settling", due=later),
        ]
    )
    settling = store.queue.settling
    assert await settling("alice@example.org") == 3
    assert await settling("alice@example.org", gone=True) == 1
    clock.forward(seconds=30)
    jobs = await claim(store)
    assert await settling("alice@example.org") == 3, "what is being decided has not settled yet"
    first, *jobs = jobs
    await store.queue.retry(first, due=clock.now(), reason="backend-unavailable")
    assert await settling("alice@example.org", gone=True) == 2, "what is tried again has not settled either"
    (first,) = await claim(store)
    for job in [first, *jobs]:
        await store.queue.finish(job)
    assert await settling("alice@example.org") == 0


async def test_next_due_is_the_earliest_that_waits_for_time_alone(store, new_job, clock) -> None:
    assert await store.queue.next_due() is None
    due = clock.now() + timedelta(seconds=7)
    await store.queue.add([new_job("a", due=due + timedelta(1)), new_job("b", due=due)])
    assert await store.queue.next_due() == due


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_large_body_lies_in_a_file_that_ends_with_its_job(store, new_job, state_dir) -> None:
    body = b"x" * (LARGE + 1)
    await store.queue.add([new_job(body=body)])
    (file,) = (state_dir / "content").iterdir()
    assert await store.db.read(lambda conn: conn.execute(select(schema.content.c.data)).scalar()) is None
    (job,) = await claim(store)
    assert (job.body, await job.file.whole()) == (b"", body)
    await store.queue.finish(job)
    assert not file.exists()


async def test_large_bodies_of_what_is_claimed_stay_where_they_are(store, new_job) -> None:
    """Ten at once: each is loaded when its turn comes, or read in pieces."""
    bodies = {f"lane{number}": f"{number}".encode() * (8 * LARGE) for number in range(10)}
    for lane, body in bodies.items():
        await store.queue.add([new_job(lane, body=body)])
    await store.queue.add([new_job("small", body=b"s" * LARGE), new_job("none")])
    tracemalloc.start()
    jobs = await claim(store, limit=12)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * LARGE, "not one of them was in memory"
    large = {job.lane: job for job in jobs if job.lane in bodies}
    assert [job.body for job in jobs if job.lane not in bodies] == [b"s" * LARGE, b""]
    for lane, body in bodies.items():
        file = large[lane].file
        assert (large[lane].body, len(file), await file.isascii()) == (b"", len(body), True)
        assert await file.read(LARGE - 2, 5) == body[:5]
        assert await file.read(len(body) - 2, 5) == body[:2]
        assert await file.whole() == body


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_large_body_is_gone_with_its_job(store, new_job, clock) -> None:
    await store.queue.add([new_job(body="ü".encode() * LARGE)])
    (job,) = await claim(store)
    assert not await job.file.isascii()
    await store.queue.finish(job)
    with pytest.raises(LeaseLost):
        await job.file.whole()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_replaced_body_leaves_no_file(store, new_job, state_dir) -> None:
    big, small = b"x" * (LARGE + 1), b"y"
    for body in (small, big, big + b"!", small, b""):
        await store.queue.add([new_job(key="k", body=body)])
        assert len(list((state_dir / "content").glob("*"))) == (len(body) > LARGE)
    (job,) = await claim(store)
    assert job.body == b""


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_lost_body_buries_its_job_and_stops_no_other(store, new_job, state_dir) -> None:
    lost, other = await store.queue.add([new_job("a", body=b"x" * (LARGE + 1)), new_job("b")])
    (state_dir / "content" / lost).unlink()
    assert [job.id for job in await claim(store)] == [other]
    shown = await store.queue.show(lost)
    assert (shown["state"], shown["reason"]) == ("buried", "internal-error")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_files_without_a_job_are_swept_once_nobody_can_be_about_to_name_them(
    store, new_job, state_dir
) -> None:
    (name,) = await store.queue.add([new_job(body=b"x" * (LARGE + 1))])
    orphan = state_dir / "content" / "orphan"
    orphan.write_bytes(b"")
    now = orphan.stat().st_mtime
    assert await store.queue.sweep(now + 3000) == 0
    assert await store.queue.sweep(now + 4000) == 1
    assert [path.name for path in (state_dir / "content").iterdir()] == [name]


async def test_the_worker_wakes_when_work_comes_or_a_lane_is_free(store, new_job) -> None:
    await store.queue.add([new_job()])
    await asyncio.wait_for(store.queue.wait_for_work(60), 0.9)
    (job,) = await claim(store)
    await store.queue.finish(job)
    await asyncio.wait_for(store.queue.wait_for_work(60), 0.9)
    waiting = asyncio.create_task(store.queue.wait_for_work(60))
    await asyncio.sleep(0)
    store.queue.wake()
    await asyncio.wait_for(waiting, 0.9)
    await store.queue.wait_for_work(0.001)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_claims_go_by_the_indexes(store) -> None:
    def plan(conn) -> str:
        text = str(lanes._DUE.compile(conn.engine, compile_kwargs={"render_postcompile": True}))
        rows = conn.exec_driver_sql("EXPLAIN QUERY PLAN " + text, tuple([1] * text.count("?")))
        return "\n".join(row[3] for row in rows)

    steps = await store.db.read(plan)
    assert "SEARCH job USING INDEX ix_job_due" in steps
    assert "uq_job_lane" in steps
    assert "ix_job_lane" in steps
    assert "SCAN" not in steps
    assert "TEMP B-TREE" not in steps


async def test_a_job_that_kills_its_workers_is_given_out_once_more_to_be_buried(
    store, new_job, clock
) -> None:
    await store.queue.add([new_job()])
    for _ in range(claims.MOST_DEATHS):
        (job,) = await claim(store)
        assert not job.doomed
        clock.forward(minutes=10)
    (job,) = await claim(store)
    assert (job.doomed, job.alone) == (claims.MOST_DEATHS, True)
    await store.queue.outlived([job])  # who was to bury it was cut off
    (job,) = await claim(store)
    assert job.doomed == claims.MOST_DEATHS
    await store.queue.bury(job, "internal-error")
    assert await claim(store) == ()


async def test_a_job_that_kills_even_who_buries_it_is_buried_and_its_lane_goes_on(
    store, new_job, clock
) -> None:
    deadly, after = await store.queue.add([new_job("a", uid="u"), new_job("a")])
    seen = []
    while jobs := await claim(store):
        (job,) = jobs
        seen.append(job.id)
        if job.id == after:
            break
        clock.forward(minutes=10)  # no word of its worker
    assert seen == [deadly] * (claims.MOST_DEATHS + 1) + [after]
    shown = await store.queue.show(deadly)
    assert (shown["state"], shown["reason"], shown["lease_owner"]) == ("buried", "internal-error", None)
    (line,) = await store.journal.story(deadly)
    assert line["outcome"] == "failed"
    await store.queue.finish(job)
    assert await store.queue.release(deadly)
    clock.forward(minutes=10)
    assert [job.id for job in await claim(store)] == [deadly]


async def test_a_job_that_kills_takes_no_other_along(store, new_job, clock) -> None:
    """Else all that ran beside it would be buried with it."""
    names = await store.queue.add([new_job(lane, uid=lane) for lane in "abcd"])
    deadly, ended = names[2], []
    while jobs := await claim(store):
        if deadly in [job.id for job in jobs]:
            clock.forward(minutes=10)  # nobody has come to an end
            continue
        for job in jobs:
            await store.queue.finish(job)
            ended.append(job.id)
    assert ended == [name for name in names if name != deadly]
    assert [one["state"] for one in await store.queue.list_jobs()] == ["buried"]


async def test_a_deadly_job_waits_until_its_worker_has_nothing_else_in_hand(store, new_job, clock) -> None:
    (deadly,) = await store.queue.add([new_job("a", uid="u")])
    for _ in range(claims.ALONE):
        await claim(store)
        clock.forward(minutes=10)
    (job,) = await claim(store)
    assert (job.id, job.alone) == (deadly, False)
    await store.queue.add([new_job("b")])
    (other,) = await store.queue.claim("w", limit=1, lease=LEASE * 9)
    clock.forward(minutes=10)
    await store.queue.add([new_job("c")])
    assert await claim(store) == ()
    await store.queue.finish(other)
    (job,) = await claim(store)
    assert (job.id, job.alone) == (deadly, True)


async def test_a_job_whose_worker_lives_may_be_tried_as_often_as_it_likes(store, new_job, clock) -> None:
    (name,) = await store.queue.add([new_job()])
    for _ in range(3 * claims.MOST_DEATHS):
        (job,) = await claim(store)
        await store.queue.retry(job, due=clock.now(), reason="r")
    clock.forward(minutes=1)
    (job,) = await claim(store)
    clock.forward(minutes=10)
    assert [job.id for job in await claim(store)] == [name]


async def heap(store, new_job, account: str, count: int) -> None:
    await store.queue.add([new_job(f"{account}|{n}", account=account) for n in range(count)])


def taken(jobs) -> dict[str, int]:
    return dict(Counter(one.account for one in jobs))


async def test_who_comes_behind_a_heap_of_another_account_has_his_turn_at_once(store, clock, new_job) -> None:
    await heap(store, new_job, "busy@x", 60)
    clock.forward(seconds=1)
    await heap(store, new_job, "ann@x", 1)
    await heap(store, new_job, "zoe@x", 2)
    assert taken(await claim(store)) == {"busy@x": 8, "ann@x": 1, "zoe@x": 1}
    assert taken(await claim(store)) == {"busy@x": 9, "zoe@x": 1}
    assert taken(await claim(store)) == {"busy@x": 10}


async def test_all_get_their_turn_behind_a_heap_in_a_bounded_number_of_claims(store, clock, new_job) -> None:
    await heap(store, new_job, "busy@x", 100)
    clock.forward(seconds=1)
    for number in range(20):
        await heap(store, new_job, f"u{number:02}@x", 1)
    served: Counter[str] = Counter()
    for _ in range(4):
        served.update(taken(await claim(store)))
    assert {f"u{number:02}@x" for number in range(20)} <= set(served)
    assert served["busy@x"] == 20


async def test_two_heaps_stall_nobody_either(store, clock, new_job) -> None:
    await heap(store, new_job, "busy@x", 200)
    await heap(store, new_job, "eager@x", 200)
    clock.forward(seconds=1)
    await heap(store, new_job, "ann@x", 1)
    assert taken(await claim(store))["ann@x"] == 1


async def test_turns_take_neither_what_is_not_due_nor_what_is_leased(store, clock, new_job) -> None:
    await heap(store, new_job, "busy@x", 20)
    await store.queue.add(
        [new_job("later|1", account="later@x", due=clock.now() + timedelta(hours=1), state=JobState.WAITING)]
    )
    await store.queue.add([new_job("lane|1", account="one@x")])
    await store.queue.add([new_job("lane|1", account="one@x")])
    assert taken(await claim(store, limit=4)) == {"busy@x": 3, "one@x": 1}
    assert taken(await claim(store, limit=4)) == {"busy@x": 4}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_turns_go_by_the_indexes(store) -> None:
    def told(conn, statement) -> str:
        text = str(statement.compile(conn.engine))
        rows = conn.exec_driver_sql("EXPLAIN QUERY PLAN " + text, tuple([1] * text.count("?")))
        return "\n".join(row[3] for row in rows)

    for statement in (claims._NEXT, lanes._OF_ACCOUNT):
        plan = await store.db.read(lambda conn, asked=statement: told(conn, asked))
        assert "ix_job_account" in plan
        assert "TEMP B-TREE" not in plan


async def test_what_may_have_written_to_the_calendar_is_settled_before_the_next_of_its_meeting(
    store, clock, new_job
) -> None:
    """A write whose answer was lost: an older job that is tried again may not decide on it before it is told."""
    older, newer = await store.queue.add([new_job(uid="u"), new_job(uid="u")])
    (first,) = await claim(store)
    assert first.id == older
    await store.queue.retry(first, due=clock.now() + timedelta(minutes=1), reason="backend-unavailable")
    (second,) = await claim(store)
    assert second.id == newer
    plan = Plan(job=newer, account=second.account, uid="u", action="store", href="/c/u.ics", data=b"x")
    await store.plans.plan(second, plan, ())
    await store.queue.retry(second, due=clock.now() + timedelta(minutes=5), reason="backend-unavailable")
    clock.forward(minutes=2)
    assert await claim(store) == ()
    clock.forward(minutes=4)
    (again,) = await claim(store)
    assert again.id == newer
    await store.queue.finish(again)
    (last,) = await claim(store)
    assert last.id == older


async def test_a_plan_of_a_buried_job_keeps_nobody_waiting(store, clock, new_job) -> None:
    await store.queue.add([new_job(uid="u"), new_job(uid="u")])
    (first,) = await claim(store)
    await store.plans.plan(first, Plan(job=first.id, account=first.account, uid="u", action="none"), ())
    await store.queue.bury(first, "given-up")
    assert len(await claim(store)) == 1


async def test_what_follows_goes_on_at_once_where_its_lane_is_free(store, new_job) -> None:
    """The holder of a job is given the first of what follows, leased; in a busy lane it waits like everybody."""
    queue = store.queue
    await queue.add([new_job("mail 1"), new_job("mail 2"), new_job("mail 3")])
    one, two, three = await queue.claim("w", limit=3, lease=LEASE)
    after = [new_job("a|m", body=b"x"), new_job("b|m")]
    onward = await queue.finish(one, spawn=after, onward=LEASE)
    assert onward is not None
    assert (onward.lane, onward.body, onward.state) == ("a|m", b"x", "leased")
    assert await queue.finish(two, spawn=[new_job("a|m")], onward=LEASE) is None
    assert await queue.finish(three, spawn=[new_job("b|m")], onward=LEASE) is None
    assert [job.lane for job in await queue.claim("v", limit=9, lease=LEASE)] == ["b|m"]
    assert await queue.extend(onward, LEASE)
    await queue.finish(onward)
    assert [job.lane for job in await queue.claim("v", limit=9, lease=LEASE)] == ["a|m"]


async def test_what_goes_on_comes_back_when_its_holder_dies(store, new_job, clock) -> None:
    await store.queue.add([new_job("mail 1")])
    (one,) = await store.queue.claim("w", limit=1, lease=LEASE)
    onward = await store.queue.finish(one, spawn=[new_job("a|m")], onward=LEASE)
    assert await store.queue.claim("v", limit=9, lease=LEASE) == ()
    clock.forward(minutes=6)
    (again,) = await store.queue.claim("v", limit=9, lease=LEASE)
    assert again.id == onward.id
    assert not await store.queue.extend(onward, LEASE)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_word_that_another_node_was_first_with_is_not_overwritten_between_two_statements(
    open_store, new_job, clock, monkeypatch
) -> None:
    late, early = await open_store(), await open_store()
    due = clock.now() + timedelta(minutes=1)
    jobs = [new_job(key="page", payload={"answer": word}, due=due) for word in ("late", "early")]
    queued = late.queue._jobs.queue
    laid = await early.queue._jobs.lay(jobs[1:])

    def queue(conn, *args, **kwargs):
        early.db.write_now(lambda other: early.queue._jobs.queue(other, laid))
        monkeypatch.undo()
        return queued(conn, *args, **kwargs)

    monkeypatch.setattr(late.queue._jobs, "queue", queue)
    assert not await late.queue.replace(jobs[0], over=None)
    clock.forward(minutes=2)
    (held,) = await claim(early)
    assert held.payload == {"answer": "early"}


async def test_who_was_cut_off_and_lives_counts_as_nobodys_death(open_store, new_job, clock) -> None:
    """Of two nodes each loses the database in turn, and the other takes the job over."""
    here, there = (await open_store()).queue, (await open_store()).queue
    await here.add([new_job()])
    (held,) = await here.claim("here", limit=1, lease=LEASE)
    for _ in range(claims.MOST_DEATHS):
        here, there = there, here
        clock.forward(minutes=6)
        lost, (held,) = held, await here.claim("one of them", limit=1, lease=LEASE)
        await there.outlived([lost])
    assert not held.alone
    await here.finish(held)


async def test_what_nobody_took_over_from_who_was_cut_off_is_free_at_once(open_store, new_job, clock) -> None:
    store = await open_store()
    queue = store.queue
    name, gone = await queue.add([new_job(), new_job(lane="alice|uid-2")])
    held = {one.id: one for one in await queue.claim("w", limit=2, lease=LEASE)}
    await queue.finish(held[gone])
    await queue.outlived(tuple(held.values()))
    (again,) = await queue.claim("w", limit=2, lease=LEASE)
    assert (again.id, again.attempts, again.alone) == (name, 1, False)
    with pytest.raises(LeaseLost):
        await queue.finish(held[name])


async def test_who_really_died_still_counts_beside_who_lives(store, new_job, clock) -> None:
    await store.queue.add([new_job()])
    (lost,) = await claim(store)
    doomed = []
    for count in range(claims.MOST_DEATHS + 1):
        clock.forward(minutes=6)
        (job,) = await claim(store)
        doomed.append(bool(job.doomed))
        if count == 1:
            await store.queue.outlived([lost])
    assert doomed == [False] * claims.MOST_DEATHS + [True]
