"""Places in a resource, which a FHIRPath Patch changes: https://hl7.org/fhir/R4/fhirpatch.html.

In JSON a primitive stands in two properties, its value in one, its id and extensions in the other; here it is
one place, also where it has extensions alone. https://hl7.org/fhir/R4/json.html#primitive
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from gateway.errors import Unprocessable
from gateway.fhir.shapes import Field, Kind, Shape, shape_of

Object = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A place: the object, its shape, and the field there, with the index in an array. A place without a
    field is a resource itself.
    """

    owner: Object
    shape: Shape
    field: Field | None = None
    index: int | None = None

    @property
    def value(self) -> Any:
        """What stands here; None for a primitive that has extensions alone."""
        return self.owner if self.field is None else self._item(self.field.key)

    @property
    def beside(self) -> Object | None:
        """Id and extensions of a primitive, None where there are none."""
        is_primitive = self.field is not None and self.field.kind is Kind.PRIMITIVE
        return self._item(f"_{self.field.key}") if self.field and is_primitive else None

    def _item(self, key: str) -> Any:
        found: Any = self.owner.get(key)
        if self.index is None or found is None:
            return found
        return found[self.index] if self.index < len(found) else None

    def inside(self) -> tuple[Object, Shape]:
        """Return the object that stands here, and its shape; of a primitive what belongs to it, which there
        need not have been.
        """
        found = self._seen()
        if found is None and self.field is not None:
            made: Object = {}
            _put_beside(self, self.field, made)
            return made, shape_of("Element")
        return cast("tuple[Object, Shape]", found)

    def _seen(self) -> tuple[Object, Shape] | None:
        if self.field is None:
            return self.owner, self.shape
        if self.field.kind is Kind.PRIMITIVE:
            return None if self.beside is None else (self.beside, shape_of("Element"))
        return self.value, inner_shape(self.value, self.field)

    def children(self, name: str) -> Iterator[Place]:
        """Yield the places of the elements of a name, of a choice by its stem or by its branch."""
        owner, shape = self._seen() or ({}, self.shape)
        named = [field for key in owner if (field := shape.fields.get(key)) and name in _names(field)]
        # A value and what belongs to it are one.
        for key in dict.fromkeys(field.name for field in named if field.name != "resourceType"):
            yield from _items(owner, shape, shape.fields[key])

    def remove(self) -> None:
        """Take away what stands here, with what belongs to it. Raises Unprocessable for a resource."""
        if self.field is None:
            raise Unprocessable("A patch cannot take away the resource itself.")
        if self.index is None:
            self.owner.pop(self.field.key, None)
            self.owner.pop(f"_{self.field.key}", None)
            return
        values, siblings = columns(self.owner, self.field)
        del values[self.index], siblings[self.index]
        store(self.owner, self.field, values, siblings)


def _names(field: Field) -> tuple[str, str]:
    return field.name, field.choice


def _items(owner: Object, shape: Shape, field: Field) -> Iterator[Place]:
    if not field.many:
        yield Place(owner, shape, field)
        return
    for index, (value, sibling) in enumerate(zip(*columns(owner, field), strict=True)):
        if value is not None or sibling is not None:
            yield Place(owner, shape, field, index)


def _put_beside(place: Place, field: Field, made: Object) -> None:
    if place.index is None:
        place.owner[f"_{field.key}"] = made
        return
    values, siblings = columns(place.owner, field)
    siblings[place.index] = made
    store(place.owner, field, values, siblings)


def inner_shape(value: Any, field: Field) -> Shape:
    """Return the shape of an object that stands in a field."""
    return shape_of(value["resourceType"]) if field.kind is Kind.RESOURCE else field.shape


def columns(owner: Object, field: Field) -> tuple[list[Any], list[Any]]:
    """Return the values of an array, and of the same length what belongs to each."""
    values: list[Any] = list(owner.get(field.key) or [])
    siblings: list[Any] = list(owner.get(f"_{field.key}") or [])
    length = max(len(values), len(siblings))
    return _filled(values, length), _filled(siblings, length)


def _filled(items: list[Any], length: int) -> list[Any]:
    return items + [None] * (length - len(items))


def store(owner: Object, field: Field, values: list[Any], siblings: list[Any]) -> None:
    """Give an array its values and what belongs to each; a property in which nothing is left goes."""
    for key, items in ((field.key, values), (f"_{field.key}", siblings)):
        if any(item is not None for item in items):
            owner[key] = items
        else:
            owner.pop(key, None)


def field_of(shape: Shape, name: str, type_name: str) -> Field | None:
    """Return the field of an element by its name; of a choice the branch of a type."""
    plain = shape.fields.get(name)
    if plain is not None:
        return None if plain.key != plain.name or name == "resourceType" else plain
    branch = shape.fields.get(name + type_name[:1].upper() + type_name[1:])
    return branch if branch is not None and branch.choice == name else None
