"""Many large mails at once, in a daemon of its own: what they take of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.measures import large

BOUND = 400  # megabytes, as docs/scaling.md promises


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_mails_of_24_mb_at_once_are_not_held_in_memory(tmp_path: Path) -> None:
    assert large(tmp_path, 1.0)["peak_mb"] < BOUND
