"""$everything: the compartment of a resource, and whatever is referred to from there.

https://hl7.org/fhir/R4/patient-operation-everything.html and
https://hl7.org/fhir/R4/encounter-operation-everything.html. Every reference in the Bundles to what is stored
here can be followed in them, but for those to other persons and what is theirs.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import UnsupportedParameterValue
from gateway.fhir import compartment, params
from gateway.fhir.conditions import condition
from gateway.fhir.operations.call import Call
from gateway.fhir.query_string import Pair
from gateway.fhir.search import answered
from gateway.fhir.search_values import Asked as Reading
from gateway.fhir.search_values import Context, read
from gateway.fhir.view import WHOLE
from mappings.compartments import care_date, members
from mappings.operations import EVERYTHING
from mappings.resources import REGISTRY
from mappings.search import EVERY, SearchParameter, parameters
from storage.model.resource import Resource
from storage.search.query import Asked, ByType, Coded, Combined, Condition, Place, Sort

ORDER = (Sort("_everything", Coded(Place(Resource), "id")),)
"""The order of making, which no change disturbs while pages are read."""

_PAGING = ("_count", params.CURSOR)


def everything(call: Call) -> bytes:
    """Return a Bundle of one page of all that belongs to a resource.

    `_since`: changed since then; `_type`: of these types; `start`, `end`: what tells of care within these
    dates, and what tells of no date. Raises NotFound, Deleted, UnknownParameter, UnsupportedParameterValue.
    """
    call.see_inputs((*EVERYTHING.inputs_of(call.resource_type), *_PAGING))
    call.see_parts()
    call.records.read(call.caller, call.resource_type, call.fhir_id)
    asked = understood(call)
    url = f"{call.place}/${EVERYTHING.name}"
    return answered(call.records, call.caller, asked, WHOLE, url, call.base_url)


def understood(call: Call) -> params.Search:
    """Return what a call asks for, as a search. Raises UnsupportedParameterValue."""
    context = Context(call.records.clock(), call.base_url)
    asked = params.parse_several(_pairs(call, ("_type", *_PAGING)), context)
    names = members(call.resource_type)
    held = compartment.compartment(call.resource_type, call.fhir_id, names, closed=True)
    conditions = (held, *_since(call, context), *_period(call, context, names))
    asked.query = replace(asked.query, conditions=conditions, sort=ORDER)
    asked.used = [*_pairs(call, ("start", "end", "_since")), *asked.used]
    return asked


def _pairs(call: Call, names: tuple[str, ...]) -> list[Pair]:
    return [pair for pair in call.listed if pair[0] in names]


def _since(call: Call, context: Context) -> list[Asked]:
    since = call.one("_since")
    made = since and condition(EVERY, "_lastUpdated", _bound(call, "_since", "ge", context), context)
    return [made] if made else []


def _period(call: Call, context: Context, names: tuple[str, ...]) -> list[Asked]:
    """Return that a resource does not tell of care outside of the dates asked for."""
    given = [(name, prefix) for name, prefix in (("start", "ge"), ("end", "le")) if call.one(name)]
    bounds = [(name, _bound(call, name, prefix, context)) for name, prefix in given]
    if not bounds:
        return []
    dated = [(name, found) for name in names if (found := care_date(REGISTRY[name])) is not None]
    outside = tuple((name, REGISTRY[name].table, _outside(found, bounds, context)) for name, found in dated)
    return [Combined("none", (ByType(outside),))]


def _bound(call: Call, name: str, prefix: str, context: Context) -> str:
    """Return a date of a call with a prefix, found to be one. Raises UnsupportedParameterValue."""
    value = call.one(name) or ""
    asked = Reading(replace(parameters(EVERY)["_lastUpdated"], name=name), "", context)
    try:
        read(asked, prefix + value)
    except UnsupportedParameterValue:
        allowed = "a date such as 2024, 2024-03, 2024-03-01 or 2024-03-01T09:30:00Z is needed"
        raise asked.refuse(value, allowed) from None
    return prefix + value


def _outside(parameter: SearchParameter, bounds: list[tuple[str, str]], context: Context) -> Asked:
    """Return that a resource has a date, and that it does not meet all bounds."""
    there = Condition(parameter.name, parameter.targets, missing=False)
    met = tuple(
        Condition(name, parameter.targets, read(Reading(replace(parameter, name=name), "", context), value))
        for name, value in bounds
    )
    return Combined("all", (there, Combined("none", (Combined("all", met),))))
