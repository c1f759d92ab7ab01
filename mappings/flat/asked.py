"""What a list of patients is asked for: filters and order, from the texts of a query.

https://hl7.org/fhir/R4/search.html#string, since names and towns are compared as FHIR search compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mappings import text, times
from mappings.element import Refused
from storage.flat import FILTERS, Sort
from storage.model.clinical import INSURANCE_TYPES
from storage.model.flat import BY_NAME, SEXES, STATUSES

CHOICES = {"status": STATUSES, "sex": tuple(SEXES), "insurance_type": INSURANCE_TYPES}


def filters(asked: Mapping[str, str]) -> dict[str, Any]:
    """Return filters as ``storage.flat`` takes them, of those among the parameters of a query.

    Raises Refused, naming the parameter, for a word that is not one of ours and for what is no date.
    """
    found: dict[str, Any] = {}
    for name, value in asked.items():
        if name in FILTERS:
            found |= _filter(name, value)
    return found


def _filter(name: str, value: str) -> dict[str, Any]:
    if name in CHOICES and value not in CHOICES[name]:
        raise Refused("value", name, value, ", ".join(CHOICES[name]))
    if name in ("city", "state"):
        return {name: value, f"{name}_norm": text.fold(value)}
    if name in ("email", "phone"):
        return {name: text.contact(name, value)}
    if name == "name":
        return {name: text.fold(value)}
    return {name: _moment(name, value)} if name.endswith(("_from", "_to")) else {name: value}


def _moment(name: str, value: str) -> Any:
    try:
        low, high = times.bounds(value)
    except ValueError:
        raise Refused("value", name, value, "a date such as 2026-03-02") from None
    return high if name.endswith("_to") else low


def sort(asked: Mapping[str, str]) -> Sort:
    """Return the order that ``sort_by`` and ``sort_order`` ask for. Raises Refused."""
    usual = Sort()
    name, way = asked.get("sort_by", usual.field), asked.get("sort_order", "asc")
    if name not in BY_NAME:
        raise Refused("value", "sort_by", name, "a field of the record")
    if way not in ("asc", "desc"):
        raise Refused("value", "sort_order", way, "asc, desc")
    return Sort(name, way == "desc")
