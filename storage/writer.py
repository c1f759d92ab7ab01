"""Writes the rows of one unit of work in few round trips: its statements travel in one pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import sqlalchemy as sa
from psycopg import RawCursor
from psycopg.types.json import Json
from sqlalchemy.dialects import postgresql

from storage.errors import Stale
from storage.model.columns import BY_TABLE, METADATA, Listed, Row, Table
from storage.model.ledger import OtherResource
from storage.model.resource import Resource, ResourceVersion
from storage.model.shared import Coding, Identifier, SearchString

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection, Cursor

    from storage.record import Record

Op = Literal["create", "update", "patch", "delete"]

AT_ONCE = 20
"""Rows of one INSERT at most: each count is a statement of its own, which the driver prepares once."""

MANY = 50
"""A table that gets more rows than this in one unit of work gets them by COPY."""

GROWN = 1000
"""A table that gets more rows than this at once is another table to the planner."""

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


def look_again(connection: Connection[Any], tables: Iterable[str]) -> None:
    """Let the planner know of tables that have grown, so that statements are planned anew; not in a
    transaction. It would find out by itself, but a minute later.
    """
    listed = ", ".join(_QUOTE(name) for name in sorted(tables))
    if listed:
        connection.execute(f"ANALYZE (SKIP_LOCKED) {listed}".encode())


@dataclass
class Writer:
    """Writes changes and plain rows of one transaction, on one connection; ``unique_systems`` are the
    identifier systems that are declared unique.
    """

    connection: Connection[Any]
    unique_systems: frozenset[str]
    plain: list[tuple[type[Table], Row]] = field(default_factory=list[tuple[type[Table], Row]])

    grown: set[str] = field(default_factory=set[str])
    """The tables that got so many rows that plans made before may be bad ones."""

    def add(self, table: type[Table], row: Row) -> None:
        """Add a row that belongs to no resource (an event, a link); it is written with the next flush."""
        self.plain.append((table, row))

    def write(self, changes: Sequence[Change], author: Author) -> None:
        """Write all changes and added rows: in one round trip, but for tables that get many rows, which are
        copied.

        Raises Stale where a row is no longer at the version that its change began from, and psycopg's errors
        for what the constraints refuse (``storage.errors.from_driver`` tells which).
        """
        for change in changes:
            self._complete(change.record)
        self._see_listed(change.record for change in changes)
        rows = self._new_rows(changes, author)
        runs = [
            (copied, list(names)) for copied, names in groupby(in_order(rows), lambda n: len(rows[n]) > MANY)
        ]
        with self.connection.pipeline():
            guarded = [(change, self._update(change)) for change in changes if change.before is not None]
            self._delete_old(changes)
            if runs and not runs[0][0]:
                self._insert(rows, runs.pop(0)[1])
        for copied, names in runs:
            if copied:
                for name in names:
                    self._copy(name, rows[name])
            else:
                with self.connection.pipeline():
                    self._insert(rows, names)
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
            # A resource that is kept whole only mentions the numbers of others.
            own = row["element"] == "identifier" and record.table is not OtherResource
            row["is_unique"] = own and row["system"] in self.unique_systems
        patient = record.main.get("patient_id")
        for row in record.all_rows(Coding):
            row["patient_id"] = patient

    def _see_listed(self, records: Iterable[Record]) -> None:
        """Clear codes of details that their reference tables have not: they stay among the codings."""
        asked: dict[str, list[tuple[Row, str]]] = {}
        for record in records:
            for table, row in record.details.items():
                for column, target in _listed(table):
                    if row[column] is not None:
                        asked.setdefault(target, []).append((row, column))
        for target, places in asked.items():
            known = self._known(target, {row[column] for row, column in places})
            for row, column in places:
                if row[column] not in known:
                    row[column] = None

    def _known(self, target: str, codes: set[str]) -> set[str]:
        """Return which codes a reference table ("table.column") has."""
        table, _, column = target.partition(".")
        statement = f'SELECT "{column}" FROM "{table}" WHERE "{column}" = ANY(%s)'.encode()
        return {row[0] for row in self.connection.execute(statement, (list(codes),)).fetchall()}

    def _update(self, change: Change) -> Cursor[Any]:
        """Write the rows that stand there already: of ``resource`` (guarded), the typed row, the details."""
        record, run = change.record, self.connection.execute
        head, main = record.resource, record.table.table.name
        cursor = run(
            update("resource", guarded=True), (*values("resource", head), head["id"], head["version"] - 1)
        )
        run(update(main), (*values(main, record.main), record.main["id"]))
        before = change.before.details if change.before else frozenset[str]()
        for name in before & record.details.keys():
            run(update(name), (*values(name, record.details[name]), record.details[name]["id"]))
        return cursor

    def _delete_old(self, changes: Sequence[Change]) -> None:
        """Delete the details that are no more, and all child rows of what is written anew: a row of an array
        has no identity of its own, so old ones go and new ones come.
        """
        details: dict[str, list[UUID]] = {}
        children: dict[str, list[UUID]] = {}
        for change in changes:
            if change.before is None:
                continue
            owner = change.record.resource["id"]
            for name in change.before.details - change.record.details.keys():
                details.setdefault(name, []).append(owner)
            for name in (SearchString.table.name, *change.before.children) if change.op != "delete" else ():
                children.setdefault(name, []).append(owner)
        for name, owners in details.items():
            self.connection.execute(_deletion(name, "id"), (owners,))
        for name in reversed(in_order(children)):
            self.connection.execute(_deletion(name, "owner_id"), (children[name],))

    def _new_rows(self, changes: Sequence[Change], author: Author) -> dict[str, list[Row]]:
        """Return the rows that come, of all changes together, by table."""
        found: dict[str, list[Row]] = {}
        for change in changes:
            record, before = change.record, change.before
            if before is None:
                found.setdefault("resource", []).append(record.resource)
                found.setdefault(record.table.table.name, []).append(record.main)
            for name, row in record.details.items():
                if before is None or name not in before.details:
                    found.setdefault(name, []).append(row)
            found.setdefault("resource_version", []).append(version_row(change, author))
            if change.op != "delete":
                for key, rows in record.children.items():
                    found.setdefault(key[0], []).extend(rows)
        for table, row in self.plain:
            found.setdefault(table.table.name, []).append(row)
        return found

    def _insert(self, rows: dict[str, list[Row]], names: Iterable[str]) -> None:
        for name in names:
            for start in range(0, len(rows[name]), AT_ONCE):
                batch = rows[name][start : start + AT_ONCE]
                listed = tuple(value for row in batch for value in values(name, row))
                # The driver's own placeholders: it would search a long statement for the others each time.
                RawCursor(self.connection).execute(_numbered(insertion(name, len(batch))), listed)

    def _copy(self, name: str, rows: list[Row]) -> None:
        if len(rows) > GROWN:
            self.grown.add(name)
        columns = itemgetter(*(column for column, _ in _columns(name)))
        with self.connection.cursor() as cursor, cursor.copy(_copying(name)) as copy:
            copy.set_types(_types(name))
            for row in rows:
                copy.write_row(columns(row))


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
    """Return the DELETE of rows by one column, for a list of ids."""
    return f"DELETE FROM {_QUOTE(name)} WHERE {_QUOTE(column)} = ANY(%s)".encode()


@cache
def _copying(name: str) -> bytes:
    """Return the COPY of whole rows."""
    listed = ", ".join(_QUOTE(column) for column, _ in _columns(name))
    return f"COPY {_QUOTE(name)} ({listed}) FROM STDIN (FORMAT BINARY)".encode()


@cache
def _types(name: str) -> tuple[str, ...]:
    """Return the type of each column, as the driver must know it to write it in binary form."""
    columns, dialect = METADATA.tables[name].columns, postgresql.dialect()
    told = (columns[column].type.compile(dialect).lower() for column, _ in _columns(name))
    return tuple(text.partition("(")[0].partition(" collate")[0].strip() for text in told)


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
