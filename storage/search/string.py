"""Search by text: how it begins, what it contains, as it is written, as it sounds."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from storage.search.query import Word, Words
from storage.search.scope import Columns, Test

KEPT = 255
"""So many characters of a folded text are kept."""


def words(target: Words, values: Sequence[Word], columns: Columns) -> Test:
    """Return that the text fits one of the values."""
    return sa.or_(*(_word(target, value, columns) for value in values))


def _word(target: Words, value: Word, columns: Columns) -> Test:
    norm = columns[target.norm]
    if value.how == "sounds":
        return columns[target.phon or target.norm] == (value.phon or value.norm)
    if value.how == "contains":
        return norm.contains(value.norm, autoescape=True)
    if value.how == "ends":
        return norm.endswith(value.norm, autoescape=True)
    if value.how == "same":
        return norm == value.norm[:KEPT]
    if value.how == "exact":
        # The folded text is what the index holds; it narrows the rows whose text is then compared.
        return sa.and_(norm == value.norm[:KEPT], columns[target.value] == value.text)
    return begins(norm, value.norm[:KEPT])


def begins(column: sa.ColumnElement[str], text: str) -> Test:
    """Return that a column in byte order begins with a text, as a range of its index."""
    after = following(text)
    return column >= text if after is None else sa.and_(column >= text, column < after)


def following(text: str) -> str | None:
    """Return the least text after all those that begin with ``text``; None where there is none."""
    while text:
        last = ord(text[-1]) + 1
        # The code points of surrogates are no characters.
        last = 0xE000 if 0xD800 <= last < 0xE000 else last
        if last <= 0x10FFFF:
            return text[:-1] + chr(last)
        text = text[:-1]
    return None
