"""Which attachments are fetched with an organizer's login: what his server manages, at its own place, and nothing else."""

from __future__ import annotations

import pytest

from gateway.ical.tree import parse
from gateway.imip.attached import LARGEST, Managed, linked, links, managed, told
from gateway.itip.model import Attached, Facts

KEEPER = "https://cal.example.org"
PLACE = f"{KEEPER}/dav/calendars/user/alice/Attachments"
GIVEN = f"ATTACH;MANAGED-ID=a1;FILENAME=agenda.pdf;SIZE=14;FMTTYPE=application/pdf:{PLACE}/a1"


def text(*lines: str) -> bytes:
    body = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:u", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(body).encode()


@pytest.mark.parametrize(
    "line",
    [
        GIVEN,
        GIVEN.replace("MANAGED-ID", "MANAGED\r\n -ID"),
        "ATTACH;MANAGED-ID=a1:/dav/calendars/user/alice/Attachments/a1",
        f"attach;Managed-Id=a1;VALUE=uri:{PLACE}/a1",
        f"ATTACH;MANAGED-ID=a1:{PLACE}/a1".replace("example.org", "EXAMPLE.org:443"),
        f"ATTACH;MANAGED-ID=a1;SIZE={LARGEST}:{PLACE}/a1",
    ],
)
def test_what_the_server_manages_at_its_own_place_is_known(line: str) -> None:
    assert [one.id for one in managed(text(line), KEEPER)] == ["a1"]


@pytest.mark.parametrize(
    "line",
    [
        f"ATTACH:{PLACE}/a1",
        "ATTACH;MANAGED-ID=a1:https://evil.example/a1",
        "ATTACH;MANAGED-ID=a1:http://cal.example.org/dav/a1",
        "ATTACH;MANAGED-ID=a1:https://cal.example.org:8443/dav/a1",
        "ATTACH;MANAGED-ID=a1:https://cal.example.org@evil.example/a1",
        "ATTACH;MANAGED-ID=a1:https://alice:x@cal.example.org/a1",
        "ATTACH;MANAGED-ID=a1:https://cal.example.org.evil.example/a1",
        "ATTACH;MANAGED-ID=a1:https://[cal.example.org/a1",
        "ATTACH;MANAGED-ID=a1:https://cal.example.org:x/a1",
        "ATTACH;MANAGED-ID=a1://evil.example/a1",
        "ATTACH;MANAGED-ID=a1:a1",
        "ATTACH;MANAGED-ID=a1:cid:a1",
        "ATTACH;MANAGED-ID=a1;VALUE=BINARY;ENCODING=BASE64:/a1",
        f"ATTACH;MANAGED-ID=a1:{KEEPER}/dav/calendars/user/alice/Private/m1.ics",
        f"ATTACH;MANAGED-ID=a1:{KEEPER}/dav/calendars/user/alice/Private/m1.ics?/a1",
        f"ATTACH;MANAGED-ID=a1:{KEEPER}/dav/calendars/user/alice/Private/m1.ics#/a1",
        f"ATTACH;MANAGED-ID=a1:{KEEPER}/dav/calendars/user/alice/Private/m1.ics%2Fa1",
        f"ATTACH;MANAGED-ID=:{PLACE}/",
        f"ATTACH;MANAGED-ID=a1;SIZE={LARGEST + 1}:{PLACE}/a1",
        f"ATTACH;MANAGED-ID=a1;SIZE=-1:{PLACE}/a1",
        f"ATTACH;MANAGED-ID=a1;SIZE={'9' * 5000}:{PLACE}/a1",
        f"BEGIN:VALARM\r\n{GIVEN}\r\nEND:VALARM",
    ],
)
def test_nothing_else_is(line: str) -> None:
    assert managed(text(line), KEEPER) == ()
    assert linked(text(line), KEEPER, {"a1": "https://page", "": "https://page"}) == text(line)


def test_a_server_that_does_not_announce_it_manages_nothing() -> None:
    assert managed(text(GIVEN), "") == ()


def test_each_is_named_once_in_the_order_of_the_text() -> None:
    other = GIVEN.replace("a1", "b2").replace("agenda", "plan")
    found = managed(text(other, GIVEN, other), KEEPER)
    assert found == (
        Managed(id="b2", url=f"{PLACE}/b2", name="plan.pdf"),
        Managed(id="a1", url=f"{PLACE}/a1", name="agenda.pdf"),
    )


def test_a_link_stands_where_no_guest_could_go_and_what_the_document_is_stays_true() -> None:
    public = "ATTACH:https://example.com/map.png"
    found = parse(linked(text(GIVEN, public), KEEPER, {"a1": "https://pages/a/t/1"}))
    lines = [one.line.replace("\r\n ", "") for one in found.components[0].all("ATTACH")]
    assert lines == [
        "ATTACH;FILENAME=agenda.pdf;SIZE=14;FMTTYPE=application/pdf:https://pages/a/t/1",
        public,
    ]


def test_a_letter_tells_the_link_and_leaves_what_anybody_can_open() -> None:
    facts = Facts(
        kind="VEVENT",
        uid="u",
        sequence=0,
        title="t",
        attached=(Attached(url=f"{PLACE}/a1", name="agenda.pdf"), Attached(url="https://example.com/map")),
    )
    found = managed(text(GIVEN), KEEPER)
    assert told(facts, found, links(found, "https://pages/a/t")).attached == (
        Attached(url="https://pages/a/t/1", name="agenda.pdf"),
        Attached(url="https://example.com/map"),
    )
