"""A guest without any calendar program answers on the page that his letter links to."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)
ALICE, DAVE, ERIN = "alice@example.org", "dave@example.com", "erin@example.com"
NONCE = re.compile(r'name="csrf" value="([^"]+)"')


def instant(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%SZ}"


def event(*lines: str, start: datetime = START, sequence: int = 0) -> str:
    return "\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Client//EN",
            "BEGIN:VEVENT",
            "UID:page-1",
            f"DTSTAMP:{instant(datetime.now(UTC))}",
            f"SEQUENCE:{sequence}",
            f"DTSTART:{instant(start)}",
            f"DTEND:{instant(start + timedelta(hours=1))}",
            "SUMMARY:Planning",
            f"ORGANIZER;CN=Alice:mailto:{ALICE}",
            f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ALICE}",
            f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{DAVE}",
            f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{ERIN}",
            *lines,
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


@pytest.fixture
def gateway(start: Callable[..., Any], free_port: Callable[[], int]) -> Any:
    """With a page for guests, and a short time to take an answer back."""
    port = free_port()
    found = start(general=f'public_url = "http://127.0.0.1:{port}"', begun=False)
    text = found.config.read_text()
    text = text.replace(
        f'[web]\nlisten = "127.0.0.1:{found.web}"',
        f'[web]\nlisten = "127.0.0.1:{port}"\nundo = "2s"\ndwell = "0s"\n\n[letters]\nanswers = "1s"',
    )
    found.web = port
    found.config.write_text(text)
    found.start()
    found.settle()
    return found


def invited(gateway: Any, *lines: str, to: str = DAVE) -> str:
    """The link of the letter to this guest."""
    gateway.put("alice", "page-1", event(*lines))
    gateway.settle()
    letter = next(one for one in gateway.take_letters() if one["To"].addresses[0].addr_spec == to)
    text = str(letter.get_body(preferencelist=("plain",)).get_content())
    return str(re.search(r"http://\S+/r/\S+(?=\?a=yes)", text)[0])  # type: ignore[index]


def post(link: str, **fields: str) -> httpx.Response:
    page = httpx.get(link)
    assert page.status_code == 200, page.text
    nonce = NONCE.search(page.text)
    assert nonce is not None
    return httpx.post(link, data={"csrf": nonce[1], **fields})


def line_of(gateway: Any, who: str) -> str:
    return next(one for one in gateway.object("alice", "page-1").split("\n") if who in one)


def test_an_answer_on_the_page_reaches_the_organizers_calendar(gateway: Any) -> None:
    link = invited(gateway)
    for _ in range(3):
        assert httpx.get(f"{link}?a=yes").status_code == httpx.head(link).status_code == 200
    gateway.run("drain", "--settle")
    assert "NEEDS-ACTION" in line_of(gateway, DAVE), "looking at a page answers nothing"

    assert post(link, answer="accepted", comment="I bring cake").status_code == 303
    assert "NEEDS-ACTION" in line_of(gateway, DAVE), "it can still be taken back"
    gateway.run("drain", "--settle")
    assert "PARTSTAT=ACCEPTED" in line_of(gateway, DAVE)
    assert "PARTSTAT=NEEDS-ACTION" in line_of(gateway, ERIN)
    assert "You have accepted." in httpx.get(link).text

    assert post(link, answer="declined").status_code == 303
    assert post(link, answer="undo").headers["location"].endswith("?n=undone")
    gateway.run("drain", "--settle")
    assert "PARTSTAT=ACCEPTED" in line_of(gateway, DAVE), "taken back in time"

    assert post(link, answer="declined").status_code == 303
    gateway.run("drain", "--settle")
    assert "PARTSTAT=DECLINED" in line_of(gateway, DAVE), "one may change one's mind"
    story = [(one["kind"], one["outcome"], one["reason"]) for one in gateway.json("why", "page-1")]
    assert story.count(("answer", "applied", "answer-recorded")) == 2
    assert ("answer", "ignored", "withdrawn") in story


@pytest.mark.slow
def test_a_proposal_on_the_page_becomes_a_counter_and_the_organizer_decides(gateway: Any) -> None:
    link = invited(gateway)
    later = START + timedelta(hours=3)
    sent = post(
        link,
        answer="counter",
        start=f"{later:%Y-%m-%dT%H:%M}",
        end=f"{later + timedelta(hours=1):%Y-%m-%dT%H:%M}",
        tz="UTC",
        comment="After lunch?",
    )
    assert sent.status_code == 303
    gateway.run("drain", "--settle")
    (proposal,) = gateway.json("proposal", "list")
    assert (proposal["from"], proposal["start"], proposal["comment"]) == (
        DAVE,
        f"{later:%Y-%m-%dT%H:%M:%SZ}",
        "After lunch?",
    )
    (notice,) = gateway.take_letters()
    assert notice["To"].addresses[0].addr_spec == ALICE
    gateway.run("proposal", "accept", proposal["id"])
    gateway.run("drain", "--settle")
    assert f"DTSTART:{instant(later)}" in gateway.object("alice", "page-1")


@pytest.mark.slow
def test_a_series_is_answered_date_by_date(gateway: Any) -> None:
    link = invited(gateway, "RRULE:FREQ=WEEKLY;COUNT=6")
    second, fourth = START + timedelta(days=7), START + timedelta(days=21)
    post(link, answer="accepted", scope="series")
    gateway.run("drain", "--settle")
    time.sleep(1.1)  # DTSTAMP has seconds
    post(link, answer="declined", scope="instance", instance=instant(second))
    gateway.run("drain", "--settle")
    time.sleep(1.1)
    post(link, answer="tentative", scope="following", instance=instant(fourth))
    gateway.run("drain", "--settle")
    stored = gateway.object("alice", "page-1")
    told = {
        part.split("RECURRENCE-ID", 1)[1].split("\n")[0].rpartition(":")[2]: part
        for part in stored.split("BEGIN:VEVENT")
        if "RECURRENCE-ID" in part
    }
    said = {
        date: next(one for one in part.split("\n") if DAVE in one).partition("PARTSTAT=")[2].partition(":")[0]
        for date, part in told.items()
    }
    tentative = {instant(START + timedelta(weeks=week)): "TENTATIVE" for week in (3, 4, 5)}
    assert {date: one.partition(";")[0] for date, one in said.items()} == {
        instant(second): "DECLINED",
        **tentative,
    }
    assert "PARTSTAT=ACCEPTED" in line_of(gateway, DAVE)


@pytest.mark.slow
def test_an_answer_that_waits_survives_a_crash(gateway: Any) -> None:
    link = invited(gateway)
    post(link, answer="accepted")
    gateway.process.kill()
    gateway.process.wait(30)
    gateway.start()
    gateway.run("drain", "--settle")
    assert "PARTSTAT=ACCEPTED" in line_of(gateway, DAVE)


@pytest.mark.slow
def test_a_cancelled_meeting_says_so_and_takes_no_answer(gateway: Any) -> None:
    link = invited(gateway)
    page = httpx.get(link)
    gateway.delete("alice", "page-1")
    gateway.settle()
    assert "no longer in the organizer" in httpx.get(link).text
    nonce = NONCE.search(page.text)
    assert nonce is not None
    late = httpx.post(link, data={"csrf": nonce[1], "answer": "accepted"})
    assert late.status_code == 409
    assert gateway.object("alice", "page-1") == ""
