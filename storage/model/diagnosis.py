"""Diagnoses."""

from __future__ import annotations

from storage.model.columns import Canonical, Code, Date, Link, Period, Quantity, Text, index
from storage.model.resource import Child, Typed

SPANS = ("dateTime", "Age", "Period", "Range", "string")


class Diagnosis(
    Typed,
    name="diagnosis",
    indexes=(
        index("onset_lo"),
        index("asserted_date_lo"),
        index("patient_id", "recorded_date_lo"),
        index("patient_id", "onset_lo"),
        index("patient_id", "asserted_date_lo"),
        index("recorded_date_lo"),
        index("abatement_lo"),
        index("onset_age_value"),
        index("abatement_age_value"),
        index("onset_age_canonical_unit", "onset_age_canonical"),
        index("abatement_age_canonical_unit", "abatement_age_canonical"),
        index("icd10_code"),
        index("encounter_id"),
    ),
):
    """A diagnosis; its code, status, category, severity and sites are concepts."""

    patient = Link("patient")
    encounter = Link("encounter")
    icd10_code = Text(10)
    side = Code("left", "right", "bilateral")
    onset_kind = Code(*SPANS)
    onset = Period()
    onset_age = Quantity()
    onset_text = Text()
    abatement_kind = Code(*SPANS)
    abatement = Period()
    abatement_age = Quantity()
    abatement_text = Text()
    recorded_date = Date()
    asserted_date = Date()
    recorder = Link("resource")
    asserter = Link("resource")
    onset_age_canonical = Canonical()
    abatement_age_canonical = Canonical()


class DiagnosisEvidence(Child, name="diagnosis_evidence", indexes=(index("owner_id"),)):
    """Evidence: codes are concepts, details are references."""


class DiagnosisStage(Child, name="diagnosis_stage", indexes=(index("owner_id"),)):
    """A stage: summary and type are concepts, assessments are references."""
