"""Readers of the fields of ORC, OBR and TQ1 whose meaning lies in one component or in a table of codes.

https://hl7.org/fhir/uv/v2mappings/2024Sep/coding_maps.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.order_facts import MODALITY
from mappings.v2fields import entity
from mappings.v2types import compact, ei, typed

DCM = "http://dicom.nema.org/resources/ontology/DCM"

if TYPE_CHECKING:
    from mappings.element import Reader, V2Context, Value
    from mappings.er7 import Repetition

PRIORITY = {"S": "stat", "A": "asap", "R": "routine", "P": "urgent"}
"""Table 0485; the timing critical ones (T, TS, TM, TH..., with or without a number) are urgent."""
INTENT = {"G": "reflex-order"}
"""Table 0065, specimen action code."""


MODALITIES = {
    "CR": ("XRAY", "CR"),
    "DX": ("XRAY", "DX"),
    "CT": ("CT", "CT"),
    **dict.fromkeys(("MR", "NMR"), ("MRI", "MR")),
    **dict.fromkeys(("US", "RUS", "OUS", "VUS"), ("US", "US")),
    "MG": ("MG", "MG"),
    "RF": ("FL", "RF"),
}
"""Modality as DICOM or table 0074 writes it -> our code, and the one of DICOM."""


def priority(component: int = 1) -> Reader:
    """Return a reader of the priority in a component: 1 of TQ1-9 and OBR-5, 6 of a TQ (ORC-7, OBR-27)."""

    def reader(repetition: Repetition, context: V2Context) -> Value:
        del context
        code = repetition.component(component).strip().upper()
        return "urgent" if code.startswith("T") else PRIORITY.get(code)

    return reader


def modality(repetition: Repetition, context: V2Context) -> Value:
    """IPC-5, OBR-24 -> CodeableConcept of our modality and DICOM's; None for what is no modality."""
    del context
    found = MODALITIES.get(repetition.component(1).strip().upper())
    if found is None:
        return None
    own, dicom = found
    return {"coding": [{"system": MODALITY, "code": own}, {"system": DCM, "code": dicom}]}


def placer_group(repetition: Repetition, context: V2Context) -> Value:
    """ORC-4 -> the number of the placer's group: an EI; since 2.8.2, and of some before, half of an EIP."""
    if context.version >= "2.8.2" or repetition.component(1, 2) or repetition.component(2, 2):
        return entity(1, "PGN")(repetition, context)
    return typed(ei, "PGN")(repetition, context)


def as_needed(repetition: Repetition, context: V2Context) -> Value:
    """TQ1-9 PRN -> asNeededBoolean."""
    del context
    return True if repetition.component(1).strip().upper() == "PRN" else None


def instruction(component: int) -> Reader:
    """Return a reader of a text that becomes an uncoded CodeableConcept: TQ1-11, component 8 of OBR-27."""

    def reader(repetition: Repetition, context: V2Context) -> Value:
        del context
        return compact(text=(repetition.text if component == 0 else repetition.component(component)).strip())

    return reader
