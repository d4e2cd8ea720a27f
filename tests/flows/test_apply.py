"""The only writer of calendars and letters: conditional, settled once, and never over somebody's edit."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HREF = "/alice/calendar/m1.ics"
ELSEWHERE = "/alice/private/moved.ics"


async def test_a_refused_write_is_decided_again_on_what_is_there_now(world, say):
    await world.mail("REQUEST", say.invitation())
    alarm = ("SUMMARY:Lunch", "SUMMARY:Lunch\r\nX-MINE:1")
    world.calendars.fail("put", act=lambda: world.edit(HREF, alarm))
    mail = await world.mail("REQUEST", say.invitation(SEQUENCE="1", LOCATION="Bar"))
    assert "LOCATION:Bar" in world.text(HREF)
    assert "X-MINE:1" in world.text(HREF)
    assert await world.told(mail) == [("applied", "invitation-updated")]


async def test_a_write_is_decided_five_times_at_most(world, say):
    await world.mail("REQUEST", say.invitation())
    world.calendars.fail(
        "put", act=lambda: world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Lunch\r\nX-MINE:1")), times=9
    )
    world.calendars.calls.clear()
    mail = await world.mail("REQUEST", say.invitation(SEQUENCE="1", LOCATION="Bar"))
    assert world.calendars.calls.count("put") == 5
    assert await world.told(mail) == [("failed", "precondition-failed")]


async def test_an_answer_that_a_save_at_the_same_moment_overwrote_is_written_again(world, say):
    """SOGo, DAViCal and sabre let two writes of one ETag both win; ours is seen to be gone (`caldav/write`)."""
    href = world.save(say.meeting())
    await world.settle()
    stale = world.text(href).replace("SUMMARY:Lunch", "SUMMARY:Dinner").encode()
    save = lambda: world.calendars.save(href, stale)  # noqa: E731
    world.calendars.fail("put", say.conflict, act=save, after=True)
    mail = await world.mail("REPLY", say.answer())
    assert await world.told(mail) == [("applied", "answer-recorded")]
    assert "PARTSTAT=ACCEPTED" in world.text(href) and "SUMMARY:Dinner" in world.text(href)
    await world.settle()
    assert [one.value("SUMMARY") for one in world.got()] == ["Lunch", "Dinner"]


async def test_the_same_etag_twice_is_the_servers_own_refusal(world, say):
    await world.mail("REQUEST", say.invitation())
    world.calendars.fail("put", say.conflict, times=9)
    world.calendars.calls.clear()
    mail = await world.mail("REQUEST", say.invitation(SEQUENCE="1", LOCATION="Bar"))
    assert world.calendars.calls.count("put") == 1
    assert await world.told(mail) == [("failed", "precondition-failed")]
    assert await world.waiting() == []


async def test_a_creation_that_the_server_refuses_though_nothing_is_there_ends_as_failed(world, say):
    world.calendars.fail("put", say.conflict, times=9)
    mail = await world.mail("REQUEST", say.invitation())
    assert await world.told(mail) == [("failed", "precondition-failed")]


async def test_a_create_that_meets_an_object_is_decided_again_as_an_update(world, say):
    world.calendars.fail("put", act=lambda: world.save(say.invitation(more_="")), times=1)
    mail = await world.mail("REQUEST", say.invitation(SUMMARY="Dinner"))
    assert "SUMMARY:Dinner" in world.text(HREF)
    assert len(await world.told(mail)) == 1


def _in_an_order_of_its_own(data: bytes) -> bytes:
    """As Radicale writes: the summary last."""
    lines = data.split(b"\r\n")
    last = [one for one in lines if one.startswith(b"SUMMARY")]
    rest = b"\r\n".join(one for one in lines if one not in last)
    return rest.replace(b"END:VEVENT", b"\r\n".join([*last, b"END:VEVENT"]))


async def test_a_write_that_was_done_twice_on_its_way_is_not_written_over_the_answer_to_it(world, say):
    """The second of them is refused by what the first wrote; an answer given then must not be voided (crash seed 4052)."""
    await world.mail("REQUEST", say.invitation())
    answer = ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    world.calendars.fail("put", say.conflict, after=True)
    world.calendars.fail("put", act=lambda: world.edit(HREF, answer), path="m1", times=2)
    world.calendars.faults[-1].times = 0  # the first put passes; the user answers when a second is tried
    world.calendars.faults[0].act = lambda: setattr(world.calendars.faults[-1], "times", 1)
    world.calendars.rewrite = _in_an_order_of_its_own
    world.calendars.calls.clear()
    mail = await world.mail("REQUEST", say.invitation(SEQUENCE="1", DTSTART="20270312T120000Z"))
    assert world.calendars.calls.count("put") == 1
    assert await world.told(mail) == [("applied", "invitation-rescheduled")]


async def test_a_server_whose_answer_is_lost_is_recognised_at_once_by_what_it_did(world, say):
    world.calendars.fail("put", say.unavailable, after=True)
    mail = await world.mail("REQUEST", say.invitation())
    assert await world.told(mail) == [("applied", "invitation-stored")]
    assert world.calendars.calls.count("put") == 1


async def test_an_answer_to_a_move_whose_write_seemed_lost_is_not_voided_by_another_copy_of_it(world, say):
    """The second copy would take our own write for the state before the move, and ask anew."""
    await world.mail("REQUEST", say.invitation())
    moved = say.invitation(SEQUENCE="1", DTSTART="20261111T100000Z", DTEND="20261111T110000Z")
    world.calendars.fail("put", say.unavailable, after=True)
    await world.mail("REQUEST", moved)
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.mail("REQUEST", moved)
    await world.drain()
    assert "PARTSTAT=ACCEPTED" in world.text(HREF)
    assert {one.partstat for one in world.got()} == {"ACCEPTED"}  # who asks again is told again


async def test_a_server_that_answers_too_late_is_recognised_by_what_it_did(world, say):
    def gone() -> None:
        for call in ("get", "find"):
            world.calendars.fail(call, say.unavailable)

    world.calendars.fail("put", say.unavailable, after=True, act=gone)
    mail = await world.mail("REQUEST", say.invitation())
    assert await world.told(mail) == []
    world.clock.forward(minutes=2)
    await world.work()
    assert await world.told(mail) == [("applied", "invitation-stored")]
    assert world.calendars.calls.count("put") == 1


async def test_what_another_job_did_between_two_tries_is_seen(world, say):
    """A plan is never written again unseen: the CANCEL that ran meanwhile left only a mark."""
    world.calendars.fail("put", say.unavailable)
    await world.mail("REQUEST", say.invitation())
    await world.mail("CANCEL", say.invitation(SEQUENCE="1", STATUS="CANCELLED", DTSTAMP="20261101T090000Z"))
    await world.drain()
    text = world.text(HREF)
    assert text == "" or "STATUS:CANCELLED" in text


async def test_an_edit_that_has_not_settled_keeps_its_snapshot_and_is_still_mailed(world, say):
    href = world.save(say.meeting())
    await world.settle()
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.mail("REPLY", say.answer())
    assert "PARTSTAT=ACCEPTED" in world.text(href).partition("bob@example.net")[0]
    await world.settle()
    (invited, updated) = world.got("bob@example.net")
    assert (invited.value("SUMMARY"), updated.value("SUMMARY")) == ("Lunch", "Dinner")


async def test_an_organizers_version_that_came_into_an_unsettled_copy_is_the_base_of_the_answer(world, say):
    await world.mail("REQUEST", say.invitation())
    world.edit(
        HREF,
        (
            "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:alice",
            "PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:alice",
        ),
        ("SUMMARY:Lunch", "SUMMARY:Lunch with my secret notes"),
    )
    await world.mail("REQUEST", say.invitation(SEQUENCE="1", LOCATION="Bar", DTSTAMP="20261101T090000Z"))
    await world.settle()
    (reply,) = world.got("bob@example.net")
    assert reply.method == "REPLY"
    assert reply.partstat == "ACCEPTED"
    assert reply.value("SEQUENCE") == "1"
    assert "secret" not in reply.calendar


async def test_an_own_edit_settles_without_losing_the_organizers_version(world, say):
    await world.mail("REQUEST", say.invitation())
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=TENTATIVE"), ("SUMMARY:Lunch", "SUMMARY:Mine"))
    await world.settle()
    (snapshot,) = await world.store.snapshots.by_uid("alice@example.org", "m1")
    assert b"SUMMARY:Lunch" in (snapshot.base or b"")
    world.edit(HREF, ("PARTSTAT=TENTATIVE", "PARTSTAT=DECLINED"))
    await world.settle()
    first, second = world.got("bob@example.net")
    assert (first.partstat, second.partstat) == ("TENTATIVE", "DECLINED")
    assert "Mine" not in second.calendar


async def test_a_moved_meeting_leaves_no_second_snapshot(world, say):
    path = world.calendars.collection("alice@example.org", "private")
    href = world.save(say.meeting())
    await world.settle()
    await world.sync()
    world.calendars.save(ELSEWHERE, world.text(href).encode())
    world.calendars.remove(href)
    await world.settle()
    found = await world.store.snapshots.by_uid("alice@example.org", "m1")
    assert [(one.href, one.collection) for one in found] == [(ELSEWHERE, path)]
    await world.settle(minutes=6)
    assert [one.method for one in world.got()] == ["REQUEST"]


async def test_a_moved_and_edited_meeting_is_an_update_even_if_an_answer_comes_first(world, say):
    world.calendars.collection("alice@example.org", "private")
    href = world.save(say.meeting())
    await world.settle()
    await world.sync()
    world.calendars.save(ELSEWHERE, world.text(href).replace("Lunch", "Dinner").encode())
    world.calendars.remove(href)
    await world.mail("REPLY", say.answer())
    assert "PARTSTAT=ACCEPTED" in world.text(ELSEWHERE).partition("bob@example.net")[0]
    await world.settle(minutes=6)
    assert [(one.method, one.value("SUMMARY")) for one in world.got()] == [
        ("REQUEST", "Lunch"),
        ("REQUEST", "Dinner"),
    ]
    found = await world.store.snapshots.by_uid("alice@example.org", "m1")
    assert [one.href for one in found] == [ELSEWHERE]


async def test_a_lost_lease_settles_nothing(world, say):
    def steal():
        world.store.db.write_now(lambda conn: conn.exec_driver_sql("UPDATE job SET lease_token = 'thief'"))

    href = world.save(say.meeting())
    await world.sync()
    world.clock.forward(seconds=31)
    world.calendars.fail("find", act=steal)
    await world.process.worker.once()
    assert world.got() == []
    assert await world.store.ledger.marks("alice@example.org", "m1") == ()
    assert await world.told("m1") == []
    await world.restart()
    await world.drain()
    assert [one.method for one in world.got()] == ["REQUEST"]
    assert href in world.calendars.objects["/alice/calendar/"]


async def test_an_unchanged_echo_writes_no_line_in_the_journal(world, say):
    href = world.save(say.meeting())
    await world.settle()
    lines = await world.told("m1")
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.sync()
    world.edit(href, ("SUMMARY:Dinner", "SUMMARY:Lunch"))
    await world.settle()
    assert await world.told("m1") == lines
    assert len(world.got()) == 1


async def test_an_object_that_nobody_can_read_fails_the_mail_and_stays_as_it_is(world, say):
    href = world.save(say.meeting() + "\n" + say.meeting("other"))
    before = world.text(href)
    mail = await world.mail("REQUEST", say.invitation())
    assert await world.told(mail) == [("failed", "malformed-calendar")]
    assert world.text(href) == before


EDIT = ("SUMMARY:Lunch", "SUMMARY:Dinner")


def _answered(text: str) -> dict[str, str]:
    lines = [one for one in text.split("\r\n") if one.startswith("ATTENDEE")]
    return {
        one.rpartition("mailto:")[2]: one.partition("PARTSTAT=")[2].partition(";")[0].partition(":")[0]
        for one in lines
    }


STEPS = st.sampled_from(["", "work", "sync", "settle", "die"])
ANSWERS = [
    ("bob@example.net", "ACCEPTED", 10),
    ("bob@example.net", "DECLINED", 30),
    ("carol@example.com", "TENTATIVE", 20),
]


async def _go(world, step: str, fatal: int, say) -> None:
    if step == "work":
        await world.work()
    elif step == "sync":
        await world.sync()
    elif step == "settle":
        await world.settle()
    elif step == "die":
        world.process = world.begin(fatal)
        with contextlib.suppress(say.Killed):
            await world.settle()
        await world.restart()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations([*ANSWERS, EDIT, ANSWERS[0]]),
    steps=st.lists(st.tuples(STEPS, st.integers(1, 25)), min_size=5, max_size=5),
)
def test_answers_and_an_edit_come_to_the_same_in_any_order_and_through_any_death(
    event_loop_of, say, order, steps
):
    world, run = event_loop_of
    uid = f"m{world.processes}"
    far = {"DTSTART": "20381110T100000Z", "DTEND": "20381110T110000Z"}
    href = world.save(say.meeting(uid, guests="bob@example.net carol@example.com", **far), name=uid)

    async def live() -> None:
        await world.sync()
        await world.drain()
        invited = world.clock.now()
        world.clock.forward(hours=1)
        for act, (step, fatal) in zip(order, steps, strict=True):
            if act is EDIT:
                world.edit(href, EDIT)
            else:
                who, partstat, minutes = act
                stamp = invited + timedelta(minutes=minutes)
                body = say.answer(uid, partstat, who, DTSTAMP=f"{stamp:%Y%m%dT%H%M%SZ}")
                await world.mail("REPLY", body, sender=who, run=False)
            await _go(world, step, fatal, say)
        await world.restart()
        await world.drain()

    run(live())
    text = world.text(href)
    assert "SUMMARY:Dinner" in text
    assert _answered(text) == {
        "alice@example.org": "ACCEPTED",
        "bob@example.net": "DECLINED",
        "carol@example.com": "TENTATIVE",
    }
    for guest in ("bob@example.net", "carol@example.com"):
        mine = [one for one in world.got(guest) if one.value("UID") == uid]
        titles = {one.message_id: one.value("SUMMARY") for one in mine}
        assert list(titles.values()) == ["Lunch", "Dinner"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(4)),
    again=st.integers(0, 3),
    steps=st.lists(st.tuples(STEPS, st.integers(1, 25)), min_size=5, max_size=5),
)
def test_an_organizers_mails_come_to_the_same_in_any_order_and_through_any_death(
    event_loop_of, say, order, again, steps
):
    world, run = event_loop_of
    uid = f"m{world.processes}"
    later = {"DTSTART": "20381111T100000Z", "DTEND": "20381111T110000Z"}
    history = [
        (
            "REQUEST",
            say.invitation(
                uid, DTSTAMP="20261101T080000Z", DTSTART="20381110T100000Z", DTEND="20381110T110000Z"
            ),
        ),
        ("REQUEST", say.invitation(uid, DTSTAMP="20261101T081000Z", SEQUENCE="1", **later)),
        ("REQUEST", say.invitation(uid, DTSTAMP="20261101T082000Z", SEQUENCE="1", LOCATION="Bar", **later)),
        (
            "CANCEL",
            say.invitation(uid, DTSTAMP="20261101T083000Z", SEQUENCE="2", STATUS="CANCELLED", **later),
        ),
    ]

    async def live() -> None:
        await world.sync()
        for number, (step, fatal) in zip([*order, again], steps, strict=True):
            method, body = history[number]
            await world.mail(method, body, run=False)
            await _go(world, step, fatal, say)
        await world.restart()
        await world.drain()

    run(live())
    text = world.text(f"/alice/calendar/{uid}.ics")
    assert "STATUS:CANCELLED" in text
    assert "DTSTART:20381111T100000Z" in text
    assert "LOCATION:Bar" in text
    assert "SEQUENCE:2" in text
    assert [one for one in world.got() if one.value("UID") == uid] == []
