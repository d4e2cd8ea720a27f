"""Every kind of letter can be looked at before it is needed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.render.letters import Letters
from gateway.render.samples import NAMES, sample


@pytest.mark.parametrize("kind", NAMES)
def test_every_kind_of_letter_has_a_sample(kind: str, letters: Letters) -> None:
    sheet = sample(kind, language="en", now=datetime(2026, 11, 2, tzinfo=UTC))
    worded, title = letters.render(sheet), sheet.summary.now.title
    assert title and title in worded.subject and title in worded.html
