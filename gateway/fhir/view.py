"""Parts of resources instead of the whole: `_summary`, `_elements`, `_pretty`.

https://hl7.org/fhir/R4/search.html#summary and https://hl7.org/fhir/R4/search.html#elements
Only who asks for a part pays for it: all others get the stored bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any, cast

import msgspec

from gateway.errors import BadRequest, UnsupportedParameterValue
from gateway.fhir import wire
from gateway.fhir.query_string import pairs
from gateway.fhir.shapes import Field, Kind, Shape, shape_of
from mappings.definitions import is_resource_type
from storage.versions import Stored

Object = dict[str, Any]

MODES = ("true", "text", "data", "count", "false")
NAMES = ("_summary", "_elements", "_pretty", "_format")
"""The parameters that shape how an answer is written, wherever something is read."""

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
"""The tag of a resource that is not whole."""

_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension"})
"""Shown whatever is asked for: without them a part may be taken for what it is not."""


@dataclass(frozen=True)
class View:
    """How resources shall be shown. ``elements`` by type, "" for the types that a search looks for."""

    summary: str = "false"
    elements: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    pretty: bool = False

    @property
    def whole(self) -> bool:
        """Whether resources are shown as they are stored."""
        return not self.elements and self.summary in ("false", "count")

    def of(self, versions: Iterable[Stored], *, included: bool = False) -> list[Stored]:
        """Return versions as they shall be shown. What came along with a search (``included``) is cut to
        elements only where its type was named with them.
        """
        if self.whole:
            return list(versions)
        return [stored._replace(content=self._content(stored.content, included)) for stored in versions]

    def bytes(self, content: bytes) -> bytes:
        """Return a resource's bytes as it shall be shown."""
        return self.laid_out(self._content(content, included=False) or b"")

    def laid_out(self, content: bytes) -> bytes:
        """Return JSON with line breaks and indents where `_pretty` asks for them."""
        return msgspec.json.format(content, indent=2) if self.pretty else content

    def _content(self, content: bytes | None, included: bool) -> bytes | None:
        if content is None or self.whole:
            return content
        value = wire.DECODER.decode(content)
        return wire.encode(self.part(value, included=included))

    def part(self, resource: Object, *, included: bool = False) -> Object:
        """Return the part of a resource that shall be shown, marked as such; the whole where that is it."""
        shape = shape_of(resource["resourceType"])
        if self.elements:
            names = self.elements.get(shape.path) or (None if included else self.elements.get(""))
            if names is None:
                return resource
            return marked(_chosen(resource, shape, names | mandatory(shape)))
        if self.summary == "data":
            return marked({key: value for key, value in resource.items() if key != "text"})
        if self.summary == "text":
            return marked(_chosen(resource, shape, mandatory(shape) | {"text"}))
        return marked(_summary(resource, shape, _ALWAYS | mandatory(shape)))


def view_of(text: str, resource_type: str | None = None) -> View:
    """Return the view that parameters (``name=value&...``) ask for. Elements are checked to be of the type
    where one is told.

    Raises UnsupportedParameterValue, BadRequest.
    """
    if "_summary" not in text and "_elements" not in text and "_pretty" not in text:
        return WHOLE
    asked = dict(pairs(text))
    summary = asked.get("_summary") or "false"
    if summary not in MODES:
        raise _refused("_summary", summary, f"one of {', '.join(MODES)} is needed")
    elements = _elements(asked.get("_elements", ""), resource_type)
    if elements and summary not in ("false", "count"):
        raise BadRequest("_summary and _elements cannot go together.", expression="http._elements")
    pretty = asked.get("_pretty") or "false"
    if pretty not in ("true", "false"):
        raise _refused("_pretty", pretty, "true or false is needed")
    return View(summary, elements, pretty == "true")


WHOLE = View()


def of_one(text: str, resource_type: str) -> View:
    """Return the view of a single resource: nothing can be counted there. Raises as ``view_of``."""
    view = view_of(text, resource_type if is_resource_type(resource_type) else None)
    if view.summary == "count":
        raise _refused("_summary", "count", "only a search can be counted")
    return view


def _refused(name: str, value: str, allowed: str) -> UnsupportedParameterValue:
    return UnsupportedParameterValue(
        f"{name}: {value[:60]!r} cannot be used; {allowed}", expression=f"http.{name}"
    )


def _elements(text: str, resource_type: str | None) -> dict[str, frozenset[str]]:
    """Read ``name,name,Type.name``. Raises UnsupportedParameterValue for a name that the type has not."""
    found: dict[str, set[str]] = {}
    for word in (part.strip() for part in text.split(",")):
        if not word:
            continue
        before, dot, name = word.rpartition(".")
        if dot and not is_resource_type(before):
            raise _refused("_elements", word, "elements at the top of a resource are needed, as name")
        _see_element(before or resource_type, name, word)
        found.setdefault("" if before == resource_type else before, set()).add(name)
    return {type_name: frozenset(names) for type_name, names in found.items()}


def _see_element(resource_type: str | None, name: str, word: str) -> None:
    if resource_type is None:
        return
    known = {
        "resourceType",
        *(field.choice or field.name for field in shape_of(resource_type).fields.values()),
    }
    if name not in known and name not in shape_of(resource_type).fields:
        near = get_close_matches(name, sorted(known), n=3, cutoff=0.5) or sorted(known)
        raise _refused("_elements", word, f"{resource_type} has {', '.join(near)}")


@cache
def mandatory(shape: Shape) -> frozenset[str]:
    """Return the names of the elements that every resource of a type has."""
    return frozenset(element.name for element, _ in shape.required)


def marked(resource: Object) -> Object:
    """Return a resource with the tag that tells that it is not whole; its first members stay the first."""
    meta: Object = resource.get("meta") or {}
    tags = [tag for tag in meta.get("tag", []) if tag.get("code") != SUBSETTED["code"]]
    head = {key: resource[key] for key in ("resourceType", "id") if key in resource}
    return {**head, "meta": {**meta, "tag": [*tags, SUBSETTED]}, **_without(resource, (*head, "meta"))}


def _without(resource: Object, names: Iterable[str]) -> Object:
    return {key: value for key, value in resource.items() if key not in set(names)}


def _chosen(resource: Object, shape: Shape, names: frozenset[str]) -> Object:
    """Return the elements of a resource that are named; a choice by its stem or by its branch."""
    return {key: value for key, value in resource.items() if _wanted(shape.fields.get(key), names)}


def _wanted(field: Field | None, names: frozenset[str]) -> bool:
    return field is not None and not {field.name, field.choice, field.key}.isdisjoint(names | _ALWAYS)


# --- the elements that the standard marks as summary, at every depth ---


def _summary(value: Object, shape: Shape, always: frozenset[str] = frozenset()) -> Object:
    if not _has_summary(shape):
        return value
    found: Object = {}
    for key, part in value.items():
        field = shape.fields.get(key)
        if field is not None and (field.element.summary or field.name in always):
            shown = _summary_of(part, field)
            # Nothing empty may stand in JSON: what has no part in a summary is left out.
            found |= {key: shown} if shown not in ({}, []) else {}
    return found


@cache
def _has_summary(shape: Shape) -> bool:
    """Tell whether a type is parted at all; one without marks (Extension, Narrative) is shown whole."""
    return any(field.element.summary and field.name != "id" for field in shape.fields.values())


def _summary_of(value: Any, field: Field) -> Any:
    """Return the part of one element's value. Ids and extensions of a primitive belong to its value."""
    if field.kind in (Kind.PRIMITIVE, Kind.SIBLING, Kind.RESOURCE) or field.name == "meta":
        return value
    if isinstance(value, list):
        return [shown for item in cast("list[Object]", value) if (shown := _summary(item, field.shape))]
    return _summary(value, field.shape)
