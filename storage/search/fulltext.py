"""Search by the words of a text: https://www.postgresql.org/docs/current/textsearch.html."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storage.search.query import Said, Worded
from storage.search.scope import Columns, Test

CONFIGURATION = "simple"
"""Words as they are written, in lower case, whatever the language."""

_NAMED = sa.literal_column(f"'{CONFIGURATION}'", postgresql.REGCONFIG())
Query = sa.ColumnElement[Any]


def said(target: Worded, values: Sequence[Said], columns: Columns) -> Test:
    """Return that the text says one of the values."""
    found = _joined("||", [_query(value) for value in values])
    return columns[target.column].op("@@", is_comparison=True)(found)


def _query(asked: Said) -> Query:
    if asked.how == "phrase":
        return sa.func.phraseto_tsquery(_NAMED, asked.text, type_=postgresql.TSQUERY())
    if asked.how == "begins":
        # Quoted, since what is only begun may hold any sign.
        quoted = asked.text.lower().replace("\\", "\\\\").replace("'", "''")
        return sa.cast(f"'{quoted}':*", postgresql.TSQUERY())
    parts = [_query(part) for part in asked.parts]
    if asked.how == "none":
        return sa.func.tsquery_not(_joined("||", parts), type_=postgresql.TSQUERY())
    return _joined("&&" if asked.how == "all" else "||", parts)


def _joined(sign: str, parts: Sequence[Query]) -> Query:
    return reduce(lambda one, other: one.op(sign, return_type=postgresql.TSQUERY())(other), parts)
