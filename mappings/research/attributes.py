"""The attributes of a case of any other kind: a list of code, kind, value and unit, the one open end.

https://hl7.org/fhir/R4/observation-definitions.html#Observation.component
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from mappings.codecs import number
from mappings.element import Refused, Unclaimed, cs
from mappings.research.codes import ATTRIBUTE, codings
from mappings.research.values import KINDS, Ordinary, plain_number
from mappings.units import UCUM
from storage.model.research import KINDS as CASES

if TYPE_CHECKING:
    from mappings.element import Value

ELEMENTS = {
    "quantity": "valueQuantity",
    "integer": "valueInteger",
    "boolean": "valueBoolean",
    "text": "valueString",
    "date": "valueDateTime",
    "enum": "valueCodeableConcept",
}
"""What an attribute's ``kind`` may be, and its value[x]."""
BY_ELEMENT = {element: kind for kind, element in ELEMENTS.items()}
PARTS = frozenset({"code", "kind", "value"})
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,60}\Z")
_COLUMN = CASES["rc_other"].by_name["attributes"]


def list_system(code: str) -> str:
    """Return the code system of the values of an attribute whose kind is ``enum``."""
    return cs(f"rc-other-{code}")


def read(component: dict[str, Value]) -> dict[str, Any]:
    """Return the attribute that a component is; raises Ordinary where the four parts cannot tell it whole."""
    code = next(c["code"] for c in codings(component["code"]) if c.get("system") == ATTRIBUTE)
    element = next((name for name in BY_ELEMENT if name in component), None)
    if element is None or not _CODE.match(code):
        raise Ordinary
    kind, value = BY_ELEMENT[element], component[element]
    made: dict[str, Any] = {"code": code, "kind": kind}
    if kind == "quantity":
        return made | _quantity(value)
    if kind == "enum":
        own = (c.get("code") for c in codings(value) if c.get("system") == list_system(code))
        value = next((found for found in own if found), None)
        if value is None:
            raise Ordinary
    return {**made, "value": value}


def _quantity(value: Value) -> dict[str, Any]:
    if "value" not in value or value.get("comparator"):
        raise Ordinary
    unit = value.get("code")
    if value.get("system", UCUM) != UCUM or (unit is None and "unit" in value):
        raise Ordinary
    try:
        found = number(value["value"])
    except Unclaimed:
        raise Ordinary from None
    return {"value": found, "unit": unit} if unit else {"value": found}


def draw(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return the component of an attribute."""
    kind, value = attribute["kind"], attribute["value"]
    if kind == "quantity":
        unit = attribute.get("unit")
        value = {"value": value} | ({"unit": unit, "system": UCUM, "code": unit} if unit else {})
    elif kind == "enum":
        value = {"coding": [{"system": list_system(attribute["code"]), "code": value}]}
    code = {"coding": [{"system": ATTRIBUTE, "code": attribute["code"]}]}
    return {"code": code, ELEMENTS[kind]: value}


def accept(value: Value, where: str) -> list[dict[str, Any]]:
    """Return the list of attributes of a JSON value; raises Refused."""
    if not isinstance(value, list):
        raise Refused("value", where, value, "a list of code, kind, value and unit")
    listed = cast("list[Any]", value)
    return [_attribute(item, f"{where}[{place}]") for place, item in enumerate(listed)]


def _attribute(item: Any, where: str) -> dict[str, Any]:
    told = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    if not PARTS <= told.keys() <= PARTS | {"unit"}:
        raise Refused("value", where, told, "code, kind, value and unit")
    code, kind = told["code"], told["kind"]
    if type(code) is not str or not _CODE.match(code):
        raise Refused("value", f"{where}.code", code, "letters, digits, _ . and -")
    if kind not in ELEMENTS:
        raise Refused("code-invalid", f"{where}.kind", kind, ", ".join(ELEMENTS))
    if told.get("unit") is not None and (kind != "quantity" or type(told["unit"]) is not str):
        raise Refused("value", f"{where}.unit", told["unit"], "a UCUM unit, of a quantity")
    made = {"code": code, "kind": kind, "value": _value(kind, told["value"], f"{where}.value")}
    return made | ({"unit": told["unit"]} if told.get("unit") else {})


def _value(kind: str, value: Value, where: str) -> Any:
    if kind == "quantity":
        return plain_number(value, where)
    if kind == "enum":
        if type(value) is not str or not _CODE.match(value):
            raise Refused("value", where, value, "a code")
        return value
    # The column's own list and limits are none.
    return KINDS[kind].accept(_COLUMN, value, where)


def plain(attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return attributes as JSON hands them back, numbers as the database gives them."""
    return [
        {**item, "value": Decimal(repr(item["value"])) if type(item["value"]) is float else item["value"]}
        for item in attributes
    ]
