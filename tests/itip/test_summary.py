"""A summary holds what a reader needs, in his privacy, and survives JSON exactly."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object
from gateway.itip.model import Attached, Booked, Declined, Facts, Guest, Summary, Taken, When
from gateway.itip.summary import changed, dump, facts, load, summarize

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
BOB = Address("bob@example.org")
SERIES = """UID:one@example.org
DTSTAMP:20261101T100000Z
SEQUENCE:2
DTSTART;TZID=Europe/Berlin:20261123T110000
DTEND;TZID=Europe/Berlin:20261123T120000
RRULE:FREQ=WEEKLY;COUNT=10
SUMMARY:Plan\\, part 1
LOCATION:Room
URL:https://example.org/1
CONFERENCE;VALUE=URI:https://meet.example.org/a
X-GOOGLE-CONFERENCE:https://meet.google.com/b
ORGANIZER;CN=Alice:mailto:alice@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org
ATTENDEE;PARTSTAT=TENTATIVE;CN="Bob, B.";ROLE=OPT-PARTICIPANT:mailto:bob@example.org
ATTENDEE;CUTYPE=ROOM;CN=Room 1:mailto:room1@example.org
"""


def meeting(*texts: str) -> CalendarObject:
    body = "".join(f"BEGIN:VEVENT\n{text}END:VEVENT\n" for text in texts)
    return parse_object(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\n{body}END:VCALENDAR\n".encode())


def told(of: CalendarObject, key: str = "", guest_list: str = "full") -> Facts:
    return facts(of, key, viewer=BOB, guest_list=guest_list, now=NOW)


def test_the_facts_of_a_series() -> None:
    found = told(meeting(SERIES))
    assert (found.title, found.location, found.sequence) == ("Plan, part 1", "Room", 2)
    assert found.conference == ("https://meet.example.org/a", "https://meet.google.com/b")
    assert found.rule == "FREQ=WEEKLY;COUNT=10"
    assert found.start == When(
        form="zoned",
        local=datetime(2026, 11, 23, 11),
        zone="Europe/Berlin",
        utc=datetime(2026, 11, 23, 10, tzinfo=UTC),
    )
    assert [one.local.day for one in found.next_dates] == [23, 30, 7]
    assert found.recurrence is None


def test_what_stands_beside_a_rule_is_told_with_it() -> None:
    beside = SERIES + "EXDATE;TZID=Europe/Berlin:20261130T110000\nRDATE;TZID=Europe/Berlin:20261201T110000\n"
    assert told(meeting(beside)).rule.split("\n") == [
        "FREQ=WEEKLY;COUNT=10",
        "EXDATE:20261130T110000",
        "RDATE:20261201T110000",
    ]


def test_the_organizer_is_no_guest_and_knows_his_answer() -> None:
    found = told(meeting(SERIES))
    assert found.organizer == Guest(
        address="alice@example.org", name="Alice", partstat="ACCEPTED", role="CHAIR"
    )
    assert found.guests == (
        Guest(address=BOB, name="Bob, B.", partstat="TENTATIVE", role="OPT-PARTICIPANT"),
        Guest(address="room1@example.org", name="Room 1", cutype="ROOM"),
    )


def test_a_private_guest_list_shows_the_viewer_only() -> None:
    assert [one.address for one in told(meeting(SERIES), guest_list="self").guests] == [BOB]


def test_one_date_of_a_series_is_told_by_its_own_time() -> None:
    found = told(meeting(SERIES), "20261130T100000Z")
    assert found.start is not None
    assert found.recurrence == found.start
    assert (found.start.local.day, found.rule, found.next_dates) == (30, "", ())


def test_a_day_ends_with_the_next_one() -> None:
    day = meeting(
        SERIES.replace("DTSTART;TZID=Europe/Berlin:20261123T110000", "DTSTART;VALUE=DATE:20261123")
        .replace("DTEND;TZID=Europe/Berlin:20261123T120000\n", "")
        .replace("RRULE:FREQ=WEEKLY;COUNT=10\n", "")
    )
    found = told(day)
    assert found.start == When(form="date", local=datetime(2026, 11, 23))
    assert found.end == When(form="date", local=datetime(2026, 11, 24))


CHANGES = [
    (("", ""), ()),
    (("T110000", "T103000"), ("start",)),
    (("T120000", "T130000"), ("end",)),
    (("Plan", "Plan B"), ("title",)),
    (("Room\n", "Hall\n"), ("location",)),
    (("PARTSTAT=TENTATIVE", "PARTSTAT=ACCEPTED"), ()),
    (("ATTENDEE;CUTYPE=ROOM;CN=Room 1:mailto:room1@example.org\n", ""), ("guests",)),
    (("SEQUENCE:2", "SEQUENCE:3"), ()),
    (("SUMMARY", "STATUS:CONFIRMED\nSUMMARY"), ()),
    (("SUMMARY", "STATUS:TENTATIVE\nSUMMARY"), ("status",)),
    (("COUNT=10", "COUNT=5"), ("rule",)),
    (("Europe/Berlin", "/mozilla.org/20050126_1/Europe/Berlin"), ()),
]


@pytest.mark.parametrize(("change", "names"), CHANGES)
def test_what_changed_is_named(change: tuple[str, str], names: tuple[str, ...]) -> None:
    after = SERIES.replace(*change) if change[0] else SERIES
    assert changed(told(meeting(SERIES)), told(meeting(after))) == names


def test_a_summary_survives_json_exactly() -> None:
    after = meeting(SERIES.replace("T110000", "T103000"))
    line = after.attendee(BOB)
    full = summarize(
        "update",
        after,
        meeting(SERIES),
        now=NOW,
        viewer=BOB,
        partstat="ACCEPTED",
        attendee=line,
        further=("20261130T093000Z",),
    )
    assert full.before is not None
    assert full.changed == ("start",)
    assert full.instances[0].recurrence is not None
    assert load(json.loads(json.dumps(dump(full)))) == full


def test_the_barest_summary_survives_json_too() -> None:
    bare = Summary(kind="reply", now=Facts(kind="VTODO", uid="1", sequence=0))
    assert load(json.loads(json.dumps(dump(bare)))) == bare


def test_what_a_room_answers_survives_json() -> None:
    start = When(form="zoned", local=datetime(2026, 11, 23, 10), zone="Europe/Berlin", utc=NOW)
    end = When(form="date", local=datetime(2026, 11, 24))
    booked = Booked(
        reason=Declined.HOURS,
        most=6,
        hours="Mo 08:00-18:00",
        zone="Europe/Berlin",
        busy=(Taken(start=start, end=start),),
        accepted=(end,),
        declined=(start, end),
    )
    for one in (booked, Booked()):
        told = Summary(kind="booking", now=Facts(kind="VEVENT", uid="1", sequence=0), booked=one)
        assert load(json.loads(json.dumps(dump(told)))) == told


STYLED = "<p>One<br>two</p>"


@pytest.mark.parametrize(
    ("lines", "styled"),
    [
        (f"STYLED-DESCRIPTION;FMTTYPE=text/html:{STYLED}", STYLED),
        ("STYLED-DESCRIPTION:https://example.org/agenda.pdf", ""),
        (f"X-ALT-DESC;FMTTYPE=text/html:<b>old</b>\nSTYLED-DESCRIPTION;FMTTYPE=text/html:{STYLED}", STYLED),
        ("X-ALT-DESC;FMTTYPE=text/html:a\\, b\\nc", "a, b\nc"),
        ('DESCRIPTION;ALTREP="data:text/html,%3Cb%3Ehi%3C/b%3E":hi', "<b>hi</b>"),
        ('DESCRIPTION;ALTREP="data:text/html;base64,PGI+":hi', ""),
        ('DESCRIPTION;ALTREP="cid:part1@example.org":hi', ""),
        (f"X-ALT-DESC;FMTTYPE=text/html:{'x' * 40_000}", ""),
    ],
)
def test_a_description_as_its_author_laid_it_out(lines: str, styled: str) -> None:
    assert told(meeting(f"{SERIES}{lines}\n")).styled == styled


def test_conferences_have_their_labels_and_documents_their_names() -> None:
    lines = """CONFERENCE;VALUE=URI;FEATURE=PHONE;LABEL="Dial-in, Berlin":tel:+49-30-1
ATTACH;FILENAME=plan.pdf;FMTTYPE=application/pdf:https://files.example.org/1
ATTACH:file:///etc/passwd
ATTACH;VALUE=BINARY;ENCODING=BASE64:aGVsbG8="""
    found = told(meeting(f"{SERIES}{lines}\n"))
    assert found.conference[1:2] == ("tel:+49-30-1",) and found.labels == ("", "Dial-in, Berlin", "")
    assert found.attached == (Attached(url="https://files.example.org/1", name="plan.pdf"),)
    summary = Summary(kind="invitation", now=found)
    assert load(json.loads(json.dumps(dump(summary)))) == summary


def test_whoever_writes_for_the_organizer_is_known() -> None:
    line = SERIES.replace("ORGANIZER;", 'ORGANIZER;SENT-BY="mailto:eva@example.org";')
    found = told(meeting(line)).organizer
    assert found is not None and (found.address, found.deputy) == ("alice@example.org", "eva@example.org")


def test_the_coming_dates_without_the_meeting_are_told() -> None:
    """Past ones are nobody's news; three are enough."""
    off = "EXDATE;TZID=Europe/Berlin:20261026T110000,20261221T110000\nEXDATE;TZID=Europe/Berlin:20261130T110000\n"
    more = "EXDATE:20261207T100000Z,20261214T100000Z,20261221T100000Z\n"
    found = told(meeting(f"{SERIES}{off}{more}"))
    assert [f"{one.local:%m-%d %H}" for one in found.skipped] == ["11-30 11", "12-07 10", "12-14 10"]
    days = SERIES.replace(";TZID=Europe/Berlin:20261123T110000", ";VALUE=DATE:20261123").replace(
        ";TZID=Europe/Berlin:20261123T120000", ";VALUE=DATE:20261124"
    )
    whole = told(meeting(f"{days}EXDATE;VALUE=DATE:20261130\n"))
    assert [one.form for one in whole.skipped] == ["date"]
    for summary in (Summary(kind="invitation", now=one) for one in (found, whole)):
        assert load(json.loads(json.dumps(dump(summary)))) == summary
