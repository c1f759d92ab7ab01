"""Readers of the coded fields of PV1 and DG1 that belong to an Encounter: class, status, role of a diagnosis.

https://hl7.org/fhir/uv/v2mappings/2024Sep/coding_maps.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.v2types import V2_TABLE, coding

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
DIAGNOSIS_ROLE = "http://terminology.hl7.org/CodeSystem/diagnosis-role"

CLASS = {
    "E": ("EMER", "emergency"),
    "I": ("IMP", "inpatient encounter"),
    "O": ("AMB", "ambulatory"),
    "P": ("PRENC", "pre-admission"),
}
"""Table 0004, patient class -> v3-ActCode and its display; the other classes stay codes of the table."""
STATUS = {"P": "planned", "U": "unknown"}
"""Table 0004 -> status while PV1-45 is empty; every other class is in progress."""
USE_TEXT = {"W": "Working", "F": "Final"}


def patient_class(repetition: Repetition, context: V2Context) -> Value:
    """PV1-2 -> Encounter.class, a Coding."""
    del context
    code = repetition.component(1).strip().upper()
    if code in CLASS:
        system, (code, display) = ACT_CODE, CLASS[code]
        return {"system": system, "code": code, "display": display}
    return {"system": V2_TABLE + "0004", "code": code} if code else None


def status(repetition: Repetition, context: V2Context) -> Value:
    """PV1-2 -> Encounter.status of a visit that has not ended; None where the field is empty."""
    del context
    code = repetition.component(1).strip().upper()
    return STATUS.get(code, "in-progress") if code else None


def finished(repetition: Repetition, context: V2Context) -> Value:
    """PV1-45 -> Encounter.status: a visit with a time of discharge has ended."""
    del context
    return "finished" if repetition.component(1).strip() else None


def diagnosis_use(repetition: Repetition, context: V2Context) -> Value:
    """DG1-6 -> Encounter.diagnosis.use: an admitting diagnosis has a code, a working or final one a text."""
    del context
    code = repetition.component(1).strip().upper()
    if code == "A":
        return {"coding": [{"system": DIAGNOSIS_ROLE, "code": "AD", "display": "Admission diagnosis"}]}
    return {"text": USE_TEXT.get(code, code)} if code else None


def diagnosis_rank(repetition: Repetition, context: V2Context) -> Value:
    """DG1-15 -> Encounter.diagnosis.rank; 0 (not ranked) is none. Raises ValueError where it is no number."""
    del context
    found = repetition.component(1).strip()
    return int(found) or None if found else None


def mode_of_arrival(repetition: Repetition, context: V2Context) -> Value:
    """PV2-38, CWE of table 0430 -> a Coding."""
    made = coding(repetition, context)
    return made and {"system": V2_TABLE + "0430", **made}
