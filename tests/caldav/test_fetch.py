"""Objects are read in batches; what a server leaves out is asked for, and one bad object does not spoil the rest."""

from __future__ import annotations

import pytest

from gateway.caldav.client import OBJECT_LIMIT, ServerSettings
from gateway.caldav.discover import Calendar
from gateway.caldav.faults import BrokenAnswer
from gateway.caldav.fetch import MULTIGET, attachment, get, get_many, search
from gateway.caldav.xml import CALDAV, DAV, parse
from gateway.errors import BackendUnavailable
from gateway.ports import Collection, Document

PATH = "/caldav.php/alice/calendar/"
CALENDAR = Calendar(
    collection=Collection(path=PATH, components=frozenset({"VEVENT"})), reports=frozenset({MULTIGET})
)


@pytest.fixture
def client(open_client, scripted):
    return open_client(ServerSettings(url="http://host/"), server=scripted)


async def test_what_a_multiget_leaves_out_is_asked_for_one_by_one(client, scripted, recorded, event):
    scripted.on("REPORT", PATH, recorded("davical-multiget.xml"))
    scripted.on("GET", f"{PATH}two.ics", event("two"), status=200, ETag='"2"')
    found = await get_many(client, CALENDAR, [f"{PATH}one.ics", f"{PATH}two.ics", f"{PATH}gone.ics"])
    assert [(one.href, one.etag) for one in found] == [
        (f"{PATH}one.ics", '"5e1f"'),
        (f"{PATH}two.ics", '"2"'),
    ]


async def test_a_multiget_that_is_no_xml_is_replaced_by_single_reads(client, scripted, event):
    scripted.on("REPORT", PATH, b'<multistatus xmlns="DAV:">\x0b</multistatus>')
    for name in ("a", "b"):
        scripted.on("GET", f"{PATH}{name}.ics", event(name), status=200, ETag=f'"{name}"')
    found = await get_many(client, CALENDAR, [f"{PATH}a.ics", f"{PATH}b.ics"])
    assert [one.etag for one in found] == ['"a"', '"b"']


async def test_a_server_that_fails_is_not_asked_again_in_the_small(client, scripted):
    scripted.on("REPORT", PATH, status=503)
    with pytest.raises(BackendUnavailable):
        await get_many(client, CALENDAR, [f"{PATH}a.ics", f"{PATH}b.ics"])
    assert scripted.methods() == ["REPORT"]


async def test_many_objects_are_asked_for_in_batches_and_each_once(client, scripted):
    scripted.on("REPORT", PATH, b'<multistatus xmlns="DAV:"/>')
    await get_many(client, CALENDAR, [f"{PATH}{number % 120}.ics" for number in range(240)])
    sizes = [
        len(list(parse(one.content).iter(f"{DAV}href"))) for one in scripted.asked if one.method == "REPORT"
    ]
    assert sizes == [50, 50, 20]


async def test_a_server_without_multiget_is_asked_one_by_one(client, scripted, event):
    scripted.on("GET", f"{PATH}a.ics", event("a"), status=200, ETag='"1"')
    poor = Calendar(collection=CALENDAR.collection, reports=frozenset({f"{CALDAV}calendar-query"}))
    assert len(await get_many(client, poor, [f"{PATH}a.ics", f"{PATH}b.ics"])) == 1
    assert set(scripted.methods()) == {"GET"}


async def test_a_monster_among_many_is_left_out(client, scripted, event):
    scripted.on("GET", f"{PATH}a.ics", event("a") + b" " * OBJECT_LIMIT, status=200, ETag='"1"')
    scripted.on("GET", f"{PATH}b.ics", event("b"), status=200, ETag='"2"')
    poor = Calendar(collection=CALENDAR.collection, reports=frozenset({f"{CALDAV}calendar-query"}))
    assert [one.etag for one in await get_many(client, poor, [f"{PATH}a.ics", f"{PATH}b.ics"])] == ['"2"']


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_not_there_is_none(client, scripted, status: int):
    scripted.on("GET", "/a.ics", status=status)
    assert await get(client, "/a.ics") is None


@pytest.mark.parametrize("body", [b"", b"<html>Log in</html>", b"BEGIN:VCARD\r\n"])
async def test_what_is_no_calendar_raises(client, scripted, body: bytes):
    scripted.on("GET", "/a.ics", body, status=200, ETag='"1"')
    with pytest.raises(BrokenAnswer):
        await get(client, "/a.ics")


async def test_an_etag_that_get_does_not_tell_is_asked_for(client, scripted, event):
    scripted.on("GET", "/a.ics", event("a"), status=200)
    scripted.on(
        "PROPFIND",
        "/a.ics",
        b'<d:multistatus xmlns:d="DAV:"><d:response><d:href>/a.ics</d:href><d:propstat><d:prop><d:getetag>abc</d:getetag>'
        b"</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>",
    )
    found = await get(client, "/a.ics")
    assert found is not None and found.etag == '"abc"'


async def test_a_substring_hit_is_not_the_object(client, scripted, recorded, event):
    path = "/alice/recorded/"
    scripted.on("REPORT", path, recorded("radicale-query.xml"))
    scripted.on("GET", f"{path}three.ics", event("three"), status=200, ETag='"3"')
    radicale = Calendar(collection=Collection(path=path))
    found = await search(client, radicale, "three")
    assert found is not None and found.href == f"{path}three.ics"
    assert await search(client, radicale, "thr") is None
    assert scripted.methods() == ["REPORT", "GET", "REPORT"]


async def test_a_uid_that_cannot_be_asked_for_is_not_found(client, scripted):
    assert await search(client, CALENDAR, "\x01") is None
    assert scripted.asked == []


async def test_a_uid_is_sought_among_journals_where_a_calendar_takes_them(client, scripted):
    path = "/alice/journals/"
    scripted.on("REPORT", path, b'<d:multistatus xmlns:d="DAV:"/>')
    journals = Calendar(collection=Collection(path=path, components=frozenset({"VJOURNAL"})))
    assert await search(client, journals, "a") is None
    (asked,) = scripted.asked
    assert b'name="VJOURNAL"' in asked.content and b'name="VEVENT"' not in asked.content


# --- attachments -----------------------------------------------------------------------------------------------------

KEPT = "/dav/calendars/user/alice/Attachments/a2435d"


@pytest.mark.parametrize("url", [f"http://host{KEPT}", f"http://HOST:80{KEPT}", KEPT])
async def test_an_attachment_is_fetched_with_the_login_of_its_account(client, scripted, url: str):
    scripted.on("GET", KEPT, b"%PDF-1.4 hello", status=200, Content_Type="application/pdf")
    found = await attachment(client, url, limit=14)
    assert found == Document(content=b"%PDF-1.4 hello", kind="application/pdf")
    assert scripted.asked[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "url",
    [
        f"http://evil.example{KEPT}",
        f"https://host{KEPT}",
        f"http://host:8080{KEPT}",
        f"//evil.example{KEPT}",
        f"http://host@evil.example{KEPT}",
        "file:///etc/passwd",
        "http://host/dav/Attachments/../m1.ics",
        "http://host/dav/Attachments/%2e%2e/m1.ics",
        "http://[host/dav",
    ],
)
async def test_no_other_place_is_asked_for_an_attachment(client, scripted, url: str):
    assert await attachment(client, url, limit=14) is None
    assert scripted.asked == []


@pytest.mark.parametrize("body", [b"BEGIN:VCALENDAR\r\n", b"\r\nbegin:vcard\r\n"])
async def test_neither_a_meeting_nor_a_person_is_handed_over_as_an_attachment(client, scripted, body: bytes):
    scripted.on("GET", KEPT, body, status=200)
    assert await attachment(client, KEPT, limit=100) is None
    assert scripted.methods() == ["GET"]


async def test_an_attachment_that_leads_elsewhere_is_not_followed(client, scripted):
    scripted.on("GET", KEPT, status=302, Location="http://host/dav/calendars/user/alice/Default/m1.ics")
    assert await attachment(client, KEPT, limit=14) is None
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("status", [204, 206, 304, 401, 403, 404, 410])
async def test_an_attachment_that_the_server_does_not_hand_over_is_none(client, scripted, status: int):
    scripted.on("GET", KEPT, b"", status=status)
    assert await attachment(client, KEPT, limit=14) is None


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_in_trouble_has_not_said_that_an_attachment_is_gone(client, scripted, status: int):
    scripted.on("GET", KEPT, status=status)
    with pytest.raises(BackendUnavailable):
        await attachment(client, KEPT, limit=14)


async def test_an_attachment_is_read_up_to_its_limit(client, scripted):
    scripted.on("GET", KEPT, b"%PDF-1.4 hello", status=200)
    with pytest.raises(BrokenAnswer):
        await attachment(client, KEPT, limit=13)
