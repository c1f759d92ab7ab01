"""Search by time. What is stored is a range and what is asked for is one; the prefix tells how they must
lie.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from storage.search.query import Prefix, Span, When
from storage.search.scope import Columns, Test


def _equal(low: Any, high: Any, value: When) -> Test:
    # What ends by then has begun by then: saying so closes the range of the index.
    return sa.and_(low >= value.low, low <= value.high, high <= value.high)


_RANGES: dict[Prefix, Callable[[Any, Any, When], Test]] = {
    "eq": _equal,
    "ne": lambda low, high, value: sa.or_(low < value.low, high > value.high),
    "gt": lambda _, high, value: high > value.high,
    "lt": lambda low, _, value: low < value.low,
    "ge": lambda low, high, value: sa.or_(high > value.high, _equal(low, high, value)),
    "le": lambda low, high, value: sa.or_(low < value.low, _equal(low, high, value)),
    "sa": lambda low, _, value: low >= value.high,
    "eb": lambda _, high, value: high <= value.low,
    "ap": lambda low, high, value: sa.and_(low < value.high, high > value.low),
}


_INSTANTS: dict[Prefix, Callable[[Any, When], Test]] = {
    "eq": lambda at, value: sa.and_(at >= value.low, at < value.high),
    "ne": lambda at, value: sa.or_(at < value.low, at >= value.high),
    "gt": lambda at, value: at >= value.high,
    "lt": lambda at, value: at < value.low,
    "ge": lambda at, value: at >= value.low,
    "le": lambda at, value: at < value.high,
    "sa": lambda at, value: at >= value.high,
    "eb": lambda at, value: at < value.low,
    "ap": lambda at, value: sa.and_(at >= value.low, at < value.high),
}


def span(target: Span, values: Sequence[When], columns: Columns) -> Test:
    """Return that the stored time lies to one of the values as its prefix asks."""
    low = columns[target.low]
    if target.high is None:
        return sa.or_(*(_INSTANTS[value.prefix](low, value) for value in values))
    high = columns[target.high]
    return sa.or_(*(_RANGES[value.prefix](low, high, value) for value in values))
