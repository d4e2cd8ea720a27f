"""Alembic's environment: how the schema came to be, revision by revision."""

__all__: tuple[str, ...] = ()
