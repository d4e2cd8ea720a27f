from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import LeaseLost
from gateway.ports import CollectionState, Snapshot, Whereabouts
from gateway.store import snapshots

ALICE, CAL = "alice@example.org", "/alice/cal/"
LEASE = timedelta(minutes=10)


def shot(name: str, **facts) -> Snapshot:
    plain = {
        "account": ALICE,
        "collection": CAL,
        "href": f"{CAL}{name}.ics",
        "uid": name,
        "etag": f'"{name}"',
        "fingerprint": f"f-{name}",
        "data": b"BEGIN:VCALENDAR",
    }
    return Snapshot(**plain | facts)


def state(clock, **facts) -> CollectionState:
    plain = {
        "account": ALICE,
        "path": CAL,
        "token": "t1",
        "baseline": True,
        "due": clock.now() + timedelta(seconds=60),
        "interval": 90.5,
        "synced_at": clock.now(),
        "error": "",
    }
    return CollectionState(**plain | facts)


async def test_a_round_ends_with_all_it_saw(store, clock, new_job) -> None:
    await store.snapshots.synced(state(clock), put=[shot("a"), shot("b", base=b"base", data=b"")])
    await store.snapshots.synced(
        state(clock, token="t2"),
        put=[shot("b", etag='"new"')],
        gone=[f"{CAL}a.ics"],
        spawn=[new_job(key="change|x")],
    )
    assert await store.snapshots.collections(ALICE) == (state(clock, token="t2"),)
    assert await store.snapshots.of_collection(ALICE, CAL) == (shot("b", etag='"new"'),)
    assert len(await store.queue.list_jobs()) == 1


async def test_the_series_of_an_organizer_are_found_the_last_changed_first(store, clock) -> None:
    for number, by in enumerate(["bob@x", "eve@x", "bob@x", "bob@x", ""]):
        clock.forward(seconds=1)
        await store.snapshots.synced(state(clock), put=[shot(f"m{number}", series_by=by)])
    await store.snapshots.synced(state(clock), put=[shot("else", account="carol", series_by="bob@x")])
    found = await store.snapshots.series_by(ALICE, "bob@x", limit=2)
    assert [one.uid for one in found] == ["m3", "m2"]


async def test_snapshots_are_found_by_uid_href_and_collection(store, clock) -> None:
    shots = [
        shot("a"),
        shot("b", href="/elsewhere/b.ics", collection="/elsewhere/"),
        shot("c", account="bob"),
    ]
    await store.snapshots.synced(state(clock), put=shots)
    assert await store.snapshots.by_uid(ALICE, "b") == (shots[1],)
    assert await store.snapshots.by_uid(ALICE, "c") == ()
    assert await store.snapshots.by_href(ALICE, f"{CAL}a.ics") == shots[0]
    assert await store.snapshots.by_href(ALICE, "/nothing") is None
    assert await store.snapshots.etags(ALICE, CAL) == {f"{CAL}a.ics": '"a"'}


async def test_a_collection_is_emptied_when_all_of_several_objects_go(store, clock, new_job) -> None:
    def going(name: str, reason: str):
        return new_job(f"alice|{name}", key=f"change|{name}", reason=reason)

    emptied = store.snapshots.emptied
    await store.snapshots.synced(state(clock), put=[shot("a")], spawn=[going("a", "settling-gone")])
    assert not await emptied(ALICE, CAL), "one meeting that is deleted is called off"
    await store.snapshots.synced(
        state(clock), put=[shot("b"), shot("c")], spawn=[going("b", "backend-unavailable")]
    )
    assert not await emptied(ALICE, CAL)
    await store.snapshots.synced(state(clock), spawn=[going("c", "settling")])
    assert not await emptied(ALICE, CAL), "what is saved stays"
    await store.snapshots.synced(state(clock), spawn=[going("c", "settling-gone")])
    assert await emptied(ALICE, CAL)
    assert not await emptied(ALICE, "/elsewhere/")


async def test_an_object_that_lies_twice_is_found_twice(store, clock) -> None:
    await store.snapshots.synced(state(clock), put=[shot("a"), shot("a", href=f"{CAL}twin.ics")])
    assert len(await store.snapshots.by_uid(ALICE, "a")) == 2


async def test_of_two_sights_of_one_href_the_last_counts(store, clock) -> None:
    await store.snapshots.synced(state(clock), put=[shot("a"), shot("a", etag='"2"')])
    assert await store.snapshots.etags(ALICE, CAL) == {f"{CAL}a.ics": '"2"'}


async def test_the_same_href_of_two_accounts_is_two_snapshots(store, clock) -> None:
    await store.snapshots.synced(state(clock), put=[shot("a"), shot("a", account="bob")])
    await store.snapshots.synced(state(clock), gone=[f"{CAL}a.ics"])
    assert await store.snapshots.by_href("bob", f"{CAL}a.ics") is not None


async def test_only_one_looks_at_a_collection_at_a_time(open_store, clock) -> None:
    one, two = await open_store(), await open_store()
    held = await one.snapshots.lease_collection(ALICE, CAL, worker="1", lease=LEASE)
    assert not await two.snapshots.lease_collection(ALICE, CAL, worker="2", lease=LEASE)
    assert not await one.snapshots.lease_collection(ALICE, CAL, worker="1", lease=LEASE)
    assert await two.snapshots.lease_collection(ALICE, "/other/", worker="2", lease=LEASE)
    await one.snapshots.synced(held)
    assert await two.snapshots.lease_collection(ALICE, CAL, worker="2", lease=LEASE)


@pytest.mark.parametrize("successor", ["another", "none yet", "done", "itself"])
async def test_a_round_whose_lease_was_taken_over_ends_nothing(
    open_store, clock, new_job, successor: str
) -> None:
    dead, other = await open_store(), await open_store()
    before = await dead.snapshots.lease_collection(ALICE, CAL, worker="dead", lease=LEASE)
    clock.forward(minutes=10)
    if successor != "none yet":
        worker = "dead" if successor == "itself" else "other"
        after = await other.snapshots.lease_collection(ALICE, CAL, worker=worker, lease=LEASE)
        known = replace(after, token="newer", baseline=True)
        if successor == "done":
            await other.snapshots.synced(known, put=[shot("a", etag='"2"')])
    late = dead.snapshots.synced(
        replace(before, token="older"), put=[shot("a"), shot("b")], spawn=[new_job(key="change|x")]
    )
    if successor == "none yet":
        await late
        return
    with pytest.raises(LeaseLost):
        await late
    assert not await dead.snapshots.keep_collection(before, LEASE)
    if successor != "done":
        await other.snapshots.synced(known, put=[shot("a", etag='"2"')])
    (kept,) = await other.snapshots.collections()
    assert kept.token == "newer"
    assert await other.snapshots.etags(ALICE, CAL) == {f"{CAL}a.ics": '"2"'}
    assert await other.queue.list_jobs() == []


async def test_what_was_settled_during_a_round_stays_and_is_looked_at_again(store, clock) -> None:
    """`over` is what the round knew of what it writes; the others of the round are written."""
    await store.snapshots.synced(state(clock), put=[shot("a"), shot("b"), shot("c", data=b"")])
    over = {one.href: one for one in await store.snapshots.of_collection(ALICE, CAL)}
    over[f"{CAL}d.ics"] = over[f"{CAL}e.ics"] = None
    settled = [shot("a", base=b"newer"), shot("c"), shot("d", etag='"2"')]
    await store.snapshots.synced(state(clock), put=settled)
    await store.snapshots.synced(
        state(clock, token="t2"),
        put=[shot("a", etag='"x"'), shot("b", etag='"x"'), shot("d"), shot("e")],
        gone=[f"{CAL}c.ics"],
        over=over,
        unseen=state(clock, baseline=False),
    )
    assert await store.snapshots.collections() == (state(clock, baseline=False),)
    known = {one.href: one for one in await store.snapshots.of_collection(ALICE, CAL)}
    assert [known[one.href] for one in settled] == settled
    assert known[f"{CAL}b.ics"].etag == '"x"'
    assert f"{CAL}e.ics" in known


async def test_the_meetings_of_an_account_that_are_in_hand_are_those_that_are_leased(store, new_job) -> None:
    await store.queue.add([new_job("a|u", uid="u"), new_job("b|v", uid="v"), new_job("c|w", account="carol")])
    assert await store.snapshots.in_hand(ALICE) == frozenset()
    jobs = await store.queue.claim("w", limit=3, lease=LEASE)
    assert await store.snapshots.in_hand(ALICE) == {"u", "v"}
    await store.queue.finish(next(one for one in jobs if one.uid == "u"))
    assert await store.snapshots.in_hand(ALICE) == {"v"}


async def test_a_round_that_is_kept_is_nobody_else_s(store, clock) -> None:
    held = await store.snapshots.lease_collection(ALICE, CAL, worker="1", lease=LEASE)
    clock.forward(minutes=9)
    assert await store.snapshots.keep_collection(held, LEASE)
    clock.forward(minutes=9)
    assert await store.snapshots.due(clock.now()) == frozenset()
    assert await store.snapshots.lease_collection(ALICE, CAL, worker="2", lease=LEASE) is None
    assert await store.snapshots.hasten(path=CAL) == 1
    assert await store.snapshots.keep_collection(held, LEASE)
    assert await store.snapshots.due(clock.now()) == {ALICE}, "what was said meanwhile is not forgotten"
    await store.snapshots.synced(held)


async def test_the_lease_of_a_dead_watcher_runs_out_or_is_ended(store, clock) -> None:
    take = store.snapshots.lease_collection
    assert await take(ALICE, CAL, worker="1", lease=LEASE)
    clock.forward(minutes=10)
    assert await take(ALICE, CAL, worker="2", lease=LEASE)
    assert await store.snapshots.recover("1") == 0
    assert await store.snapshots.recover() == 1
    assert await take(ALICE, CAL, worker="3", lease=LEASE)


async def test_a_lease_keeps_what_is_known_of_the_collection(store, clock) -> None:
    await store.snapshots.synced(state(clock))
    await store.snapshots.lease_collection(ALICE, CAL, worker="1", lease=LEASE)
    assert await store.snapshots.collections() == (state(clock, due=clock.now() + LEASE),)


async def test_a_collection_that_was_never_read_through_has_no_baseline(store, clock) -> None:
    await store.snapshots.lease_collection(ALICE, CAL, worker="1", lease=LEASE)
    assert await store.snapshots.collections() == (
        CollectionState(account=ALICE, path=CAL, due=clock.now() + LEASE),
    )
    assert await store.snapshots.collections("bob") == ()


async def test_a_big_first_sight_is_one_transaction(store, clock) -> None:
    before = store.db.commits
    await store.snapshots.synced(state(clock), put=[shot(f"e{n}") for n in range(3000)])
    assert store.db.commits - before == 1
    assert len(await store.snapshots.etags(ALICE, CAL)) == 3000
    few = await store.snapshots.etags(ALICE, CAL, hrefs=[f"{CAL}e7.ics", f"{CAL}none.ics"])
    assert few == {f"{CAL}e7.ics": '"e7"'}
    assert await store.snapshots.etags(ALICE, CAL, hrefs=[]) == {}
    assert len(await store.snapshots.etags(ALICE, CAL, hrefs=[f"{CAL}e{n}.ics" for n in range(600)])) >= 600


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_meeting_is_found_by_its_index_in_a_calendar_of_any_size(store) -> None:
    def plan(conn) -> str:
        text = str(snapshots._BY_UID.statement.compile(conn.engine))
        return "\n".join(row[3] for row in conn.exec_driver_sql("EXPLAIN QUERY PLAN " + text, ("a", "u")))

    assert "ix_snapshot_uid (account=? AND uid=?)" in await store.db.read(plan)


async def test_only_what_was_read_whole_and_lately_is_an_index(store, clock) -> None:
    for path, facts in {
        "/new/": {"baseline": True, "synced_at": clock.now()},
        "/old/": {"baseline": True, "synced_at": clock.now() - timedelta(minutes=5)},
        "/begun/": {"synced_at": clock.now()},
        "/broken/": {"baseline": True, "synced_at": clock.now(), "error": "backend-unavailable"},
        "/never/": {"baseline": True},
    }.items():
        await store.snapshots.synced(CollectionState(account="alice", path=path, **facts))

    async def indexed(account: str, within: timedelta | None = timedelta(minutes=2)) -> frozenset[str]:
        found = await store.snapshots.whereabouts(account, "u", "u-tail", within=within)
        assert (found.here, found.beside) == ((), False)
        return found.indexed

    assert await indexed("alice") == {"/new/"}
    assert await indexed("alice", None) == frozenset()
    assert await indexed("bob") == frozenset()


async def test_where_a_meeting_lies_and_its_tail_is_one_question(store, clock) -> None:
    shots = (shot("a"), shot("a-tail"))
    await store.snapshots.synced(state(clock), put=shots)
    found = await store.snapshots.whereabouts(ALICE, "a", "a-tail", within=timedelta(minutes=2))
    assert found == Whereabouts(here=shots[:1], beside=True)
    assert not (await store.snapshots.whereabouts(ALICE, "a-tail", "b", within=None)).beside


async def test_a_hook_makes_a_collection_due_by_its_path_or_one_below_it(store, clock) -> None:
    await store.snapshots.synced(state(clock))
    await store.snapshots.synced(state(clock, path="/alice/tasks/"))
    assert await store.snapshots.due(clock.now()) == frozenset()
    assert await store.snapshots.hasten(path=f"{CAL}meeting.ics") == 1
    assert await store.snapshots.due(clock.now()) == {ALICE}
    due = {one.path: one.due for one in await store.snapshots.collections()}
    assert due[CAL] == clock.now() < due["/alice/tasks/"]
    assert await store.snapshots.hasten(account=ALICE) == 2
    assert await store.snapshots.hasten(path="/bob/cal/") == 0
    assert await store.snapshots.hasten(path="") == 0


async def test_what_was_due_already_stays_due_since_then(store, clock) -> None:
    await store.snapshots.synced(state(clock, due=clock.now()))
    before = clock.now()
    clock.forward(seconds=5)
    assert await store.snapshots.hasten(path=CAL) == 1
    assert (await store.snapshots.collections())[0].due == before


async def test_a_word_during_a_round_brings_another_round(store, clock) -> None:
    await store.snapshots.synced(state(clock))
    held = await store.snapshots.lease_collection(ALICE, CAL, worker="w", lease=LEASE)
    assert await store.snapshots.due(clock.now()) == frozenset()
    clock.forward(seconds=1)
    assert await store.snapshots.hasten(path=CAL) == 1
    said = clock.now()
    clock.forward(seconds=1)
    await store.snapshots.synced(replace(held, due=clock.now() + LEASE))
    assert (await store.snapshots.collections())[0].due == said


async def test_the_collection_of_a_dead_watcher_is_due_again_at_once(store, clock) -> None:
    await store.snapshots.synced(state(clock))
    assert await store.snapshots.lease_collection(ALICE, CAL, worker="w", lease=LEASE)
    await store.snapshots.recover("w")
    assert await store.snapshots.due(clock.now()) == {ALICE}
