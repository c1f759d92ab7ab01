"""What hangs on a row: the reports and procedures of an order, and whether live rows still belong to
something.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row

from storage.model.columns import BY_TABLE, Link, Row
from storage.model.resource import Detail, Typed

if TYPE_CHECKING:
    from psycopg import Connection

OWNERS = ("patient", "encounter", "context", "order", "procedure", "case")
"""The links by which a row belongs to another, so that the other may not be deleted under it."""

OF_ORDER = """SELECT t.* FROM {table} t JOIN resource r ON r.id = t.id
    WHERE t.order_id = %s AND r.deleted_at IS NULL"""


def reports(connection: Connection[Any], order: UUID) -> list[Row]:
    """Return the rows of the live reports of an order."""
    return _of_order(connection, "report", order)


def procedures(connection: Connection[Any], order: UUID) -> list[Row]:
    """Return the rows of the live procedures of an order."""
    return _of_order(connection, "procedure", order)


def _of_order(connection: Connection[Any], table: str, order: UUID) -> list[Row]:
    statement = OF_ORDER.format(table=table).encode()
    return connection.cursor(row_factory=dict_row).execute(statement, (order,)).fetchall()


AWAITING = """SELECT r.id FROM reference f JOIN resource r ON r.id = f.owner_id
    WHERE f.path = %s AND f.target_fhir_id = %s AND f.target_type = %s
    AND r.resource_type = %s AND r.deleted_at IS NULL ORDER BY r.id"""


def awaiting(
    connection: Connection[Any], resource_type: str, path: str, target_type: str, fhir_id: str
) -> list[UUID]:
    """Return the live resources of a type that refer at a path to a resource, by its FHIR id, be it here yet
    or not.
    """
    found = connection.execute(AWAITING, (path, fhir_id, target_type, resource_type)).fetchall()
    return [row[0] for row in found]


PATIENTS = " UNION ALL ".join(
    f'SELECT id, patient_id FROM "{table}" WHERE id = ANY(%(ids)s)'
    for table in ("encounter", "service_order", "procedure")
).encode()


def patients(connection: Connection[Any], ids: Sequence[UUID]) -> dict[UUID, UUID | None]:
    """Return the patients of encounters, orders and procedures, by id; None for one whose patient is not
    here.
    """
    return dict(connection.execute(PATIENTS, {"ids": list(ids)}).fetchall())


def claim(connection: Connection[Any], table: str, column: str, member: UUID, owner: UUID | None) -> None:
    """Let a member's row point to its case or follow-up, or to none."""
    statement = f'UPDATE "{table}" SET "{column}" = %s WHERE id = %s'
    connection.execute(statement.encode(), (owner, member))


def release(
    connection: Connection[Any], table: str, column: str, owner: UUID, keep: Sequence[UUID] = ()
) -> None:
    """Let the rows that point to a case or follow-up point to none, but for those that it keeps."""
    statement = f'UPDATE "{table}" SET "{column}" = NULL WHERE "{column}" = %s AND NOT id = ANY(%s)'
    connection.execute(statement.encode(), (owner, list(keep)))


def counts(connection: Connection[Any], table: str, rows: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many live resources belong to each of some rows of a table by patient, encounter, order,
    procedure or case; those without any left out.
    """
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
