"""The UID of an object is the one of its event, whatever else carries one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.caldav.uid import uid_of


@pytest.mark.parametrize(
    ("text", "uid"),
    [
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:one\r\nEND:VEVENT\r\nEND:VCALENDAR", "one"),
        ("BEGIN:VCALENDAR\nUID:calendar\nBEGIN:VTODO\nuid:one\nEND:VTODO\n", "one"),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUI\r\n D:lo\r\n ng\r\n\t er\r\nEND:VEVENT\r\n", "long er"),
        ("BEGIN:VEVENT\r\nBEGIN:VALARM\r\nUID:alarm\r\nEND:VALARM\r\nUID:one\r\nEND:VEVENT\r\n", "one"),
        ('BEGIN:VEVENT\r\nUID;X-A="b:c";X-D=e:one:two\r\nEND:VEVENT\r\n', "one:two"),
        ("BEGIN:VEVENT\r\nUID:a\\;b\\,c\\\\d\\ne\r\nEND:VEVENT\r\n", "a;b,c\\d\ne"),
        ("BEGIN:VEVENT\r\nX-UID:no\r\nUIDS:no\r\nDESCRIPTION:UID:no\r\nEND:VEVENT\r\n", ""),
        ("BEGIN:VTIMEZONE\r\nUID:zone\r\nEND:VTIMEZONE\r\n", ""),
        ("", ""),
    ],
)
def test_the_uid_is_that_of_the_event(text: str, uid: str):
    assert uid_of(text.encode()) == uid


@pytest.mark.parametrize("before", [*range(4070, 4110), 10_000])
def test_the_uid_is_found_wherever_it_stands(before: int):
    head = b"BEGIN:VEVENT\r\nDESCRIPTION:"
    folded = head + b"x" * (before - len(head)) + b"\r\nUID:on\r\n e\r\nSUMMARY:s\r\n t\r\nEND:VEVENT\r\n"
    assert uid_of(folded) == "one"


@given(st.binary(max_size=300))
def test_any_bytes_have_a_uid_or_none(data: bytes):
    assert isinstance(uid_of(data), str)
