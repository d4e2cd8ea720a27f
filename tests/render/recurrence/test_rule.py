"""The parts of a rule, or nothing: a reader of text that never fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.render.recurrence.rule import Rule, read


def test_a_rule_has_its_parts() -> None:
    assert read("freq=monthly;INTERVAL=2;BYDAY=-1FR,2MO;WKST=SU;COUNT=4\nEXDATE:20261130") == Rule(
        freq="MONTHLY", interval=2, days=((-1, 4), (2, 0)), week_start=6, count=4, exceptions=True
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "FREQ=WEEKLY;FREQ=DAILY",
        "FREQ=WEEKLY;COUNT=2;UNTIL=20261221",
        "FREQ=WEEKLY;COUNT=1",
        "FREQ=WEEKLY;INTERVAL=0",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYMONTHDAY=1x",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYYEARDAY=100",
        "RSCALE=CHINESE;FREQ=YEARLY",
        "FREQ=WEEKLY\nRDATE:20261221",
        "FREQ=WEEKLY\nEXRULE:FREQ=MONTHLY",
        "FREQ=WEEKLY\nRRULE:FREQ=MONTHLY",
    ],
)
def test_what_no_sentence_tells_has_no_parts(text: str) -> None:
    assert read(text) is None


@given(text=st.text(alphabet="FREQ=WKLYDAIMONTHBSPUVC;,-0123456789\n٣", max_size=60))
def test_any_text_is_read_or_none(text: str) -> None:
    read(text)
