"""What became of letters is written into the calendar once, beside whatever a person does there, and is nobody's change."""

from __future__ import annotations

import re

import pytest

from gateway.errors import BackendRefused, BackendUnavailable

HREF = "/alice/calendar/m1.ics"
PAUSE = {"seconds": 6}


@pytest.fixture
async def world(new_world):
    return await new_world(statuses=True)


def statuses(world, href: str = HREF) -> dict[str, str]:
    lines = [one for one in world.text(href).split("\r\n") if one.startswith(("ATTENDEE", "ORGANIZER"))]
    found = [(one.rpartition("mailto:")[2], re.search(r"SCHEDULE-STATUS=([^;:]*)", one)) for one in lines]
    return {who: one[1] for who, one in found if one}


async def told(world) -> None:
    world.clock.forward(**PAUSE)
    await world.work()


async def invited(world, say, guests: str = "bob@example.net carol@example.com", *answers) -> None:
    world.outbox.answers.extend(answers)
    world.save(say.meeting(guests=guests))
    await world.settle()
    await told(world)


async def test_forty_letters_that_left_are_one_write(world, say):
    await invited(world, say, " ".join(f"g{one}@example.net" for one in range(40)))
    assert len(world.got()) == 40
    assert world.calendars.calls.count("put") == 1
    assert set(statuses(world).values()) == {"1.1"} and len(statuses(world)) == 40
    assert await world.waiting() == []


async def test_our_own_write_is_nobodys_change(world, say):
    await invited(world, say)
    before = (world.text(HREF), len(world.got()))
    assert [one.changed for one in await world.sync()] == [0]
    await world.settle()
    await told(world)
    assert (world.text(HREF), len(world.got())) == before
    assert await world.told("m1") == [("applied", "invited"), ("applied", "status-written")]


async def test_each_guest_has_his_own_status(world, say):
    await invited(
        world,
        say,
        "bob@example.net carol@example.com dave@example.net",
        say.Sent(state="sent", code=250),
        say.Sent(state="failed", code=550, text="5.1.1 user unknown"),
        say.Sent(state="failed", code=550, text="5.7.1 spam"),
    )
    assert sorted(statuses(world).values()) == ["1.1", "3.7", "5.3"]
    (entry,) = [one for one in await world.store.journal.story("m1") if one["reason"] == "status-written"]
    assert {one["status"] for one in entry["notes"]} == {"3.7", "5.3"}


async def test_a_letter_that_waits_is_told_once_and_then_that_it_left(world, say):
    busy = say.Sent(state="deferred", code=451, text="4.7.1 greylisted")
    await invited(world, say, "bob@example.net", *[busy] * 3)
    assert statuses(world) == {"bob@example.net": "1.0"}
    writes = world.calendars.calls.count("put")
    for _ in range(2):
        world.clock.moment = await world.store.queue.next_due()
        await world.work()
        await told(world)
    assert world.calendars.calls.count("put") == writes
    world.clock.forward(minutes=30)
    await world.work()
    await told(world)
    assert statuses(world) == {"bob@example.net": "1.1"}


async def test_an_answer_is_not_overwritten_by_a_later_letter(world, say):
    await invited(world, say, "bob@example.net")
    await world.mail("REPLY", say.answer())
    assert statuses(world) == {"bob@example.net": "2.0"}
    world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.settle()
    await told(world)
    assert len(world.got("bob@example.net")) == 2
    assert statuses(world) == {"bob@example.net": "2.0"}


async def test_the_organizers_line_tells_what_became_of_an_answer(world, say):
    await world.mail("REQUEST", say.invitation())
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.settle()
    await told(world)
    assert [one.method for one in world.got()] == ["REPLY"]
    assert statuses(world) == {"bob@example.net": "1.1"}
    await world.settle()
    assert len(world.got()) == 1


async def test_a_guest_of_ours_has_it_in_his_calendar(world, say):
    world.calendars.collection("dora", "calendar")
    await world.sync()
    await invited(world, say, "dora@example.org")
    assert world.got() == []
    assert statuses(world)["dora@example.org"] == "1.2"


async def test_a_save_in_between_is_merged_and_not_overwritten(world, say):
    world.save(say.meeting())
    await world.settle()
    dinner = lambda: world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))  # noqa: E731
    world.calendars.fail("put", act=dinner)
    await told(world)
    assert "SUMMARY:Dinner" in world.text(HREF)
    assert statuses(world) == {"bob@example.net": "1.1"}
    await world.settle()
    assert [one.value("SUMMARY") for one in world.got()] == ["Lunch", "Dinner"], "his edit is still news"


async def test_whoever_saves_all_the_time_wins_and_the_journal_says_so(world, say):
    world.save(say.meeting())
    await world.settle()
    numbers = iter(range(99))
    save = lambda: world.edit(HREF, ("END:VEVENT", f"X-N:{next(numbers)}\r\nEND:VEVENT"))  # noqa: E731
    world.calendars.fail("put", act=save, times=99)
    await told(world)
    assert statuses(world) == {}
    assert (await world.told("m1"))[-1] == ("failed", "precondition-failed")
    assert await world.waiting() == []


async def test_a_server_that_schedules_writes_its_own(world, say):
    world.calendars.schedules = True
    await invited(world, say)
    assert len(world.got()) == 2
    assert statuses(world) == {} and "put" not in world.calendars.calls


async def test_a_meeting_that_is_gone_is_left_alone(world, say):
    world.save(say.meeting())
    await world.settle()
    world.calendars.remove(HREF)
    await told(world)
    assert world.text(HREF) == ""
    assert await world.told("m1") == [("applied", "invited")]


async def test_a_calendar_that_may_not_be_written_buries_nothing(world, say):
    world.save(say.meeting())
    await world.settle()
    world.calendars.fail("put", BackendRefused("403"))
    await told(world)
    assert (await world.told("m1"))[-1] == ("failed", "backend-refused")
    assert await world.waiting() == []


async def test_a_server_that_does_not_answer_is_told_later(world, say):
    world.save(say.meeting())
    await world.settle()
    world.calendars.fail("put", BackendUnavailable("503"))
    await told(world)
    assert statuses(world) == {}
    world.clock.forward(minutes=2)
    await world.work()
    assert statuses(world) == {"bob@example.net": "1.1"}


async def test_a_cancellation_that_left_is_no_write(world, say):
    href = world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.settle()
    await told(world)
    line = next(one for one in world.text(href).split("\r\n") if "carol" in one)
    world.edit(href, (line + "\r\n", ""))
    await world.settle()
    writes = world.calendars.calls.count("put")
    await told(world)
    assert [one.method for one in world.got()][2:] == ["CANCEL"]
    assert world.calendars.calls.count("put") == writes


async def test_statuses_never_leave_in_mail(world, say):
    await invited(world, say, "bob@example.net")
    world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.settle()
    assert len(world.got()) == 2
    assert not any(b"SCHEDULE-STATUS" in one.content for one in world.outbox.mails)
