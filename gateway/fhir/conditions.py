"""One search parameter with its modifier and values as a condition of a query.

https://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from gateway.errors import BadRequest, UnknownParameter
from gateway.fhir.search_values import Asked, Context, read
from mappings.definitions import is_resource_type
from mappings.element import Mapping
from mappings.search import SearchParameter, parameters, text_targets
from mappings.search_references import nested_types
from storage.model.resource import Resource
from storage.model.shared import ContactPoint, Identifier
from storage.search.query import (
    Coded,
    Composed,
    Condition,
    Refers,
    Target,
    Together,
    Worded,
    Written,
)


def condition(mapping: Mapping, name: str, value: str, context: Context) -> Condition | None:
    """Return the condition of a parameter (``name:modifier``), None where all its values are empty.

    Raises UnknownParameter, BadRequest for a modifier that the parameter has not, UnsupportedParameterValue.
    """
    base, _, modifier = name.partition(":")
    parameter = parameter_of(mapping, base)
    if modifier and modifier not in modifiers(parameter) and not _is_type(parameter, modifier):
        offered = ", ".join(f":{each}" for each in modifiers(parameter)) or "none"
        raise BadRequest(
            f"{base} does not offer the modifier :{modifier}; it offers {offered}.", expression=f"http.{base}"
        )
    asked = Asked(parameter, modifier, context)
    if modifier == "missing":
        return Condition(base, parameter.targets, missing=_truth(asked, value))
    values = read(asked, value)
    if not values:
        return None
    return Condition(base, _targets(parameter, modifier), values, negated=modifier in ("not", "not-in"))


def parameter_of(mapping: Mapping, name: str) -> SearchParameter:
    """Return a search parameter of a type by its name. Raises UnknownParameter, which names the nearest."""
    known = parameters(mapping)
    if name not in known:
        raise UnknownParameter(closest(mapping, name, known), expression=f"http.{name}")
    return known[name]


def closest(mapping: Mapping, name: str, known: Iterable[str], what: str = "search parameter") -> str:
    """Return a sentence that says that a name is not known, and which known names are nearest."""
    listed = list(known)
    near = get_close_matches(name, listed, n=3, cutoff=0.5) or listed
    return f"{mapping.type} has no {what} {name!r}; nearest: {', '.join(near)}."


def modifiers(parameter: SearchParameter) -> tuple[str, ...]:
    """Return the modifiers that a parameter offers, apart from types of targets."""
    first = parameter.targets[0]
    if isinstance(first, Together):
        return ()
    offered = ["missing"]
    if parameter.type == "string" and not parameter.sounds and not isinstance(first, Worded):
        offered += ["exact", "contains"]
    elif parameter.type == "token":
        offered += ["not"]
        offered += ["in", "not-in", "above", "below"] if _is_coded(first) else []
        offered += ["text"] if isinstance(first, Coded) and text_targets(first) else []
        offered += ["of-type"] if isinstance(first, Coded) and first.place.table is Identifier else []
    elif isinstance(first, Refers):
        offered += ["identifier"]
        offered += ["above", "below"] if nested_types(parameter) else []
    elif isinstance(first, Written):
        offered += ["above", "below"]
    return tuple(offered)


def _is_coded(target: Target) -> bool:
    """Tell whether a target holds codes, which value sets may list: identifiers are none."""
    named = (Identifier, ContactPoint, Resource)
    return isinstance(target, Composed) or (isinstance(target, Coded) and target.place.table not in named)


def _is_type(parameter: SearchParameter, modifier: str) -> bool:
    return isinstance(parameter.targets[0], Refers) and is_resource_type(modifier)


def _truth(asked: Asked, value: str) -> bool:
    if value not in ("true", "false"):
        raise asked.refuse(value, "true or false is needed with :missing")
    return value == "true"


def _targets(parameter: SearchParameter, modifier: str) -> tuple[Target, ...]:
    if modifier != "text":
        return parameter.targets
    return tuple(
        words for target in parameter.targets if isinstance(target, Coded) for words in text_targets(target)
    )
