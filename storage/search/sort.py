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
from storage.search.query import (
    Composed,
    Flag,
    Measured,
    Place,
    Positioned,
    Sort,
    Span,
    Target,
    Together,
    Token,
    Worded,
)
from storage.search.scope import Columns, Scope, Test, guarded, hanging
from storage.search.token import composed

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


def sort_of(name: str, targets: Sequence[Target], *, descending: bool = False) -> Sort:
    """Return the key of an order by all targets of a parameter."""
    return Sort(name, targets[0], descending, tuple(targets[1:]))


def sortable(sort: Sort) -> bool:
    """Tell whether there is a value to sort by: words, points, and what must be met together, have none."""
    unordered = (Worded, Positioned, Together)
    return not any(isinstance(target, unordered) for target in (sort.target, *sort.others))


def sort_keys(scope: Scope, sorts: Sequence[Sort]) -> list[Key]:
    """Return the sort keys of a query, newest first where it asks for none."""
    return [_key(scope, sort, f"key_{place}") for place, sort in enumerate(sorts or NEWEST_FIRST)]


def _key(scope: Scope, sort: Sort, label: str) -> Key:
    found = [_best(scope, target, descending=sort.descending) for target in (sort.target, *sort.others)]
    if len(found) == 1:
        return Key(found[0][0], label, sort.descending, found[0][1])
    alike = len({type(expression.type) for expression, _ in found}) == 1
    each = [expression if alike else sa.cast(expression, sa.Text) for expression, _ in found]
    # Both of them leave out what is absent.
    best = (sa.func.greatest if sort.descending else sa.func.least)(*each, type_=each[0].type)
    return Key(best, label, sort.descending, nullable=True)


def _best(scope: Scope, target: Target, *, descending: bool) -> tuple[sa.ColumnElement[Any], bool]:
    """Return the value of a target, and whether it may be absent; of several values the one that comes first
    in the order asked for.
    """
    place = target.place
    own = scope.own(place.table)
    if own is not None:
        value = _value(target, own.c)
        guards = guarded(own.c, place)
        if guards:
            return sa.case((sa.and_(*guards), value)), True
        plain = isinstance(value, sa.Column) or value is own.c[columns_of(target)[0]]
        return value, not plain or place.table.table.c[columns_of(target)[0]].nullable is not False
    source, tied = hanging(scope, place)
    value = _value(target, source.c)
    if isinstance(target, Flag):
        best = (sa.func.bool_or if descending else sa.func.bool_and)(value, type_=sa.Boolean())
    else:
        best = (sa.func.max if descending else sa.func.min)(value)
    return sa.select(best).select_from(source).where(*tied).correlate_except(source).scalar_subquery(), True


def _value(target: Target, columns: Columns) -> sa.ColumnElement[Any]:
    """Return what a row of a target is sorted by."""
    if isinstance(target, Composed):
        cases = (
            (composed(target, [Token(None, code)], columns), sa.literal(code)) for code, _ in target.cases
        )
        return sa.case(*cases)
    if isinstance(target, Measured) and target.canonical is not None:
        return sa.func.coalesce(columns[target.canonical[0]], columns[target.value], type_=sa.Numeric())
    return columns[columns_of(target)[0]]


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
