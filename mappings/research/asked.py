"""What a list of research cases is asked for: filters on any column and its order, from the texts of a query.

https://hl7.org/fhir/R4/search.html#date, since dates are compared as FHIR search compares them

Each parameter follows from the registry: a column by its name; of a date also ``_from`` and ``_to``, of a
number ``_min`` and ``_max``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mappings import times
from mappings.element import Refused
from mappings.research.case import WORDS, json_name
from mappings.research.values import KINDS, plain_number
from storage.lexical import decimal_of
from storage.model.observation import STATUSES
from storage.model.research import KINDS as CASES
from storage.model.research import Column
from storage.model.research.registry import KindName
from storage.registry import Sort, Test, head_names
from storage.registry_sql import Between

if TYPE_CHECKING:
    from mappings.element import Value
    from storage.model.research import CaseKind
    from storage.registry_sql import How

STAMPS = ("created_at", "updated_at")
_RANGES: dict[KindName, dict[str, How]] = {
    "date": {"": "is", "_from": "low", "_to": "high"},
    "quantity": {"": "is", "_min": "low", "_max": "high"},
    "integer": {"": "is", "_min": "low", "_max": "high"},
    "set": {"": "has"},
    "attributes": {"": "has"},
}
"""What a kind of column can be asked, by the ending of the parameter's name; all others: whether it is."""
_EQUAL: dict[str, How] = {"": "is"}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


class Parameter(NamedTuple):
    """A filter: which column it looks at, what that holds, and how it compares."""

    column: Column
    how: How


@cache
def parameters(kind: CaseKind) -> dict[str, Parameter]:
    """Return the filters of a kind by name."""
    heads = [name for name in head_names(kind) if name not in ("id", *STAMPS)]
    found = {name: Parameter(_head(name), "is") for name in heads}
    for column in kind.columns:
        for ending, how in _RANGES.get(column.kind, _EQUAL).items():
            found[json_name(kind, column) + ending] = Parameter(column, how)
    for name in STAMPS:
        begin = name.removesuffix("_at")
        found[f"{begin}_from"] = Parameter(Column(name, "date"), "low")
        found[f"{begin}_to"] = Parameter(Column(name, "date"), "high")
    return found


def _head(name: str) -> Column:
    return Column(name, "enum", STATUSES) if name == "status" else Column(name, "text")


def filters(kind: CaseKind, asked: Mapping[str, str]) -> list[Test]:
    """Return the tests of those parameters of a query that are filters.

    Raises Refused, naming the parameter, for what its column could never hold.
    """
    known = parameters(kind)
    return [_test(kind, name, known[name], text) for name, text in asked.items() if name in known]


def _test(kind: CaseKind, name: str, parameter: Parameter, text: str) -> Test:
    return Test(parameter.column.name, parameter.how, _value(kind, name, parameter, text))


def _value(kind: CaseKind, name: str, parameter: Parameter, text: str) -> Any:
    column, how = parameter
    if column.kind == "date":
        return _moments(name, text, how)
    if column.kind == "quantity":
        return plain_number(_number(name, text), name)
    if column.kind == "integer":
        return _whole(name, text)
    if column.kind == "boolean":
        if text.lower() not in _TRUTH:
            raise Refused("value", name, text, "true, false")
        return _TRUTH[text.lower()]
    if column.kind in ("enum", "set"):
        word = WORDS.get((kind.name, column.name), {}).get(text, text)
        return KINDS["enum"].accept(column, word, name)
    return text


def _moments(name: str, text: str, how: How) -> Any:
    try:
        low, high = times.bounds(text)
    except ValueError:
        raise Refused("value", name, text, "a date such as 2026-03-02") from None
    return {"is": Between(low, high), "low": low}.get(how, high)


def _number(name: str, text: str) -> Value:
    try:
        return decimal_of(text)
    except ArithmeticError:
        raise Refused("value", name, text, "a number") from None


def _whole(name: str, text: str) -> int:
    if not text.removeprefix("-").isdecimal() or len(text) > 9:
        raise Refused("value", name, text, "a whole number")
    return int(text)


@cache
def sortable(kind: CaseKind) -> dict[str, str]:
    """Return by what a list can be sorted: name in JSON -> column."""
    own = {json_name(kind, column): column.name for column in kind.columns}
    return {name: name for name in head_names(kind)} | own


def order(kind: CaseKind, sort_by: str, sort_order: str) -> Sort:
    """Return the order that is asked for. Raises Refused."""
    known = sortable(kind)
    if sort_by not in known:
        raise Refused("value", "sort_by", sort_by, ", ".join(sorted(known)))
    return Sort(known[sort_by], sort_order == "desc")


def case_kinds() -> tuple[CaseKind, ...]:
    """Return the kinds of case that there are."""
    return tuple(CASES.values())


__all__ = ["Parameter", "case_kinds", "filters", "order", "parameters", "sortable"]
