"""What a change of a resource does to its rows: those that stay as they stood are left alone.

A row of an array has no identity of its own: a row that stands where another stood takes over its id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from storage.lexical import ENCODER
from storage.model.columns import BY_TABLE, METADATA, Row
from storage.model.shared import Reference
from storage.record import Key, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

encode = ENCODER.encode


@dataclass(frozen=True)
class Standing:
    """The rows of a resource as they stand in the database before a change."""

    main: Row
    details: dict[str, Row]
    children: dict[Key, list[Row]]

    @classmethod
    def of(cls, record: Record) -> Standing:
        """Note the rows of a record as it was loaded."""
        return cls(
            _noted(record.table.table.name, record.main),
            {name: _noted(name, row) for name, row in record.details.items()},
            {key: [_noted(key[0], row) for row in rows] for key, rows in record.children.items()},
        )


@dataclass
class Difference:
    """Rows by table: those that come, those that change where they stand, the ids of those that go."""

    new: dict[str, list[Row]] = field(default_factory=dict[str, "list[Row]"])
    changed: list[tuple[str, Row]] = field(default_factory=list[tuple[str, Row]])
    gone: dict[str, list[UUID]] = field(default_factory=dict[str, "list[UUID]"])

    def see(self, name: str, rows: Iterable[Row], before: dict[UUID, Row]) -> None:
        """Compare the rows of a place with those that stood there."""
        for row in rows:
            was = before.pop(row["id"], None)
            if was is None:
                self.new.setdefault(name, []).append(row)
            elif not same(name, row, was):
                self._change(name, row)
        if before:
            self.gone.setdefault(name, []).extend(before)

    def _change(self, name: str, row: Row) -> None:
        if _has_unique(name) or name == Reference.table.name:
            # Two rows may have changed places: written one after the other they would be alike for a moment.
            # And what a reference points to may come in the same unit of work, before new rows, not changed
            # ones.
            self.gone.setdefault(name, []).append(row["id"])
            self.new.setdefault(name, []).append(row)
        else:
            self.changed.append((name, row))


def difference(record: Record, standing: Standing, *, deleted: bool = False) -> Difference:
    """Return what is to be done so that the rows of ``record`` stand where those of ``standing`` do.

    Rows of the record may get other ids. The child rows of what is ``deleted`` stay as they are.
    """
    found = Difference()
    if not same(record.table.table.name, record.main, standing.main):
        found.changed.append((record.table.table.name, record.main))
    for name in {**standing.details, **record.details}:
        rows, before = ({row["id"]: row for row in _held(name, kept)} for kept in (record, standing))
        found.see(name, rows.values(), before)
    if not deleted:
        _keep_ids(record, standing)
        for key in {**standing.children, **record.children}:
            before = {was["id"]: was for was in standing.children.get(key, ())}
            found.see(key[0], record.children.get(key, ()), before)
    return found


def _held(name: str, kept: Record | Standing) -> list[Row]:
    return [kept.details[name]] if name in kept.details else []


def _keep_ids(record: Record, standing: Standing) -> None:
    """Give new rows the ids of those that stood at their places, and tell the rows that hang on them."""
    renamed: dict[UUID | None, UUID] = {}
    children: dict[Key, list[Row]] = {}
    # A row is added before those that hang on it: it has its id by the time that they are looked at.
    for (name, hung_on, element), rows in record.children.items():
        parent = renamed.get(hung_on, hung_on)
        if parent is not hung_on:
            column = BY_TABLE[name].parent_column or ""
            for row in rows:
                row[column] = parent
        key = (name, parent, element)
        children[key] = rows
        known = {was["id"]: was for was in standing.children.get(key, ())}
        if known:
            own = {row["id"] for row in rows}
            free = iter([old for old in known if old not in own])
            for row in rows:
                old = None if row["id"] in known else next(free, None)
                if old is not None:
                    renamed[row["id"]] = old
                    row["id"] = old
    record.children = children


@cache
def _has_unique(name: str) -> bool:
    """Tell whether rows of a table may not be alike in something other than their id."""
    table = METADATA.tables[name]
    listed = any(index.unique for index in table.indexes)
    return listed or any(isinstance(found, sa.UniqueConstraint) for found in table.constraints)


@cache
def _compared(name: str) -> tuple[tuple[str, ...], tuple[str, ...], Callable[[Row], Any]]:
    """Return how rows of a table are compared: columns of json, columns of numbers, values of the others."""
    columns = METADATA.tables[name].columns
    documents = tuple(column.name for column in columns if isinstance(column.type, sa.JSON))
    numbers = tuple(column.name for column in columns if isinstance(column.type, sa.Numeric))
    others = [column.name for column in columns if column.name not in (*documents, *numbers)]
    return documents, numbers, itemgetter(*others)


def _noted(name: str, row: Row) -> Row:
    """Copy a row, with json as text: documents are changed in place."""
    made = row.copy()
    for column in _compared(name)[0]:
        if made[column] is not None:
            made[column] = encode(made[column])
    return made


def same(name: str, row: Row, was: Row) -> bool:
    """Tell whether a row is still what was noted of it, to the spelling of a number."""
    documents, numbers, others = _compared(name)
    return (
        others(row) == others(was)
        and all(_spelt(row[column]) == _spelt(was[column]) for column in numbers)
        and all(_written(row[column]) == was[column] for column in documents)
    )


def _spelt(number: Any) -> str | None:
    return None if number is None else str(number)


def _written(document: Any) -> bytes | None:
    return None if document is None else encode(document)
