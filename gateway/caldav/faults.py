"""The errors of this room that the error tree has no name for."""

from __future__ import annotations

from gateway.errors import BackendUnavailable


class BrokenAnswer(BackendUnavailable):
    """The server answered, but not with what was asked for: cut, empty, too large, another kind of document."""


class WriteLost(BackendUnavailable):
    """The connection was lost while a write was under way: it was done, or it was not."""


__all__ = ["BrokenAnswer", "WriteLost"]
