"""What hangs on a row: the reports and procedures of an order, and whether live rows still belong to
something.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from storage.model.columns import BY_TABLE, Link
from storage.model.resource import Detail, Typed

if TYPE_CHECKING:
    from psycopg import Connection

OWNERS = ("patient", "encounter", "context", "order", "procedure", "case")
"""The links by which a row belongs to another, so that the other may not be deleted under it."""

OF_ORDER = """SELECT t.id, t.status FROM {table} t JOIN resource r ON r.id = t.id
    WHERE t.order_id = %s AND r.deleted_at IS NULL"""


def reports(connection: Connection[Any], order: UUID) -> list[tuple[UUID, str]]:
    """Return id and status of the live reports of an order."""
    return connection.execute(OF_ORDER.format(table="report").encode(), (order,)).fetchall()


def procedures(connection: Connection[Any], order: UUID) -> list[tuple[UUID, str]]:
    """Return id and status of the live procedures of an order."""
    return connection.execute(OF_ORDER.format(table="procedure").encode(), (order,)).fetchall()


def claim(connection: Connection[Any], table: str, column: str, member: UUID, owner: UUID) -> None:
    """Let a member's row point to its case or follow-up."""
    statement = f'UPDATE "{table}" SET "{column}" = %s WHERE id = %s'
    connection.execute(statement.encode(), (owner, member))


def count(connection: Connection[Any], table: str, row: UUID) -> int:
    """Return how many live resources belong to a row by patient, encounter, order, procedure or case."""
    return counts(connection, table, [row]).get(row, 0)


def counts(connection: Connection[Any], table: str, rows: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many live resources belong to each of some rows of a table; those without any left out."""
    statement = _counting(table)
    if statement is None:
        return {}
    return dict(connection.execute(statement, {"ids": list(rows)}).fetchall())


@cache
def _counting(target: str) -> bytes | None:
    parts = [
        f'SELECT id, "{group.names[0]}" AS owner FROM "{name}" WHERE "{group.names[0]}" = ANY(%(ids)s)'
        for name, table in BY_TABLE.items()
        if issubclass(table, (Typed, Detail))
        for group in table.groups.values()
        if isinstance(group, Link) and group.name in OWNERS and group.target_table == target
    ]
    if not parts:
        return None
    union = " UNION ".join(parts)
    live = "WHERE r.deleted_at IS NULL AND r.id <> d.owner GROUP BY d.owner"
    return f"SELECT d.owner, count(*) FROM ({union}) d JOIN resource r ON r.id = d.id {live}".encode()
