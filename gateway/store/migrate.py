"""Alembic, wrapped: bring a database to the newest revision of `migrations/versions`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.errors import ConfigError

_LOCK: Final = 0x696D6970  # "imip": nodes that start together upgrade one after the other


def upgrade(conn: Connection, revision: str = "head") -> None:
    """Inside the caller's transaction, one process at a time. Raises ConfigError when the database has a revision that we do not know."""
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    config = _config(conn)
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(conn).get_current_revision()
    if current is not None and current not in {one.revision for one in scripts.walk_revisions()}:
        raise ConfigError(
            (f"the database has schema {current}, newer than this program: upgrade the program",)
        )
    command.upgrade(config, revision)


def newest() -> str:
    """The revision that this program wants."""
    return ScriptDirectory.from_config(_config(None)).get_current_head() or ""


def _config(conn: Connection | None) -> Config:
    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


__all__ = ["newest", "upgrade"]
