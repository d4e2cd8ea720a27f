from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.errors import LeaseLost
from gateway.ports import Entry, Held, JobKind, MarkRow, NewLetter, Plan, Snapshot
from gateway.store import schema
from gateway.store.letters import message_id

LEASE = timedelta(minutes=5)
EARLY, LATE = "2026-11-02T08:00:00+00:00", "2026-11-02T09:30:00+00:00"
ALICE, UID, HREF = "alice@example.org", "uid-1", "/alice/cal/uid-1.ics"


async def leased(store, new_job, **facts):
    await store.queue.add([new_job(f"{ALICE}|{UID}", **facts)])
    (job,) = await store.queue.claim("w", limit=1, lease=LEASE, kinds=(JobKind.APPLY,))
    return job


async def letters_leased(store, limit: int = 9):
    return await store.queue.claim("w", limit=limit, lease=LEASE, kinds=(JobKind.LETTER,))


async def rows(store, table) -> int:
    return await store.db.read(
        lambda conn: conn.execute(select(func.count()).select_from(table)).scalar_one()
    )


def a_letter(recipient: str = "bob@example.com", **facts) -> NewLetter:
    plain = {
        "account": ALICE,
        "uid": UID,
        "recurrence_id": "",
        "method": "REQUEST",
        "sender": ALICE,
        "recipient": recipient,
        "calendar": b"BEGIN:VCALENDAR",
        "summary": {"kind": "invitation"},
    }
    return NewLetter(**plain | facts)


def a_plan(job, **facts) -> Plan:
    entry = Entry(
        job=job.id,
        kind="change",
        outcome="applied",
        reason="invited",
        uid=UID,
        account=ALICE,
        method="REQUEST",
        notes=({"code": "guests-added", "count": "2"},),
        restore=b"before",
    )
    plain = {
        "job": job.id,
        "account": ALICE,
        "uid": UID,
        "action": "store",
        "collection": "/alice/cal/",
        "href": HREF,
        "etag": '"1"',
        "data": b"after",
        "fingerprint": "f1",
        "base": b"base",
        "marks": (MarkRow(recurrence_id="", party="bob@example.com", mark={"sequence": 1}),),
        "entry": entry,
    }
    return Plan(**plain | facts)


def a_snapshot(**facts) -> Snapshot:
    plain = {
        "account": ALICE,
        "collection": "/alice/cal/",
        "href": HREF,
        "uid": UID,
        "etag": '"2"',
        "fingerprint": "f1",
        "data": b"after",
        "base": b"base",
    }
    return Snapshot(**plain | facts)


async def settled(store, new_job, *letters, plan=None, snapshot=None):
    job = await leased(store, new_job)
    planned = await store.plans.plan(job, plan or a_plan(job), letters)
    await store.plans.settle(job, planned, snapshot=snapshot)
    return planned


async def test_a_plan_is_found_again_as_it_was_made(store, new_job) -> None:
    job = await leased(store, new_job)
    assert await store.plans.open_plan(job) is None
    planned = await store.plans.plan(job, a_plan(job), (a_letter(), a_letter("carol@example.com")))
    assert planned.id
    assert len(planned.letters) == 2
    assert await store.plans.open_plan(job) == planned


async def test_a_plan_without_an_entry_or_letters_is_found_again(store, new_job) -> None:
    job = await leased(store, new_job)
    planned = await store.plans.plan(job, a_plan(job, entry=None, base=None, marks=()), ())
    assert await store.plans.open_plan(job) == planned


async def test_planned_letters_are_not_queued(store, new_job) -> None:
    job = await leased(store, new_job)
    planned = await store.plans.plan(job, a_plan(job), (a_letter(),))
    letter = await store.plans.letter(planned.letters[0])
    assert (letter.state, letter.letter) == ("planned", a_letter())
    assert await letters_leased(store) == ()


async def test_planning_again_forgets_the_first_plan_and_its_letters(store, new_job) -> None:
    job = await leased(store, new_job)
    first = await store.plans.plan(job, a_plan(job), (a_letter(), a_letter("carol@example.com")))
    second = await store.plans.plan(job, a_plan(job, etag='"9"'), (a_letter(),))
    assert await store.plans.open_plan(job) == second
    assert await rows(store, schema.letter) == 1
    with pytest.raises(LeaseLost):
        await store.plans.settle(job, first, snapshot=None)
    await store.plans.settle(job, second, snapshot=None)


async def test_a_message_id_survives_planning_again(store, new_job) -> None:
    job = await leased(store, new_job)
    ids = []
    for _ in range(2):
        planned = await store.plans.plan(job, a_plan(job), (a_letter(), a_letter("carol@example.com")))
        ids.append([(await store.plans.letter(one)).message_id for one in planned.letters])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2
    assert all(one.startswith("<") and one.endswith("@example.org>") and one.isascii() for one in ids[0])


def test_a_message_id_tells_apart_what_one_decision_sends() -> None:
    letters = (
        a_letter(),
        a_letter("carol@example.com"),
        a_letter(method="CANCEL"),
        a_letter(recurrence_id="20270310T090000Z"),
    )
    ids = {message_id("job", one, "d") for one in letters} | {message_id("job2", letters[0], "d")}
    ids.add(message_id("job", letters[0], "d", twin=1))
    assert len(ids) == 6


async def test_two_letters_of_one_kind_to_one_person_are_two_mails(store, new_job) -> None:
    planned = await settled(store, new_job, a_letter(), a_letter())
    one, two = [await store.plans.letter(name) for name in planned.letters]
    assert one.message_id != two.message_id
    assert (two.previous_id, two.root_id) == (one.message_id, one.message_id)


async def test_each_guest_sees_one_thread_per_meeting(store, new_job) -> None:
    letters = []
    for method in ("REQUEST", "REQUEST", "CANCEL"):
        planned = await settled(store, new_job, a_letter(method=method), a_letter("carol@example.com"))
        letters.append(await store.plans.letter(planned.letters[0]))
    first, second, third = letters
    assert (first.previous_id, first.root_id) == ("", first.message_id)
    assert (second.previous_id, second.root_id) == (first.message_id, first.message_id)
    assert (third.previous_id, third.root_id) == (second.message_id, first.message_id)
    assert first.sequence < second.sequence < third.sequence


async def test_a_letter_that_failed_is_nobodys_predecessor(store, new_job) -> None:
    await settled(store, new_job, a_letter())
    (job,) = await letters_leased(store)
    await store.plans.letter_done(job, job.payload["letter"], state="failed", reason="letter-failed")
    planned = await settled(store, new_job, a_letter())
    letter = await store.plans.letter(planned.letters[0])
    assert (letter.previous_id, letter.root_id) == ("", letter.message_id)


async def test_settling_does_everything_at_once(store, new_job) -> None:
    planned = await settled(store, new_job, a_letter(), a_letter("carol@example.com"), snapshot=a_snapshot())
    assert await store.snapshots.by_uid(ALICE, UID) == (a_snapshot(),)
    assert await store.ledger.marks(ALICE, UID) == planned.marks
    known = await store.snapshots.whereabouts(ALICE, UID, "tail", within=None)
    assert (known.here, known.marks) == ((a_snapshot(),), planned.marks)
    (line,) = await store.journal.story(planned.job)
    assert [(one["to"], one["state"]) for one in line["letters"]] == [
        ("bob@example.com", "ready"),
        ("carol@example.com", "ready"),
    ]
    assert await rows(store, schema.plan) == 0
    jobs = await letters_leased(store)
    assert [(job.lane, job.payload, job.uid, job.account) for job in jobs] == [
        (f"letter:bob@example.com:{UID}", {"letter": planned.letters[0]}, UID, ALICE),
        (f"letter:carol@example.com:{UID}", {"letter": planned.letters[1]}, UID, ALICE),
    ]
    assert {one["kind"] for one in await store.queue.list_jobs()} == {"letter"}


async def test_settling_without_the_lease_changes_nothing(store, new_job, clock) -> None:
    job = await leased(store, new_job)
    planned = await store.plans.plan(job, a_plan(job), (a_letter(),))
    clock.forward(minutes=5)
    (again,) = await store.queue.claim("w2", limit=1, lease=LEASE)
    with pytest.raises(LeaseLost):
        await store.plans.settle(job, planned, snapshot=a_snapshot())
    with pytest.raises(LeaseLost):
        await store.plans.plan(job, a_plan(job), ())
    assert await store.snapshots.by_uid(ALICE, UID) == ()
    assert await store.plans.open_plan(again) == planned
    await store.plans.settle(again, planned, snapshot=a_snapshot())


@pytest.mark.parametrize("action", ["remove", "forget"])
async def test_what_is_gone_loses_its_snapshot(store, new_job, action) -> None:
    await settled(store, new_job, snapshot=a_snapshot())
    job = await leased(store, new_job)
    planned = await store.plans.plan(job, a_plan(job, action=action), ())
    await store.plans.settle(job, planned, snapshot=None)
    assert await store.snapshots.by_uid(ALICE, UID) == ()


async def test_a_meeting_that_was_moved_loses_the_snapshot_of_its_old_place(store, new_job) -> None:
    await settled(store, new_job, snapshot=a_snapshot(href="/alice/old/uid-1.ics"))
    job = await leased(store, new_job)
    planned = await store.plans.plan(job, a_plan(job), ())
    await store.plans.settle(job, planned, snapshot=a_snapshot(), gone=["/alice/old/uid-1.ics"])
    assert await store.snapshots.by_uid(ALICE, UID) == (a_snapshot(),)


async def test_an_action_of_none_leaves_the_snapshot(store, new_job) -> None:
    await settled(store, new_job, snapshot=a_snapshot())
    job = await leased(store, new_job)
    planned = await store.plans.plan(job, a_plan(job, action="none"), ())
    await store.plans.settle(job, planned, snapshot=None)
    assert await store.snapshots.by_uid(ALICE, UID) == (a_snapshot(),)


async def test_a_newer_mark_replaces_the_older_of_its_place(store, new_job) -> None:
    def mark(number: int, party: str = "bob", instance: str = "") -> MarkRow:
        return MarkRow(recurrence_id=instance, party=party, mark={"sequence": number})

    for marks in ((mark(1), mark(1, "carol"), mark(1, "bob", "x")), (mark(2), mark(3))):
        job = await leased(store, new_job)
        planned = await store.plans.plan(job, a_plan(job, marks=marks), ())
        await store.plans.settle(job, planned, snapshot=None)
    assert await store.ledger.marks(ALICE, UID) == (mark(3), mark(1, "carol"), mark(1, "bob", "x"))
    assert await store.ledger.marks(ALICE, "other") == ()


@pytest.mark.parametrize(
    ("first", "then", "left"),
    [
        ({"dtstamp": LATE}, {"dtstamp": EARLY}, {"dtstamp": LATE}),
        ({"dtstamp": EARLY}, {"dtstamp": LATE}, {"dtstamp": LATE}),
        (
            {"dtstamp": LATE, "sequence": 1},
            {"dtstamp": EARLY, "sequence": 2},
            {"dtstamp": EARLY, "sequence": 2},
        ),
        ({"dtstamp": LATE, "partstat": "DECLINED"}, {"dtstamp": LATE, "partstat": "ACCEPTED"}, None),
        (
            {"dtstamp": LATE, "arrived": EARLY, "mail_date": EARLY},
            {"dtstamp": EARLY, "mail_date": LATE},
            {"dtstamp": EARLY, "mail_date": LATE},
        ),
        (
            {"dtstamp": LATE, "arrived": EARLY, "mail_date": LATE},
            {"dtstamp": EARLY, "mail_date": EARLY},
            {"dtstamp": LATE, "arrived": EARLY, "mail_date": LATE},
        ),
        (
            {"dtstamp": LATE, "partstat": "DECLINED"},
            {"dtstamp": EARLY, "partstat": "ACCEPTED", "reset_dtstamp": EARLY, "reset_sequence": 2},
            {"dtstamp": LATE, "partstat": "DECLINED", "reset_dtstamp": EARLY, "reset_sequence": 2},
        ),
        (
            {"dtstamp": EARLY, "reset_dtstamp": LATE, "reset_sequence": 3},
            {"dtstamp": LATE, "reset_dtstamp": EARLY, "reset_sequence": 2},
            {"dtstamp": LATE, "reset_dtstamp": LATE, "reset_sequence": 3},
        ),
    ],
)
async def test_a_job_that_settles_late_puts_no_older_mark_over_a_newer_one(
    store, new_job, clock, first, then, left
) -> None:
    late = await leased(store, new_job)
    row = MarkRow(recurrence_id="", party="bob@example.net", mark=then)
    await store.plans.plan(late, a_plan(late, marks=(row,)), ())
    await store.queue.bury(late, "given-up")
    other = await leased(store, new_job)
    before = a_plan(other, marks=(replace(row, mark=first),))
    await store.plans.settle(other, await store.plans.plan(other, before, ()), snapshot=None)
    await store.queue.release(late.id)  # a person has looked at it
    (late,) = await store.queue.claim("w", limit=1, lease=LEASE, kinds=(JobKind.APPLY,))
    planned = await store.plans.open_plan(late)
    await store.plans.settle(late, planned, snapshot=None)
    (found,) = await store.ledger.marks(ALICE, UID)
    assert found.mark == (then if left is None else left)


async def test_a_settled_meeting_wakes_what_was_parked_for_it(store, new_job, clock) -> None:
    parked = await leased(store, new_job)
    await store.queue.park(parked, due=clock.now() + timedelta(hours=72), reason="unknown-uid")
    other = new_job(f"{ALICE}|other", due=clock.now() + timedelta(hours=1))
    await store.queue.add([other])
    await settled(store, new_job)
    (again,) = await store.queue.claim("w", limit=9, lease=LEASE)
    assert (again.id, again.reason) == (parked.id, "unknown-uid")


async def test_a_settled_meeting_does_not_wake_what_is_held(store, new_job) -> None:
    held = await leased(store, new_job)
    await store.queue.hold(held, Held(kind="mail", account=ALICE, reason="not-authenticated"))
    await settled(store, new_job)
    assert await store.queue.claim("w", limit=9, lease=LEASE) == ()


async def test_what_follows_is_queued_with_the_settling(store, new_job) -> None:
    job = await leased(store, new_job)
    planned = await store.plans.plan(job, a_plan(job), ())
    await store.plans.settle(job, planned, snapshot=None, spawn=[new_job("next")])
    assert [one.lane for one in await store.queue.claim("w", limit=9, lease=LEASE)] == ["next"]


async def test_a_job_that_ends_without_settling_takes_its_plan_along(store, new_job) -> None:
    job = await leased(store, new_job)
    await store.plans.plan(job, a_plan(job), (a_letter(),))
    await store.queue.finish(job)
    assert [await rows(store, table) for table in (schema.plan, schema.letter)] == [0, 0]


async def test_a_sent_letter_ends_its_job_and_is_listed(store, new_job) -> None:
    planned = await settled(store, new_job, a_letter(), a_letter("carol@example.com"))
    (job, _) = await letters_leased(store)
    await store.plans.letter_done(job, planned.letters[0], state="sent", reason="")
    assert [one.id for one in await store.plans.letters_sent(ALICE, UID)] == [planned.letters[0]]
    with pytest.raises(LeaseLost):
        await store.plans.letter_done(job, planned.letters[0], state="failed", reason="x")
    assert (await store.plans.letter(planned.letters[0])).state == "sent"


async def test_a_failed_letter_is_told_in_the_journal(store, new_job) -> None:
    planned = await settled(store, new_job, a_letter())
    (job,) = await letters_leased(store)
    entry = Entry(
        job=job.id, kind="letter", outcome="failed", reason="letter-failed", uid=UID, letters=planned.letters
    )
    await store.plans.letter_done(
        job, planned.letters[0], state="failed", reason="letter-failed", entries=[entry]
    )
    change, failure = await store.journal.story(planned.job)
    assert change["letters"][0]["state"] == "failed"
    assert (failure["kind"], failure["job"]) == ("letter", job.id)


async def test_a_deferred_letter_waits_and_counts(store, new_job, clock) -> None:
    planned = await settled(store, new_job, a_letter())
    (job,) = await letters_leased(store)
    due = clock.now() + timedelta(minutes=1)
    await store.plans.letter_deferred(job, planned.letters[0], due=due, reason="451 later")
    assert (await store.plans.letter(planned.letters[0])).state == "deferred"
    assert await letters_leased(store) == ()
    assert await store.queue.drained(True)
    clock.forward(minutes=1)
    (again,) = await letters_leased(store)
    assert again.attempts == 1


async def test_a_dropped_letter_is_not_sent(store, new_job) -> None:
    planned = await settled(store, new_job, a_letter())
    (line,) = await store.queue.list_jobs()
    assert await store.queue.drop(line["id"])
    assert (await store.plans.letter(planned.letters[0])).state == "dropped"
    story = await store.journal.story(planned.job)
    assert [one["reason"] for one in story] == ["invited", "dropped"]


async def test_an_unknown_letter_is_none(store) -> None:
    assert await store.plans.letter("nothing") is None


async def test_a_thousand_guests_are_planned_in_one_go(store, new_job) -> None:
    letters = [a_letter(f"guest{n}@example.com") for n in range(1000)]
    planned = await settled(store, new_job, *letters)
    assert len(planned.letters) == 1000
    again = await settled(store, new_job, *letters)
    assert (await store.plans.letter(again.letters[-1])).previous_id == (
        await store.plans.letter(planned.letters[-1])
    ).message_id


async def test_a_burst_counts_meetings_that_caused_letters_or_were_held(store, new_job, clock) -> None:
    since = clock.now()

    async def change(
        uid: str, method: str = "REQUEST", partstat: str = "", letters: int = 1, kind: str = "change"
    ) -> None:
        job = await leased(store, new_job)
        plan = a_plan(job, uid=uid, marks=())
        plan = replace(plan, entry=replace(plan.entry, uid=uid, method=method, kind=kind))
        mails = [a_letter(uid=uid, method=method, summary={"partstat": partstat})] * letters
        planned = await store.plans.plan(job, plan, mails)
        await store.plans.settle(job, planned, snapshot=None)

    await change("a")
    await change("a")
    await change("b", letters=0)
    await change("c", "CANCEL")
    await change("d", "REPLY", "DECLINED")
    await change("e", "REPLY", "ACCEPTED")
    await change("f", kind="mail")
    await store.journal.write(
        [Entry(job="x", kind="change", outcome="held", reason="burst", uid="g", account=ALICE)]
    )
    count = store.snapshots.changed_meetings
    assert await count(ALICE, "/alice/cal/", since) == 5
    assert await count(ALICE, "/alice/cal/", since, harsh=True) == 3
    assert await count("bob@example.org", "", since) == 0
    clock.forward(seconds=1)
    assert await count(ALICE, "", clock.now()) == 0


@pytest.mark.parametrize(
    ("facts", "known"),
    [
        ({}, True),
        ({"method": "REPLY", "summary": {"kind": "answer", "partstat": "ACCEPTED"}}, True),
        ({"method": "REPLY", "summary": {"kind": "answer", "partstat": "DECLINED"}}, False),
        ({"method": "CANCEL"}, False),
        ({"automatic": True}, False),
        ({"recipient": "eve@example.com"}, False),
    ],
)
async def test_known_is_whom_the_owner_wrote_to_by_hand_and_did_not_turn_down(store, new_job, facts, known):
    job = await leased(store, new_job)
    plan = await store.plans.plan(job, a_plan(job), (a_letter(**facts),))
    await store.plans.settle(job, plan, snapshot=None)
    assert not await store.plans.has_written(ALICE, "bob@example.com")  # nothing has left yet
    (letter,) = await letters_leased(store)
    await store.plans.letter_done(letter, plan.letters[0], state="sent", reason="sent")
    assert await store.plans.has_written(ALICE, "bob@example.com") is known
    assert not await store.plans.has_written("carol@example.org", "bob@example.com")


async def test_the_thread_of_a_letter_names_its_one_recipient_in_that_meeting(store, new_job) -> None:
    job = await leased(store, new_job)
    plan = await store.plans.plan(job, a_plan(job), (a_letter(), a_letter("carol@example.com")))
    await store.plans.settle(job, plan, snapshot=None)
    bob, carol = [(await store.plans.letter(one)).message_id for one in plan.letters]
    assert await store.plans.recipient(ALICE, UID, [bob, "<x@y>"]) == "bob@example.com"
    assert await store.plans.recipient(ALICE, UID, [bob, carol]) is None
    assert await store.plans.recipient(ALICE, UID, ["<x@y>"]) is None
    assert await store.plans.recipient(ALICE, "another", [bob]) is None
    assert await store.plans.recipient("dora@example.org", UID, [bob]) is None
