"""Body, blood type, habits and histories of the flat record, as Observations.

https://hl7.org/fhir/R4/observation.html and https://hl7.org/fhir/R4/observation-vitalsigns.html
"""

from __future__ import annotations

from typing import Any

from mappings.concepts import LOINC
from mappings.flat.words import Object, concept, words
from mappings.units import UCUM, convert
from storage.model.flat import BY_NAME, FIELDS, Field
from storage.model.flat_places import Finding

CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
FINDINGS: dict[str, Field] = {
    field.name: field for field in FIELDS if isinstance(field.place, Finding) and not field.read_only
}
"""The fields that are set as observations."""
CODES: dict[str, str] = {field.place.code: field.name for field in FIELDS if isinstance(field.place, Finding)}
"""LOINC code -> field."""


def _place(name: str) -> Finding:
    place = BY_NAME[name].place
    if not isinstance(place, Finding):
        raise TypeError(name)
    return place


def finding(name: str, value: Any, patient: str, at: str) -> Object:
    """Return a new observation of a field's value, made at a moment."""
    place = _place(name)
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORIES, "code": place.category}]}],
        "code": {
            "coding": [{"system": LOINC, "code": place.code, "display": place.display}],
            "text": place.display,
        },
        "subject": {"reference": patient},
        "effectiveDateTime": at,
    } | _value(name, value)


def _value(name: str, value: Any) -> Object:
    field, place = BY_NAME[name], _place(name)
    if place.unit is not None:
        return {"valueQuantity": {"value": value, "unit": place.unit, "system": UCUM, "code": place.unit}}
    if field.kind == "long":
        return {"valueString": value}
    return {"valueCodeableConcept": concept(value, place.system, place.codes)}


def amended(present: Object, name: str, value: Any, at: str) -> Object:
    """Return an observation that says another value from a moment on: its next version."""
    kept = {
        key: item for key, item in present.items() if not key.lstrip("_").startswith(("value", "effective"))
    }
    kept.pop("dataAbsentReason", None)
    return kept | {"status": "amended", "effectiveDateTime": at} | _value(name, value)


def value_of(observation: Object, name: str) -> Any:
    """Return the value of an observation in the words and the unit of a field, None where it has none."""
    field, place = BY_NAME[name], _place(name)
    if place.unit is not None:
        quantity: Object = observation.get("valueQuantity", {})
        value = quantity.get("value")
        code = quantity.get("code") or quantity.get("unit")
        return None if value is None else convert(value, code, place.unit)
    told = words(
        observation.get("valueCodeableConcept"), place.system, place.codes, closed=bool(field.values)
    )
    return observation.get("valueString") or told


def keeps(name: str) -> bool:
    """Tell whether a new value is a new version of the observation that is there."""
    return _place(name).document
