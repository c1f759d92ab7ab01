"""The shapes of resources, one level deep, read off the definitions of the types.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mappings import definitions
from mappings.definitions import Element

Object = dict[str, Any]

_NUMBERS = {"boolean": "boolean", "decimal": "number"} | dict.fromkeys(
    ("integer", "positiveInt", "unsignedInt"), "integer"
)
_MOST_CODES = 60


def shapes(types: Iterable[str]) -> dict[str, Object]:
    """Return the schemas by name: those of some resource types, and those that the door itself needs."""
    found = {name: resource(name) for name in (*types, "OperationOutcome", "Bundle", "Parameters")}
    found["Resource"] = {
        "type": "object",
        "required": ["resourceType"],
        "properties": {"resourceType": {"type": "string"}, "id": {"type": "string"}},
    }
    found["JsonPatch"] = _json_patch()
    return found


def resource(name: str) -> Object:
    """Return the schema of a resource type: its elements, their cardinality, the codes that are required."""
    elements = definitions.elements_at(name)
    properties: Object = {"resourceType": {"const": name}}
    for element in elements:
        properties |= _spelt(element)
    needed = [made.name for made in elements if made.least and not made.is_choice]
    return {"type": "object", "required": ["resourceType", *needed], "properties": properties}


def _spelt(element: Element) -> dict[str, Object]:
    """Return the schema of an element under each of the names that it may be spelt with."""
    if not element.is_choice:
        return {element.name: _of(element, element.types[0])}
    kinds = [kind.partition("(")[0] for kind in element.types]
    return {f"{element.name}{kind[0].upper()}{kind[1:]}": _of(element, kind) for kind in kinds}


def _of(element: Element, kind: str) -> Object:
    schema = _value(element, kind.partition("(")[0])
    if element.most == 1:
        return schema
    return {"type": "array", "items": schema, "minItems": 1}


def _value(element: Element, kind: str) -> Object:
    if kind[0].isupper():
        return {"type": "object", "minProperties": 1}
    codes = definitions.codes(element.codes) if element.codes and kind == "code" else None
    if codes:
        listed = sorted({code for held in codes.values() for code in held})
        if len(listed) <= _MOST_CODES:
            return {"type": "string", "enum": listed}
    return {"type": _NUMBERS.get(kind, "string")}


def _json_patch() -> Object:
    operations = ["add", "remove", "replace", "move", "copy", "test"]
    edit: Object = {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": operations},
            "path": {"type": "string"},
            "from": {"type": "string"},
            "value": {},
        },
    }
    return {"type": "array", "items": edit}
