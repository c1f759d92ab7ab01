"""Stored versions: what a reader gets, without rebuilding anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from storage.trip import Answer, ask

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection


class Stored(NamedTuple):
    """One version of one resource; ``content`` is the bytes of the resource, None for a deletion."""

    resource_id: UUID
    resource_type: str
    fhir_id: str
    version: int
    last_updated: datetime
    op: str
    origin: str
    actor: str | None
    message_id: UUID | None
    content: bytes | None


COLUMNS = """r.id, r.resource_type, r.fhir_id, v.version, v.at, v.op, v.origin,
    (SELECT username FROM app_user u WHERE u.id = v.actor_id), v.message_id, v.content"""

CURRENT = f"""SELECT {COLUMNS} FROM resource r
    JOIN resource_version v ON v.resource_id = r.id AND v.version = r.version
    WHERE r.resource_type = $1 AND r.fhir_id = $2""".encode()
VERSION = f"""SELECT {COLUMNS} FROM resource r JOIN resource_version v ON v.resource_id = r.id
    WHERE r.resource_type = $1 AND r.fhir_id = $2 AND v.version = $3""".encode()


def fetch(connection: Connection[Any], statement: str, values: tuple[object, ...]) -> list[Stored]:
    """Return the versions that a statement selects, by COLUMNS of ``r`` and ``v``."""
    # Binary results: the text form of bytea would be decoded at twice the cost.
    rows = connection.execute(statement.encode(), values, binary=True).fetchall()
    return [Stored(*row) for row in rows]


def current(connection: Connection[Any], resource_type: str, fhir_id: str) -> Stored | None:
    """Return the newest version (which may be a deletion), None where there never was one."""
    return _one(ask(connection, CURRENT, resource_type, fhir_id, binary=True))


def version(connection: Connection[Any], resource_type: str, fhir_id: str, number: int) -> Stored | None:
    """Return one version, None where there is none."""
    return _one(ask(connection, VERSION, resource_type, fhir_id, number, binary=True))


def _one(answer: Answer) -> Stored | None:
    return next(map(Stored._make, answer.rows()), None)
