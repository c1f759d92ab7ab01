"""Quantities in the unit that their kind is compared in, set from the rows of a record before each write.

https://hl7.org/fhir/R4/search.html#quantity
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from mappings.units import canonical
from storage.model import BY_TABLE
from storage.model.columns import Canonical, Row
from storage.record import Record


@cache
def canonical_groups(table: str) -> tuple[tuple[str, str, str], ...]:
    """Return of each such group of a table: the quantity that it is made from, and its two columns."""
    groups = BY_TABLE[table].groups.values()
    found = (group.names for group in groups if isinstance(group, Canonical))
    return tuple((names[0].removesuffix("_canonical"), names[0], names[1]) for names in found)


def index_quantities(record: Record) -> None:
    """Set the comparable value and unit of each quantity of a record that search looks at."""
    _fill(record.table.table.name, record.main)
    for (table, _, _), rows in record.children.items():
        if canonical_groups(table):
            for row in rows:
                _fill(table, row)


def _fill(table: str, row: Row) -> None:
    for source, value, unit in canonical_groups(table):
        held = row[f"{source}_value"]
        system, code = row[f"{source}_system"], row[f"{source}_code"]
        # What is kept whole may have whole numbers.
        found = None if held is None else canonical(Decimal(held), system, code)
        row[value], row[unit] = found or (None, None)
