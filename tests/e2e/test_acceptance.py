"""What people complained of elsewhere, with one daemon, one Radicale and a wire between them that can be cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import PASSWORD, Gateway, Radicale

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

USERS = ("alice", "bob", "carol", "dora")
SOON = (datetime.now(UTC) + timedelta(days=30)).replace(minute=0, second=0, microsecond=0)
HELD = "event=watch.held"
HOP = frozenset({"transfer-encoding", "content-length", "connection", "content-encoding", "server", "date"})


def meeting(user: str, uid: str, *, start: datetime = SOON, summary: str = "Planning") -> str:
    stamp = "%Y%m%dT%H%M%SZ"
    return "\r\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Client//EN",
            "BEGIN:VEVENT",
            f"UID:{uid}",
            "DTSTAMP:20260101T000000Z",
            "SEQUENCE:0",
            f"DTSTART:{start:{stamp}}",
            f"DTEND:{start + timedelta(hours=1):{stamp}}",
            f"SUMMARY:{summary}",
            f"ORGANIZER:mailto:{user}@example.org",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{user}@example.org",
            f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:guest-of-{user}@example.com",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


@dataclass
class Wire:
    """Stands before the calendar server and passes everything on, unless it is told to spoil the answers."""

    server: str
    spoil: str = ""
    spoilt: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return lambda: wire.answer(self)
                raise AttributeError(name)

        self.client = httpx.Client(base_url=self.server, timeout=30)
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        content = asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in asked.headers.items() if name.lower() not in HOP | {"host"}}
        found = self.client.request(asked.command, asked.path, headers=headers, content=content)
        status, body, length = found.status_code, found.content, len(found.content)
        if self.spoil and status == 207:
            self.spoilt.append(self.spoil)
            if self.spoil.isdigit():
                status, body = int(self.spoil), b""
            elif self.spoil in ("cut", "stopped"):
                body = body[: len(body) // 2]
            elif self.spoil == "empty":
                body = b""
            elif self.spoil == "nothing":
                body = b'<?xml version="1.0"?><multistatus xmlns="DAV:"/>'
            elif self.spoil == "login":
                status, body = 200, b"<!DOCTYPE html><html><body>Please log in</body></html>"
            length = length if self.spoil == "stopped" else len(body)
        asked.send_response_only(status)
        for name, value in found.headers.items():
            if name.lower() not in HOP:
                asked.send_header(name, value)
        asked.send_header("Content-Length", str(length))
        asked.end_headers()
        asked.wfile.write(body)
        asked.close_connection = asked.close_connection or length != len(body)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.client.close()


@dataclass
class Town:
    gateway: Gateway
    radicale: Radicale
    wire: Wire

    def put(self, user: str, uid: str, *, folder: str = "calendar", **facts: Any) -> None:
        with self.radicale.client(user) as client:
            self.save(client, user, uid, folder=folder, **facts)

    @staticmethod
    def save(client: httpx.Client, user: str, uid: str, *, folder: str = "calendar", **facts: Any) -> None:
        content = meeting(user, uid, **facts).encode()
        headers = {"Content-Type": "text/calendar"}
        client.put(f"/{user}/{folder}/{uid}.ics", content=content, headers=headers).raise_for_status()

    def mailed(self, user: str) -> list[str]:
        """METHOD of each letter to the guest of this user since the last look."""
        self.gateway.settle()
        letters = self.gateway.take_letters()
        assert {one["To"].addresses[0].addr_spec for one in letters} <= {f"guest-of-{user}@example.com"}
        parts = [part for one in letters for part in one.walk() if part.get_content_type() == "text/calendar"]
        return [str(part.get_param("method")) for part in parts]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Alice's calendar has a thousand meetings before the gateway looks for the first time."""
    folder: Path = tmp_path_factory.mktemp("town")
    radicale = Radicale(folder / "radicale", USERS)
    calendar = folder / "radicale" / "collections" / "collection-root" / "alice" / "calendar"
    for number in range(500):
        past = SOON - timedelta(days=60 + number)
        (calendar / f"past{number}.ics").write_text(meeting("alice", f"past{number}", start=past), newline="")
        (calendar / f"next{number}.ics").write_text(meeting("alice", f"next{number}"), newline="")
    wire = Wire(radicale.url)
    seen: Any = SimpleNamespace(users=USERS, url=wire.url, client=radicale.client)
    gateway = Gateway(folder / "gateway", seen)
    try:
        gateway.start().run("sync")  # what is saved before the first look is history
        yield Town(gateway, radicale, wire)
    finally:
        gateway.stop()
        wire.close()
        radicale.stop()


def test_calendar_576_a_thousand_meetings_that_were_there_mail_nobody(town: Town) -> None:
    assert town.mailed("alice") == []
    assert town.gateway.json("held", "list") == []


def test_server_2855_an_import_of_200_is_held_with_one_alarm(town: Town) -> None:
    with town.radicale.client("alice") as client:
        for number in range(200):
            town.save(client, "alice", f"import{number}")
    assert town.mailed("alice") == []
    held = town.gateway.json("held", "list")
    assert len(held) == 200 and {one["kind"] for one in held} == {"burst"}
    assert town.gateway.log.read_text().count(HELD) == 1
    wanted, refused = [one["id"] for one in held[:3]], [one["id"] for one in held[3:]]
    town.gateway.run("held", "approve", *wanted)
    town.gateway.run("held", "refuse", *refused)
    assert town.mailed("alice") == ["REQUEST"] * 3
    assert town.gateway.json("held", "list") == []


def test_a_server_whose_answers_are_spoilt_mails_nobody(town: Town) -> None:
    """Cut, empty, of another kind, refused: each is a failure, and none a calendar without meetings."""
    for number in range(3):
        town.put("bob", f"b{number}")
    assert town.mailed("bob") == ["REQUEST"] * 3
    for spoil in ("cut", "stopped", "empty", "nothing", "login", "401", "404", "503"):
        town.wire.spoil = spoil
        try:
            town.gateway.run("sync", ok=(0, 1, 69, 75))
        finally:
            town.wire.spoil = ""
    assert set(town.wire.spoilt) == {"cut", "stopped", "empty", "nothing", "login", "401", "404", "503"}
    assert town.mailed("bob") == []
    town.put("bob", "b0", summary="Plans")
    assert town.mailed("bob") == ["REQUEST"]


def test_an_account_whose_password_is_gone_mails_nobody(town: Town) -> None:
    users = town.radicale.folder / "users"
    town.put("bob", "p1")
    assert town.mailed("bob") == ["REQUEST"]
    users.write_text(users.read_text().replace(f"bob:{PASSWORD}\n", ""))
    town.gateway.run("sync", ok=(0, 1, 69, 75))
    town.gateway.run("drain", "--settle", "--timeout", "60", ok=(0, 75))
    users.write_text(users.read_text() + f"bob:{PASSWORD}\n")
    assert town.mailed("bob") == []


def test_a_calendar_that_is_copied_moved_and_deleted_mails_nobody(town: Town) -> None:
    for number in range(3):
        town.put("carol", f"c{number}")
    assert town.mailed("carol") == ["REQUEST"] * 3
    with town.radicale.client("carol") as client:
        client.request("MKCALENDAR", "/carol/copy/").raise_for_status()
        client.request("MKCALENDAR", "/carol/moved/").raise_for_status()
        for number in range(3):
            town.save(client, "carol", f"c{number}", folder="copy")
        assert town.mailed("carol") == []
        for number in range(3):
            there = {"Destination": f"{town.radicale.url}carol/moved/c{number}.ics"}
            client.request("DELETE", f"/carol/copy/c{number}.ics").raise_for_status()
            client.request("MOVE", f"/carol/calendar/c{number}.ics", headers=there).raise_for_status()
        assert town.mailed("carol") == []
        client.delete("/carol/calendar/").raise_for_status()
        client.delete("/carol/moved/").raise_for_status()
    assert town.mailed("carol") == []


def test_a_calendar_that_is_wiped_is_held(town: Town) -> None:
    for number in range(3):
        town.put("dora", f"d{number}")
    assert town.mailed("dora") == ["REQUEST"] * 3
    with town.radicale.client("dora") as client:
        for number in range(3):
            client.delete(f"/dora/calendar/d{number}.ics").raise_for_status()
    assert town.mailed("dora") == []
    held = [one for one in town.gateway.json("held", "list") if one["account"] == "dora@example.org"]
    assert [one["kind"] for one in held] == ["burst"] * 3
    town.gateway.run("held", "approve", *[one["id"] for one in held])
    assert town.mailed("dora") == ["CANCEL"] * 3
