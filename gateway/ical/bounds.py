"""How far a series is expanded at most: the bounds of SPEC 11, which every calendar object carries with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of SPEC 11: instances in one answer, years looked at, candidate days tried."""

    instances: int = 2_000
    years: int = 10
    steps: int = 200_000


DEFAULT_BOUNDS: Final = Bounds()

__all__ = ["DEFAULT_BOUNDS", "Bounds"]
