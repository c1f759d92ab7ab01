"""FHIR XML from a resource: https://hl7.org/fhir/R4/xml.html.

The definitions tell the order of elements, which values are attributes, and where a resource or narrative
stands. Narrative is put in letter for letter, so that it is read back as it was.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from xml.sax.saxutils import quoteattr

from gateway.fhir.shapes import Field, Kind, Shape, shape_of
from gateway.fhir.xml_narrative import embedded

Object = dict[str, Any]

FHIR = "http://hl7.org/fhir"

# What JSON can hold and XML cannot, even as a character reference.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(resource: Object, *, pretty: bool = False) -> bytes:
    """Return a valid resource as XML in UTF-8; ``pretty`` puts each element on a line of its own.

    Characters that XML cannot hold become U+FFFD. Raises ValueError for a property that R4 has not, which no
    valid resource has.
    """
    parts = ['<?xml version="1.0" encoding="UTF-8"?>']
    _Writer(parts, pretty=pretty).resource(resource, 0, f' xmlns="{FHIR}"')
    return "".join(parts).encode()


@cache
def order_of(path: str) -> dict[str, tuple[int, Field]]:
    """Return for each property of a shape, siblings included, its place and its field."""
    fields = shape_of(path).fields
    placed = {key: place for place, key in enumerate(fields)}
    return {key: (placed[field.name], fields[field.name]) for key, field in fields.items()}


class _Writer:
    """Appends elements to a list of texts."""

    def __init__(self, parts: list[str], *, pretty: bool) -> None:
        self.parts = parts
        self.pretty = pretty

    def resource(self, value: Object, depth: int, namespace: str = "") -> None:
        """Write a resource; its element is named after its type."""
        shape = shape_of(value["resourceType"])
        self.element(shape.path, value, shape, depth, namespace)

    def element(self, name: str, value: Object, shape: Shape, depth: int, attributes: str = "") -> None:
        """Write an object as an element; ``attributes`` stand before those of its own."""
        if not shape.is_resource:
            attributes = _attribute("id", value.get("id")) + attributes
            if shape.path == "Extension":
                attributes += _attribute("url", value.get("url"))
        self._line(depth)
        self.parts.append(f"<{name}{attributes}")
        mark = len(self.parts)
        for field in _children(value, shape):
            self._field(field, value.get(field.name), value.get(f"_{field.name}"), depth + 1)
        self._end(name, mark, depth)

    def _end(self, name: str, mark: int, depth: int) -> None:
        if len(self.parts) == mark:
            self.parts.append("/>")
            return
        self.parts.insert(mark, ">")
        self._line(depth)
        self.parts.append(f"</{name}>")

    def _line(self, depth: int) -> None:
        if self.pretty:
            self.parts.append("\n" + "  " * depth)

    def _field(self, field: Field, value: Any, sibling: Any, depth: int) -> None:
        if not field.many:
            self._one(field, value, sibling, depth)
            return
        values: list[Any] = value or []
        siblings: list[Any] = sibling or []
        for index in range(max(len(values), len(siblings))):
            item = values[index] if index < len(values) else None
            self._one(field, item, siblings[index] if index < len(siblings) else None, depth)

    def _one(self, field: Field, value: Any, sibling: Any, depth: int) -> None:
        if field.kind is Kind.PRIMITIVE:
            self._primitive(field, value, sibling, depth)
        elif field.kind is Kind.RESOURCE:
            self._line(depth)
            self.parts.append(f"<{field.name}>")
            self.resource(value, depth + 1)
            self._line(depth)
            self.parts.append(f"</{field.name}>")
        else:
            self.element(field.name, value, field.shape, depth)

    def _primitive(self, field: Field, value: Any, sibling: Any, depth: int) -> None:
        if field.type_name == "xhtml":
            self._line(depth)
            self.parts.append(embedded(_clean(value)))
        elif value is not None or sibling:
            self.element(field.name, sibling or {}, shape_of("Element"), depth, _attribute("value", value))


def _children(value: Object, shape: Shape) -> list[Field]:
    """Return the fields of an object that are elements, in the order of the standard, each once."""
    order = order_of(shape.path)
    found: dict[int, Field] = {}
    for key in value:
        if key == "resourceType" or is_attribute(key.removeprefix("_"), shape):
            continue
        if key not in order:
            raise ValueError(f"{shape.path} has no element {key[:60]}")
        place, field = order[key]
        found[place] = field
    return [found[place] for place in sorted(found)]


def is_attribute(name: str, shape: Shape) -> bool:
    """Tell whether a property of a shape is an attribute in XML: ids of elements, URLs of extensions."""
    return (name == "id" and not shape.is_resource) or (name == "url" and shape.path == "Extension")


def _attribute(name: str, value: Any) -> str:
    if value is None:
        return ""
    if value is True or value is False:
        return f' {name}="{"true" if value else "false"}"'
    return f" {name}={quoteattr(_clean(str(value)))}"


def _clean(text: str) -> str:
    return text if text.isprintable() else _NO_XML.sub("\ufffd", text)
