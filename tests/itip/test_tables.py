"""The tables say what RFC 5546 3 says, and every breach is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.ical.event import CalendarObject, parse_object
from gateway.itip.model import Method
from gateway.itip.tables import TABLES, violations

GOOD = """UID:one@example.org
DTSTAMP:20261101T100000Z
SEQUENCE:1
DTSTART:20261123T110000Z
DTEND:20261123T120000Z
SUMMARY:Plan
ORGANIZER:mailto:alice@example.org
ATTENDEE:mailto:bob@example.org
"""


def meeting(text: str = GOOD, kind: str = "VEVENT") -> CalendarObject:
    whole = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\nBEGIN:{kind}\n{text}END:{kind}\nEND:VCALENDAR\n"
    return parse_object(whole.encode())


CASES = [
    ("REQUEST", ("", ""), ()),
    ("REPLY", ("", ""), ()),
    ("CANCEL", ("SUMMARY", "STATUS:CANCELLED\nSUMMARY"), ()),
    ("COUNTER", ("", ""), ()),
    ("DECLINECOUNTER", ("", ""), ()),
    ("REQUEST", ("ATTENDEE:mailto:bob@example.org\n", ""), ("ATTENDEE missing",)),
    ("REQUEST", ("SUMMARY:Plan\n", ""), ("SUMMARY missing",)),
    ("REQUEST", ("ORGANIZER:mailto:alice@example.org\n", ""), ("ORGANIZER missing",)),
    ("REQUEST", ("SUMMARY", "STATUS:CANCELLED\nSUMMARY"), ("STATUS CANCELLED in REQUEST",)),
    ("REQUEST", ("SUMMARY", "STATUS:TENTATIVE\nSUMMARY"), ()),
    ("REQUEST", ("SUMMARY", "REQUEST-STATUS:2.0;Success\nSUMMARY"), ("REQUEST-STATUS must not be present",)),
    ("REQUEST", ("SUMMARY", "DURATION:PT1H\nSUMMARY"), ("DTEND beside DURATION",)),
    ("REQUEST", ("SUMMARY", "LOCATION:a\nLOCATION:b\nSUMMARY"), ("LOCATION more than once",)),
    ("REQUEST", ("SUMMARY", "CONFERENCE:https://x\nX-Y:1\nSUMMARY"), ()),
    ("REPLY", ("ATTENDEE", "ATTENDEE:mailto:carol@example.org\nATTENDEE"), ("ATTENDEE more than once",)),
    ("REPLY", ("SUMMARY", "BEGIN:VALARM\nEND:VALARM\nSUMMARY"), ("VALARM must not be present",)),
    ("CANCEL", ("SEQUENCE:1\n", ""), ("SEQUENCE missing",)),
    ("CANCEL", ("SUMMARY", "STATUS:CONFIRMED\nSUMMARY"), ("STATUS CONFIRMED in CANCEL",)),
    ("PUBLISH", ("", ""), ("ATTENDEE must not be present",)),
    ("ADD", ("SUMMARY", "RRULE:FREQ=DAILY\nSUMMARY"), ("RRULE must not be present",)),
]


@pytest.mark.parametrize(("method", "change", "expected"), CASES)
def test_a_breach_is_named(method: str, change: tuple[str, str], expected: tuple[str, ...]) -> None:
    text = GOOD.replace(*change) if change[0] else GOOD
    assert violations(meeting(text), method) == expected


def test_a_refresh_carries_next_to_nothing() -> None:
    lean = "UID:1\nDTSTAMP:20261101T100000Z\nORGANIZER:mailto:alice@example.org\nATTENDEE:mailto:bob@example.org\n"
    assert violations(meeting(lean), Method.REFRESH) == ()
    assert "DTSTART must not be present" in violations(meeting(), Method.REFRESH)


def test_a_method_that_a_component_does_not_have() -> None:
    assert violations(meeting(kind="VJOURNAL"), Method.REQUEST) == ("REQUEST of a VJOURNAL does not exist",)


def test_a_task_needs_priority() -> None:
    assert violations(meeting(GOOD.replace("DTEND", "DUE"), "VTODO"), Method.REQUEST) == ("PRIORITY missing",)


def test_several_components_where_one_is_allowed() -> None:
    one = "RECURRENCE-ID:20261123T110000Z\n" + GOOD
    other = one.replace("20261123", "20261124")
    text = f"{one}END:VEVENT\nBEGIN:VEVENT\n{other}"
    assert violations(meeting(text), Method.REQUEST) == ()
    assert violations(meeting(text), Method.COUNTER) == ("VEVENT more than once",)


def test_every_method_of_every_component_has_its_table() -> None:
    methods = {kind: {method for one, method in TABLES if one == kind} for kind, _ in TABLES}
    assert methods["VEVENT"] == methods["VTODO"] == {str(method) for method in Method}
    assert methods["VFREEBUSY"] == {"PUBLISH", "REQUEST", "REPLY"}
    assert methods["VJOURNAL"] == {"PUBLISH", "ADD", "CANCEL"}


def test_a_reply_names_the_delegate_beside_the_delegator_and_nobody_else() -> None:
    lines = 'ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:e@example.org":mailto:bob@example.org\n'
    lean = "UID:1\nDTSTAMP:20261101T100000Z\nORGANIZER:mailto:alice@example.org\n" + lines
    assert violations(meeting(lean + "ATTENDEE:mailto:e@example.org\n"), Method.REPLY) == ()
    assert violations(meeting(lean + "ATTENDEE:mailto:f@example.org\n"), Method.REPLY) == (
        "ATTENDEE more than once",
    )


def test_the_tables_are_those_of_the_rfc(shared: Path) -> None:
    words = {"0": (0, 0), "0 or 1": (0, 1), "1": (1, 1)}
    found: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
    current: dict[str, tuple[int, int]] = {}
    kind = ""
    for line in (shared / "rfc" / "rfc5546.txt").read_text("utf-8").splitlines():
        if title := re.search(r"Constraints for a METHOD:(\w+) of an? (\w+)", line):
            current = found.setdefault((title[2], title[1]), {})
            kind = title[2]
        elif re.match(r"3\.\d", line):
            current = {}
        elif kind and (row := re.match(r"   \|( +)([A-Z-]+) +\| (0 or 1|1\+|0\+|1|0) +\|", line)):
            inside = len(row[1]) == 3 or row[2] in ("VALARM", kind)
            if inside and row[2] not in ("METHOD", "IANA-PROPERTY", "X-PROPERTY"):
                many = TABLES[kind, "REQUEST" if kind != "VJOURNAL" else "PUBLISH"]["COMMENT"][1]
                current[row[2]] = words.get(row[3]) or (int(row[3][0]), many)
    assert {key: dict(table) for key, table in TABLES.items()} == found
