"""The kinds of search: what each kind of target asks of a row that it looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storage.search import date, fulltext, near, quantity, reference, string, token, uri
from storage.search.query import (
    Coded,
    Composed,
    Flag,
    Linked,
    Measured,
    Positioned,
    Refers,
    Span,
    Target,
    Worded,
    Words,
    Written,
)
from storage.search.scope import Test

KINDS: dict[type[Target], Callable[[Any, Any, Any], Test]] = {
    Coded: token.coded,
    Flag: token.flag,
    Composed: token.composed,
    Words: string.words,
    Span: date.span,
    Refers: reference.refers,
    Linked: reference.linked,
    Measured: quantity.measured,
    Worded: fulltext.said,
    Written: uri.written,
    Positioned: near.positioned,
}
"""By class of target: of the target, values and columns of a row, whether the row fits one of the values."""
