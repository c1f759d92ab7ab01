"""The fields of the flat record that stand in the Patient itself, set in its elements.

https://hl7.org/fhir/R4/patient.html. Each setter changes the place that the reader of the same field looks
at, and leaves it alone where it says already what it shall say. All raise Refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mappings.element import Refused, ext
from mappings.flat.check import MASKED_SSN, SEX
from mappings.flat.concepts import extensions, replace_extensions, set_language, set_words
from mappings.flat.names import set_address, set_contact, set_name
from mappings.flat.party import see_party, set_party
from mappings.flat.shown import mask
from mappings.flat.words import Object, put
from mappings.v2types import identifier_type
from storage.model.flat import FIELDS, SEXES, Field
from storage.model.flat_places import (
    Address,
    Contact,
    Language,
    Name,
    Notes,
    Number,
    Own,
    Party,
    Standing,
    Words,
)

Value = str | None
Setter = Callable[[Object, Field, Any, Value], None]

NOTE = ext("patient-note")


def fill(patient: Object, values: Mapping[str, Any], doctors: Mapping[str, str]) -> None:
    """Set the fields that stand in a Patient; None clears. ``doctors`` are the references of practitioners
    that are here, by how they are named in ``values``.
    """
    told = [field for field in FIELDS if field.name in values and not field.read_only]
    # What is cleared goes first, the last part of a name or an address before the others.
    cleared = [field for field in reversed(told) if values[field.name] is None]
    for field in (*cleared, *(field for field in told if values[field.name] is not None)):
        setter = _SETTERS.get(type(field.place))
        if setter is not None:
            setter(patient, field, field.place, values[field.name])
    if "primary_care_provider" in values:
        _set_doctor(patient, values["primary_care_provider"], doctors)
    if any(name.startswith("emergency_contact_") for name in values):
        see_party(patient.get("contact", []))
    for element in [key for key, item in patient.items() if item in ([], None)]:
        del patient[element]


# --- columns of the patient ------------------------------------------------------------------------------


def _set_own(patient: Object, field: Field, place: Own, value: Value) -> None:
    if place.column == "gender":
        put(patient, "gender", value and SEXES[SEX[value.upper()]])
    elif place.column == "birth_date":
        put(patient, "birthDate", value)
    else:
        _set_deceased_date(patient, value)


def _set_standing(patient: Object, field: Field, place: Standing, value: Value) -> None:
    wanted = value or "active"
    if wanted == standing(patient):
        return
    if wanted == "deceased":
        patient["deceasedBoolean"] = True
        return
    for key in ("deceasedBoolean", "deceasedDateTime", "_deceasedBoolean", "_deceasedDateTime"):
        patient.pop(key, None)
    patient["active"] = wanted == "active"


def standing(patient: Object) -> str:
    """Return whether a Patient is deceased, inactive or active."""
    if patient.get("deceasedBoolean") or patient.get("deceasedDateTime") is not None:
        return "deceased"
    return "inactive" if patient.get("active") is False else "active"


def _set_deceased_date(patient: Object, value: Value) -> None:
    """Who has no date of death any more is still dead; it is the status that says otherwise."""
    was = patient.get("deceasedDateTime")
    if value == was:
        return
    put(patient, "deceasedDateTime", value)
    put(patient, "deceasedBoolean", True if value is None else None)


def _set_number(patient: Object, field: Field, place: Number, value: Value) -> None:
    items: list[Object] = patient.setdefault("identifier", [])
    own = next((item for item in items if item.get("system") == place.system), None)
    present: Value = own.get("value") if own else None
    if field.kind == "ssn" and value is not None and MASKED_SSN.fullmatch(value):
        if present is None or mask(present) != value:
            raise Refused("value", field.name, None, "", "is masked: the whole number is needed")
        return
    if value == present:
        return
    if value is None:
        items[:] = [item for item in items if item is not own]
    elif own is not None:
        put(own, "value", value)
    else:
        items.append({"type": identifier_type(place.type), "system": place.system, "value": value})


def _set_party(patient: Object, field: Field, place: Party, value: Value) -> None:
    set_party(patient.setdefault("contact", []), place.part, value)


def _set_notes(patient: Object, field: Field, place: Notes, value: Value) -> None:
    told = [item.get("valueAnnotation", {}).get("text") for item in extensions(patient, NOTE)]
    if value != ("\n".join(text for text in told if text) or None):
        replace_extensions(patient, (NOTE,), {"valueAnnotation": {"text": value}} if value else None)


def _set_doctor(patient: Object, value: Value, doctors: Mapping[str, str]) -> None:
    items: list[Object] = patient.setdefault("generalPractitioner", [])
    if value is None:
        items.clear()
    elif not items or items[0].get("display") != value:
        items[:1] = [reference(value, doctors)]


def reference(name: str, known: Mapping[str, str]) -> Object:
    """Return a reference to who is named so, by name alone where nobody here is."""
    return ({"reference": known[name]} if name in known else {}) | {"display": name}


_SETTERS: dict[type, Setter] = {
    Own: _set_own,
    Number: _set_number,
    Name: set_name,
    Contact: set_contact,
    Address: set_address,
    Words: set_words,
    Language: set_language,
    Party: _set_party,
    Standing: _set_standing,
    Notes: _set_notes,
}
