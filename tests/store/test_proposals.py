"""The table of proposals: they open with their plan, one stands for each guest and date, a word is given once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.ports import Entry, JobKind, MarkRow, Plan, ProposalRow
from gateway.store.proposals import OPEN_OF_ONE

LEASE = timedelta(minutes=5)
ALICE, BOB, UID = "alice@example.org", "bob@example.com", "uid-1"


def row(name: str, **facts) -> ProposalRow:
    plain = {
        "account": ALICE,
        "uid": UID,
        "recurrence_id": "",
        "sender": BOB,
        "sequence": 1,
        "start": "2027-04-01T10:00:00Z",
        "end": "2027-04-01T11:00:00Z",
        "old_start": "2027-04-01T09:00:00Z",
        "old_end": "2027-04-01T10:00:00Z",
        "comment": "later?",
        "data": b"BEGIN:VCALENDAR",
        "message_id": "<m@example.com>",
        "id": name,
    }
    return ProposalRow(**plain | facts)


async def planned(store, new_job, *rows, outcome: str = "applied", job=None, **facts):
    if job is None:
        await store.queue.add([new_job(f"{ALICE}|{UID}")])
        (job,) = await store.queue.claim("w", limit=1, lease=LEASE, kinds=(JobKind.APPLY,))
    entry = Entry(job=job.id, kind="mail", outcome=outcome, reason="proposal-kept", uid=UID, account=ALICE)
    facts = {"job": job.id, "account": ALICE, "uid": UID, "action": "none", "entry": entry, **facts}
    return job, await store.plans.plan(job, Plan(**facts, proposals=rows), ())


async def kept(store, new_job, *rows, **facts) -> None:
    job, plan = await planned(store, new_job, *rows, **facts)
    await store.plans.settle(job, plan, snapshot=None)


async def listed(store) -> list[tuple[str, str]]:
    return [(one["id"], one["state"]) for one in await store.proposals.list()]


async def test_a_proposal_opens_when_its_plan_is_settled_and_not_before(store, new_job) -> None:
    job, plan = await planned(store, new_job, row("one"))
    assert await listed(store) == [] and await store.proposals.state("one") == ""
    await store.plans.settle(job, plan, snapshot=None)
    assert await listed(store) == [("one", "open")]
    assert (await store.proposals.find("one")).data == b"BEGIN:VCALENDAR"


async def test_a_plan_that_is_made_again_keeps_its_proposal_once(store, new_job) -> None:
    job, _ = await planned(store, new_job, row("one"))
    job, plan = await planned(store, new_job, row("one", start="2027-04-01T12:00:00Z"), job=job)
    await store.plans.settle(job, plan, snapshot=None)
    (only,) = await store.proposals.list()
    assert only["start"] == "2027-04-01T12:00:00Z"


async def test_the_newest_of_a_guest_for_a_date_stands(store, new_job, clock) -> None:
    await kept(store, new_job, row("one"), row("other", sender="carol@example.com"))
    clock.forward(seconds=1)
    await kept(store, new_job, row("two"), row("date", recurrence_id="20270408T090000Z"))
    assert dict(await listed(store)) == {"other": "open", "two": "open", "date": "open"}
    assert await store.proposals.state("one") == "replaced"


async def test_of_one_guest_only_so_many_stay_open(store, new_job, clock) -> None:
    for n in range(OPEN_OF_ONE + 3):
        clock.forward(seconds=1)
        await kept(store, new_job, row(f"p{n:02}", recurrence_id=f"20270401T0900{n:02}Z"))
    assert [name for name, _ in await listed(store)] == [f"p{n:02}" for n in range(3, OPEN_OF_ONE + 3)]


async def test_a_word_is_given_once_and_carried_by_a_job_of_its_lane(store, new_job) -> None:
    await kept(store, new_job, row("one"))
    assert await store.proposals.answer("one", "accepted")
    assert not await store.proposals.answer("one", "declined")
    assert await listed(store) == [] and await store.proposals.state("one") == "accepted"
    (job,) = await store.queue.claim("w", limit=9, lease=LEASE, kinds=(JobKind.APPLY,))
    assert (job.lane, job.uid) == (f"{ALICE}|{UID}", UID)
    assert job.payload == {"source": "answer", "proposal": "one", "answer": "accepted"}


async def test_a_job_that_ends_without_doing_it_leaves_the_proposal_open(store, new_job) -> None:
    await kept(store, new_job, row("one"))
    await store.proposals.answer("one", "accepted")
    (job,) = await store.queue.claim("w", limit=9, lease=LEASE, kinds=(JobKind.APPLY,))
    await store.queue.finish(job)
    assert await listed(store) == [("one", "open")]
    assert await store.proposals.answer("one", "declined")


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("applied", "accepted"), ("stale", "overtaken"), ("ignored", "overtaken"), ("refused", "open")],
)
async def test_how_the_job_ends_tells_what_becomes_of_it(outcome, state, store, new_job) -> None:
    await kept(store, new_job, row("one"))
    await store.proposals.answer("one", "accepted")
    (job,) = await store.queue.claim("w", limit=9, lease=LEASE, kinds=(JobKind.APPLY,))
    await kept(store, new_job, job=job, outcome=outcome)
    assert await store.proposals.state("one") == state


async def test_a_newer_proposal_does_not_take_the_place_of_one_that_is_being_accepted(store, new_job) -> None:
    await kept(store, new_job, row("one"))
    job, plan = await planned(store, new_job, row("two"))
    await store.proposals.answer("one", "accepted")
    await store.plans.settle(job, plan, snapshot=None)
    assert await store.proposals.state("one") == "accepted"
    assert await listed(store) == [("two", "open")]


@pytest.mark.parametrize(
    ("said", "open_ones"),
    [
        ({"": 2}, []),
        ({"": 1}, ["whole", "date", "later"]),
        ({"20270408T090000Z": 2}, ["whole", "later"]),
        ({"": 2, "20270408T090000Z": 1}, ["date"]),
    ],
)
async def test_a_newer_version_of_what_it_speaks_of_overtakes_it(said, open_ones, store, new_job) -> None:
    later = row("later", recurrence_id="20270415T090000Z")
    await kept(store, new_job, row("whole"), row("date", recurrence_id="20270408T090000Z"), later)
    marks = tuple(
        MarkRow(recurrence_id=key, party="organizer", mark={"sequence": number})
        for key, number in said.items()
    )
    await kept(store, new_job, marks=marks)
    assert sorted(name for name, state in await listed(store) if state == "open") == sorted(open_ones)


async def test_another_meeting_and_another_account_overtake_nothing(store, new_job) -> None:
    await kept(store, new_job, row("one"))
    marks = (MarkRow(recurrence_id="", party="organizer", mark={"sequence": 9}),)
    await kept(store, new_job, marks=marks, uid="uid-2")
    await kept(store, new_job, marks=marks, account="dora@example.org")
    assert await listed(store) == [("one", "open")]


async def test_what_was_overtaken_is_shown_for_a_week(store, new_job, clock) -> None:
    await kept(store, new_job, row("one"))
    marks = (MarkRow(recurrence_id="", party="organizer", mark={"sequence": 9}),)
    await kept(store, new_job, marks=marks)
    assert await listed(store) == [("one", "overtaken")]
    assert not await store.proposals.answer("one", "accepted")
    clock.forward(days=8)
    assert await listed(store) == []


async def test_a_name_that_is_none_is_no_proposal(store) -> None:
    assert not await store.proposals.answer("nothing", "accepted")
    assert await store.proposals.state("nothing") == ""
    assert await store.proposals.find("nothing") is None
