"""Brings back the rows of resources, locked for the change that is to come, or looks up where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from storage.model.columns import Table
from storage.model.resource import Resource
from storage.record import Apart, Record
from storage.trip import Trip, ask, on_wire

if TYPE_CHECKING:
    from psycopg import Connection


@dataclass(frozen=True)
class Shape:
    """The tables of a resource type: its typed table, its 1:1 details, the tables of its child rows."""

    main: type[Table]
    details: tuple[type[Table], ...]
    children: tuple[type[Table], ...]


# The server plans a statement anew each time as long as it hopes that a plan for the very ids costs less than
# one for any; planning costs more than most of these statements do. Behind a subquery they are any ids.
_ANY = "= ANY((SELECT $1::uuid[])::uuid[])"


@cache
def _by_id(name: str, *, lock: bool = False) -> bytes:
    # In order of id, so that two units which need the same rows never wait for each other. No key is changed,
    # and so rows that refer to one that is locked can be written meanwhile.
    ending = " ORDER BY id FOR NO KEY UPDATE" if lock else ""
    return f'SELECT * FROM "{name}" WHERE id {_ANY}{ending}'.encode()


def hold(connection: Connection[Any], rows: Iterable[UUID]) -> None:
    """Lock rows of ``resource`` so that nothing can begin to refer to them; wait for what already does."""
    ask(connection, b"SELECT id FROM resource WHERE id = ANY($1) ORDER BY id FOR UPDATE", list(rows))


@cache
def _by_owner(name: str) -> bytes:
    return f'SELECT * FROM "{name}" WHERE owner_id {_ANY} ORDER BY item_no'.encode()


class Loaded(NamedTuple):
    """A resource as it stands: its rows, and the bytes of its current version (None: it was deleted)."""

    record: Record
    content: bytes | None


def load(
    connection: Connection[Any], shape: Shape, ids: Sequence[UUID], *, lock: bool = True
) -> dict[UUID, Loaded]:
    """Return resources of one type by id, their ``resource`` rows locked until the transaction ends.

    One round trip: the rows of ``resource`` come first, so that what follows is what the lock protects.
    """
    if not ids:
        return {}
    trip, wanted = Trip(connection), (on_wire(list(ids)),)
    heads = trip.ask(_by_id(Resource.table.name, lock=lock), wanted)
    mains = trip.ask(_by_id(shape.main.table.name), wanted)
    details = [(table.table.name, trip.ask(_by_id(table.table.name), wanted)) for table in shape.details]
    children = [(table, trip.ask(_by_owner(table.table.name), wanted)) for table in shape.children]
    contents = trip.ask(CONTENTS, wanted, binary=True)
    trip.make()
    main_rows = {row["id"]: row for row in mains.dicts()}
    records = {row["id"]: Record(shape.main, row, main_rows[row["id"]]) for row in heads.dicts()}
    for name, answer in details:
        for row in answer.dicts():
            records[row["id"]].details[name] = row
    for table, answer in children:
        for row in answer.dicts():
            records[row["owner_id"]].add(table, row)
    found = dict(contents.rows())
    return {key: Loaded(record, found[key]) for key, record in records.items()}


CONTENTS = f"""SELECT v.resource_id, v.content FROM resource_version v
    JOIN resource r ON r.id = v.resource_id AND r.version = v.version WHERE r.id {_ANY}""".encode()

FIND = b"""SELECT w.place, r.id, r.deleted_at
    FROM unnest((SELECT $1::text[]), (SELECT $2::text[])) WITH ORDINALITY AS w(type, fhir_id, place)
    JOIN resource r ON r.resource_type = w.type AND r.fhir_id = w.fhir_id"""


def find(connection: Connection[Any], names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """Return the ids of resources by (type, fhir id); those that are not there are left out."""
    if not names:
        return {}
    types, fhir_ids = [name[0] for name in names], [name[1] for name in names]
    rows = ask(connection, FIND, types, fhir_ids).rows()
    return {names[place - 1]: found for place, found, _ in rows}


# As a subquery, so that it is asked of the few rows found: joined, a planner without statistics (a new
# database, a bulk load) begins with all that is live.
_LIVE = "(SELECT r.deleted_at FROM resource r WHERE r.id = {}.owner_id) IS NULL"
IDENTIFIED = f"""SELECT DISTINCT i.owner_id FROM identifier i
    WHERE i.resource_type = $1 AND i.element = 'identifier' AND i.value = $2
    AND i.system IS NOT DISTINCT FROM $3 AND {_LIVE.format("i")} ORDER BY i.owner_id""".encode()


def identified(
    connection: Connection[Any], resource_type: str, system: str | None, value: str, *, claimed: bool = False
) -> list[UUID]:
    """Return the live resources of a type that carry an identifier; ``claimed``: once nobody else can make
    one.
    """
    return _carriers(connection, claimed, IDENTIFIED, resource_type, value, system)


NAMED = f"""SELECT r.fhir_id, EXISTS (SELECT 1 FROM person_name n WHERE n.owner_id = r.id)
    FROM identifier i JOIN resource r ON r.id = i.owner_id
    WHERE i.resource_type = $1 AND i.element = 'identifier' AND i.value = $2
    AND i.system IS NOT DISTINCT FROM $3 AND {_LIVE.format("i")} ORDER BY r.id LIMIT 1""".encode()


def named(
    connection: Connection[Any], resource_type: str, system: str | None, value: str
) -> tuple[str, bool] | None:
    """Return the FHIR id of the first live resource that carries an identifier, and whether it has a name.

    For whoever only refers to it: nothing is loaded or locked.
    """
    return next(iter(ask(connection, NAMED, resource_type, value, system).rows()), None)


NUMBERED = f"""SELECT DISTINCT i.owner_id FROM identifier i
    WHERE i.resource_type = $1 AND i.element = 'identifier' AND i.value = $2
    AND {_LIVE.format("i")} ORDER BY i.owner_id""".encode()


def numbered(
    connection: Connection[Any], resource_type: str, value: str, *, claimed: bool = False
) -> list[UUID]:
    """Return the live resources of a type that carry an identifier of that value, of whatever system."""
    return _carriers(connection, claimed, NUMBERED, resource_type, value)


def _carriers(
    connection: Connection[Any], claimed: bool, statement: bytes, resource_type: str, value: str, *more: Any
) -> list[UUID]:
    trip = Trip(connection)
    if claimed:
        # On the same trip: each statement sees what was committed before it began.
        trip.ask(CLAIM, (on_wire(f"{resource_type} {value}"),))
    answer = trip.ask(statement, [on_wire(told) for told in (resource_type, value, *more)])
    trip.make()
    return [row[0] for row in answer.rows()]


_ALL_CLAIMS = "7311000000000000001"
CLAIM = f"""SELECT pg_advisory_xact_lock_shared({_ALL_CLAIMS}),
    pg_advisory_xact_lock(hashtextextended($1, 0))""".encode()
CLAIM_ALL = f"SELECT pg_advisory_xact_lock({_ALL_CLAIMS})".encode()


def claim(connection: Connection[Any], key: str) -> None:
    """Keep what a key stands for to this transaction, until it ends; wait for one that claimed it before."""
    ask(connection, CLAIM, key)


def claim_all(connection: Connection[Any]) -> None:
    """Keep whatever can be claimed to this transaction: the server has no room for thousands of claims."""
    ask(connection, CLAIM_ALL)


TAKEN = b"""SELECT i.system, i.value FROM unnest($1::text[], $2::text[], $3::text[]) AS w(type, system, value)
    JOIN identifier i ON i.is_unique AND (i.resource_type, i.system, i.value) = (w.type, w.system, w.value)
    LIMIT 1"""


def taken(connection: Connection[Any], identifiers: Sequence[tuple[str, str, str]]) -> tuple[str, str] | None:
    """Return system and value of the first of the identifiers (type, system, value) that is in use."""
    asked = ([item[place] for item in identifiers] for place in range(3))
    return next(iter(ask(connection, TAKEN, *asked).rows()), None)


REFERRING = b"""SELECT DISTINCT f.owner_id FROM reference f WHERE f.path = $1 AND f.target_id = $2
    AND (SELECT r.resource_type FROM resource r WHERE r.id = f.owner_id AND r.deleted_at IS NULL) = $3
    ORDER BY f.owner_id"""


REFERRING_APART = b"""SELECT DISTINCT f.owner_id FROM reference f WHERE f.path = $1 AND f.target_id = $2
    AND (SELECT r.resource_type FROM resource r WHERE r.id = f.owner_id AND r.deleted_at IS NULL) = $3
    AND NOT EXISTS (SELECT FROM reference o WHERE o.owner_id = f.owner_id AND o.path = ANY($4::text[]))
    AND NOT EXISTS (SELECT FROM reference o WHERE o.target_id = f.owner_id AND o.path = ANY($5::text[]))
    ORDER BY f.owner_id"""


def referring(
    connection: Connection[Any], resource_type: str, path: str, target: UUID, apart: Apart | None = None
) -> list[UUID]:
    """Return the live resources of a type that refer to a resource at a path ("basedOn")."""
    if apart is None:
        return [row[0] for row in ask(connection, REFERRING, path, target, resource_type).rows()]
    asked = (path, target, resource_type, list(apart.to), list(apart.by))
    return [row[0] for row in ask(connection, REFERRING_APART, *asked).rows()]


ALL_REFERRING = b"""SELECT r.resource_type, r.id FROM resource r WHERE r.deleted_at IS NULL
    AND r.id IN (SELECT f.owner_id FROM reference f WHERE f.target_id = $1) ORDER BY r.resource_type, r.id"""


def all_referring(connection: Connection[Any], target: UUID) -> dict[str, list[UUID]]:
    """Return the live resources that refer to a resource at whatever path, by type."""
    found: dict[str, list[UUID]] = {}
    for resource_type, owner in ask(connection, ALL_REFERRING, target).rows():
        found.setdefault(resource_type, []).append(owner)
    return found


POINT = b"""UPDATE reference f SET target_id = t.id
    FROM resource r, unnest($1::text[], $2::text[]) AS w(type, fhir_id)
    JOIN resource t ON t.resource_type = w.type AND t.fhir_id = w.fhir_id
    WHERE r.id = f.owner_id AND f.target_id IS NULL
    AND f.target_type = w.type AND f.target_fhir_id = w.fhir_id
    RETURNING r.resource_type, f.path, f.owner_id, f.child_id, t.resource_type, t.id"""

APART = b"""SELECT EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS w(type, fhir_id)
    JOIN resource t ON t.resource_type = w.type AND t.fhir_id = w.fhir_id
    JOIN reference f ON f.target_id IS NULL AND f.target_type = w.type AND f.target_fhir_id = w.fhir_id)"""


def apart(connection: Connection[Any], names: Iterable[tuple[str, str]]) -> bool:
    """Tell whether references still wait for resources (type, fhir id) that are there."""
    listed = list(names)
    asked = ([name[0] for name in listed], [name[1] for name in listed])
    return ask(connection, APART, *asked).rows() == [(True,)]


LinkColumn = Callable[[str, str, str], tuple[str, str] | None]


def point(connection: Connection[Any], names: Iterable[tuple[str, str]], link: LinkColumn) -> None:
    """Let references that waited for resources (type, fhir id) point to those that are there now.

    ``link`` tells, for a type, a path and the type of the target, the table and column of the foreign key
    that follows.
    """
    listed = sorted(names)
    asked = ([name[0] for name in listed], [name[1] for name in listed])
    for owner_type, path, owner, child, target_type, target in ask(connection, POINT, *asked).rows():
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
