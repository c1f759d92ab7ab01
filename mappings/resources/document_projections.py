"""The kind of a document, which follows from the codes of its type, and how confidential it is.

https://hl7.org/fhir/R4/documentreference-definitions.html#DocumentReference.type
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.concepts import LOINC, codings
from mappings.element import cs
from mappings.v2fields import of_table
from mappings.v2types import V2_TABLE
from storage.documents import CONFIDENTIALITY
from storage.model.document import KINDS

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition
    from storage.record import Record

OWN = cs("document-kind")
OF_LOINC = {
    "18748-4": "imaging",
    "11502-2": "lab_report",
    "11504-8": "operative_note",
    "59284-0": "consent",
    "18842-5": "discharge_summary",
    "34117-2": "history_physical",
    "11506-3": "progress_note",
    "11488-4": "consult",
    "11526-1": "pathology",
}
OF_V2 = {
    "DI": "imaging",
    "OP": "operative_note",
    "DS": "discharge_summary",
    "HP": "history_physical",
    "PH": "history_physical",
    "PR": "progress_note",
    "CN": "consult",
    "PC": "consult",
    "SP": "pathology",
    "AR": "pathology",
}
"""Table 0270, document type."""
LEVELS = {"U": ("N", "normal"), "R": ("R", "restricted"), "V": ("V", "very restricted")}
"""Table 0272, document confidentiality status -> v3-Confidentiality and its display."""


def confidentiality(repetition: Repetition, context: V2Context) -> Value:
    """TXA-18 -> DocumentReference.securityLabel; a code of no HL7 table stays one of its own."""
    found = LEVELS.get(repetition.component(1).strip().upper())
    if found is None:
        return of_table("0272")(repetition, context)
    return {"coding": [{"system": CONFIDENTIALITY, "code": found[0], "display": found[1]}]}


def document_kind(system: str | None, code: str | None) -> str | None:
    """Return the kind of document that a code tells; ``other`` for a code of LOINC, of HL7 table 0270 or of
    ours that is none of them, None for a code of another system.
    """
    if not code:
        return None
    if system == OWN:
        return code if code in KINDS else "other"
    if system == f"{V2_TABLE}0270":
        return OF_V2.get(code.upper(), "other")
    return OF_LOINC.get(code, "other") if system == LOINC else None


def set_document_kind(record: Record) -> None:
    """Set the kind of the document: what our own code tells, else the first code that tells one."""
    found = sorted(codings(record, "type"), key=lambda row: row["system"] != OWN)
    told = [kind for row in found if (kind := document_kind(row["system"], row["code"]))]
    plain = next((kind for kind in told if kind != "other"), None)
    record.main["document_kind"] = plain or next(iter(told), None)
