"""Runs a query: the page, what comes along, the total, and the cursors to the pages before and after."""

from __future__ import annotations

from typing import Any, NamedTuple

from storage.search import prepared
from storage.search.bind import bind
from storage.search.compile import count_statement, find_statement, page_statement
from storage.search.include import bring
from storage.search.page import Cursor, seal, signing_key, unseal
from storage.search.query import Query
from storage.session import Raw
from storage.versions import Stored

_STORED = len(Stored._fields)


class Page(NamedTuple):
    """A page of what a query finds. ``total`` is None where it is not known, cursors where there is no such
    page.
    """

    matches: list[Stored]
    included: list[Stored]
    total: int | None
    next: str | None
    previous: str | None


def run(connection: Raw, query: Query) -> Page:
    """Return one page of a query.

    Raises BadCursor for a cursor that is not ours or of another search, TooMany where includes know no
    bounds.
    """
    bound = bind(connection, query)
    if query.count == 0:
        return Page([], [], _total(connection, bound), None, None)
    key = signing_key(connection)
    cursor = unseal(key, query, query.cursor) if query.cursor else None
    rows = prepared.rows(connection, page_statement, bound, cursor)
    more = len(rows) > query.count
    rows = rows[: query.count]
    if cursor is not None and cursor.backward:
        rows.reverse()
    ahead, behind = _around(rows, cursor, more=more)
    matches = [Stored(*row[:_STORED]) for row in rows]
    total = len(matches) if cursor is None and not more else None
    if total is None and query.total != "none":
        # What is estimated is not less than what is seen.
        total = max(_total(connection, bound), len(matches) + more)
    return Page(
        matches,
        bring(connection, query.includes, matches),
        total,
        seal(key, query, ahead) if ahead else None,
        seal(key, query, behind) if behind else None,
    )


def _around(rows: list[Any], cursor: Cursor | None, *, more: bool) -> tuple[Cursor | None, Cursor | None]:
    """Return the cursors after and before a page. Where one came from there is a page, though it may be
    empty by now.
    """
    if not rows:
        return None, Cursor(
            cursor.values, cursor.last, backward=True
        ) if cursor and not cursor.backward else None
    backward = cursor is not None and cursor.backward
    ahead = Cursor(tuple(rows[-1][_STORED:]), rows[-1][0]) if more or backward else None
    behind = Cursor(tuple(rows[0][_STORED:]), rows[0][0], backward=True)
    return ahead, behind if cursor is not None and (more or not backward) else None


def _total(connection: Raw, query: Query) -> int:
    if query.total == "estimate":
        return prepared.estimate(connection, find_statement, query)
    return int(prepared.rows(connection, count_statement, query)[0][0])
