"""What a mail says is decided against what the calendar holds; what must wait is held or parked."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import NoFittingCalendar

HREF = "/alice/calendar/m1.ics"
CANCELLED = {"SEQUENCE": "1", "STATUS": "CANCELLED", "DTSTAMP": "20261101T090000Z"}


async def only_held(world) -> dict:
    (item,) = await world.store.held.list()
    return item


async def test_a_message_of_an_unproven_sender_is_held_and_writes_nothing(world, say):
    mail = await world.mail("REQUEST", say.invitation(), dmarc="none")
    assert await world.told(mail) == [("held", "not-authenticated")]
    item = await only_held(world)
    assert (item["kind"], item["account"], item["method"]) == ("mail", "alice@example.org", "REQUEST")
    assert (item["sender"], item["message_id"]) == ("bob@example.net", mail)
    assert world.text(HREF) == ""


async def test_a_held_message_runs_on_approval(world, say):
    mail = await world.mail("REQUEST", say.invitation(), dmarc="none")
    assert await world.store.held.approve((await only_held(world))["id"])
    await world.work()
    assert await world.told(mail) == [("held", "not-authenticated"), ("applied", "invitation-stored")]
    assert "SUMMARY:Lunch" in world.text(HREF)
    assert await world.store.held.list() == []


async def test_a_refused_message_ends_and_writes_nothing(world, say):
    mail = await world.mail("REQUEST", say.invitation(), dmarc="none")
    assert await world.store.held.refuse((await only_held(world))["id"])
    await world.work()
    assert (await world.told(mail))[-1] == ("refused", "policy")
    assert world.text(HREF) == ""


async def test_approval_does_not_lift_what_was_refused(world, say):
    mail = await world.mail("REQUEST", say.invitation(), dmarc="fail")
    assert await world.told(mail) == [("refused", "sender-contradicted")]
    assert await world.store.held.list() == []


async def test_the_same_mail_twice_is_applied_once(world, say):
    await world.mail("REQUEST", say.invitation())
    again = await world.mail("REQUEST", say.invitation())
    assert await world.told(again) == [("unchanged", "duplicate")]
    assert world.calendars.calls.count("put") == 1


async def test_an_answer_that_comes_early_is_parked_and_replayed_when_its_meeting_comes(world, say):
    mail = await world.mail("REPLY", say.answer())
    assert await world.told(mail) == [("parked", "unknown-uid")]
    world.save(say.meeting())
    await world.settle()
    await world.work()
    assert await world.told(mail) == [("parked", "unknown-uid"), ("applied", "answer-recorded")]
    assert "ATTENDEE;PARTSTAT=ACCEPTED" in world.text(HREF).partition("bob@example.net")[0]


async def test_an_answer_whose_meeting_never_comes_expires_with_an_outcome(world, say):
    mail = await world.mail("REPLY", say.answer())
    world.clock.forward(hours=71)
    await world.work()
    assert await world.told(mail) == [("parked", "unknown-uid")]
    world.clock.forward(hours=2)
    await world.work()
    assert await world.told(mail) == [("parked", "unknown-uid"), ("refused", "unknown-uid")]
    assert await world.waiting() == []


async def test_a_parked_message_is_told_once_however_often_it_is_asked(world, say):
    early = await world.mail("REPLY", say.answer(RECURRENCE_ID="20261110T100000Z"))
    parked = await world.told(early)
    await world.mail("REPLY", say.answer(who="carol@example.com"), sender="carol@example.com")
    await world.work()
    assert await world.told(early) == parked


async def test_a_proven_cancellation_that_expires_still_stops_its_late_invitation(world, say):
    await world.mail("CANCEL", say.invitation(**CANCELLED))
    world.clock.forward(hours=73)
    await world.work()
    assert await world.waiting() == []
    await world.mail("REQUEST", say.invitation())
    text = world.text(HREF)
    assert text == "" or "STATUS:CANCELLED" in text


async def test_a_cancellation_that_overtakes_its_invitation_wins(world, say):
    early = await world.mail("CANCEL", say.invitation(**CANCELLED))
    await world.mail("REQUEST", say.invitation())
    await world.work()
    assert "STATUS:CANCELLED" in world.text(HREF)
    assert (await world.told(early))[-1] == ("applied", "meeting-cancelled")


async def test_an_unreachable_calendar_delays_the_message_and_loses_nothing(world, say):
    world.calendars.fail("find", say.unavailable, times=3)
    mail = await world.mail("REQUEST", say.invitation())
    assert await world.told(mail) == []
    assert await world.waiting() == [("apply", "due", "backend-unavailable")]
    await world.drain()
    assert await world.told(mail) == [("applied", "invitation-stored")]


async def test_a_calendar_that_refuses_us_for_good_buries_the_message_where_it_can_be_released(world, say):
    world.calendars.fail("put", say.refused, times=10_000)
    mail = await world.mail("REQUEST", say.invitation())
    for _ in range(60):
        world.clock.forward(hours=1, minutes=15)
        await world.work()
    assert await world.waiting() == [("apply", "buried", "backend-refused")]
    assert await world.told(mail) == [("failed", "backend-refused")]
    world.calendars.faults.clear()
    (job,) = await world.store.queue.list_jobs()
    assert await world.store.queue.release(job["id"])
    await world.work()
    assert "SUMMARY:Lunch" in world.text(HREF)


async def test_an_account_that_is_gone_ends_its_messages_with_a_reason(world, say):
    world.calendars.fail("put", say.unavailable)
    mail = await world.mail("REQUEST", say.invitation())
    world.accounts._by_address.clear()
    world.clock.forward(hours=1)
    await world.work()
    assert await world.told(mail) == [("ignored", "unknown-recipient")]


async def test_the_owners_rule_has_the_last_word(world, say):
    world.policy = say.replace(world.policy, action="refuse")
    mail = await world.mail("REQUEST", say.invitation())
    assert await world.told(mail) == [("refused", "policy")]
    assert world.text(HREF) == ""


@pytest.mark.parametrize(("cancel", "left"), [("mark", True), ("delete", False)], ids=["marked", "deleted"])
async def test_a_cancelled_meeting_is_left_as_the_owner_wants_and_nobody_is_told(world, say, cancel, left):
    world.policy = say.replace(world.policy, cancel=cancel)
    await world.mail("REQUEST", say.invitation())
    await world.settle()
    mail = await world.mail("CANCEL", say.invitation(**CANCELLED))
    assert await world.told(mail) == [("applied", "meeting-cancelled")]
    assert ("STATUS:CANCELLED" in world.text(HREF)) is left
    await world.settle(minutes=6)
    assert world.got() == []


async def test_what_was_there_before_is_kept_for_taking_back(world, say):
    await world.mail("REQUEST", say.invitation())
    before = world.calendars.objects["/alice/calendar/"][HREF][1]
    await world.mail("REQUEST", say.invitation(SEQUENCE="1", LOCATION="Bar"))
    rows = world.store.db.read_now(
        lambda conn: conn.exec_driver_sql("SELECT restore FROM journal ORDER BY number").scalars().all()
    )
    assert rows == [None, before]


async def test_an_invitation_for_two_accounts_is_stored_in_both_calendars(world, say):
    world.calendars.collection("dora", "calendar")
    mail = await world.mail(
        "REQUEST",
        say.invitation(guests="alice@example.org dora@example.org"),
        to="alice@example.org,dora@example.org",
    )
    assert await world.told(mail) == [("applied", "invitation-stored")] * 2
    assert "SUMMARY:Lunch" in world.text("/dora/calendar/m1.ics")


async def test_a_guest_who_asks_again_is_answered_once_and_marked_as_a_machine_does(world, say):
    world.save(say.meeting())
    await world.settle()
    await world.work()
    sent = len(world.got())
    question = say.event(
        "m1",
        more="ORGANIZER:mailto:alice@example.org\nATTENDEE:mailto:bob@example.net",
        DTSTAMP="20261102T090000Z",
    )
    mail = await world.mail("REFRESH", question, sender="bob@example.net")
    again = await world.mail("REFRESH", question, sender="bob@example.net")
    await world.work()
    assert await world.told(mail) == [("applied", "refreshed")]
    assert await world.told(again) == [("ignored", "rate-limited")]
    (letter,) = world.got()[sent:]
    assert (letter.to, letter.method) == ("bob@example.net", "REQUEST")
    assert b"Auto-Submitted: auto-replied" in letter.content
    assert mail.strip("<>").encode() in letter.content


@pytest.mark.parametrize(("sends", "told"), [("gateway", ["dan@example.net"]), ("nobody", [])])
async def test_a_delegate_hears_of_it_once_from_us_or_from_the_server(world, say, sends, told):
    world.save(say.meeting())
    await world.settle()
    await world.work()
    sent = len(world.got())
    world.calendars.sends = sends
    answer = say.answer(partstat='DELEGATED;DELEGATED-TO="mailto:dan@example.net"')
    mail = await world.mail("REPLY", answer, sender="bob@example.net")
    await world.work()
    assert await world.told(mail) == [("applied", "answer-recorded")]
    assert [one.to for one in world.got()[sent:]] == told
    assert "dan@example.net" in world.text(HREF)
    await world.settle()
    await world.work()
    assert [one.to for one in world.got()[sent:]] == told


async def test_one_of_our_own_who_asks_is_told_when_somebody_is_busy_and_nothing_else(world, say):
    world.policy = say.replace(world.policy, freebusy="domains", freebusy_domains=frozenset({"example.net"}))
    world.save(say.event("x", DTSTART="20261103T090000Z", DTEND="20261103T100000Z", SUMMARY="Secret"))
    question = """BEGIN:VFREEBUSY
UID:f1@example.net
DTSTAMP:20261102T080000Z
ORGANIZER:mailto:bob@example.net
ATTENDEE:mailto:alice@example.org
DTSTART:20261103T000000Z
DTEND:20261104T000000Z
END:VFREEBUSY
"""
    mail = await world.mail("REQUEST", question, sender="bob@example.net")
    await world.work()
    assert await world.told(mail) == [("applied", "busy-told")]
    (letter,) = [one for one in world.got() if one.method == "REPLY"]
    assert "FREEBUSY;FBTYPE=BUSY:20261103T090000Z/20261103T100000Z" in letter.calendar
    assert b"Auto-Submitted: auto-replied" in letter.content and "Secret" not in letter.calendar
    again = await world.mail(
        "REQUEST", question.replace("f1@", "f2@"), sender="bob@example.net", dmarc="none"
    )
    assert await world.told(again) == [("ignored", "not-authenticated")]


QUESTION = """BEGIN:VFREEBUSY
UID:{uid}
DTSTAMP:20261102T080000Z
ORGANIZER:mailto:{who}
ATTENDEE:mailto:alice@example.org
DTSTART:20261103T000000Z
DTEND:20261104T000000Z
END:VFREEBUSY
"""


async def ask_about_busy_times(world: Any, who: str, uid: str) -> list[tuple[str, str]]:
    mail = await world.mail("REQUEST", QUESTION.format(uid=uid, who=who), sender=who)
    await world.work()
    return list(await world.told(mail))


async def test_whom_the_owner_has_invited_may_ask_when_he_is_busy_and_who_only_asks_is_never_known(
    world, say
):
    world.policy = say.replace(world.policy, freebusy="known")
    assert await ask_about_busy_times(world, "bob@example.net", "f1") == [("applied", "busy-withheld")]
    assert await ask_about_busy_times(world, "bob@example.net", "f2") != [("applied", "busy-told")]
    await world.sync()
    world.save(say.meeting())
    await world.settle()
    await world.work()
    world.clock.forward(days=2)
    question = QUESTION.replace("20261103", "20261106").replace("20261104", "20261107")
    for who, outcome in (("bob@example.net", "busy-told"), ("eve@example.com", "busy-withheld")):
        mail = await world.mail("REQUEST", question.format(uid=f"f-{who}", who=who), sender=who)
        await world.work()
        assert await world.told(mail) == [("applied", outcome)]


async def test_an_event_that_cannot_be_read_keeps_nobody_from_the_answer_and_is_noted(world, say):
    world.policy = say.replace(world.policy, freebusy="all")
    world.save(say.event("x", DTSTART="20261103T090000Z", DTEND="20261103T100000Z"))
    world.calendars.save("/alice/calendar/broken.ics", b"BEGIN:VCALENDAR\r\nnonsense\r\n")
    assert await ask_about_busy_times(world, "bob@example.net", "f1") == [("applied", "busy-told")]
    (letter,) = [one for one in world.got() if one.method == "REPLY"]
    assert "FREEBUSY;FBTYPE=BUSY:20261103T090000Z/20261103T100000Z" in letter.calendar
    (line,) = await world.store.journal.story("f1")
    assert {"code": "unread-events", "count": "1"} in line["notes"]


REST = {"DTSTART": "20261124T100000Z", "DTEND": "20261124T110000Z", "RRULE": "FREQ=WEEKLY"}


async def accepted_series(world, say, **lines):
    await world.mail("REQUEST", say.invitation(RRULE="FREQ=WEEKLY", **lines))
    await world.drain()
    world.edit(
        HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"), ("SUMMARY:", "CATEGORIES:Mine\r\nSUMMARY:")
    )
    await world.drain()
    assert [one.partstat for one in world.got("bob@example.net")] == ["ACCEPTED"]


async def test_the_rest_of_a_series_under_a_new_uid_is_answered_as_the_series_was(world, say):
    await accepted_series(world, say)
    mail = await world.mail("REQUEST", say.invitation("other", **REST))
    await world.drain()
    assert await world.told(mail) == [("applied", "invitation-stored")]
    stored = world.text("/alice/calendar/other.ics")
    assert "CATEGORIES:Mine" in stored
    assert "PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:alice@example.org" in stored
    first, second = world.got("bob@example.net")
    assert (second.value("UID"), second.partstat) == ("other", "ACCEPTED")
    assert b"Auto-Submitted: auto-replied" in second.content
    assert first.value("UID") == "m1"


async def test_the_old_series_may_have_been_ended_before_the_rest_comes(world, say):
    await accepted_series(world, say)
    ended = say.invitation(RRULE="FREQ=WEEKLY;COUNT=2", SEQUENCE="1", DTSTAMP="20261101T090000Z")
    await world.mail("REQUEST", ended)
    await world.mail("REQUEST", say.invitation("other", **REST))
    await world.drain()
    assert [one.value("UID") for one in world.got("bob@example.net")] == ["m1", "other"]
    assert "PARTSTAT=ACCEPTED" in world.text("/alice/calendar/other.ics")


async def test_a_strangers_rest_of_a_series_is_an_invitation_like_any_other(world, say):
    await accepted_series(world, say)
    strange = say.invitation("other", organizer="eve@evil.example", **REST)
    await world.mail("REQUEST", strange, sender="eve@evil.example")
    await world.drain()
    assert "PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:alice@example.org" in world.text(
        "/alice/calendar/other.ics"
    )
    assert "CATEGORIES" not in world.text("/alice/calendar/other.ics")
    assert world.got("eve@evil.example") == []


async def test_an_unproven_rest_of_a_series_is_held(world, say):
    await accepted_series(world, say)
    mail = await world.mail("REQUEST", say.invitation("other", **REST), dmarc="none")
    assert await world.told(mail) == [("held", "not-authenticated")]
    assert world.text("/alice/calendar/other.ics") == ""


def instance_of(say, key: str, **lines) -> str:
    return say.invitation(RECURRENCE_ID=key, DTSTART=key, DTEND=key.replace("T10", "T11"), **lines)


TWO = ("20261110T100000Z", "20261117T100000Z")


async def test_instances_without_their_series_are_stored_as_the_server_takes_them(world, say):
    await world.mail("REQUEST", instance_of(say, TWO[0]))
    assert "X-IMIP-GATEWAY-PARTIAL" not in world.text(HREF)
    mail = await world.mail("REQUEST", instance_of(say, TWO[1], DTSTAMP="20261101T090000Z"))
    assert await world.told(mail) == [("applied", "invitation-rescheduled")]
    stored = world.text(HREF)
    assert "X-IMIP-GATEWAY-PARTIAL:TRUE" in stored and f"RDATE:{TWO[1]}" in stored
    await world.drain()
    assert world.got() == []
    again = await world.mail("REQUEST", instance_of(say, TWO[1], DTSTAMP="20261101T090000Z"))
    assert await world.told(again) == [("unchanged", "duplicate")]


async def test_a_server_that_takes_them_as_they_are_gets_them_so(world, say):
    world.calendars.orphans = 100
    for key in TWO:
        await world.mail("REQUEST", instance_of(say, key))
    assert "X-IMIP-GATEWAY-PARTIAL" not in world.text(HREF)
    assert world.text(HREF).count("RECURRENCE-ID") == 2


async def test_an_answer_to_one_of_them_names_that_one_and_nothing_of_ours(world, say):
    for key in TWO:
        await world.mail("REQUEST", instance_of(say, key))
    await world.drain()
    stored = world.text(HREF)
    before, mark, after = stored.partition(f"RECURRENCE-ID:{TWO[1]}")
    world.calendars.save(HREF, (before + mark + after.replace("NEEDS-ACTION", "ACCEPTED", 1)).encode())
    await world.drain()
    (letter,) = world.got("bob@example.net")
    assert (letter.value("RECURRENCE-ID"), letter.partstat) == (TWO[1], "ACCEPTED")
    assert letter.calendar.count("BEGIN:VEVENT") == 1
    assert b"X-IMIP-GATEWAY" not in letter.calendar.encode() and "RDATE" not in letter.calendar


async def test_the_whole_series_takes_the_place_of_what_stood_for_it(world, say):
    for key in TWO:
        await world.mail("REQUEST", instance_of(say, key))
    await world.drain()
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION;RSVP=TRUE;X-IMIP", "PARTSTAT=ACCEPTED;RSVP=TRUE;X-IMIP"))
    await world.drain()
    (letter,) = world.got("bob@example.net")
    assert letter.calendar.count("PARTSTAT=ACCEPTED") == 2
    whole = say.invitation(RRULE="FREQ=WEEKLY", DTSTART="20261103T100000Z", DTEND="20261103T110000Z")
    await world.mail("REQUEST", whole.replace("20261101T080000Z", "20261101T100000Z"))
    stored = world.text(HREF)
    assert "RRULE:FREQ=WEEKLY" in stored
    assert "X-IMIP-GATEWAY-PARTIAL" not in stored and "RDATE" not in stored
    assert stored.count("PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:alice") == 2  # of these dates, not of the series
    await world.drain()
    assert len(world.got()) == 1


FAIR = {"more": "ORGANIZER:mailto:bob@example.net"}


async def test_what_is_published_is_for_those_who_want_it_and_mails_nobody(world, say):
    unwanted = await world.mail("PUBLISH", say.event(**FAIR), dmarc="none")
    assert await world.told(unwanted) == [("ignored", "publish-off")]
    assert (world.text(HREF), await world.store.held.list()) == ("", [])
    world.policy = say.replace(world.policy, publish=True)
    wanted = await world.mail("PUBLISH", say.event(**FAIR))
    assert await world.told(wanted) == [("applied", "publication-stored")]
    world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:With Bob"))
    await world.drain()
    gone = await world.mail("CANCEL", say.event(SEQUENCE="1", DTSTAMP="20261101T090000Z", **FAIR))
    assert await world.told(gone) == [("applied", "meeting-cancelled")]
    assert "STATUS:CANCELLED" in world.text(HREF) and "SUMMARY:With Bob" in world.text(HREF)
    await world.drain()
    assert world.got() == []


async def test_a_publication_of_an_unproven_sender_waits_for_the_owner(world, say):
    world.policy = say.replace(world.policy, publish=True)
    mail = await world.mail("PUBLISH", say.event(), dmarc="none")
    assert await world.told(mail) == [("held", "not-authenticated")]
    assert world.text(HREF) == ""
    await world.store.held.approve((await only_held(world))["id"])
    await world.work()
    assert (await world.told(mail))[-1] == ("applied", "publication-stored")
    assert "ORGANIZER:mailto:bob@example.net" in world.text(HREF)


async def test_several_things_published_in_one_mail_are_stored_one_by_one(world, say):
    world.policy = say.replace(world.policy, publish=True)
    mail = await world.mail("PUBLISH", say.event(**FAIR) + "\n" + say.event("m2", **FAIR))
    assert await world.told(mail) == [("applied", "publication-stored")] * 2
    assert "UID:m1" in world.text(HREF) and "UID:m2" in world.text(HREF.replace("m1", "m2"))


async def test_a_journal_that_no_calendar_takes_ends_with_a_reason(world, say):
    world.policy = say.replace(world.policy, publish=True)
    world.calendars.fail("invitations", NoFittingCalendar())
    journal = say.event(DTEND="", **FAIR).replace("VEVENT", "VJOURNAL")
    mail = await world.mail("PUBLISH", journal)
    assert await world.told(mail) == [("unsupported", "unsupported-component")]
    again = await world.mail("PUBLISH", journal)
    assert await world.told(again) == [("applied", "publication-stored")]
    world.edit(HREF, ("SUMMARY:Lunch", "SUMMARY:Minutes"))
    await world.drain()
    assert world.got() == []


async def test_a_date_that_is_added_is_answered_by_itself(world, say):
    more = {"SEQUENCE": "1", "DTSTART": "20261112T100000Z", "DTEND": "20261112T110000Z"}
    early = await world.mail("ADD", say.invitation(**more))
    assert await world.told(early) == [("parked", "unknown-uid")]
    await world.mail("REQUEST", say.invitation())
    await world.drain()
    assert (await world.told(early))[-1] == ("applied", "instance-added")
    text = world.text(HREF)
    assert "RDATE:20261112T100000Z" in text and "RECURRENCE-ID:20261112T100000Z" in text
    head, _, last = text.rpartition("BEGIN:VEVENT")
    world.calendars.save(HREF, f"{head}BEGIN:VEVENT{last.replace('NEEDS-ACTION', 'ACCEPTED')}".encode())
    await world.drain()
    (sent,) = world.got("bob@example.net")
    assert (sent.method, sent.partstat) == ("REPLY", "ACCEPTED")
    assert sent.value("RECURRENCE-ID") == "20261112T100000Z"


async def test_an_answer_to_our_letter_from_another_address_is_asked_about_once(world, say):
    href = world.save(say.meeting())
    await world.settle()
    await world.work()
    (letter,) = world.got("bob@example.net")
    home = "bob@home.example"

    def partstats() -> list[str]:
        lines = [one for one in world.text(href).splitlines() if one.endswith("mailto:bob@example.net")]
        return [word for one in lines for word in ("ACCEPTED", "DECLINED") if f"PARTSTAT={word}" in one]

    async def answers(partstat: str, stamp: str, thread: str) -> str:
        data = say.calendar(say.answer(partstat=partstat, who=home, DTSTAMP=stamp), "REPLY")
        name = f"<{stamp}@home.example>"
        content = say.raw_mail(
            data, "REPLY", sender=home, to="alice@example.org", message_id=name, extra=thread
        )
        await world.deliver(content, sender=home)
        await world.work()
        await world.work()
        return name

    mail = await answers("ACCEPTED", "20261102T090000Z", f"In-Reply-To: {letter.message_id}\n")
    assert await world.told(mail) == [("held", "other-address"), ("applied", "stranger-told")]
    (held,) = await world.store.held.list()
    assert (held["kind"], held["sender"]) == ("crasher", home)
    await world.store.held.approve(held["id"])
    await world.work()
    assert partstats() == ["ACCEPTED"] and home not in world.text(href)
    world.clock.forward(hours=3)
    mail = await answers("DECLINED", "20261102T100000Z", "")
    assert await world.told(mail) == [("applied", "answer-recorded")]
    assert partstats() == ["DECLINED"]
    stranger = say.answer(uid="m1", who="eve@example.net", DTSTAMP="20261102T110000Z")
    mail = await world.mail("REPLY", stranger, sender="eve@example.net")
    assert (await world.told(mail))[0] == ("held", "party-crasher")


@pytest.mark.parametrize("end", ["DTEND:20261103T100000Z", "DURATION:PT0S"])
async def test_a_server_that_wants_a_length_gets_a_second_that_nobody_else_sees(world, say, end):
    world.calendars.momentary = False
    text = say.invitation(DTSTART="20261103T100000Z", DTEND="20261103T100000Z")
    mail = await world.mail("REQUEST", text.replace("DTEND:20261103T100000Z", end))
    assert await world.told(mail) == [("applied", "invitation-stored")]
    assert "DURATION:PT1S" in world.text(HREF) and "DTEND" not in world.text(HREF)
    await world.drain()
    world.edit(HREF, ("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    await world.drain()
    (letter,) = world.got("bob@example.net")
    assert letter.partstat == "ACCEPTED" and "DTSTART:20261103T100000Z" in letter.calendar
    assert "PT1S" not in letter.calendar and "X-IMIP-GATEWAY-MOMENT" not in letter.calendar
    moved = say.invitation(SEQUENCE="1", DTSTART="20261104T100000Z", DTEND="20261104T110000Z")
    mail = await world.mail("REQUEST", moved.replace("20261101T080000Z", "20261101T100000Z"))
    assert await world.told(mail) == [("applied", "invitation-rescheduled")]
    stored = world.text(HREF)
    assert "DTEND:20261104T110000Z" in stored and "PT1S" not in stored and "MOMENT" not in stored
