"""Where in a resource a FHIRPath expression points: https://hl7.org/fhir/R4/fhirpath.html.

The evaluator gives values; a patch needs the places that they stand at, which are found from the path that
each value came by.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, cast

from gateway.errors import BadRequest, Unprocessable
from gateway.fhir.shapes import Field, Kind, Shape, shape_of

Object = dict[str, Any]

LONGEST = 1000
"""So many characters may stand in a path."""

# A path of a patch chooses: nothing that it needs makes collections grow, and other resources are none of its
# business. Whatever else is called could cost time without bound.
_CALLED = re.compile(r"\b([A-Za-z_]+)\s*\(")
_CALLABLE = frozenset(
    (
        *(
            "where",
            "first",
            "last",
            "tail",
            "skip",
            "take",
            "single",
            "ofType",
            "as",
            "is",
            "exists",
            "empty",
        ),
        *("not", "count", "extension", "hasValue", "startsWith", "endsWith", "contains", "lower", "upper"),
        *("toString", "in", "and", "or"),
    )
)


def _refused(path: str) -> bool:
    calls = {found[1] for found in _CALLED.finditer(path)}
    return len(path) > LONGEST or "|" in path or not calls <= _CALLABLE


_LAST = re.compile(r"(.+)\.([A-Za-z][A-Za-z0-9]*)(?:\[(\d{1,4})\])?\Z", re.DOTALL)
_STEP = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\[(\d+)\])?\Z")
# The evaluator keeps the state of a run in its module.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Place:
    """A place: the object, its shape, and the field there, with the index in an array. A place without a
    field is a resource itself.
    """

    owner: Object
    shape: Shape
    field: Field | None = None
    index: int | None = None

    def inside(self) -> tuple[Object, Shape]:
        """Return the object that stands here, and its shape; of a primitive what belongs to it."""
        if self.field is None:
            return self.owner, self.shape
        if self.field.kind is not Kind.PRIMITIVE:
            found: Any = self._item(self.field.key)
            return found, _shape(found, self.field)
        return self._beside(), shape_of("Element")

    def _item(self, key: str) -> Any:
        found: Any = self.owner[key]
        return found if self.index is None else found[self.index]

    def _beside(self) -> Object:
        """Return id and extensions of a primitive, which there need not have been."""
        key = f"_{self.field.name}" if self.field else ""
        if self.index is None:
            return self.owner.setdefault(key, {})
        items: list[Any] = self.owner.setdefault(key, [])
        items += [None] * (self.index + 1 - len(items))
        items[self.index] = items[self.index] or {}
        return items[self.index]

    def remove(self) -> None:
        """Take away what stands here, with what belongs to it. Raises Unprocessable for a resource."""
        if self.field is None:
            raise Unprocessable("A patch cannot take away the resource itself.")
        for key in (self.field.name, f"_{self.field.name}"):
            if self.index is None:
                self.owner.pop(key, None)
            elif self.index < len(self.owner.get(key) or []):
                del self.owner[key][self.index]


def single(resource: Object, path: str) -> Place | None:
    """Return the one place that a path points to, None where it points nowhere.

    Raises BadRequest for a path that cannot be read, Unprocessable for one that points to several places, or
    to what is no element of the resource.
    """
    if _refused(path):
        raise BadRequest(f"{path[:100]}: a patch cannot use this path.")
    places: list[Place] = []
    for node in _nodes(resource, path):
        place = _place_of(resource, node, path)
        if place is None:
            raise Unprocessable(f"{path}: this is no element of the resource.")
        if not any(_same(place, other) for other in places):
            places.append(place)
    if len(places) > 1:
        raise Unprocessable(f"{path}: {len(places)} elements are there; the path of a patch has one.")
    return places[0] if places else None


def _same(one: Place, other: Place) -> bool:
    return one.owner is other.owner and one.field is other.field and one.index == other.index


@lru_cache(maxsize=256)
def _parsed(path: str) -> Any:
    import fhirpathpy.parser

    parser: Any = fhirpathpy.parser
    return parser.parse(path)


@cache
def _model() -> Any:
    """Return what the evaluator must know of R4: the branches of choices."""
    return import_module("fhirpathpy.models").models["r4"]


def _nodes(resource: Object, path: str) -> list[Any]:
    # Loaded by who patches: the grammar takes a while.
    import fhirpathpy

    evaluator: Any = fhirpathpy
    try:
        with _ONE_AT_A_TIME:
            found: Any = evaluator.apply_parsed_path(
                resource, _parsed(path), {}, _model(), {"returnRawData": True}
            )
    except Exception as error:  # noqa: BLE001 - whatever the evaluator raises, the path is to blame
        raise BadRequest(f"{path[:200]}: the path cannot be evaluated ({type(error).__name__}).") from None
    return cast("list[Any]", found) if isinstance(found, list) else [found]


def _place_of(resource: Object, node: Any, path: str) -> Place | None:
    data: Any = getattr(node, "data", node)
    if isinstance(data, dict) and (place := next(_places(resource, cast("Object", data)), None)):
        return place
    told: Any = getattr(node, "propName", None)
    if isinstance(told, str) and told.partition(".")[0] == resource["resourceType"]:
        return _walk(resource, told)
    last = _LAST.fullmatch(path)
    owner = single(resource, last[1]) if last else None
    return _step(*owner.inside(), last[2], int(last[3]) if last[3] else None) if owner and last else None


def _places(owner: Object, wanted: Object) -> Iterator[Place]:
    """Yield where an object stands: found by being the same, not by being equal."""
    if owner is wanted:
        yield Place(owner, shape_of(owner["resourceType"]))
    waiting = [(owner, shape_of(owner["resourceType"]))]
    while waiting:
        here, shape = waiting.pop()
        for key, value in here.items():
            chosen = shape.fields.get(key)
            if chosen is None or chosen.kind is Kind.PRIMITIVE:
                continue
            items = cast("list[Any]", value) if isinstance(value, list) else [value]
            for index, item in enumerate(items):
                if item is wanted:
                    yield Place(here, shape, _valued(shape, chosen), index if chosen.many else None)
                elif isinstance(item, dict):
                    waiting.append((cast("Object", item), _shape(cast("Object", item), chosen)))


def _shape(value: Object, chosen: Field) -> Shape:
    return shape_of(value["resourceType"]) if chosen.kind is Kind.RESOURCE else chosen.shape


def _valued(shape: Shape, chosen: Field) -> Field:
    """Return the field of the primitive that a sibling belongs to; any other field is itself."""
    return shape.fields[chosen.name] if chosen.kind is Kind.SIBLING else chosen


def _walk(resource: Object, told: str) -> Place | None:
    """Return the place that a path of names and indexes leads to."""
    place: Place | None = Place(resource, shape_of(resource["resourceType"]))
    for part in told.split(".")[1:]:
        step = _STEP.fullmatch(part)
        if place is None or step is None:
            return None
        place = _step(*place.inside(), step[1], int(step[2]) if step[2] else None)
    return place


def _step(owner: Object, shape: Shape, name: str, index: int | None) -> Place | None:
    """Return the place of an element that is there."""
    for key in owner:
        chosen = shape.fields.get(key)
        if chosen is not None and name in (chosen.name, chosen.choice):
            chosen = _valued(shape, chosen)
            return Place(owner, shape, chosen, (index or 0) if chosen.many else None)
    return None


def field_of(shape: Shape, name: str, type_name: str) -> Field | None:
    """Return the field of an element by its name; of a choice the branch of a type."""
    plain = shape.fields.get(name)
    if plain is not None:
        return plain
    branch = shape.fields.get(name + type_name[:1].upper() + type_name[1:])
    return branch if branch is not None and branch.choice == name else None
