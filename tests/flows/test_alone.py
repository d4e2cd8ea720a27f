"""To be alone with an object: who waits, who is stopped; and what two nodes do to a calendar that they share."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.accounts import Account
from gateway.caldav.calendars import CalDavCalendars
from gateway.caldav.client import ServerSettings
from gateway.errors import BackendUnavailable
from gateway.flows.alone import Alone
from gateway.flows.apply import Apply, Story
from gateway.flows.look import Seen
from gateway.flows.stored import read_stored
from gateway.itip.model import Decision, Outcome, Reason
from gateway.itip.model import Store as Put
from gateway.log import Log
from gateway.ports import JobKind, NewJob, Seized
from gateway.store.desk import Store

SHORT = timedelta(seconds=0.03)
UID = "m1"
GUESTS = ("bob@example.com", "carol@example.com")
MEETING = "\r\n".join(
    [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//test//EN",
        "BEGIN:VEVENT",
        f"UID:{UID}",
        "DTSTAMP:20261101T100000Z",
        "DTSTART:20261201T100000Z",
        "DTEND:20261201T110000Z",
        "SUMMARY:Lunch",
        "ORGANIZER:mailto:alice@example.org",
        *(f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{one}" for one in GUESTS),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
)


@dataclass
class Leases:
    """Implements `ports.WriteLeases` as a test says; what it says last, it repeats."""

    free: list[bool] = field(default_factory=lambda: [True])
    kept: list[bool] = field(default_factory=lambda: [True])
    asked: list[tuple[str, ...]] = field(default_factory=list)
    given_back: int = 0

    async def seize(self, objects: Iterable[str], lease: timedelta) -> Seized | None:
        self.asked.append(tuple(objects))
        return Seized(objects=self.asked[-1], proof="x") if _next(self.free) else None

    async def keep(self, held: Seized, lease: timedelta) -> bool:
        return _next(self.kept)

    async def release(self, held: Seized) -> None:
        self.given_back += 1


def _next(answers: list[bool]) -> bool:
    return answers.pop(0) if len(answers) > 1 else answers[0]


async def test_what_somebody_else_has_is_waited_for() -> None:
    leases = Leases(free=[False, False, True])
    async with Alone(leases).hold(["a", "b"]):
        assert leases.asked == [("a", "b")] * 3
        assert leases.given_back == 0
    assert leases.given_back == 1


async def test_who_waits_in_vain_comes_back_later() -> None:
    with pytest.raises(BackendUnavailable):
        async with Alone(Leases(free=[False]), patience=SHORT).hold(["a"]):
            pytest.fail("never reached")


async def test_who_has_lost_the_lease_is_stopped_in_the_middle_of_his_write() -> None:
    leases = Leases(kept=[True, False])
    with pytest.raises(BackendUnavailable):
        async with Alone(leases, lease=SHORT).hold(["a"]):
            await asyncio.Event().wait()
    await asyncio.sleep(0)  # the task goes on


async def test_who_is_stopped_by_others_stays_stopped_and_gives_back() -> None:
    leases, inside = Leases(), asyncio.Event()

    async def work() -> None:
        async with Alone(leases).hold(["a"]):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert leases.given_back == 1


# --- two nodes and one calendar --------------------------------------------------------------------------------------


def multistatus(**props: str) -> httpx.Response:
    answers = "".join(
        f"<response><href>{href}</href><propstat><prop>{prop}</prop><status>HTTP/1.1 200 OK</status></propstat>"
        "</response>"
        for href, prop in props.items()
    )
    space = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    return httpx.Response(207, text=f'<?xml version="1.0"?><multistatus {space}>{answers}</multistatus>')


@dataclass
class Sabre:
    """One calendar, `team`, that each user finds below his own home. It compares the ETag of a PUT first and writes later; the
    first PUT is kept in between until its rival has come and gone, or has been told to wait."""

    text: bytes = MEETING.encode()
    version: int = 1
    puts: int = 0
    rival: asyncio.Event = field(default_factory=asyncio.Event)

    def transport(self, _: ServerSettings) -> httpx.AsyncBaseTransport:
        return httpx.MockTransport(self.handle)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        home = f"/{request.headers['X-Remote-User']}/"
        if request.method == "PROPFIND" and request.headers["Depth"] == "1":
            return multistatus(
                **{
                    f"{home}team/": "<resourcetype><collection/><C:calendar/></resourcetype>"
                    "<owner><href>/principals/team/</href></owner>"
                }
            )
        if request.method == "PROPFIND":
            me = f"<href>{home}</href>"
            props = f"<current-user-principal>{me}</current-user-principal><C:calendar-home-set>{me}</C:calendar-home-set>"
            return multistatus(**{path: props})
        if request.method == "REPORT":
            return multistatus(**{f"{path}{UID}.ics": f'<getetag>"{self.version}"</getetag>'})
        if request.method == "PUT":
            return await self.put(request)
        if request.method == "GET" and path.endswith(f"/team/{UID}.ics"):
            if self.version > 1:
                self.rival.set()  # he has read what he wrote, and is content
            return httpx.Response(200, content=self.text, headers={"ETag": f'"{self.version}"'})
        return httpx.Response(200 if request.method == "OPTIONS" else 404, headers={"X-Sabre-Version": "4"})

    async def put(self, request: httpx.Request) -> httpx.Response:
        if request.headers["If-Match"] != f'"{self.version}"':
            return httpx.Response(412)
        self.puts += 1
        if self.puts == 1:
            await self.rival.wait()
        self.version, self.text = self.version + 1, request.content
        return httpx.Response(204, headers={"ETag": f'"{self.version}"'})


@dataclass
class Watched:
    """The leases of a store; the server hears who is told to wait."""

    store: Store
    server: Sabre

    async def seize(self, objects: Iterable[str], lease: timedelta) -> Seized | None:
        held = await self.store.writing.seize(objects, lease)
        if held is None:
            self.server.rival.set()
        return held

    async def keep(self, held: Seized, lease: timedelta) -> bool:
        return await self.store.writing.keep(held, lease)

    async def release(self, held: Seized) -> None:
        await self.store.writing.release(held)


async def recorded(store: Store, calendars: CalDavCalendars, account: Account, guest: str) -> None:
    """A job of this account that writes down a guest's answer."""
    job = NewJob(
        kind=JobKind.APPLY,
        lane=f"{account.address}|{UID}",
        account=account.address,
        uid=UID,
        payload={"source": "mail"},
    )
    await store.queue.add([job])
    (claimed,) = await store.queue.claim(account.address, limit=1, lease=timedelta(minutes=1))
    apply = Apply(
        queue=store.queue, plans=store.plans, snapshots=store.snapshots, calendars=calendars, log=Log()
    )

    async def propose(seen: Seen) -> Decision:
        assert seen.text is not None
        text = re.sub(rf"NEEDS-ACTION(:mailto:{guest})", r"ACCEPTED\1", seen.text.decode())
        change = Put(object=read_stored(text.encode()))
        return Decision(outcome=Outcome.APPLIED, reason=Reason.ANSWER_RECORDED, change=change)

    await apply.carry_out(claimed, account, Story(kind="mail"), propose=propose)


@pytest.mark.parametrize("alone, left", [(True, 2), (False, 1)])
async def test_two_nodes_that_share_a_calendar_lose_no_answer_where_they_are_alone_with_it(
    postgresql: Any, empty_postgresql: str, tmp_path: Path, alone: bool, left: int
) -> None:
    """And would lose one if they were not: the server lets both writes win, and tells each that it did."""
    name = postgresql.create(empty_postgresql)
    server = Sabre()
    accounts = [Account(address=f"{one}@example.org", username=one) for one in ("alice", "dora")]
    settings = ServerSettings(url="http://dav.example.org/", auth="header")
    stores, nodes = [], []
    for number in range(2):
        stores.append(Store(postgresql.url(name), tmp_path / str(number), "example.org"))
        await stores[-1].start()
        nodes.append(
            CalDavCalendars(
                [settings],
                accounts=accounts,
                exclusion=Alone(Watched(stores[-1], server)) if alone else None,
                transport=server.transport,
            )
        )
    try:
        await asyncio.gather(*map(recorded, stores, nodes, accounts, GUESTS))
    finally:
        for node, store in zip(nodes, stores, strict=True):
            await node.aclose()
            await store.close()
        postgresql.drop(name)
    assert server.text.count(b"PARTSTAT=ACCEPTED") == left
