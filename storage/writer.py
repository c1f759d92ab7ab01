"""Writes the rows of one unit of work in few round trips: its statements make one trip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storage.difference import Standing, difference
from storage.errors import Stale
from storage.lexical import ENCODER
from storage.model.columns import BY_TABLE, METADATA, Listed, Row, Table
from storage.model.ledger import OtherResource
from storage.model.report import Report
from storage.model.resource import ResourceVersion
from storage.model.shared import Coding, Identifier
from storage.trip import Answer, Trip, on_wire

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from storage.record import Record

Op = Literal["create", "update", "patch", "delete"]

AT_ONCE = (40, 20, *range(10, 0, -1))
"""Rows of one INSERT: each count is a statement of its own, which is prepared once. One more statement costs
the server as much as three more rows, since it looks at all the checks of the table anew.
"""

MANY = 50
"""A table that gets more rows than this in one unit of work gets them by COPY."""

GROWN = 1000
"""A table that gets more rows than this at once is another table to the planner."""

_encode = ENCODER.encode
_QUOTE = postgresql.dialect().identifier_preparer.quote


@dataclass(frozen=True)
class Author:
    """Who wrote a unit of work, through which door, by which message, and when."""

    origin: str
    actor_id: UUID
    at: datetime
    message_id: UUID | None = None


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
        rows: dict[str, list[Row]] = {}
        trip = Trip(self.connection)
        guarded = self._post_old(trip, changes, rows)
        self._add_new(changes, author, rows)
        for name in in_order(rows):
            if len(rows[name]) > MANY:
                trip.make()
                self._copy(name, rows[name])
            else:
                post_new(trip, name, rows[name])
        trip.make()
        self.plain.clear()
        for change, answer in guarded:
            if answer.rowcount != 1:
                resource = change.record.resource
                raise Stale(resource["resource_type"], resource["fhir_id"], resource["version"] - 1, None)

    def _complete(self, record: Record) -> None:
        """Set the copies that rows carry for search: an identifier's type and uniqueness, a coding's
        patient.
        """
        for row in record.all_rows(Identifier):
            row["resource_type"] = record.resource["resource_type"]
            # What is kept whole only mentions the numbers of others; a report, those of its order.
            own = row["element"] == "identifier" and record.table not in (OtherResource, Report)
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

    def _post_old(
        self, trip: Trip, changes: Iterable[Change], rows: dict[str, list[Row]]
    ) -> list[tuple[Change, Answer]]:
        """Change and delete rows that stand there, and collect those that come beside them.

        Returns the answers that tell whether the rows of ``resource`` stood at the versions that changes
        began from.
        """
        guarded: list[tuple[Change, Answer]] = []
        gone: dict[str, list[UUID]] = {}
        for change in changes:
            if change.before is None:
                continue
            record, head = change.record, change.record.resource
            at = (on_wire(head["id"]), on_wire(head["version"] - 1))
            guarded.append((change, _post_update(trip, "resource", head, at)))
            found = difference(record, change.before, deleted=change.op == "delete")
            for name, row in found.changed:
                _post_update(trip, name, row, (on_wire(row["id"]),))
            for name, new in found.new.items():
                rows.setdefault(name, []).extend(new)
            for name, ids in found.gone.items():
                gone.setdefault(name, []).extend(ids)
        for name in reversed(in_order(gone)):
            trip.ask(_deletion(name), (on_wire(gone[name]),))
        return guarded

    def _add_new(self, changes: Iterable[Change], author: Author, rows: dict[str, list[Row]]) -> None:
        """Collect the rows of new resources, the versions, and what was added, by table."""
        for change in changes:
            record = change.record
            if change.before is None:
                rows.setdefault("resource", []).append(record.resource)
                rows.setdefault(record.table.table.name, []).append(record.main)
                for name, row in record.details.items():
                    rows.setdefault(name, []).append(row)
                for key, found in record.children.items():
                    rows.setdefault(key[0], []).extend(found)
            rows.setdefault("resource_version", []).append(version_row(change, author))
        for table, row in self.plain:
            rows.setdefault(table.table.name, []).append(row)

    def _copy(self, name: str, rows: list[Row]) -> None:
        if len(rows) > GROWN:
            self.grown.add(name)
        columns = itemgetter(*(column for column, _ in _columns(name)))
        with self.connection.cursor() as cursor, cursor.copy(_copying(name)) as copy:
            copy.set_types(_types(name))
            for row in rows:
                copy.write_row(columns(row))


def post_new(trip: Trip, name: str, rows: list[Row], ending: bytes = b"") -> Answer:
    """Add the INSERTs of rows of a table to a trip; return what is answered to the last."""
    answer, start = Answer(trip.connection), 0
    while start < len(rows):
        count = next(count for count in AT_ONCE if count <= len(rows) - start)
        listed = [value for row in rows[start : start + count] for value in _sent(name, row)]
        answer = trip.ask(_insertion(name, count) + ending, listed, _formats(name) * count)
        start += count
    return answer


def _post_update(trip: Trip, name: str, row: Row, at: tuple[bytes | None, ...]) -> Answer:
    """Add the UPDATE of a row to a trip: of the row with an id, and a version where one is given."""
    statement = _update(name, guarded=len(at) > 1)
    return trip.ask(statement, (*_sent(name, row), *at), (*_formats(name), *(0 for _ in at)))


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


def _sent(name: str, row: Row) -> list[bytes | None]:
    """Return a row's values in the order of the table's columns, as the server reads them."""
    return [
        None if (value := row[column]) is None else _encode(value) if is_json else on_wire(value)
        for column, is_json in _columns(name)
    ]


@cache
def _formats(name: str) -> tuple[int, ...]:
    """Tell of each column of a table whether its values are sent in binary form: bytes are."""
    return tuple(int(isinstance(column.type, sa.LargeBinary)) for column in METADATA.tables[name].columns)


@cache
def _deletion(name: str) -> bytes:
    """Return the DELETE of rows by a list of their ids."""
    return f"DELETE FROM {_QUOTE(name)} WHERE id = ANY($1)".encode()


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
def _insertion(name: str, count: int) -> bytes:
    """Return the INSERT of ``count`` whole rows."""
    width = len(_columns(name))
    listed = ", ".join(_QUOTE(column) for column, _ in _columns(name))
    marks = (_marks(start, width) for start in range(1, count * width + 1, width))
    return f"INSERT INTO {_QUOTE(name)} ({listed}) VALUES {', '.join(marks)}".encode()


def _marks(start: int, width: int) -> str:
    return "(" + ", ".join(f"${place}" for place in range(start, start + width)) + ")"


@cache
def _update(name: str, *, guarded: bool = False) -> bytes:
    """Return the UPDATE of one whole row by its id; a guarded one only at the version that it names."""
    columns = _columns(name)
    listed = ", ".join(f"{_QUOTE(column)} = ${place}" for place, (column, _) in enumerate(columns, 1))
    guard = f" AND version = ${len(columns) + 2}" if guarded else ""
    return f"UPDATE {_QUOTE(name)} SET {listed} WHERE id = ${len(columns) + 1}{guard}".encode()


__all__ = [
    "Author",
    "Change",
    "Op",
    "Standing",
    "Writer",
    "in_order",
    "post_new",
    "version_row",
]
