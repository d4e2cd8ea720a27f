"""From a login to its calendars, on servers that name things differently."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.accounts import Account
from gateway.caldav.client import ServerSettings
from gateway.caldav.discover import configured_path, discover, invitation_calendar, watched
from gateway.caldav.profiles import GATEWAY, INBOUND
from gateway.errors import BackendRefused, BackendUnavailable, NoFittingCalendar

SCHEDULES = "1, 3, calendar-access, calendar-auto-schedule"


def props(href: str, *found: str) -> bytes:
    return (
        '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response>'
        f"<d:href>{href}</d:href><d:propstat><d:prop>{''.join(found)}</d:prop><d:status>HTTP/1.1 200 OK</d:status>"
        "</d:propstat></d:response></d:multistatus>"
    ).encode()


def principal(href: str) -> str:
    return f"<d:current-user-principal><d:href>{href}</d:href></d:current-user-principal>"


def home(href: str) -> str:
    return f"<c:calendar-home-set><d:href>{href}</d:href></c:calendar-home-set>"


def inbox(href: str) -> str:
    return f"<c:schedule-inbox-URL><d:href>{href}</d:href></c:schedule-inbox-URL>"


def calendar(href: str) -> bytes:
    return props(href, "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>")


@pytest.fixture
def look(open_client, scripted, alice: Account):
    """Discover one account at the scripted server; return what was found and where invitations go."""

    async def run(url: str, account: Account = alice, *, profile: str = "auto", **settings: str):
        client = open_client(ServerSettings(url=url, **settings), account, server=scripted)
        found = await discover(client, account, profile=profile)
        return found, invitation_calendar(found, account, configured_path(client, account, found.homes)).path

    return run


@pytest.fixture
def nextcloud(scripted, recorded):
    base = "/remote.php/dav"
    scripted.on("PROPFIND", f"{base}/", props(f"{base}/", principal(f"{base}/principals/users/alice/")))
    scripted.on(
        "PROPFIND",
        f"{base}/principals/users/alice/",
        props(
            f"{base}/principals/users/alice/",
            home(f"{base}/calendars/alice/"),
            inbox(f"{base}/calendars/alice/inbox/"),
        ),
    )
    scripted.on("PROPFIND", f"{base}/calendars/alice/", recorded("nextcloud-home.xml"))
    return scripted.on(
        "OPTIONS", f"{base}/calendars/alice/", status=200, DAV=SCHEDULES + ", nextcloud-checksum-update"
    )


async def test_nextcloud_gives_its_calendars_and_no_trash(look, nextcloud, alice):
    found, default = await look("http://host/remote.php/dav/")
    names = {one.collection.path.split("/")[-2]: one.collection for one in found.calendars}
    assert set(names) == {"contact_birthdays", "tasks", "team @ work_shared_by_bob", "personal"}
    assert not names["contact_birthdays"].writable and names["personal"].writable
    assert names["tasks"].components == {"VTODO"}
    assert default.endswith("/personal/")
    assert (found.facts.name, found.facts.sends, found.facts.schedules) == ("nextcloud", INBOUND, True)


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        (("*",), {"Contact birthdays", "Tasks", "Team (bob)", "Personal"}),
        (("Team*",), {"Team (bob)"}),
        (("personal", "*/tasks/"), {"Personal", "Tasks"}),
        (("/remote.php/dav/calendars/alice/[pt]*",), {"Personal", "Tasks", "Team (bob)"}),
        ((), set()),
    ],
)
async def test_watched_calendars_fit_by_path_or_name(look, nextcloud, alice, globs, names):
    found, _ = await look("http://host/remote.php/dav/")
    assert {one.name for one in watched(found, replace(alice, watch=globs))} == names


@pytest.mark.parametrize(
    "configured",
    [
        "/remote.php/dav/calendars/alice/team%20%40%20work_shared_by_bob/",
        "/remote.php/dav/calendars/alice/team @ work_shared_by_bob",
        "http://host/remote.php/dav/calendars/alice/team%20@%20work_shared_by_bob/",
        "team @ work_shared_by_bob",
        "Team (bob)",
    ],
)
async def test_a_configured_calendar_is_found_however_it_is_written(look, nextcloud, alice, configured):
    _, default = await look("http://host/remote.php/dav/", replace(alice, calendar=configured))
    assert default == "/remote.php/dav/calendars/alice/team @ work_shared_by_bob/"


@pytest.mark.parametrize("configured", ["", "Team (bob)"])
async def test_a_task_goes_into_a_calendar_that_takes_tasks(look, nextcloud, alice, configured):
    account = replace(alice, calendar=configured)
    found, _ = await look("http://host/remote.php/dav/", account)
    place = invitation_calendar(found, account, "", kind="VTODO")
    assert "VTODO" in place.components
    with pytest.raises(NoFittingCalendar, match="no writable calendar for journals"):
        invitation_calendar(found, account, "", kind="VJOURNAL")


async def test_a_calendar_of_another_home_may_be_configured(look, nextcloud, alice):
    nextcloud.on(
        "PROPFIND", "/remote.php/dav/calendars/room/x/", calendar("/remote.php/dav/calendars/room/x/")
    )
    _, default = await look(
        "http://host/remote.php/dav/", replace(alice, calendar="/remote.php/dav/calendars/room/x/")
    )
    assert default == "/remote.php/dav/calendars/room/x/"


async def test_a_configured_calendar_that_is_missing_stops_only_invitations(look, nextcloud, alice):
    with pytest.raises(BackendRefused):
        await look("http://host/remote.php/dav/", replace(alice, calendar="/nowhere/"))


async def test_radicale_is_found_through_its_well_known_place(look, scripted, recorded):
    scripted.on("PROPFIND", "/.well-known/caldav", status=301, Location="/")
    scripted.on("PROPFIND", "/", props("/", principal("/alice/")))
    scripted.on("PROPFIND", "/alice/", recorded("radicale-principal.xml"))
    scripted.on("PROPFIND", "/alice/", recorded("radicale-home.xml"))
    scripted.on("OPTIONS", "/alice/", status=200, DAV="1, 2, 3, calendar-access, addressbook, extended-mkcol")
    found, default = await look("http://host")
    assert (default, found.inbox) == ("/alice/default/", "")
    assert (found.facts.name, found.facts.sends) == ("radicale", GATEWAY)


async def test_discovery_learns_what_the_server_calls_the_account(look, scripted):
    names = "".join(
        f"<d:href>{one}</d:href>"
        for one in ("mailto:alice@example.org", "urn:uuid:1", "https://host/dav/principals/alice/")
    )
    said = f"<c:calendar-user-address-set>{names}</c:calendar-user-address-set>"
    scripted.on("PROPFIND", "/dav/", props("/dav/", principal("/dav/alice/")))
    scripted.on("PROPFIND", "/dav/alice/", props("/dav/alice/", home("/dav/alice/") + said))
    scripted.on("PROPFIND", "/dav/alice/", calendar("/dav/alice/work/"))
    scripted.on("OPTIONS", "/dav/alice/", status=200, DAV="1, calendar-access")
    found, _ = await look("http://host/dav/")
    assert found.addresses == ("mailto:alice@example.org", "urn:uuid:1", "https://host/dav/principals/alice/")


async def test_the_server_says_which_calendar_is_the_default(look, scripted, recorded):
    base = "/dav/calendars/user/alice/"
    scripted.on("PROPFIND", "/dav/", props("/dav/", principal("/dav/principals/user/alice/")))
    scripted.on(
        "PROPFIND",
        "/dav/principals/user/alice/",
        props("/dav/principals/user/alice/", home(base), inbox(f"{base}Inbox/")),
    )
    both = calendar(f"{base}A-calendar/").replace(
        b"</d:multistatus>",
        calendar(f"{base}Default/").split(b">", 1)[1],
    )
    scripted.on("PROPFIND", base, both).on("PROPFIND", f"{base}Inbox/", recorded("cyrus-inbox.xml"))
    classes = f"{SCHEDULES}, calendar-managed-attachments"
    scripted.on("OPTIONS", base, status=200, DAV=classes, Server="Cyrus-HTTP/3.6.1")
    found, default = await look("http://host/dav/")
    assert (default, found.facts.name) == (f"{base}Default/", "cyrus")
    assert found.facts.keeper == "http://host"


async def test_a_well_known_place_of_another_host_is_not_followed(look, scripted, recorded):
    scripted.on("PROPFIND", "/.well-known/caldav", status=301, Location="http://evil.example/")
    with pytest.raises(BackendUnavailable):
        await look("http://host")
    assert {one.url.host for one in scripted.asked} == {"host"}


async def test_a_home_on_another_host_is_refused_by_name(look, scripted):
    scripted.on("PROPFIND", "/dav/", props("/dav/", principal("/p/")))
    scripted.on("PROPFIND", "/p/", props("/p/", home("https://p42.other.example/1/calendars/")))
    with pytest.raises(BackendRefused, match=r"p42\.other\.example"):
        await look("http://host/dav/")


async def test_a_principal_url_may_be_configured_itself(look, scripted):
    at = "<d:resourcetype><d:principal/></d:resourcetype>"
    scripted.on("PROPFIND", "/p/alice/", props("/p/alice/", at, home("http://internal:8080/cal/alice")))
    scripted.on("PROPFIND", "/cal/alice/", calendar("/cal/alice/work/"))
    scripted.on("OPTIONS", "/cal/alice/", status=200, DAV="1, calendar-access")
    with pytest.raises(BackendRefused):
        await look("http://host/p/alice/")
    scripted._answers.clear()
    scripted.on("PROPFIND", "/p/alice/", props("/p/alice/", at, home("https://host/cal/alice")))
    scripted.on("PROPFIND", "/cal/alice/", calendar("/cal/alice/work/"))
    scripted.on("OPTIONS", "/cal/alice/", status=200, DAV="1, calendar-access")
    assert (await look("http://host/p/alice/"))[1] == "/cal/alice/work/"


async def test_a_service_user_finds_the_accounts_own_home(look, scripted, alice):
    scripted.on("PROPFIND", "/dav/", props("/dav/", principal("/dav/gate/")))
    scripted.on("PROPFIND", "/dav/alice/", props("/dav/alice/", home("/dav/alice/")))
    scripted.on("PROPFIND", "/dav/alice/", calendar("/dav/alice/work/"))
    scripted.on("OPTIONS", "/dav/alice/", status=200, DAV="1, calendar-access")
    found, default = await look(
        "http://host/dav/", replace(alice, password=""), username="gate", password="pw"
    )
    assert (found.principal, default) == ("/dav/alice/", "/dav/alice/work/")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_login_is_refused(look, scripted, status: int):
    scripted.on("PROPFIND", "/dav/", status=status).on("PROPFIND", "/.well-known/caldav", status=status)
    with pytest.raises(BackendRefused):
        await look("http://host/dav/")


async def test_a_place_without_principal_is_refused(look, scripted):
    scripted.on("PROPFIND", "/dav/", props("/dav/"))
    with pytest.raises(BackendRefused):
        await look("http://host/dav/")


async def test_a_server_that_will_not_say_is_not_sent_for(look, nextcloud):
    nextcloud._answers["OPTIONS", "/remote.php/dav/calendars/alice/"].clear()
    found, _ = await look("http://host/remote.php/dav/")
    assert found.facts.sends == INBOUND and found.facts.problems


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_who_sends_is_not_guessed_from_a_moment_s_trouble(look, nextcloud, status: int):
    """Else every change until the next discovery would be told to nobody."""
    answers = nextcloud._answers["OPTIONS", "/remote.php/dav/calendars/alice/"]
    answers.clear()
    nextcloud.on("OPTIONS", "/remote.php/dav/calendars/alice/", status=status)
    with pytest.raises(BackendUnavailable):
        await look("http://host/remote.php/dav/")


@pytest.mark.parametrize(("word", "takes_none"), [("transparent", True), ("opaque", False)])
async def test_a_calendar_whose_owner_lets_it_take_no_time_says_so(
    look, scripted, word: str, takes_none: bool
):
    found = f"<c:schedule-calendar-transp><c:{word}/></c:schedule-calendar-transp>"
    kinds = "<d:resourcetype><d:collection/><c:calendar/></d:resourcetype>"
    scripted.on("PROPFIND", "/dav/", props("/dav/", principal("/p/")))
    scripted.on("PROPFIND", "/p/", props("/p/", home("/h/")))
    scripted.on("PROPFIND", "/h/", props("/h/calendar/", kinds, found))
    scripted.on("OPTIONS", "/h/", status=200, DAV="1, calendar-access")
    surroundings, _ = await look("http://host/dav/")
    assert [one.collection.transparent for one in surroundings.calendars] == [takes_none]
