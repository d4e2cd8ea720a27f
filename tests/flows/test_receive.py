"""From the door to one job per account and meeting; whatever is in a mail, it ends in an outcome."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.accounts import Account
from gateway.errors import QueueFull
from gateway.flows.receive import Door, lane, pack_verdict, unpack_verdict
from gateway.ical.address import Address
from gateway.itip.model import Certainty, Verdict


async def test_a_mail_without_calendar_costs_no_row(world):
    content = b"From: a@example.net\r\nTo: alice@example.org\r\nSubject: hi\r\n\r\nhello\r\n"
    assert await world.deliver(content) == ""
    assert await world.waiting() == []


async def test_a_mail_to_the_gateway_itself_is_kept_whatever_it_holds(world):
    content = b"From: a@example.net\r\nMessage-ID: <hi@example.net>\r\n\r\naccept\r\n"
    assert await world.deliver(content, to="calendar+token@example.org") != ""
    await world.work()
    assert await world.told("<hi@example.net>") == [("ignored", "unknown-recipient")]


async def test_a_mail_for_an_alias_reaches_its_account_under_the_alias(world, say):
    mail = await world.mail(
        "REQUEST", say.invitation(guests="a.liddell@example.org"), to="A.Liddell@example.org"
    )
    assert await world.told(mail) == [("applied", "invitation-stored")]
    assert "mailto:a.liddell@example.org" in world.text("/alice/calendar/m1.ics")


async def test_an_unknown_recipient_ends_with_its_reason(world, say):
    mail = await world.mail("REQUEST", say.invitation(), to="nobody@example.org")
    assert await world.told(mail) == [("ignored", "unknown-recipient")]
    assert await world.waiting() == []


async def test_a_malformed_calendar_ends_as_refused_and_names_the_account(world, say):
    content = say.raw_mail(
        b"BEGIN:VCALENDAR\r\nnothing\r\n",
        "REQUEST",
        sender="bob@example.net",
        to="alice@example.org",
        message_id="<bad@example.net>",
    )
    await world.deliver(content)
    await world.work()
    assert await world.told("<bad@example.net>") == [("refused", "malformed-calendar")]
    (entry,) = await world.store.journal.story("<bad@example.net>")
    assert (entry["kind"], entry["account"], entry["sender"]) == (
        "mail",
        "alice@example.org",
        "bob@example.net",
    )


async def test_what_is_no_mail_at_all_ends_as_refused(world):
    name = await world.process.door._intake.accept(_received(world, b"text/calendar\x00"))
    await world.work()
    assert await world.told(name) == [("refused", "malformed-mail")]


async def test_a_repeated_handover_of_one_mail_is_one_job(world, say):
    first = await world.mail("REQUEST", say.invitation(), message_id="<same@example.net>", run=False)
    await world.mail("REQUEST", say.invitation(), message_id="<same@example.net>")
    assert await world.told(first) == [("applied", "invitation-stored")]


async def test_two_meetings_of_one_mail_have_an_outcome_each(world, say):
    mail = await world.mail("REQUEST", say.invitation("a") + "\n" + say.invitation("b"))
    story = await world.store.journal.story(mail)
    assert sorted((one["uid"], one["outcome"]) for one in story) == [("a", "applied"), ("b", "applied")]


async def test_the_story_is_found_by_the_job_that_the_door_named(world, say):
    content = say.raw_mail(
        say.calendar(say.invitation(), "REQUEST"),
        "REQUEST",
        sender="bob@example.net",
        to="alice@example.org",
        message_id="<a@example.net>",
    )
    job = await world.deliver(content)
    await world.work()
    assert await world.told(job) == [("applied", "invitation-stored")]


async def test_a_mismatch_of_methods_lowers_the_verdict_of_its_part(world, say):
    content = say.raw_mail(
        say.calendar(say.invitation(), "REQUEST"),
        "PUBLISH",
        sender="bob@example.net",
        to="alice@example.org",
        message_id="<odd@example.net>",
    )
    await world.deliver(content)
    await world.work()
    (entry,) = await world.store.journal.story("<odd@example.net>")
    assert entry["certainty"] == "likely"


async def test_what_the_limits_let_in_is_not_refused_later(world, say, monkeypatch):
    """The limits are asked at the door; nobody behind it asks smaller ones."""
    many = " ".join(f"guest{number}@example.net" for number in range(1_100))
    generous = say.replace(world.receive._settings.calendar_limits, attendees=5_000)
    settings = say.replace(world.receive._settings, calendar_limits=generous)
    monkeypatch.setattr(world.receive, "_settings", settings)
    mail = await world.mail("REQUEST", say.invitation(guests=f"alice@example.org {many}"))
    assert await world.told(mail) == [("applied", "invitation-stored")]


def test_a_verdict_survives_its_journey_through_the_queue():
    for sender in (Address("bob@example.net"), None):
        verdict = Verdict(
            sender=sender, certainty=Certainty.LIKELY, reasons=("dkim-pass",), lowered=("by-name",)
        )
        assert unpack_verdict(pack_verdict(verdict)) == verdict


def test_a_meeting_has_a_lane_per_account():
    alice, dora = (Account(address=f"{name}@example.org") for name in ("alice", "dora"))
    assert len({lane(alice, "m1"), lane(dora, "m1"), lane(alice, "m2")}) == 3


@pytest.mark.parametrize("kind", ["room", "resource"])
def test_all_meetings_of_a_room_or_resource_have_one_lane(kind):
    room = Account(address="room1@example.org", kind=kind)
    assert lane(room, "m1") == lane(room, "m2")


def _received(world, content: bytes):
    from gateway.ports import Envelope, Peer, ReceivedMail, Recipient

    return ReceivedMail(
        envelope=Envelope(sender="", recipients=(Recipient(address="alice@example.org"),)),
        peer=Peer(),
        content=content,
        received_at=world.clock.now(),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, 900),
    junk=st.binary(max_size=30),
    length=st.integers(0, 40),
)
def test_whatever_bytes_a_mail_holds_it_ends_and_nothing_is_tried_again(
    event_loop_of, say, cut, junk, length
):
    world, run = event_loop_of
    content = say.raw_mail(
        say.calendar(say.invitation(), "REQUEST"),
        "REQUEST",
        sender="bob@example.net",
        to="alice@example.org",
        message_id="<a@example.net>",
    )
    broken = content[:cut] + junk + content[cut + length :]

    async def meet():
        await world.process.door._intake.accept(_received(world, broken))
        await world.work()
        for item in await world.store.held.list():
            await world.store.held.refuse(item["id"])
        for job in await world.store.queue.list_jobs():
            if job["state"] == "waiting":
                await world.store.queue.drop(job["id"])
        return await world.waiting()

    assert run(meet()) == []


async def test_a_door_that_closes_and_opens_says_so_once_each(world, caplog):
    class Full:
        closed, error = "", None

        async def accept(self, mail, **ways):
            if self.closed:
                raise QueueFull(self.closed)
            return "1"

        async def look(self):
            self.closed = ""

    queue, mail = Full(), _received(world, b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n")
    caplog.set_level("INFO", logger="imip-gateway")
    door = Door(queue, world.accounts, world.log)
    await door.accept(mail)
    queue.closed = "8 jobs are due"
    for _ in range(2):
        with pytest.raises(QueueFull):
            await door.accept(mail)
    assert b"imip_gateway_door_open 0.0" in world.log.exposition()
    await door.look()
    await door.look()
    await door.accept(mail)
    assert b"imip_gateway_door_open 1.0" in world.log.exposition()
    assert [one.message for one in caplog.records] == ["door.closed", "door.opened"]
