"""Words, dates and templates of letters and pages."""

__all__: tuple[str, ...] = ()
