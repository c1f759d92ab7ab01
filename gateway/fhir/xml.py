"""FHIR XML to and from resources as they are in JSON: https://hl7.org/fhir/R4/xml.html.

What is read has the same form as what `wire.decode` gives, decimals as they were spelt, so that everything
after it is the same for both formats. Document types, entities and deep nesting are refused before anything
looks at them.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, cast

import lxml.etree

from gateway.errors import Issue, NotParseable
from gateway.fhir import wire
from gateway.fhir.narrative import crowded
from gateway.fhir.shapes import Field, Kind, Shape, shape_of
from gateway.fhir.xml_narrative import DIV, divs
from gateway.fhir.xml_write import FHIR, is_attribute, order_of, write
from mappings.definitions import is_resource_type
from storage.lexical import DECODER, decimal_of

# lxml has no type information.
_etree = cast("Any", lxml.etree)  # pyright: ignore[reportUnknownMemberType]

Object = dict[str, Any]
Node = Any

_MOST_ISSUES = 20
_BOM = b"\xef\xbb\xbf"
_NAMESPACE = f"{{{FHIR}}}"
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}"
_DOCTYPE = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)
_ENCODING = re.compile(rb"""\s*+<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._\-]+)["']""")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_INTEGERS = frozenset({"integer", "positiveInt", "unsignedInt"})


def to_json(body: bytes) -> bytes:
    """Return the JSON of a resource in XML. Raises NotParseable."""
    return wire.encode(read(body))


def from_json(body: bytes, *, pretty: bool = False) -> bytes:
    """Return the XML of a valid resource in JSON."""
    return write(DECODER.decode(body), pretty=pretty)


def read(body: bytes) -> Object:
    """Return the resource of an XML document.

    A value that is not of its type stays text, so that validation says what is wrong with it and where.
    Raises NotParseable with an issue, with line and element, for each thing that has no place in FHIR XML:
    elements and attributes that are not known or out of order, text, empty elements; and for what is not
    well-formed, not UTF-8, or has a document type.
    """
    body = body.removeprefix(_BOM)
    root = _parse(body)
    reader = _Reader(divs(root, body))
    name = _local(root)
    if root.tag != f"{_NAMESPACE}{name}" or not is_resource_type(name):
        reader.fault(root, name, f"the root must be a resource type of R4 in the namespace {FHIR}")
    made = {} if reader.issues else reader.resource(root, name, 1)
    if reader.issues:
        raise NotParseable(issues=reader.issues)
    return made


def _parse(body: bytes) -> Node:
    if not body.strip():
        raise NotParseable("The body is empty; an XML document is needed")
    encoding = _ENCODING.match(body)
    if encoding and encoding[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise NotParseable("The XML must be in UTF-8")
    if _DOCTYPE.match(body):
        raise NotParseable("The XML has a document type, which FHIR does not allow")
    if crowded(body):
        raise NotParseable("The XML has a tag with too many attributes")
    parser = _etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return _etree.fromstring(body, parser)
    except _etree.XMLSyntaxError as error:
        line, column = error.position
        # Its text may quote the document, and is only told to who sent it.
        raise NotParseable(f"The XML is malformed at line {line}, column {column}: {error.msg}") from None


def _local(node: Node) -> str:
    return str(node.tag).rpartition("}")[2][:60]


class _Reader:
    """Reads elements and collects what is wrong with them; ``divs`` are the narratives by their element."""

    def __init__(self, divs: dict[Node, str]) -> None:
        self.divs = divs
        self.issues: list[Issue] = []

    def fault(self, node: Node, path: str, text: str) -> None:
        """Note what is wrong with an element."""
        if len(self.issues) < _MOST_ISSUES:
            told = f"Line {node.sourceline}, element {_local(node)}: {text}"
            self.issues.append(Issue("error", "structure", told, path))

    def resource(self, node: Node, path: str, depth: int) -> Object:
        """Return the resource of an element that is named after its type."""
        name = _local(node)
        if node.tag != f"{_NAMESPACE}{name}" or not is_resource_type(name):
            self.fault(node, path, "a resource type of R4 is needed")
            return {}
        return {"resourceType": name} | self.object(node, shape_of(name), path, depth)

    def object(self, node: Node, shape: Shape, path: str, depth: int) -> Object:
        """Return the object of an element: its attributes, then its elements."""
        if depth > wire.DEEPEST:
            self.fault(node, path, f"the XML is nested deeper than {wire.DEEPEST} levels")
            return {}
        made = self._attributes(node, shape, path)
        self._no_text(node, path)
        for field, children in self._fields(node, shape, path):
            self._fill(made, field, children, path, depth)
        return made

    def _attributes(self, node: Node, shape: Shape, path: str) -> Object:
        found: Object = {}
        for name, value in node.items():
            if is_attribute(name, shape):
                found[name] = value
            elif not name.startswith(_SCHEMA) and not (name == "value" and shape.path == "Element"):
                self.fault(node, path, f"it has no attribute {name[:60]}")
        return found

    def _no_text(self, node: Node, path: str) -> None:
        texts = [node.text, *[child.tail for child in node]]
        if any(text and not text.isspace() for text in texts):
            self.fault(node, path, "it may hold elements only, no text; values stand in the attribute value")

    def _fields(self, node: Node, shape: Shape, path: str) -> list[tuple[Field, list[Node]]]:
        """Return the fields of the elements below one, each with its elements; note those out of order."""
        found: dict[str, list[Node]] = {}
        order = order_of(shape.path)
        last = -1
        for child in node:
            name = self._name(child, shape, path)
            if not name:
                continue
            place = order[name][0]
            if place < last:
                self.fault(child, f"{path}.{name}", "it stands after an element that must follow it")
            last = max(last, place)
            found.setdefault(name, []).append(child)
        return [(shape.fields[name], children) for name, children in found.items()]

    def _name(self, child: Node, shape: Shape, path: str) -> str:
        """Return the name of the field that an element is, "" where there is none."""
        name = _local(child)
        field = shape.fields.get(name)
        attribute = is_attribute(name, shape)
        if field is None or field.key != field.name or attribute or name == "resourceType":
            near = get_close_matches(name, shape.names, n=1)
            hint = f"; did you mean {near[0]}?" if near and near[0] != name else ""
            self.fault(child, f"{path}.{name}", f"{shape.path} has no such element{hint}")
            return ""
        wanted = DIV if field.type_name == "xhtml" else _NAMESPACE + name
        if child.tag != wanted:
            self.fault(child, f"{path}.{name}", f"its namespace must be {wanted[1:].partition('}')[0]}")
            return ""
        return name

    def _fill(self, made: Object, field: Field, children: list[Node], path: str, depth: int) -> None:
        """Set a property, and its sibling, from the elements of its name."""
        where = f"{path}.{field.name}"
        if not field.many:
            for extra in children[1:]:
                self.fault(extra, where, "it may stand once")
            value, sibling = self._value(children[0], field, where, depth)
            _set(made, field.name, value, sibling)
            return
        pairs = [self._value(c, field, f"{where}[{i}]", depth + 1) for i, c in enumerate(children)]
        values, siblings = [value for value, _ in pairs], [sibling for _, sibling in pairs]
        _set(made, field.name, values if _any(values) else None, siblings if _any(siblings) else None)

    def _value(self, node: Node, field: Field, path: str, depth: int) -> tuple[Any, Object | None]:
        """Return the value of an element, and the object beside it if it is a primitive that has one."""
        if field.type_name == "xhtml":
            return self.divs[node], None
        if field.kind is Kind.PRIMITIVE:
            text = node.get("value")
            beside = self.object(node, shape_of("Element"), path, depth + 1) or None
            if text is None and beside is None:
                self.fault(node, path, "it has neither a value nor extensions")
            return None if text is None else primitive(text, field.type_name), beside
        if field.kind is Kind.RESOURCE:
            return self._nested(node, path, depth), None
        return self._complex(node, field, path, depth), None

    def _complex(self, node: Node, field: Field, path: str, depth: int) -> Object:
        known = len(self.issues)
        made = self.object(node, field.shape, path, depth + 1)
        if not made and len(self.issues) == known:
            self.fault(node, path, "it is empty; leave it out")
        return made

    def _nested(self, node: Node, path: str, depth: int) -> Object:
        self._no_text(node, path)
        if len(node) != 1 or node.attrib:
            self.fault(node, path, "it holds one resource, and has no attributes")
            return {}
        return self.resource(node[0], path, depth + 1)


def _any(items: list[Any]) -> bool:
    return any(item is not None for item in items)


def _set(made: Object, name: str, value: Any, sibling: Any) -> None:
    if value is not None:
        made[name] = value
    if sibling is not None:
        made[f"_{name}"] = sibling


def primitive(text: str, type_name: str) -> Any:
    """Return the JSON value of a primitive of a type; text that is not of the type stays text."""
    if type_name == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if type_name in _INTEGERS:
        return int(text) if _INTEGER.fullmatch(text) else text
    if type_name == "decimal" and _DECIMAL.fullmatch(text):
        try:
            # As in JSON: whole numbers are of another type, which other code tells apart.
            return decimal_of(text) if set(text) & set(".eE") else DECODER.decode(text)
        except (ArithmeticError, ValueError):
            return text
    return text


__all__ = ["from_json", "primitive", "read", "to_json", "write"]
