"""Every journey, killed before and after each call that it makes of the outside, and taken up by a new process.

At the end the calendars are those of the undisturbed run, every letter left at least once under one Message-ID, and the
journal tells one outcome.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import timedelta

import pytest

from gateway.ical import linked
from gateway.ports import Peer

HREF = "/alice/calendar/m1.ics"
BOBS = "ORGANIZER:mailto:bob@example.net"
MORE = {
    "SEQUENCE": "1",
    "DTSTAMP": "20261101T090000Z",
    "DTSTART": "20261112T100000Z",
    "DTEND": "20261112T110000Z",
}
TAIL = f"/alice/calendar/{linked.tail_uid('m1')}.ics"


async def invite(world, say):
    return await world.mail("REQUEST", say.invitation(), run=False)


async def update(world, say):
    await world.mail("REQUEST", say.invitation())
    return await world.mail(
        "REQUEST",
        say.invitation(SEQUENCE="1", DTSTART="20261111T100000Z", DTEND="20261111T110000Z"),
        run=False,
    )


async def reply(world, say):
    world.save(say.meeting())
    await world.drain()
    return await world.mail("REPLY", say.answer(), run=False)


async def render(world, say):
    """The organizer mails his meeting, and a copy to somebody else."""
    body = say.calendar(say.meeting(guests="bob@example.net carol@example.com"), "REQUEST")
    name = "<render@example.org>"
    mail = say.raw_mail(body, "REQUEST", sender="alice@example.org", to="bob@example.net", message_id=name)
    await world.deliver(
        mail,
        to="bob@example.net,carol@example.com,dave@example.com",
        sender="alice@example.org",
        peer=Peer(role="outgoing", trusted=True, after="render", relay_to="smtp://next:25"),
    )
    return name


async def organize(world, say):
    world.save(say.meeting(guests="bob@example.net carol@example.com"))


async def reschedule(world, say):
    href = world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.drain()
    await world.mail("REPLY", say.answer())
    world.edit(href, ("20261110T10", "20261110T12"), ("20261110T11", "20261110T13"))


async def edit_and_reply(world, say):
    """An answer comes while the organizer's own edit settles."""
    href = world.save(say.meeting())
    await world.drain()
    world.edit(href, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    return await world.mail("REPLY", say.answer(), run=False)


async def accept(world, say):
    await world.mail("REQUEST", say.invitation())
    await world.drain()
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))


async def strike_off(world, say):
    href = world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.drain()
    line = next(one for one in world.text(href).split("\r\n") if "carol" in one)
    world.edit(href, (line + "\r\n", ""))


async def delete(world, say):
    href = world.save(say.meeting())
    world.save(say.meeting("other"), name="other")
    await world.drain()
    world.calendars.remove(href)


async def move(world, say):
    world.calendars.collection("alice@example.org", "private")
    href = world.save(say.meeting())
    world.save(say.meeting("other"), name="other")
    await world.drain()
    world.calendars.save("/alice/private/moved.ics", world.text(href).encode())
    world.calendars.remove(href)


async def cancel_by_mark(world, say):
    await world.mail("REQUEST", say.invitation())
    return await world.mail(
        "CANCEL",
        say.invitation(SEQUENCE="1", STATUS="CANCELLED", DTSTAMP="20261101T090000Z"),
        run=False,
    )


async def cancel_by_removal(world, say):
    world.policy = say.replace(world.policy, cancel="delete")
    return await cancel_by_mark(world, say)


async def cancel_by_expiry(world, say):
    world.policy = say.replace(world.policy, cancel="delete-after", cancel_after=timedelta(hours=1))
    await cancel_by_mark(world, say)  # two outcomes in the end


async def early_reply(world, say):
    """A REPLY is parked, then its meeting comes."""
    mail = await world.mail("REPLY", say.answer())
    world.save(say.meeting())
    return mail


async def split(world, say):
    """A series that was accepted is cut in two: the rest comes under a UID of its own."""
    await world.mail("REQUEST", say.invitation(RRULE="FREQ=WEEKLY"))
    await world.drain()
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.drain()
    rest = {"DTSTART": "20261124T100000Z", "DTEND": "20261124T110000Z", "RRULE": "FREQ=WEEKLY"}
    return await world.mail("REQUEST", say.invitation("m1_R20261124T100000", **rest), run=False)


async def instances(world, say):
    """Of a series that he does not know he is invited to one date, then to another: the server wants a master."""
    dates = [f"202611{day}T100000Z" for day in ("10", "17")]
    first, second = (
        say.invitation(RECURRENCE_ID=one, DTSTART=one, DTEND=one.replace("T10", "T11")) for one in dates
    )
    await world.mail("REQUEST", first)
    await world.drain()
    return await world.mail("REQUEST", second, run=False)


async def propose(world, say):
    """A guest proposes another time, and answers in the same mail."""
    world.save(say.meeting(guests="bob@example.net carol@example.com"))
    await world.drain()
    body = say.answer(partstat="TENTATIVE", DTSTART="20261110T140000Z", DTEND="20261110T150000Z")
    return await world.mail("COUNTER", body, run=False)


async def proposed(world, say, answer: str) -> None:
    await propose(world, say)
    await world.drain()
    (row,) = await world.store.proposals.list()
    assert await world.store.proposals.answer(row["id"], answer)


async def accept_proposal(world, say):
    await proposed(world, say, "accepted")


async def decline_proposal(world, say):
    await proposed(world, say, "declined")


async def add(world, say):
    """A further date comes before the series; both are taken."""
    mail = await world.mail("ADD", say.invitation(**MORE), run=False)
    await world.mail("REQUEST", say.invitation(), run=False)
    return mail


async def publish(world, say):
    """A fair that its reader has made a note in moves."""
    world.policy = say.replace(world.policy, publish=True)
    await world.mail("PUBLISH", say.event(more=BOBS))
    await world.drain()
    world.edit(HREF, ("SUMMARY:Lunch", "LOCATION:Block 7\r\nSUMMARY:Lunch"))
    await world.drain()
    return await world.mail("PUBLISH", say.event(**MORE, more=BOBS), run=False)


def weekly(say, *, sequence, **lines):
    return say.invitation(SEQUENCE=str(sequence), DTSTAMP=f"20261101T{10 + sequence}0000Z", **lines)


def rest(say, day, *, sequence, **lines):
    """This and all behind it, at another hour."""
    at = {"DTSTART": f"202611{day}T1{4 + sequence}0000Z", "DTEND": f"202611{day}T1{4 + sequence}3000Z"}
    named = {"RECURRENCE-ID;RANGE=THISANDFUTURE": f"202611{day}T100000Z"}
    return weekly(say, sequence=sequence, **{**named, **at, **lines})


async def part(world, say):
    await world.mail("REQUEST", weekly(say, sequence=0, RRULE="FREQ=WEEKLY"))
    return await world.mail("REQUEST", rest(say, "17", sequence=1), run=False)


async def parted(world, say):
    await part(world, say)
    await world.drain()


async def move_the_parting(world, say):
    await parted(world, say)
    world.edit(TAIL, ("RRULE:", "X-MINE:1\r\nRRULE:"))
    await world.drain()
    return await world.mail("REQUEST", rest(say, "24", sequence=2), run=False)


async def rejoin(world, say):
    await parted(world, say)
    return await world.mail("REQUEST", weekly(say, sequence=3, RRULE="FREQ=WEEKLY"), run=False)


async def call_off_the_rest(world, say):
    await parted(world, say)
    return await world.mail("CANCEL", rest(say, "24", sequence=3, STATUS="CANCELLED"), run=False)


async def remove_both(world, say):
    await parted(world, say)
    world.policy = say.replace(world.policy, cancel="delete")
    return await world.mail("CANCEL", weekly(say, sequence=3, STATUS="CANCELLED"), run=False)


async def answer_in_the_tail(world, say):
    await parted(world, say)
    world.edit(TAIL, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))


async def delete_the_tail(world, say):
    await answer_in_the_tail(world, say)
    await world.drain()
    world.calendars.remove(TAIL)


async def serve_locally(world, say):
    """A guest whose calendar is ours too: no mail carries the invitation."""
    world.calendars.collection("dora@example.org", "calendar")
    world.save(say.meeting(guests="bob@example.net dora@example.org"))


async def answer_locally(world, say):
    await serve_locally(world, say)
    await world.drain()
    world.edit(
        "/dora/calendar/m1.ics",
        ("PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:dora", "PARTSTAT=ACCEPTED:mailto:dora"),
    )


async def update_anew(world, say):
    """Xandikos takes an organizer's change only as DELETE and PUT; he has made a note in his copy."""
    world.calendars.replaces = True
    await world.mail("REQUEST", say.invitation())
    await world.drain()
    world.edit(HREF, ("SUMMARY:Lunch", "X-MINE:1\r\nSUMMARY:Lunch"))
    await world.drain()
    return await world.mail("REQUEST", say.invitation(**MORE), run=False)


async def cancel_anew(world, say):
    world.calendars.replaces = True
    return await cancel_by_mark(world, say)


async def part_anew(world, say):
    world.calendars.replaces = True
    await parted(world, say)
    return await world.mail("REQUEST", rest(say, "17", sequence=2), run=False)


async def tell_the_organizer(world, say):
    await organize(world, say)


async def tell_the_guest(world, say):
    await accept(world, say)


JOURNEYS = [
    tell_the_organizer,
    tell_the_guest,
    update_anew,
    cancel_anew,
    part_anew,
    invite,
    update,
    reply,
    organize,
    reschedule,
    edit_and_reply,
    accept,
    strike_off,
    delete,
    move,
    cancel_by_mark,
    cancel_by_removal,
    cancel_by_expiry,
    early_reply,
    split,
    instances,
    propose,
    accept_proposal,
    decline_proposal,
    add,
    publish,
    part,
    move_the_parting,
    rejoin,
    call_off_the_rest,
    remove_both,
    answer_in_the_tail,
    delete_the_tail,
    serve_locally,
    answer_locally,
    render,
]
IN_TIME = [edit_and_reply]  # where eleven minutes more let the edit settle before the answer is read
TELLING = [tell_the_organizer, tell_the_guest]  # what became of the letters, in the calendar
STAMPS = re.compile(r"^(?:DTSTAMP|LAST-MODIFIED|CREATED):.*\n?", re.MULTILINE)


def plain(text: str) -> str:
    """Without the moments at which something was written."""
    return STAMPS.sub("", text.replace("\r\n", "\n"))


def held_by(world) -> dict[str, str]:
    return {href: plain(world.text(href)) for objects in world.calendars.objects.values() for href in objects}


def letters_of(world) -> list[tuple[str, str, str]]:
    """What each reader got, a repetition under one Message-ID once."""
    by_id = defaultdict(set)
    for one in world.got():
        by_id[one.message_id].add((one.to, one.method, plain(one.calendar)))
    assert all(len(found) == 1 for found in by_id.values()), "two letters under one Message-ID"
    return sorted(letter for found in by_id.values() for letter in found)


async def outcomes_of(world, mail: str | None) -> list[tuple[str, str]]:
    """What the journal says at the end about the mail, or about the meeting what was mailed."""
    if mail:
        return [one for one in await world.told(mail) if one[0] != "parked"]
    story = await world.store.journal.story("m1")
    return [(one["outcome"], one["reason"]) for one in story if one["letters"]]


async def end(world, mail):
    await world.drain()
    assert [one for one in await world.waiting() if one[1] != "waiting"] == []
    passed = {one.address for mailed in world.onward.mails for one in mailed.envelope.recipients}
    told = await outcomes_of(world, mail), await proposals_of(world), passed
    return held_by(world), letters_of(world), *told


async def proposals_of(world) -> list[tuple[str, str]]:
    """What waits for the organizer."""
    return [(one["from"], one["start"]) for one in await world.store.proposals.list()]


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda one: one.__name__)
async def test_a_process_that_is_killed_at_any_step_loses_and_repeats_nothing(journey, new_world, say):
    facts = {"statuses": journey in TELLING}
    before = await new_world(**facts)
    mail = await journey(before, say)
    await before.store.close()
    world = await new_world(like=before, **facts)
    undisturbed = await end(world, mail)
    steps = world.process.fate.names
    if mail:
        assert len(undisturbed[2]) == 1
    assert any("SCHEDULE-STATUS=1.1" in one for one in undisturbed[0].values()) == (journey in TELLING)
    for fatal, name in enumerate(steps, 1):
        world = await new_world(like=before, **facts)
        world.process = world.begin(fatal)
        with pytest.raises(BaseException) as death:
            await end(world, mail)
        assert death.type is say.Killed
        await world.restart(at_once=journey in IN_TIME)
        assert await end(world, mail) == undisturbed, f"killed at step {fatal}, after {name}"
        await world.store.close()


async def killed_after(call: str, journey, new_world, say):
    """A world whose process died right after that call."""
    before = await new_world()
    mail = await journey(before, say)
    await before.store.close()
    world = await new_world(like=before)
    await world.drain()
    fatal = world.process.fate.names.index(call) + 1
    world = await new_world(like=before)
    world.process = world.begin(fatal)
    with pytest.raises(say.Killed):
        await world.drain()
    assert world.process.fate.names[-1] == call
    return world, mail


async def test_an_edit_between_our_write_and_its_settling_is_mailed_with_it(new_world, say):
    world, _ = await killed_after("calendars.put", reschedule, new_world, say)
    world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.restart()
    await world.drain()
    last = {one.to: one for one in world.got()}
    assert {one.value("SUMMARY") for one in last.values()} == {"Dinner"}
    assert {one.value("SEQUENCE") for one in last.values()} == {"1"}
    assert len(world.got()) == 4, "one invitation and one update each"
    assert "SUMMARY:Dinner" in world.text(HREF)


async def test_an_organizers_edit_right_after_an_answer_was_written_is_still_mailed(new_world, say):
    world, mail = await killed_after("calendars.put", reply, new_world, say)
    world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Dinner"))
    await world.restart()
    await world.drain()
    assert await world.told(mail) == [("applied", "answer-recorded")]
    assert [one.value("SUMMARY") for one in world.got()] == ["Lunch", "Dinner"]
    assert "PARTSTAT=ACCEPTED" in world.text(HREF).partition("bob@example.net")[0]


@pytest.mark.parametrize("journey", [invite, update])
async def test_an_answer_given_right_after_an_invitation_was_written_is_sent(journey, new_world, say):
    world, mail = await killed_after("calendars.put", journey, new_world, say)
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"), ("SUMMARY:Lunch", "SUMMARY:My notes"))
    await world.restart()
    await world.drain()
    assert [one[0] for one in await world.told(mail)] == ["applied"]
    (sent,) = world.got("bob@example.net")
    assert (sent.method, sent.partstat) == ("REPLY", "ACCEPTED")
    assert "notes" not in sent.calendar
    assert "PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:alice" in world.text(HREF)


async def test_a_cancelled_meeting_that_its_owner_deletes_meanwhile_is_cancelled_all_the_same(new_world, say):
    world, mail = await killed_after("calendars.put", cancel_by_mark, new_world, say)
    world.calendars.remove(HREF)
    await world.restart()
    await world.drain()
    assert len(await world.told(mail)) == 1
    assert world.text(HREF) == ""
    assert world.got() == []


async def test_a_meeting_moved_between_our_write_and_its_settling_is_no_cancellation(new_world, say):
    world, _ = await killed_after("calendars.put", reschedule, new_world, say)
    world.calendars.collection("alice@example.org", "private")
    world.calendars.save("/alice/private/moved.ics", world.text(HREF).encode())
    world.calendars.remove(HREF)
    await world.restart()
    await world.drain()
    assert [one.method for one in world.got()] == ["REQUEST"] * 4
    found = await world.store.snapshots.by_uid("alice@example.org", "m1")
    assert [one.href for one in found] == ["/alice/private/moved.ics"]


async def test_a_letter_whose_success_was_not_noted_leaves_again_word_for_word(new_world, say):
    world, _ = await killed_after("smarthost.send", organize, new_world, say)
    await world.restart()
    await world.drain()
    to_bob = world.got("bob@example.net")
    assert len(to_bob) + len(world.got("carol@example.com")) == 3
    assert len({one.content for one in world.got()}) == 2
