"""What is told of an account, and that every trouble comes with its next step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.flows.doctor import Doctor, findings_json


def doctor(world, *, accounts=None) -> Doctor:
    return Doctor(
        accounts=accounts or world.accounts,
        calendars=world.seen,
        snapshots=world.store.snapshots,
        clock=world.clock,
        domains=("example.org",),
    )


async def examine(world, **more):
    return await doctor(world, **more).examine(world.accounts.find("alice@example.org"))


def codes(finding) -> list[str]:
    assert all(one.text and one.next_step for one in finding.problems)
    return [one.code for one in finding.problems]


async def test_an_account_in_order_has_no_problem(world, say):
    world.save(say.meeting())
    found = await examine(world)
    assert findings_json([found]) == [
        {
            "account": "alice@example.org",
            "addresses": ("alice@example.org", "a.liddell@example.org"),
            "calendars": ("/alice/calendar/",),
            "profile": "radicale",
            "sends": "gateway",
            "known_as": (),
            "organizers": (
                {
                    "stands_as": "mailto:alice@example.org",
                    "address": "alice@example.org",
                    "meetings": 1,
                    "rule": "address",
                },
            ),
            "problems": (),
            "provided": (),
        }
    ]


@pytest.mark.parametrize(("sends", "told"), [("inbound", "server"), ("nobody", "nobody")])
async def test_who_sends_is_told_in_the_words_of_the_interface(world, sends, told):
    world.calendars.sends = sends
    assert (await examine(world)).sends == told


async def test_a_server_that_is_silent_or_refuses_is_a_finding(world, say):
    world.calendars.fail("profile", say.unavailable)
    assert codes(await examine(world)) == ["server-silent"]
    world.calendars.fail("profile", say.refused)
    assert codes(await examine(world)) == ["login-refused"]


async def test_an_account_without_calendars_is_told(world):
    world.calendars.objects.clear()
    assert codes(await examine(world))[:2] == ["nothing-watched", "no-calendar"]


async def test_what_was_never_read_or_could_not_be_is_told(world, say):
    world.calendars.fail("sync", say.unavailable, path="/alice/calendar/")
    await world.sync()
    assert codes(await examine(world)) == ["round-failed"]
    bob = replace(world.accounts.find("alice@example.org"), address="new@example.org")
    assert codes(await doctor(world).examine(bob)) == ["never-looked-at"]


@pytest.mark.parametrize(
    ("organizer", "code"),
    [
        ("mailto:liddell@example.org", "organizer-not-ours"),
        ("/principals/alice/", "organizer-without-address"),
        ("urn:uuid:8b", "organizer-without-address"),
    ],
)
async def test_an_organizer_whom_nobody_would_recognise_is_told(world, say, organizer, code):
    world.save(say.event(more=f"ORGANIZER:{organizer}\nATTENDEE:mailto:bob@example.net"))
    assert codes(await examine(world)) == [code]


@pytest.mark.parametrize(
    "organizer", ["mailto:bob@example.net", "mailto:dora@example.org", "mailto:a.liddell@example.org"]
)
async def test_other_people_s_meetings_and_aliases_are_no_problem(world, say, organizer):
    world.save(say.event(more=f"ORGANIZER:{organizer}\nATTENDEE:mailto:carol@example.net"))
    assert codes(await examine(world)) == []


async def test_many_odd_organizers_make_one_line(world, say):
    for number in range(9):
        more = f"ORGANIZER:mailto:alice{number}@example.org\nATTENDEE:mailto:bob@example.net"
        world.save(say.event(f"odd{number}", more=more), name=f"odd{number}")
    (one,) = (await examine(world)).problems
    assert "and 6 more" in one.text
    assert len(one.text) < 300


MAILED = (":mailto:bob", ";SCHEDULE-STATUS=1.1:mailto:bob")


async def test_a_server_that_mails_although_its_mail_should_be_off_is_told(world, say):
    world.calendars.provided = ("its mail is off",)
    world.save(say.meeting())
    found = await examine(world)
    assert (codes(found), found.provided) == ([], ("its mail is off",))
    world.edit("/alice/calendar/m1.ics", MAILED)
    (one,) = (await examine(world)).problems
    assert one.code == "second-sender" and "bob@example.net" in one.text


async def test_our_own_word_that_a_letter_left_is_no_second_sender(world, say):
    world.edit(world.save(say.meeting()), MAILED)
    assert codes(await examine(world)) == []


async def test_what_somebody_elses_server_says_is_no_second_sender(world, say):
    world.calendars.provided = ("its mail is off",)
    world.save(say.invitation())
    world.edit("/alice/calendar/m1.ics", (":mailto:alice", ";SCHEDULE-STATUS=1.1:mailto:alice"))
    assert codes(await examine(world)) == []


async def test_an_object_that_cannot_be_understood_is_counted(world, say):
    world.calendars.save("/alice/calendar/odd.ics", b"BEGIN:VCALENDAR\r\nnonsense")
    (one,) = (await examine(world)).problems
    assert one.code == "malformed-calendar"
    assert "understood: 1;" in one.text


@pytest.mark.parametrize(
    ("organizer", "rule"),
    [
        (":/dav/p/alice/", "principal"),
        (":URN:UUID:1", "uuid"),
        (";EMAIL=alice@example.org:/x/", "email-parameter"),
        (";CN=alice@example.org:/x/", "name"),
        (":mailto:a.liddell@example.org", "address"),
    ],
)
async def test_by_which_rule_an_organizer_is_recognised_is_told(world, say, organizer, rule):
    world.calendars.known_as = {
        "alice@example.org": ("/dav/p/alice/", "urn:uuid:1", "mailto:alice@example.org")
    }
    world.save(say.event(more=f"ORGANIZER{organizer}\nATTENDEE:mailto:bob@example.net"))
    found = await examine(world)
    assert [(one.stands_as, one.meetings, one.rule) for one in found.organizers] == [
        (organizer.rpartition(":/")[2] and organizer.partition(":")[2], 1, rule)
    ]
    assert codes(found) == []
    assert "/dav/p/alice/" in found.known_as
    await world.settle()
    (story,) = await world.store.journal.story("m1")
    notes = [one for one in story["notes"] if one["code"] == "known-as"]
    assert [one["rule"] for one in notes] == ([] if rule == "address" else [rule])


async def test_an_address_that_only_the_server_knows_is_told(world):
    world.calendars.known_as = {"alice@example.org": ("mailto:al@example.com", "mailto:dora@example.org")}
    (one,) = (await examine(world)).problems
    assert (one.code, 'aliases = ["al@example.com"]' in one.next_step) == ("server-knows-other-address", True)


async def test_what_the_server_calls_an_account_stands_beside_an_organizer_without_address(world, say):
    world.calendars.known_as = {"alice@example.org": ("/dav/p/alice/",)}
    world.save(say.event(more="ORGANIZER:/other/alice/\nATTENDEE:mailto:bob@example.net"))
    found = await examine(world)
    (one,) = found.problems
    assert "/dav/p/alice/" in one.text
    assert [(one.stands_as, one.rule) for one in found.organizers] == [("/other/alice/", "")]
