"""Chained parameters: conditions on the resources that references lead to, or that refer to what is searched.

https://hl7.org/fhir/R4/search.html#chaining and https://hl7.org/fhir/R4/search.html#has
"""

from __future__ import annotations

from functools import cache

from gateway.errors import BadRequest, UnknownParameter
from gateway.fhir.conditions import condition, parameter_of
from gateway.fhir.search_values import Context
from mappings.definitions import elements_at
from mappings.element import Mapping
from mappings.resources import REGISTRY
from mappings.search import SearchParameter
from storage.search.query import Chained, Condition, Refers

DEEPEST = 5
"""So many links may a chain have."""


def chained(mapping: Mapping, name: str, value: str, context: Context, depth: int = 1) -> Chained | None:
    """Return the condition of ``reference.rest`` or ``reference:Type.rest``, None where its values are empty.

    Raises UnknownParameter, BadRequest where the type of the target is not told and not known.
    """
    first, _, rest = name.partition(".")
    base, _, kind = first.partition(":")
    parameter = parameter_of(mapping, base)
    paths = reference_paths(parameter)
    types = target_types(parameter)
    if not paths or not rest:
        raise BadRequest(f"{base} is no reference: {name!r} leads nowhere.", expression=f"http.{base}")
    if not kind and len(types) != 1:
        raise BadRequest(
            f"{base} may refer to {', '.join(types) or 'any type'}: say which, as in {base}:Type.{rest}.",
            expression=f"http.{base}",
        )
    other = _served(kind or types[0], base)
    inner = _rest(other, rest, value, context, depth)
    return inner and Chained(base, paths, other.type, other.table, inner)


def reverse_chained(name: str, value: str, context: Context, depth: int = 1) -> Chained | None:
    """Return the condition of ``_has:Type:reference:rest``, None where its values are empty.

    Raises UnknownParameter, BadRequest.
    """
    _, kind, base, rest = (*name.split(":", 3), "", "", "")[:4]
    if not (kind and base and rest):
        raise BadRequest("_has needs the form _has:Type:reference:parameter.", expression="http._has")
    paths, other = backward_link(kind, base, "_has")
    inner = _rest(other, rest, value, context, depth)
    return inner and Chained("_has", paths, other.type, other.table, inner, backward=True)


def backward_link(kind: str, base: str, name: str) -> tuple[tuple[str, ...], Mapping]:
    """Return the elements of a type that a reference parameter of it looks at, and the mapping of the type.

    ``name`` is the parameter of the search that asks. Raises UnknownParameter, BadRequest.
    """
    other = _served(kind, name)
    paths = reference_paths(parameter_of(other, base))
    if not paths:
        raise BadRequest(f"{kind}.{base} is no reference.", expression=f"http.{name}")
    return paths, other


def forward_links(mapping: Mapping, name: str) -> list[tuple[tuple[str, ...], Mapping]]:
    """Return for each type that a reference (``name``, or ``name:Type``) may lead to its elements and the
    mapping of that type; types that are not served are left out.

    Raises UnknownParameter, BadRequest where it is no reference, or may lead to any type.
    """
    base, _, kind = name.partition(":")
    parameter = parameter_of(mapping, base)
    paths = reference_paths(parameter)
    if not paths:
        raise BadRequest(f"{base} is no reference.", expression=f"http.{base}")
    types = (kind,) if kind else target_types(parameter)
    if not types:
        raise BadRequest(
            f"{base} may refer to any type: say which, as {base}:Type.", expression=f"http.{base}"
        )
    return [(paths, REGISTRY[each]) for each in types if each in REGISTRY]


def _rest(
    mapping: Mapping, rest: str, value: str, context: Context, depth: int
) -> Condition | Chained | None:
    if depth >= DEEPEST:
        raise BadRequest(f"A chain may have {DEEPEST} links.")
    if rest.startswith("_has:"):
        return reverse_chained(rest, value, context, depth + 1)
    if "." in rest:
        return chained(mapping, rest, value, context, depth + 1)
    return condition(mapping, rest, value, context)


def _served(kind: str, name: str) -> Mapping:
    if kind not in REGISTRY:
        raise UnknownParameter(f"{name}: the type {kind!r} is not known.", expression=f"http.{name}")
    return REGISTRY[kind]


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
    element = next((found for found in elements_at(type_name, parent) if found.name == name), None)
    kinds = element.types if element else ()
    inside = next((kind[10:-1] for kind in kinds if kind.startswith("Reference(")), "")
    return inside.split("|") if inside else []
