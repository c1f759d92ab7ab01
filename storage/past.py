"""What was written, newest first: the versions of one resource, of a type, or of all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from storage.versions import COLUMNS, Stored, fetch

if TYPE_CHECKING:
    from psycopg import Connection


class Mark(NamedTuple):
    """A place in the order of versions: that of one of them."""

    at: datetime
    resource_id: UUID
    version: int


@dataclass(frozen=True)
class Past:
    """Which versions are wanted. ``since``: written then or later; ``during``: current at some moment of a
    half-open time; ``before``: those that come after a mark in the order.
    """

    resource_type: str | None = None
    fhir_id: str | None = None
    since: datetime | None = None
    during: tuple[datetime, datetime] | None = None
    before: Mark | None = None


# A deletion counts at the moment it was made: nothing is current after it.
_DURING = """v.at < %s AND (v.at >= %s OR v.content IS NOT NULL AND NOT EXISTS (
    SELECT FROM resource_version n
    WHERE n.resource_id = v.resource_id AND n.version = v.version + 1 AND n.at <= %s))"""

Test = tuple[str, tuple[object, ...]]


def _tests(past: Past) -> list[Test]:
    found: list[Test] = []
    if past.resource_type is not None:
        found.append(("r.resource_type = %s", (past.resource_type,)))
    if past.fhir_id is not None:
        found.append(("r.fhir_id = %s", (past.fhir_id,)))
    if past.since is not None:
        found.append(("v.at >= %s", (past.since,)))
    if past.during is not None:
        low, high = past.during
        found.append((_DURING, (high, low, low)))
    return found


def _where(tests: list[Test]) -> tuple[str, tuple[object, ...]]:
    text = " AND ".join(test for test, _ in tests)
    return f" WHERE {text}" if text else "", tuple(value for _, values in tests for value in values)


_FROM = " FROM resource_version v JOIN resource r ON r.id = v.resource_id"


def page(connection: Connection[Any], past: Past, count: int) -> list[Stored]:
    """Return up to ``count`` versions, newest first; those of the same moment by their resource."""
    tests = _tests(past)
    if past.before is not None:
        # The moment alone leads into the index.
        tests.append(
            ("v.at <= %s AND (v.at, v.resource_id, v.version) < (%s, %s, %s)", (past.before.at, *past.before))
        )
    where, values = _where(tests)
    order = " ORDER BY v.at DESC, v.resource_id DESC, v.version DESC LIMIT %s"
    return fetch(connection, f"SELECT {COLUMNS}{_FROM}{where}{order}", (*values, count))


def count(connection: Connection[Any], past: Past) -> int:
    """Return how many versions there are in all, wherever a page begins."""
    where, values = _where(_tests(past))
    row = connection.execute(f"SELECT count(*){_FROM}{where}".encode(), values).fetchone()
    return row[0] if row else 0
