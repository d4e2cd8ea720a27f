"""RFC 5545: calendar text, in and out, without loss."""

__all__: tuple[str, ...] = ()
