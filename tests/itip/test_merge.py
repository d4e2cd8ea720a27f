"""The three-way merge of one component, a row per rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ical.address import address
from gateway.ical.tree import Component, parse
from gateway.itip.merge import Mine, imported, merge

BOB = Mine(owner=frozenset({address("bob@example.net")}))


def event(*lines: str) -> Component:
    body = "\r\n".join(
        ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:u", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    )
    return parse(body.encode()).components[0]


def names(component: Component, *wanted: str) -> list[str]:
    return sorted(item.line for item in component.properties if item.name in wanted)


ROWS = [
    ("his change is taken", ["SUMMARY:a"], ["SUMMARY:a"], ["SUMMARY:b"], ["SUMMARY:b"]),
    ("his unknown property is taken", [], [], ["X-HIS:1"], ["X-HIS:1"]),
    ("his removal is taken", ["X-HIS:1"], ["X-HIS:1"], [], []),
    ("his change of an unknown one is taken", ["FOO:1"], ["FOO:1"], ["FOO:2"], ["FOO:2"]),
    ("the owner's addition stays", [], ["X-NOTE:cake"], [], ["X-NOTE:cake"]),
    (
        "the owner's change stays where he changed nothing",
        ["SUMMARY:a"],
        ["SUMMARY:mine"],
        ["SUMMARY:a"],
        ["SUMMARY:mine"],
    ),
    (
        "both changed the meeting: the organizer",
        ["SUMMARY:a"],
        ["SUMMARY:mine"],
        ["SUMMARY:b"],
        ["SUMMARY:b"],
    ),
    (
        "both changed what is the owner's: the owner",
        ["TRANSP:OPAQUE"],
        ["TRANSP:TRANSPARENT"],
        ["TRANSP:OPAQUE"],
        ["TRANSP:TRANSPARENT"],
    ),
    ("CLASS", ["CLASS:PUBLIC"], ["CLASS:PRIVATE"], ["CLASS:CONFIDENTIAL"], ["CLASS:PRIVATE"]),
    ("COLOR is the owner's alone", [], ["COLOR:red"], ["COLOR:blue"], ["COLOR:red"]),
    ("a colour of his does not come in", [], [], ["COLOR:blue"], []),
    (
        "times are his alone",
        ["DTSTART:20290101T000000Z"],
        ["DTSTART:20290102T000000Z"],
        ["DTSTART:20290101T000000Z"],
        ["DTSTART:20290101T000000Z"],
    ),
    (
        "lists are joined",
        ["CATEGORIES:a,b"],
        ["CATEGORIES:a,b,mine"],
        ["CATEGORIES:a,c"],
        ["CATEGORIES:a,c", "CATEGORIES:mine"],
    ),
    (
        "a list split by a server is the same list",
        ["CATEGORIES:a,b"],
        ["CATEGORIES:a", "CATEGORIES:b"],
        ["CATEGORIES:c"],
        ["CATEGORIES:c"],
    ),
    (
        "several values of one name",
        ["ATTACH:1"],
        ["ATTACH:1", "ATTACH:mine"],
        ["ATTACH:2"],
        ["ATTACH:2", "ATTACH:mine"],
    ),
    ("COMPLETED", [], ["COMPLETED:20290101T000000Z"], [], ["COMPLETED:20290101T000000Z"]),
]


@pytest.mark.parametrize(("why", "base", "ours", "new", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_a_property_is_merged_by_difference(
    why: str, base: list[str], ours: list[str], new: list[str], expected: list[str]
) -> None:
    merged = merge(event(*base), event(*ours), event(*new), mine=BOB)
    assert sorted(item.line for item in merged.properties if item.name != "UID") == expected, why


WITHOUT_BASE = [
    ("his properties are his", ["SUMMARY:a"], ["SUMMARY:b"], ["SUMMARY:b"]),
    ("what he no longer says is gone", ["LOCATION:x"], [], []),
    (
        "the owner's things stay",
        ["CLASS:PRIVATE", "X-NOTE:cake"],
        ["CLASS:PUBLIC"],
        ["CLASS:PRIVATE", "X-NOTE:cake"],
    ),
    ("one unknown property, two values: his", ["X-A:1"], ["X-A:2"], ["X-A:2"]),
]


@pytest.mark.parametrize(
    ("why", "ours", "new", "expected"), WITHOUT_BASE, ids=[row[0] for row in WITHOUT_BASE]
)
def test_without_his_last_version_what_is_personal_stays(
    why: str, ours: list[str], new: list[str], expected: list[str]
) -> None:
    merged = merge(None, event(*ours), event(*new), mine=BOB)
    assert sorted(item.line for item in merged.properties if item.name != "UID") == expected, why


ALARM = ["BEGIN:VALARM", "ACTION:DISPLAY", "{}", "END:VALARM"]


def alarm(text: str) -> list[str]:
    return [line.format(text) for line in ALARM]


def test_alarms_are_the_owners_alone() -> None:
    merged = merge(
        event(*alarm("UID:his")), event(*alarm("UID:mine")), event("SUMMARY:b", *alarm("UID:his")), mine=BOB
    )
    assert [one.value("UID") for one in merged.subcomponents("VALARM")] == ["mine"]


def test_a_new_meeting_brings_no_alarm_and_no_colour() -> None:
    assert imported(event("COLOR:red", "SUMMARY:a", *alarm("UID:his"))) == event("SUMMARY:a")


def own(merged: Component) -> list[str]:
    return names(merged, "ATTENDEE")


LINE = "ATTENDEE;RSVP=TRUE:mailto:bob@example.net"


def test_an_invitation_waits_for_an_answer_whatever_it_claims() -> None:
    merged = merge(None, None, event("ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.net"), mine=BOB)
    assert own(merged) == ["ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.net"]


def test_who_need_not_answer_is_not_asked() -> None:
    merged = merge(None, None, event("ATTENDEE;RSVP=FALSE:mailto:bob@example.net"), mine=BOB)
    assert own(merged) == ["ATTENDEE;RSVP=FALSE;PARTSTAT=NEEDS-ACTION:mailto:bob@example.net"]


def test_an_answer_survives_an_update_and_not_a_new_time() -> None:
    ours = event("ATTENDEE;PARTSTAT=ACCEPTED;X-MINE=1:mailto:bob@example.net")
    kept = merge(event(LINE), ours, event(LINE), mine=BOB)
    assert own(kept) == ["ATTENDEE;RSVP=TRUE;X-MINE=1;PARTSTAT=ACCEPTED:mailto:bob@example.net"]
    void = merge(event(LINE), ours, event(LINE), mine=Mine(owner=BOB.owner, rescheduled=True))
    assert own(void) == ["ATTENDEE;RSVP=TRUE;X-MINE=1;PARTSTAT=NEEDS-ACTION:mailto:bob@example.net"]


def test_one_invited_under_two_addresses_has_two_answers() -> None:
    twice = Mine(owner=frozenset({address("bob@example.net"), address("b.alias@example.net")}))
    new = event(LINE, LINE.replace("bob@", "b.alias@"))
    ours = event(LINE.replace("RSVP=TRUE", "PARTSTAT=ACCEPTED"), LINE.replace("bob@", "b.alias@"))
    assert [line.param("PARTSTAT") for line in merge(new, ours, new, mine=twice).all("ATTENDEE")] == [
        "ACCEPTED",
        "NEEDS-ACTION",
    ]


def test_the_organizer_does_not_answer_for_the_owner() -> None:
    ours = event("ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.net")
    merged = merge(event(LINE), ours, event("ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.net"), mine=BOB)
    assert own(merged) == ["ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.net"]


def test_others_answers_are_as_the_organizer_tells_them() -> None:
    new = event("ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=1.1:mailto:carol@example.net")
    merged = merge(None, event("ATTENDEE:mailto:carol@example.net"), new, mine=BOB)
    assert own(merged) == ["ATTENDEE;PARTSTAT=ACCEPTED:mailto:carol@example.net"]


def test_one_invited_through_a_list_keeps_his_own_line() -> None:
    merged = merge(event(), event("ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.net"), event(), mine=BOB)
    assert own(merged) == ["ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.net"]
    dropped = merge(event(LINE), event(LINE), event(), mine=BOB)
    assert own(dropped) == []


def test_the_organizers_line_keeps_what_the_server_was_told() -> None:
    """SPEC 12.18."""
    ours = event("ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:alice@example.com")
    new = event("ORGANIZER;CN=Alice;SCHEDULE-AGENT=NONE:mailto:alice@example.com")
    merged = merge(None, ours, new, mine=BOB)
    assert names(merged, "ORGANIZER") == ["ORGANIZER;CN=Alice;SCHEDULE-AGENT=CLIENT:mailto:alice@example.com"]


@pytest.mark.parametrize(
    ("proven", "kept"), [(True, "mailto:new@example.com"), (False, "mailto:old@example.com")]
)
def test_a_sent_by_is_believed_only_of_the_proven_organizer(proven: bool, kept: str) -> None:
    """RFC 6047 3."""
    ours = event('ORGANIZER;SENT-BY="mailto:old@example.com":mailto:alice@example.com')
    new = event('ORGANIZER;SENT-BY="mailto:new@example.com":mailto:alice@example.com')
    merged = merge(None, ours, new, mine=Mine(owner=BOB.owner, proven=proven))
    line = merged.first("ORGANIZER")
    assert line is not None
    assert line.param("SENT-BY") == kept


lines = st.lists(
    st.sampled_from(
        [
            "SUMMARY:a",
            "SUMMARY:b",
            "X-A:1",
            "X-A:2",
            "X-B:1",
            "CATEGORIES:a,b",
            "CATEGORIES:c",
            "CLASS:PRIVATE",
            "ATTACH:1",
        ]
    ),
    unique_by=lambda line: line.partition(":")[0],
)


@given(base=lines, ours=lines, new=lines)
def test_merging_the_same_again_changes_nothing(base: list[str], ours: list[str], new: list[str]) -> None:
    once = merge(event(*base), event(*ours), event(*new), mine=BOB)
    again = merge(event(*new), once, event(*new), mine=BOB)
    assert sorted(item.line for item in again.properties) == sorted(item.line for item in once.properties)


@given(base=lines, new=lines)
def test_an_untouched_copy_becomes_his_new_version(base: list[str], new: list[str]) -> None:
    merged = merge(event(*base), event(*base), event(*new), mine=BOB)
    assert sorted(item.line for item in merged.properties) == sorted(
        item.line for item in event(*new).properties
    )
