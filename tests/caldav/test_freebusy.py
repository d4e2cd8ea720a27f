"""What real servers find in a stretch of time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.accounts import Account
from gateway.caldav.client import ServerSettings

DAY = datetime(2030, 1, 7, tzinfo=UTC)


def text(uid: str, start: str, more: str = "") -> bytes:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20290101T000000Z\r\nDTSTART:{start}\r\nDURATION:PT1H\r\n{more}"
        f"SUMMARY:{uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


async def test_what_overlaps_is_found_and_what_is_far_away_is_not(calendars, lab):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    for uid, start, more in (
        ("inside", "20300107T090000Z", ""),
        ("series", "20291201T090000Z", "RRULE:FREQ=DAILY;COUNT=90\r\n"),
        ("before", "20291207T090000Z", ""),
        ("after", "20300207T090000Z", ""),
    ):
        await calendars.put(account, calendars.new_href(home, uid), text(uid, start, more), etag="")
    found = await calendars.overlapping(account, DAY, DAY.replace(day=8))
    names = {
        uid
        for one in found
        for uid in ("inside", "series", "before", "after")
        if f"UID:{uid}".encode() in one
    }
    assert names == {"inside", "series"}


async def test_an_empty_calendar_holds_nothing(calendars, lab):
    assert await calendars.overlapping(lab.account(), DAY, DAY.replace(day=8)) == ()


@pytest.mark.parametrize(("kind", "asked"), [("person", False), ("room", True), ("resource", True)])
async def test_a_transparent_calendar_is_not_even_asked_but_for_what_a_room_has_promised(
    open_calendars, scripted, kind, asked
):
    def answer(href: str, found: str) -> bytes:
        return (
            '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response>'
            f"<d:href>{href}</d:href><d:propstat><d:prop>{found}</d:prop>"
            "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
        ).encode()

    kinds = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>"
    transparent = "<c:schedule-calendar-transp><c:transparent/></c:schedule-calendar-transp>"
    principal = "<d:current-user-principal><d:href>/p/</d:href></d:current-user-principal>"
    home = "<c:calendar-home-set><d:href>/h/</d:href></c:calendar-home-set>"
    scripted.on("PROPFIND", "/dav/", answer("/dav/", principal)).on("PROPFIND", "/p/", answer("/p/", home))
    scripted.on("PROPFIND", "/h/", answer("/h/calendar/", kinds + transparent))
    scripted.on("OPTIONS", "/h/", status=200, DAV="1, calendar-access")
    scripted.on("REPORT", "/h/calendar/", b'<d:multistatus xmlns:d="DAV:"/>')
    calendars = open_calendars(ServerSettings(url="http://host/dav/"), transport=scripted.transport)
    account = Account(address="alice@example.org", username="alice", password="x", kind=kind)
    (calendar,) = await calendars.collections(account)
    assert calendar.transparent
    assert await calendars.overlapping(account, DAY, DAY.replace(day=8)) == ()
    assert ("REPORT" in {one.method for one in scripted.asked}) is asked
