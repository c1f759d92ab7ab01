"""The definitions of a type as tables by JSON property name, ready for the walk.

https://hl7.org/fhir/R4/json.html.
A choice `value[x]` has one field per branch; a primitive has a second field `_name` for its id and
extensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import cache, cached_property
from typing import Any

from gateway.fhir import narrative
from gateway.fhir.primitives import PRIMITIVES, Primitive, one_of
from mappings import definitions
from mappings.definitions import Element
from mappings.definitions.invariants import RULES, Rule


class Kind(IntEnum):
    """How the walk treats a property."""

    PRIMITIVE = 0
    SIBLING = 1
    COMPLEX = 2
    REFERENCE = 3
    CONCEPT = 4
    RESOURCE = 5


_XHTML = Primitive(
    narrative.is_narrative, "XHTML of formatting elements only, without scripts, forms and event handlers"
)
_KINDS = {"Reference": Kind.REFERENCE, "CodeableConcept": Kind.CONCEPT, "Resource": Kind.RESOURCE}


def _never(_: Any) -> bool:
    return False


class Field:
    """One JSON property of an element."""

    def __init__(
        self, owner: str, key: str, element: Element, type_name: str, kind: Kind | None = None
    ) -> None:
        base, _, targets = type_name.rstrip(")").partition("(")
        self.key = key
        self.name = key.removeprefix("_")
        self.element = element
        self.many = element.most is None or element.most > 1
        self.type_name = base
        self.targets = frozenset(targets.split("|")) - {""} if targets != "Resource" else frozenset[str]()
        self.codes = definitions.codes(element.codes) if element.codes else None
        self.primitive = _XHTML if base == "xhtml" else PRIMITIVES.get(base)
        self.kind = kind or (Kind.PRIMITIVE if self.primitive else _KINDS.get(base, Kind.COMPLEX))
        self.choice = element.name if element.is_choice else ""
        self._place = f"{owner}.{element.name}"
        self.holds: Callable[[Any], bool] = _never
        if self.primitive and self.kind is Kind.PRIMITIVE:
            self.holds = one_of(self.all_codes) if self.codes else self.primitive.holds

    @cached_property
    def all_codes(self) -> frozenset[str]:
        """The codes of a required binding, whatever their system."""
        return frozenset[str]().union(*(self.codes or {}).values())

    @cached_property
    def allowed(self) -> str:
        """What a value of this primitive may be, for people."""
        if self.codes:
            return ", ".join(sorted(self.all_codes))
        return self.primitive.allowed if self.primitive else f"an object of type {self.type_name}"

    @cached_property
    def shape(self) -> Shape:
        """The shape of the object that stands here."""
        if self.kind is Kind.SIBLING:
            return shape_of("Element")
        if self.type_name.startswith("#"):
            return shape_of(self.type_name[1:])
        if self.type_name in {"BackboneElement", "Element"}:
            return shape_of(self._place)
        return shape_of(self.type_name)


class Shape:
    """One element's properties, which of them must be there, and its invariants."""

    def __init__(self, path: str, elements: tuple[Element, ...]) -> None:
        self.path = path
        fields = [field for element in elements for field in _fields(path, element)]
        self.fields = {field.key: field for field in fields}
        self.required = tuple(
            (element, frozenset(field.key for field in fields if field.element is element))
            for element in elements
            if element.least
        )
        self.rules: tuple[Rule, ...] = RULES.get(path, ())
        self.is_resource = definitions.is_resource_type(path)

    @cached_property
    def names(self) -> list[str]:
        """The property names, without the underscored ones."""
        return [key for key in self.fields if not key.startswith("_")]


def _fields(owner: str, element: Element) -> Iterator[Field]:
    for type_name in element.types:
        base = type_name.partition("(")[0]
        key = element.name + base[:1].upper() + base[1:] if element.is_choice else element.name
        yield Field(owner, key, element, type_name)
        if base in PRIMITIVES:
            yield Field(owner, f"_{key}", element, type_name, Kind.SIBLING)


@cache
def shape_of(path: str) -> Shape:
    """The shape at a path of the definitions, such as `Period`, or `Timing.repeat`; KeyError if there is
    none.
    """
    type_name, _, inner = path.partition(".")
    elements = definitions.elements_at(type_name, inner)
    if not elements:
        raise KeyError(path)
    if not inner and definitions.is_resource_type(type_name):
        elements = (Element("resourceType", ("code",), 1), *elements)
    return Shape(path, elements)
