"""The same life of meetings beside every server, by a real gateway."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from gateway.caldav.client import Connections
from gateway.caldav.discover import Calendar
from gateway.caldav.sync import changes_since
from gateway.errors import PreconditionFailed
from gateway.ports import Collection
from tests.interop.probe import START, calendar, stamp, vevent

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

ALICE, BOB, DAVE, ERIN = "alice@example.org", "bob@example.org", "dave@example.com", "erin@example.com"
REPORT = "{urn:ietf:params:xml:ns:caldav}calendar-query"  # the only one that a server offers
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


def attachment(text: str) -> str:
    """The URI of the only one."""
    (found,) = re.findall(r"^ATTACH[^:\n]*:(.*)$", text, re.MULTILINE)
    return str(found)


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
    assert gateway.settled() == []


def test_an_answer_in_the_calendar_leaves_once(gateway: Any) -> None:
    uid = name()
    send(gateway, "REQUEST", invitation(uid))
    gateway.put("alice", uid, answered(gateway.object("alice", uid), "ACCEPTED"))
    (letter,) = gateway.settled()
    text = part(letter)
    assert to([letter]) == [DAVE] and "METHOD:REPLY" in text and "PARTSTAT=ACCEPTED" in line_of(text, ALICE)
    assert gateway.settled() == []


def test_a_meeting_of_our_own_is_mailed_once_and_takes_answers(gateway: Any) -> None:
    uid = name()
    gateway.put("alice", uid, calendar(vevent(uid, *people(ALICE, DAVE, ERIN))).decode())
    letters = gateway.settled()
    assert to(letters) == [DAVE, ERIN] and all("METHOD:REQUEST" in part(one) for one in letters)
    said = vevent(uid, f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT=DECLINED:mailto:{DAVE}")
    send(gateway, "REPLY", said)
    assert "PARTSTAT=DECLINED" in line_of(gateway.object("alice", uid), DAVE)
    assert gateway.settled() == []
    text = gateway.object("alice", uid)
    moved = text.replace(stamp(START + timedelta(hours=1)), stamp(LATER + timedelta(hours=1)))
    gateway.put("alice", uid, moved.replace(stamp(START), stamp(LATER)))
    letters = gateway.settled()
    assert to(letters) == [DAVE, ERIN] and all(stamp(LATER) in part(one) for one in letters)
    assert gateway.settled() == []
    gateway.delete("alice", uid)
    letters = gateway.settled()
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
    """Cyrus wants a length, and gets a second."""
    uid = name()
    send(gateway, "REQUEST", invitation(uid, hours=0))
    text = gateway.object("alice", uid)
    assert f"DTSTART:{stamp(START)}" in text
    assert ("DURATION:PT1S" in text) != gateway.server.lengthless


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


def test_a_guest_who_is_added_is_the_only_one_who_hears_of_it(gateway: Any) -> None:
    uid = name()
    for number in range(3):  # saved three times while it settles
        text = vevent(uid, *people(ALICE, DAVE), f"LOCATION:Room {number}")
        gateway.put("alice", uid, calendar(text).decode())
    assert to(gateway.settled()) == [DAVE]
    text = gateway.object("alice", uid)
    more = f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{ERIN}"
    gateway.put("alice", uid, text.replace("END:VEVENT", f"{more}\nEND:VEVENT"))
    (letter,) = gateway.settled()
    assert to([letter]) == [ERIN] and "Room 2" in part(letter)
    assert gateway.settled() == []


def test_one_date_of_our_series_moves_and_another_is_taken_out(gateway: Any) -> None:
    uid = name()
    second, third = START + timedelta(days=1), START + timedelta(days=2)
    lines = people(ALICE, DAVE)
    gateway.put("alice", uid, calendar(vevent(uid, "RRULE:FREQ=DAILY;COUNT=5", *lines)).decode())
    assert to(gateway.settled()) == [DAVE]
    moved = vevent(uid, f"RECURRENCE-ID:{stamp(second)}", *lines, start=second + timedelta(hours=2))
    text = gateway.object("alice", uid).replace("END:VCALENDAR", moved.replace("\r", "") + "\nEND:VCALENDAR")
    gateway.put("alice", uid, text)
    (letter,) = gateway.settled()
    assert "METHOD:REQUEST" in part(letter) and f"RECURRENCE-ID:{stamp(second)}" in part(letter)
    text = gateway.object("alice", uid)
    gateway.put("alice", uid, text.replace("RRULE:", f"EXDATE:{stamp(third)}\nRRULE:"))
    letters = gateway.settled()
    assert to(letters) == [DAVE] and stamp(third) in part(letters[0]) and "METHOD:CANCEL" in part(letters[0])


def test_a_calendar_that_is_copied_moved_or_deleted_mails_nothing(gateway: Any) -> None:
    uid = name()
    gateway.put("alice", uid, calendar(vevent(uid, *people(ALICE, DAVE))).decode())
    assert to(gateway.settled()) == [DAVE]
    other = gateway.make_calendar(name())
    copy, text = f"{other}{uid}.ics", gateway.object("alice", uid)
    with gateway.server.client("alice") as client:
        made = client.put(copy, content=text.encode(), headers={"Content-Type": "text/calendar"})
        assert made.status_code < 300 if gateway.server.copies else made.status_code == 403, made.text
        assert gateway.settled() == []
        if gateway.server.copies:
            assert client.delete(copy).status_code < 300
            assert gateway.settled() == []
        gateway.delete("alice", uid)  # what a program does that moves it
        moved = client.put(copy, content=text.encode(), headers={"Content-Type": "text/calendar"})
        assert moved.status_code < 300, moved.text
        assert gateway.settled() == []
        gone = client.delete(other)  # Cyrus does it and answers 404, Xandikos lets one see it still
        left = client.request("PROPFIND", other, headers={"Depth": "0"})
        assert gone.status_code < 300 or left.status_code == 404, gone.text
    gateway.run("sync", ok=(0, 75))
    assert gateway.settled() == []


def test_a_server_that_stops_in_the_middle_of_an_answer_mails_nothing(gateway: Any) -> None:
    uid = name()
    gateway.put("alice", uid, calendar(vevent(uid, *people(ALICE, DAVE))).decode())
    assert to(gateway.settled()) == [DAVE]
    for after in (0, 250, 700, 1500):
        with gateway.between.cut(after):
            gateway.run("sync", ok=(0, 75))
            gateway.run("drain", "--settle", "--timeout", "60")
    assert gateway.settled() == []
    gateway.delete("alice", uid)
    with gateway.between.cut(0):
        gateway.run("sync", ok=(75,))
    assert gateway.take_letters() == []
    (letter,) = gateway.settled()
    assert "METHOD:CANCEL" in part(letter)


def test_an_account_without_its_password_mails_nothing(gateway: Any) -> None:
    if gateway.server.headers:
        pytest.skip(f"{gateway.server.name} is asked without passwords")
    uid = name()
    gateway.put("alice", uid, calendar(vevent(uid, *people(ALICE, DAVE))).decode())
    assert to(gateway.settled()) == [DAVE]
    gateway.server.lock_out("alice")
    try:
        gateway.run("sync", ok=(75,))
        gateway.run("drain", "--settle", "--timeout", "60")
        assert gateway.take_letters() == []
    finally:
        gateway.server.let_in("alice")
    assert gateway.settled() == []
    gateway.delete("alice", uid)
    assert to(gateway.settled()) == [DAVE]


async def test_a_write_on_what_somebody_changed_is_refused(calendars: Any, server: Any) -> None:
    edge, account = calendars
    uid = name()
    path = f"{server.path('alice')}{uid}.ics"
    written = await edge.put(account, path, calendar(vevent(uid)), etag="")
    assert (await edge.get(account, path)).etag == written.etag
    written = await edge.put(account, path, calendar(vevent(uid, "LOCATION:Mine")), etag=written.etag)
    assert (await edge.get(account, path)).etag == written.etag
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


def test_a_guest_without_a_login_gets_what_the_server_keeps_for_the_organizer(gateway: Any) -> None:
    """RFC 8607: nobody else's URI and no other resource is had under an id that the server gave."""
    if not gateway.server.manages:
        pytest.skip(f"{gateway.server.name} manages no attachments")
    uid, origin = name(), f"http://127.0.0.1:{gateway.between.port}"
    gateway.put("alice", uid, calendar(vevent(uid, *people(ALICE, DAVE))).decode())
    path = f"{gateway.server.path('alice')}saved-{uid}.ics"
    with gateway.server.client("alice") as client:
        named = {
            "Content-Type": "application/pdf",
            "Content-Disposition": 'attachment; filename="agenda.pdf"',
        }
        added = client.post(
            f"{origin}{path}?action=attachment-add", content=b"%PDF-1.4 agenda", headers=named
        )
        assert added.status_code < 300, added.text
    (letter,) = gateway.settled()
    kept = attachment(gateway.object("alice", uid))
    page = attachment(part(letter))
    assert kept.startswith(origin) and httpx.get(kept).status_code == 401
    assert re.fullmatch(rf"http://127\.0\.0\.1:{gateway.web}/a/[^/]+/1", page)
    found = httpx.get(page)
    assert (found.status_code, found.content) == (200, b"%PDF-1.4 agenda")
    assert 'filename="agenda.pdf"' in found.headers["content-disposition"]

    text = gateway.object("alice", uid)
    secret = f"{origin}{path}"
    for other in ("http://evil.example/" + kept.rpartition("/")[2], secret):
        gateway.put("alice", uid, text.replace(kept, other))  # the server takes it
        assert httpx.get(page).status_code == 404
        (letter,) = gateway.settled()
        assert attachment(part(letter)) == other
    gateway.put("alice", uid, text)
    assert httpx.get(page).content == b"%PDF-1.4 agenda"
    with gateway.server.client("alice") as client:
        forged = text.replace(kept.rpartition("/")[2], "0" * 40)
        said = client.put(path, content=forged.encode(), headers={"Content-Type": "text/calendar"})
        assert said.status_code == 403 and "valid-managed-id" in said.text


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


async def test_a_listing_tells_the_same_where_there_is_no_sync_collection(
    calendars: Any, settings: Any, server: Any
) -> None:
    edge, account = calendars
    path, uid = server.path("alice"), name()
    written = await edge.put(account, f"{path}{uid}.ics", calendar(vevent(uid)), etag="")
    told = await edge.sync(account, path, token="")
    connections = Connections(settings)
    listed = await changes_since(
        connections.client(account),
        Calendar(collection=Collection(path=path), reports=frozenset({REPORT})),
        told.token,
    )
    await connections.aclose()
    assert told.token and not listed.token and listed.full
    assert {one.href: one.etag for one in listed.changes} == {one.href: one.etag for one in told.changes}
    assert {one.href: one.etag for one in listed.changes}[f"{path}{uid}.ics"] == written.etag
