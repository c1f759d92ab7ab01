"""Which tables a resource type uses, and which columns follow from its references: read off its mapping's
lines.

https://hl7.org/fhir/R4/resourcelist.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from mappings.common import COMMON
from mappings.element import Choice, Extension, Line, Mapping, One, Part, Rows
from storage.loader import Shape
from storage.model import BY_TABLE
from storage.model.columns import Table
from storage.model.shared import (
    Coding,
    Concept,
    ContactPoint,
    Identifier,
    Reference,
    SearchDate,
    SearchQuantity,
    SearchString,
)

COPIED = (Identifier, ContactPoint, Concept, Coding, Reference, SearchDate, SearchQuantity)
"""The tables of copies of resources that are kept whole."""


def nested(lines: tuple[Line, ...]) -> Iterator[Line]:
    """Yield every line, and the lines within them (not those of other tables' mappings)."""
    for line in lines:
        yield line
        if isinstance(line, (Part, Choice)) or (isinstance(line, Extension) and line.rows is None):
            yield from nested(line.lines)
        elif isinstance(line, Extension) and line.rows is not None:
            yield line.rows


def _tables(lines: tuple[Line, ...], found: dict[str, type[Table]], details: dict[str, type[Table]]) -> None:
    for line in nested(lines):
        if isinstance(line, One) and line.group.detail is not None:
            details[line.group.detail] = BY_TABLE[line.group.detail]
        elif isinstance(line, Rows):
            _tables_of_rows(line, found, details)


def _tables_of_rows(line: Rows, found: dict[str, type[Table]], details: dict[str, type[Table]]) -> None:
    name = line.mapping.table.table.name
    found[name] = line.mapping.table
    if line.mapping.whole is not None:
        _tables_of_rows(line.mapping.whole, found, details)
    _tables(line.mapping.lines, found, details)


@cache
def shape(mapping: Mapping) -> Shape:
    """Return the tables of a resource type; search strings too, so that a write changes those that differ."""
    found: dict[str, type[Table]] = {}
    details: dict[str, type[Table]] = {table.table.name: table for table in mapping.detail_tables}
    _tables(COMMON.lines, found, details)
    _tables(mapping.lines, found, details)
    if mapping.content is not None:
        found |= {table.table.name: table for table in COPIED}
    found[SearchString.table.name] = SearchString
    return Shape(mapping.table, tuple(details.values()), tuple(found.values()))


@cache
def links(mapping: Mapping) -> dict[str, tuple[str, str, str]]:
    """Return, by reference path: table and column of the foreign key that follows, and the table that it
    points to.
    """
    return dict(_links(mapping.table, mapping.lines, ""))


def _links(
    table: type[Table], lines: tuple[Line, ...], prefix: str
) -> Iterator[tuple[str, tuple[str, str, str]]]:
    for line in lines:
        if isinstance(line, Part):
            yield from _links(table, line.lines, f"{prefix}{line.element}.")
        elif isinstance(line, (Choice, Extension)):
            inner = line.lines if isinstance(line, Choice) or line.rows is None else (line.rows,)
            yield from _links(table, inner, prefix)
        elif isinstance(line, Rows):
            name = line.at or prefix + line.element
            if line.link is not None:
                yield name, (table.table.name, line.link.names[0], line.link.target_table)
            yield from _links(line.mapping.table, line.mapping.lines, f"{name}.")
