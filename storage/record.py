"""The rows of one resource, held together in memory: what mappings fill and render, and the writer stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from storage.model.columns import Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

Key = tuple[str, UUID | None, str]
"""Where child rows stand: table, the row within the resource that they hang on, element."""


class FoundTarget(NamedTuple):
    """A column that shall hold the id of a reference's target once it is known."""

    reference: Row
    row: Row
    column: str
    table: str


class Apart(NamedTuple):
    """What resources are that refer to nothing at some paths, and to which nothing refers at others."""

    to: tuple[str, ...]
    by: tuple[str, ...]


class Record:
    """One resource as rows.

    ``resource`` is its row in the table ``resource``, ``main`` its typed row, ``details`` its 1:1 detail
    rows by table, ``children`` all other rows by (table, parent row, element), in the order of the arrays.
    ``links`` are the foreign keys that follow from its references.
    """

    __slots__ = ("children", "details", "links", "main", "resource", "table")

    def __init__(self, table: type[Table], resource: Row, main: Row) -> None:
        self.table = table
        self.resource = resource
        self.main = main
        self.details: dict[str, Row] = {}
        self.children: dict[Key, list[Row]] = {}
        self.links: list[FoundTarget] = []

    def rows(self, table: type[Table], parent: UUID | None = None, element: str = "") -> list[Row]:
        """Return the child rows at one place; a list that may be empty and is not kept."""
        return self.children.get((table.table.name, parent, element), [])

    def add(self, table: type[Table], row: Row) -> None:
        """Append a child row at the place that its own columns name."""
        parent = row[table.parent_column] if table.parent_column else None
        element = row[table.element_column] if table.element_column else ""
        self.children.setdefault((table.table.name, parent, element), []).append(row)

    def drop(self, table: type[Table], parent: UUID | None = None, element: str = "") -> None:
        """Remove the child rows at one place, and all rows that hang on them."""
        for row in self.children.pop((table.table.name, parent, element), []):
            self._drop_below(row["id"])

    def _drop_below(self, parent: UUID) -> None:
        for key in [key for key in self.children if key[1] == parent]:
            for inner in self.children.pop(key):
                self._drop_below(inner["id"])

    def all_rows(self, table: type[Table]) -> Iterator[Row]:
        """Yield every row of a child table, wherever it hangs."""
        for key, rows in self.children.items():
            if key[0] == table.table.name:
                yield from rows
