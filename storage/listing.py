"""Lists of the native interfaces: the rows that filters leave, a page of them, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.rows import dict_row

if TYPE_CHECKING:
    from psycopg import Connection

Row = dict[str, Any]


class Listing(NamedTuple):
    """A list: its columns, its tables (``r`` is the resource), by what it can be filtered, its order."""

    columns: str
    tables: str
    filters: Mapping[str, str]
    """Filter -> condition, in which ``%(filter)s`` is the value."""
    order: str


def bound(name: str, text: str) -> str:
    """Return the expression of a bound of dates: of its two instants the first is for a ``text`` that tells a
    moment, the second for one that is a date, which is kept as if in UTC.
    """
    return f"(%({name})s::timestamptz[])[CASE WHEN {text} LIKE '%%T%%' THEN 1 ELSE 2 END]"


def page(
    connection: Connection[Any], listing: Listing, asked: Mapping[str, Any], skip: int, limit: int
) -> tuple[list[Row], int]:
    """Return a page of the live rows that have all the given values, and how many there are."""
    source = f"FROM {listing.tables} WHERE {_where(listing, asked)}"
    total = connection.execute(f"SELECT count(*) {source}".encode(), asked).fetchone()
    values = {**asked, "skip": skip, "limit": limit}
    statement = f"SELECT {listing.columns} {source} ORDER BY {listing.order} LIMIT %(limit)s OFFSET %(skip)s"
    found = connection.cursor(row_factory=dict_row).execute(statement.encode(), values).fetchall()
    return found, total[0] if total else 0


def one(connection: Connection[Any], listing: Listing, fhir_id: str) -> Row | None:
    """Return the live row of a FHIR id, None where there is none."""
    statement = f"""SELECT {listing.columns} FROM {listing.tables}
        WHERE r.deleted_at IS NULL AND r.fhir_id = %(id)s"""
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(statement.encode(), {"id": fhir_id}).fetchone()


def _where(listing: Listing, asked: Mapping[str, Any]) -> str:
    return " AND ".join(["r.deleted_at IS NULL", *(listing.filters[name] for name in asked)])
