"""The facts of R4 that the gateway works by: elements of each type, and codes of required bindings.

https://hl7.org/fhir/R4/structuredefinition.html. The data files are made by `build.py`; each type is
read when it is first asked for.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

VALUE_SETS = "http://hl7.org/fhir/ValueSet/"

NORMATIVE = frozenset(
    {
        "Binary",
        "Bundle",
        "CapabilityStatement",
        "CodeSystem",
        "Observation",
        "OperationDefinition",
        "OperationOutcome",
        "Parameters",
        "Patient",
        "StructureDefinition",
        "ValueSet",
    }
)
"""The resource types that do not change any more: https://hl7.org/fhir/R4/versions.html#std-process."""


class Element(msgspec.Struct, array_like=True, frozen=True):
    """One element definition. `most` is None where any number may stand; `codes` names a required value
    set.
    """

    path: str
    types: tuple[str, ...]
    least: int = 0
    most: int | None = 1
    codes: str = ""
    summary: bool = False

    @property
    def name(self) -> str:
        """The last part of the path, without the `[x]` of a choice."""
        return self.path.rpartition(".")[2].removesuffix("[x]")

    @property
    def is_choice(self) -> bool:
        """Whether the element is spelt with its type, as `valueQuantity` for `value[x]`."""
        return self.path.endswith("[x]")


class Type(msgspec.Struct, frozen=True):
    """One type: the type that it inherits from, and its own elements in the order of the standard."""

    base: str
    elements: tuple[Element, ...]


class _Base(msgspec.Struct):
    base: str


def _read(name: str) -> bytes:
    return files(__name__).joinpath(name).read_bytes()


@cache
def _raw_types() -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(_read("elements.json"), type=dict[str, msgspec.Raw])


@cache
def _raw_codes() -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(_read("codes.json"), type=dict[str, msgspec.Raw])


def type_named(name: str) -> Type | None:
    """The definition of a complex type or resource type, or None if R4 has none of that name."""
    # Not by a cache on the name: callers' names would fill it.
    return _type(name) if name in _raw_types() else None


@cache
def _type(name: str) -> Type:
    return msgspec.json.decode(_raw_types()[name], type=Type)


@cache
def resource_types() -> frozenset[str]:
    """The names of all resource types of R4 (https://hl7.org/fhir/R4/resourcelist.html)."""
    bases = {name: msgspec.json.decode(raw, type=_Base).base for name, raw in _raw_types().items()}
    return frozenset(name for name, base in bases.items() if base in {"Resource", "DomainResource"})


def is_resource_type(name: str) -> bool:
    """Whether R4 has a resource type of that name; case counts."""
    return name in resource_types()


@cache
def codes(value_set: str) -> dict[str, frozenset[str]] | None:
    """The codes of a required value set by code system, or None if it is open (media types, units, ...)."""
    raw = _raw_codes().get(value_set)
    return None if raw is None else msgspec.json.decode(raw, type=dict[str, frozenset[str]])


@cache
def _raw_search() -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(_read("search.json"), type=dict[str, msgspec.Raw])


def types_searched_by_table() -> tuple[str, ...]:
    """The resource types whose search parameters are told by `search_table`, in order of name."""
    return tuple(_raw_search())


def search_table(type_name: str) -> dict[str, list[str]]:
    """The search parameters of a type: by name the type of the parameter, then its leaves (see `reduce`).

    Raises KeyError for a type that the table has not.
    """
    return msgspec.json.decode(_raw_search()[type_name], type=dict[str, list[str]])


@cache
def compartments() -> dict[str, dict[str, tuple[str, ...]]]:
    """The compartments (https://hl7.org/fhir/R4/compartmentdefinition.html): by the type that one is of, the
    types of resources in it, and the reference parameters that put them there. `{def}` is the resource that
    the compartment is of.
    """
    return msgspec.json.decode(_read("compartments.json"), type=dict[str, dict[str, tuple[str, ...]]])


def elements_at(type_name: str, path: str = "") -> tuple[Element, ...]:
    """The elements directly below `path` of a type, inherited ones first; empty if the type is unknown."""
    found = type_named(type_name)
    if found is None:
        return ()
    prefix = f"{path}." if path else ""
    own = tuple(
        element
        for element in found.elements
        if element.path.startswith(prefix) and "." not in element.path[len(prefix) :]
    )
    base = next((e.types[0] for e in found.elements if e.path == path), "Element") if path else found.base
    return (elements_at(base) if base else ()) + own
