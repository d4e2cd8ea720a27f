"""What is over is forgotten, what counts is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from gateway.ports import VANISHED, CollectionState, Entry, Held, NewLetter, Plan, Snapshot
from gateway.store import retention, schema

LEASE = timedelta(minutes=1)


async def count(store, table) -> int:
    return await store.db.read(
        lambda conn: conn.execute(select(func.count()).select_from(table)).scalar_one()
    )


async def sent(store, new_job, recipient: str, uid: str = "u", state: str = "sent") -> str:
    """A letter that left; its id."""
    await store.queue.add([new_job(f"alice|{uid}")])
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    letter = NewLetter(
        account="alice", uid=uid, recurrence_id="", method="REQUEST", sender="alice", recipient=recipient
    )
    plan = await store.plans.plan(job, Plan(job=job.id, account="alice", uid=uid, action="none"), [letter])
    await store.plans.settle(job, plan, snapshot=None)
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    await store.plans.letter_done(job, plan.letters[0], state=state, reason="")
    return plan.letters[0]


async def test_the_journal_ends_where_nobody_asks_any_more(store, clock) -> None:
    await store.journal.write([Entry(job="old", kind="mail", outcome="applied", reason="r", uid="u")])
    clock.forward(days=91)
    await store.journal.write([Entry(job="new", kind="mail", outcome="applied", reason="r", uid="u")])
    assert await store.forget(clock.now() - timedelta(days=90)) == 1
    assert [line["id"] if "id" in line else line["job"] for line in await store.journal.story("u")] == ["new"]


async def test_the_last_letter_of_a_meeting_stays_so_that_the_next_one_answers_it(
    store, new_job, clock
) -> None:
    shot = Snapshot(account="alice", collection="/", href="/u", uid="u", etag="", fingerprint="", data=b"")
    await store.snapshots.synced(CollectionState(account="alice", path="/"), put=[shot])
    first, last = await sent(store, new_job, "bob"), await sent(store, new_job, "bob")
    clock.forward(days=91)
    assert await store.forget(clock.now() - timedelta(days=90)) == 1
    assert await store.plans.letter(first) is None
    kept = await store.plans.letter(last)
    third = await store.plans.letter(await sent(store, new_job, "bob"))
    assert third.previous_id == kept.message_id
    assert third.root_id == kept.root_id != kept.message_id


async def test_letters_about_a_meeting_that_is_gone_are_forgotten(store, new_job, clock) -> None:
    await sent(store, new_job, "bob")
    clock.forward(days=91)
    assert await store.forget(clock.now() - timedelta(days=90)) == 1
    assert await count(store, schema.letter) == 0


@pytest.mark.parametrize(("error", "kept"), [(VANISHED, 0), ("503", 1)])
async def test_a_calendar_that_vanished_is_forgotten_and_one_that_fails_is_not(
    store, clock, error, kept
) -> None:
    shot = Snapshot(account="alice", collection="/", href="/u", uid="u", etag="", fingerprint="", data=b"")
    state = CollectionState(account="alice", path="/", error=error, synced_at=clock.now())
    await store.snapshots.synced(state, put=[shot])
    assert await store.forget(clock.now()) == 0
    clock.forward(days=91)
    held = await store.snapshots.lease_collection("alice", "/", worker="w", lease=LEASE)
    assert await store.forget(clock.now()) == 0, "somebody looks at it"
    await store.snapshots.synced(held)
    await store.forget(clock.now())
    assert await count(store, schema.collection) == await count(store, schema.snapshot) == kept


async def known(store, account: str, path: str, due, *, lease: bool = False) -> None:
    """A calendar with one object, that is to be looked at then."""
    shot = Snapshot(
        account=account, collection=path, href=f"{path}u", uid="u", etag="", fingerprint="", data=b""
    )
    state = CollectionState(account=account, path=path, baseline=True, due=due, synced_at=due)
    await store.snapshots.synced(state, put=[shot])
    if lease:
        await store.snapshots.lease_collection(account, path, worker="w", lease=LEASE)


async def test_the_calendars_of_an_account_that_was_removed_are_forgotten_in_time(store, clock) -> None:
    began, keep = clock.now(), timedelta(days=90)
    await known(store, "removed", "/a/", began)
    await known(store, "removed", "/b/", began, lease=True)  # and the node that looked at it died
    await known(store, "served", "/a/", began)  # its server has been silent ever since
    await known(store, "another node's", "/a/", began)
    await known(store, "another node's", "/b/", began + keep)
    clock.forward(days=90)
    assert await store.forget_others(clock.now() - keep, {"served"}) == 0
    clock.forward(minutes=2)
    assert await store.forget_others(clock.now() - keep, {"served"}) == 4
    left = [(one.account, one.path) for one in await store.snapshots.collections()]
    assert left == [("another node's", "/a/"), ("another node's", "/b/"), ("served", "/a/")]
    assert await count(store, schema.snapshot) == 3


async def test_what_waits_is_kept_however_old_it_is(store, new_job, clock) -> None:
    await store.queue.add([new_job("a")])
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    item = await store.queue.hold(job, Held(kind="mail", account="alice", reason="r"))
    await store.queue.add([new_job("b")])
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE)
    letter = NewLetter(
        account="alice", uid="u", recurrence_id="", method="REQUEST", sender="a", recipient="b"
    )
    await store.plans.plan(job, Plan(job=job.id, account="alice", uid="u", action="none"), [letter])
    clock.forward(days=9999)
    assert await store.forget(clock.now()) == 0
    assert [one["id"] for one in await store.held.list()] == [item]
    assert await store.held.refuse(item)
    clock.forward(days=1)
    assert await store.forget(clock.now()) == 2  # the question, and its line in the journal
    assert await count(store, schema.letter) == 1


async def test_much_is_forgotten_a_little_at_once(store, clock) -> None:
    many = retention.AT_ONCE * 2 + 1
    rows = [{"id": f"{number:032}", **_held(clock.now())} for number in range(many)]
    await store.db.write(lambda conn: conn.execute(insert(schema.held), rows).rowcount)
    clock.forward(days=1)
    before = store.db.commits
    assert await store.forget(clock.now()) == many
    assert store.db.commits - before == 4
    assert await count(store, schema.held) == 0


def _held(moment) -> dict[str, object]:
    words = ("kind", "account", "sender", "uid", "method", "message_id", "reason", "job", "answer")
    return {**dict.fromkeys(words, "x"), "since": moment, "closed": moment}


async def test_a_clock_that_was_chosen_leaves_the_language_open(store, new_job) -> None:
    await store.languages.reads("bob", "", chosen=False, zone="Asia/Tokyo")
    await store.languages.reads("bob", "ja", chosen=False)
    await store.languages.reads("bob", "de", chosen=False, zone="")
    his = await store.plans.letter(await sent(store, new_job, "bob"))
    assert (his.language, his.zone) == ("ja", "")


async def test_a_chosen_language_is_known_to_each_letter_until_none_goes_there_any_more(
    store, new_job, clock
) -> None:
    await store.languages.reads("bob", "de", chosen=False)
    await store.languages.reads("bob", "pl", chosen=True)
    await store.languages.reads("bob", "ja", chosen=False)
    await store.languages.reads("bob", "", chosen=False, zone="Asia/Tokyo")
    await store.languages.reads("bob", "ja", chosen=False)
    his, hers = [await store.plans.letter(await sent(store, new_job, one)) for one in ("bob", "carol")]
    assert (his.language, his.zone) == ("pl", "Asia/Tokyo")
    assert (hers.language, hers.zone) == ("", "")
    clock.forward(days=60)
    await sent(store, new_job, "bob")
    clock.forward(days=60)
    await store.forget(clock.now() - timedelta(days=90))
    assert await count(store, schema.language) == 1
    clock.forward(days=60)
    await store.forget(clock.now() - timedelta(days=90))
    assert await count(store, schema.language) == 0
