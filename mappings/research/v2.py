"""Research cases in ORU^R01: OBR-4 names the kind, each OBX-3 a column, both of the coding system 99SGRC.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.element import Refused
from mappings.research.case import find_kind
from mappings.research.codes import BY_CODE, CASE, codings
from mappings.research.values import Ordinary, quantity_in, wrong_type
from mappings.v2types import cwe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition
    from mappings.v2values import Found
    from storage.model.research import CaseKind, Column

TRUTH = {"Y": True, "YES": True, "T": True, "TRUE": True, "N": False, "NO": False, "F": False, "FALSE": False}
"""Table 0136 and what senders write beside it."""


def kind_of_order(repetition: Repetition, context: V2Context) -> CaseKind | None:
    """Return the kind of case or member that OBR-4 names, None for any other code."""
    found = (BY_CODE.get((c.get("system", ""), c.get("code", ""))) for c in codings(cwe(repetition, context)))
    return next((kind for kind in found if kind), None)


def column_name(repetition: Repetition, context: V2Context) -> str | None:
    """Return the column that OBX-3 names, None for a code of any other system."""
    own = (c.get("code") for c in codings(cwe(repetition, context)) if c.get("system") == CASE)
    return next((code for code in own if code), None)


def values_of(kind: str | CaseKind, observed: Iterable[tuple[str, Found]]) -> dict[str, Value]:
    """Return the JSON values (for ``new_case`` and ``change_case``) of columns as OBX segments tell them.

    A ``set`` has one OBX for each member. A number without units is in the column's own. Raises Refused,
    whose expression is the column, for an unknown column and for what it cannot hold.
    """
    told = find_kind(kind) if isinstance(kind, str) else kind
    made: dict[str, Value] = {}
    for name, found in observed:
        column = told.by_name.get(name)
        if column is None or column.kind == "attributes":
            raise Refused("value", name, None, ", ".join(told.by_name))
        value = _value(column, found, name)
        made[name] = [*made.get(name, []), value] if column.kind == "set" else value
    return made


def _value(column: Column, found: Found, where: str) -> Any:
    value = found.value
    if column.kind in ("quantity", "integer"):
        return _number(column, found, where)
    if found.element == "valueCodeableConcept":
        value = next((c.get("code") for c in codings(value)), value.get("text"))
    if column.kind == "boolean":
        if str(value).upper() not in TRUTH:
            raise wrong_type(value, where, "Y, N")
        return TRUTH[str(value).upper()]
    if type(value) is not str:
        raise wrong_type(found.element, where, column.kind)
    return value


def _number(column: Column, found: Found, where: str) -> Any:
    if found.element != "valueQuantity":
        raise wrong_type(found.value, where, "a number")
    value = found.value
    if column.unit and not (value.get("code") or value.get("unit")):
        value = {**value, "code": column.unit}
    try:
        number = quantity_in(value, column.unit or "1", where) if column.unit else value["value"]
    except Ordinary:
        raise wrong_type(found.value, where, "one exact number") from None
    whole = column.kind == "integer" and number == int(number)
    return int(number) if whole else number
