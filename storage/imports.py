"""Imports: what became of each, told while it goes on; and which keys one has met, in bounded memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Json

from storage.model.people import SYSTEM_USER_ID

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

Row = dict[str, Any]
COUNTS = ("total", "created", "skipped", "failed")


@dataclass
class Counts:
    """How many rows were read, and what became of them."""

    total: int = 0
    created: int = 0
    skipped: int = 0
    failed: int = 0


class Batch(NamedTuple):
    """An import as it begins."""

    id: UUID
    kind: str
    validate_only: bool
    skip_duplicates: bool
    started_at: datetime
    filename: str | None = None
    sha256: str | None = None


def begin(connection: Connection[Any], batch: Batch, username: str | None) -> None:
    """Store an import that begins, by the account of a name; of the gateway itself where there is none."""
    connection.execute(
        f"""INSERT INTO import_batch (id, kind, validate_only, skip_duplicates, started_at, filename, sha256,
            actor_id, {", ".join(COUNTS)})
        VALUES (%s, %s, %s, %s, %s, %s, %s,
            coalesce((SELECT u.id FROM app_user u WHERE u.username = %s), %s), 0, 0, 0, 0)""".encode(),
        (*batch[:5], batch.filename and batch.filename[:255], batch.sha256, username, SYSTEM_USER_ID),
    )


def progress(connection: Connection[Any], key: UUID, counts: Counts) -> None:
    """Tell how far an import is."""
    connection.execute(
        "UPDATE import_batch SET total = %s, created = %s, skipped = %s, failed = %s WHERE id = %s",
        (counts.total, counts.created, counts.skipped, counts.failed, key),
    )


def finish(
    connection: Connection[Any], key: UUID, errors: Sequence[Mapping[str, Any]], at: datetime | None
) -> None:
    """Store what was wrong, and when the import ended; None for one that broke off."""
    connection.execute(
        "UPDATE import_batch SET errors = %s, finished_at = %s WHERE id = %s", (Json(list(errors)), at, key)
    )


_READING = f"""SELECT b.id, b.kind, b.filename, b.sha256, b.validate_only, b.skip_duplicates,
    {", ".join(f"b.{name}" for name in COUNTS)}, u.username AS by, b.started_at, b.finished_at"""
_FROM = "FROM import_batch b LEFT JOIN app_user u ON u.id = b.actor_id"


def one(connection: Connection[Any], key: UUID) -> Row | None:
    """Return an import with what was wrong, None where there is none."""
    statement = f"{_READING}, b.errors {_FROM} WHERE b.id = %s"
    return connection.cursor(row_factory=dict_row).execute(statement.encode(), (key,)).fetchone()


def newest(connection: Connection[Any], limit: int) -> list[Row]:
    """Return the newest imports, without what was wrong."""
    statement = f"{_READING} {_FROM} ORDER BY b.started_at DESC, b.id DESC LIMIT %s"
    return connection.cursor(row_factory=dict_row).execute(statement.encode(), (limit,)).fetchall()


class Met:
    """The keys that were met so far and where: in a temporary file as soon as they are many."""

    def __init__(self) -> None:
        # Its creator, and after it whoever reads rows, one at a time.
        self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute("CREATE TABLE met (key TEXT PRIMARY KEY, place INTEGER) WITHOUT ROWID")

    def earlier(self, key: str, place: int) -> int | None:
        """Return where a key was met before; None for a new one, which is met now."""
        found = self._rows.execute("SELECT place FROM met WHERE key = ?", (key,)).fetchone()
        if found is None:
            self._rows.execute("INSERT INTO met VALUES (?, ?)", (key, place))
        return found[0] if found else None

    def close(self) -> None:
        """Forget all."""
        self._rows.close()
