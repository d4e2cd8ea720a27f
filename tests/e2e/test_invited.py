"""We are invited: mail in, calendar, answer out. The whole life of a meeting with real processes."""

from __future__ import annotations

import email
import email.policy
import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from gateway.ical import linked

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)
CAROL, ALICE = "carol@example.com", "alice@example.org"


def instant(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def vevent(
    *lines: str,
    uid: str = "meeting-1@example.com",
    sequence: int = 0,
    stamp: int = 0,
    start: datetime = START,
) -> str:
    return "\r\n".join(
        [
            "BEGIN:VEVENT",
            f"UID:{uid}",
            f"DTSTAMP:{instant(START - timedelta(days=30) + timedelta(minutes=stamp))}",
            f"SEQUENCE:{sequence}",
            f"DTSTART:{instant(start)}",
            f"DTEND:{instant(start + timedelta(hours=1))}",
            "SUMMARY:Budget",
            f"ORGANIZER;CN=Carol:mailto:{CAROL}",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{CAROL}",
            f"ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:{ALICE}",
            *lines,
            "END:VEVENT",
            "",
        ]
    )


def imip(
    method: str, *events: str, sender: str = CAROL, to: str = ALICE, message_id: str = ""
) -> EmailMessage:
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = sender, to, method.capitalize()
    mail["Message-ID"] = message_id or f"<{method.lower()}-{abs(hash(events))}@example.com>"
    mail["Date"] = "Sat, 21 Nov 2026 10:00:00 +0000"
    mail.set_content("See the calendar part.")
    body = "".join(
        [
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\n",
            f"METHOD:{method}\r\n",
            *events,
            "END:VCALENDAR\r\n",
        ]
    )
    mail.add_alternative(
        body.encode(),
        maintype="text",
        subtype="calendar",
        params={"method": method, "charset": "utf-8"},
        cte="base64",
    )
    return mail


def calendar_part(letter: EmailMessage) -> str:
    part = next(one for one in letter.walk() if one.get_content_type() == "text/calendar")
    return part.get_content().replace("\r\n", "\n").replace("\n ", "")


def outcomes(gateway: Any, key: str) -> list[tuple[str, str]]:
    return [(one["outcome"], one["reason"]) for one in gateway.json("why", key)]


def test_the_life_of_a_meeting_that_we_are_invited_to(gateway: Any) -> None:
    """Invited, accepted, rescheduled, accepted again, cancelled."""
    uid = "meeting-1@example.com"
    gateway.mail(imip("REQUEST", vevent()), ALICE, sender=CAROL)
    stored = gateway.object("alice", uid)
    assert "PARTSTAT=NEEDS-ACTION" in stored and "METHOD" not in stored
    assert gateway.letters() == []

    gateway.put(
        "alice",
        uid,
        stored.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED").replace(
            "END:VEVENT", "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT9M\nEND:VALARM\nEND:VEVENT"
        ),
    )
    gateway.settle()
    (reply,) = gateway.take_letters()
    assert reply["To"].addresses[0].addr_spec == CAROL and reply["From"].addresses[0].addr_spec == ALICE
    answer = calendar_part(reply)
    assert "METHOD:REPLY" in answer and "PARTSTAT=ACCEPTED" in answer and answer.count("\nATTENDEE") == 1
    assert "VALARM" not in answer and f"UID:{uid}" in answer

    later = START + timedelta(hours=3)
    gateway.mail(imip("REQUEST", vevent(sequence=1, stamp=5, start=later)), ALICE, sender=CAROL)
    moved = gateway.object("alice", uid)
    assert f"DTSTART:{instant(later)}" in moved and "TRIGGER:-PT9M" in moved
    line = next(one for one in moved.split("\n") if one.startswith("ATTENDEE") and ALICE in one)
    assert "NEEDS-ACTION" in line
    gateway.settle()
    assert gateway.take_letters() == []

    gateway.put("alice", uid, moved.replace(line, line.replace("NEEDS-ACTION", "TENTATIVE")))
    gateway.settle()
    (second,) = gateway.take_letters()
    assert "PARTSTAT=TENTATIVE" in calendar_part(second)

    gateway.mail(
        imip("CANCEL", vevent("STATUS:CANCELLED", sequence=2, stamp=9, start=later)), ALICE, sender=CAROL
    )
    assert "STATUS:CANCELLED" in gateway.object("alice", uid)
    gateway.settle()
    assert gateway.take_letters() == []
    story = gateway.json("why", uid)
    assert [one["outcome"] for one in story if one["kind"] == "mail"] == ["applied"] * 3
    assert all(one["account"] == ALICE for one in story)


@pytest.mark.slow
def test_one_instance_of_a_series_is_declined_and_one_is_cancelled(gateway: Any) -> None:
    uid = "series@example.com"
    gateway.mail(imip("REQUEST", vevent("RRULE:FREQ=DAILY;COUNT=5", uid=uid)), ALICE, sender=CAROL)
    stored = gateway.object("alice", uid)
    second = START + timedelta(days=1)
    override = (
        f"BEGIN:VEVENT\nUID:{uid}\nDTSTAMP:{instant(START)}\nSEQUENCE:0\nRECURRENCE-ID:{instant(second)}\n"
        f"DTSTART:{instant(second)}\nDTEND:{instant(second + timedelta(hours=1))}\nSUMMARY:Budget\n"
        f"ORGANIZER;CN=Carol:mailto:{CAROL}\nATTENDEE;PARTSTAT=ACCEPTED:mailto:{CAROL}\n"
        f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ALICE}\nEND:VEVENT\n"
    )
    gateway.put("alice", uid, stored.replace("END:VCALENDAR", override + "END:VCALENDAR"))
    gateway.settle()
    (reply,) = gateway.take_letters()
    answer = calendar_part(reply)
    assert (
        f"RECURRENCE-ID:{instant(second)}" in answer
        and "PARTSTAT=DECLINED" in answer
        and "RRULE" not in answer
    )

    third = START + timedelta(days=2)
    gateway.mail(
        imip(
            "CANCEL",
            vevent(
                f"RECURRENCE-ID:{instant(third)}",
                "STATUS:CANCELLED",
                uid=uid,
                sequence=1,
                stamp=5,
                start=third,
            ),
        ),
        ALICE,
        sender=CAROL,
    )
    after = gateway.object("alice", uid)
    assert "RRULE:FREQ=DAILY;COUNT=5" in after
    cancelled = next(
        part for part in after.split("BEGIN:VEVENT") if f"RECURRENCE-ID:{instant(third)}" in part
    )
    assert "STATUS:CANCELLED" in cancelled
    assert "PARTSTAT=DECLINED" in after
    gateway.settle()
    assert gateway.take_letters() == []


def test_the_same_mail_twice_changes_nothing_the_second_time(gateway: Any) -> None:
    mail = imip("REQUEST", vevent(), message_id="<once@example.com>")
    gateway.mail(mail, ALICE, sender=CAROL)
    before = gateway.objects("alice")
    again = imip("REQUEST", vevent(), message_id="<twice@example.com>")
    gateway.mail(again, ALICE, sender=CAROL)
    assert gateway.objects("alice") == before
    assert outcomes(gateway, "twice@example.com") == [("unchanged", "duplicate")]


def test_an_attacker_who_knows_the_uid_gets_a_logged_refusal(gateway: Any) -> None:
    gateway.mail(imip("REQUEST", vevent()), ALICE, sender=CAROL)
    before = gateway.objects("alice")
    forged = imip(
        "CANCEL",
        vevent("STATUS:CANCELLED", sequence=9, stamp=9),
        sender="mallory@example.net",
        message_id="<evil@example.net>",
    )
    gateway.mail(forged, ALICE, sender="mallory@example.net")
    assert gateway.objects("alice") == before
    assert outcomes(gateway, "evil@example.net") == [("refused", "sender-not-organizer")]
    assert gateway.letters() == []


@pytest.mark.parametrize("word", ["approve", pytest.param("refuse", marks=pytest.mark.slow)])
def test_a_mail_nobody_vouches_for_is_held_until_a_person_decides(start: Any, word: str) -> None:
    gateway = start(trust='trusted_networks_are = "unknown"')
    gateway.settle()
    gateway.mail(imip("REQUEST", vevent(), message_id="<who@example.com>"), ALICE, sender=CAROL)
    assert gateway.objects("alice") == {}
    (item,) = gateway.json("held", "list")
    assert (item["kind"], item["account"], item["sender"], item["reason"]) == (
        "mail",
        ALICE,
        CAROL,
        "not-authenticated",
    )
    gateway.run("held", word, item["id"])
    gateway.run("drain")
    assert gateway.json("held", "list") == []
    stored = gateway.object("alice", "meeting-1@example.com")
    story = outcomes(gateway, "who@example.com")
    assert story[0] == ("held", "not-authenticated")
    if word == "approve":
        assert "PARTSTAT=NEEDS-ACTION" in stored and story[-1] == ("applied", "invitation-stored")
    else:
        assert stored == "" and story[-1][0] == "refused"
    assert gateway.letters() == []


def test_submit_works_while_the_daemon_is_down(gateway: Any) -> None:
    gateway.stop()
    mail = imip("REQUEST", vevent()).as_bytes()
    gateway.run("submit", "-f", CAROL, ALICE, stdin=mail)
    gateway.run("submit", "-f", CAROL, "nobody@example.org", stdin=mail)
    gateway.run("submit", "--strict", "-f", CAROL, "nobody@example.org", stdin=mail, ok=(67,))
    gateway.run("submit", "-f", CAROL, ALICE, stdin=b"", ok=(65,))
    gateway.start()
    gateway.run("drain")
    assert "SUMMARY:Budget" in gateway.object("alice", "meeting-1@example.com")


def test_a_calendar_server_that_is_down_delays_and_loses_nothing(gateway: Any) -> None:
    gateway.radicale.process.terminate()
    gateway.radicale.process.wait(10)
    gateway.mail(imip("REQUEST", vevent(), message_id="<late@example.com>"), ALICE, sender=CAROL)
    (job,) = [one for one in gateway.json("queue", "list") if one["kind"] == "apply"]
    assert job["attempts"] == 1 and job["reason"] == "backend-unavailable"
    gateway.radicale.restart()
    gateway.run("queue", "retry", job["id"])
    gateway.run("drain")
    assert "SUMMARY:Budget" in gateway.object("alice", "meeting-1@example.com")


def test_explain_says_offline_what_would_happen(gateway: Any, tmp_path: Any) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(imip("REQUEST", vevent()).as_bytes())
    story = json.loads(
        gateway.run("explain", str(path), "--as", ALICE, "--sender-certainty", "proven", "--json")
    )
    (message,) = story["messages"]
    assert (message["outcome"], message["change"], message["component"]) == ("applied", "store", "VEVENT")
    assert story["verdict"]["sender"] == CAROL and message["outgoing"] == []
    assert gateway.objects("alice") == {}


@pytest.mark.slow
def test_a_guest_of_single_instances_answers_one_and_is_then_told_of_the_series(gateway: Any) -> None:
    """Radicale refuses two overrides without a master; what stands in for it is ours, and stays with us."""
    dates = [START + timedelta(days=7 * week) for week in (1, 2)]
    for number, date in enumerate(dates):
        gateway.mail(
            imip("REQUEST", vevent(f"RECURRENCE-ID:{instant(date)}", start=date, stamp=number)), ALICE
        )
    uid = "meeting-1@example.com"
    stored = gateway.object("alice", uid)
    assert "X-IMIP-GATEWAY-PARTIAL:TRUE" in stored and f"RDATE:{instant(dates[1])}" in stored
    gateway.settle()
    assert gateway.take_letters() == []

    parts = stored.split("BEGIN:VEVENT")
    at = next(n for n, one in enumerate(parts) if f"RECURRENCE-ID:{instant(dates[1])}" in one)
    parts[at] = parts[at].replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    gateway.put("alice", uid, "BEGIN:VEVENT".join(parts))
    gateway.settle()
    (reply,) = gateway.take_letters()
    answer = calendar_part(reply)
    assert answer.count("BEGIN:VEVENT") == 1 and "PARTSTAT=ACCEPTED" in answer
    assert f"RECURRENCE-ID:{instant(dates[1])}" in answer
    assert "X-IMIP-GATEWAY" not in answer and "RDATE" not in answer

    gateway.mail(imip("REQUEST", vevent("RRULE:FREQ=WEEKLY;COUNT=5", sequence=1, stamp=5)), ALICE)
    whole = gateway.object("alice", uid)
    assert "RRULE:FREQ=WEEKLY;COUNT=5" in whole
    assert "X-IMIP-GATEWAY-PARTIAL" not in whole and "RDATE" not in whole
    (kept,) = [one for one in whole.split("BEGIN:VEVENT") if "RECURRENCE-ID" in one]
    assert f"RECURRENCE-ID:{instant(dates[1])}" in kept and "PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:alice" in kept
    gateway.settle()
    assert gateway.take_letters() == []


def published(kind: str, *lines: str, sequence: int = 0, stamp: int = 0) -> str:
    made = vevent(*lines, uid="fair@example.com", sequence=sequence, stamp=stamp)
    guests = ("ATTENDEE", "DTEND") if kind == "VJOURNAL" else ("ATTENDEE",)
    kept = [line for line in made.split("\r\n") if not line.startswith(guests)]
    return "\r\n".join(kept).replace("VEVENT", kind)


@pytest.mark.slow
def test_what_others_publish_is_taken_and_dates_are_added(start: Any) -> None:
    gateway = start(users=("alice",), more="publish = true\n")
    gateway.settle()
    gateway.mail(imip("PUBLISH", published("VEVENT")), ALICE, sender=CAROL)
    stored = gateway.object("alice", "fair@example.com")
    assert "ATTENDEE" not in stored and f"mailto:{CAROL}" in stored
    gateway.put("alice", "fair@example.com", stored.replace("SUMMARY:Budget", "SUMMARY:My fair"))
    gateway.settle()
    gateway.mail(
        imip("PUBLISH", published("VEVENT", "LOCATION:Hall", sequence=1, stamp=5)), ALICE, sender=CAROL
    )
    after = gateway.object("alice", "fair@example.com")
    assert "SUMMARY:My fair" in after and "LOCATION:Hall" in after

    more = START + timedelta(days=2, hours=1)
    gateway.mail(imip("REQUEST", vevent("RRULE:FREQ=DAILY;COUNT=2")), ALICE, sender=CAROL)
    gateway.mail(imip("ADD", vevent(sequence=1, stamp=5, start=more)), ALICE, sender=CAROL)
    series = gateway.object("alice", "meeting-1@example.com")
    assert f"RDATE:{instant(more)}" in series and f"RECURRENCE-ID:{instant(more)}" in series
    gateway.settle()
    assert gateway.letters() == []
    added = series.rpartition("BEGIN:VEVENT")[2]
    assert f"RECURRENCE-ID:{instant(more)}" in added
    gateway.put(
        "alice", "meeting-1@example.com", series.replace(added, added.replace("NEEDS-ACTION", "ACCEPTED"))
    )
    gateway.settle()
    (reply,) = gateway.take_letters()
    answer = calendar_part(reply)
    assert f"RECURRENCE-ID:{instant(more)}" in answer and "PARTSTAT=ACCEPTED" in answer


@pytest.mark.slow
def test_a_journal_is_kept_found_again_and_called_off(start: Any) -> None:
    gateway = start(users=("alice",), more="publish = true\n")
    gateway.settle()
    gateway.mail(imip("PUBLISH", published("VJOURNAL")), ALICE, sender=CAROL)
    assert "BEGIN:VJOURNAL" in gateway.object("alice", "fair@example.com")
    gateway.settle()
    gateway.mail(imip("CANCEL", published("VJOURNAL", sequence=1, stamp=5)), ALICE, sender=CAROL)
    assert "STATUS:CANCELLED" in gateway.object("alice", "fair@example.com")
    gateway.settle()
    assert gateway.letters() == []


@pytest.mark.slow
def test_a_rest_without_end_that_moves_is_answered_where_it_lies(gateway: Any) -> None:
    """SPEC 4.7: two series in the calendar, one meeting to its organizer; then one series again."""
    uid, tail = "endless@example.com", linked.tail_uid("endless@example.com")
    cut = START + timedelta(days=21)
    gateway.mail(imip("REQUEST", vevent("RRULE:FREQ=WEEKLY", uid=uid)), ALICE, sender=CAROL)
    ranged = f"RECURRENCE-ID;RANGE=THISANDFUTURE:{instant(cut)}"
    moved = vevent(ranged, uid=uid, sequence=1, stamp=5, start=cut + timedelta(hours=4))
    gateway.mail(imip("REQUEST", moved), ALICE, sender=CAROL)
    assert f"UNTIL={instant(cut - timedelta(seconds=1))}" in gateway.object("alice", uid)
    rest = gateway.object("alice", tail)
    assert f"DTSTART:{instant(cut + timedelta(hours=4))}" in rest and "RRULE:FREQ=WEEKLY\n" in rest
    gateway.settle()
    assert gateway.take_letters() == []

    gateway.put("alice", tail, rest.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED"))
    gateway.settle()
    (reply,) = gateway.take_letters()
    answer = calendar_part(reply)
    assert f"UID:{uid}" in answer and "PARTSTAT=ACCEPTED" in answer and ranged in answer

    again = vevent("RRULE:FREQ=WEEKLY", uid=uid, sequence=2, stamp=9)
    gateway.mail(imip("REQUEST", again), ALICE, sender=CAROL)
    assert len(gateway.objects("alice")) == 1
    gateway.settle()
    assert gateway.take_letters() == []


@pytest.mark.slow
def test_a_meeting_that_the_user_put_there_himself_a_moment_ago_is_found(gateway: Any) -> None:
    """The watch has not seen it: the server refuses a second object of its UID, and then it is looked for."""
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{vevent(uid='twin@example.com')}END:VCALENDAR\r\n"
    with gateway.radicale.client("alice") as client:
        fields = {"Content-Type": "text/calendar"}
        client.put("/alice/calendar/own-name.ics", content=text.encode(), headers=fields).raise_for_status()
    gateway.mail(imip("REQUEST", vevent("LOCATION:Room 9", uid="twin@example.com", sequence=1)), ALICE)
    assert "LOCATION:Room 9" in gateway.object("alice", "twin@example.com")
    assert len(gateway.objects("alice")) == 1
