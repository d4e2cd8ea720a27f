"""What the DNS says."""

from __future__ import annotations

from typing import Protocol


class Records(Protocol):
    """Text records of names. Never raises."""

    async def texts(self, name: str) -> tuple[str, ...] | None:
        """The TXT records of a domain name, each as one text; () where there are none, None where nobody could tell in time."""
        ...

    async def exists(self, name: str) -> bool | None:
        """Whether the DNS knows the name at all; None where nobody could tell in time."""
        ...
