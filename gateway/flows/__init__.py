"""The journeys: receive, apply, watch, deliver."""

__all__: tuple[str, ...] = ()
