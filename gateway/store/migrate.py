"""Alembic, wrapped: bring a database to the newest revision of `migrations/versions`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gateway.errors import ConfigError


def upgrade(conn: Connection) -> None:
    """Inside the caller's transaction. Raises ConfigError when the database has a revision that we do not know."""
    config = _config(conn)
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(conn).get_current_revision()
    if current is not None and current not in {one.revision for one in scripts.walk_revisions()}:
        raise ConfigError(
            (f"the database has schema {current}, newer than this program: upgrade the program",)
        )
    command.upgrade(config, "head")


def newest() -> str:
    """The revision that this program wants."""
    return ScriptDirectory.from_config(_config(None)).get_current_head() or ""


def _config(conn: Connection | None) -> Config:
    config = Config(attributes={"connection": conn})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


__all__ = ["newest", "upgrade"]
