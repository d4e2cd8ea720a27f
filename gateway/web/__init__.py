"""RFC 9110: the web edge."""

__all__: tuple[str, ...] = ()
