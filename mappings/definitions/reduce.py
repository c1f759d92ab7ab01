"""FHIRPath expressions of search parameters, reduced to paths of elements and the datatypes that stand there.

https://hl7.org/fhir/R4/searchparameter-registry.html. What remains of an expression is a list of leaves such
as ``careTeam.provider:Reference``, ``medication[x]:CodeableConcept``, ``subject:Reference(Patient)`` (only
that type of target counts), ``telecom:ContactPoint(phone)`` (only that system) or
``relatedArtifact[type=composed-of].resource:canonical`` (only items of that type).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from mappings.definitions import Element, elements_at

_TEXTS = ("string", "markdown", "code", "id", "uri", "url", "canonical", "oid", "uuid", "boolean")
_AMOUNTS = ("Quantity", "SimpleQuantity", "Age", "Count", "Distance", "Duration", "Money", "MoneyQuantity")
FITTING: dict[str, tuple[str, ...]] = {
    "token": ("Identifier", "CodeableConcept", "Coding", "ContactPoint", *_TEXTS),
    "reference": ("Reference", "canonical", "uri", "url", "oid", "uuid"),
    "date": ("date", "dateTime", "instant", "Period", "Timing"),
    "string": ("HumanName", "Address", *_TEXTS[:-1]),
    "uri": _TEXTS[4:9],
    "quantity": _AMOUNTS,
    "number": ("decimal", "integer", "positiveInt", "unsignedInt"),
}
"""The datatypes that a type of parameter can look at."""

_CAST = re.compile(r"\(?([\w.]+) as (\w+)\)?\Z")
_TARGET = re.compile(r"(.+)\.where\(resolve\(\) is (\w+)\)\Z")
_CHOSEN = re.compile(r"([\w.]+)\.where\((\w+)='([\w-]+)'\)((?:\.\w+)*)\Z")


class Parameter(NamedTuple):
    """A search parameter of one resource type: its leaves, and the alternatives that have none."""

    type: str
    leaves: list[str]
    left: list[str]


class _Path(NamedTuple):
    """An alternative of an expression: its steps, the datatype it is cast to, the only target that counts,
    and the item (step, element, value) that counts.
    """

    steps: tuple[str, ...]
    cast: str = ""
    only: str = ""
    item: tuple[int, str, str] | None = None


def reduce(resource_type: str, record: dict[str, Any]) -> Parameter:
    """Reduce a SearchParameter (``type`` and ``expression``) as it applies to a resource type."""
    leaves: list[str] = []
    left: list[str] = []
    for text in record.get("expression", "").split("|"):
        alternative = text.strip()
        made = list(_leaves(resource_type, record, alternative))
        leaves += made
        if alternative and not made and _of_type(resource_type, record, alternative):
            left.append(alternative)
    return Parameter(record["type"], list(dict.fromkeys(leaves)), left)


def _of_type(resource_type: str, record: dict[str, Any], text: str) -> bool:
    """Tell whether an alternative speaks of the resource type; one that names no type speaks of its own."""
    first = text.lstrip("(").partition(".")[0]
    return first == resource_type or (record["base"] == [resource_type] and first[:1].islower())


def _leaves(resource_type: str, record: dict[str, Any], text: str) -> Iterator[str]:
    if not _of_type(resource_type, record, text):
        return
    path = _parse(text.replace(f"{resource_type}.", "", 1))
    found = path and _find(resource_type, path.steps)
    if path is None or found is None:
        return
    for kind in found.types:
        name = kind.partition("(")[0]
        if name in FITTING.get(record["type"], ()) and path.cast in ("", name):
            yield _leaf(path, found, name)


def _parse(text: str) -> _Path | None:
    if found := _TARGET.match(text):
        inner = _parse(found[1])
        return inner and inner._replace(only=found[2])
    if found := _CHOSEN.match(text):
        steps = tuple(found[1].split("."))
        below = tuple(part for part in found[4].split(".") if part)
        if below:
            return _Path((*steps, *below), item=(len(steps) - 1, found[2], found[3]))
        return _Path(steps, only=found[3]) if found[2] == "system" else None
    if found := _CAST.match(text):
        return _Path(tuple(found[1].split(".")), cast=found[2])
    return _Path(tuple(text.split("."))) if re.fullmatch(r"[\w.]+", text) else None


def _leaf(path: _Path, element: Element, kind: str) -> str:
    steps = list(path.steps)
    if path.item is not None:
        place, name, value = path.item
        steps[place] += f"[{name}={value}]"
    choice = "[x]" if element.is_choice else ""
    return f"{'.'.join(steps)}{choice}:{kind}" + (f"({path.only})" if path.only else "")


def _find(type_name: str, steps: tuple[str, ...]) -> Element | None:
    """Return the element at the end of the steps; None where there is none, or a choice stands on the way."""
    owner, path = type_name, ""
    found: Element | None = None
    for step in steps:
        if found is not None:
            if found.is_choice:
                return None
            owner, path = _below(owner, found)
        found = next((element for element in elements_at(owner, path) if element.name == step), None)
        if found is None:
            return None
    return found


def _below(owner: str, element: Element) -> tuple[str, str]:
    """Return the type and the path within it where the elements below an element are defined."""
    kind = element.types[0].partition("(")[0]
    if kind.startswith("#"):
        named, _, path = kind[1:].partition(".")
        return named, path
    return (owner, element.path) if kind in ("BackboneElement", "Element") else (kind, "")
