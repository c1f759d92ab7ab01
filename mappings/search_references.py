"""What the references of a search parameter may lead to, and which types lie within each other.

https://hl7.org/fhir/R4/search.html#reference
"""

from __future__ import annotations

from functools import cache

from mappings.definitions import elements_at
from mappings.resources import REGISTRY
from mappings.search import SearchParameter, parameters
from storage.search.query import Refers

PARTS = frozenset({"partof", "part-of"})
"""The names of parameters that tell of what a resource is a part."""


def reference_paths(parameter: SearchParameter) -> tuple[str, ...]:
    """Return the elements whose references a parameter looks at, none where it looks at no references."""
    targets = [target for target in parameter.targets if isinstance(target, Refers)]
    return tuple(path for target in targets for path in target.place.elements)


@cache
def target_types(parameter: SearchParameter) -> tuple[str, ...]:
    """Return the types that a reference may point to: the only one that counts, else those of its elements;
    none where it may be any.
    """
    only = {target.only for target in parameter.targets if isinstance(target, Refers)}
    if None not in only:
        return tuple(sorted(filter(None, only)))
    found = {kind for expression in parameter.expressions for kind in _element_types(expression)}
    return () if "Resource" in found else tuple(sorted(found))


def _element_types(expression: str) -> list[str]:
    type_name, _, path = expression.partition(".")
    parent, _, name = path.rpartition(".")
    near = elements_at(type_name, parent)
    element = next((found for found in near if name in (found.name, f"{found.name}Reference")), None)
    kinds = element.types if element else ()
    # A choice of types may have a reference among them.
    inside = next((kind[10:-1] for kind in kinds if kind.startswith("Reference(")), "")
    return inside.split("|") if inside else []


@cache
def part_paths(resource_type: str) -> tuple[str, ...]:
    """Return the elements by which a resource of a type is a part of another of the same type."""
    mapping = REGISTRY.get(resource_type)
    known = parameters(mapping) if mapping else {}
    found = (known[name] for name in sorted(PARTS & known.keys()))
    return tuple(
        path for made in found if target_types(made) == (resource_type,) for path in reference_paths(made)
    )


@cache
def nested_types(parameter: SearchParameter) -> tuple[str, ...]:
    """Return the types that a reference may point to whose resources lie within each other."""
    return tuple(kind for kind in target_types(parameter) if part_paths(kind))
