"""Specimen.

https://hl7.org/fhir/R4/specimen.html; HL7v2 SPM, OBR: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.codecs import DATETIME, DATETIME_OF_PERIOD, PERIOD, QUANTITY, TEXT, coded
from mappings.datatypes import ANNOTATION, CODEABLE_CONCEPT, IDENTIFIER, REFERENCE
from mappings.element import V2, Mapping, choice, linked, many, one, part, single
from mappings.v2fields import annotation, entity, inner_concept, of_table
from storage.model.specimen import Specimen, SpecimenContainer

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition


FASTING = frozenset({"F", "NF", "NG", "FNA"})
"""Table 0916, relevant clinical information: what it says of fasting."""


def is_fasting(code: str) -> bool:
    """Tell whether a code of relevant clinical information is about fasting."""
    return code.strip().upper() in FASTING


def fasting(repetition: Repetition, context: V2Context) -> Value:
    """OBR-13 -> Specimen.collection.fastingStatus, where it is coded so (table 0916)."""
    return of_table("0916")(repetition, context) if is_fasting(repetition.component(1)) else None


def parent(repetition: Repetition, context: V2Context) -> Value:
    """SPM-3 (EIP) -> a Reference to the specimen that this one was taken of, by the filler's number or the
    placer's.
    """
    number = entity(2, "FILL")(repetition, context) or entity(1, "PLAC")(repetition, context)
    return {"type": "Specimen", "identifier": number} if number else None


def collected(repetition: Repetition, context: V2Context) -> Value:
    """SPM-17 (DR), OBR-7 -> Specimen.collection.collected[x]: a Period if it has an end, else a dateTime."""
    found = PERIOD.from_v2(repetition, context)
    if found and "end" in found:
        return {"collectedPeriod": found}
    return {"collectedDateTime": found["start"]} if found else None


CONTAINER = Mapping(
    type="Specimen.container",
    table=SpecimenContainer,
    lines=(
        many("identifier", IDENTIFIER, search="container-id:token"),
        one("description", SpecimenContainer.description, TEXT),
        single("type", CODEABLE_CONCEPT, "SPM-27", "container:token"),
        one("capacity", SpecimenContainer.capacity, QUANTITY),
        one("specimenQuantity", SpecimenContainer.specimen_quantity, QUANTITY),
        single("additiveCodeableConcept", CODEABLE_CONCEPT, "SPM-6", at="container.additive"),
        single("additiveReference", REFERENCE, at="container.additive"),
    ),
)
COLLECTION = part(
    "collection",
    linked("collector", Specimen.collector, REFERENCE, search="collector:reference"),
    choice(
        "collected",
        Specimen.collected_kind,
        one("collectedDateTime", Specimen.collected, DATETIME_OF_PERIOD, search="collected:date"),
        one("collectedPeriod", Specimen.collected, PERIOD, search="collected:date"),
        v2=(V2("SPM-17", collected), V2("OBR-7", collected)),
    ),
    one("quantity", Specimen.collection_quantity, QUANTITY, "SPM-12 OBR-9"),
    single("method", CODEABLE_CONCEPT, "SPM-7"),
    single("bodySite", CODEABLE_CONCEPT, ("SPM-8", V2("OBR-15", inner_concept(4))), "bodysite:token"),
    single(
        "fastingStatusCodeableConcept",
        CODEABLE_CONCEPT,
        V2("OBR-13", fasting),
        at="collection.fastingStatus",
    ),
)
SPECIMEN = Mapping(
    type="Specimen",
    table=Specimen,
    lines=(
        many(
            "identifier",
            IDENTIFIER,
            (V2("SPM-2", entity(1, "PLAC")), V2("SPM-2", entity(2, "FILL"))),
            "identifier:token",
        ),
        single("accessionIdentifier", IDENTIFIER, "SPM-30", "accession:token"),
        one("status", Specimen.status, coded(Y="available", N="unavailable"), "SPM-20", "status:token"),
        single("type", CODEABLE_CONCEPT, ("SPM-4", V2("OBR-15", inner_concept(1))), "type:token"),
        linked("subject", Specimen.patient, REFERENCE, search="patient:reference:Patient subject:reference"),
        one("receivedTime", Specimen.received_time, DATETIME, "SPM-18 OBR-14"),
        many("parent", REFERENCE, V2("SPM-3", parent), "parent:reference"),
        many("request", REFERENCE),
        COLLECTION,
        many("container", CONTAINER),
        many("condition", CODEABLE_CONCEPT, "SPM-24"),
        many("note", ANNOTATION, (V2("SPM-14", annotation), V2("OBR-39", annotation))),
    ),
)
