"""Search by URI: equal, letter for letter, or below it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from storage.search.query import Uri, Written
from storage.search.scope import Columns, Test, one_of
from storage.search.string import KEPT


def written(target: Written, values: Sequence[Uri], columns: Columns) -> Test:
    """Return that the URI is one of the values, or begins with one; a version at its end may be left out."""
    return sa.or_(*(test for value in values for test in _tests(target, value, columns)))


def _tests(target: Written, value: Uri, columns: Columns) -> list[Test]:
    column: sa.ColumnElement[str] = columns[target.column]
    if value.below:
        return [column.startswith(text, autoescape=True) for text in value.texts]
    tests = [one_of(column, value.texts)]
    if target.norm:
        # The index holds the beginning of the URI.
        tests = [sa.and_(one_of(columns[target.norm], [text[:KEPT] for text in value.texts]), *tests)]
    if target.versioned:
        tests += [column.startswith(f"{text}|", autoescape=True) for text in value.texts if "|" not in text]
    return tests
