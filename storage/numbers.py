"""Order, accession and visit numbers: drawn in the transaction that uses them, so that none repeats."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from psycopg import Connection

Kind = Literal["ACC", "ORD", "VIS"]

FORM = re.compile(r"(ORD|ACC|VIS)-([0-9]{4})-([0-9]{5,})\Z")

DRAW = """INSERT INTO number_counter (kind, year, last_value) VALUES (%s, %s, %s)
    ON CONFLICT (kind, year) DO UPDATE SET last_value = number_counter.last_value + EXCLUDED.last_value
    RETURNING last_value"""
RAISE = """INSERT INTO number_counter (kind, year, last_value) VALUES (%s, %s, %s)
    ON CONFLICT (kind, year) DO UPDATE
    SET last_value = greatest(number_counter.last_value, EXCLUDED.last_value)"""


def draw(connection: Connection[Any], kind: Kind, year: int, count: int = 1) -> list[str]:
    """Draw ``count`` numbers of a kind; the counter's row stays locked until the transaction ends.

    Callers draw kinds in the order ACC, ORD, VIS, so that two of them never wait for each other.
    """
    row = connection.execute(DRAW, (kind, year, count)).fetchone()
    last: int = row[0] if row else 0
    return [f"{kind}-{year}-{value:05d}" for value in range(last - count + 1, last + 1)]


def accept(connection: Connection[Any], number: str) -> bool:
    """Raise the counter to a number that came from outside; tell whether it has the form of ours."""
    found = FORM.match(number)
    if found is None or int(found[3]) >= 2**31:
        return False
    connection.execute(RAISE, (found[1], int(found[2]), int(found[3])))
    return True
