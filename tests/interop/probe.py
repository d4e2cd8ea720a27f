"""What a server does with plain requests: the facts of the table in docs/servers.md, each measured in a word or two."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx

from tests.interop.servers import Server

START = (datetime.now(UTC) + timedelta(days=60)).replace(hour=10, minute=0, second=0, microsecond=0)
TYPE = {"Content-Type": "text/calendar; charset=utf-8"}
Fact = Callable[["Probe"], str]


def stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def vevent(uid: str, *lines: str, start: datetime = START, hours: float = 1) -> str:
    own = [f"UID:{uid}", f"DTSTAMP:{stamp(START - timedelta(days=90))}", f"DTSTART:{stamp(start)}"]
    own.append(f"DTEND:{stamp(start + timedelta(hours=hours))}")
    return "\r\n".join(("BEGIN:VEVENT", *own, "SUMMARY:Probe", *lines, "END:VEVENT"))


def calendar(*events: str) -> bytes:
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Probe//EN", *events, "END:VCALENDAR", "")
    return "\r\n".join(lines).encode()


def said(reply: httpx.Response) -> str:
    """The status, and the precondition that the body names."""
    found = re.search(r"<(?:\w+:)?error\b[^>]*>\s*<(?:\w+:)?([\w-]+)", reply.text)
    named = f" {found[1]}" if found and found[1] not in ("exception", "message") else ""
    return f"{reply.status_code}{named}"


class Probe:
    """Alice's requests."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.alice = server.client("alice")
        self.bob = server.client("bob")

    def close(self) -> None:
        self.alice.close()
        self.bob.close()

    def place(self, name: str = "") -> str:
        return f"{self.server.path('alice')}{name or uuid.uuid4().hex}.ics"

    def put(self, path: str, data: bytes, **conditions: str) -> httpx.Response:
        headers = {name.replace("_", "-"): value for name, value in conditions.items()}
        return self.alice.put(path, content=data, headers={**TYPE, **headers})

    def saved(self, *lines: str) -> tuple[str, str, httpx.Response]:
        """A new event: its place, its UID, the answer."""
        uid = f"probe-{uuid.uuid4().hex}"
        path = self.place(uid)
        return path, uid, self.put(path, calendar(vevent(uid, *lines)))

    def report(self, token: str) -> httpx.Response:
        body = (
            f'<sync-collection xmlns="DAV:"><sync-token>{token}</sync-token><sync-level>1</sync-level>'
            "<prop><getetag/></prop></sync-collection>"
        )
        headers = {"Depth": "0", "Content-Type": "application/xml"}
        return self.alice.request("REPORT", self.server.path("alice"), content=body.encode(), headers=headers)


def _announces(what: str) -> Fact:
    def asked(probe: Probe) -> str:
        dav = probe.alice.request("OPTIONS", probe.server.home.format(user="alice")).headers.get("dav", "")
        return "yes" if what in dav else "no"

    return asked


def _asks(probe: Probe) -> str:
    with httpx.Client() as stranger:
        reply = stranger.request("PROPFIND", str(probe.alice.base_url) + probe.server.path("alice")[1:])
    schemes = [one.split()[0] for one in reply.headers.get_list("www-authenticate")]
    return " ".join([str(reply.status_code), *sorted(set(schemes))])


def _etag(probe: Probe) -> str:
    tag = probe.saved()[2].headers.get("etag", "")
    return (
        "none" if not tag else "weak" if tag.startswith("W/") else "strong" if tag[0] == '"' else "unquoted"
    )


def _rewrites(probe: Probe) -> str:
    uid = uuid.uuid4().hex
    path = probe.place(uid)
    data = calendar(vevent(uid, "X-Mine;X-P=1:Kept", "DESCRIPTION:One\\, two"))
    probe.put(path, data)
    back = probe.alice.get(path).text
    if back.encode() == data:
        return "no"
    return "form" if "X-MINE;X-P=1:Kept" in back.upper().replace("KEPT", "Kept") else "content"


def _create_over(probe: Probe) -> str:
    path, uid, _ = probe.saved()
    return said(probe.put(path, calendar(vevent(uid, "LOCATION:Other")), If_None_Match="*"))


def _stale(probe: Probe) -> str:
    path, uid, _ = probe.saved()
    return said(probe.put(path, calendar(vevent(uid, "LOCATION:Other")), If_Match='"stale"'))


def _missing(probe: Probe) -> str:
    return said(probe.put(probe.place(), calendar(vevent(uuid.uuid4().hex)), If_Match='"stale"'))


def _delete_stale(probe: Probe) -> str:
    return said(probe.alice.delete(probe.saved()[0], headers={"If-Match": '"stale"'}))


def _same_uid(probe: Probe) -> str:
    uid = probe.saved()[1]
    return said(probe.put(probe.place(), calendar(vevent(uid)), If_None_Match="*"))


def _again(probe: Probe) -> str:
    path, uid, _ = probe.saved()
    probe.alice.delete(path)
    return said(probe.put(path, calendar(vevent(uid)), If_None_Match="*"))


def _orphans(probe: Probe, count: int) -> str:
    uid = uuid.uuid4().hex
    days = [START + timedelta(days=day) for day in range(count)]
    events = [vevent(uid, f"RECURRENCE-ID:{stamp(one)}", start=one) for one in days]
    return said(probe.put(probe.place(), calendar(*events)))


def _zero(probe: Probe) -> str:
    return said(probe.put(probe.place(), calendar(vevent(uuid.uuid4().hex, hours=0))))


def _nonsense(probe: Probe) -> str:
    return said(probe.put(probe.place(), calendar(vevent(uuid.uuid4().hex, "a line of no property"))))


def _agent(probe: Probe) -> str:
    lines = ("ORGANIZER:mailto:alice@example.org", "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:x@example.com")
    path, _, reply = probe.saved(*lines)
    if reply.status_code >= 300:
        return said(reply)
    return (
        "kept" if "SCHEDULE-AGENT=CLIENT" in probe.alice.get(path).text.replace("\r\n ", "") else "taken out"
    )


def _local(probe: Probe) -> str:
    guests = (
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org",
        "ATTENDEE;RSVP=TRUE:mailto:bob@example.org",
    )
    _, uid, _ = probe.saved("ORGANIZER:mailto:alice@example.org", *guests)
    body = (
        '<c:calendar-query xmlns="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><prop><c:calendar-data/></prop>'
        '<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"/></c:comp-filter></c:filter></c:calendar-query>'
    )
    headers = {"Depth": "1", "Content-Type": "application/xml"}
    reply = probe.bob.request("REPORT", probe.server.path("bob"), content=body.encode(), headers=headers)
    if reply.status_code != 207:
        return said(reply)
    return "yes" if uid in reply.text else "no"


def _token(text: str) -> str:
    found = re.search(r"<(?:\w+:)?sync-token[^>]*>([^<]+)<", text)
    return found[1].strip() if found else ""


def _sync_delete(probe: Probe) -> str:
    path = probe.saved()[0]
    token = _token(probe.report("").text)
    if not token:
        return "no token"
    probe.alice.delete(path)
    reply = probe.report(token)
    name = path.rpartition("/")[2]
    found = [one for one in re.split(r"<(?:\w+:)?response[ >]", reply.text)[1:] if name in one]
    return "404 member" if found and "404" in found[0] else "lost" if not found else "another member"


def _sync_past(probe: Probe) -> str:
    token = _token(probe.report("").text)
    past = re.sub(r"\w+/?$", "1", token) if not token.isdigit() else "1"
    return said(probe.report(past))


def _sync_garbage(probe: Probe) -> str:
    return said(probe.report("http://example.com/never-given-out"))


def _large(probe: Probe) -> str:
    return said(probe.saved(*[f"X-LINE-{number}:{'x' * 60}" for number in range(12_000)])[2])


def _told(probe: Probe) -> str:
    body = b'<propfind xmlns="DAV:"><prop><c:max-resource-size xmlns:c="urn:ietf:params:xml:ns:caldav"/></prop></propfind>'
    headers = {"Depth": "0", "Content-Type": "application/xml"}
    reply = probe.alice.request("PROPFIND", probe.server.path("alice"), content=body, headers=headers)
    found = re.search(r"max-resource-size[^>]*>(\d+)<", reply.text)
    return found[1] if found else "not told"


def _cookies(probe: Probe) -> str:
    with probe.server.client("alice") as fresh:
        return (
            "yes" if fresh.request("OPTIONS", probe.server.path("alice")).headers.get("set-cookie") else "no"
        )


FACTS: dict[str, Fact] = {
    "Version": lambda probe: probe.server.version(),
    "Announces `calendar-auto-schedule`": _announces("calendar-auto-schedule"),
    "Announces `calendar-managed-attachments`": _announces("calendar-managed-attachments"),
    "Copies an invitation to a guest of its own": _local,
    "Asks a stranger to log in": _asks,
    "Sets cookies": _cookies,
    "`max-resource-size`": _told,
    "An object of 900 KB": _large,
    "ETag after PUT": _etag,
    "Rewrites what it stores": _rewrites,
    "PUT with If-None-Match: * on what is there": _create_over,
    "PUT with an If-Match that is stale": _stale,
    "PUT with If-Match on what is not there": _missing,
    "DELETE with an If-Match that is stale": _delete_stale,
    "A second object of one UID": _same_uid,
    "What was deleted, put again": _again,
    "One override without its master": lambda probe: _orphans(probe, 1),
    "Two of them": lambda probe: _orphans(probe, 2),
    "DTEND equal to DTSTART": _zero,
    "A line that is no property": _nonsense,
    "SCHEDULE-AGENT=CLIENT of a guest": _agent,
    "sync-collection after a deletion": _sync_delete,
    "sync-collection from its first token": _sync_past,
    "sync-collection with a token of somebody else": _sync_garbage,
}


def measure(server: Server) -> dict[str, str]:
    """Every fact of this server, in the table's order."""
    probe = Probe(server)
    try:
        return {name: fact(probe) for name, fact in FACTS.items()}
    finally:
        probe.close()
