"""The SQL edge: queue, plans, ledger, snapshots, journal."""

__all__: tuple[str, ...] = ()
