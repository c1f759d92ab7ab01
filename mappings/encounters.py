"""Encounters set from inside (JSON): type, times, place, people, plan and billing, in our own words.

https://hl7.org/fhir/R4/encounter.html. A function that takes None clears what it sets. All raise Refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mappings import convert
from mappings.concepts import CPT, code_of
from mappings.element import Refused, ext
from mappings.inside import coded_in, coding, concept, set_extension, set_item, set_value, uncoded, value_of
from mappings.resources.encounter import ENCOUNTER, REASON_CANCELLED
from mappings.resources.encounter_codes import ACT_CODE
from mappings.resources.encounter_projections import TYPE_SYSTEM, VISIT_NUMBER
from mappings.times import beside, bounds
from mappings.v2types import identifier_type
from storage.clinic import NO_SHOW, PARTICIPATION, VISIT_STATUS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mappings.convert import At, NewId
    from mappings.inside import Object
    from storage.record import Record

STATUSES = {
    "scheduled": "planned",
    "checked_in": "arrived",
    "triaged": "triaged",
    "in_progress": "in-progress",
    "on_leave": "onleave",
    "completed": "finished",
    "cancelled": "cancelled",
    "no_show": "cancelled",
    "void": "entered-in-error",
    "unknown": "unknown",
}
"""Our word for the status of a visit -> Encounter.status; ``no_show`` is told by the reason too."""
WORDS = {status: word for word, status in reversed(STATUSES.items())} | {"cancelled": "cancelled"}
"""Encounter.status -> our word."""
CLASSES = {
    "inpatient": ("IMP", "inpatient encounter"),
    "emergency": ("EMER", "emergency"),
    "observation": ("OBSENC", "observation encounter"),
    "preop": ("PRENC", "pre-admission"),
    "telehealth": ("VR", "virtual"),
}
"""Encounter type -> code of v3-ActCode and its display; all others are ambulatory."""
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
BILLING_SYSTEMS = {"CPT": CPT, "HCPCS": HCPCS}
CPT_CODE = re.compile(r"[0-9]{4}[0-9A-Z]", re.ASCII)
"""Five digits, or four and a letter (categories II and III)."""
_BILLED = {CPT: CPT_CODE, HCPCS: re.compile(r"[A-Z][0-9]{4}", re.ASCII)}
_DETAILS = ENCOUNTER.extensions[ext("visit-details")]


def fill(record: Record, told: Mapping[str, Any], new_id: NewId) -> None:
    """Set the fields that are told, by their native names; dates are FHIR's, people and places References."""
    if "encounter_date" in told or "end_date" in told:
        _set_period(record, told, new_id)
    for name, value in told.items():
        if name in _SETTERS:
            _SETTERS[name](record, value, new_id)


def set_patient(record: Record, fhir_id: str, new_id: NewId) -> None:
    """Set whose encounter it is."""
    set_value(record, ENCOUNTER, "subject", {"reference": f"Patient/{fhir_id}"}, new_id)


def set_visit_number(record: Record, number: str, new_id: NewId) -> None:
    """Set the number of the visit that is drawn here."""
    item = {"type": identifier_type("VN"), "system": VISIT_NUMBER, "value": number}
    set_item(record, ENCOUNTER, "identifier", lambda found: found.get("system") == VISIT_NUMBER, item, new_id)


def status_of_date(start: str, at: datetime) -> str:
    """Return the word for the status of an encounter that begins at a date, where nobody tells it; ``at`` is
    now, in the site's zone.
    """
    return {-1: "completed", 0: "in_progress", 1: "scheduled"}[beside(start, at)]


def word_of(status: str, *, no_show: bool) -> str:
    """Return our word for a status."""
    return "no_show" if no_show and status == "cancelled" else WORDS[status]


def set_status(record: Record, word: str, new_id: NewId) -> None:
    """Set the status by our word for it; whether it is a legal step is for the rules to say."""
    set_value(record, ENCOUNTER, "status", STATUSES[word], new_id)
    missed = code_of(record, "reasonCancelled", VISIT_STATUS) == NO_SHOW
    if word == "no_show":
        reason = concept(coding(VISIT_STATUS, NO_SHOW, "No show"))
        set_extension(record, ENCOUNTER, REASON_CANCELLED, {"valueCodeableConcept": reason}, new_id)
    elif missed:
        set_extension(record, ENCOUNTER, REASON_CANCELLED, None, new_id)


def set_type(record: Record, kind: str, new_id: NewId) -> None:
    """Set the type, and the class that goes with it, where the class was not told otherwise."""
    before = code_of(record, "type", TYPE_SYSTEM)
    present: Object | None = value_of(record, ENCOUNTER, "class", new_id)
    if present is None or (before is not None and present.get("code") == _class(before)["code"]):
        set_value(record, ENCOUNTER, "class", _class(kind), new_id)
    item = concept(coding(TYPE_SYSTEM, kind))
    set_item(record, ENCOUNTER, "type", coded_in(TYPE_SYSTEM), item, new_id)


def _class(kind: str) -> Object:
    return coding(ACT_CODE, *CLASSES.get(kind, ("AMB", "ambulatory")))


def _set_period(record: Record, told: Mapping[str, Any], new_id: NewId) -> None:
    period: Object = dict(value_of(record, ENCOUNTER, "period", new_id) or {})
    for name, part in (("encounter_date", "start"), ("end_date", "end")):
        if name in told:
            period[part] = told[name]
    made = {part: text for part, text in period.items() if text is not None}
    if "start" in made and "end" in made and bounds(made["end"])[1] <= bounds(made["start"])[0]:
        raise Refused("invariant", "end_date", None, message="end_date is before encounter_date")
    set_value(record, ENCOUNTER, "period", made, new_id)


def set_chief_complaint(record: Record, text: str | None, new_id: NewId) -> None:
    """Set why the patient comes, in the patient's words."""
    set_item(record, ENCOUNTER, "reasonCode", uncoded, concept(text=text) if text else None, new_id)


def set_location(record: Record, location: Object | None, new_id: NewId) -> None:
    """Set where it takes place: a Reference, whose display is its name. Other places stay."""
    present: list[Object] = value_of(record, ENCOUNTER, "location", new_id) or []
    made = ([{"location": location}] if location else []) + present[1:]
    set_value(record, ENCOUNTER, "location", made, new_id)


def set_attending(record: Record, person: Object | None, new_id: NewId) -> None:
    """Set the attending physician: a Reference, whose display is the name."""
    kind = concept(coding(PARTICIPATION, "ATND", "attender"))
    item = {"type": [kind], "individual": person} if person else None
    set_item(record, ENCOUNTER, "participant", _attends, item, new_id)


def _attends(participant: Object) -> bool:
    return any(
        found.get("code") == "ATND"
        for kind in participant.get("type", ())
        for found in kind.get("coding", ())
    )


def set_treatment_plan(record: Record, text: str | None, new_id: NewId) -> None:
    """Set what shall be done."""
    line = _DETAILS.extensions["treatmentPlan"]
    inner = line.by_element["valueString"]
    at = convert.descend(_top(record, new_id), (_DETAILS, line))
    convert.replace_element(at, inner, "valueString", text)


def add_billing_codes(record: Record, codes: Sequence[Mapping[str, Any]], new_id: NewId) -> None:
    """Add what is billed: ``code``, ``system`` (CPT, HCPCS or a URL; by the code's form where it is left
    out), ``modifier``, ``units``.
    """
    made: list[Object] = [_billed(place, told) for place, told in enumerate(codes)]
    if made:
        convert.put_extensions(convert.descend(_top(record, new_id), (_DETAILS,)), _DETAILS, made)


def _billed(place: int, told: Mapping[str, Any]) -> Object:
    code, named = told["code"], told.get("system")
    by_form = next((system for system, form in _BILLED.items() if form.fullmatch(code)), None)
    system = BILLING_SYSTEMS.get(named or "", named) or by_form
    form = _BILLED.get(system or "")
    if system is None or (form is not None and not form.fullmatch(code)):
        raise Refused(
            "value",
            f"billing_codes[{place}].code",
            code,
            message=f"{code} is no code of {named or 'CPT or HCPCS'}",
        )
    parts: list[Object] = [{"url": "code", "valueCoding": {"system": system, "code": code}}]
    if told.get("modifier") is not None:
        parts.append({"url": "modifier", "valueString": told["modifier"]})
    if told.get("units") is not None:
        parts.append({"url": "units", "valueInteger": told["units"]})
    return {"url": "billingCode", "extension": parts}


def billing_system(url: str) -> str:
    """Return our word for a system of billing codes, its URL where there is none."""
    return next((word for word, known in BILLING_SYSTEMS.items() if known == url), url)


def _top(record: Record, new_id: NewId) -> At:
    return convert.top(record, ENCOUNTER, new_id)


_SETTERS: dict[str, Callable[[Record, Any, NewId], None]] = {
    "encounter_type": set_type,
    "status": set_status,
    "chief_complaint": set_chief_complaint,
    "location": set_location,
    "attending_physician": set_attending,
    "treatment_plan": set_treatment_plan,
    "billing_codes": add_billing_codes,
}
