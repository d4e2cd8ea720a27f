"""One suite of claims, against a real Radicale and a real Xandikos."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.accounts import Account
from gateway.caldav.calendars import GLANCE, REFRESH, CalDavCalendars
from gateway.caldav.client import ServerSettings
from gateway.caldav.xml import make_calendar
from gateway.errors import BackendRefused, BackendUnavailable, ObjectRefused, PreconditionFailed

Event = Callable[..., bytes]
ODD_UID = "a:b;c/ü <&> %2F@x"
LONG_UID = "040000008200E00074C5B7101A82E008" * 10


async def test_a_new_account_has_a_watched_calendar_that_takes_invitations(calendars, lab):
    account = lab.account()
    (collection,) = await calendars.collections(account)
    assert (await calendars.invitations(account)) == collection
    assert (
        collection.path.endswith("/calendar/") and "VEVENT" in collection.components and collection.writable
    )


async def test_only_calendars_that_fit_the_globs_are_watched(calendars, lab):
    account = lab.account(watch=("work*",))
    assert await calendars.collections(account) == ()
    assert (await calendars.invitations(account)).path.endswith("/calendar/")


@pytest.mark.parametrize("uid", ["plain@example.org", ODD_UID, LONG_UID])
async def test_what_is_written_is_found_by_its_exact_uid(calendars, lab, event: Event, uid: str):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    written = await calendars.put(
        account, calendars.new_href(home, uid), event(uid.replace(";", r"\;")), etag=""
    )
    found = await calendars.find(account, uid)
    assert found is not None and (found.href, found.etag) == (written.href, written.etag)
    assert await calendars.find(account, uid[:-1]) is None
    assert await calendars.find(account, uid + "x") is None


async def test_an_object_of_a_client_is_found_where_the_client_put_it(calendars, lab, event: Event):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    await calendars.put(account, f"{home}Own name @1.ics", event("foreign"), etag="")
    found = await calendars.find(account, "foreign", hints=(f"{home}gone.ics",))
    assert found is not None and found.href == f"{home}Own name @1.ics"
    by_hint = await calendars.find(account, "foreign", hints=(f"{home}Own%20name%20%401.ics",))
    assert by_hint is not None and by_hint.href == found.href


async def test_creating_over_an_existing_object_is_refused(calendars, lab, event: Event):
    account = lab.account()
    href = calendars.new_href((await calendars.invitations(account)).path, "one")
    await calendars.put(account, href, event("one"), etag="")
    with pytest.raises(PreconditionFailed):
        await calendars.put(account, href, event("one", "Other"), etag="")


async def test_the_same_uid_at_another_place_is_a_precondition(calendars, lab, event: Event):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    await calendars.put(account, f"{home}one.ics", event("one"), etag="")
    with pytest.raises(PreconditionFailed) as caught:
        await calendars.put(account, f"{home}two.ics", event("one"), etag="")
    assert caught.value.element == "no-uid-conflict"


async def test_a_stale_update_and_a_stale_deletion_change_nothing(calendars, lab, event: Event):
    account = lab.account()
    href = calendars.new_href((await calendars.invitations(account)).path, "one")
    first = await calendars.put(account, href, event("one"), etag="")
    second = await calendars.put(account, href, event("one", "Second"), etag=first.etag)
    assert second.etag != first.etag
    with pytest.raises(PreconditionFailed):
        await calendars.put(account, href, event("one", "Third"), etag=first.etag)
    with pytest.raises(PreconditionFailed):
        await calendars.delete(account, href, etag=first.etag)
    kept = await calendars.get(account, href)
    assert kept is not None and kept.etag == second.etag and b"Second" in kept.data


async def test_deleting_twice_is_success(calendars, lab, event: Event):
    account = lab.account()
    href = calendars.new_href((await calendars.invitations(account)).path, "one")
    written = await calendars.put(account, href, event("one"), etag="")
    await calendars.delete(account, href, etag=written.etag)
    await calendars.delete(account, href, etag=written.etag)
    assert await calendars.get(account, href) is None
    assert await calendars.find(account, "one") is None


async def test_an_update_of_what_was_deleted_is_a_precondition(calendars, lab, event: Event):
    account = lab.account()
    href = calendars.new_href((await calendars.invitations(account)).path, "one")
    written = await calendars.put(account, href, event("one"), etag="")
    await calendars.delete(account, href, etag=written.etag)
    with pytest.raises(PreconditionFailed):
        await calendars.put(account, href, event("one"), etag=written.etag)


async def test_of_many_creators_one_wins(calendars, lab, event: Event):
    account = lab.account()
    href = calendars.new_href((await calendars.invitations(account)).path, "one")
    done = await asyncio.gather(
        *(calendars.put(account, href, event("one", f"by {number}"), etag="") for number in range(5)),
        return_exceptions=True,
    )
    assert sum(not isinstance(one, BaseException) for one in done) == 1
    assert sum(isinstance(one, PreconditionFailed) for one in done) == 4


async def test_a_first_sync_lists_everything_and_the_next_only_what_changed(calendars, lab, event: Event):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    hrefs = [calendars.new_href(home, uid) for uid in ("one", "two", "three")]
    written = [
        await calendars.put(account, href, event(uid), etag="")
        for href, uid in zip(hrefs, ("one", "two", "three"), strict=True)
    ]
    first = await calendars.sync(account, home, token="")
    assert first.full and {one.href: one.etag for one in first.changes} == {
        one.href: one.etag for one in written
    }
    updated = await calendars.put(account, hrefs[0], event("one", "New"), etag=written[0].etag)
    await calendars.delete(account, hrefs[1], etag=written[1].etag)
    second = await calendars.sync(account, home, token=first.token)
    assert not second.full
    assert {one.href: one.etag for one in second.changes} == {hrefs[0]: updated.etag, hrefs[1]: None}
    third = await calendars.sync(account, home, token=second.token)
    assert (third.changes, third.full) == ((), False)


async def test_a_token_that_the_server_does_not_know_gives_everything_anew(calendars, lab, event: Event):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    written = await calendars.put(account, calendars.new_href(home, "one"), event("one"), etag="")
    gone = await calendars.put(account, calendars.new_href(home, "two"), event("two"), etag="")
    await calendars.delete(account, gone.href, etag=gone.etag)
    result = await calendars.sync(account, home, token="http://nobody/1")
    assert result.full and [(one.href, one.etag) for one in result.changes] == [(written.href, written.etag)]


async def test_many_objects_are_read_in_batches_and_missing_ones_left_out(calendars, lab, event: Event):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    written = [
        await calendars.put(account, f"{home}{number} @.ics", event(f"uid{number}"), etag="")
        for number in range(53)
    ]
    wanted = [*(one.href for one in written), f"{home}missing.ics"]
    found = await calendars.multiget(account, home, wanted)
    assert {one.href: one.etag for one in found} == {one.href: one.etag for one in written}
    by_get = await calendars.get(account, written[7].href)
    by_report = next(one for one in found if one.href == written[7].href)
    assert by_get is not None and by_report.data.strip() == by_get.data.strip()


async def test_a_missing_calendar_is_refused_not_empty(calendars, lab, event: Event):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    missing = f"{home.rstrip('/')}-missing/"
    with pytest.raises(BackendRefused):
        await calendars.sync(account, missing, token="")
    with pytest.raises(BackendRefused):
        await calendars.put(account, f"{missing}a.ics", event("a"), etag="")


async def test_a_configured_calendar_must_exist(calendars, lab):
    plain = lab.account()
    home = (await calendars.invitations(plain)).path
    account = replace(plain, address="again@example.org", calendar=f"{home.rstrip('/')}-missing/")
    with pytest.raises(BackendRefused):
        await calendars.invitations(account)


async def test_a_wrong_password_is_refused(radicale, open_calendars):
    calendars: CalDavCalendars = open_calendars(radicale.settings)
    account = Account(address="user0@example.org", username="user0", password="wrong")
    with pytest.raises(BackendRefused):
        await calendars.collections(account)


async def test_locks_are_forgotten_when_nobody_holds_them(calendars, lab, event: Event):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    await calendars.put(account, calendars.new_href(home, "one"), event("one"), etag="")
    assert len(calendars._writes) == 0


async def test_a_hint_that_is_forbidden_now_is_passed_over(radicale, open_calendars):
    calendars: CalDavCalendars = open_calendars(radicale.settings)
    account = radicale.account()
    with pytest.raises(BackendRefused):
        await calendars.get(account, "/user0/calendar/a.ics")
    assert await calendars.find(account, "a", hints=("/user0/calendar/a.ics",)) is None


PROPPATCH = """<d:propertyupdate xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:set><d:prop>
<c:calendar-user-address-set><d:href>mailto:{}</d:href></c:calendar-user-address-set></d:prop></d:set></d:propertyupdate>"""


async def test_a_scheduling_xandikos_refuses_an_organizers_change_and_takes_it_anew(
    xandikos, open_calendars, event: Event
):
    """By 412 attendee-allowed in an attendee's copy; `flows/anew` deletes and creates, journalled."""
    calendars: CalDavCalendars = open_calendars(xandikos.settings)
    account = xandikos.account()
    home = (await calendars.invitations(account)).path
    await calendars._client(account).request(
        "PROPPATCH",
        f"/{account.username}/",
        body=PROPPATCH.format(account.address).encode(),
        headers={"Content-Type": "application/xml"},
    )
    people = ("ORGANIZER:mailto:ext@example.net", f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{account.address}")
    href = calendars.new_href(home, "one")
    first = await calendars.put(account, href, event("one", "Old", *people), etag="")
    changed = event("one", "New", *people, "LOCATION:Here")
    with pytest.raises(PreconditionFailed) as refusal:
        await calendars.put(account, href, changed, etag=first.etag)
    assert refusal.value.element == "attendee-allowed"
    assert (await calendars.profile(account)).replaces
    await calendars.delete(account, href, etag=first.etag)
    second = await calendars.put(account, href, changed, etag="")
    assert b"SUMMARY:New" in second.data and second.etag != first.etag
    found = await calendars.find(account, "one")
    assert found is not None and (found.href, found.etag) == (href, second.etag)


async def test_a_new_calendar_is_seen_after_a_while(lab, open_calendars):
    now = 0.0
    calendars: CalDavCalendars = open_calendars(lab.settings, clock=lambda: now)
    account = lab.account()
    (first,) = await calendars.collections(account)
    new = f"{first.path.rstrip('/')}-new/"
    reply = await calendars._client(account).request(
        "MKCALENDAR", new, body=make_calendar("New"), headers={"Content-Type": "application/xml"}
    )
    assert reply.status == 201 and await calendars.collections(account) == (first,)
    now = REFRESH.total_seconds()
    assert {one.path for one in await calendars.collections(account)} == {first.path, new}


async def test_what_was_moved_into_a_calendar_that_is_just_made_is_found(lab, open_calendars, event: Event):
    """Or it would be taken for deleted, and everybody told."""
    now = 0.0
    calendars: CalDavCalendars = open_calendars(lab.settings, clock=lambda: now)
    account = lab.account()
    (first,) = await calendars.collections(account)
    new, old = f"{first.path.rstrip('/')}-new/", f"{first.path}one.ics"
    await calendars._client(account).request(
        "MKCALENDAR", new, body=make_calendar("New"), headers={"Content-Type": "application/xml"}
    )
    await calendars.put(account, f"{new}one.ics", event("one"), etag="")
    assert await calendars.find(account, "one", hints=(old,)) is None  # discovered in this very moment
    now = GLANCE + 1
    assert await calendars.find(account, "one") is None  # nobody knew of it: nobody looks for new places
    found = await calendars.find(account, "one", hints=(old,))
    assert found is not None and found.href == f"{new}one.ics"


@pytest.mark.parametrize(("owner", "is_found"), [("", True), ("own", True), ("/somebody/", False)])
async def test_what_was_moved_into_an_own_calendar_that_we_may_only_read_is_found(
    lab, open_calendars, event: Event, owner, is_found
):
    """Or it would be taken for deleted. In somebody else's lies his copy, which says nothing about the organizer's."""
    calendars: CalDavCalendars = open_calendars(lab.settings)
    account = lab.account()
    (first,) = await calendars.collections(account)
    path = f"{first.path.rstrip('/')}-archive/"
    await calendars._client(account).request(
        "MKCALENDAR", path, body=make_calendar("Archive"), headers={"Content-Type": "application/xml"}
    )
    await calendars.put(account, f"{path}one.ics", event("one"), etag="")
    calendars._forget(account)
    there = await calendars._surroundings(account)
    whose = there.principal if owner == "own" else owner

    def shown(one):
        kept = one.collection.path != path
        return one if kept else replace(one, collection=replace(one.collection, writable=False, owner=whose))

    known = calendars._known[account.address]
    seen = replace(there, calendars=tuple(map(shown, there.calendars)))
    calendars._known[account.address] = replace(known, surroundings=seen)
    assert await calendars.find(account, "one") is None
    found = await calendars.find(account, "one", hints=(f"{first.path}one.ics",))
    assert (found is not None) is is_found


async def test_a_calendar_that_was_deleted_is_an_error_once_and_then_unknown(lab, open_calendars):
    calendars: CalDavCalendars = open_calendars(lab.settings)
    account = lab.account()
    (first,) = await calendars.collections(account)
    token = (await calendars.sync(account, first.path, token="")).token
    await calendars._client(account).request("DELETE", first.path)
    with pytest.raises(BackendRefused):
        await calendars.sync(account, first.path, token=token)
    assert await calendars.collections(account) == ()


async def test_a_dead_server_costs_those_who_wait_one_question(open_calendars, scripted):
    scripted.on("PROPFIND", "/dav/", status=503)
    calendars: CalDavCalendars = open_calendars(
        ServerSettings(url="http://host/dav/"), transport=scripted.transport
    )
    account = Account(address="alice@example.org", username="alice", password="x")
    asked = await asyncio.gather(*(calendars.collections(account) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(one, BackendUnavailable) for one in asked) and len(scripted.asked) == 1
    with pytest.raises(BackendUnavailable):
        await calendars.collections(account)
    assert len(scripted.asked) == 2


async def test_radicale_takes_no_object_with_a_line_that_is_none(radicale, open_calendars, event: Event):
    calendars: CalDavCalendars = open_calendars(radicale.settings)
    account = radicale.account()
    href = calendars.new_href((await calendars.invitations(account)).path, "one")
    with pytest.raises(ObjectRefused):
        await calendars.put(account, href, event("one", "Lunch", "a line without a colon"), etag="")
    assert (await calendars.put(account, href, event("one", "Lunch"), etag="")).href == href


async def test_a_calendar_whose_uids_are_known_is_not_asked_where_a_twin_would_be_refused(
    calendars, lab, event: Event
):
    account = lab.account()
    home = (await calendars.invitations(account)).path
    await calendars.put(account, f"{home}of a client.ics", event("twin"), etag="")
    assert await calendars.find(account, "twin") is not None
    assert await calendars.find(account, "twin", indexed=frozenset({home})) is None  # both servers guard
    with pytest.raises(PreconditionFailed):
        await calendars.put(account, calendars.new_href(home, "twin"), event("twin"), etag="")
    here = await calendars.put(account, calendars.new_href(home, "ours"), event("ours"), etag="")
    assert (
        await calendars.find(account, "ours", indexed=frozenset({home})) is None
    )  # not even where it would lie
    with pytest.raises(PreconditionFailed):
        await calendars.put(account, here.href, event("ours"), etag="")


class Asked:
    """Implements `ports.Exclusion`; remembers for what."""

    def __init__(self) -> None:
        self.objects: list[list[str]] = []

    @asynccontextmanager
    async def hold(self, objects: Iterable[str]) -> AsyncIterator[None]:
        self.objects.append(list(objects))
        yield


def homes(scripted, user: str, *calendars: tuple[str, str, str]) -> None:
    """What a user's home answers; of each calendar its path, its owner and what may be done with it."""
    said = "".join(
        f"<response><href>{path}</href><propstat><prop><resourcetype><collection/><C:calendar/></resourcetype>"
        f"<owner><href>{owner}</href></owner><current-user-privilege-set><privilege><{right}/></privilege>"
        "</current-user-privilege-set></prop><status>HTTP/1.1 200 OK</status></propstat></response>"
        for path, owner, right in calendars
    )
    space = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    me = f"<href>/p/{user}/</href>"
    person = (
        f"<response><href>/p/{user}/</href><propstat><prop><current-user-principal>{me}</current-user-principal>"
        f"<C:calendar-home-set><href>/{user}/</href></C:calendar-home-set></prop>"
        "<status>HTTP/1.1 200 OK</status></propstat></response>"
    )
    for place, answer in ((f"/start/{user}/", person), (f"/p/{user}/", person), (f"/{user}/", said)):
        scripted.on("PROPFIND", place, f"<multistatus {space}>{answer}</multistatus>".encode())


@pytest.mark.parametrize(
    ("profile", "owner", "right", "asked"),
    [
        ("sabre", "/p/alice/", "all", ["/alice/cal/", "/p/alice"]),
        ("radicale", "/p/alice/", "all", []),  # of two overlapping writes it lets one win
        ("sabre", "/p/alice/", "read", []),  # who may only read writes nothing
        ("sabre", "/p/bob/", "all", []),
    ],
)
async def test_other_processes_are_kept_away_where_another_account_could_overwrite(
    open_calendars, scripted, event: Event, *, profile: str, owner: str, right: str, asked: list[str]
):
    """The other one sees the calendar at a path of his own."""
    homes(scripted, "alice", ("/alice/cal/", "/p/alice/", "all"))
    homes(scripted, "bob", ("/bob/shared_by_alice/", owner, right))
    scripted.on("PUT", "/alice/cal/one.ics", status=204, ETag='"2"')
    scripted.on("GET", "/alice/cal/one.ics", event("one"), status=200, ETag='"2"')
    scripted.on("DELETE", "/alice/cal/one.ics", status=204)
    accounts = [
        Account(address=f"{one}@example.org", username=one, password="x", server=one)
        for one in ("alice", "bob")
    ]
    servers = [
        ServerSettings(url=f"http://dav/start/{one}/", name=one, profile=profile) for one in ("alice", "bob")
    ]
    exclusion = Asked()
    calendars: CalDavCalendars = open_calendars(
        *servers, accounts=accounts, exclusion=exclusion, transport=scripted.transport
    )
    for one in accounts:
        await calendars.collections(one)
    await calendars.put(accounts[0], "/alice/cal/one.ics", event("one"), etag='"1"')
    await calendars.delete(accounts[0], "/alice/cal/one.ics", etag='"2"')
    names = [f"dav {place} {name}" for place in asked for name in ("name one.ics", "uid one")]
    assert exclusion.objects == ([names, names[::2]] if asked else [])
