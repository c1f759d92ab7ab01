"""References of a resource moved from one target to another, wherever in it they stand.

https://hl7.org/fhir/R4/references.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from storage.model.ledger import OtherResource
from storage.model.shared import Reference

if TYPE_CHECKING:
    from mappings.element import Value
    from storage.model.columns import Row
    from storage.record import Record

VERSION = "/_history/"


def repoint(record: Record, old: Record, new: Record) -> Record:
    """Let every reference of a record to a resource be one to another of its type, and return the record.

    What names a version of the old one still does: that version stays what it is.
    """
    key, other = old.resource["id"], new.resource["id"]
    names = tuple(_name(item) for item in (old, new))
    for row in _rows(record):
        if row.get("remainder"):
            row["remainder"] = _moved(row["remainder"], *names)
        if VERSION in (row.get("literal") or ""):
            continue
        for column, value in row.items():
            if value == key:
                row[column] = other
    for row in record.all_rows(Reference):
        if row["target_id"] == other and row["target_fhir_id"] == old.resource["fhir_id"]:
            row["target_fhir_id"], row["literal"] = new.resource["fhir_id"], None
    if record.table is OtherResource:
        record.main["content"] = _moved(record.main["content"], *names)
    return record


def _name(record: Record) -> str:
    return f"{record.resource['resource_type']}/{record.resource['fhir_id']}"


def _rows(record: Record) -> Iterator[Row]:
    yield record.resource
    yield record.main
    yield from record.details.values()
    for rows in record.children.values():
        yield from rows


def _moved(value: Value, old: str, new: str) -> Value:
    """Return JSON in which references to one name are to another."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        return {
            name: new if name == "reference" and item == old else _moved(item, old, new)
            for name, item in items.items()
        }
    if isinstance(value, list):
        listed = cast("list[Any]", value)
        return [_moved(item, old, new) for item in listed]
    return value
