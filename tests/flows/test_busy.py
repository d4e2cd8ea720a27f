"""Busy times are read off the calendar's own texts; the meeting that is asked about does not stand in its own way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.flows.busy import busy
from gateway.ical.address import Address
from gateway.itip.freebusy import stretch

WITHIN = stretch(datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC))
OWNER = frozenset({Address("alice@example.org")})


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 1),
        ({"STATUS": "CANCELLED"}, 0),
        ({"TRANSP": "TRANSPARENT"}, 0),
        ({"DTSTART": "20261111T000000Z", "DTEND": "20261111T010000Z"}, 0),
        ({"DTSTART": "20261109T230000Z", "DTEND": "20261110T000000Z"}, 0),
    ],
)
def test_what_takes_no_time_is_left_out(say: Any, changes: dict[str, str], count: int) -> None:
    text = say.calendar(say.invitation(**changes))
    found, unread = busy([text], OWNER, WITHIN)
    assert (len(found), unread) == (count, 0)


def test_a_declined_meeting_takes_no_time(say: Any) -> None:
    text = say.calendar(say.invitation()).replace(b"NEEDS-ACTION", b"DECLINED")
    assert busy([text], OWNER, WITHIN) == ((), 0)


def test_the_meeting_itself_is_not_in_its_way(say: Any) -> None:
    texts = [say.calendar(say.invitation(uid)) for uid in ("m1", "m2")]
    assert len(busy(texts, OWNER, WITHIN, without={"m1"})[0]) == 1


def test_what_cannot_be_read_is_counted(say: Any) -> None:
    assert busy([b"BEGIN:VCALENDAR", say.calendar(say.invitation())], OWNER, WITHIN)[1] == 1
