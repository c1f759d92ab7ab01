"""The resource that a condition speaks about, and the one way from there to the rows that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from storage.model.resource import Resource
from storage.search.slots import AnyOf

if TYPE_CHECKING:
    from storage.model.columns import Table
    from storage.search.query import Place

Columns = Any
"""The columns of one source of rows, by name."""

Test = sa.ColumnElement[bool]
ONE = sa.literal_column("1", sa.Integer)
Predicate = Callable[[Columns], Test]


@cache
def alias(table: sa.Table, depth: int = 1) -> sa.FromClause:
    """Return a table under a name of its own, ``depth`` scopes down a chain; making one is dear, so each is
    kept.

    Neighbouring subqueries may use the same name: none of them sees the other.
    """
    return table.alias(f"{table.name}_{depth}")


class Scope:
    """Rows of ``resource`` of one type, and their typed rows, which are joined only if something looks at
    them.

    ``known`` are columns of the typed row that are known to have one of a few ids; rows that carry a copy
    of such a column are found faster by it.
    """

    def __init__(
        self, resource_type: str, table: type[Table], depth: int = 1, types: Sequence[str] = ()
    ) -> None:
        self.depth = depth
        self.types = types
        self.resource = alias(Resource.table, depth)
        self.resource_type = resource_type
        self.typed = alias(table.table, depth)
        self.typed_name = table.table.name
        self.joined = False
        self.known: dict[str, Sequence[UUID]] = {}

    def own(self, table: type[Table]) -> sa.FromClause | None:
        """Return the resource's own row or typed row if ``table`` is the table of one of them."""
        if table is Resource:
            return self.resource
        if table.table.name == self.typed_name:
            self.joined = True
            return self.typed
        return None

    def rows(self) -> sa.FromClause:
        """Return what to select from; to be asked when all conditions are made."""
        if not self.joined:
            return self.resource
        return self.resource.join(self.typed, self.typed.c.id == self.resource.c.id)

    def live(self) -> Test:
        """Return the condition that the resource is of the type (or one of the types) and not deleted."""
        return sa.and_(*self.of_type(), self.resource.c.deleted_at.is_(None))

    def of_type(self) -> list[Test]:
        """Return the condition on the type, nothing where any will do."""
        if self.resource_type:
            return [self.resource.c.resource_type == self.resource_type]
        return [one_of(self.resource.c.resource_type, self.types)] if self.types else []


def guarded(columns: Columns, place: Place) -> list[Test]:
    """Return the conditions of a place itself: its elements and guards."""
    made: list[Test] = []
    if place.elements and place.table.element_column:
        made.append(one_of(columns[place.table.element_column], place.elements))
    for name, value in place.guards:
        made.append(columns[name].is_(None) if value is None else columns[name] == value)
    return made


def one_of(column: Any, values: Sequence[Any]) -> Test:
    """Return that a column has one of the values."""
    return column == values[0] if len(values) == 1 else column.in_(values)


def among(column: Any, asked: AnyOf) -> Test:
    """Return that a column has one of the values."""
    if isinstance(asked.values, tuple):
        return one_of(column, asked.values)
    return column == sa.any_(sa.bindparam(None, asked.values, sa.ARRAY(column.type)))


def hanging(scope: Scope, place: Place, owner: Any = None) -> tuple[sa.FromClause, list[Test]]:
    """Return the rows of a place outside the typed row, and what ties them to the resource; ``owner`` is a
    column that has its id too, where that is nearer.
    """
    source = alias(place.table.table, scope.depth)
    key = source.c["owner_id"] if "owner_id" in source.c else source.c["id"]
    owned = key == (scope.resource.c.id if owner is None else owner)
    tied: list[Test] = [owned, *guarded(source.c, place)]
    tied += [one_of(source.c[name], ids) for name, ids in scope.known.items() if name in source.c]
    return source, tied


def found(scope: Scope, place: Place, predicate: Predicate, *, absent: bool = False) -> Test:
    """Return that a row of a place fits the predicate, or, ``absent``, that none does."""
    own = scope.own(place.table)
    if own is not None:
        held = sa.and_(predicate(own.c), *guarded(own.c, place))
        return held.is_not(sa.true()) if absent else held
    source, tied = hanging(scope, place)
    inner = sa.select(ONE).select_from(source).where(*tied, predicate(source.c))
    made = sa.exists(inner.correlate_except(source))
    return ~made if absent else made
