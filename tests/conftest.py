"""What every test may use: the shared corpus, found or named as absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("GATEWAY_SHARED") or Path(__file__).resolve().parents[2] / "shared")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data (corpus, fidelity, rfc); its absence is one printed summary line, never red."""
    if not (SHARED / "corpus" / "MANIFEST.csv").exists():
        pytest.skip("shared data absent: set GATEWAY_SHARED")
    return SHARED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not (SHARED / "corpus" / "MANIFEST.csv").exists():
        terminalreporter.write_line(f"shared data absent at {SHARED}: corpus tests were skipped")
