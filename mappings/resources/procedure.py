"""Procedure: the act, from work-up to wound closure, with its readiness and its operative record.

https://hl7.org/fhir/R4/procedure.html; HL7v2 PR1: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import procedure_facts
from mappings.codecs import (
    CODE,
    DATETIME,
    DATETIME_OF_PERIOD,
    INSTANT,
    INT,
    LIST,
    PERIOD,
    QUANTITY,
    TEXT,
    Plain,
    coded,
)
from mappings.datatypes import ANNOTATION, CODEABLE_CONCEPT, IDENTIFIER, REFERENCE
from mappings.element import V2, Mapping, choice, ext, extension, extensions, linked, many, one, single
from mappings.search import column
from mappings.v2fields import annotation, of_table, text, time_stamp
from mappings.v2types import ei
from storage.model import procedure as model
from storage.model.procedure import Procedure, ProcedureBarrier, ProcedurePerformer

if TYPE_CHECKING:
    from mappings.element import Value


class BlockingCodec(Plain):
    """Whether a barrier blocks: it does unless it is told otherwise."""

    kind = bool

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        return False if columns[0] is False else None


def in_words(values: tuple[str, ...], **codes: str) -> Any:
    """Return a codec whose HL7v2 field (of a table that each site defines) holds our own words."""
    return coded({value.upper(): value for value in values}, **codes)


PERFORMER = Mapping(
    type="Procedure.performer",
    table=ProcedurePerformer,
    lines=(
        single("function", CODEABLE_CONCEPT),
        linked("actor", ProcedurePerformer.actor, REFERENCE, search="performer:reference"),
        linked("onBehalfOf", ProcedurePerformer.on_behalf_of, REFERENCE),
    ),
)
BARRIER = Mapping(
    type="Extension",
    table=ProcedureBarrier,
    completed=True,
    lines=(
        extension("kind", one("valueCode", ProcedureBarrier.kind, CODE)),
        extension("text", one("valueString", ProcedureBarrier.text, TEXT)),
        extension("blocking", one("valueBoolean", ProcedureBarrier.blocking, BlockingCodec())),
        extension("openedAt", one("valueDateTime", ProcedureBarrier.opened_at, INSTANT)),
        extension("resolvedAt", one("valueDateTime", ProcedureBarrier.resolved_at, INSTANT)),
    ),
)
OR_READINESS = extension(
    ext("or-readiness"),
    extension(
        "surgicalStatus", one("valueCode", Procedure.surgical_status, CODE, search="surgical-status:token")
    ),
    extension("cardiologyClearance", one("valueCode", Procedure.cardiology_clearance, CODE)),
    extension("cardiologyClearedAt", one("valueDateTime", Procedure.cardiology_cleared_at, DATETIME)),
    extension("cardiologyNote", one("valueString", Procedure.cardiology_note, TEXT)),
    extension("stressTestStatus", one("valueCode", Procedure.stress_test_status, CODE)),
    extension(
        "consentStatus",
        one("valueCode", Procedure.consent_status, in_words(Procedure.consent_status.values), "PR1-13"),
    ),
    extension(
        "side",
        one("valueCode", Procedure.side, coded({"LT": "left", "RT": "right", "50": "bilateral"}), "PR1-16"),
    ),
    extension(
        "scheduledLocation",
        linked(
            "valueReference",
            Procedure.scheduled_location,
            REFERENCE,
            search="scheduled-location:reference:Location",
            at="scheduledLocation",
        ),
    ),
    extension(
        "scheduledPeriod",
        one(
            "valuePeriod",
            Procedure.scheduled,
            PERIOD,
            V2("PV2-33", time_stamp, "start"),
            "scheduled-date:date",
        ),
    ),
    extension("estimatedMinutes", one("valueInteger", Procedure.estimated_minutes, INT)),
    extensions("barrier", "barrier", BARRIER),
    kept=True,
)
OR_RECORD = extension(
    ext("or-record"),
    extension("caseClass", one("valueCode", Procedure.case_class, CODE)),
    extension("asaClass", one("valueInteger", Procedure.asa_class, INT)),
    extension(
        "anesthesiaType", one("valueCode", Procedure.anesthesia_type, in_words(model.ANESTHESIA), "PR1-9")
    ),
    extension("woundClass", one("valueCode", Procedure.wound_class, CODE)),
    extension("details", one("valueString", Procedure.details, TEXT)),
)
PROCEDURE = Mapping(
    type="Procedure",
    table=Procedure,
    read_in=(procedure_facts.complete_barriers,),
    project=procedure_facts.PROJECT,
    search=(
        # Only what still stands in the way.
        column("barrier:token", "Procedure.extension", ProcedureBarrier.kind, resolved_at=None),
    ),
    lines=(
        many("identifier", IDENTIFIER, V2("PR1-19", ei), "identifier:token"),
        one(
            "instantiatesCanonical",
            Procedure.instantiates_canonical,
            LIST,
            search="instantiates-canonical:reference",
        ),
        one("instantiatesUri", Procedure.instantiates_uri, LIST, search="instantiates-uri:uri"),
        linked("basedOn", Procedure.order, REFERENCE, search="based-on:reference", repeats=True),
        many("partOf", REFERENCE, search="part-of:reference"),
        one("status", Procedure.status, CODE, search="status:token"),
        single("statusReason", CODEABLE_CONCEPT),
        single("category", CODEABLE_CONCEPT, V2("PR1-6", of_table("0230")), "category:token"),
        single("code", CODEABLE_CONCEPT, ("PR1-3", "OBR-44", V2("PR1-4", text, "text")), "code:token"),
        linked("subject", Procedure.patient, REFERENCE, search="patient:reference:Patient subject:reference"),
        linked("encounter", Procedure.encounter, REFERENCE, search="encounter:reference"),
        choice(
            "performed",
            Procedure.performed_kind,
            one("performedDateTime", Procedure.performed, DATETIME_OF_PERIOD, "PR1-5"),
            one("performedPeriod", Procedure.performed, PERIOD),
            one("performedString", Procedure.performed_text, TEXT),
            one("performedAge", Procedure.performed_age, QUANTITY),
            search="date:date",
        ),
        linked("recorder", Procedure.recorder, REFERENCE),
        linked("asserter", Procedure.asserter, REFERENCE),
        many("performer", PERFORMER),
        linked("location", Procedure.location, REFERENCE, search="location:reference"),
        many("reasonCode", CODEABLE_CONCEPT, "PR1-15", "reason-code:token"),
        many("reasonReference", REFERENCE, search="reason-reference:reference"),
        many("bodySite", CODEABLE_CONCEPT),
        single("outcome", CODEABLE_CONCEPT),
        many("report", REFERENCE),
        many("complication", CODEABLE_CONCEPT),
        many("complicationDetail", REFERENCE),
        many("followUp", CODEABLE_CONCEPT),
        many("note", ANNOTATION, V2("NTE-3", annotation)),
        many("usedReference", REFERENCE),
        many("usedCode", CODEABLE_CONCEPT),
        OR_READINESS,
        OR_RECORD,
        extensions(
            ext("procedure-modifier"),
            "modifier",
            CODEABLE_CONCEPT,
            "valueCodeableConcept",
            v2="PR1-16 OBR-45",
        ),
    ),
)
