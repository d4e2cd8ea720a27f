"""What the owner of a calendar wants done."""

__all__: tuple[str, ...] = ()
