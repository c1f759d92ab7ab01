"""Diagnoses set from inside (JSON): an ICD-10 code, when it was made, and its rank in its encounter.

https://hl7.org/fhir/R4/condition.html and https://hl7.org/fhir/R4/encounter-definitions.html#Encounter.diagnosis
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mappings.element import Refused
from mappings.inside import coding, concept, set_extension, set_value, value_of
from mappings.resources.condition import ASSERTED_DATE, CONDITION, VERIFICATION
from mappings.resources.condition_projections import ICD10
from mappings.resources.encounter import ENCOUNTER

if TYPE_CHECKING:
    from mappings.convert import NewId
    from mappings.inside import Object
    from storage.record import Record

CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_FORM = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?", re.ASCII)


def icd10_code(text: str) -> str:
    """Return an ICD-10 code in capitals. Raises Refused where it has not the form of one."""
    code = text.strip().upper()
    if not _FORM.fullmatch(code):
        raise Refused("value", "icd10_code", text, message=f"{text} is no ICD-10 code such as M16.12")
    return code


def begin(record: Record, patient: str, encounter: str, new_id: NewId) -> None:
    """Let a new record be an active, confirmed diagnosis of an encounter (both by literal references)."""
    told = {
        "clinicalStatus": concept(coding(CLINICAL, "active")),
        "verificationStatus": concept(coding(VERIFICATION, "confirmed")),
        "category": [concept(coding(CATEGORY, "encounter-diagnosis", "Encounter Diagnosis"))],
        "subject": {"reference": patient},
        "encounter": {"reference": encounter},
    }
    for element, value in told.items():
        set_value(record, CONDITION, element, value, new_id)


def set_code(record: Record, code: str | None, description: str | None, new_id: NewId) -> None:
    """Set what it is: the code of ICD-10-CM, and what is written of it; a text alone has no code."""
    coded = coding(ICD10[0], code, description) if code else None
    set_value(record, CONDITION, "code", concept(coded, text=description), new_id)


def set_date(record: Record, date: str, new_id: NewId) -> None:
    """Set when the diagnosis was made."""
    set_extension(record, CONDITION, ASSERTED_DATE, {"valueDateTime": date}, new_id)


def enter(encounter: Record, diagnosis: str, new_id: NewId, *, primary: bool) -> None:
    """Enter a diagnosis (a literal reference) in its encounter: as the primary one, before those that are
    there, or after them.
    """
    present: list[Object] = value_of(encounter, ENCOUNTER, "diagnosis", new_id) or []
    ranks = [item["rank"] for item in present if "rank" in item]
    if primary and 1 in ranks:
        present = [item | ({"rank": item["rank"] + 1} if "rank" in item else {}) for item in present]
    rank = 1 if primary else max((1, *ranks)) + 1
    item: Object = {"condition": {"reference": diagnosis}, "rank": rank}
    set_value(encounter, ENCOUNTER, "diagnosis", [*present, item], new_id)
