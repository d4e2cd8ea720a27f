"""A series whose rest moved for good lies in two objects, and is one meeting to everybody else (SPEC 4.7)."""

from __future__ import annotations

import re

from gateway.ical import linked

HREF = "/alice/calendar/m1.ics"
TAIL = f"/alice/calendar/{linked.tail_uid('m1')}.ics"
WEEKLY = {"RRULE": "FREQ=WEEKLY"}
REST = {
    "RECURRENCE-ID;RANGE=THISANDFUTURE": "20261124T100000Z",
    "DTSTART": "20261124T140000Z",
    "DTEND": "20261124T150000Z",
    "SEQUENCE": "1",
    "DTSTAMP": "20261101T090000Z",
}


async def part(world, say, **lines):
    await world.mail("REQUEST", say.invitation(**WEEKLY))
    return await world.mail("REQUEST", say.invitation(**{**REST, **lines}))


def lines(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}[;:].*?$", text.replace("\r\n", "\n"), re.MULTILINE)


async def test_a_rest_that_moves_for_good_becomes_a_series_of_its_own(world, say):
    mail = await part(world, say)
    assert await world.told(mail) == [("applied", "invitation-rescheduled")]
    assert "RRULE:FREQ=WEEKLY;UNTIL=20261124T095959Z" in lines(world.text(HREF), "RRULE")
    assert lines(world.text(TAIL), "DTSTART") == ["DTSTART:20261124T140000Z"]
    assert lines(world.text(TAIL), "RRULE") == ["RRULE:FREQ=WEEKLY"]
    assert "RELATED-TO;RELTYPE=SIBLING:m1" in world.text(TAIL)
    assert "RANGE" not in world.text(HREF) + world.text(TAIL)
    await world.drain()
    assert world.got() == []


async def test_an_answer_in_the_tail_is_an_answer_to_this_and_all_behind_it(world, say):
    await part(world, say)
    await world.drain()
    world.edit(TAIL, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.drain()
    (sent,) = world.got("bob@example.net")
    assert (sent.method, sent.partstat, sent.value("UID")) == ("REPLY", "ACCEPTED", "m1")
    assert lines(sent.calendar, "RECURRENCE-ID") == ["RECURRENCE-ID;RANGE=THISANDFUTURE:20261124T100000Z"]
    assert "X-IMIP-GATEWAY" not in sent.calendar


async def test_an_answer_to_one_date_of_the_tail_names_the_date_that_the_organizer_knows(world, say):
    await part(world, say)
    await world.drain()
    one = say.invitation(
        linked.tail_uid("m1"),
        **{"RECURRENCE-ID": "20261201T140000Z", "DTSTART": "20261201T140000Z", "DTEND": "20261201T150000Z"},
    ).replace("NEEDS-ACTION", "DECLINED")
    world.edit(TAIL, ("END:VCALENDAR", one.replace("\n", "\r\n") + "\r\nEND:VCALENDAR"))
    await world.drain()
    (sent,) = world.got("bob@example.net")
    assert (sent.partstat, sent.value("UID")) == ("DECLINED", "m1")
    assert lines(sent.calendar, "RECURRENCE-ID") == ["RECURRENCE-ID:20261201T100000Z"]


async def test_taking_a_date_out_of_the_tail_declines_it(world, say):
    await part(world, say)
    await world.drain()
    world.edit(TAIL, ("RRULE:", "EXDATE:20261208T140000Z\r\nRRULE:"), ("NEEDS-ACTION", "ACCEPTED"))
    await world.drain()
    (sent,) = world.got("bob@example.net")
    named = lines(sent.calendar, "RECURRENCE-ID")
    assert "RECURRENCE-ID:20261208T100000Z" in named


async def test_deleting_an_accepted_tail_declines_it_and_nothing_else(world, say):
    await part(world, say)
    await world.drain()
    world.edit(TAIL, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.drain()
    world.calendars.remove(TAIL)
    await world.drain()
    sent = world.got("bob@example.net")[-1]
    assert (sent.partstat, sent.value("UID")) == ("DECLINED", "m1")
    assert lines(sent.calendar, "RECURRENCE-ID") == ["RECURRENCE-ID;RANGE=THISANDFUTURE:20261124T100000Z"]
    assert len(world.got()) == 2
    await world.mail(
        "REQUEST",
        say.invitation(**{**REST, "DTSTAMP": "20261101T100000Z", "SEQUENCE": "1", "LOCATION": "Bar"}),
    )
    assert world.text(TAIL) == "", "what its owner deleted does not come back before it moves"


async def test_deleting_an_accepted_beginning_keeps_the_tail(world, say):
    await world.mail("REQUEST", say.invitation(**WEEKLY))
    await world.drain()
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.drain()
    await world.mail("REQUEST", say.invitation(**REST))
    await world.drain()
    world.edit(TAIL, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.drain()
    world.calendars.remove(HREF)
    await world.drain()
    sent = world.got("bob@example.net")[-1]
    told = re.findall(r"PARTSTAT=([A-Z]+)", sent.calendar)
    assert sorted(told) == ["ACCEPTED", "DECLINED"]
    assert lines(sent.calendar, "RECURRENCE-ID") == ["RECURRENCE-ID;RANGE=THISANDFUTURE:20261124T100000Z"]
    assert world.text(TAIL)


async def test_a_word_about_one_date_of_the_rest_lands_in_the_tail(world, say):
    await part(world, say)
    one = {
        "RECURRENCE-ID": "20261201T100000Z",
        "DTSTART": "20261202T080000Z",
        "DTEND": "20261202T090000Z",
        "SEQUENCE": "2",
        "DTSTAMP": "20261101T100000Z",
    }
    await world.mail("REQUEST", say.invitation(**one))
    assert lines(world.text(TAIL), "RECURRENCE-ID") == ["RECURRENCE-ID:20261201T140000Z"]
    assert "DTSTART:20261202T080000Z" in world.text(TAIL)
    assert lines(world.text(HREF), "RECURRENCE-ID") == []


async def test_a_new_version_of_the_whole_is_one_series_again(world, say):
    await part(world, say)
    await world.drain()
    whole = {"SEQUENCE": "2", "DTSTAMP": "20261101T110000Z", "LOCATION": "Bar"}
    mail = await world.mail("REQUEST", say.invitation(**WEEKLY, **whole))
    assert await world.told(mail) == [("applied", "invitation-updated")]
    assert world.text(TAIL) == ""
    assert lines(world.text(HREF), "RRULE") == ["RRULE:FREQ=WEEKLY"]
    assert "X-IMIP-GATEWAY" not in world.text(HREF)
    assert [one.href for one in await world.store.snapshots.by_uid("alice@example.org", "m1")] == [HREF]
    assert await world.store.snapshots.by_uid("alice@example.org", linked.tail_uid("m1")) == ()
    await world.drain()
    assert world.got() == []


async def test_a_later_move_begins_the_tail_anew_and_spells_out_what_lies_between(world, say):
    await part(world, say)
    await world.drain()
    world.edit(TAIL, ("RRULE:", "X-MINE:1\r\nRRULE:"))
    later = {
        "RECURRENCE-ID;RANGE=THISANDFUTURE": "20261208T100000Z",
        "DTSTART": "20261208T160000Z",
        "DTEND": "20261208T170000Z",
        "SEQUENCE": "2",
        "DTSTAMP": "20261101T120000Z",
    }
    await world.drain()
    await world.mail("REQUEST", say.invitation(**later))
    assert lines(world.text(HREF), "RECURRENCE-ID") == [
        "RECURRENCE-ID:20261124T100000Z",
        "RECURRENCE-ID:20261201T100000Z",
    ]
    assert lines(world.text(TAIL), "DTSTART") == ["DTSTART:20261208T160000Z"]
    assert (world.text(HREF) + world.text(TAIL)).count("X-MINE:1") == 3


async def test_what_is_called_off_from_the_middle_of_the_tail_leaves_what_is_before_it(world, say):
    await part(world, say)
    off = {"RECURRENCE-ID;RANGE=THISANDFUTURE": "20261208T100000Z", "STATUS": "CANCELLED", "SEQUENCE": "2"}
    mail = await world.mail("CANCEL", say.invitation(**off, DTSTAMP="20261101T120000Z"))
    assert await world.told(mail) == [("applied", "instance-cancelled")]
    assert world.text(TAIL) == ""
    assert lines(world.text(HREF), "RECURRENCE-ID") == [
        "RECURRENCE-ID:20261124T100000Z",
        "RECURRENCE-ID:20261201T100000Z",
    ]


async def test_calling_off_the_whole_reaches_both(world, say):
    await part(world, say)
    off = {"STATUS": "CANCELLED", "SEQUENCE": "2", "DTSTAMP": "20261101T120000Z"}
    await world.mail("CANCEL", say.invitation(**off))
    assert "STATUS:CANCELLED" in world.text(HREF)
    assert "STATUS:CANCELLED" in world.text(TAIL)
    await world.drain()
    assert world.got() == []


async def test_calling_off_the_whole_removes_both_where_that_is_wanted(world, say):
    await part(world, say)
    world.policy = say.replace(world.policy, cancel="delete")
    off = {"STATUS": "CANCELLED", "SEQUENCE": "2", "DTSTAMP": "20261101T120000Z"}
    await world.mail("CANCEL", say.invitation(**off))
    assert world.text(HREF) == world.text(TAIL) == ""
    await world.drain()
    assert world.got() == []


async def test_a_strangers_meeting_under_the_name_of_a_tail_is_not_written_over(world, say):
    await world.mail("REQUEST", say.invitation(**WEEKLY))
    forged = say.invitation(linked.tail_uid("m1"), organizer="mallory@example.com", **WEEKLY).replace(
        "END:VEVENT",
        "X-IMIP-GATEWAY-TAIL-OF:m1\nX-IMIP-GATEWAY-TAIL-BEGINS:20261124T100000Z\n"
        "X-IMIP-GATEWAY-TAIL-RULE:FREQ=WEEKLY\nEND:VEVENT",
    )
    await world.mail("REQUEST", forged, sender="mallory@example.com")
    strange = world.text(TAIL)
    assert "mallory" in strange
    assert "X-IMIP-GATEWAY" not in strange
    mail = await world.mail("REQUEST", say.invitation(**REST))
    assert [one[0] for one in await world.told(mail)] == ["failed"]
    assert world.text(TAIL) == strange
    assert lines(world.text(HREF), "RRULE") == ["RRULE:FREQ=WEEKLY"]


async def test_a_tail_whose_lines_were_stripped_is_still_the_tail(world, say):
    await part(world, say)
    await world.drain()
    gone = [(one + "\r\n", "") for one in lines(world.text(TAIL), "X-IMIP-GATEWAY-TAIL-[A-Z]+")]
    assert len(gone) == 3
    world.edit(TAIL, *gone, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=TENTATIVE"))
    await world.drain()
    (sent,) = world.got("bob@example.net")
    assert (sent.partstat, sent.value("UID")) == ("TENTATIVE", "m1")
