"""Rows removed for good, with their versions: what an administrator asks for, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from storage.dependents import OWNERS
from storage.errors import Dependents
from storage.model.columns import BY_TABLE, METADATA, Link
from storage.model.resource import Detail, Typed

if TYPE_CHECKING:
    from psycopg import Connection


def purge(connection: Connection[Any], ids: Iterable[UUID]) -> list[UUID]:
    """Remove deleted resources, and the deleted ones that belonged to them, with all their rows and versions.

    Other resources' references stay as they were written and point to nothing. Returns the ids of all that
    is gone; raises Dependents where live resources belong to them.
    """
    gone = _closure(connection, set(ids))
    for table, column in _pointing():
        statement = f'UPDATE "{table}" SET "{column}" = NULL WHERE "{column}" = ANY(%s)'
        connection.execute(statement.encode(), (gone,))
    connection.execute("DELETE FROM resource WHERE id = ANY(%s)", (gone,))
    return gone


def _closure(connection: Connection[Any], found: set[UUID]) -> list[UUID]:
    """Return rows and all that belong to them. Raises Dependents where one of them lives."""
    ahead = sorted(found)
    while ahead:
        rows = connection.execute(_belonging(), {"ids": ahead}).fetchall()
        ahead = sorted({row[0] for row in rows} - found)
        found.update(ahead)
    live = "SELECT count(*) FROM resource WHERE id = ANY(%s) AND deleted_at IS NULL"
    count = (connection.execute(live, (sorted(found),)).fetchone() or (0,))[0]
    if count:
        raise Dependents(count)
    return sorted(found)


@cache
def _belonging() -> bytes:
    parts = [
        f'SELECT id FROM "{name}" WHERE "{group.names[0]}" = ANY(%(ids)s)'
        for name, table in BY_TABLE.items()
        if issubclass(table, (Typed, Detail))
        for group in table.groups.values()
        if isinstance(group, Link) and group.name in OWNERS
    ]
    return " UNION ".join(parts).encode()


def _pointing() -> Iterator[tuple[str, str]]:
    """Yield the columns that may point to a resource and may be empty."""
    roots = {name for name, table in BY_TABLE.items() if issubclass(table, (Typed, Detail))} | {"resource"}
    for table in METADATA.tables.values():
        for foreign in table.foreign_keys:
            if foreign.column.table.name in roots and foreign.parent.nullable:
                yield table.name, foreign.parent.name
