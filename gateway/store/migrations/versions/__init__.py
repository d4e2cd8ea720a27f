"""The revisions, oldest first."""

__all__: tuple[str, ...] = ()
