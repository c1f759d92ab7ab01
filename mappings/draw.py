"""Rows to FHIR: the half of the interpreter that renders.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from mappings.element import Choice, Extension, Line, Mapping, One, Part, Rows, Value, Woven
from mappings.remainder import restore
from storage.model.columns import Row
from storage.record import Record


def draw_row(record: Record, mapping: Mapping, row: Row, name: str) -> Value:
    """Render one row of another table: an object, or a plain value."""
    if mapping.scalar:
        return row[mapping.scalar]
    if mapping.whole:
        found = record.rows(mapping.whole.mapping.table, row["id"], name)
        return draw_row(record, mapping.whole.mapping, found[0], name) if found else None
    target: dict[str, Any] = {}
    draw_lines(record, row, row["id"], f"{name}.", mapping.lines, target)
    if row["remainder"]:
        restore(row, target)
    return target


def draw_lines(
    record: Record, row: Row, child: UUID | None, prefix: str, lines: tuple[Line, ...], target: dict[str, Any]
) -> None:
    """Render lines of a row into an object."""
    for line in lines:
        _DRAW[type(line)](record, row, child, prefix, line, target)


def _draw_one(
    record: Record, row: Row, child: UUID | None, prefix: str, line: One, target: dict[str, Any]
) -> None:
    group = line.group
    held = row if group.detail is None else record.details.get(group.detail)
    value = None if held is None else line.codec.to_fhir(tuple(held[name] for name in group.names))
    if value is not None:
        target[line.element] = value


def _draw_part(
    record: Record, row: Row, child: UUID | None, prefix: str, line: Part, target: dict[str, Any]
) -> None:
    inner: dict[str, Any] = {}
    draw_lines(record, row, child, f"{prefix}{line.element}.", line.lines, inner)
    if inner:
        target[line.element] = inner


def _drawn(record: Record, child: UUID | None, prefix: str, line: Rows) -> list[Value]:
    name = prefix[:-1] if line.at == "" else line.at or prefix + line.element
    table = line.mapping.table
    parent = child if table.parent_column else None
    found = record.rows(table, parent, name if table.element_column else "")
    return [draw_row(record, line.mapping, row, name) for row in found]


def _draw_rows(
    record: Record, row: Row, child: UUID | None, prefix: str, line: Rows, target: dict[str, Any]
) -> None:
    found = _drawn(record, child, prefix, line)
    if found:
        target[line.element] = found if line.many else found[0]


def _draw_choice(
    record: Record, row: Row, child: UUID | None, prefix: str, line: Choice, target: dict[str, Any]
) -> None:
    if line.kind is None:
        draw_lines(record, row, child, prefix, line.lines, target)
        return
    branch = line.branches.get(row[line.kind.names[0]])
    if branch is not None:
        draw_line(record, row, child, prefix, branch, target)


def _draw_extension(
    record: Record, row: Row, child: UUID | None, prefix: str, line: Extension, target: dict[str, Any]
) -> None:
    if line.rows is not None:
        values = _drawn(record, child, prefix, line.rows)
        made = [{"url": line.url} | ({line.value: value} if line.value else value) for value in values]
    else:
        inner: dict[str, Any] = {}
        draw_lines(record, row, child, prefix, line.lines, inner)
        made = [{"url": line.url} | inner] if inner else []
    if made:
        target.setdefault("extension", []).extend(made)


_DRAW: dict[type[Line], Callable[..., None]] = {
    One: _draw_one,
    Woven: _draw_one,
    Part: _draw_part,
    Rows: _draw_rows,
    Choice: _draw_choice,
    Extension: _draw_extension,
}


def draw_line(
    record: Record, row: Row, child: UUID | None, prefix: str, line: Line, target: dict[str, Any]
) -> None:
    """Render one line of a row into an object."""
    _DRAW[type(line)](record, row, child, prefix, line, target)
