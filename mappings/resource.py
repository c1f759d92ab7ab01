"""Whole resources: a FHIR resource read into a record, a record rendered as the bytes that readers get.

https://hl7.org/fhir/R4/resource.html
"""

from __future__ import annotations

from functools import cache
from typing import Any

from mappings import convert, times
from mappings.common import COMMON
from mappings.convert import At, NewId, put, put_extensions
from mappings.draw import draw_lines
from mappings.element import Content, Mapping, One, Refused, Value
from mappings.remainder import keep, restore
from storage.lexical import ENCODER
from storage.model.resource import Resource
from storage.record import Record

encode = ENCODER.encode

SERVER_META = ("versionId", "lastUpdated")


def blank(mapping: Mapping, new_id: NewId) -> Record:
    """Return an empty record of a resource type, with an id of its own and no version yet."""
    resource, main = Resource.blank(), mapping.table.blank()
    resource["id"] = main["id"] = new_id()
    resource["resource_type"] = mapping.type
    resource["fhir_id"] = str(resource["id"])
    resource["version"] = 0
    return Record(mapping.table, resource, main)


def read(mapping: Mapping, value: dict[str, Value], new_id: NewId, into: Record | None = None) -> Record:
    """Read a FHIR resource into a record of rows; ``into`` is a blank one where its ids are already known.

    ``id``, ``meta.versionId`` and ``meta.lastUpdated`` are the server's and are not read. Raises Refused.
    """
    record = into or blank(mapping, new_id)
    for table in mapping.details(value) if mapping.details else ():
        record.details[table.table.name] = row = table.blank()
        row["id"] = record.resource["id"]
    main = convert.top(record, mapping, new_id)
    common = At(record, record.resource, record.resource, None, "", "", mapping.type, new_id)
    if mapping.content is not None:
        return _read_content(record, mapping.content, common, value)
    for key, item in value.items():
        if key != "extension":
            _read_element(mapping, main, common, key, item)
    if "extension" in value:
        # Last, because an extension may say more about an element that must stand first.
        _read_element(mapping, main, common, "extension", value["extension"])
    for hook in mapping.read_in:
        hook(record)
    _see_what_is_required(mapping, record)
    return record


def _see_what_is_required(mapping: Mapping, record: Record) -> None:
    """Refuse a required code that is told by extensions alone: a column that must be filled would stay
    empty.
    """
    for column, element in _required(mapping):
        if record.main[column] is None:
            message = f"{element} must have a value: extensions cannot stand for it here"
            raise Refused("required", f"{mapping.type}.{element}", None, message=message)


@cache
def _required(mapping: Mapping) -> tuple[tuple[str, str], ...]:
    """Return the columns of the typed row that elements fill and that may not be empty, with the elements."""
    columns = mapping.table.table.columns
    filled = ((line.group.names[0], line.element) for line in mapping.lines if isinstance(line, One))
    return tuple(found for found in filled if found[0] in columns and not columns[found[0]].nullable)


def _read_element(mapping: Mapping, main: At, common: At, key: str, item: Value) -> None:
    line = mapping.by_element.get(key)
    if line is not None:
        put(main, line, key, item)
    elif key == "extension" and mapping.extensions:
        put_extensions(main, mapping, item)
    elif key in COMMON.by_element:
        _read_common(common, key, item)
    elif key not in ("resourceType", "id"):
        keep(main.keep, "x", key, item)


def _read_common(common: At, key: str, item: Value) -> None:
    """Read an element that every resource has; the part of ``meta`` that the server owns is not read."""
    if key == "meta":
        item = {name: part for name, part in item.items() if name not in SERVER_META}
    if item or key != "meta":
        put(common, COMMON.by_element[key], key, item)


def _read_content(record: Record, content: Content, common: At, value: dict[str, Value]) -> Record:
    """Keep a resource whole, but for what all resources have, and make the copies that search looks at."""
    record.main[content.column] = kept = dict[str, Value]()
    for key, item in value.items():
        if key in COMMON.by_element:
            _read_common(common, key, item)
        elif key not in ("resourceType", "id"):
            kept[key] = item
    content.copy(record, common.new_id)
    return record


def draw(mapping: Mapping, record: Record) -> dict[str, Any]:
    """Render a record as a FHIR resource, with the version and time of its row."""
    resource = record.resource
    target: dict[str, Any] = {"resourceType": mapping.type, "id": resource["fhir_id"], "meta": {}}
    draw_lines(record, resource, None, "", COMMON.lines, target)
    target["meta"] = {
        "versionId": str(resource["version"]),
        "lastUpdated": times.render_instant(resource["last_updated"]),
        **target["meta"],
    }
    draw_lines(record, record.main, None, "", mapping.lines, target)
    if mapping.content is not None:
        target |= record.main[mapping.content.column]
    if resource["remainder"]:
        restore(resource, target)
    return target


def render(mapping: Mapping, record: Record) -> bytes:
    """Render a record as JSON bytes: what a read of this version answers."""
    return encode(draw(mapping, record))
