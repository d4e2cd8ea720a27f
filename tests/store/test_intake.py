from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from gateway.errors import BackendUnavailable, LeaseLost, QueueFull
from gateway.ports import Job, JobKind, JobState, Peer, unpack_mail
from gateway.store.bodies import LARGE
from gateway.store.intake import Intake
from gateway.store.room import IntakeLimits

LEASE = timedelta(minutes=5)


async def jobs_of(store):
    return await store.queue.claim("w", limit=100, lease=LEASE)


async def test_a_mail_that_was_accepted_lies_in_the_queue_as_it_came(store, new_mail) -> None:
    mail = new_mail("grüße")
    name = await store.intake.accept(mail)
    (job,) = await jobs_of(store)
    assert (job.id, job.kind, job.lane) == (name, JobKind.MAIL, f"mail:{name}")
    assert unpack_mail(job.payload, job.body) == mail


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_an_accepted_mail_is_on_the_disk(store, new_mail, state_dir) -> None:
    name = await store.intake.accept(new_mail())
    other = sqlite3.connect(state_dir / "gateway.sqlite3")
    assert other.execute("SELECT id FROM job").fetchall() == [(name,)]
    other.close()


async def test_fifty_mails_at_once_share_a_few_commits(store, new_mail) -> None:
    before = store.db.commits
    names = await asyncio.gather(*(store.intake.accept(new_mail(str(n))) for n in range(50)))
    assert len(set(names)) == 50
    assert store.db.commits - before <= 10
    assert [job.id for job in await jobs_of(store)] == sorted(names)


async def test_a_mail_that_comes_again_is_the_job_that_it_was(store, new_mail, clock) -> None:
    name = await store.intake.accept(new_mail())
    clock.forward(minutes=5)
    again = new_mail()
    assert await store.intake.accept(again) == name
    assert len(await jobs_of(store)) == 1


async def test_a_mail_that_comes_again_after_its_job_has_ended_makes_no_new_one(
    store, new_mail, clock
) -> None:
    name = await store.intake.accept(new_mail())
    (job,) = await jobs_of(store)
    await store.queue.finish(job)
    clock.forward(minutes=5)
    assert await store.intake.accept(new_mail()) == name
    assert await jobs_of(store) == ()


async def test_the_same_mail_twice_at_once_is_one_job(store, new_mail) -> None:
    names = await asyncio.gather(*(store.intake.accept(new_mail()) for _ in range(5)))
    assert len(set(names)) == 1
    assert len(await jobs_of(store)) == 1


async def test_after_the_window_the_same_mail_is_another(store, new_mail, clock) -> None:
    name = await store.intake.accept(new_mail())
    clock.forward(hours=2)
    assert await store.intake.accept(new_mail()) != name


async def test_the_window_ends_on_time_though_what_is_over_goes_now_and_then(store, new_mail, clock) -> None:
    name = await store.intake.accept(new_mail())
    clock.forward(hours=1, minutes=59, seconds=30)
    await store.intake.accept(new_mail("else"))
    clock.forward(seconds=30)
    assert await store.intake.accept(new_mail()) != name


async def test_other_words_other_people_or_another_way_are_another_mail(store, new_mail) -> None:
    mail = new_mail()
    others = (
        mail,
        new_mail("else"),
        new_mail(sender="carol@example.com"),
        new_mail(to=("bob@example.org",)),
        replace(mail, peer=Peer(role="outgoing")),
        replace(mail, content=mail.content.replace(b"Subject", b"Received: from first\r\nSubject")),
    )
    assert len({await store.intake.accept(one) for one in others}) == len(others)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_a_large_mail_lies_in_a_file_and_its_double_leaves_none(store, new_mail, state_dir) -> None:
    mail = new_mail("x" * LARGE)
    name = await store.intake.accept(mail)
    assert await store.intake.accept(mail) == name
    assert [path.name for path in (state_dir / "content").iterdir()] == [name]
    (job,) = await jobs_of(store)
    assert await job.file.whole() == mail.content


async def drafted(store, mail):
    """The same mail as it comes in by a file."""
    draft, end = store.intake.draft(), mail.content.index(b"Subject")
    await draft.write(mail.content[:end], counts=False)
    for start in range(end, len(mail.content), 100_000):
        await draft.write(mail.content[start : start + 100_000])
    return replace(mail, content=b"", file=draft)


async def held(job):
    return job.body if job.file is None else await job.file.whole()


async def test_a_mail_that_came_by_a_file_lies_there_for_each_of_its_jobs(store, new_mail, state_dir) -> None:
    mail = new_mail("grüße" * LARGE)
    large = await drafted(store, mail)
    name = await onward(store, large, None, read=True)
    large.file.discard()
    jobs = await jobs_of(store)
    assert [job.kind for job in jobs] == [JobKind.MAIL, JobKind.RELAY]
    assert jobs[0].id == name
    for job in jobs:
        assert await held(job) == mail.content
        await store.queue.finish(job)
    assert list((state_dir / "content").iterdir()) == []


async def test_hands_that_are_free_get_the_file_of_a_large_mail(store, new_mail) -> None:
    hands, mail = Helper(2 * LARGE), new_mail("x" * LARGE)
    large = await drafted(store, mail)
    await onward(store, large, hands)
    large.file.discard()
    assert await held(hands.taken[0]) == mail.content


async def test_a_mail_that_came_by_a_file_is_known_when_it_comes_in_memory(
    store, new_mail, state_dir
) -> None:
    mail = new_mail("x" * LARGE)
    large = await drafted(store, mail)
    name = await store.intake.accept(large)
    large.file.discard()
    assert await store.intake.accept(mail) == name
    assert len(await jobs_of(store)) == 1


async def test_a_draft_is_refused_when_the_disk_is_at_its_floor(store) -> None:
    intake = Intake(store.db, store.queue._jobs, IntakeLimits(min_free=1000), free_bytes=lambda path: 1100)
    draft = intake.draft()
    with pytest.raises(QueueFull):
        await draft.write(b"x" * 200)
    draft.discard()


async def test_a_full_queue_closes_the_door_and_opens_it_again(open_store, new_mail, clock) -> None:
    store = await open_store(IntakeLimits(max_jobs=3))
    answers = await asyncio.gather(
        *(store.intake.accept(new_mail(str(n))) for n in range(5)), return_exceptions=True
    )
    assert [isinstance(one, QueueFull) for one in answers].count(True) == 2
    with pytest.raises(QueueFull):
        await store.intake.accept(new_mail("one more"))
    for job in await jobs_of(store):
        await store.queue.finish(job)
    clock.forward(seconds=2)
    assert await store.intake.accept(new_mail("one more"))


async def test_a_closed_door_opens_well_below_its_mark_though_nobody_knocks(
    open_store, new_mail, clock
) -> None:
    store = await open_store(IntakeLimits(max_jobs=8))
    for number in range(8):
        await store.intake.accept(new_mail(str(number)))
    assert store.intake.closed == ""
    with pytest.raises(QueueFull):
        await store.intake.accept(new_mail("one more"))
    assert store.intake.closed == "8 jobs are due, 8 in all"
    first, *others = await jobs_of(store)
    await store.queue.finish(first)
    clock.forward(seconds=2)
    with pytest.raises(QueueFull):
        await store.intake.accept(new_mail("one more"))
    await store.queue.finish(others[0])
    await store.intake.look()
    assert store.intake.closed  # it was counted less than a second ago
    clock.forward(seconds=2)
    await store.intake.look()
    assert store.intake.closed == ""


async def test_what_waits_for_a_person_closes_the_door_later(open_store, new_mail, new_job, clock) -> None:
    store = await open_store(IntakeLimits(max_jobs=3, max_kept=6))
    waiting = {"state": JobState.WAITING, "due": clock.now() + timedelta(days=30)}
    await store.queue.add([new_job(f"w{n}", **waiting) for n in range(5)])
    assert await store.intake.accept(new_mail("1"))
    with pytest.raises(QueueFull):
        await store.intake.accept(new_mail("2"))


async def test_a_known_mail_passes_a_full_queue(open_store, new_mail) -> None:
    store = await open_store(IntakeLimits(max_jobs=1))
    name = await store.intake.accept(new_mail())
    assert await store.intake.accept(new_mail()) == name


async def test_a_disk_below_its_floor_closes_the_door(store, new_mail) -> None:
    intake = Intake(store.db, store.queue._jobs, IntakeLimits(min_free=1000), free_bytes=lambda path: 1100)
    assert await intake.accept(new_mail("x"))
    with pytest.raises(QueueFull):
        await intake.accept(new_mail("x" * 200))


async def test_a_disk_at_its_floor_opens_the_door_when_it_has_a_quarter_more(store, new_mail) -> None:
    left = [900, 1100, 1250]
    intake = Intake(store.db, store.queue._jobs, IntakeLimits(min_free=1000), free_bytes=lambda path: left[0])
    with pytest.raises(QueueFull):
        await intake.accept(new_mail("x"))
    assert intake.closed == "900 bytes are free on the disk of the state directory"
    del left[0]
    with pytest.raises(QueueFull):
        await intake.accept(new_mail("x"))
    del left[0]
    await intake.look()
    assert intake.closed == ""
    assert await intake.accept(new_mail("x"))


async def test_a_state_directory_that_cannot_be_read_is_temporary(store, new_mail) -> None:
    def broken(path) -> int:
        raise OSError(5, "input/output error")

    with pytest.raises(BackendUnavailable):
        await Intake(store.db, store.queue._jobs, free_bytes=broken).accept(new_mail())


async def test_a_closed_database_refuses_for_now(store, new_mail) -> None:
    await store.close()
    with pytest.raises(BackendUnavailable):
        await store.intake.accept(new_mail())


async def test_two_processes_accept_into_one_queue(open_store, new_mail) -> None:
    stores = [await open_store(), await open_store()]
    mails = [
        (store, new_mail(str(number)))
        for number in range(60)
        for store in stores[number % 2 : number % 2 + 1]
    ]
    names = await asyncio.gather(*(store.intake.accept(mail) for store, mail in mails))
    assert len(set(names)) == 60
    assert len(await jobs_of(stores[0])) == 60


@dataclass
class Helper:
    """Hands with room for so many octets."""

    room: int
    name: str = "w"
    lease: timedelta = LEASE
    taken: list[Job] = field(default_factory=list)
    released: list[int] = field(default_factory=list)

    def reserve(self, size: int) -> bool:
        return size <= self.room

    def take(self, job: Job) -> None:
        self.taken.append(job)

    def release(self, size: int) -> None:
        self.released.append(size)


async def onward(store, mail, hands, *, read: bool = False) -> str:
    return await store.intake.accept(mail, read=read, passed_on=mail.envelope, hands=hands)


async def test_hands_that_are_free_hold_the_mail_from_the_beginning(store, new_mail) -> None:
    hands, mail = Helper(10_000), new_mail("grüße")
    name = await onward(store, mail, hands)
    assert await jobs_of(store) == ()
    (job,) = hands.taken
    assert (job.id, job.kind, unpack_mail(job.payload, job.body)) == (name, JobKind.RELAY, mail)
    await store.queue.finish(job)
    assert (await store.queue.stats()).get("leased") == 0


async def test_the_reading_of_a_mail_waits_its_turn_though_hands_pass_it_on(store, new_mail) -> None:
    hands = Helper(10_000)
    name = await onward(store, new_mail(), hands, read=True)
    assert [(job.id, job.kind) for job in await jobs_of(store)] == [(name, JobKind.MAIL)]
    assert [(job.kind, job.payload["mail"]) for job in hands.taken] == [(JobKind.RELAY, name)]


async def test_what_a_process_had_in_its_hands_is_due_when_it_comes_back(store, new_mail) -> None:
    hands = Helper(10_000)
    name = await onward(store, new_mail(), hands)
    await store.recover("w")
    (job,) = await jobs_of(store)
    assert (job.id, job.body) == (name, new_mail().content)
    with pytest.raises(LeaseLost):
        await store.queue.finish(hands.taken[0])


async def test_what_a_process_had_in_its_hands_is_due_when_its_lease_is_over(store, new_mail, clock) -> None:
    name = await onward(store, new_mail(), Helper(10_000))
    clock.forward(minutes=6)
    assert [job.id for job in await jobs_of(store)] == [name]


async def test_what_finds_no_free_hands_waits_in_the_queue(store, new_mail) -> None:
    hands = Helper(0)
    name = await onward(store, new_mail(), hands)
    assert [job.id for job in await jobs_of(store)] == [name]
    assert (hands.taken, hands.released) == ([], [])


async def test_hands_are_free_again_when_the_mail_was_known_or_not_taken(open_store, new_mail) -> None:
    store, hands = await open_store(IntakeLimits(max_jobs=1)), Helper(10_000)
    name = await onward(store, new_mail(), hands)
    assert await onward(store, new_mail(), hands) == name
    with pytest.raises(QueueFull):
        await onward(store, new_mail("else"), hands)
    assert len(hands.taken) == 1
    assert hands.released == [len(new_mail().content), len(new_mail("else").content)]
