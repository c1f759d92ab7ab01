"""Search by several things that one item must meet: the resource itself, or one row of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from storage.model.shared import Coding, Concept
from storage.search.kinds import KINDS
from storage.search.query import Joint, SearchValue, Target, Together
from storage.search.scope import ONE, Columns, Scope, Test, alias, found, guarded, hanging

if TYPE_CHECKING:
    from storage.model.columns import Table


class _Item(NamedTuple):
    """A row of an array: the table, and the rows as the statement names them."""

    table: type[Table]
    columns: Columns


def together(scope: Scope, target: Together, values: Sequence[Joint]) -> Test:
    """Return that an item meets all parts of one of the values."""
    if scope.own(target.place.table) is not None:
        return _any(scope, None, target, values)
    rows, tied = hanging(scope, target.place)
    met = _any(scope, _Item(target.place.table, rows.c), target, values)
    return sa.exists(sa.select(ONE).select_from(rows).where(*tied, met).correlate_except(rows))


def _any(scope: Scope, item: _Item | None, target: Together, values: Sequence[Joint]) -> Test:
    return sa.or_(*(_all(scope, item, target, value) for value in values))


def _all(scope: Scope, item: _Item | None, target: Together, value: Joint) -> Test:
    """Return that each part of a value is met at one of the targets of its place."""
    pairs = zip(target.parts, value.parts, strict=True)
    return sa.and_(*(sa.or_(*(_part(scope, item, at, asked) for at in targets)) for targets, asked in pairs))


def _part(scope: Scope, item: _Item | None, target: Target, asked: Sequence[SearchValue]) -> Test:
    """Return that a target of an item, None being the resource itself, has one of the values."""

    def fits(columns: Columns) -> Test:
        return KINDS[type(target)](target, asked, columns)

    if item is None:
        return found(scope, target.place, fits)
    if target.place.table is item.table:
        return sa.and_(fits(item.columns), *guarded(item.columns, target.place))
    rows, tied = hanging(scope, target.place, item.columns["owner_id"])
    froms, parent = [rows], rows.c.get("child_id")
    if target.place.table is Coding:
        concept = alias(Concept.table, scope.depth)
        froms, parent = [rows, concept], concept.c["child_id"]
        tied.append(concept.c["id"] == rows.c["concept_id"])
    inner = sa.select(ONE).select_from(*froms).where(*tied, parent == item.columns["id"], fits(rows.c))
    return sa.exists(inner.correlate_except(*froms))
