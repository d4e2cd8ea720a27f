"""Nothing is lost: every case of the fidelity list, and every calendar of the corpus, goes out line by line as it came.

The cases are minimal inputs on which other libraries drop attendees, shift times or break text. What differs is listed
here, with the reason; nothing else may.
"""

from __future__ import annotations

import ast
import email
import email.policy
import re
from pathlib import Path

import pytest

from gateway.errors import MalformedCalendar
from gateway.ical.event import split
from gateway.ical.tree import Component, Property, parse, write

REPAIRS = {
    "CR line ends": "CR alone ends lines where nothing else does",
    "mixed line ends + blank lines": "blank lines are no content lines",
    "UTF-8 BOM": "the byte order mark is dropped",
    "missing END:VEVENT": "the missing END is added",
    "missing END:VCALENDAR": "the missing END is added",
    "text after END:VCALENDAR": "list footers are no calendar data",
    "two VCALENDARs": "the first one counts",
    "mismatched END": "it counts as the END that was due",
}
MALFORMED = {"empty input": "there is no calendar"}


def load_cases(path: Path) -> dict[str, bytes]:
    """The dict C of the list, without importing what it compares with."""
    source = ast.parse(path.read_text(encoding="utf-8"))
    wanted = [
        node
        for node in source.body
        if not isinstance(node, (ast.Import, ast.ImportFrom))
        and not (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and "simplefilter" in ast.unparse(node)
        )
        and not (isinstance(node, ast.FunctionDef) and node.name == "main")
        and not (isinstance(node, ast.Assign) and "sys" in ast.unparse(node))
        and not isinstance(node, ast.If)
    ]
    names: dict[str, dict[str, bytes]] = {}
    exec(compile(ast.Module(body=wanted, type_ignores=[]), str(path), "exec"), names)
    return names["C"]


def unfolded(data: bytes) -> list[bytes]:
    whole = re.sub(rb"\r*\n[ \t]", b"", data)
    lines = [line.rstrip(b"\r") for line in whole.split(b"\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


@pytest.fixture(scope="module")
def cases(shared: Path) -> dict[str, bytes]:
    return load_cases(shared / "fidelity" / "ical_fidelity.py")


def test_every_case_comes_out_as_it_went_in_or_is_a_listed_repair(cases: dict[str, bytes]) -> None:
    assert len(cases) == 162
    different = {
        name
        for name, data in cases.items()
        if name not in MALFORMED and unfolded(write(parse(data))) != unfolded(data)
    }
    assert different == set(REPAIRS)
    for name in MALFORMED:
        with pytest.raises(MalformedCalendar):
            parse(cases[name])


def test_what_came_out_is_a_fixed_point(cases: dict[str, bytes]) -> None:
    for name, data in cases.items():
        if name not in MALFORMED:
            tree = parse(data)
            assert write(parse(write(tree))) == write(tree), name
            assert parse(write(tree)) == tree, name


def test_every_case_can_be_read_to_its_end(cases: dict[str, bytes]) -> None:
    """Only the one error comes out, whatever is asked of whatever line."""
    for name, data in cases.items():
        try:
            for found in split(parse(data)):
                touch(found.tree)
                assert found.data
        except MalformedCalendar:
            assert name in {*MALFORMED, "empty input"}, name


def touch(component: Component) -> None:
    for found in component.properties:
        assert all(item.values for item in found.params)
        assert isinstance(found.text, str)
        assert isinstance(found.address, str)
        rebuilt = Property(found.name, found.value, found.params)
        if found.name and not re.search(r"[\r\x00-\x08\x0b-\x1f]", found.value + str(found.params)):
            again = parse(write(Component("VCALENDAR", [rebuilt]))).properties[0]
            assert again == rebuilt
    for child in component.components:
        touch(child)


def calendars(folder: Path) -> list[tuple[str, bytes]]:
    found = [(path.name, path.read_bytes()) for path in sorted(folder.glob("itip/**/*.ics"))]
    for path in sorted(folder.glob("imip/**/*.eml")):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.compat32)
        for part in mail.walk():
            if part.get_content_type() == "text/calendar":
                found.append((path.name, part.get_payload(decode=True) or b""))
    return found


def test_every_calendar_of_the_corpus_is_kept_line_by_line(shared: Path) -> None:
    seen = 0
    for name, data in calendars(shared / "corpus"):
        try:
            tree = parse(data)
        except MalformedCalendar:
            assert b"BEGIN:VCALENDAR" not in data.upper(), name
            continue
        seen += 1
        kept = [line for line in unfolded(write(tree)) if line]
        first = first_calendar(data)
        assert kept == first or framed(kept) == framed(first), name
        assert parse(write(tree)) == tree, name
        touch(tree)
    assert seen > 450


def first_calendar(data: bytes) -> list[bytes]:
    """The content lines of the first VCALENDAR of a text."""
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")  # old Lotus
    lines = [line for line in unfolded(data.removeprefix(b"\xef\xbb\xbf")) if line]
    while lines[0].strip().upper() != b"BEGIN:VCALENDAR":
        lines.pop(0)
    depth = 0
    for place, line in enumerate(lines):
        depth += line.upper().startswith(b"BEGIN:") - line.upper().startswith(b"END:")
        if depth == 0:
            return lines[: place + 1]
    return lines


def framed(lines: list[bytes]) -> list[bytes]:
    """Without the frame, which is repaired where it is broken."""
    return [line for line in lines if not line.upper().startswith((b"BEGIN:", b"END:"))]


OWN = (
    b'BEGIN:VCALENDAR\r\nX-LATIN:M\xfcnchen\r\nBEGIN:VEVENT \r\nATTENDEE;CN="a \\"b\\" c";RSVP:mailto:b@x\r\n'
    b"SUMMARY:M\xc3\r\n \xbcnchen\\, x\r\nGARBAGE\r\nrequest-status:2.0;Success\r\nDURATION:PT24H\r\nX-MS OLK:2\r\nend:vevent\r\n"
    b"BEGIN:X-COMP\r\nGEO:37.3860;-122.0800\r\nEND:X-COMP\r\nPRODID:late\r\nEND:VCALENDAR\r\n"
)


def test_a_sample_of_our_own_is_kept_to_the_byte() -> None:
    assert write(parse(OWN)) == OWN
    touch(parse(OWN))
