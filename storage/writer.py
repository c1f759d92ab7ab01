"""Writes the rows of one unit of work in few round trips: its statements travel in one pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import sqlalchemy as sa
from psycopg import RawCursor
from psycopg.types.json import Json
from sqlalchemy.dialects import postgresql

from storage.errors import Stale
from storage.model.columns import BY_TABLE, METADATA, Listed, Row, Table
from storage.model.resource import Resource, ResourceVersion
from storage.model.shared import Coding, Identifier, SearchString

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection, Cursor

    from storage.record import Record

Op = Literal["create", "update", "patch", "delete"]

AT_ONCE = 20
"""Rows of one INSERT at most: each count is a statement of its own, which the driver prepares once."""

_QUOTE = postgresql.dialect().identifier_preparer.quote


@dataclass(frozen=True)
class Author:
    """Who wrote a unit of work, through which door, by which message, and when."""

    origin: str
    actor_id: UUID
    at: datetime
    message_id: UUID | None = None


@dataclass(frozen=True)
class Standing:
    """What stands in the database of a resource before a change: its child tables and its details."""

    children: frozenset[str]
    details: frozenset[str]

    @classmethod
    def of(cls, record: Record) -> Standing:
        """Note what a record, as it was loaded, has."""
        return cls(frozenset(key[0] for key in record.children), frozenset(record.details))


@dataclass
class Change:
    """One resource to be written: its rows, what stands there before (None for a new one), its rendered
    bytes.
    """

    record: Record
    before: Standing | None
    op: Op
    content: bytes | None


@dataclass
class Writer:
    """Writes changes and plain rows of one transaction, on one connection; ``unique_systems`` are the
    identifier systems that are declared unique.
    """

    connection: Connection[Any]
    unique_systems: frozenset[str]
    plain: list[tuple[type[Table], Row]] = field(default_factory=list[tuple[type[Table], Row]])

    def add(self, table: type[Table], row: Row) -> None:
        """Add a row that belongs to no resource (an event, a link); it is written with the next flush."""
        self.plain.append((table, row))

    def write(self, changes: Sequence[Change], author: Author) -> None:
        """Write all changes and added rows in one round trip.

        Raises Stale where a row is no longer at the version that its change began from, and psycopg's errors
        for what the constraints refuse (``storage.errors.from_driver`` tells which).
        """
        for change in changes:
            self._complete(change.record)
        guarded: list[tuple[Change, Cursor[Any]]] = []
        fresh: dict[str, list[Row]] = {}
        for table, row in self.plain:
            fresh.setdefault(table.table.name, []).append(row)
        with self.connection.pipeline():
            for change in changes:
                guarded += self._write_heads(change, author, fresh)
            for change in changes:
                self._write_children(change, fresh)
            for name in in_order(fresh.keys()):
                self._insert_many(name, fresh[name])
        self.plain.clear()
        for change, cursor in guarded:
            if cursor.rowcount != 1:
                resource = change.record.resource
                raise Stale(resource["resource_type"], resource["fhir_id"], resource["version"] - 1, None)

    def _complete(self, record: Record) -> None:
        """Set the copies that rows carry for search: an identifier's type and uniqueness, a coding's
        patient.
        """
        for row in record.all_rows(Identifier):
            row["resource_type"] = record.resource["resource_type"]
            row["is_unique"] = row["system"] in self.unique_systems and row["element"] == "identifier"
        for table, row in record.details.items():
            for column, target in _listed(table):
                if row[column] is not None and not self._is_listed(target, row[column]):
                    row[column] = None
        patient = record.main.get("patient_id")
        for row in record.all_rows(Coding):
            row["patient_id"] = patient

    def _is_listed(self, target: str, code: str) -> bool:
        """Tell whether a reference table has a code; one that it has not stays a code among the codings."""
        table, _, column = target.partition(".")
        statement = f'SELECT 1 FROM "{table}" WHERE "{column}" = %s'.encode()
        return self.connection.execute(statement, (code,)).fetchone() is not None

    def _write_heads(
        self, change: Change, author: Author, fresh: dict[str, list[Row]]
    ) -> list[tuple[Change, Cursor[Any]]]:
        """Write the row of ``resource``, the typed row, the details and the version: what is new goes to
        ``fresh``, by table.
        """
        record, before = change.record, change.before
        main = record.table.table.name
        guarded: list[tuple[Change, Cursor[Any]]] = []
        if before is None:
            fresh.setdefault("resource", []).append(record.resource)
            fresh.setdefault(main, []).append(record.main)
        else:
            known = (
                *values("resource", record.resource),
                record.resource["id"],
                record.resource["version"] - 1,
            )
            guarded.append((change, self._run(update("resource", guarded=True), known)))
            self._run(update(main), (*values(main, record.main), record.main["id"]))
        self._write_details(record, before.details if before else frozenset(), fresh)
        fresh.setdefault("resource_version", []).append(version_row(change, author))
        return guarded

    def _write_details(self, record: Record, before: frozenset[str], fresh: dict[str, list[Row]]) -> None:
        for name in before - record.details.keys():
            self._run(_deletion(name, "id"), (record.resource["id"],))
        for name, row in record.details.items():
            if name in before:
                self._run(update(name), (*values(name, row), row["id"]))
            else:
                fresh.setdefault(name, []).append(row)

    def _write_children(self, change: Change, fresh: dict[str, list[Row]]) -> None:
        """Replace the child rows: a row of an array has no identity of its own, so old ones go and new ones
        come.
        """
        if change.op == "delete":
            return
        if change.before is not None:
            owner = (change.record.resource["id"],)
            self._run(_deletion(SearchString.table.name, "owner_id"), owner)
            for name in reversed(in_order(change.before.children)):
                self._run(_deletion(name, "owner_id"), owner)
        for key, rows in change.record.children.items():
            fresh.setdefault(key[0], []).extend(rows)

    def _insert_many(self, name: str, rows: list[Row]) -> None:
        for start in range(0, len(rows), AT_ONCE):
            batch = rows[start : start + AT_ONCE]
            listed = tuple(value for row in batch for value in values(name, row))
            self._run(insertion(name, len(batch)), listed)

    def _run(self, statement: bytes, listed: tuple[Any, ...]) -> Cursor[Any]:
        # The driver's own placeholders: it would search a long statement for the others each time anew.
        return RawCursor(self.connection).execute(_numbered(statement), listed)


@cache
def _numbered(statement: bytes) -> bytes:
    """Return a statement with its placeholders as the server counts them."""
    parts = statement.split(b"%s")
    marks = [b"$%d" % number for number in range(1, len(parts))]
    return b"".join(part for pair in zip(parts, [*marks, b""], strict=True) for part in pair)


def version_row(change: Change, author: Author) -> Row:
    """Make the row of ``resource_version`` of a change."""
    row = ResourceVersion.blank()
    row.update(
        resource_id=change.record.resource["id"],
        version=change.record.resource["version"],
        op=change.op,
        at=change.record.resource["last_updated"],
        origin=author.origin,
        actor_id=author.actor_id,
        message_id=author.message_id,
        content=change.content,
    )
    return row


@cache
def _rank() -> dict[str, int]:
    return {table.name: place for place, table in enumerate(METADATA.sorted_tables)}


def in_order(names: Iterable[str]) -> list[str]:
    """Sort table names so that a table comes after those that its foreign keys point to."""
    return sorted(names, key=_rank().__getitem__)


@cache
def _listed(name: str) -> tuple[tuple[str, str], ...]:
    """Name the columns of a table that must be codes of a reference table, and which ("table.column")."""
    groups = BY_TABLE[name].groups.values()
    return tuple(
        (group.name, group.target) for group in groups if isinstance(group, Listed) and not group.required
    )


@cache
def _columns(name: str) -> tuple[tuple[str, bool], ...]:
    """Name each column of a table and tell whether it holds json."""
    return tuple((column.name, isinstance(column.type, sa.JSON)) for column in METADATA.tables[name].columns)


def values(name: str, row: Row) -> tuple[Any, ...]:
    """Return a row's values in the order of the table's columns, ready for the driver."""
    return tuple(
        Json(row[column]) if is_json and row[column] is not None else row[column]
        for column, is_json in _columns(name)
    )


@cache
def _deletion(name: str, column: str) -> bytes:
    """Return the DELETE of rows by one column."""
    return f"DELETE FROM {_QUOTE(name)} WHERE {_QUOTE(column)} = %s".encode()


@cache
def insertion(name: str, count: int = 1) -> bytes:
    """Return the INSERT of ``count`` whole rows."""
    listed = ", ".join(_QUOTE(column) for column, _ in _columns(name))
    marks = ", ".join(["(" + ", ".join(["%s"] * len(_columns(name))) + ")"] * count)
    return f"INSERT INTO {_QUOTE(name)} ({listed}) VALUES {marks}".encode()


@cache
def update(name: str, *, guarded: bool = False) -> bytes:
    """Return the UPDATE of one whole row by its id; a guarded one only at the version that it names."""
    listed = ", ".join(f"{_QUOTE(column)} = %s" for column, _ in _columns(name))
    guard = " AND version = %s" if guarded else ""
    return f"UPDATE {_QUOTE(name)} SET {listed} WHERE id = %s{guard}".encode()


__all__ = [
    "Author",
    "Change",
    "Op",
    "Resource",
    "Writer",
    "in_order",
    "insertion",
    "update",
    "values",
    "version_row",
]
