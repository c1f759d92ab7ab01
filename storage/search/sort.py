"""The order of a page: sort keys, absent values last, and after all of them the id, so that no two rows
tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from storage.model.resource import Resource
from storage.search.present import columns_of
from storage.search.query import Composed, Flag, Place, Sort, Span, Together
from storage.search.scope import Scope, Test, hanging

if TYPE_CHECKING:
    from storage.search.page import Cursor

NEWEST_FIRST = (Sort("", Span(Place(Resource), "last_updated"), descending=True),)


@dataclass(frozen=True)
class Key:
    """One sort key as SQL; ``label`` is its name in the statement."""

    expression: sa.ColumnElement[Any]
    label: str
    descending: bool
    nullable: bool


def sortable(sort: Sort) -> bool:
    """Tell whether a target has a value to sort by: flags in rows of their own, composed codes and
    what must be met together have none.
    """
    if isinstance(sort.target, Composed | Together):
        return False
    return not (isinstance(sort.target, Flag) and "owner_id" in sort.target.place.table.table.c)


def sort_keys(scope: Scope, sorts: Sequence[Sort]) -> list[Key]:
    """Return the sort keys of a query, newest first where it asks for none."""
    return [_key(scope, sort, f"key_{place}") for place, sort in enumerate(sorts or NEWEST_FIRST)]


def _key(scope: Scope, sort: Sort, label: str) -> Key:
    place, name = sort.target.place, columns_of(sort.target)[0]
    own = scope.own(place.table)
    if own is not None:
        column = own.c[name]
        guards = [own.c[guard] == value for guard, value in place.guards]
        expression = sa.case((sa.and_(*guards), column)) if guards else column
        return Key(
            expression,
            label,
            sort.descending,
            bool(guards) or place.table.table.c[name].nullable is not False,
        )
    # Of several values the one counts that comes first in the order asked for.
    source, tied = hanging(scope, place)
    best = (sa.func.max if sort.descending else sa.func.min)(source.c[name])
    inner = sa.select(best).select_from(source).where(*tied).correlate_except(source)
    return Key(inner.scalar_subquery(), label, sort.descending, nullable=True)


def order(
    keys: Sequence[Key], columns: Mapping[str, Any], last: Any, *, backward: bool
) -> list[sa.ColumnElement[Any]]:
    """Return the ORDER BY: each key, then the id in the direction of the last key, so that an index on both
    serves.
    """
    made: list[sa.ColumnElement[Any]] = []
    for key in keys:
        column = columns[key.label]
        directed = column.desc() if key.descending != backward else column.asc()
        if key.nullable:
            directed = directed.nulls_first() if backward else directed.nulls_last()
        made.append(directed)
    return [*made, last.desc() if keys[-1].descending != backward else last.asc()]


def after(keys: Sequence[Key], last: Any, cursor: Cursor) -> Test:
    """Return that a row comes after the cursor in the order, or, where that goes backwards, before it."""
    final = Key(last, "", keys[-1].descending, nullable=False)
    pairs = [*zip(keys, cursor.values, strict=True), (final, cursor.last)]
    if all(key.descending == final.descending and not key.nullable for key in keys):
        left = sa.tuple_(*(key.expression for key, _ in pairs))
        right = sa.tuple_(*(_bound(key, value) for key, value in pairs))
        return left < right if final.descending != cursor.backward else left > right
    tests: list[Test] = []
    for place, (key, value) in enumerate(pairs):
        same = [_same(earlier, found) for earlier, found in pairs[:place]]
        tests.append(sa.and_(*same, _beyond(key, value, backward=cursor.backward)))
    return sa.or_(*tests)


def _bound(key: Key, value: Any) -> sa.BindParameter[Any]:
    # Told as a parameter, a flag can be compared like any other value.
    return sa.bindparam(None, value, key.expression.type)


def _same(key: Key, value: Any) -> Test:
    return key.expression.is_(None) if value is None else key.expression == _bound(key, value)


def _beyond(key: Key, value: Any, *, backward: bool) -> Test:
    if value is None:
        # Absent values are the last: nothing comes after them, all others before.
        return key.expression.is_not(None) if backward else sa.false()
    other = _bound(key, value)
    later = key.expression < other if key.descending != backward else key.expression > other
    if key.nullable and not backward:
        return sa.or_(later, key.expression.is_(None))
    return later
