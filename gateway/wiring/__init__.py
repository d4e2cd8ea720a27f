"""Configuration to parts, for the daemon and the commands: the only room that knows every concrete class."""

__all__: tuple[str, ...] = ()
