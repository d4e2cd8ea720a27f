"""RFC 5321 and 2033: the mail edge."""

__all__: tuple[str, ...] = ()
