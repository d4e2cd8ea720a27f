"""The same life of meetings beside every server, by a real gateway."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import PreconditionFailed
from tests.interop.probe import START, calendar, stamp, vevent

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

ALICE, BOB, DAVE, ERIN = "alice@example.org", "bob@example.org", "dave@example.com", "erin@example.com"
LATER = START + timedelta(hours=3)


def name() -> str:
    return f"interop-{uuid.uuid4().hex[:12]}"


def people(organizer: str, *guests: str, partstat: str = "NEEDS-ACTION") -> list[str]:
    return [
        f"ORGANIZER:mailto:{organizer}",
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{organizer}",
        *[f"ATTENDEE;PARTSTAT={partstat};RSVP=TRUE:mailto:{one}" for one in guests],
    ]


def invitation(uid: str, *lines: str, sequence: int = 0, **when: Any) -> str:
    return vevent(uid, f"SEQUENCE:{sequence}", *people(DAVE, ALICE), *lines, **when)


def send(gateway: Any, method: str, *events: str, sender: str = DAVE) -> None:
    body = calendar(*events).replace(b"VERSION:2.0", b"VERSION:2.0\r\nMETHOD:" + method.encode())
    head = (
        f"From: {sender}\r\nTo: {ALICE}\r\nSubject: {method}\r\nMessage-ID: <{uuid.uuid4().hex}@example.com>\r\n"
        f"Content-Type: text/calendar; method={method}; charset=utf-8\r\n\r\n"
    )
    gateway.mail(head.encode() + body, ALICE, sender=sender)


def fresh(text: str, minutes: int) -> str:
    """The same event, stamped later."""
    first = START - timedelta(days=90)
    return text.replace(f"DTSTAMP:{stamp(first)}", f"DTSTAMP:{stamp(first + timedelta(minutes=minutes))}")


def to(letters: list[Any]) -> list[str]:
    return sorted(one["To"].addresses[0].addr_spec for one in letters)


def part(letter: Any) -> str:
    found = next(one for one in letter.walk() if one.get_content_type() == "text/calendar")
    return str(found.get_content()).replace("\r\n", "\n").replace("\n ", "")


def line_of(text: str, address: str) -> str:
    return next(one for one in text.split("\n") if one.startswith("ATTENDEE") and address in one)


def answered(text: str, partstat: str) -> str:
    """What her program saves when she answers."""
    old = line_of(text, ALICE)
    new = f"ATTENDEE;PARTSTAT={partstat}:mailto:{ALICE}"
    return text.replace(old, new)


def test_a_url_and_a_login_are_enough(gateway: Any) -> None:
    (found,) = [
        one
        for one in json.loads(gateway.run("doctor", "--json", ALICE, ok=(0, 69)))
        if one["account"] == ALICE
    ]
    assert found["calendars"] and found["sends"] == "gateway" and found["problems"] == [], found
    assert gateway.server.path("alice").rstrip("/") in str(found["calendars"]).replace("%40", "@")


def test_an_invitation_comes_moves_and_is_cancelled(gateway: Any) -> None:
    uid = name()
    send(gateway, "REQUEST", invitation(uid))
    assert f"DTSTART:{stamp(START)}" in gateway.object("alice", uid)
    send(gateway, "REQUEST", fresh(invitation(uid, sequence=1, start=LATER), 1))
    assert f"DTSTART:{stamp(LATER)}" in gateway.object("alice", uid)
    send(gateway, "REQUEST", invitation(uid))  # an old one
    assert f"DTSTART:{stamp(LATER)}" in gateway.object("alice", uid)
    send(gateway, "CANCEL", fresh(invitation(uid, "STATUS:CANCELLED", sequence=2, start=LATER), 2))
    assert "STATUS:CANCELLED" in gateway.object("alice", uid)
    gateway.settle()
    assert gateway.take_letters() == []


def test_an_answer_in_the_calendar_leaves_once(gateway: Any) -> None:
    uid = name()
    send(gateway, "REQUEST", invitation(uid))
    gateway.put("alice", uid, answered(gateway.object("alice", uid), "ACCEPTED"))
    gateway.settle()
    (letter,) = gateway.take_letters()
    text = part(letter)
    assert to([letter]) == [DAVE] and "METHOD:REPLY" in text and "PARTSTAT=ACCEPTED" in line_of(text, ALICE)
    gateway.settle()
    assert gateway.take_letters() == []


def test_a_meeting_of_our_own_is_mailed_once_and_takes_answers(gateway: Any) -> None:
    uid = name()
    gateway.put("alice", uid, calendar(vevent(uid, *people(ALICE, DAVE, ERIN))).decode())
    gateway.settle()
    letters = gateway.take_letters()
    assert to(letters) == [DAVE, ERIN] and all("METHOD:REQUEST" in part(one) for one in letters)
    said = vevent(uid, f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT=DECLINED:mailto:{DAVE}")
    send(gateway, "REPLY", said)
    assert "PARTSTAT=DECLINED" in line_of(gateway.object("alice", uid), DAVE)
    gateway.settle()
    assert gateway.take_letters() == []
    text = gateway.object("alice", uid)
    moved = text.replace(stamp(START + timedelta(hours=1)), stamp(LATER + timedelta(hours=1)))
    gateway.put("alice", uid, moved.replace(stamp(START), stamp(LATER)))
    gateway.settle()
    letters = gateway.take_letters()
    assert to(letters) == [DAVE, ERIN] and all(stamp(LATER) in part(one) for one in letters)
    gateway.settle()
    assert gateway.take_letters() == []
    gateway.delete("alice", uid)
    gateway.settle()
    letters = gateway.take_letters()
    assert to(letters) == [DAVE, ERIN] and all("METHOD:CANCEL" in part(one) for one in letters)


def test_one_date_of_a_series_moves(gateway: Any) -> None:
    uid = name()
    second = START + timedelta(days=1)
    send(gateway, "REQUEST", invitation(uid, "RRULE:FREQ=DAILY;COUNT=4"))
    override = fresh(
        invitation(uid, f"RECURRENCE-ID:{stamp(second)}", sequence=1, start=second + timedelta(hours=2)), 1
    )
    send(gateway, "REQUEST", override)
    text = gateway.object("alice", uid)
    assert "RRULE" in text and f"RECURRENCE-ID:{stamp(second)}" in text
    assert f"DTSTART:{stamp(second + timedelta(hours=2))}" in text


@pytest.mark.parametrize("dates", [1, 2])
def test_single_dates_come_without_their_series(gateway: Any, dates: int) -> None:
    uid = name()
    days = [START + timedelta(days=7 * number) for number in range(dates)]
    send(gateway, "REQUEST", *[invitation(uid, f"RECURRENCE-ID:{stamp(day)}", start=day) for day in days])
    text = gateway.object("alice", uid)
    assert all(f"RECURRENCE-ID:{stamp(day)}" in text for day in days)


def test_an_event_without_length_is_taken(gateway: Any) -> None:
    """Cyrus refuses it (403 valid-calendar-data): the mail stays in the journal, with the server's word."""
    uid = name()
    send(gateway, "REQUEST", invitation(uid, hours=0))
    if gateway.server.lengthless:
        assert f"DTSTART:{stamp(START)}" in gateway.object("alice", uid)
    else:
        assert gateway.object("alice", uid) == "" and "valid-calendar-data" in gateway.run("why", uid)


def test_a_large_invitation_is_taken(gateway: Any) -> None:
    uid = name()
    send(gateway, "REQUEST", invitation(uid, *[f"X-LINE-{number}:{'x' * 60}" for number in range(3000)]))
    assert "X-LINE-2999" in gateway.object("alice", uid)


def test_what_was_deleted_comes_again_with_the_next_invitation(gateway: Any) -> None:
    uid = name()
    send(gateway, "REQUEST", invitation(uid))
    gateway.settle()
    gateway.delete("alice", uid)
    gateway.settle()
    gateway.take_letters()
    send(gateway, "REQUEST", fresh(invitation(uid, sequence=1, start=LATER), 1))
    assert f"DTSTART:{stamp(LATER)}" in gateway.object("alice", uid)


def test_an_edit_while_an_update_comes_is_kept(gateway: Any) -> None:
    uid = name()
    send(gateway, "REQUEST", invitation(uid))
    gateway.settle()
    edited = gateway.object("alice", uid).replace("SUMMARY:Probe", "X-MINE:kept\nSUMMARY:Probe")
    gateway.put("alice", uid, edited)
    send(gateway, "REQUEST", fresh(invitation(uid, sequence=1, start=LATER), 1))
    text = gateway.object("alice", uid)
    assert "X-MINE:kept" in text and f"DTSTART:{stamp(LATER)}" in text


def test_a_calendar_that_appears_or_goes_mails_nothing(gateway: Any) -> None:
    uid = name()
    path = f"{gateway.server.path('alice').rstrip('/').rpartition('/')[0]}/{name()}/"
    with gateway.server.client("alice") as client:
        made = client.request("MKCALENDAR", path)
        assert made.status_code < 300, made.text
        data = calendar(vevent(uid, *people(ALICE, DAVE)))
        put = client.put(f"{path}{uid}.ics", content=data, headers={"Content-Type": "text/calendar"})
        assert put.status_code < 300, put.text
        gateway.settle()
        assert gateway.take_letters() == []
        gone = client.delete(path)
        assert gone.status_code < 300 or (gone.status_code == 404 and not gateway.server.unmakes)
    gateway.run("sync", ok=(0, 75))
    gateway.settle()
    assert gateway.take_letters() == []


async def test_a_write_on_what_somebody_changed_is_refused(calendars: Any, server: Any) -> None:
    edge, account = calendars
    uid = name()
    path = f"{server.path('alice')}{uid}.ics"
    written = await edge.put(account, path, calendar(vevent(uid)), etag="")
    with pytest.raises(PreconditionFailed):
        await edge.put(account, path, calendar(vevent(uid, "LOCATION:Ours")), etag="")
    with server.client("alice") as client:
        data = calendar(vevent(uid, "LOCATION:Theirs of another length"))
        assert client.put(path, content=data, headers={"Content-Type": "text/calendar"}).status_code < 300
    with pytest.raises(PreconditionFailed):
        await edge.put(account, path, calendar(vevent(uid, "LOCATION:Ours")), etag=written.etag)
    with pytest.raises(PreconditionFailed):
        await edge.delete(account, path, etag=written.etag)
    found = await edge.find(account, uid)
    assert found is not None and b"Theirs" in found.data
    with pytest.raises(PreconditionFailed):
        await edge.put(account, f"{server.path('alice')}{name()}.ics", calendar(vevent(uid)), etag="")
    await edge.delete(account, path, etag=found.etag)
    assert await edge.find(account, uid) is None


async def test_changes_and_deletions_are_seen_and_an_old_token_lists_all(calendars: Any, server: Any) -> None:
    edge, account = calendars
    first, second, third = (f"{server.path('alice')}{name()}.ics" for _ in range(3))

    async def put(path: str, **more: str) -> str:
        uid = path.rpartition("/")[2]
        return str((await edge.put(account, path, calendar(vevent(uid)), etag="")).etag)

    kept, gone = await put(first), await put(second)
    begun = await edge.sync(account, server.path("alice"), token="")
    assert {first, second} <= {one.href for one in begun.changes} and begun.full
    await edge.delete(account, second, etag=gone)
    await put(third)
    {one.href: one.etag or "" for one in begun.changes}
    now = await edge.sync(account, server.path("alice"), token=begun.token)
    seen = {one.href: one.etag for one in now.changes}
    assert seen[third] and (seen.get(second) is None if now.full else seen[second] is None)
    for token in ("http://example.com/never-given-out", "data:,1"):
        again = await edge.sync(account, server.path("alice"), token=token)
        listed = {one.href: one.etag for one in again.changes}
        assert listed[first] == kept or listed[first], "an unknown token lists everything"
        assert second not in listed or listed[second] is None
