"""Chained parameters: conditions on the resources that references lead to, or that refer to what is searched.

https://hl7.org/fhir/R4/search.html#chaining and https://hl7.org/fhir/R4/search.html#has
"""

from __future__ import annotations

from gateway.errors import BadRequest, UnknownParameter
from gateway.fhir.conditions import condition, parameter_of
from gateway.fhir.search_values import Context
from mappings.element import Mapping
from mappings.resources import REGISTRY
from mappings.search_references import reference_paths, target_types
from storage.search.query import Asked, Chained, Combined, Condition

DEEPEST = 5
"""So many links may a chain have."""
WIDEST = 100
"""So many ways, by the types that its references may lead to, may a chain go."""


def chained(
    mapping: Mapping, name: str, value: str, context: Context, depth: int = 1
) -> Chained | Combined | None:
    """Return the condition of ``reference.rest`` or ``reference:Type.rest``, None where its values are empty.

    A reference that may lead to several types is followed to those of them that have what ``rest`` asks for.
    Raises UnknownParameter, BadRequest where it leads nowhere, or too many ways.
    """
    first, _, rest = name.partition(".")
    base = first.partition(":")[0]
    if not rest:
        raise BadRequest(f"{name!r} leads nowhere: a parameter must follow.", expression=f"http.{base}")
    found: list[Chained] = []
    problems: list[UnknownParameter] = []
    for paths, other in forward_links(mapping, first):
        try:
            inner = _rest(other, rest, value, context, depth)
        except UnknownParameter as unknown:
            problems.append(unknown)
        else:
            found += [Chained(base, paths, other.type, other.table, inner)] if inner else []
    if problems and not found:
        raise problems[0]
    made = Combined("any", tuple(found)) if len(found) > 1 else next(iter(found), None)
    if made is not None and _ways(made) > WIDEST:
        raise BadRequest(
            f"{base} may lead more than {WIDEST} ways: say which type, as in {base}:Type.{rest}.",
            expression=f"http.{base}",
        )
    return made


def _ways(asked: Asked) -> int:
    if isinstance(asked, Combined):
        return sum(map(_ways, asked.parts))
    return _ways(asked.condition) if isinstance(asked, Chained) else 1


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

    Raises UnknownParameter, BadRequest where it is no reference.
    """
    base, _, kind = name.partition(":")
    parameter = parameter_of(mapping, base)
    paths = reference_paths(parameter)
    if not paths:
        raise BadRequest(f"{base} is no reference.", expression=f"http.{base}")
    types = (_served(kind, base).type,) if kind else target_types(parameter) or REGISTRY
    return [(paths, REGISTRY[each]) for each in types if each in REGISTRY]


def _rest(
    mapping: Mapping, rest: str, value: str, context: Context, depth: int
) -> Condition | Chained | Combined | None:
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
