"""Vital signs in the words of the JSON interface, as Observations, and Observations as these words.

https://hl7.org/fhir/R4/observation-vitalsigns.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from mappings import body
from mappings.concepts import LOINC
from mappings.element import Refused
from mappings.flat.findings import CATEGORIES
from mappings.inside import Object, coding, concept
from mappings.units import UCUM, convert

PANEL = ("85354-9", "Blood pressure panel with all children optional")


class Sign(NamedTuple):
    """A vital sign: its LOINC codes (the first is its own), unit, and between which values it is believed."""

    codes: tuple[tuple[str, str], ...]
    unit: str
    low: Decimal
    high: Decimal
    shown: str = ""
    """The unit as people write it, where that is not the code."""


def _sign(code: str, display: str, unit: str, low: int, high: int, shown: str = "") -> Sign:
    return Sign(((code, display),), unit, Decimal(low), Decimal(high), shown)


def _measured(code: str, display: str) -> Sign:
    unit, low, high = body.KINDS[code]
    return Sign(((code, display),), unit, low, high)


SIGNS: dict[str, Sign] = {
    "systolic": _sign("8480-6", "Systolic blood pressure", "mm[Hg]", 0, 400, "mmHg"),
    "diastolic": _sign("8462-4", "Diastolic blood pressure", "mm[Hg]", 0, 300, "mmHg"),
    "heart_rate": _sign("8867-4", "Heart rate", "/min", 0, 400),
    "respiratory_rate": _sign("9279-1", "Respiratory rate", "/min", 0, 200),
    "temperature": _sign("8310-5", "Body temperature", "Cel", 10, 50),
    "oxygen_saturation": Sign(
        (
            ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
            ("2708-6", "Oxygen saturation in Arterial blood"),
        ),
        "%",
        Decimal(0),
        Decimal(100),
    ),
    "height_cm": _measured(body.HEIGHT, "Body height"),
    "weight_kg": _measured(body.WEIGHT, "Body weight"),
    "pain": _sign(
        "72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported", "{score}", 0, 10
    ),
}
PRESSURES = ("systolic", "diastolic")
BY_CODE = {code: name for name, sign in SIGNS.items() for code, _ in sign.codes}
"""LOINC code -> our word."""


def observations(told: Mapping[str, Any], patient: str, encounter: str, at: str) -> list[Object]:
    """Return the Observations of the vital signs that are told, of an encounter and a date.

    ``patient`` and ``encounter`` are literal references. Raises Refused for a value that nobody has.
    """
    values = {name: _seen(name, value) for name, value in told.items() if value is not None}
    pressures = {name: value for name, value in values.items() if name in PRESSURES}
    made = [_panel(pressures)] if pressures else []
    made += [_single(name, value) for name, value in values.items() if name not in PRESSURES]
    head: Object = {
        "resourceType": "Observation",
        "status": "final",
        "category": [concept(coding(CATEGORIES, "vital-signs", "Vital Signs"))],
        "subject": {"reference": patient},
        "encounter": {"reference": encounter},
        "effectiveDateTime": at,
    }
    return [head | each for each in made]


def _seen(name: str, value: Any) -> Decimal:
    sign, where = SIGNS[name], f"vital_signs.{name}"
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused("value", where, value, message=f"{name} must be a number")
    number = value if isinstance(value, Decimal) else Decimal(value)
    if not sign.low <= number <= sign.high:
        raise Refused(
            "value", where, value, message=f"{name} must be from {sign.low} to {sign.high} ({sign.unit})"
        )
    return number


def _code(name: str) -> Object:
    codes = SIGNS[name].codes
    return concept(*(coding(LOINC, *each) for each in codes), text=codes[0][1])


def _quantity(name: str, value: Decimal) -> Object:
    sign = SIGNS[name]
    return {"value": value, "unit": sign.shown or sign.unit, "system": UCUM, "code": sign.unit}


def _single(name: str, value: Decimal) -> Object:
    return {"code": _code(name), "valueQuantity": _quantity(name, value)}


def _panel(values: Mapping[str, Decimal]) -> Object:
    parts = [_single(name, values[name]) for name in PRESSURES if name in values]
    return {"code": concept(coding(LOINC, *PANEL), text="Blood pressure"), "component": parts}


def shown(rows: Iterable[Mapping[str, Any]]) -> Object:
    """Return observed values (``code``, ``value``, ``unit``, newest first) as vital signs in our units."""
    found: Object = dict.fromkeys(SIGNS)
    for row in rows:
        name = BY_CODE[row["code"]]
        if found[name] is None:
            found[name] = convert(row["value"], row["unit"], SIGNS[name].unit)
    return found
