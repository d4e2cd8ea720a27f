"""RFC 5546: what should happen."""

__all__: tuple[str, ...] = ()
