"""Conditional writes on servers that do not keep their word."""

from __future__ import annotations

import httpx
import pytest

from gateway.caldav.client import ServerSettings
from gateway.caldav.discover import Calendar
from gateway.caldav.profiles import PROFILES
from gateway.caldav.write import remove, store
from gateway.errors import BackendRefused, BackendUnavailable, ObjectRefused, PreconditionFailed
from gateway.ports import Collection

CALENDAR = Calendar(collection=Collection(path="/c/", components=frozenset({"VEVENT"})))
EMPTY = b'<multistatus xmlns="DAV:"/>'
EXISTS = (
    b'<multistatus xmlns="DAV:"><response><href>/c/</href><propstat><prop/><status>HTTP/1.1 200 OK</status>'
    b"</propstat></response></multistatus>"
)


@pytest.fixture
def put(open_client, scripted, event):
    client = open_client(ServerSettings(url="http://host/"), server=scripted)

    async def write(profile: str, etag: str = "", data: bytes = event("one")):
        return await store(
            client, CALENDAR, PROFILES[profile], path="/c/one.ics", data=data, etag=etag, uid="one"
        )

    return write


@pytest.fixture
def delete(open_client, scripted):
    client = open_client(ServerSettings(url="http://host/"), server=scripted)
    return lambda profile, etag='"1"': remove(client, PROFILES[profile], path="/c/one.ics", etag=etag)


async def test_a_strong_etag_of_a_trusted_server_ends_the_write(put, scripted, event):
    scripted.on("PUT", "/c/one.ics", status=201, ETag='"1"', Schedule_Tag='"s"')
    written = await put("radicale")
    assert (written.etag, written.data, written.schedule_tag) == ('"1"', event("one"), '"s"')
    assert scripted.methods() == ["PUT"] and scripted.asked[0].headers["if-none-match"] == "*"


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"1"'}])
async def test_without_a_strong_etag_the_object_is_read_back(put, scripted, event, headers):
    scripted.on("PUT", "/c/one.ics", status=204, **headers)
    scripted.on("GET", "/c/one.ics", event("one", "As the server has it"), status=200, ETag='"2"')
    written = await put("cyrus", '"1"')
    assert written.etag == '"2"' and b"As the server has it" in written.data
    assert scripted.asked[0].headers["if-match"] == '"1"'


async def test_a_server_that_rewrites_is_read_back_in_spite_of_its_etag(put, scripted, event):
    scripted.on("PUT", "/c/one.ics", status=201, ETag='"1"').on("REPORT", "/c/", EMPTY)
    scripted.on("GET", "/c/one.ics", event("one", "Rewritten"), status=200, ETag='"1"')
    assert b"Rewritten" in (await put("davical")).data


async def test_a_change_made_right_after_ours_stays_news(put, scripted, event):
    scripted.on("PUT", "/c/one.ics", status=204, ETag='"2"')
    scripted.on("GET", "/c/one.ics", event("one", "His"), status=200, ETag='"3"')
    written = await put("stalwart", '"1"')
    assert (written.etag, written.data) == ('"2"', event("one"))


@pytest.mark.parametrize(
    "name", ["sabre", "baikal", "nextcloud", "owncloud", "davical", "sogo", "xandikos", "unknown"]
)
async def test_where_overlapping_writes_both_win_ours_is_decided_anew_on_the_other(
    put, scripted, event, name
):
    if name == "sogo":
        scripted.on("GET", "/c/one.ics", event("one"), status=200, ETag='"1"')
    scripted.on("PUT", "/c/one.ics", status=204, ETag='"2"')
    scripted.on("GET", "/c/one.ics", event("one", "His"), status=200, ETag='"3"')
    with pytest.raises(PreconditionFailed):
        await put(name, '"1"')


async def test_where_ours_still_stands_it_is_done(put, scripted, event):
    scripted.on("PUT", "/c/one.ics", status=204, ETag='"2"')
    scripted.on("GET", "/c/one.ics", event("one"), status=200, ETag='"2"')
    assert (await put("sabre", '"1"')).etag == '"2"'


async def test_a_uid_in_nextclouds_trash_is_tried_again_and_named(put, scripted, recorded):
    scripted.on("PUT", "/c/one.ics", recorded("nextcloud-uid-in-trash.xml"), status=500)
    with pytest.raises(BackendUnavailable, match="trash bin"):
        await put("nextcloud")


async def test_a_500_elsewhere_or_of_an_update_says_nothing_of_a_trash(put, scripted):
    scripted.on("PUT", "/c/one.ics", status=500)
    for name, etag in (("radicale", ""), ("nextcloud", '"1"')):
        with pytest.raises(BackendUnavailable) as caught:
            await put(name, etag)
        assert "trash" not in caught.value.detail


async def test_what_was_stored_cut_off_is_noticed(put, scripted, event):
    scripted.on("PUT", "/c/one.ics", status=201, ETag='"1"').on("REPORT", "/c/", EMPTY)
    scripted.on("GET", "/c/one.ics", event("one")[:-20], status=200, ETag='"1"')
    with pytest.raises(BackendUnavailable):
        await put("davical")


async def test_what_vanished_right_after_it_was_written_is_a_precondition(put, scripted):
    scripted.on("PUT", "/c/one.ics", status=201)
    with pytest.raises(PreconditionFailed):
        await put("cyrus")


async def test_sogo_is_looked_at_before_it_overwrites(put, scripted, event):
    scripted.on("GET", "/c/one.ics", event("one"), status=200, ETag="gcs1").on("REPORT", "/c/", EMPTY)
    for etag in ("", '"gcs0"'):
        with pytest.raises(PreconditionFailed):
            await put("sogo", etag)
    assert "PUT" not in scripted.methods()


async def test_sogo_does_not_create_what_was_to_be_updated(put, scripted):
    with pytest.raises(PreconditionFailed):
        await put("sogo", '"gcs0"')
    assert scripted.methods() == ["GET"]


async def test_a_uid_is_looked_for_where_the_server_would_take_it_twice(put, scripted, event):
    scripted.on(
        "REPORT",
        "/c/",
        b'<multistatus xmlns="DAV:"><response><href>/c/other.ics</href><propstat><prop><getetag>"1"</getetag></prop>'
        b"<status>HTTP/1.1 200 OK</status></propstat></response></multistatus>",
    )
    scripted.on("GET", "/c/other.ics", event("one"), status=200, ETag='"1"')
    with pytest.raises(PreconditionFailed) as caught:
        await put("sabre")
    assert caught.value.element == "no-uid-conflict" and "PUT" not in scripted.methods()


@pytest.mark.parametrize(
    ("name", "status", "element"),
    [
        ("radicale-uid-taken.xml", 409, "no-uid-conflict"),
        ("xandikos-uid-taken.xml", 412, "no-uid-conflict"),
        ("cyrus-uid-taken.xml", 403, "unique-scheduling-object-resource"),
        ("nextcloud-uid-taken.xml", 400, "no-uid-conflict"),
    ],
)
async def test_a_taken_uid_is_a_precondition_in_every_dialect(put, scripted, recorded, name, status, element):
    scripted.on("PUT", "/c/one.ics", recorded(name), status=status)
    with pytest.raises(PreconditionFailed) as caught:
        await put("radicale")
    assert (caught.value.element, caught.value.status) == (element, status)


@pytest.mark.parametrize("status", [403, 404, 405, 409])
async def test_a_missing_calendar_is_refused(put, scripted, status: int):
    scripted.on("PUT", "/c/one.ics", status=status)
    with pytest.raises(BackendRefused):
        await put("radicale")


async def test_a_plain_conflict_in_a_calendar_that_exists_is_a_precondition(put, scripted):
    scripted.on("PUT", "/c/one.ics", status=409).on("PROPFIND", "/c/", EXISTS)
    with pytest.raises(PreconditionFailed):
        await put("radicale")


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_data_that_the_server_does_not_take_is_refused_in_its_words(put, scripted, status: int):
    scripted.on("PUT", "/c/one.ics", b"<html><p>invalid calendar\n data</p></html>", status=status)
    with pytest.raises(ObjectRefused, match=f"{status} invalid calendar data$"):
        await put("radicale")


@pytest.mark.parametrize("status", [403, 409, 412])
@pytest.mark.parametrize(
    "element", ["valid-calendar-data", "max-resource-size", "max-attendees-per-instance"]
)
async def test_a_form_that_the_server_names_is_refused_by_that_name(put, scripted, status: int, element: str):
    body = f'<error xmlns="DAV:"><x:{element} xmlns:x="urn:ietf:params:xml:ns:caldav"/></error>'.encode()
    scripted.on("PUT", "/c/one.ics", body, status=status).on("PROPFIND", "/c/", EXISTS)
    with pytest.raises(ObjectRefused, match=f"{status} {element}$"):
        await put("radicale")


async def test_missing_rights_are_no_fault_of_the_object(put, scripted):
    body = b'<error xmlns="DAV:"><need-privileges/></error>'
    scripted.on("PUT", "/c/one.ics", body, status=403)
    with pytest.raises(BackendRefused) as caught:
        await put("radicale")
    assert not isinstance(caught.value, ObjectRefused)


@pytest.mark.parametrize("status", [500, 503, 507])
async def test_a_failing_server_is_unavailable(put, scripted, status: int):
    scripted.on("PUT", "/c/one.ics", status=status)
    with pytest.raises(BackendUnavailable):
        await put("radicale")


async def test_an_update_of_what_is_gone_is_a_precondition(put, scripted):
    scripted.on("PUT", "/c/one.ics", status=404)
    with pytest.raises(PreconditionFailed):
        await put("radicale", '"1"')


async def test_a_weak_etag_is_tried_in_its_strong_form_if_it_still_shows(put, scripted, event):
    scripted.on("PUT", "/c/one.ics", status=412).on("PUT", "/c/one.ics", status=204, ETag='"2"')
    scripted.on("GET", "/c/one.ics", event("one"), status=200, ETag='W/"1"')
    assert (await put("cyrus", 'W/"1"')).etag == '"2"'
    assert [one.headers.get("if-match") for one in scripted.asked] == ['W/"1"', None, '"1"']


async def test_a_weak_etag_that_no_longer_shows_is_a_precondition(put, scripted, event):
    scripted.on("PUT", "/c/one.ics", status=412)
    scripted.on("GET", "/c/one.ics", event("one"), status=200, ETag='W/"2"')
    with pytest.raises(PreconditionFailed):
        await put("cyrus", 'W/"1"')


async def test_xandikos_refuses_an_organizers_change_by_that_name(put, scripted, recorded):
    scripted.on("PUT", "/c/one.ics", recorded("xandikos-attendee-allowed.xml"), status=412)
    with pytest.raises(PreconditionFailed) as caught:
        await put("xandikos", '"1"')
    assert caught.value.element == "attendee-allowed" and set(scripted.methods()) == {"PUT"}


@pytest.mark.parametrize("status", [200, 202, 204, 404, 410])
async def test_a_deletion_succeeds_when_the_object_is_gone(delete, scripted, status: int):
    scripted.on("DELETE", "/c/one.ics", status=status)
    await delete("radicale")
    assert (
        scripted.asked[0].headers["if-match"] == '"1"' and scripted.asked[0].headers["schedule-reply"] == "F"
    )


async def test_a_precondition_on_what_is_gone_is_success(delete, scripted):
    scripted.on("DELETE", "/c/one.ics", status=412)
    await delete("radicale")


async def test_sogo_does_not_delete_what_changed(delete, scripted, event):
    scripted.on("GET", "/c/one.ics", event("one"), status=200, ETag="gcs2").on(
        "DELETE", "/c/one.ics", status=204
    )
    with pytest.raises(PreconditionFailed):
        await delete("sogo", '"gcs1"')
    await delete("sogo", '"gcs2"')
    assert scripted.methods() == ["GET", "GET", "DELETE"]


ORPHAN = """BEGIN:VEVENT
UID:{uid}
RECURRENCE-ID:{at}
DTSTAMP:20290102T080000Z
DTSTART:{at}
DURATION:PT1H
SUMMARY:One of a series
END:VEVENT
"""


@pytest.fixture
def hangs_up(scripted):
    """The next writes lose their connection before the answer."""

    def lose(times: int = 1) -> None:
        answer = scripted._handle
        left = [times]

        async def handle(request):
            if request.method in ("PUT", "DELETE") and left[0]:
                left[0] -= 1
                scripted.asked.append(request)
                raise httpx.ReadError("Server disconnected")
            return await answer(request)

        scripted._handle = handle

    return lose


async def test_a_write_whose_answer_was_lost_is_sent_again_when_nothing_changed(
    put, delete, scripted, event, hangs_up
):
    hangs_up()
    scripted.on("GET", "/c/one.ics", event("one", "Before"), status=200, ETag='"1"')
    scripted.on("PUT", "/c/one.ics", status=204, ETag='"2"').on("DELETE", "/c/one.ics", status=204)
    assert (await put("radicale", '"1"')).etag == '"2"'
    assert scripted.methods() == ["PUT", "GET", "PUT"] and scripted.asked[-1].headers["if-match"] == '"1"'
    hangs_up()
    await delete("radicale")
    assert scripted.methods()[3:] == ["DELETE", "GET", "DELETE"]


async def test_a_creation_whose_answer_was_lost_is_sent_again_when_nothing_is_there(put, scripted, hangs_up):
    hangs_up()
    scripted.on("GET", "/c/one.ics", status=404).on("PUT", "/c/one.ics", status=201, ETag='"1"')
    assert (await put("radicale")).etag == '"1"' and scripted.asked[-1].headers["if-none-match"] == "*"


async def test_a_write_whose_answer_was_lost_was_done_when_ours_lies_there(
    put, delete, scripted, event, hangs_up
):
    hangs_up()
    scripted.on("GET", "/c/one.ics", event("one"), status=200, ETag='"2"')
    assert (await put("radicale", '"1"')).etag == '"2"' and "PUT" not in scripted.methods()[1:]


async def test_a_deletion_whose_answer_was_lost_was_done_when_it_is_gone(delete, scripted, hangs_up):
    hangs_up()
    await delete("radicale")
    assert scripted.methods() == ["DELETE", "GET"]


async def test_a_lost_write_on_what_another_changed_is_never_sent_again(
    put, delete, scripted, event, hangs_up
):
    hangs_up(2)
    scripted.on("GET", "/c/one.ics", event("one", "Theirs"), status=200, ETag='"2"')
    with pytest.raises(BackendUnavailable):
        await put("radicale", '"1"')
    with pytest.raises(BackendUnavailable):
        await delete("radicale")
    assert scripted.methods() == ["PUT", "GET", "DELETE", "GET"]


async def test_a_lost_write_that_was_under_way_all_the_time_is_decided_anew(put, scripted, event, hangs_up):
    """Its second sending meets the first: 412, but by our own hand."""
    hangs_up()
    scripted.on("GET", "/c/one.ics", event("one", "Before"), status=200, ETag='"1"')
    scripted.on("PUT", "/c/one.ics", status=412)
    with pytest.raises(BackendUnavailable):
        await put("radicale", '"1"')


def orphans(uid: str, count: int) -> bytes:
    events = "".join(ORPHAN.format(uid=uid, at=f"202901{10 + number}T100000Z") for number in range(count))
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{events}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


async def test_as_many_overrides_without_a_master_as_the_profile_says_are_taken(lab, open_calendars):
    calendars = open_calendars(lab.settings)
    account = lab.account()
    home = (await calendars.invitations(account)).path
    profile = await calendars.profile(account)
    most = min(profile.orphans, 3)
    assert most >= 1
    await calendars.put(account, f"{home}most.ics", orphans("most", most), etag="")
    if profile.orphans < 3:
        with pytest.raises(BackendRefused):
            await calendars.put(account, f"{home}more.ics", orphans("more", most + 1), etag="")
