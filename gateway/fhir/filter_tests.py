"""One comparison of a filter, as ``birthdate ge 2014``: the operators that each type of parameter has.

https://hl7.org/fhir/R4/search_filter.html#ops
"""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import replace

from gateway.errors import UnsupportedParameterValue
from gateway.fhir.conditions import condition, modifiers, parameter_of
from gateway.fhir.search_values import Asked as AskedFor
from gateway.fhir.search_values import Context, read
from mappings.element import Mapping
from mappings.search import SearchParameter
from storage.search.query import Asked, Combined, Condition, When, Worded

_PREFIXES = {name: ("", name) for name in ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")}
# The value asked for subsumes what a resource has, or is subsumed by it.
_SUBSUMING = {"ss": ("below", ""), "sb": ("above", "")}
OPERATORS: MappingType[str, MappingType[str, tuple[str, str]]] = {
    "string": {"eq": ("same", ""), "co": ("contains", ""), "sw": ("", ""), "ew": ("ends", "")},
    "token": {"eq": ("", ""), "in": ("in", ""), "ni": ("not-in", ""), **_SUBSUMING},
    "date": {**_PREFIXES, "po": ("", "ap")},
    "number": _PREFIXES,
    "quantity": _PREFIXES,
    "reference": {"eq": ("", ""), "re": ("", "")},
    "uri": {"eq": ("", ""), "sw": ("below", ""), **_SUBSUMING},
    "special": {"eq": ("", "")},
    "composite": {"eq": ("", "")},
}
"""By type of parameter: of each operator the modifier and the prefix that say the same."""


def compared(mapping: Mapping, name: str, operator: str, value: str, context: Context) -> Asked:
    """Return the condition of a comparison. ``pr`` asks for presence; ``ne`` is what ``eq`` is not, where the
    type of parameter has no prefixes.

    Raises UnknownParameter, UnsupportedParameterValue.
    """
    parameter = parameter_of(mapping, name)
    if operator == "pr" and not parameter.parts:
        return _needed(condition(mapping, f"{name}:missing", _opposite(name, value), context), name, value)
    known = _operators(parameter)
    if operator == "ne" and operator not in known and not parameter.parts:
        return Combined("none", (compared(mapping, name, "eq", value, context),))
    if operator not in known:
        offered = ", ".join(sorted(operators(parameter)))
        raise _refused(f"{name} has no operator {operator!r}; it has {offered}")
    modifier, prefix = known[operator]
    return _condition(AskedFor(parameter, modifier, context), prefix, value, overlaps=operator == "po")


def operators(parameter: SearchParameter) -> tuple[str, ...]:
    """Return the operators that a parameter has in a filter."""
    known = _operators(parameter)
    return tuple(dict.fromkeys((*known, "ne", "pr"))) if parameter.type != "composite" else tuple(known)


def _operators(parameter: SearchParameter) -> MappingType[str, tuple[str, str]]:
    if isinstance(parameter.targets[0], Worded):
        return {"eq": ("", ""), "co": ("", "")}
    # What has no codes can be in no value set.
    uncoded = parameter.type == "token" and "in" not in modifiers(parameter)
    return {"eq": ("", "")} if parameter.sounds or uncoded else OPERATORS[parameter.type]


def _condition(asked: AskedFor, prefix: str, value: str, *, overlaps: bool) -> Condition:
    name = asked.parameter.name
    # A comma is no sign of its own in a filter.
    text = prefix * (not overlaps) + value.replace("\\", "\\\\").replace(",", "\\,")
    try:
        values = read(asked, text)
    except UnsupportedParameterValue as problem:
        raise _refused(problem.issues[0].diagnostics) from None
    if overlaps:
        values = tuple(replace(found, prefix="ap") for found in values if isinstance(found, When))
    if not values:
        raise _refused(f"{name} needs a value")
    return Condition(name, asked.parameter.targets, values, negated=asked.modifier == "not-in")


def _needed(found: Condition | None, name: str, value: str) -> Condition:
    if found is None:
        raise _refused(f"{name} pr {value!r}: true or false is needed")
    return found


def _opposite(name: str, value: str) -> str:
    if value not in ("true", "false"):
        raise _refused(f"{name} pr {value!r}: true or false is needed")
    return "false" if value == "true" else "true"


def _refused(text: str) -> UnsupportedParameterValue:
    return UnsupportedParameterValue(f"_filter: {text}.", expression="http._filter")
