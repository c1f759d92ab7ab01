"""Statements that are made once for each shape of what is asked, and run with the values of each asking."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from storage.model.resource import Resource
from storage.model.shared import Identifier
from storage.search.query import Chained, Coded, Combined, Compartment, Condition, Linked, Query, Refers
from storage.search.slots import Shape, Slot
from storage.session import Raw

Make = Callable[..., sa.Select[*tuple[Any, ...]]]
Values = dict[str, Any]

MOST = 1000
"""So many statements are kept; one takes about ten kilobytes."""
LARGEST = 5000
"""Statements for larger shapes are not kept: callers could fill the memory with them."""

_DIALECT = PGDialect_psycopg()


class Prepared(NamedTuple):
    """The text of a statement, the values that are always the same, and where the others go.

    ``settled``: one plan is good whatever the values are.
    """

    text: bytes
    always: Values
    slots: tuple[tuple[str, Slot], ...]
    settled: bool

    def filled(self, values: list[Any]) -> Values:
        """Return the values by the names in the text."""
        return self.always | {name: slot.of(values) for name, slot in self.slots}


def _made(make: Make, *shapes: Any) -> Prepared:
    compiled: Any = make(*shapes).compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    slots = tuple((name, value) for name, value in compiled.params.items() if isinstance(value, Slot))
    always = {name: value for name, value in compiled.params.items() if not isinstance(value, Slot)}
    settled = all(_settled(shape) for shape in shapes if isinstance(shape, Query))
    return Prepared(str(compiled).encode(), always, slots, settled)


_kept = lru_cache(maxsize=MOST)(_made)


def _settled(query: Query) -> bool:
    """Tell whether a query is of all resources, or surely of few.

    Of other searches (a common code or a rare one, a short name or a long one) the best plan depends on the
    values; one that is kept for all of them may read everything to find nothing.
    """
    return not query.conditions or any(_narrow(asked) for asked in query.conditions)


def _narrow(asked: Any) -> bool:
    match asked:
        case Condition(targets=targets, negated=False, missing=None):
            return all(_names_one(target) for target in targets)
        case Chained(condition=inner):
            return _narrow(inner)
        case Combined(how="all", parts=parts):
            return any(_narrow(part) for part in parts)
        case Combined(how="any", parts=parts):
            return all(_narrow(part) for part in parts)
        case _:
            return isinstance(asked, Compartment)


def _names_one(target: Any) -> bool:
    """Tell whether a value at a target names one resource, or what refers to it."""
    named = isinstance(target, Coded) and target.place.table in (Identifier, Resource)
    return named or isinstance(target, Refers | Linked)


def statement(make: Make, *asked: Any) -> tuple[Prepared, Values]:
    """Return the statement that ``make`` makes of what is asked, and its values.

    ``make`` gets the same with slots in place of values: see ``storage.search.slots``.
    """
    shape = Shape()
    shapes = [shape.of(each) for each in asked]
    large = shape.size > LARGEST
    prepared = _made(make, *shapes)._replace(settled=False) if large else _kept(make, *shapes)
    return prepared, prepared.filled(shape.values)


def rows(connection: Raw, make: Make, *asked: Any) -> list[tuple[Any, ...]]:
    """Return the rows that the statement of what is asked selects."""
    prepared, values = statement(make, *asked)
    # The driver lets PostgreSQL keep what it sees often, unless it is told not to.
    kept = None if prepared.settled else False
    # Binary results: the text form of bytea would be decoded at twice the cost.
    return connection.execute(prepared.text, values, prepare=kept, binary=True).fetchall()


def estimate(connection: Raw, make: Make, *asked: Any) -> int:
    """Return how many rows the planner expects of the statement of what is asked."""
    prepared, values = statement(make, *asked)
    found = connection.execute(b"EXPLAIN (FORMAT JSON) " + prepared.text, values).fetchone()
    return int(found[0][0]["Plan"]["Plan Rows"]) if found else 0
