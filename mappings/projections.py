"""Columns that follow from other rows of the same resource, set before it is rendered and stored.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from mappings.element import sid
from storage.model.columns import Row
from storage.model.shared import Coding, Concept, Identifier, PersonName
from storage.record import Record

MRN = sid("mrn")


def has_type(record: Record, identifier: Row, code: str) -> bool:
    """Tell whether an identifier row has a type of HL7 table 0203."""
    return any(
        coding["code"] == code
        for concept in record.rows(Concept, identifier["id"], "identifier.type")
        for coding in record.rows(Coding, concept["id"], "identifier.type")
    )


def patient_names(record: Record) -> None:
    """Set mrn and its system (the identifier of our MRN system, else the first of type MR) and the display
    name.
    """
    identifiers = record.rows(Identifier, None, "identifier")
    found = next((row for row in identifiers if row["system"] == MRN), None) or next(
        (row for row in identifiers if has_type(record, row, "MR")), None
    )
    record.main["mrn_system"] = found and found["system"]
    record.main["mrn"] = found and found["value"]
    record.main["display_name"] = display_name(record)


def display_name(record: Record) -> str | None:
    """Return "Family, Given" of the official, else the usual, else the first name."""
    names = record.rows(PersonName, None, "name")
    rank = {"official": 0, "usual": 1}
    best = min(names, key=lambda row: rank.get(row["use"], 2), default=None)
    if best is None:
        return None
    given = " ".join(part for part in best["given"] or () if part)
    return ", ".join(part for part in (best["family"], given) if part) or best["text"]
