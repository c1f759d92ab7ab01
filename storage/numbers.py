"""Order, accession and visit numbers: drawn in the transaction that uses them, so that none repeats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from storage.trip import Answer, Trip, on_wire

if TYPE_CHECKING:
    from psycopg import Connection

Kind = Literal["ACC", "ORD", "VIS"]

FORM = re.compile(r"(ORD|ACC|VIS)-([0-9]{4})-([0-9]{5,})\Z")

DRAW = b"""INSERT INTO number_counter (kind, year, last_value) VALUES ($1, $2, $3)
    ON CONFLICT (kind, year) DO UPDATE SET last_value = number_counter.last_value + EXCLUDED.last_value
    RETURNING last_value"""
RAISE = """INSERT INTO number_counter (kind, year, last_value) VALUES (%s, %s, %s)
    ON CONFLICT (kind, year) DO UPDATE
    SET last_value = greatest(number_counter.last_value, EXCLUDED.last_value)"""


def draw(connection: Connection[Any], year: int, counts: Mapping[Kind, int]) -> dict[Kind, list[str]]:
    """Draw so many numbers of each kind in one round trip; the counters' rows stay locked until the
    transaction ends.

    Callers draw kinds in the order ACC, ORD, VIS, so that two of them never wait for each other.
    """
    trip = Trip(connection)
    asked: dict[Kind, Answer] = {
        kind: trip.ask(DRAW, [on_wire(value) for value in (kind, year, count)])
        for kind, count in counts.items()
    }
    trip.make()
    ends: dict[Kind, int] = {kind: answer.rows()[0][0] for kind, answer in asked.items()}
    return {
        kind: [f"{kind}-{year}-{value:05d}" for value in range(last - counts[kind] + 1, last + 1)]
        for kind, last in ends.items()
    }


def accept(connection: Connection[Any], number: str) -> bool:
    """Raise the counter to a number that came from outside; tell whether it has the form of ours."""
    found = FORM.match(number)
    if found is None or int(found[3]) >= 2**31:
        return False
    connection.execute(RAISE, (found[1], int(found[2]), int(found[3])))
    return True
