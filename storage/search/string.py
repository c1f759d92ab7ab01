"""Search by text: how it begins, what it contains, as it is written, as it sounds."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from storage.search.query import Word, Words
from storage.search.scope import Columns, Test
from storage.search.slots import derived

KEPT = 255
"""So many characters of a folded text are kept."""

_ESCAPE = "/"


def words(target: Words, values: Sequence[Word], columns: Columns) -> Test:
    """Return that the text fits one of the values."""
    return sa.or_(*(_word(target, value, columns) for value in values))


def _word(target: Words, value: Word, columns: Columns) -> Test:
    norm, kept = columns[target.norm], derived(_kept, value.norm)
    if value.how == "sounds":
        return columns[target.phon or target.norm] == (value.phon or value.norm)
    if value.how == "contains":
        return norm.like(derived(_containing, value.norm), escape=_ESCAPE)
    if value.how == "ends":
        return norm.like(derived(_ending, value.norm), escape=_ESCAPE)
    if value.how == "same":
        return norm == kept
    if value.how == "exact":
        # The folded text is what the index holds; it narrows the rows whose text is then compared.
        return sa.and_(norm == kept, columns[target.value] == value.text)
    # In byte order what begins with a text is a range of the index.
    return sa.and_(norm >= kept, norm < derived(following, kept))


def _kept(text: str) -> str:
    return text[:KEPT]


def _containing(text: str) -> str:
    return f"%{_escaped(text)}%"


def _ending(text: str) -> str:
    return f"%{_escaped(text)}"


def _escaped(text: str) -> str:
    for sign in (_ESCAPE, "%", "_"):
        text = text.replace(sign, _ESCAPE + sign)
    return text


def following(text: str) -> str:
    """Return the least text after all kept ones that begin with ``text``; where there is none, one that no
    kept text reaches.
    """
    while text:
        last = ord(text[-1]) + 1
        # The code points of surrogates are no characters.
        last = 0xE000 if 0xD800 <= last < 0xE000 else last
        if last <= 0x10FFFF:
            return text[:-1] + chr(last)
        text = text[:-1]
    return chr(0x10FFFF) * (KEPT + 1)
