"""Calendar text becomes messages, or refusals that say why."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedCalendar
from gateway.ical.address import address
from gateway.ical.tree import parse
from gateway.itip.model import Message, Method, Outcome, Reason
from gateway.itip.parse import METHODS, Refusal, messages

ALICE = address("alice@example.com")
EVENT = """BEGIN:VEVENT
UID:u
DTSTAMP:20290101T000000Z
SEQUENCE:1
DTSTART:20290105T100000Z
ORGANIZER:mailto:alice@example.com
ATTENDEE:mailto:bob@example.net
END:VEVENT"""


def read(*components: str, method: str = "METHOD:REQUEST", hint: str = "") -> tuple[Message | Refusal, ...]:
    body = "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", *([method] if method else []), *components, "END:VCALENDAR", ""]
    )
    return messages(parse(body.encode()), ALICE, hint)


def refusal(*components: str, method: str = "METHOD:REQUEST") -> Refusal:
    (found,) = read(*components, method=method)
    assert isinstance(found, Refusal)
    return found


def test_a_message_is_its_method_its_object_and_its_sender() -> None:
    (found,) = read(EVENT)
    assert isinstance(found, Message)
    assert (found.method, found.object.uid, found.sender) == (Method.REQUEST, "u", ALICE)
    assert b"METHOD" not in found.object.data


@pytest.mark.parametrize(
    "line",
    [
        "DTEND:199706211T173000Z",
        "DTEND:x",
        "DURATION:one hour",
        "RDATE;VALUE=PERIOD:20290819T210000Z/202900819T220000Z",
    ],
)
def test_an_end_that_is_no_time_is_refused_before_anybody_asks_for_it(line: str) -> None:
    found = refusal(EVENT.replace("END:VEVENT", f"{line}\nEND:VEVENT"))
    assert (found.outcome, found.reason) == (Outcome.REFUSED, Reason.MALFORMED_CALENDAR)
    assert (found.uid, found.method) == ("u", "REQUEST") and found.detail


@pytest.mark.parametrize(
    ("line", "hint", "method"),
    [
        ("METHOD:CANCEL", "REQUEST", Method.CANCEL),
        ("", "request", Method.REQUEST),
        ("METHOD:reply", "", Method.REPLY),
        ("METHOD:DECLINECOUNTER", "", Method.DECLINECOUNTER),
    ],
)
def test_the_method_in_the_object_wins_over_the_mime_parameter(line: str, hint: str, method: Method) -> None:
    (found,) = read(EVENT, method=line, hint=hint)
    assert isinstance(found, Message)
    assert found.method is method


def test_several_uids_are_several_messages() -> None:
    found = read(
        EVENT,
        EVENT.replace("UID:u", "UID:v"),
        EVENT.replace("DTSTART", "X-DTSTART").replace("UID:u", "UID:w"),
    )
    assert [type(one) for one in found] == [Message, Message, Refusal]
    assert [one.object.uid if isinstance(one, Message) else one.uid for one in found] == ["u", "v", "w"]


REFUSALS = [
    ("no METHOD anywhere", (EVENT,), "", Outcome.IGNORED, Reason.NO_METHOD),
    ("a METHOD that nobody knows", (EVENT,), "METHOD:SUMMON", Outcome.UNSUPPORTED, Reason.UNSUPPORTED_METHOD),
    ("nothing in it", (), "METHOD:REQUEST", Outcome.REFUSED, Reason.MALFORMED_CALENDAR),
    ("no UID", (EVENT.replace("UID:u\n", ""),), "METHOD:REQUEST", Outcome.REFUSED, Reason.MALFORMED_CALENDAR),
    (
        "a REQUEST without DTSTART",
        (EVENT.replace("DTSTART", "X-DTSTART"),),
        "METHOD:REQUEST",
        Outcome.REFUSED,
        Reason.MALFORMED_CALENDAR,
    ),
    (
        "a REQUEST that nobody organizes",
        (EVENT.replace("ORGANIZER", "X-ORGANIZER"),),
        "METHOD:REQUEST",
        Outcome.REFUSED,
        Reason.MALFORMED_CALENDAR,
    ),
    (
        "a REPLY in which nobody answers",
        (EVENT.replace("ATTENDEE", "X-ATTENDEE"),),
        "METHOD:REPLY",
        Outcome.REFUSED,
        Reason.MALFORMED_CALENDAR,
    ),
    (
        "differing ORGANIZERs",
        (
            EVENT,
            EVENT.replace("alice", "eve").replace("UID:u", "UID:u\nRECURRENCE-ID:20290105T100000Z"),
        ),
        "METHOD:REQUEST",
        Outcome.REFUSED,
        Reason.MALFORMED_CALENDAR,
    ),
    (
        "a doubled RECURRENCE-ID",
        (
            EVENT.replace("UID:u", "UID:u\nRECURRENCE-ID:20290105T100000Z"),
            EVENT.replace("UID:u", "UID:u\nRECURRENCE-ID:20290105T100000Z\nSUMMARY:other"),
        ),
        "METHOD:REQUEST",
        Outcome.REFUSED,
        Reason.MALFORMED_CALENDAR,
    ),
    (
        "an invitation to a journal",
        (EVENT.replace("VEVENT", "VJOURNAL"),),
        "METHOD:REQUEST",
        Outcome.UNSUPPORTED,
        Reason.UNSUPPORTED_METHOD,
    ),
    (
        "an ADD of a series",
        (EVENT.replace("SEQUENCE:1", "SEQUENCE:1\nRRULE:FREQ=DAILY"),),
        "METHOD:ADD",
        Outcome.REFUSED,
        Reason.MALFORMED_CALENDAR,
    ),
    (
        "an ADD of a task at no time",
        (EVENT.replace("VEVENT", "VTODO").replace("DTSTART", "DUE"),),
        "METHOD:ADD",
        Outcome.REFUSED,
        Reason.MALFORMED_CALENDAR,
    ),
    (
        "two kinds under one UID",
        (EVENT, EVENT.replace("VEVENT", "VTODO")),
        "METHOD:REQUEST",
        Outcome.REFUSED,
        Reason.MALFORMED_CALENDAR,
    ),
    (
        "a rule that never comes",
        (EVENT.replace("SEQUENCE:1", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),),
        "METHOD:REQUEST",
        Outcome.REFUSED,
        Reason.EXPANSION_LIMIT,
    ),
]


@pytest.mark.parametrize(
    ("why", "components", "method", "outcome", "reason"), REFUSALS, ids=[row[0] for row in REFUSALS]
)
def test_what_has_no_meaning_is_refused_with_its_reason(
    why: str, components: tuple[str, ...], method: str, outcome: Outcome, reason: Reason
) -> None:
    found = refusal(*components, method=method)
    assert (found.outcome, found.reason) == (outcome, reason), why


@pytest.mark.parametrize(
    "event",
    [
        EVENT.replace("DTSTAMP", "X-DTSTAMP"),
        EVENT.replace("SEQUENCE", "X-SEQUENCE"),
        EVENT.replace("ATTENDEE", "X-ATTENDEE"),
        EVENT.replace("END:VEVENT", "SUMMARY:a\nSUMMARY:b\nEND:VEVENT"),
    ],
)
def test_nothing_is_refused_for_a_missing_or_doubled_line_alone(event: str) -> None:
    assert isinstance(read(event)[0], Message)


@pytest.mark.parametrize(
    "line",
    ["DTEND:tomorrow", "EXDATE:20290105T100000Z,never", "DURATION:long", "DTEND:199706211T173000Z"],
)
def test_times_that_nobody_can_read_are_refused_before_anybody_tries(line: str) -> None:
    found = refusal(EVENT.replace("SEQUENCE:1", line))
    assert found.reason is Reason.MALFORMED_CALENDAR


def test_a_digit_too_many_is_cut() -> None:
    """RFC 5546 4.2.1 prints DTEND:19970701T2100000Z."""
    (found,) = read(EVENT.replace("SEQUENCE:1", "DTEND:20290105T1100000Z"))
    assert isinstance(found, Message)
    assert found.object.master is not None
    assert found.object.master.value("DTEND") == "20290105T110000Z"


def test_a_reply_without_organizer_is_a_message() -> None:
    (found,) = read(EVENT.replace("ORGANIZER", "X-O").replace("DTSTART", "X-S"), method="METHOD:REPLY")
    assert isinstance(found, Message)


def test_each_component_of_an_add_is_a_date_of_its_own() -> None:
    """RFC 5546 3.2.4: as if an RDATE said it."""
    first = EVENT.replace("DTSTART:", "RECURRENCE-ID;RANGE=THISANDFUTURE:20290101T100000Z\nDTSTART:")
    second = EVENT.replace("DTSTART:20290105T100000Z", "DTSTART;VALUE=DATE:20290106")
    (found,) = read(first, second, method="METHOD:ADD")
    assert isinstance(found, Message)
    assert found.object.master is None
    assert set(found.object.overrides) == {"20290105T100000Z", "20290106"}


def test_a_journal_may_be_published_without_a_time() -> None:
    journal = EVENT.replace("VEVENT", "VJOURNAL").replace("DTSTART", "X-S")
    (found,) = read(journal, method="METHOD:PUBLISH")
    assert isinstance(found, Message)


OVERRIDE = EVENT.replace("END:VEVENT", "RECURRENCE-ID:20290112T100000Z\nEND:VEVENT")


@pytest.mark.parametrize("bare", ["THISANDFUTURE", "ThisAndFuture="])
def test_a_range_without_its_name_is_a_range(bare: str) -> None:
    """RFC 5546 4.4.5."""
    (found,) = read(OVERRIDE.replace("RECURRENCE-ID", f"RECURRENCE-ID;{bare}"))
    assert isinstance(found, Message)
    assert set(found.object.overrides) == {"20290112T100000Z+"}
    assert b"RANGE=THISANDFUTURE" in found.object.data


def test_a_date_of_a_series_has_no_rule_of_its_own() -> None:
    """RFC 5546 4.7.2; the RDATE that it prints is none, and need not be one."""
    rules = "RRULE:FREQ=WEEKLY\nRDATE;VALUE=PERIOD:19970819T210000Z/199700819T220000Z\nEND:VEVENT"
    (found,) = read(OVERRIDE.replace("END:VEVENT", rules))
    assert isinstance(found, Message)
    (only,) = found.object.overrides.values()
    assert not only.all("RRULE") and not only.all("RDATE")


def test_an_organizer_who_is_named_in_the_master_alone_is_that_of_all_dates() -> None:
    """RFC 5546 4.4.8."""
    (found,) = read(EVENT, OVERRIDE.replace("ORGANIZER:mailto:alice@example.com\n", ""))
    assert isinstance(found, Message)
    assert [one.value("ORGANIZER") for one in found.object.components] == ["mailto:alice@example.com"] * 2


def test_the_table_of_methods_is_that_of_the_rfc() -> None:
    """RFC 5546 3."""
    assert {kind: len(methods) for kind, methods in METHODS.items()} == {
        "VEVENT": 8,
        "VTODO": 8,
        "VJOURNAL": 3,
        "VFREEBUSY": 3,
    }


@given(st.lists(st.sampled_from(EVENT.splitlines()), max_size=30), st.sampled_from([*Method, "", "X"]))
def test_any_lines_are_a_message_or_a_refusal(lines: list[str], method: str) -> None:
    try:
        root = parse("\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]).encode())
    except MalformedCalendar:
        return
    assert messages(root, ALICE, method)


def test_every_object_of_the_corpus_is_a_message_or_a_refusal(shared: Path) -> None:
    count = 0
    for path in sorted((shared / "corpus" / "itip").rglob("*.ics"))[::3]:
        try:
            root = parse(path.read_bytes())
        except MalformedCalendar:
            continue
        found = messages(root, ALICE, "REQUEST")
        assert found, path.name
        count += 1
    assert count > 20
