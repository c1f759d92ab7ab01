"""The codings and texts of an element that is kept as rows of concepts: for what follows from them.

https://hl7.org/fhir/R4/datatypes.html#CodeableConcept
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.model.shared import Coding, Concept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from storage.model.columns import Row
    from storage.record import Record

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
CPT = "http://www.ama-assn.org/go/cpt"
SIDES = {
    "left": ("7771000", "Left"),
    "right": ("24028007", "Right"),
    "bilateral": ("51440002", "Right and left"),
    "midline": ("399488007", "Midline"),
}
"""Side -> its code in SNOMED CT, and the display of that."""
SIDE_OF = {code: side for side, (code, _) in SIDES.items()} | {"260528009": "midline"}
"""Code of SNOMED CT -> side; what is in the middle ("median") is on the midline."""


def codings(record: Record, element: str, parent: UUID | None = None) -> Iterator[Row]:
    """Yield the coding rows of an element, in order; ``parent`` is the inner row that it hangs on."""
    for concept in record.rows(Concept, parent, element):
        yield from record.rows(Coding, concept["id"], element)


def code_of(record: Record, element: str, system: str, parent: UUID | None = None) -> str | None:
    """Return the first code that an element has in a system."""
    found = (row["code"] for row in codings(record, element, parent) if row["system"] == system)
    return next((code for code in found if code), None)


def text_without_code(record: Record, element: str) -> str | None:
    """Return the text of the first concept of an element that has a text and no coding."""
    uncoded = (
        concept["text"]
        for concept in record.rows(Concept, None, element)
        if concept["text"] and not record.rows(Coding, concept["id"], element)
    )
    return next(uncoded, None)


def name_of(record: Record, element: str, system: str) -> str | None:
    """Return an element's name: the display of its coding in a system, else its text, else any display."""
    found = list(codings(record, element))
    own = (row["display"] for row in found if row["system"] == system and row["display"])
    texts = (concept["text"] for concept in record.rows(Concept, None, element) if concept["text"])
    displays = (row["display"] for row in found if row["display"])
    return next(own, None) or next(texts, None) or next(displays, None)
