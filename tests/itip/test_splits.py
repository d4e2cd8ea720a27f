"""The rest of a series under a new UID: what tells it, what is handed on, and to whom it is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.ical.event import partstat
from gateway.itip import splits
from gateway.itip.model import Certainty, MarkKey, Method, Reason

ALICE, BOB = "alice@example.com", "bob@example.net"
OLD = "old@google.com"


def series(uid: str = OLD, partstat: str = "ACCEPTED", more: str = "", **lines: str) -> str:
    """Alice's weekly meeting, as she tells Bob of it."""
    facts = {
        "DTSTAMP": "20290101T080000Z",
        "SEQUENCE": "0",
        "DTSTART": "20300107T100000Z",
        "DTEND": "20300107T110000Z",
        "RRULE": "FREQ=WEEKLY",
        "SUMMARY": "Jour fixe",
        "ORGANIZER": f"mailto:{ALICE}",
    } | lines
    said = [f"{name}:{value}" for name, value in facts.items() if value]
    asks = f"ATTENDEE;PARTSTAT={partstat}{';RSVP=TRUE' if partstat == 'NEEDS-ACTION' else ''}:mailto:{BOB}"
    return "\n".join(["BEGIN:VEVENT", f"UID:{uid}", *said, asks, *more.split(), "END:VEVENT"])


def rest(uid: str = "new", partstat: str = "NEEDS-ACTION", more: str = "", **lines: str) -> str:
    facts = {"DTSTART": "20300204T100000Z", "DTEND": "20300204T110000Z", "DTSTAMP": "20290105T080000Z"}
    return series(uid, partstat, more, **(facts | lines))


ENDED = {"RRULE": "FREQ=WEEKLY;COUNT=4", "SEQUENCE": "1", "DTSTAMP": "20290104T080000Z"}


@pytest.fixture
def desk(stage):
    """Bob, who has accepted the old series; the desk is about another UID."""
    desk = stage.desk(BOB)
    desk.stored = stage.object(series())
    desk.turn_to("rest")
    return desk


def ask(stage, desk, body: str, **options):
    return desk.meet(stage.message("REQUEST", body, ALICE), **options)


def his(desk, key: str = "") -> str:
    line = desk.stored.attendee(BOB, key)
    return partstat(line) if line is not None else ""


def is_rest(decision) -> bool:
    return any(note.code == "split-of" for note in decision.notes)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (series(), rest("old_R20300204T100000@google.com", SUMMARY="Otherwise")),
        (
            series("old_R20300107T100000@google.com"),
            rest("old_R20300204T100000@google.com", SUMMARY="Otherwise"),
        ),
        (
            series(more="RELATED-TO;RELTYPE=X-CALENDARSERVER-RECURRENCE-SET:set", SUMMARY="Otherwise"),
            rest(more="RELATED-TO;RELTYPE=X-CALENDARSERVER-RECURRENCE-SET:set"),
        ),
        (series(), rest(more=f"X-OX-SPLIT-FROM:{OLD}", SUMMARY="Otherwise")),
        (series(), rest(more=f"RELATED-TO;RELTYPE=SIBLING:{OLD}", SUMMARY="Otherwise")),
        (series(), rest()),
        (
            series(DTSTART="20300107T100000Z", RRULE="FREQ=WEEKLY;COUNT=10"),
            rest(RRULE="FREQ=WEEKLY;COUNT=6"),
        ),
    ],
    ids=["google", "google-twice", "apple", "open-xchange", "nextcloud", "title-and-time", "count"],
)
def test_the_rest_of_a_series_is_recognised_and_keeps_the_answer(stage, old: str, new: str) -> None:
    desk = stage.desk(BOB)
    desk.stored = stage.object(old)
    desk.turn_to("rest")
    decision = ask(stage, desk, new)
    assert is_rest(decision)
    assert decision.reason is Reason.INVITATION_STORED
    assert his(desk) == "ACCEPTED"
    assert [one.method for one in decision.outgoing] == [Method.REPLY]
    assert decision.outgoing[0].automatic


def test_calendarserver_names_the_other_half_on_the_calendar(stage, desk) -> None:
    whole = f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//CALENDARSERVER.ORG//NONSGML Version 1//EN
METHOD:REQUEST
X-CALENDARSERVER-SPLIT-OLDER-UID:{OLD}
{rest(SUMMARY="Otherwise")}
END:VCALENDAR
"""
    assert is_rest(ask(stage, desk, whole.replace("\n", "\r\n")))
    assert his(desk) == "ACCEPTED"


def test_an_all_day_series_is_cut_at_a_date(stage) -> None:
    desk = stage.desk(BOB)
    desk.stored = stage.object(
        series(DTSTART="20300107", DTEND="20300108")
        .replace("DTSTART:", "DTSTART;VALUE=DATE:")
        .replace("DTEND:", "DTEND;VALUE=DATE:")
    )
    desk.turn_to("rest")
    new = rest("old_R20300204@google.com", DTSTART="20300204", DTEND="20300205")
    ask(stage, desk, new.replace("DTSTART:", "DTSTART;VALUE=DATE:").replace("DTEND:", "DTEND;VALUE=DATE:"))
    assert his(desk) == "ACCEPTED"


def test_the_old_series_may_end_first(stage, desk) -> None:
    desk.turn_to("")
    ask(stage, desk, series(partstat="NEEDS-ACTION", **ENDED))
    assert desk.marks[MarkKey(recurrence_id="", party=splits.CUT)].rule == "FREQ=WEEKLY"
    desk.turn_to("rest")
    assert is_rest(ask(stage, desk, rest()))
    assert his(desk) == "ACCEPTED"


def test_a_cancel_of_the_rest_ends_the_old_series_too(stage, desk) -> None:
    desk.turn_to("")
    off = "BEGIN:VEVENT\nUID:old@google.com\nDTSTAMP:20290104T080000Z\nSEQUENCE:1\n"
    off += "RECURRENCE-ID;RANGE=THISANDFUTURE:20300204T100000Z\n"
    off += f"ORGANIZER:mailto:{ALICE}\nATTENDEE:mailto:{BOB}\nSTATUS:CANCELLED\nEND:VEVENT"
    desk.meet(stage.message("CANCEL", off, ALICE))
    desk.turn_to("rest")
    ask(stage, desk, rest())
    assert his(desk) == "ACCEPTED"


def test_an_answer_to_one_date_outlives_the_end_of_the_old_series(stage, desk) -> None:
    desk.turn_to("")
    no = series(DTSTART="20300211T100000Z", DTEND="20300211T110000Z", RRULE="", partstat="DECLINED")
    no = no.replace("SEQUENCE", "RECURRENCE-ID:20300211T100000Z\nSEQUENCE")
    desk.base = desk.stored
    desk.save(stage.object(f"{series()}\n{no}"), stage.now)
    ask(stage, desk, series(partstat="NEEDS-ACTION", **ENDED))
    assert not desk.stored.overrides
    desk.turn_to("rest")
    ask(stage, desk, rest())
    assert (his(desk), his(desk, "20300211T100000Z")) == ("ACCEPTED", "DECLINED")


@pytest.mark.parametrize(
    "new",
    [
        rest(SUMMARY="Another matter"),
        rest(SUMMARY=""),
        rest(
            DTSTART="20300205T100000Z", DTEND="20300205T110000Z"
        ),  # no day on which the old one has anything
        rest("other_R20300204T100000@google.com", SUMMARY="Another matter"),
        rest("old_R20300204T110000@google.com", SUMMARY="Another matter"),  # no occurrence of the old one
        rest("old_R20309999T110000@google.com"),
        rest(RRULE=""),
    ],
)
def test_what_is_no_rest_is_an_invitation(stage, desk, new: str) -> None:
    decision = ask(stage, desk, new)
    assert decision.reason is Reason.INVITATION_STORED
    assert not is_rest(decision)
    assert his(desk) == "NEEDS-ACTION"
    assert not decision.outgoing


def test_a_series_that_goes_on_where_another_was_always_to_end_was_never_accepted(stage) -> None:
    desk = stage.desk(BOB)
    desk.stored = stage.object(series(RRULE="FREQ=WEEKLY;COUNT=4"))
    desk.turn_to("rest")
    ask(stage, desk, rest())
    assert his(desk) == "NEEDS-ACTION"


def test_an_end_of_long_ago_is_no_cut(stage, desk) -> None:
    desk.turn_to("")
    ask(stage, desk, series(partstat="NEEDS-ACTION", **ENDED))
    desk.turn_to("rest")
    ask(stage, desk, rest(), now=stage.now + timedelta(days=8))
    assert his(desk) == "NEEDS-ACTION"


GUEST = "ATTENDEE:mailto:{}@example.com"


@pytest.mark.parametrize(
    ("new", "same"),
    [
        (rest(), True),
        (rest(more=GUEST.format("carol")), True),
        (rest(more=GUEST.format("dora")), False),
        (rest(DTSTART="20300204T140000Z", DTEND="20300204T150000Z"), False),
        (rest(RRULE="FREQ=WEEKLY;INTERVAL=2"), False),
        (rest(RRULE="FREQ=WEEKLY;BYDAY=MO,TU"), False),
    ],
    ids=["the same", "fewer people", "other people", "another hour", "every other week", "more days"],
)
def test_a_meeting_of_the_same_name_beside_one_that_goes_on_inherits_nothing(
    stage, new: str, same: bool
) -> None:
    desk = stage.desk(BOB)
    desk.stored = stage.object(series(more=f"{GUEST.format('carol')} CATEGORIES:Work"))
    desk.turn_to("beside")
    assert is_rest(ask(stage, desk, new)) is same
    assert his(desk) == ("ACCEPTED" if same else "NEEDS-ACTION")
    assert (desk.stored.master.value("CATEGORIES") == "Work") is same


@pytest.mark.parametrize(
    ("new", "same"),
    [
        (rest(DTSTART="20300204T140000Z", DTEND="20300204T150000Z"), True),
        (rest(more=GUEST.format("dora")), True),
        (rest(DTSTART="20300211T100000Z", DTEND="20300211T110000Z"), False),
        (rest(DTSTART="20300121T100000Z", DTEND="20300121T110000Z", more=GUEST.format("dora")), False),
    ],
    ids=[
        "the next date, moved",
        "the next date, more people",
        "a week later",
        "before the end, other people",
    ],
)
def test_where_the_old_series_was_ended_only_its_next_date_takes_it_up(stage, new: str, same: bool) -> None:
    desk = stage.desk(BOB)
    desk.stored = stage.object(series(more=GUEST.format("carol")))
    ask(stage, desk, series(partstat="NEEDS-ACTION", more=GUEST.format("carol"), **ENDED))
    desk.turn_to("rest")
    assert is_rest(ask(stage, desk, new)) is same


def test_a_next_date_that_was_off_anyway_is_passed_over(stage) -> None:
    desk = stage.desk(BOB)
    out = "EXDATE:20300204T100000Z"
    desk.stored = stage.object(series(more=out))
    ask(stage, desk, series(partstat="NEEDS-ACTION", more=out, **ENDED))
    desk.turn_to("rest")
    assert is_rest(ask(stage, desk, rest(DTSTART="20300211T100000Z", DTEND="20300211T110000Z")))


@pytest.mark.parametrize(
    "moved",
    [
        {"DTSTART": "20300204T110000Z", "DTEND": "20300204T120000Z"},
        {"DTEND": "20300204T120000Z"},
        {"RRULE": "FREQ=WEEKLY;BYDAY=MO,TU"},
    ],
    ids=["later", "longer", "more-often"],
)
def test_what_moved_asks_for_an_answer_and_keeps_what_is_his(stage, moved: dict[str, str]) -> None:
    desk = stage.desk(BOB)
    desk.stored = stage.object(series(CATEGORIES="Work", TRANSP="TRANSPARENT"))
    desk.base = stage.object(series(partstat="NEEDS-ACTION"))
    desk.turn_to("rest")
    decision = ask(stage, desk, rest("old_R20300204T100000@google.com", **moved))
    assert his(desk) == "NEEDS-ACTION"
    assert not decision.outgoing
    assert desk.stored.master.value("CATEGORIES") == "Work"
    assert desk.stored.master.value("TRANSP") == "TRANSPARENT"


def test_what_the_organizer_brought_along_is_not_answered(stage, desk) -> None:
    assert not ask(stage, desk, rest(partstat="ACCEPTED")).outgoing
    assert his(desk) == "ACCEPTED"


def test_who_wants_no_answer_gets_none(stage, desk) -> None:
    assert not ask(stage, desk, rest().replace("RSVP=TRUE", "RSVP=FALSE")).outgoing
    assert his(desk) == "ACCEPTED"


@pytest.mark.parametrize(
    "mail", [{"is_list": True}, {"null_sender": True}, {"auto_submitted": "auto-replied"}]
)
def test_where_nobody_may_be_told_the_question_stays_open(stage, desk, mail: dict[str, object]) -> None:
    desk.mail = mail
    decision = ask(stage, desk, rest())
    assert is_rest(decision)
    assert not decision.outgoing
    assert his(desk) == "NEEDS-ACTION"


@pytest.mark.parametrize("certainty", [Certainty.LIKELY, Certainty.PROVEN])
def test_only_a_proven_organizer_takes_an_answer_over(stage, desk, certainty: Certainty) -> None:
    ask(stage, desk, rest(), certainty=certainty)
    assert (his(desk) == "ACCEPTED") is (certainty is Certainty.PROVEN)


def test_an_unknown_sender_who_is_let_in_takes_nothing_over(stage, desk) -> None:
    desk.policy = type(desk.policy)(on_unknown="store")
    decision = ask(stage, desk, rest(), certainty=Certainty.UNKNOWN)
    assert decision.reason is Reason.INVITATION_STORED
    assert not is_rest(decision)
    assert his(desk) == "NEEDS-ACTION"


def test_whom_he_sent_in_his_place_he_has_not_sent_again(stage) -> None:
    desk = stage.desk(BOB)
    desk.stored = stage.object(series(partstat='DELEGATED;DELEGATED-TO="mailto:eve@example.net"'))
    desk.turn_to("rest")
    assert not ask(stage, desk, rest()).outgoing
    assert his(desk) == "NEEDS-ACTION"


def test_a_date_that_he_took_out_stays_out_and_she_is_told(stage) -> None:
    desk = stage.desk(BOB)
    desk.base = stage.object(series(partstat="NEEDS-ACTION"))
    desk.stored = stage.object(series(EXDATE="20300211T100000Z"))
    desk.turn_to("rest")
    decision = ask(stage, desk, rest())
    assert desk.stored.master.value("EXDATE") == "20300211T100000Z"
    (letter,) = decision.outgoing
    assert partstat(letter.object.attendee(BOB, "20300211T100000Z")) == "DECLINED"


def test_nobody_is_told_of_a_date_that_he_took_out_where_nobody_may_be_told(stage) -> None:
    desk = stage.desk(BOB)
    desk.base = stage.object(series(partstat="NEEDS-ACTION"))
    desk.stored = stage.object(series(EXDATE="20300211T100000Z"))
    desk.turn_to("rest")
    desk.mail = {"is_list": True}
    assert not ask(stage, desk, rest()).outgoing
    assert desk.stored.master.value("EXDATE") == "20300211T100000Z"


def test_a_meeting_that_was_deleted_is_not_asked_about_again(stage, desk) -> None:
    ask(stage, desk, rest())
    desk.stored = desk.base = None
    assert ask(stage, desk, rest(SEQUENCE="1", DTSTAMP="20290106T080000Z")).reason is Reason.INVITATION_STORED
    assert his(desk) == "NEEDS-ACTION"


def test_of_several_the_one_counts_that_had_the_date(stage) -> None:
    desk = stage.desk(BOB)
    desk.stored = stage.object(series(partstat="DECLINED", RRULE="FREQ=WEEKLY;COUNT=2"))
    desk.turn_to("second")
    desk.stored = stage.object(
        series("old_R20300121T100000@google.com", DTSTART="20300121T100000Z", DTEND="20300121T110000Z")
    )
    desk.turn_to("rest")
    ask(stage, desk, rest("old_R20300204T100000@google.com"))
    assert his(desk) == "ACCEPTED"


def test_a_series_that_cannot_be_expanded_is_no_origin(stage) -> None:
    desk = stage.desk(BOB)
    desk.stored = stage.object(series(RRULE="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3"))
    desk.turn_to("rest")
    assert ask(stage, desk, rest()).reason is Reason.INVITATION_STORED
    assert his(desk) == "NEEDS-ACTION"
