"""The command line: one file per command, imported only when it is called."""

__all__: tuple[str, ...] = ()
