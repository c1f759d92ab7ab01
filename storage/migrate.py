"""Brings a database to the relational model of this release, by Alembic, once however many gateways start."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from storage.session import normalise_url

__all__ = ["CommandError", "current", "downgrade", "head", "upgrade"]

# Any number will do, so long as no other user of the database takes the same one.
_LOCK = 0x5375_7475_7265
# A migration that waits long for a table would make every request behind it wait too.
_LOCK_TIMEOUT = "30s"


def upgrade(url: str, revision: str = "head") -> None:
    """Apply the revisions up to ``revision``; nothing happens if the database is there already.

    Raises sqlalchemy.exc.OperationalError if the database cannot be reached, CommandError if there is no such
    revision or the database is at one that this release does not know.
    """
    with _locked(url) as connection:
        if revision == "head" and _current(connection) == head():
            return
        command.upgrade(_config(connection), revision)


def downgrade(url: str, revision: str) -> None:
    """Undo the revisions after ``revision`` (``base``: all of them). Data of what they added is lost."""
    with _locked(url) as connection:
        command.downgrade(_config(connection), revision)


def current(url: str) -> str | None:
    """The revision that the database is at; None for one that was never migrated."""
    with _connected(url) as connection:
        return _current(connection)


def head() -> str | None:
    """The newest revision of this release."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def _current(connection: sa.Connection) -> str | None:
    found = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    return found


def _config(connection: sa.Connection | None) -> Config:
    package = find_spec("migrations")
    if package is None or package.origin is None:
        raise RuntimeError("the package migrations is not installed")
    config = Config()
    config.set_main_option("script_location", str(Path(package.origin).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _connected(url: str) -> Generator[sa.Connection]:
    engine = sa.create_engine(normalise_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@contextmanager
def _locked(url: str) -> Generator[sa.Connection]:
    with _connected(url) as connection:
        # A session's lock: it outlives the transactions of the revisions and ends with the connection.
        connection.execute(sa.text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK})
        connection.execute(sa.text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.commit()
        yield connection
