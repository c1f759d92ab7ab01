"""Rows to FHIR: the half of the interpreter that renders.

https://hl7.org/fhir/R4/json.html

Rendering is what a gateway does most, so the lines of a mapping are made into steps once for each place where
they stand (a prefix of names): what a step looks for is worked out then, and not for every row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from mappings.codecs import DateCodec, Plain
from mappings.element import Choice, Extension, Line, Mapping, One, Part, Rows, Value, Woven
from mappings.remainder import restore
from storage.model.columns import Row
from storage.record import Record

Step = Callable[[Record, Row, UUID | None, dict[str, Any]], None]
"""Renders something of a row, on which child rows hang, into an object."""
Drawn = Callable[[Record, Row], Value]
"""Renders a row of another table."""


def draw_row(record: Record, mapping: Mapping, row: Row, name: str) -> Value:
    """Render one row of another table: an object, or a plain value."""
    return _drawn(mapping, name)(record, row)


def draw_lines(
    record: Record, row: Row, child: UUID | None, prefix: str, lines: tuple[Line, ...], target: dict[str, Any]
) -> None:
    """Render lines of a row into an object."""
    for step in _steps(lines, prefix):
        step(record, row, child, target)


def draw_line(
    record: Record, row: Row, child: UUID | None, prefix: str, line: Line, target: dict[str, Any]
) -> None:
    """Render one line of a row into an object."""
    _step(line, prefix)(record, row, child, target)


@cache
def _steps(lines: tuple[Line, ...], prefix: str) -> tuple[Step, ...]:
    """Make the steps of lines under a prefix; columns that stand side by side and are their own value are
    one.
    """
    made: list[Step] = []
    columns: list[tuple[str, str]] = []
    for line in lines:
        if isinstance(line, One) and _is_plain(line):
            columns.append((line.element, line.group.names[0]))
            continue
        if columns:
            made.append(_columns_step(tuple(columns)))
            columns = []
        made.append(_step(line, prefix))
    if columns:
        made.append(_columns_step(tuple(columns)))
    return tuple(made)


@cache
def _step(line: Line, prefix: str) -> Step:
    return _MADE[type(line)](line, prefix)


_OWN = (Plain.to_fhir, DateCodec.to_fhir)
"""What codecs do whose first column is the value as it is."""


def _is_plain(line: One) -> bool:
    return line.group.detail is None and type(line.codec).to_fhir in _OWN


def _columns_step(columns: tuple[tuple[str, str], ...]) -> Step:
    def step(record: Record, row: Row, child: UUID | None, target: dict[str, Any]) -> None:
        for element, name in columns:
            value = row[name]
            if value is not None:
                target[element] = value

    return step


def _one_step(line: One, prefix: str) -> Step:
    if _is_plain(line):
        return _columns_step(((line.element, line.group.names[0]),))
    element, detail, names, to_fhir = line.element, line.group.detail, line.group.names, line.codec.to_fhir
    columns: Callable[[Row], tuple[Any, ...]] = (
        itemgetter(*names) if len(names) > 1 else lambda held: tuple(held[name] for name in names)
    )

    def step(record: Record, row: Row, child: UUID | None, target: dict[str, Any]) -> None:
        held = row if detail is None else record.details.get(detail)
        value = None if held is None else to_fhir(columns(held))
        if value is not None:
            target[element] = value

    return step


def _part_step(line: Part, prefix: str) -> Step:
    element, steps = line.element, _steps(line.lines, f"{prefix}{line.element}.")

    def step(record: Record, row: Row, child: UUID | None, target: dict[str, Any]) -> None:
        inner: dict[str, Any] = {}
        for each in steps:
            each(record, row, child, inner)
        if inner:
            target[element] = inner

    return step


@cache
def _drawn(mapping: Mapping, name: str) -> Drawn:
    """Make what renders the rows of a mapping that are kept under a name."""
    if mapping.scalar:
        column = mapping.scalar
        return lambda _, row: row[column]
    if mapping.whole:
        table, whole = mapping.whole.mapping.table.table.name, _drawn(mapping.whole.mapping, name)

        def held(record: Record, row: Row) -> Value:
            found = record.children.get((table, row["id"], name))
            return whole(record, found[0]) if found else None

        return held

    steps = _steps(mapping.lines, f"{name}.")

    def drawn(record: Record, row: Row) -> Value:
        target: dict[str, Any] = {}
        child = row["id"]
        for step in steps:
            step(record, row, child, target)
        if row["remainder"]:
            restore(row, target)
        return target

    return drawn


def _all_drawn(line: Rows, prefix: str) -> Callable[[Record, UUID | None], list[Value]]:
    """Make what renders the rows of a line, as many as there are."""
    name = prefix[:-1] if line.at == "" else line.at or prefix + line.element
    drawn, table = _drawn(line.mapping, name), line.mapping.table
    title, hangs, element = table.table.name, table.parent_column, name if table.element_column else ""

    def all_drawn(record: Record, child: UUID | None) -> list[Value]:
        found = record.children.get((title, child if hangs else None, element))
        return [drawn(record, row) for row in found] if found else []

    return all_drawn


def _rows_step(line: Rows, prefix: str) -> Step:
    element, many, all_drawn = line.element, line.many, _all_drawn(line, prefix)

    def step(record: Record, row: Row, child: UUID | None, target: dict[str, Any]) -> None:
        found = all_drawn(record, child)
        if found:
            target[element] = found if many else found[0]

    return step


def _choice_step(line: Choice, prefix: str) -> Step:
    if line.kind is None:
        steps = _steps(line.lines, prefix)

        def every(record: Record, row: Row, child: UUID | None, target: dict[str, Any]) -> None:
            for step in steps:
                step(record, row, child, target)

        return every
    column = line.kind.names[0]
    branches = {kind: _step(inner, prefix) for kind, inner in line.branches.items()}

    def step(record: Record, row: Row, child: UUID | None, target: dict[str, Any]) -> None:
        branch = branches.get(row[column])
        if branch is not None:
            branch(record, row, child, target)

    return step


def _extension_step(line: Extension, prefix: str) -> Step:
    url, value = line.url, line.value
    if line.rows is not None:
        all_drawn = _all_drawn(line.rows, prefix)

        def items(record: Record, row: Row, child: UUID | None, target: dict[str, Any]) -> None:
            found = all_drawn(record, child)
            if found:
                made = [{"url": url} | ({value: item} if value else item) for item in found]
                target.setdefault("extension", []).extend(made)

        return items
    steps = _steps(line.lines, prefix)

    def step(record: Record, row: Row, child: UUID | None, target: dict[str, Any]) -> None:
        inner: dict[str, Any] = {}
        for each in steps:
            each(record, row, child, inner)
        if inner:
            target.setdefault("extension", []).append({"url": url} | inner)

    return step


_MADE: dict[type[Line], Callable[[Any, str], Step]] = {
    One: _one_step,
    Woven: _one_step,
    Part: _part_step,
    Rows: _rows_step,
    Choice: _choice_step,
    Extension: _extension_step,
}
