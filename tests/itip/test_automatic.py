"""Machines do not answer machines, nor lists, nor nobody, and nobody twice a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.itip.automatic import PAUSE, counted, tallied, why_not
from gateway.itip.model import Context, Reason


@pytest.fixture
def asked(stage: Any) -> Context:
    return Context(owner=frozenset(), now=stage.now)


@pytest.mark.parametrize(
    ("mail", "reason"),
    [
        ({}, None),
        ({"auto_submitted": "no"}, None),
        ({"auto_submitted": "auto-replied"}, Reason.AUTO_SUBMITTED),
        ({"auto_submitted": "auto-generated"}, Reason.AUTO_SUBMITTED),
        ({"auto_submitted": "auto-notified"}, Reason.AUTO_SUBMITTED),
        ({"is_list": True}, Reason.AUTO_SUBMITTED),
        ({"null_sender": True}, Reason.AUTO_SUBMITTED),
    ],
    ids=str,
)
def test_only_a_persons_own_mail_is_answered(asked: Context, mail: Any, reason: Reason | None) -> None:
    assert why_not(replace(asked, **mail), "refresh:b@example.com") is reason


@pytest.mark.parametrize(
    ("mail", "reason"),
    [
        ({"auto_submitted": "auto-generated"}, None),
        ({"auto_submitted": "auto-replied"}, Reason.AUTO_SUBMITTED),
        ({"auto_submitted": "auto-notified"}, Reason.AUTO_SUBMITTED),
        ({"auto_submitted": "auto-generated", "is_list": True}, Reason.AUTO_SUBMITTED),
        ({"auto_submitted": "auto-generated", "null_sender": True}, Reason.AUTO_SUBMITTED),
    ],
    ids=str,
)
def test_a_request_that_a_server_marks_as_its_own_may_get_its_reply(
    asked: Context, mail: Any, reason: Reason | None
) -> None:
    assert why_not(replace(asked, **mail), "repeated", to_request=True) is reason


def test_once_a_day_is_enough(asked: Context) -> None:
    after = replace(asked, marks=counted(asked, "refresh:b@example.com"))
    assert why_not(after, "refresh:b@example.com") is Reason.RATE_LIMITED
    assert why_not(after, "refresh:c@example.com") is None
    assert why_not(replace(after, now=after.now + timedelta(days=1)), "refresh:b@example.com") is None


def test_letters_are_counted_for_a_day_from_the_first_and_end_at_so_many(asked: Context) -> None:
    marks: Any = {}
    for _ in range(3):
        marks = tallied("x", 2, replace(asked, marks=marks), most=6)
        assert marks is not None
    assert tallied("x", 1, replace(asked, marks=marks), most=6) is None
    assert tallied("x", 0, replace(asked, marks=marks), most=6) == {}
    assert tallied("y", 6, replace(asked, marks=marks), most=6) is not None
    tomorrow = replace(asked, marks=marks, now=asked.now + PAUSE)
    assert tallied("x", 6, tomorrow, most=6) is not None
