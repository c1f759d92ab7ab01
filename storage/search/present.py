"""Search by presence: whether there is anything at all where a parameter looks."""

from __future__ import annotations

import sqlalchemy as sa

from storage.search.query import (
    Coded,
    Composed,
    Flag,
    Linked,
    Measured,
    Place,
    Positioned,
    Refers,
    Span,
    Target,
    Together,
    Worded,
    Words,
    Written,
)
from storage.search.reference import of_type
from storage.search.scope import Columns, Test


def where(target: Target) -> Place:
    """Return the place whose rows tell: of codes the concept, which may have no coding."""
    return (target.whole or target.place) if isinstance(target, Coded) else target.place


def present(target: Target, columns: Columns) -> Test:
    """Return that a row of that place holds something."""
    if isinstance(target, Refers):
        return sa.and_(sa.true(), *of_type(target, columns))
    if isinstance(target, Coded) and target.whole:
        return sa.true()
    return sa.or_(*(columns[name].is_not(None) for name in columns_of(target)))


def columns_of(target: Target) -> tuple[str, ...]:
    """Return the columns that tell whether a row holds something; the first one is what sorts."""
    match target:
        case Coded(code=name) | Words(norm=name) | Span(low=name) | Measured(value=name):
            return (name,)
        case Written(column=name) | Linked(column=name) | Worded(column=name):
            return (name,)
        case Flag(column=name, also=also):
            return (name, *also)
        case Composed(cases=cases):
            return tuple(sorted({name for _, case in cases for name, _ in case}))
        case Positioned(latitude=latitude, longitude=longitude):
            return (latitude, longitude)
        case Refers():
            return ("target_fhir_id",)
        case Together():
            return ("id",)
