"""Multistatus answers: what real servers send is understood, anything else raises one error."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.caldav.faults import BrokenAnswer
from gateway.caldav.xml import (
    CALDAV,
    DAV,
    calendar_text,
    make_calendar,
    multiget,
    parse,
    parse_multistatus,
    precondition,
    propfind,
    query_by_uid,
    searchable,
    sync_collection,
)

LISTING = b"""<d:multistatus xmlns:d="DAV:"><d:response><d:href>/a/</d:href><d:propstat><d:prop><d:getetag>"1"</d:getetag>
</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"""
BOMB = b"""<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<d:multistatus xmlns:d="DAV:"><d:response><d:href>&b;</d:href><d:status>HTTP/1.1 200 OK</d:status></d:response></d:multistatus>"""


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("radicale-sync-first.xml", "http://radicale.org/ns/sync/"),
        ("xandikos-sync-first.xml", ""),
        ("cyrus-sync-cut.xml", "http://cyrusimap.org/ns/sync/1718-7"),
    ],
)
def test_a_sync_answer_has_members_with_etags_and_a_token(recorded, name: str, token: str):
    found = parse_multistatus(recorded(name), base="/")
    assert found.sync_token and found.sync_token.startswith(token)
    assert any(one.text(f"{DAV}getetag") for one in found.members)


@pytest.mark.parametrize("name", ["radicale-multiget.xml", "xandikos-multiget.xml", "davical-multiget.xml"])
def test_the_calendar_text_of_a_report_has_its_line_ends_back(recorded, name: str):
    (found,) = [one for one in parse_multistatus(recorded(name), base="/").members if not one.status]
    text = calendar_text(found)
    assert (
        text is not None
        and text.startswith(b"BEGIN:VCALENDAR\r\n")
        and text.count(b"\n") == text.count(b"\r\n")
    )


def test_properties_that_were_not_found_are_not_there(recorded):
    found = parse_multistatus(recorded("radicale-multiget.xml"), base="/")
    assert all(f"{CALDAV}schedule-tag" not in one.properties for one in found.members)
    assert [one.status for one in found.members if one.path.endswith("nope.ics")] == [404]


@pytest.mark.parametrize(
    ("name", "element"),
    [
        ("radicale-uid-taken.xml", "no-uid-conflict"),
        ("xandikos-uid-taken.xml", "no-uid-conflict"),
        ("cyrus-uid-taken.xml", "unique-scheduling-object-resource"),
        ("radicale-sync-bad-token.xml", "valid-sync-token"),
        ("sabre-sync-bad-token.xml", "valid-sync-token"),
        ("xandikos-attendee-allowed.xml", "attendee-allowed"),
        ("nextcloud-uid-taken.xml", ""),
    ],
)
def test_the_precondition_is_read_from_the_error(recorded, name: str, element: str):
    assert precondition(recorded(name)) == element


@pytest.mark.parametrize("body", [b"", b"Forbidden", b"<html><body>no", BOMB, b"\xff\xfe"])
def test_an_error_without_xml_names_no_precondition(body: bytes):
    assert precondition(body) == ""


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(LISTING[:-1], id="cut at the end"),
        pytest.param(LISTING[:100], id="cut in the middle"),
        pytest.param(b"<html xmlns='DAV:'><body>Log in</body></html>", id="html"),
        pytest.param(LISTING.replace(b"DAV:", b"DAV"), id="another namespace"),
        pytest.param(LISTING.replace(b"<d:href>/a/</d:href>", b""), id="no href"),
        pytest.param(LISTING.replace(b"HTTP/1.1 200 OK", b"fine"), id="no status"),
        pytest.param(LISTING.replace(b"/a/", b"/a/../b/"), id="dot segments"),
        pytest.param(BOMB, id="entities"),
        pytest.param(BOMB.decode().encode("utf-16"), id="entities in UTF-16"),
        pytest.param(b"<a>" * 100 + b"</a>" * 100, id="nested"),
        pytest.param(LISTING.replace(b'"1"', b"\x01"), id="control character"),
    ],
)
def test_what_is_no_whole_multistatus_raises(body: bytes):
    with pytest.raises(BrokenAnswer) as caught:
        parse_multistatus(body, base="/")
    assert caught.value.temporary


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_an_answer_or_the_one_error(body: bytes):
    with contextlib.suppress(BrokenAnswer):
        parse_multistatus(body, base="/")


@given(st.integers(0, len(LISTING) - 1))
def test_no_cut_listing_is_ever_read(length: int):
    with pytest.raises(BrokenAnswer):
        parse_multistatus(LISTING[:length], base="/")


@given(st.text(max_size=60))
def test_a_search_asks_for_a_part_of_the_uid_that_every_reading_shares(uid: str):
    part = searchable(uid)
    assert part in uid
    assert uid.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").count(part) > 0
    query = parse(query_by_uid("VEVENT", part))
    assert (query.findtext(f".//{CALDAV}text-match") or "") == part


def test_what_we_ask_is_well_formed():
    for body in (
        propfind(f"{DAV}getetag", f"{CALDAV}calendar-home-set"),
        sync_collection("http://x/?a=1&b=<2>"),
        multiget(["/a b/&<>\u00fc.ics", "/%2F%25.ics"]),
        make_calendar("A & <B>"),
    ):
        parse(body)


def test_hrefs_are_escaped_once_in_a_multiget():
    (href,) = parse(multiget(["/a b/%25 ü.ics"])).iter(f"{DAV}href")
    assert href.text == "/a%20b/%25%20%C3%BC.ics"
