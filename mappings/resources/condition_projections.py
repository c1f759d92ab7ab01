"""Columns of a diagnosis that follow from its code and body sites.

https://hl7.org/fhir/R4/condition-definitions.html#Condition.bodySite
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.concepts import SIDE_OF, SNOMED, codings
from storage.model.diagnosis import Diagnosis

if TYPE_CHECKING:
    from storage.record import Record

ICD10 = ("http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10")
"""The systems whose code stands in ``icd10_code``, the preferred one first."""


def set_icd10_code(record: Record) -> None:
    """Set the ICD-10 code: the first of ICD-10-CM, else of ICD-10."""
    found = [(row["system"], row["code"]) for row in codings(record, "code") if row["code"]]
    ranked = (code for wanted in ICD10 for system, code in found if system == wanted)
    record.main["icd10_code"] = next(ranked, None)


def set_side(record: Record) -> None:
    """Set the side that the body sites are coded with; none where they tell different ones."""
    told = {SIDE_OF.get(row["code"]) for row in codings(record, "bodySite") if row["system"] == SNOMED}
    told &= {*Diagnosis.side.values}
    record.main["side"] = told.pop() if len(told) == 1 else None
