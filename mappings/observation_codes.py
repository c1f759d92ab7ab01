"""HL7v2 tables 0085 (status), 0078 (interpretation) as Observation has them.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-table-hl70085-to-observation-status.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.v2types import V2_TABLE, codings, cwe

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
STATUS = {
    "F": "final",
    "U": "final",
    "V": "final",
    "P": "preliminary",
    "R": "preliminary",
    "S": "preliminary",
    "C": "corrected",
    "A": "amended",
    "D": "entered-in-error",
    "W": "entered-in-error",
    "X": "cancelled",
    "N": "cancelled",
    "I": "registered",
    "O": "registered",
    "B": "registered",
}
"""Table 0085, status of a result -> ObservationStatus."""
INTERPRETATIONS = frozenset(
    {
        "CAR",
        "B",
        "D",
        "U",
        "W",
        "<",
        ">",
        "A",
        "AA",
        "HH",
        "LL",
        "H",
        "HU",
        "L",
        "LU",
        "N",
        "I",
        "NCL",
        "NS",
        "R",
        "SYN-R",
        "S",
        "SDD",
        "SYN-S",
        "DET",
        "IND",
        "E",
        "NEG",
        "ND",
        "POS",
        "HX",
        "LX",
        "RR",
        "WR",
        "NR",
        "TOX",
        "IE",
        "EXP",
        "UNE",
    }
)
"""Codes of table 0078 that v3-ObservationInterpretation has too; it lacks AC, HM, OBX and QCF."""


def interpretation(repetition: Repetition, context: V2Context) -> Value:
    """OBX-8 -> Observation.interpretation: a code of table 0078, in FHIR's own system where it is there."""
    found = codings(repetition)
    if not found or "system" in found[0]:
        return cwe(repetition, context)
    code = str(found[0]["code"])
    known = code.upper() if code.upper() in INTERPRETATIONS else None
    told = {"system": INTERPRETATION, "code": known} if known else {"system": V2_TABLE + "0078", "code": code}
    display = found[0].get("display")
    return {"coding": [told | ({"display": display} if display else {}), *found[1:]]}


def absent_reason(repetition: Repetition, context: V2Context) -> Value:
    """OBX-11 -> Observation.dataAbsentReason: N (not asked) tells that there is no value, and why."""
    del context
    asked = repetition.component(1).strip().upper() != "N"
    return None if asked else {"coding": [{"system": ABSENT_REASON, "code": "not-asked"}]}
