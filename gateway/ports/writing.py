"""Objects of calendars that one process at a time writes, across all processes and nodes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Seized:
    """A lease of some objects; the names are the store's own."""

    objects: tuple[str, ...]
    proof: str


class WriteLeases(Protocol):
    """Leases that end by themselves. Every call may raise BackendUnavailable."""

    async def seize(self, objects: Iterable[str], lease: timedelta) -> Seized | None:
        """All of these, for so long; None: somebody has one of them."""
        ...

    async def keep(self, held: Seized, lease: timedelta) -> bool:
        """Prolong it; False when it is lost."""
        ...

    async def release(self, held: Seized) -> None:
        """Give it back, as far as it is not lost."""
        ...


class Exclusion(Protocol):
    """To be alone with some objects, however many processes there are."""

    def hold(self, objects: Iterable[str]) -> AbstractAsyncContextManager[None]:
        """Who has lost them inside is stopped there. Raises BackendUnavailable."""
        ...


__all__ = ["Exclusion", "Seized", "WriteLeases"]
