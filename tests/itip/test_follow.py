"""What is the owner's own in his copy outlives the organizer's new versions."""

from __future__ import annotations

from typing import Any

import pytest

ALICE, BOB = "alice@example.com", "bob@example.net"
MASTER = """BEGIN:VEVENT
UID:u
DTSTAMP:20290101T000000Z
SEQUENCE:1
DTSTART:20290105T100000Z
DTEND:20290105T110000Z
RRULE:FREQ=WEEKLY;COUNT=8
SUMMARY:A
ORGANIZER:mailto:alice@example.com
ATTENDEE:mailto:bob@example.net
END:VEVENT"""
DECLINED = """BEGIN:VEVENT
UID:u
RECURRENCE-ID:20290112T100000Z
DTSTAMP:20290101T000000Z
SEQUENCE:1
DTSTART:20290112T100000Z
DTEND:20290112T110000Z
SUMMARY:A
ORGANIZER:mailto:alice@example.com
ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.net
END:VEVENT"""


def update(master: str = MASTER, *, title: str = "B", **lines: str) -> str:
    out = master.replace("SEQUENCE:1", "SEQUENCE:2").replace("DTSTAMP:20290101", "DTSTAMP:20290102")
    for name, value in lines.items():
        out = "\n".join(f"{name}:{value}" if line.startswith(name) else line for line in out.splitlines())
    return out.replace("SUMMARY:A", f"SUMMARY:{title}")


@pytest.fixture(params=["with the organizer's last version", "without it"])
def desk(request: pytest.FixtureRequest, stage: Any) -> Any:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", MASTER, ALICE))
    desk.stored = stage.object(f"{MASTER.replace('ATTENDEE:', 'ATTENDEE;PARTSTAT=ACCEPTED:')}\n{DECLINED}")
    if request.param == "without it":
        desk.base = None
    return desk


def test_an_occurrence_that_the_owner_declined_stays_declined_and_is_kept_up_to_date(
    stage: Any, desk: Any
) -> None:
    desk.meet(stage.message("REQUEST", update(), ALICE))
    override = desk.stored.overrides["20290112T100000Z"]
    assert override.value("SUMMARY") == "B"
    assert desk.stored.attendee(BOB, "20290112T100000Z").param("PARTSTAT") == "DECLINED"
    assert desk.stored.attendee(BOB).param("PARTSTAT") == "ACCEPTED"


def test_it_goes_when_the_series_moves(stage: Any, desk: Any) -> None:
    moved = update(DTSTART="20290105T120000Z", DTEND="20290105T130000Z")
    desk.meet(stage.message("REQUEST", moved, ALICE))
    assert not desk.stored.overrides
    assert desk.stored.attendee(BOB).param("PARTSTAT") == "NEEDS-ACTION"


def test_an_occurrence_that_the_owner_took_out_stays_out(stage: Any, desk: Any) -> None:
    desk.stored = stage.object(MASTER.replace("SUMMARY:A", "EXDATE:20290119T100000Z\nSUMMARY:A"))
    desk.meet(stage.message("REQUEST", update(), ALICE))
    assert desk.stored.master.value("EXDATE") == "20290119T100000Z"


def test_it_comes_back_when_the_organizer_moves_it(stage: Any, desk: Any) -> None:
    desk.stored = stage.object(MASTER.replace("SUMMARY:A", "EXDATE:20290112T100000Z\nSUMMARY:A"))
    told = update(
        DECLINED.replace(";PARTSTAT=DECLINED", ""), DTSTART="20290112T150000Z", DTEND="20290112T160000Z"
    )
    desk.meet(stage.message("REQUEST", told, ALICE))
    assert desk.stored.overrides["20290112T100000Z"].value("DTSTART") == "20290112T150000Z"
    assert desk.stored.attendee(BOB, "20290112T100000Z").param("PARTSTAT") == "NEEDS-ACTION"
    assert desk.stored.master.first("EXDATE") is None


def test_it_stays_out_when_only_its_title_changes(stage: Any, desk: Any) -> None:
    desk.stored = stage.object(MASTER.replace("SUMMARY:A", "EXDATE:20290112T100000Z\nSUMMARY:A"))
    known = desk.base is not None
    desk.meet(stage.message("REQUEST", update(DECLINED.replace(";PARTSTAT=DECLINED", "")), ALICE))
    # whose EXDATE it was only his last version tells; without it a meeting too many is better than one missed
    assert bool(desk.stored.overrides) is not known
    assert (desk.stored.master.value("EXDATE") == "20290112T100000Z") is known


def test_a_date_that_he_left_out_and_tells_after_all_is_back(stage: Any, desk: Any) -> None:
    left_out = update().replace("SUMMARY:B", "EXDATE:20290119T100000Z,20290126T100000Z\nSUMMARY:B")
    desk.meet(stage.message("REQUEST", left_out, ALICE))
    told = DECLINED.replace(";PARTSTAT=DECLINED", "").replace("20290112", "20290119")
    desk.meet(stage.message("REQUEST", told.replace("DTSTAMP:20290101", "DTSTAMP:20290103"), ALICE))
    assert desk.stored.master.value("EXDATE") == "20290126T100000Z"
    assert desk.stored.attendee(BOB, "20290119T100000Z").param("PARTSTAT") == "NEEDS-ACTION"


def test_his_exdate_and_ours_stand_side_by_side(stage: Any, desk: Any) -> None:
    desk.stored = stage.object(MASTER.replace("SUMMARY:A", "EXDATE:20290119T100000Z\nSUMMARY:A"))
    desk.meet(
        stage.message("REQUEST", update().replace("SUMMARY:B", "EXDATE:20290126T100000Z\nSUMMARY:B"), ALICE)
    )
    assert {line.value for line in desk.stored.master.all("EXDATE")} == {
        "20290119T100000Z",
        "20290126T100000Z",
    }


def test_an_override_in_another_zone_brings_its_zone_along(stage: Any, desk: Any) -> None:
    told = DECLINED.replace("SEQUENCE:1", "SEQUENCE:2").replace("DTSTAMP:20290101", "DTSTAMP:20290102")
    told = told.replace("DTSTART:20290112T100000Z", "DTSTART;TZID=Office:20290112T100000")
    told = told.replace("DTEND:20290112T110000Z", "DTEND;TZID=Office:20290112T110000")
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
        "TZOFFSETFROM:+0300\nTZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
    desk.meet(stage.message("REQUEST", zone + told, ALICE))
    assert b"TZID:Office" in desk.stored.data
    assert desk.stored.zones.zone("Office") is not None


def test_the_owners_alarm_rings_on_what_is_new(stage: Any, desk: Any) -> None:
    alarm = "BEGIN:VALARM\nUID:mine\nACTION:DISPLAY\nTRIGGER:-PT5M\nDESCRIPTION:x\nEND:VALARM\nEND:VEVENT"
    desk.stored = stage.object(MASTER.replace("END:VEVENT", alarm))
    told = update(
        DECLINED.replace(";PARTSTAT=DECLINED", ""), DTSTART="20290112T150000Z", DTEND="20290112T160000Z"
    )
    desk.meet(stage.message("REQUEST", told, ALICE))
    for component in desk.stored.components:
        assert [one.value("UID") for one in component.subcomponents("VALARM")] == ["mine"]


def test_a_server_that_rewrites_text_does_not_make_it_the_owners(stage: Any) -> None:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", MASTER.replace("SUMMARY:A", "CATEGORIES:x,y\nSUMMARY:A"), ALICE))
    desk.stored = stage.object(
        MASTER.replace("SUMMARY:A", "SUMMARY:A\nCATEGORIES:y\nCATEGORIES:x\nLAST-MODIFIED:20290101T000001Z")
    )
    desk.meet(stage.message("REQUEST", update().replace("SUMMARY:B", "CATEGORIES:z\nSUMMARY:B"), ALICE))
    assert [line.value for line in desk.stored.master.all("CATEGORIES")] == ["z"]
