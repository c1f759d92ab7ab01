"""One parameter of a search as a condition, whichever kind of parameter it is.

https://hl7.org/fhir/R4/search.html#all
"""

from __future__ import annotations

import re

from gateway.errors import BadRequest, UnsupportedParameterValue
from gateway.fhir.chains import chained, reverse_chained
from gateway.fhir.conditions import condition
from gateway.fhir.filters import filtered
from gateway.fhir.query_string import split, unescape
from gateway.fhir.search_values import Context
from mappings.element import Mapping
from mappings.resources import REGISTRY
from mappings.search import LISTS, parameters
from mappings.search_references import reference_paths
from storage.search.query import Asked, Chained, Condition, Token

FILTERS = ("_has", "_filter", "_list")
"""The parameters that every search takes beside those of its type."""

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z")


def criterion(mapping: Mapping, name: str, value: str, context: Context) -> Asked | None:
    """Return the condition of a parameter (name, modifier, chain), None where its values are empty.

    Raises UnknownParameter, UnsupportedParameterValue, BadRequest.
    """
    base, _, modifier = name.partition(":")
    if base == "_has":
        return reverse_chained(name, value, context)
    if base in FILTERS:
        if modifier:
            raise BadRequest(f"{base} has no modifier :{modifier}.", expression=f"http.{base}")
        return filtered(mapping, value, context) if base == "_filter" else _members(value)
    if "." in name:
        return chained(mapping, name, value, context)
    return condition(mapping, name, value, context)


def _members(value: str) -> Chained:
    """Return that a list of one of the ids refers to the resource.

    https://hl7.org/fhir/R4/search.html#list
    """
    kind, parameter = LISTS
    ids = [unescape(part).strip().removeprefix(f"{kind}/") for part in split(value, ",") if part.strip()]
    if any(each.startswith("$") for each in ids):
        raise UnsupportedParameterValue(
            f"_list: {value!r} cannot be used; there are no functional lists here: the id of one is needed",
            expression="http._list",
        )
    if not ids or not all(_ID.match(each) for each in ids):
        raise UnsupportedParameterValue(
            f"_list: {value!r} cannot be used; the id of a list is needed", expression="http._list"
        )
    lists = REGISTRY[kind]
    known = parameters(lists)
    named = Condition("_id", known["_id"].targets, tuple(Token(None, each) for each in ids))
    paths = reference_paths(known[parameter])
    return Chained("_list", paths, lists.type, lists.table, named, backward=True)
