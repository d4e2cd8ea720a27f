"""RFC 4791 and 6578: the calendar edge."""

__all__: tuple[str, ...] = ()
