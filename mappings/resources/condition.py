"""Condition: a diagnosis.

https://hl7.org/fhir/R4/condition.html; HL7v2 DG1: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.codecs import DATETIME, DATETIME_OF_PERIOD, PERIOD, QUANTITY, TEXT
from mappings.datatypes import ANNOTATION, CODEABLE_CONCEPT, IDENTIFIER, REFERENCE
from mappings.element import V2, Mapping, choice, extension, linked, many, one, single
from mappings.resources.condition_projections import set_icd10_code, set_side
from mappings.v2fields import text
from mappings.v2types import ei
from storage.model.diagnosis import Diagnosis, DiagnosisEvidence, DiagnosisStage

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition

ASSERTED_DATE = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def withdrawn(repetition: Repetition, context: V2Context) -> Value:
    """DG1-21 -> Condition.verificationStatus: D (delete) tells that the diagnosis was entered in error."""
    del context
    deleted = repetition.component(1).strip().upper() == "D"
    return {"coding": [{"system": VERIFICATION, "code": "entered-in-error"}]} if deleted else None


STAGE = Mapping(
    type="Condition.stage",
    table=DiagnosisStage,
    lines=(
        single("summary", CODEABLE_CONCEPT, search="stage:token"),
        many("assessment", REFERENCE),
        single("type", CODEABLE_CONCEPT),
    ),
)
EVIDENCE = Mapping(
    type="Condition.evidence",
    table=DiagnosisEvidence,
    lines=(
        many("code", CODEABLE_CONCEPT, search="evidence:token"),
        many("detail", REFERENCE, search="evidence-detail:reference"),
    ),
)
ONSET = choice(
    "onset",
    Diagnosis.onset_kind,
    one("onsetDateTime", Diagnosis.onset, DATETIME_OF_PERIOD, "DG1-5", "onset-date:date"),
    one("onsetAge", Diagnosis.onset_age, QUANTITY, search="onset-age:quantity"),
    one("onsetPeriod", Diagnosis.onset, PERIOD, search="onset-date:date"),
    one("onsetString", Diagnosis.onset_text, TEXT, search="onset-info:string"),
)
ABATEMENT = choice(
    "abatement",
    Diagnosis.abatement_kind,
    one("abatementDateTime", Diagnosis.abatement, DATETIME_OF_PERIOD, search="abatement-date:date"),
    one("abatementAge", Diagnosis.abatement_age, QUANTITY, search="abatement-age:quantity"),
    one("abatementPeriod", Diagnosis.abatement, PERIOD, search="abatement-date:date"),
    one("abatementString", Diagnosis.abatement_text, TEXT, search="abatement-string:string"),
)
CONDITION = Mapping(
    type="Condition",
    table=Diagnosis,
    project=(set_icd10_code, set_side),
    lines=(
        many("identifier", IDENTIFIER, V2("DG1-20", ei), "identifier:token"),
        single("clinicalStatus", CODEABLE_CONCEPT, search="clinical-status:token"),
        single("verificationStatus", CODEABLE_CONCEPT, V2("DG1-21", withdrawn), "verification-status:token"),
        many("category", CODEABLE_CONCEPT, search="category:token"),
        single("severity", CODEABLE_CONCEPT, search="severity:token"),
        single("code", CODEABLE_CONCEPT, ("DG1-3", V2("DG1-4", text, "text")), "code:token"),
        many("bodySite", CODEABLE_CONCEPT, search="body-site:token"),
        linked("subject", Diagnosis.patient, REFERENCE, search="patient:reference:Patient subject:reference"),
        linked("encounter", Diagnosis.encounter, REFERENCE, search="encounter:reference"),
        ONSET,
        ABATEMENT,
        one("recordedDate", Diagnosis.recorded_date, DATETIME, "DG1-19", "recorded-date:date"),
        linked("recorder", Diagnosis.recorder, REFERENCE),
        linked("asserter", Diagnosis.asserter, REFERENCE, search="asserter:reference"),
        many("stage", STAGE),
        many("evidence", EVIDENCE),
        many("note", ANNOTATION),
        extension(
            ASSERTED_DATE,
            one("valueDateTime", Diagnosis.asserted_date, DATETIME, search="asserted-date:date"),
        ),
    ),
)
