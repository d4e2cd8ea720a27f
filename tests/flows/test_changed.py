"""A settled change becomes one mail per guest, or none; what looks like an accident waits for a person."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from itertools import pairwise

import pytest

from gateway.flows.changed import Burst

HREF = "/alice/calendar/m1.ics"
PATH = "/alice/calendar/"


async def kinds(world) -> list[tuple[str, str]]:
    return [(one.to, one.method) for one in world.got()]


async def test_a_new_meeting_invites_each_guest_once(world, say):
    world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.settle()
    assert sorted(await kinds(world)) == [("bob@example.net", "REQUEST"), ("carol@example.com", "REQUEST")]
    assert await world.told("m1") == [("applied", "invited")]


async def test_what_programs_of_the_guests_may_drop_is_noted(world, say):
    world.save(say.meeting(RRULE="FREQ=MONTHLY;BYMONTHDAY=10,20;COUNT=4"))
    await world.drain()
    assert [one.recipient for one in world.outbox.mails] == ["bob@example.net"], "it leaves all the same"
    (line,) = await world.store.journal.story("m1")
    (note,) = [one for one in line["notes"] if one["code"] == "hard-to-take"]
    assert note["shapes"] == "a rule that Outlook does not take"


async def test_several_saves_collapse_into_one_mail(world, say):
    href = world.save(say.meeting())
    titles = ["Lunch", "Brunch", "Dinner", "Supper", "Picnic"]
    for old, new in pairwise(titles):
        world.edit(href, (f"SUMMARY:{old}", f"SUMMARY:{new}"))
        await world.sync()
        world.clock.forward(seconds=10)
        await world.work()
    assert world.got() == []
    world.clock.forward(seconds=21)
    await world.work()
    assert [one.value("SUMMARY") for one in world.got()] == ["Picnic"]


async def test_moved_and_moved_back_mails_nothing(world, say):
    href = world.save(say.meeting())
    await world.settle()
    world.edit(href, ("20261110T10", "20261110T12"), ("20261110T11", "20261110T13"))
    await world.sync()
    world.edit(href, ("20261110T12", "20261110T10"), ("20261110T13", "20261110T11"))
    await world.settle()
    assert len(world.got()) == 1
    assert "SEQUENCE:0" in world.text(href)


async def test_a_reschedule_raises_sequence_and_voids_answers_in_calendar_and_mail(world, say):
    href = world.save(say.meeting())
    await world.settle()
    await world.mail("REPLY", say.answer())
    world.edit(href, ("20261110T10", "20261110T12"), ("20261110T11", "20261110T13"))
    await world.settle()
    assert "SEQUENCE:1" in world.text(href)
    assert "PARTSTAT=NEEDS-ACTION;RSVP=TRUE" in world.text(href)
    assert world.got()[-1].value("SEQUENCE") == "1"
    assert (await world.sync())[0].changed == 0, "our own write is no change"


async def test_a_cosmetic_change_mails_nothing_and_is_told_once(world, say):
    href = world.save(say.meeting())
    await world.settle()
    world.edit(href, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=TENTATIVE"))
    await world.settle()
    await world.settle()
    assert len(world.got()) == 1
    assert await world.told("m1") == [("applied", "invited"), ("ignored", "cosmetic-change")]


async def test_what_the_program_orders_to_be_sent_again_is_sent_again_once(world, say):
    href = world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.settle()
    world.edit(href, (":mailto:bob@", ";SCHEDULE-FORCE-SEND=REQUEST:mailto:bob@"))
    await world.settle()
    await world.settle()
    assert [one.to for one in world.got()[2:]] == ["bob@example.net"]
    assert "FORCE" not in world.text(href)


async def test_a_deletion_settles_longer_and_then_cancels(world, say):
    href = world.save(say.meeting())
    world.save(say.meeting("m2"), name="m2")
    await world.settle()
    world.calendars.remove(href)
    await world.settle(minutes=2)
    assert "CANCEL" not in {one.method for one in world.got()}
    await world.settle(minutes=4)
    assert [(one.method, one.value("UID")) for one in world.got()][2:] == [("CANCEL", "m1")]
    assert await world.store.snapshots.by_uid("alice@example.org", "m1") == ()


async def test_a_meeting_deleted_and_created_anew_is_no_cancellation(world, say):
    href = world.save(say.meeting())
    world.save(say.meeting("m2"), name="m2")
    await world.settle()
    text = world.text(href)
    world.calendars.remove(href)
    await world.sync()
    world.calendars.save("/alice/calendar/anew.ics", text.encode())
    await world.settle(minutes=6)
    await world.settle(minutes=6)
    assert {one.method for one in world.got()} == {"REQUEST"}
    assert len(world.got()) == 2
    (snapshot,) = await world.store.snapshots.by_uid("alice@example.org", "m1")
    assert snapshot.href == "/alice/calendar/anew.ics"


@pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "listing"])
@pytest.mark.parametrize("first", ["new", "old"])
async def test_a_move_to_another_calendar_is_no_cancellation(new_world, say, tokens, first):
    world = await new_world()
    world.calendars.tokens = tokens
    private = world.calendars.collection("alice@example.org", "private")
    href = world.save(say.meeting())
    world.save(say.meeting("m2"), name="m2")
    await world.settle()
    await world.sync()
    text = world.text(href)
    if first == "old":
        world.calendars.remove(href)
        await world.sync()
    world.calendars.save(f"{private}m1.ics", text.encode())
    if first == "new":
        await world.sync()
        world.calendars.remove(href)
    for _ in range(3):
        await world.settle(minutes=6)
    assert {one.method for one in world.got()} == {"REQUEST"}
    (snapshot,) = await world.store.snapshots.by_uid("alice@example.org", "m1")
    assert snapshot.href == f"{private}m1.ics"
    assert [one.changed for one in await world.sync()] == [0, 0]


async def test_a_moved_meeting_that_is_deleted_later_is_cancelled(world, say):
    private = world.calendars.collection("alice@example.org", "private")
    href = world.save(say.meeting())
    world.save(say.meeting("m2"), name="m2")
    world.save(say.meeting("m3"), name="m3", path=private)
    await world.settle()
    world.calendars.save(f"{private}m1.ics", world.text(href).encode())
    world.calendars.remove(href)
    await world.settle(minutes=6)
    world.calendars.remove(f"{private}m1.ics")
    await world.settle(minutes=6)
    assert [one.method for one in world.got() if one.value("UID") == "m1"] == ["REQUEST", "CANCEL"]


async def test_a_copy_in_a_second_calendar_invites_nobody_again(world, say):
    private = world.calendars.collection("alice@example.org", "private")
    href = world.save(say.meeting())
    await world.settle()
    await world.sync()
    world.calendars.save(f"{private}copy.ics", world.text(href).encode())
    await world.settle()
    assert len(world.got()) == 1


async def test_a_guest_who_is_struck_off_gets_a_cancellation_alone(world, say):
    href = world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.settle()
    line = next(one for one in world.text(href).split("\r\n") if "carol" in one)
    world.edit(href, (line + "\r\n", ""))
    await world.settle()
    assert world.got("carol@example.com")[-1].method == "CANCEL"
    assert [one.method for one in world.got("bob@example.net")] == ["REQUEST"]


async def test_our_users_answer_becomes_one_reply_from_the_address_that_was_invited(world, say):
    await world.mail("REQUEST", say.invitation(guests="a.liddell@example.org"), to="a.liddell@example.org")
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.settle()
    await world.settle()
    (sent,) = world.got()
    assert (sent.to, sent.method, sent.partstat) == ("bob@example.net", "REPLY", "ACCEPTED")
    assert "mailto:a.liddell@example.org" in sent.calendar
    assert await world.told("m1") == [("applied", "invitation-stored"), ("applied", "answered")]


async def test_nothing_is_sent_where_the_server_sends(world, say):
    world.calendars.sends = "inbound"
    world.save(say.meeting())
    await world.settle()
    assert world.got() == []
    assert await world.told("m1") == [("ignored", "server-sent")]


async def test_what_is_over_is_told_to_nobody(world, say):
    world.save(say.meeting(DTSTART="20261001T100000Z", DTEND="20261001T110000Z"))
    await world.settle()
    assert world.got() == []
    assert await world.told("m1") == [("ignored", "past-event")]


async def test_an_import_of_500_meetings_is_held_whole_and_each_is_released_by_approval(new_world, say):
    world = await new_world(concurrency=16)
    for number in range(500):
        world.save(say.meeting(f"m{number}"), name=f"m{number}")
    await world.settle()
    assert world.got() == []
    held = await world.store.held.list()
    assert len(held) == 500
    assert {(one["kind"], one["reason"]) for one in held} == {("burst", "burst")}
    for one in held[:3]:
        assert await world.store.held.approve(one["id"])
    await world.work()
    assert sorted(one.value("UID") for one in world.got()) == sorted(one["uid"] for one in held[:3])
    assert await world.told(held[0]["uid"]) == [("held", "burst"), ("applied", "invited")]


@pytest.mark.parametrize("concurrency", [1, 16])
async def test_a_burst_one_above_the_limit_is_held_whole_and_one_at_the_limit_passes(
    new_world, say, concurrency
):
    for count, sent in ((6, 0), (5, 5)):
        world = await new_world(burst=Burst(events=5, within=timedelta(minutes=10)), concurrency=concurrency)
        for number in range(count):
            world.save(say.meeting(f"m{number}"), name=f"m{number}")
        await world.settle()
        assert len(world.got()) == sent


async def test_a_burst_is_told_once_also_across_a_restart_and_the_next_one_again(
    new_world, database, say, caplog
):
    world = await new_world(
        database=database, burst=Burst(events=1, within=timedelta(minutes=10)), concurrency=4
    )

    async def imported(*uids: str) -> int:
        caplog.clear()
        for uid in uids:
            world.save(say.meeting(uid), name=uid)
        await world.settle()
        return caplog.messages.count("watch.held")

    assert await imported("m1", "m2", "m3") == 1
    await world.restart(at_once=True)
    assert await imported("m4") == 0
    for item in await world.store.held.list():
        assert await world.store.held.refuse(item["id"])
    assert await imported("m5") == 0, "what a person has decided was told"
    world.clock.forward(minutes=10)
    assert await imported("m6", "m7") == 1
    assert len(await world.store.held.list()) == 3


async def test_the_alarm_of_a_burst_outlives_the_process_that_held_it(new_world, say, caplog):
    """Killed at each step in turn; said twice at most, where it died before that was noted."""

    async def held(world) -> None:
        for uid in ("m1", "m2", "m3"):
            world.save(say.meeting(uid), name=uid)
        await world.settle()

    async def fresh():
        return await new_world(burst=Burst(events=1, within=timedelta(minutes=10)))

    undisturbed = await fresh()
    await held(undisturbed)
    assert caplog.messages.count("watch.held") == 1
    for fatal, step in enumerate(undisturbed.process.fate.names, 1):
        world = await fresh()
        world.process = world.begin(fatal)
        caplog.clear()
        with contextlib.suppress(say.Killed):
            await held(world)
        await world.restart()
        await world.settle()
        assert len(await world.store.held.list()) == 3, step
        assert 1 <= caplog.messages.count("watch.held") <= 2, step


async def test_a_burst_is_counted_over_the_time_that_the_setting_names(new_world, say):
    world = await new_world(burst=Burst(events=2, within=timedelta(minutes=10)))
    for number in range(2):
        world.save(say.meeting(f"m{number}"), name=f"m{number}")
        await world.settle()
    world.save(say.meeting("late"), name="late")
    await world.settle()
    assert len(world.got()) == 2
    world.clock.forward(minutes=11)
    world.save(say.meeting("later"), name="later")
    await world.settle()
    assert [one.value("UID") for one in world.got()][2:] == ["later"]


async def test_a_quarter_of_the_limit_holds_cancellations(new_world, say):
    world = await new_world(burst=Burst(events=8, within=timedelta(minutes=10)))
    for number in range(4):
        world.save(say.meeting(f"m{number}"), name=f"m{number}")
    await world.settle()
    world.clock.forward(hours=1)
    for number in range(3):
        world.calendars.remove(f"{PATH}m{number}.ics")
    await world.settle(minutes=6)
    assert {one.method for one in world.got()} == {"REQUEST"}
    assert [one["reason"] for one in await world.store.held.list()] == ["burst"] * 3


async def test_a_held_change_that_goes_on_changing_is_one_item_and_sends_what_is_there_when_approved(
    new_world, say
):
    world = await new_world(burst=Burst(events=0, within=timedelta(minutes=10)))
    href = world.save(say.meeting())
    await world.settle()
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.settle()
    (item,) = await world.store.held.list()
    assert await world.store.held.approve(item["id"])
    await world.work()
    assert [one.value("SUMMARY") for one in world.got()] == ["Dinner"]


@pytest.mark.parametrize("tokens", [True, False], ids=["tokens", "listing"])
async def test_a_refused_burst_is_known_from_then_on_and_told_to_nobody(new_world, say, tokens):
    world = await new_world(burst=Burst(events=1, within=timedelta(minutes=10)))
    world.calendars.tokens = tokens
    for number in range(2):
        world.save(say.meeting(f"m{number}"), name=f"m{number}")
    await world.settle()
    for item in await world.store.held.list():
        assert await world.store.held.refuse(item["id"])
    await world.work()
    assert await world.told("m0") == [("held", "burst"), ("refused", "policy")]
    await world.settle(hours=1)
    assert world.got() == []
    assert await world.store.held.list() == []
    world.edit(f"{PATH}m0.ics", ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.settle()
    assert [one.value("SUMMARY") for one in world.got()] == ["Dinner"]


async def test_our_own_removal_of_a_cancelled_meeting_declines_nothing(world, say):
    """The watch may see it gone before it is settled."""
    world.policy = say.replace(world.policy, cancel="delete")
    await world.mail("REQUEST", say.invitation())
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    world.save(say.invitation("m2"), name="m2")
    await world.settle()
    lines = len(world.got())
    real = world.store.plans.settle

    async def settle(*args, **kwargs):
        await world.sync()
        await real(*args, **kwargs)

    world.store.plans.settle = settle
    cancelled = {"SEQUENCE": "1", "STATUS": "CANCELLED", "DTSTAMP": "20261101T090000Z"}
    mail = await world.mail("CANCEL", say.invitation(**cancelled))
    world.store.plans.settle = real
    await world.settle(minutes=6)
    assert world.text(HREF) == ""
    assert len(world.got()) == lines
    assert await world.told(mail) == [("applied", "meeting-cancelled")]
    assert [one[1] for one in await world.told("m1")].count("nothing-to-send") == 0


async def test_a_rule_that_never_ends_to_expand_fails_once_and_stays_quiet(new_world, say):
    world = await new_world()
    world.calendars.tokens = False
    world.save(say.meeting(RRULE="FREQ=SECONDLY"))
    for _ in range(3):
        await world.settle()
    assert world.got() == []
    assert await world.told("m1") == [("failed", "expansion-limit")]


async def test_an_object_of_two_meetings_is_told_and_mails_nothing(world, say):
    world.save(say.meeting() + "\n" + say.meeting("other"))
    await world.settle()
    assert world.got() == []


async def test_a_change_of_an_account_that_is_gone_ends(world, say):
    world.save(say.meeting())
    await world.sync()
    world.accounts._by_address.clear()
    world.clock.forward(seconds=31)
    await world.work()
    assert await world.waiting() == []


async def test_an_unreachable_server_delays_a_change(world, say):
    world.save(say.meeting())
    await world.sync()
    world.calendars.fail("profile", say.unavailable)
    world.clock.forward(seconds=31)
    await world.work()
    assert world.got() == []
    await world.drain()
    assert len(world.got()) == 1


async def test_an_edit_while_its_change_is_being_mailed_is_mailed_next(world, say):
    href = world.save(say.meeting())
    dinner = ("SUMMARY:Lunch", "SUMMARY:Dinner")
    world.calendars.fail("find", act=lambda: world.edit(href, dinner), after=True)
    await world.settle()
    await world.settle()
    assert [one.value("SUMMARY") for one in world.got()] == ["Lunch", "Dinner"]
