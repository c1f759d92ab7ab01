"""FHIRPath Patch: operations in a Parameters resource, each at a place that a FHIRPath expression tells.

https://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from gateway.errors import BadRequest, Unprocessable
from gateway.fhir.fhirpath_path import list_at, single
from gateway.fhir.fhirpath_place import Place, columns, field_of, store
from gateway.fhir.shapes import Field, Kind, Shape

Object = dict[str, Any]
CARRIER = "Parameters"
MOST_OPERATIONS = 200


@dataclass(frozen=True)
class Value:
    """What an operation brings: a value, the type that its name tells (``Quantity`` of ``valueQuantity``), id
    and extensions of a primitive; or, of a type without a name, its parts.
    """

    type: str
    value: Any = None
    sibling: Object | None = None
    parts: tuple[tuple[str, Value], ...] = ()

    def content(self, target: Field) -> Any:
        """Return the value as it shall stand in an element. Raises Unprocessable for parts it has not."""
        if not self.parts:
            return self.value
        found: Object = {}
        for name, part in self.parts:
            put(found, target.shape, name, part)
        return found


def put(owner: Object, shape: Shape, name: str, value: Value) -> None:
    """Give an object an element: at the end of an array, or as the only one. Raises Unprocessable."""
    chosen = field_of(shape, name, value.type)
    if chosen is None:
        raise Unprocessable(f"{shape.path} has no element {name} of that type.", expression=shape.path)
    see_type(chosen, value)
    present = [key for key in owner if (other := shape.fields.get(key)) and _same(other, chosen)]
    if chosen.many:
        insert(owner, chosen, value, len(columns(owner, chosen)[0]))
    elif present:
        raise Unprocessable(f"{shape.path}.{name} is there: replace it.", expression=f"{shape.path}.{name}")
    else:
        owner |= _members(chosen, value)


def _same(one: Field, other: Field) -> bool:
    return one.name == other.name or bool(one.choice and one.choice == other.choice)


_TEXT = frozenset({"String", "Markdown"})
_SPELT_AS: dict[str, frozenset[str]] = {"xhtml": _TEXT}
"""Types that no parameter can have, and the types by which they come."""


def see_type(chosen: Field, value: Value) -> None:
    """Return if a value is of the type of an element; parts stand for any type that is no primitive. Raises
    Unprocessable.
    """
    wanted = chosen.type_name[:1].upper() + chosen.type_name[1:]
    fitting = _SPELT_AS.get(chosen.type_name, frozenset({wanted}))
    if value.type not in fitting and (value.type or chosen.kind in (Kind.PRIMITIVE, Kind.RESOURCE)):
        named = " or ".join("resource" if name == "Resource" else f"value{name}" for name in sorted(fitting))
        needed = named if chosen.type_name[:1] != "#" and wanted not in _NAMELESS else "part"
        told = f"{chosen.name} needs {needed}, not {f'value{value.type}' if value.type else 'part'}."
        raise Unprocessable(told, expression=chosen.name)


_NAMELESS = frozenset({"BackboneElement", "Element", "Extension", "Narrative"})


def _members(chosen: Field, value: Value) -> Object:
    """Return the members of an object that a value is: itself, and what belongs to a primitive."""
    content = value.content(chosen)
    found: Object = {} if content is None else {chosen.key: content}
    if value.sibling is not None:
        found[f"_{chosen.key}"] = value.sibling
    return found


def insert(owner: Object, chosen: Field, value: Value, index: int) -> None:
    """Put a value into an array at an index; what belongs to primitives is kept beside them."""
    values, siblings = columns(owner, chosen)
    values.insert(index, value.content(chosen))
    siblings.insert(index, value.sibling)
    store(owner, chosen, values, siblings)


@dataclass(frozen=True)
class Operation:
    """One operation: its type, where, and what it needs beside."""

    number: int
    type: str
    path: str
    name: str = ""
    value: Value | None = None
    numbers: Object = field(default_factory=dict[str, Any])

    def apply(self, resource: Object) -> None:
        """Change a resource in place. Raises Unprocessable, BadRequest."""
        try:
            _TYPES[self.type](self, resource)
        except (BadRequest, Unprocessable) as problem:
            told = [issue.diagnostics for issue in problem.issues if issue.expression is None]
            if not told:
                raise
            raise type(problem)(told[0], expression=self.place) from None

    @property
    def place(self) -> str:
        """Where the operation stands."""
        return f"{CARRIER}.parameter[{self.number}]"

    def need(self, name: str) -> int:
        """Return a number of the operation. Raises BadRequest where it is not there."""
        found = self.numbers.get(name)
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise self.bad(f"{self.type} needs {name}, a number of at least 0")
        return found

    def needed_value(self) -> Value:
        """Return the value. Raises BadRequest where there is none."""
        if self.value is None:
            raise self.bad(f"{self.type} needs a value")
        return self.value

    def bad(self, told: str) -> BadRequest:
        """Return the problem of an operation that is not right."""
        return BadRequest(f"{told}.", expression=self.place)

    def unfit(self, told: str) -> Unprocessable:
        """Return the problem of an operation that the resource does not allow."""
        return Unprocessable(f"{self.path[:200]}: {told}.", expression=self.place)


def _add(operation: Operation, resource: Object) -> None:
    if not operation.name:
        raise operation.bad("add needs a name")
    owner, shape = _one(operation, resource).inside()
    put(owner, shape, operation.name, operation.needed_value())


def _delete(operation: Operation, resource: Object) -> None:
    place = single(resource, operation.path)
    if place is not None:
        place.remove()


def _replace(operation: Operation, resource: Object) -> None:
    place, value = _one(operation, resource), operation.needed_value()
    if place.field is None:
        raise operation.unfit("a resource cannot be replaced by a patch")
    chosen = field_of(place.shape, place.field.choice or place.field.name, value.type)
    if chosen is None:
        raise operation.unfit(f"no value of type {value.type} can stand there")
    see_type(chosen, value)
    if place.index is None:
        content = _members(chosen, value)
        place.remove()
        place.owner.update(content)
    else:
        values, siblings = columns(place.owner, chosen)
        values[place.index], siblings[place.index] = value.content(chosen), value.sibling
        store(place.owner, chosen, values, siblings)


def _insert(operation: Operation, resource: Object) -> None:
    owner, chosen = _array(operation, resource)
    value, index, length = operation.needed_value(), operation.need("index"), len(columns(owner, chosen)[0])
    if index > length:
        raise operation.unfit(f"index {index} is beyond the end of {length} items")
    see_type(chosen, value)
    insert(owner, chosen, value, index)


def _move(operation: Operation, resource: Object) -> None:
    owner, chosen = _array(operation, resource)
    source, destination = operation.need("source"), operation.need("destination")
    values, siblings = columns(owner, chosen)
    if max(source, destination) >= len(values):
        raise operation.unfit(f"there are only {len(values)} items")
    for moved in (values, siblings):
        moved.insert(destination, moved.pop(source))
    store(owner, chosen, values, siblings)


def _one(operation: Operation, resource: Object) -> Place:
    place = single(resource, operation.path)
    if place is None:
        raise operation.unfit("there is no such element")
    return place


def _array(operation: Operation, resource: Object) -> tuple[Object, Field]:
    """Return the object whose array a path tells, and its field. The array need not be there."""
    found = list_at(resource, operation.path)
    if found is None:
        raise operation.unfit("there is no such element")
    owner, shape, name = found
    chosen = field_of(shape, name, "")
    if chosen is None or not chosen.many:
        raise operation.unfit("it is no list")
    return owner, chosen


_TYPES: dict[str, Callable[[Operation, Object], None]] = {
    "add": _add,
    "insert": _insert,
    "delete": _delete,
    "replace": _replace,
    "move": _move,
}


# --- reading the Parameters ---


def operations_of(parameters: Object) -> list[Operation]:
    """Return the operations of a valid Parameters resource. Raises BadRequest."""
    listed: list[Object] = parameters.get("parameter", [])
    if len(listed) > MOST_OPERATIONS:
        raise BadRequest(f"A FHIRPath Patch may have {MOST_OPERATIONS} operations.")
    return [_operation(parameter, number) for number, parameter in enumerate(listed)]


def _operation(parameter: Object, number: int) -> Operation:
    where = f"{CARRIER}.parameter[{number}]"
    if parameter.get("name") != "operation":
        raise BadRequest("Each parameter of a FHIRPath Patch is an operation.", expression=where)
    parts: Object = {part["name"]: part for part in parameter.get("part", [])}
    kind, path = _text(parts, "type"), _text(parts, "path")
    if kind not in _TYPES or not path:
        raise BadRequest(f"An operation has a path and a type: {', '.join(_TYPES)}.", expression=where)
    numbers = {
        name: parts[name].get("valueInteger") for name in ("index", "source", "destination") if name in parts
    }
    value = _value(parts["value"]) if "value" in parts else None
    return Operation(number, kind, path, _text(parts, "name"), value, numbers)


def _text(parts: Object, name: str) -> str:
    part: Object = parts.get(name, {})
    found = part.get("valueString") or part.get("valueCode") or part.get("valueUri")
    return found if isinstance(found, str) else ""


def _value(part: Object) -> Value:
    """Return the value of a part: of a type with a name, a resource, or parts of a type without one."""
    if "part" in part:
        inner = cast("list[Object]", part["part"])
        return Value("", parts=tuple((each["name"], _value(each)) for each in inner))
    if "resource" in part:
        return Value("Resource", part["resource"])
    key = next((key for key in part if key.lstrip("_").startswith("value")), "").lstrip("_")
    return Value(key.removeprefix("value"), part.get(key), part.get(f"_{key}"))
