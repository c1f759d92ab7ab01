"""Brings back the rows of resources, locked for the change that is to come, or looks up where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row

from storage.model.columns import Table
from storage.model.resource import Resource
from storage.record import Record

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Shape:
    """The tables of a resource type: its typed table, its 1:1 details, the tables of its child rows."""

    main: type[Table]
    details: tuple[type[Table], ...]
    children: tuple[type[Table], ...]


@cache
def _by_id(name: str, *, lock: bool = False) -> bytes:
    # In order of id, so that two units which need the same rows never wait for each other. No key is changed,
    # and so rows that refer to one that is locked can be written meanwhile.
    ending = " ORDER BY id FOR NO KEY UPDATE" if lock else ""
    return f'SELECT * FROM "{name}" WHERE id = ANY(%s){ending}'.encode()


def hold(connection: Connection[Any], rows: Iterable[UUID]) -> None:
    """Lock rows of ``resource`` so that nothing can begin to refer to them; wait for what already does."""
    connection.execute("SELECT id FROM resource WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (list(rows),))


@cache
def _by_owner(name: str) -> bytes:
    return f'SELECT * FROM "{name}" WHERE owner_id = ANY(%s) ORDER BY item_no'.encode()


def load(
    connection: Connection[Any], shape: Shape, ids: Sequence[UUID], *, lock: bool = True
) -> dict[UUID, Record]:
    """Return the records of one type by id, their ``resource`` rows locked until the transaction ends.

    Two round trips: the rows of ``resource`` first, so that what follows is what the lock protects.
    """
    wanted = list(ids)
    cursor = connection.cursor(row_factory=dict_row)
    heads = cursor.execute(_by_id(Resource.table.name, lock=lock), (wanted,)).fetchall()
    if not heads:
        return {}
    with connection.pipeline():
        mains = _ask(connection, _by_id(shape.main.table.name), wanted)
        details = [(table, _ask(connection, _by_id(table.table.name), wanted)) for table in shape.details]
        children = [
            (table, _ask(connection, _by_owner(table.table.name), wanted)) for table in shape.children
        ]
    main_rows = {row["id"]: row for row in mains.fetchall()}
    records = {row["id"]: Record(shape.main, row, main_rows[row["id"]]) for row in heads}
    for table, answer in details:
        for row in answer.fetchall():
            records[row["id"]].details[table.table.name] = row
    for table, answer in children:
        for row in answer.fetchall():
            records[row["owner_id"]].add(table, row)
    return records


def _ask(connection: Connection[Any], statement: bytes, wanted: list[UUID]) -> Any:
    return connection.cursor(row_factory=dict_row).execute(statement, (wanted,))


FIND = """SELECT w.place, r.id, r.deleted_at
    FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS w(type, fhir_id, place)
    JOIN resource r ON r.resource_type = w.type AND r.fhir_id = w.fhir_id"""


def find(connection: Connection[Any], names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """Return the ids of resources by (type, fhir id); those that are not there are left out."""
    if not names:
        return {}
    types, fhir_ids = [name[0] for name in names], [name[1] for name in names]
    rows = connection.execute(FIND, (types, fhir_ids)).fetchall()
    return {names[place - 1]: found for place, found, _ in rows}


# As a subquery, so that it is asked of the few rows found: joined, a planner without statistics (a new
# database, a bulk load) begins with all that is live.
_LIVE = "(SELECT r.deleted_at FROM resource r WHERE r.id = {}.owner_id) IS NULL"
IDENTIFIED = f"""SELECT DISTINCT i.owner_id FROM identifier i
    WHERE i.resource_type = %s AND i.element = 'identifier' AND i.value = %s
    AND i.system IS NOT DISTINCT FROM %s AND {_LIVE.format("i")} ORDER BY i.owner_id"""


def identified(connection: Connection[Any], resource_type: str, system: str | None, value: str) -> list[UUID]:
    """Return the live resources of a type that carry an identifier."""
    return [row[0] for row in connection.execute(IDENTIFIED, (resource_type, value, system)).fetchall()]


NAMED = f"""SELECT r.fhir_id, EXISTS (SELECT 1 FROM person_name n WHERE n.owner_id = r.id)
    FROM identifier i JOIN resource r ON r.id = i.owner_id
    WHERE i.resource_type = %s AND i.element = 'identifier' AND i.value = %s
    AND i.system IS NOT DISTINCT FROM %s AND {_LIVE.format("i")} ORDER BY r.id LIMIT 1"""


def named(
    connection: Connection[Any], resource_type: str, system: str | None, value: str
) -> tuple[str, bool] | None:
    """Return the FHIR id of the first live resource that carries an identifier, and whether it has a name.

    For whoever only refers to it: nothing is loaded or locked.
    """
    return connection.execute(NAMED, (resource_type, value, system)).fetchone()


NUMBERED = f"""SELECT DISTINCT i.owner_id FROM identifier i
    WHERE i.resource_type = %s AND i.element = 'identifier' AND i.value = %s
    AND {_LIVE.format("i")} ORDER BY i.owner_id"""


def numbered(connection: Connection[Any], resource_type: str, value: str) -> list[UUID]:
    """Return the live resources of a type that carry an identifier of that value, of whatever system."""
    return [row[0] for row in connection.execute(NUMBERED, (resource_type, value)).fetchall()]


_ALL_CLAIMS = "7311000000000000001"
CLAIM = f"""SELECT pg_advisory_xact_lock_shared({_ALL_CLAIMS}),
    pg_advisory_xact_lock(hashtextextended(%s, 0))"""
CLAIM_ALL = f"SELECT pg_advisory_xact_lock({_ALL_CLAIMS})"


def claim(connection: Connection[Any], key: str) -> None:
    """Keep what a key stands for to this transaction, until it ends; wait for one that claimed it before."""
    connection.execute(CLAIM, (key,))


def claim_all(connection: Connection[Any]) -> None:
    """Keep whatever can be claimed to this transaction: the server has no room for thousands of claims."""
    connection.execute(CLAIM_ALL)


TAKEN = """SELECT i.system, i.value FROM unnest(%s::text[], %s::text[], %s::text[]) AS w(type, system, value)
    JOIN identifier i ON i.is_unique AND (i.resource_type, i.system, i.value) = (w.type, w.system, w.value)
    LIMIT 1"""


def taken(connection: Connection[Any], identifiers: Sequence[tuple[str, str, str]]) -> tuple[str, str] | None:
    """Return system and value of the first of the identifiers (type, system, value) that is in use."""
    asked = tuple([item[place] for item in identifiers] for place in range(3))
    return connection.execute(TAKEN, asked).fetchone()


REFERRING = """SELECT DISTINCT f.owner_id FROM reference f WHERE f.path = %s AND f.target_id = %s
    AND (SELECT r.resource_type FROM resource r WHERE r.id = f.owner_id AND r.deleted_at IS NULL) = %s
    ORDER BY f.owner_id"""


def referring(connection: Connection[Any], resource_type: str, path: str, target: UUID) -> list[UUID]:
    """Return the live resources of a type that refer to a resource at a path ("basedOn")."""
    return [row[0] for row in connection.execute(REFERRING, (path, target, resource_type)).fetchall()]


POINT = """UPDATE reference f SET target_id = t.id
    FROM resource r, unnest(%s::text[], %s::text[]) AS w(type, fhir_id)
    JOIN resource t ON t.resource_type = w.type AND t.fhir_id = w.fhir_id
    WHERE r.id = f.owner_id AND f.target_id IS NULL
    AND f.target_type = w.type AND f.target_fhir_id = w.fhir_id
    RETURNING r.resource_type, f.path, f.owner_id, f.child_id, t.resource_type, t.id"""

APART = """SELECT EXISTS (SELECT FROM unnest(%s::text[], %s::text[]) AS w(type, fhir_id)
    JOIN resource t ON t.resource_type = w.type AND t.fhir_id = w.fhir_id
    JOIN reference f ON f.target_id IS NULL AND f.target_type = w.type AND f.target_fhir_id = w.fhir_id)"""


def apart(connection: Connection[Any], names: Iterable[tuple[str, str]]) -> bool:
    """Tell whether references still wait for resources (type, fhir id) that are there."""
    listed = list(names)
    asked = ([name[0] for name in listed], [name[1] for name in listed])
    return connection.execute(APART, asked).fetchone() == (True,)


LinkColumn = Callable[[str, str, str], tuple[str, str] | None]


def point(connection: Connection[Any], names: Iterable[tuple[str, str]], link: LinkColumn) -> None:
    """Let references that waited for resources (type, fhir id) point to those that are there now.

    ``link`` tells, for a type, a path and the type of the target, the table and column of the foreign key
    that follows.
    """
    listed = sorted(names)
    asked = ([name[0] for name in listed], [name[1] for name in listed])
    for owner_type, path, owner, child, target_type, target in connection.execute(POINT, asked).fetchall():
        found = link(owner_type, path, target_type)
        if found is None:
            continue
        table, column = found
        connection.execute(
            f'UPDATE "{table}" SET "{column}" = %s WHERE id = %s AND "{column}" IS NULL'.encode(),
            (target, child or owner),
        )
        if column == "patient_id":
            connection.execute("UPDATE coding SET patient_id = %s WHERE owner_id = %s", (target, owner))
