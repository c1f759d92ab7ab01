"""Search by number and by quantity. A stored comparator makes a value open to one side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from storage.search.query import Measured, Number, Prefix
from storage.search.scope import Columns, Test


def _bound(number: Decimal) -> sa.BindParameter[Decimal]:
    # As a number of any size and precision, also where the column holds whole numbers.
    return sa.bindparam(None, number, sa.Numeric())


_PLAIN: dict[Prefix, Callable[[Any, Number], Test]] = {
    "eq": lambda value, asked: sa.and_(value >= _bound(asked.low), value < _bound(asked.high)),
    "ne": lambda value, asked: sa.or_(value < _bound(asked.low), value >= _bound(asked.high)),
    "gt": lambda value, asked: value > _bound(asked.exact),
    "lt": lambda value, asked: value < _bound(asked.exact),
    "ge": lambda value, asked: value >= _bound(asked.exact),
    "le": lambda value, asked: value <= _bound(asked.exact),
    "sa": lambda value, asked: value > _bound(asked.exact),
    "eb": lambda value, asked: value < _bound(asked.exact),
    "ap": lambda value, asked: sa.and_(value >= _bound(asked.low), value < _bound(asked.high)),
}
_UP, _DOWN = (">", ">="), ("<", "<=")


def measured(target: Measured, values: Sequence[Number], columns: Columns) -> Test:
    """Return that the stored number, in the unit where one is asked for, lies to a value as its prefix
    asks.
    """
    return sa.or_(*(_value(target, value, columns) for value in values))


def _value(target: Measured, asked: Number, columns: Columns) -> Test:
    if target.canonical is not None and asked.canonical is not None:
        value, unit = target.canonical
        comparable = columns[unit] == asked.canonical.code
        return sa.and_(_lies(target, columns[value], asked.canonical, columns), comparable)
    return sa.and_(_lies(target, columns[target.value], asked, columns), *_unit(target, asked, columns))


def _lies(target: Measured, value: Any, asked: Number, columns: Columns) -> Test:
    test = _PLAIN[asked.prefix](value, asked)
    if target.comparator is None:
        return test
    comparator = columns[target.comparator]
    if asked.prefix in ("gt", "ge"):
        return sa.or_(test, comparator.in_(_UP))
    if asked.prefix in ("lt", "le"):
        return sa.or_(test, comparator.in_(_DOWN))
    if asked.prefix == "ne":
        return sa.or_(test, comparator.is_not(None))
    allowed = {"sa": _UP, "eb": _DOWN}.get(asked.prefix)
    exact = comparator.is_(None)
    return sa.and_(test, exact if allowed is None else sa.or_(exact, comparator.in_(allowed)))


def _unit(target: Measured, asked: Number, columns: Columns) -> list[Test]:
    if target.code is None or asked.code is None:
        return []
    code, unit = columns[target.code], columns[target.unit]
    if not asked.system:
        return [sa.or_(code == asked.code, unit == asked.code)]
    return [columns[target.system] == asked.system, code == asked.code]
