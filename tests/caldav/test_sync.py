"""Sync answers of real servers, and the doubtful ones that must become full answers or errors."""

from __future__ import annotations

import pytest

from gateway.caldav.client import ServerSettings
from gateway.caldav.discover import Calendar
from gateway.caldav.faults import BrokenAnswer
from gateway.caldav.sync import SYNC, changes_since
from gateway.caldav.xml import CALDAV, DAV, parse
from gateway.errors import BackendRefused, BackendUnavailable
from gateway.ports import Change, Collection

SETTINGS = ServerSettings(url="http://host/")


def calendar(path: str, *reports: str) -> Calendar:
    return Calendar(collection=Collection(path=path), reports=frozenset(reports))


def page(token: str, *members: tuple[str, str]) -> bytes:
    """A sync answer: members are (href, ETag) or (href, status line)."""
    found = []
    for href, fact in members:
        if fact.startswith("HTTP/"):
            found.append(f"<response><href>{href}</href><status>{fact}</status></response>")
        else:
            found.append(
                f"<response><href>{href}</href><propstat><prop><getetag>{fact}</getetag></prop>"
                "<status>HTTP/1.1 200 OK</status></propstat></response>"
            )
    token = f"<sync-token>{token}</sync-token>" if token else ""
    return f'<multistatus xmlns="DAV:">{"".join(found)}{token}</multistatus>'.encode()


GONE, CUT = "HTTP/1.1 404 Not Found", "HTTP/1.1 507 Insufficient Storage"
A, B = Change(href="/c/a.ics", etag='"1"'), Change(href="/c/b.ics", etag='"2"')


@pytest.fixture
def client(open_client, scripted):
    return open_client(SETTINGS, server=scripted)


async def test_the_real_answers_of_radicale_and_xandikos(client, scripted, recorded):
    for name, path in (("radicale", "/alice/recorded/"), ("xandikos", "/alice/calendars/recorded/")):
        scripted.on("REPORT", path, recorded(f"{name}-sync-first.xml"))
        scripted.on("REPORT", path, recorded(f"{name}-sync-changes.xml"))
        first = await changes_since(client, calendar(path, SYNC), "")
        assert first.full and {one.href for one in first.changes if one.etag} == {
            f"{path}{name}.ics" for name in ("one", "two", "three")
        }
        second = await changes_since(client, calendar(path, SYNC), first.token)
        assert not second.full and second.token != first.token
        assert {one.href: one.etag is None for one in second.changes} == {
            f"{path}one.ics": False,
            f"{path}two.ics": True,
        }


@pytest.mark.parametrize("name", ["radicale", "xandikos", "sabre"])
@pytest.mark.parametrize("status", [403, 412, 409, 400])
async def test_a_refused_token_begins_anew(client, scripted, recorded, name: str, status: int):
    scripted.on("REPORT", "/c/", recorded(f"{name}-sync-bad-token.xml"), status=status)
    scripted.on("REPORT", "/c/", page("t2", ("/c/a.ics", '"1"')))
    result = await changes_since(client, calendar("/c/", SYNC), "t1")
    assert (result.full, result.token, result.changes) == (True, "t2", (A,))
    assert parse(scripted.asked[1].content).findtext(f"{DAV}sync-token") == ""


async def test_a_token_that_goes_backwards_begins_anew(client, scripted):
    scripted.on("REPORT", "/c/", page("http://sabre.io/ns/sync/8"))
    scripted.on("REPORT", "/c/", page("http://sabre.io/ns/sync/8", ("/c/a.ics", '"1"')))
    result = await changes_since(client, calendar("/c/", SYNC), "http://sabre.io/ns/sync/12")
    assert (result.full, result.changes) == (True, (A,))


@pytest.mark.parametrize(
    ("before", "after"),
    [("http://sabre.io/ns/sync/9", "http://sabre.io/ns/sync/10"), ("ff12", "fe11"), ("t", "t"), ("a9", "a9")],
)
async def test_other_tokens_are_only_tokens(client, scripted, before: str, after: str):
    scripted.on("REPORT", "/c/", page(after, ("/c/a.ics", '"1"')))
    result = await changes_since(client, calendar("/c/", SYNC), before)
    assert (result.full, len(scripted.asked)) == (False, 1)


async def test_old_deletions_in_a_first_answer_are_left_out(client, scripted):
    scripted.on("REPORT", "/c/", page("t", ("/c/a.ics", '"1"'), ("/c/old.ics", GONE)))
    assert (await changes_since(client, calendar("/c/", SYNC), "")).changes == (A,)


async def test_repeated_and_unknown_members_are_tolerated(client, scripted):
    members = (
        ("/c/a.ics", '"0"'),
        ("/c/never.ics", GONE),
        ("/c/a.ics", '"1"'),
        ("/c/", '"9"'),
        ("/c/sub/", '"8"'),
    )
    scripted.on("REPORT", "/c/", page("t2", *members))
    result = await changes_since(client, calendar("/c/", SYNC), "t1")
    assert result.changes == (A, Change(href="/c/never.ics", etag=None))


async def test_a_cut_answer_is_continued(client, scripted, recorded):
    path = "/dav/calendars/user/alice/Default/"
    scripted.on("REPORT", path, recorded("cyrus-sync-cut.xml")).on(
        "REPORT", path, recorded("cyrus-sync-rest.xml")
    )
    result = await changes_since(client, calendar(path, SYNC), "http://cyrusimap.org/ns/sync/1718-2")
    assert result.token.endswith("1718-9") and not result.full
    assert {one.href.rpartition("/")[2]: one.etag for one in result.changes} == {
        "one.ics": '"fd1c4a"',
        "two.ics": 'W/"aa01"',
        "three.ics": '"0c3"',
        "four.ics": None,
    }
    assert (
        parse(scripted.asked[1].content).findtext(f"{DAV}sync-token") == "http://cyrusimap.org/ns/sync/1718-7"
    )


async def test_an_answer_that_is_cut_without_end_raises(client, scripted):
    scripted.on("REPORT", "/c/", page("t", ("/c/", CUT)))
    with pytest.raises(BrokenAnswer):
        await changes_since(client, calendar("/c/", SYNC), "")
    assert len(scripted.asked) == 2


async def test_no_limit_is_ever_asked_for(client, scripted):
    scripted.on("REPORT", "/c/", page("t"))
    await changes_since(client, calendar("/c/", SYNC), "")
    assert b"limit" not in scripted.asked[0].content and scripted.asked[0].headers["depth"] == "0"


async def test_a_server_without_the_report_is_listed(client, scripted):
    path = "/SOGo/dav/alice/Calendar/personal/"
    scripted.on("PROPFIND", path, page("", (path, '"9"'), (f"{path}one%3Btwo.ics", "gcs00000003")))
    result = await changes_since(client, calendar(path, f"{CALDAV}calendar-query"), "old token")
    assert (result.full, result.token) == (True, "")
    assert result.changes == (Change(href=f"{path}one;two.ics", etag='"gcs00000003"'),)


async def test_a_real_listing_has_only_the_objects(client, scripted, recorded):
    for name, path in (
        ("radicale", "/alice/recorded/"),
        ("xandikos", "/alice/calendars/recorded/"),
        ("sogo", "/SOGo/dav/alice/Calendar/personal/"),
    ):
        scripted.on("PROPFIND", path, recorded(f"{name}-listing.xml"))
        result = await changes_since(client, calendar(path, "{DAV:}expand-property"), "")
        assert result.full and result.changes
        assert all(one.etag and one.href.endswith(".ics") for one in result.changes)


@pytest.mark.parametrize("status", [400, 403, 405, 415, 501, 507])
async def test_a_server_that_refuses_the_report_it_offers_is_listed(client, scripted, status: int):
    scripted.on("REPORT", "/c/", status=status)
    scripted.on("PROPFIND", "/c/", page("", ("/c/", '"9"'), ("/c/a.ics", '"1"')))
    result = await changes_since(client, calendar("/c/"), "")
    assert (result.full, result.token, result.changes) == (True, "", (A,))


async def test_an_answer_without_token_is_listed_instead(client, scripted):
    scripted.on("REPORT", "/c/", page("", ("/c/a.ics", '"1"')))
    scripted.on("PROPFIND", "/c/", page("", ("/c/", '"9"'), ("/c/a.ics", '"1"'), ("/c/b.ics", '"2"')))
    assert (await changes_since(client, calendar("/c/", SYNC), "")).changes == (A, B)


@pytest.mark.parametrize("known_token", ["", "t1"])
@pytest.mark.parametrize("status", [404, 410, 401])
async def test_a_missing_or_closed_calendar_is_refused(client, scripted, known_token: str, status: int):
    scripted.on("REPORT", "/c/", status=status).on("PROPFIND", "/c/", status=status)
    with pytest.raises(BackendRefused):
        await changes_since(client, calendar("/c/", SYNC), known_token)


@pytest.mark.parametrize("known_token", ["", "t1"])
@pytest.mark.parametrize(
    "body", [b"", page("t2", ("/c/a.ics", '"1"'))[:-5], b"<html/>", page("t2", ("/c/a.ics", CUT))]
)
async def test_a_broken_answer_raises_and_is_not_listed(client, scripted, known_token: str, body: bytes):
    scripted.on("REPORT", "/c/", body).on("PROPFIND", "/c/", page("", ("/c/", '"9"')))
    with pytest.raises(BackendUnavailable):
        await changes_since(client, calendar("/c/", SYNC), known_token)
    assert scripted.methods() == ["REPORT"]


@pytest.mark.parametrize(
    "body",
    [
        page("", ("/c/a.ics", '"1"')),
        page("", ("/c/", GONE)),
        page("", ("/c/", '"9"'), ("/c/a.ics", CUT)),
        page(""),
    ],
)
async def test_a_listing_that_is_not_whole_raises(client, scripted, body: bytes):
    scripted.on("PROPFIND", "/c/", body)
    with pytest.raises(BrokenAnswer):
        await changes_since(client, calendar("/c/", "{DAV:}expand-property"), "")


async def test_an_empty_calendar_is_a_full_and_empty_answer(client, scripted):
    scripted.on("PROPFIND", "/c/", page("", ("/c/", '"9"')))
    result = await changes_since(client, calendar("/c/", "{DAV:}expand-property"), "")
    assert (result.full, result.changes) == (True, ())


async def test_a_member_that_may_not_be_read_is_not_gone(client, scripted):
    scripted.on("REPORT", "/c/", page("t", ("/c/a.ics", '"1"'), ("/c/secret.ics", "HTTP/1.1 403 Forbidden")))
    result = await changes_since(client, calendar("/c/", SYNC), "")
    assert result.changes == (A, Change(href="/c/secret.ics", etag=""))


async def test_a_calendar_that_moved_is_listed_where_it_is(client, scripted):
    """Cyrus sends a shared calendar's user to a path under his own home."""
    scripted.on("PROPFIND", "/c/", status=301, Location="/d/")
    scripted.on("PROPFIND", "/d/", page("", ("/d/", '"9"'), ("/d/a.ics", '"1"')))
    result = await changes_since(client, calendar("/c/", "{DAV:}expand-property"), "")
    assert result.changes == (Change(href="/d/a.ics", etag='"1"'),)
