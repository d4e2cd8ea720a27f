"""RFC 6047: mail to iTIP messages, and back."""

__all__: tuple[str, ...] = ()
