"""We organize: calendar, letters out, answers in."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)
ALICE, DAVE, ERIN = "alice@example.org", "dave@example.com", "erin@example.com"
UID = "plan-1"


def instant(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def event(
    *lines: str, start: datetime = START, sequence: int = 0, guests: tuple[str, ...] = (DAVE, ERIN)
) -> str:
    return "\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Client//EN",
            "BEGIN:VEVENT",
            f"UID:{UID}",
            f"DTSTAMP:{instant(datetime.now(UTC))}",
            f"SEQUENCE:{sequence}",
            f"DTSTART:{instant(start)}",
            f"DTEND:{instant(start + timedelta(hours=1))}",
            "SUMMARY:Planning",
            f"ORGANIZER;CN=Alice:mailto:{ALICE}",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ALICE}",
            *[f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{one}" for one in guests],
            *lines,
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


def calendar_part(letter: Any) -> str:
    part = next(one for one in letter.walk() if one.get_content_type() == "text/calendar")
    return str(part.get_content()).replace("\r\n", "\n").replace("\n ", "")


def to(letters: list[Any]) -> list[str]:
    return sorted(one["To"].addresses[0].addr_spec for one in letters)


def reply(gateway: Any, sender: str, partstat: str, *lines: str, sequence: int = 0) -> None:
    body = (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Guest//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:{UID}\r\n"
        f"DTSTAMP:{instant(datetime.now(UTC))}\r\nSEQUENCE:{sequence}\r\nDTSTART:{instant(START)}\r\n"
        + "".join(f"{line}\r\n" for line in lines)
        + f"ORGANIZER:mailto:{ALICE}\r\nATTENDEE;PARTSTAT={partstat}:mailto:{sender}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    mail = f"From: {sender}\r\nTo: {ALICE}\r\nSubject: {partstat}\r\nMessage-ID: <{partstat}.{sender}>\r\nContent-Type: text/calendar; method=REPLY; charset=utf-8\r\n\r\n{body}"
    gateway.mail(mail.encode(), ALICE, sender=sender)


def test_the_life_of_a_meeting_that_we_organize(gateway: Any) -> None:
    """Invited, answered, rescheduled, one guest added and one removed, cancelled."""
    gateway.put("alice", UID, event())
    gateway.settle()
    letters = gateway.take_letters()
    assert to(letters) == [DAVE, ERIN]
    for letter in letters:
        assert letter["From"].addresses[0].addr_spec == ALICE
        text = calendar_part(letter)
        assert "METHOD:REQUEST" in text and "SEQUENCE:0" in text and "SUMMARY:Planning" in text

    reply(gateway, DAVE, "ACCEPTED")
    stored = gateway.object("alice", UID)
    line = next(one for one in stored.split("\n") if DAVE in one)
    assert "PARTSTAT=ACCEPTED" in line
    gateway.settle()
    assert gateway.take_letters() == []

    later = START + timedelta(hours=2)
    gateway.put(
        "alice",
        UID,
        stored.replace(instant(START), instant(later)).replace(
            instant(START + timedelta(hours=1)), instant(later + timedelta(hours=1))
        ),
    )
    gateway.settle()
    letters = gateway.take_letters()
    assert to(letters) == [DAVE, ERIN]
    assert all("SEQUENCE:1" in calendar_part(one) for one in letters)
    moved = gateway.object("alice", UID)
    assert "SEQUENCE:1" in moved
    assert "NEEDS-ACTION" in next(one for one in moved.split("\n") if DAVE in one)
    gateway.settle()
    assert gateway.take_letters() == []

    frank = "frank@example.com"
    gateway.put(
        "alice",
        UID,
        moved.replace("SUMMARY:Planning", f"SUMMARY:Planning\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{frank}"),
    )
    gateway.settle()
    (invitation,) = gateway.take_letters()
    assert to([invitation]) == [frank]

    now = gateway.object("alice", UID)
    gateway.put("alice", UID, "\n".join(one for one in now.split("\n") if ERIN not in one))
    gateway.settle()
    (cancel,) = [one for one in gateway.take_letters() if to([one]) == [ERIN]]
    text = calendar_part(cancel)
    assert "METHOD:CANCEL" in text and "STATUS:CANCELLED" not in text

    gateway.delete("alice", UID)
    gateway.settle()
    letters = gateway.take_letters()
    assert to(letters) == [DAVE, frank]
    assert all("METHOD:CANCEL" in calendar_part(one) for one in letters)


@pytest.mark.slow
def test_updates_thread_under_the_invitation(gateway: Any) -> None:
    gateway.put("alice", UID, event(guests=(DAVE,)))
    gateway.settle()
    (first,) = gateway.take_letters()
    gateway.put(
        "alice", UID, gateway.object("alice", UID).replace("SUMMARY:Planning", "SUMMARY:Better planning")
    )
    gateway.settle()
    (second,) = gateway.take_letters()
    assert second["In-Reply-To"] == first["Message-ID"] and first["Message-ID"] in second["References"]
    assert "Better planning" in second["Subject"]


@pytest.mark.slow
def test_one_instance_is_excluded_and_one_guest_answers_for_one_instance(gateway: Any) -> None:
    gateway.put("alice", UID, event("RRULE:FREQ=DAILY;COUNT=5", guests=(DAVE,)))
    gateway.settle()
    gateway.take_letters()
    second = START + timedelta(days=1)
    reply(gateway, DAVE, "DECLINED", f"RECURRENCE-ID:{instant(second)}")
    stored = gateway.object("alice", UID)
    override = next(
        part for part in stored.split("BEGIN:VEVENT") if f"RECURRENCE-ID:{instant(second)}" in part
    )
    assert "PARTSTAT=DECLINED" in override and "SUMMARY:Planning" in override
    gateway.settle()
    assert gateway.take_letters() == []

    third = START + timedelta(days=2)
    gateway.put(
        "alice",
        UID,
        stored.replace("RRULE:FREQ=DAILY;COUNT=5", f"RRULE:FREQ=DAILY;COUNT=5\nEXDATE:{instant(third)}"),
    )
    gateway.settle()
    (cancel,) = gateway.take_letters()
    text = calendar_part(cancel)
    assert "METHOD:CANCEL" in text and f"RECURRENCE-ID:{instant(third)}" in text


def test_history_is_never_mailed(start: Any) -> None:
    """nextcloud/calendar#576: what was there when we first looked stays silent."""
    gateway = start(begun=False)
    gateway.put("alice", UID, event())
    gateway.start()
    gateway.settle()
    assert gateway.letters() == []
    gateway.put("alice", UID, gateway.object("alice", UID).replace("SUMMARY:Planning", "SUMMARY:Planned"))
    gateway.settle()
    assert to(gateway.letters()) == [DAVE, ERIN]


def test_a_server_with_the_hook_is_not_waited_for(start: Any, tmp_path: Any) -> None:
    """SPEC 1.3, 5.1: the watch would look again in an hour; Radicale says at once what was saved."""
    gateway = start(begun=False)
    token = tmp_path / "hook-token"
    token.write_text("s3cret-token")
    token.chmod(0o600)
    text = gateway.config.read_text()
    gateway.config.write_text(text.replace("[web]\n", f'[web]\nhook_token_file = "{token}"\n'))
    radicale = gateway.radicale
    with (radicale.folder / "config").open("a") as file:
        file.write(
            f"[hook]\ntype = gateway.radicale_hook\nimip_gateway_url = http://127.0.0.1:{gateway.web}\n"
            f"imip_gateway_token_file = {token}\n"
        )
    radicale.stop()
    radicale.restart()
    gateway.start()
    gateway.settle()
    gateway.put("alice", UID, event())
    for _ in range(300):
        if len(gateway.letters()) == 2:
            break
        time.sleep(0.1)
    assert to(gateway.letters()) == [DAVE, ERIN]


@pytest.mark.slow
def test_an_import_of_many_meetings_is_held(gateway: Any) -> None:
    for number in range(30):
        gateway.put_new("alice", f"bulk-{number}", event().replace(f"UID:{UID}", f"UID:bulk-{number}"))
    gateway.settle()
    held = gateway.json("held", "list")
    assert len(held) >= 10 and {one["kind"] for one in held} == {"burst"}
    assert len(gateway.take_letters()) <= 2 * 20
    gateway.run("held", "refuse", held[0]["id"])
    assert len(gateway.json("held", "list")) == len(held) - 1


@pytest.mark.slow
def test_a_stranger_s_answer_is_held_for_the_organizer(gateway: Any) -> None:
    gateway.put("alice", UID, event(guests=(DAVE,)))
    gateway.settle()
    gateway.take_letters()
    reply(gateway, "zoe@example.net", "ACCEPTED")
    (item,) = gateway.json("held", "list")
    assert (item["kind"], item["reason"], item["sender"]) == ("crasher", "party-crasher", "zoe@example.net")
    assert "zoe" not in gateway.object("alice", UID)
    gateway.run("held", "approve", item["id"])
    gateway.run("drain")
    assert "zoe@example.net" in gateway.object("alice", UID)


@pytest.mark.slow
def test_an_organizer_of_a_foreign_domain_is_served_by_the_agent(start: Any) -> None:
    """SPEC 6.4: the mail is from us, and a native answer to its ORGANIZER still reaches her calendar."""
    gateway = start(begun=False)
    text = gateway.config.read_text()
    alias = 'aliases = ["alice@elsewhere.example"]\nusername = "alice"'
    gateway.config.write_text(text.replace('username = "alice"', alias))
    gateway.start()
    gateway.settle()
    gateway.put("alice", UID, event(guests=(DAVE,)).replace(ALICE, "alice@elsewhere.example"))
    gateway.settle()
    (letter,) = gateway.take_letters()
    assert letter["From"].addresses[0].addr_spec == "calendar@example.org"
    line = next(one for one in calendar_part(letter).split("\n") if one.startswith("ORGANIZER"))
    agent = line.rpartition(":")[2]
    assert agent.startswith("calendar+r") and "EMAIL=alice@elsewhere.example" in line
    answer = (
        f"From: {DAVE}\r\nTo: {agent}\r\nSubject: Accepted\r\nMessage-ID: <agent@example.com>\r\n"
        "Content-Type: text/calendar; method=REPLY; charset=utf-8\r\n\r\n"
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Guest//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:{UID}\r\n"
        f"DTSTAMP:{instant(datetime.now(UTC))}\r\nDTSTART:{instant(START)}\r\nORGANIZER:mailto:{agent}\r\n"
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{DAVE}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    gateway.mail(answer.encode(), agent, sender=DAVE)
    stored = gateway.object("alice", UID)
    assert "PARTSTAT=ACCEPTED" in next(one for one in stored.split("\n") if DAVE in one)
    assert "calendar+r" not in stored


@pytest.mark.slow
def test_radicale_s_own_name_for_her_is_alice_and_in_the_team_s_calendar_she_is_the_team(start: Any) -> None:
    """sabre-io/dav#1358: Apple writes principals, and Radicale's calendar-user-address-set has nothing else."""
    team = 'address = "team@example.org"\nname = "Team"\nusername = "alice"\npassword = "demo"\ncalendar = "/alice/team/"'
    gateway = start(users=("alice",), more=f"[[account]]\n{team}\n", begun=False)
    with gateway.radicale.client("alice") as client:
        client.request("MKCALENDAR", "/alice/team/").raise_for_status()
    gateway.start()
    gateway.settle()
    named = event(guests=(DAVE,)).replace(f"mailto:{ALICE}", "/alice/")
    gateway.put("alice", UID, named)
    with gateway.radicale.client("alice") as client:
        shared = named.replace(UID, "team-1").encode()
        client.put("/alice/team/t.ics", content=shared, headers={"Content-Type": "text/calendar"})
    gateway.settle()
    letters = sorted(gateway.take_letters(), key=lambda one: str(one["From"]))
    assert [one["From"].addresses[0].addr_spec for one in letters] == [ALICE, "team@example.org"]
    told = [calendar_part(one) for one in letters]
    assert "ORGANIZER;CN=Alice:mailto:alice@example.org\n" in told[0]
    assert "ORGANIZER;CN=Alice:mailto:team@example.org\n" in told[1]
    assert not any("/alice/" in one for one in told)
    reply(gateway, DAVE, "ACCEPTED")
    stored = gateway.object("alice", UID)
    assert "ORGANIZER;CN=Alice:/alice/\n" in stored
    assert "PARTSTAT=ACCEPTED" in next(one for one in stored.split("\n") if DAVE in one)
    (found,) = gateway.json("doctor", ALICE)
    assert [(one["stands_as"], one["rule"]) for one in found["organizers"]] == [("/alice/", "principal")]
