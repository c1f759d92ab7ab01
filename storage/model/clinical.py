"""Allergies, medication and insurance cover of a patient."""

from __future__ import annotations

from storage.model.columns import Code, Date, Integer, Json, Link, Period, Text, index
from storage.model.resource import Child, Typed

INSURANCE_TYPES = (
    "commercial",
    "medicare",
    "medicaid",
    "tricare",
    "va",
    "workers_comp",
    "auto",
    "self_pay",
    "other",
)


class Allergy(
    Typed,
    name="allergy",
    indexes=(
        index("criticality"),
        index("type"),
        index("recorded_date_lo"),
        index("last_occurrence_lo"),
        index("patient_id"),
        index("encounter_id"),
    ),
):
    """An allergy or intolerance; what to, and its clinical and verification status, are concepts."""

    patient = Link("patient")
    encounter = Link("encounter")
    type = Code("allergy", "intolerance")
    category = Json()
    criticality = Code("low", "high", "unable-to-assess")
    onset = Date()
    recorded_date = Date()
    last_occurrence = Date()
    recorder = Link("practitioner")
    asserter = Link("resource")


class AllergyReaction(Child, name="allergy_reaction", indexes=(index("owner_id"),)):
    """One reaction; substance, manifestations and route are concepts."""

    description = Text()
    onset = Date()
    severity = Code("mild", "moderate", "severe")


class Medication(
    Typed,
    name="medication",
    indexes=(index("status"), index("effective_lo"), index("patient_id", "status"), index("context_id")),
):
    """A statement that a patient takes a medicine; the medicine, category and reasons are concepts."""

    patient = Link("patient")
    context = Link("encounter")
    information_source = Link("resource")
    status = Code(
        "active",
        "completed",
        "entered-in-error",
        "intended",
        "stopped",
        "on-hold",
        "unknown",
        "not-taken",
        required=True,
    )
    effective_kind = Code("dateTime", "Period")
    effective = Period()
    date_asserted = Date()
    dosage_text = Text()


class Coverage(Typed, name="coverage", indexes=(index("patient_id", "status"), index("status"))):
    """An insurance cover; ``subscriber_number`` is the number, ``subscriber`` the person who holds it."""

    patient = Link("patient")
    status = Code("active", "cancelled", "draft", "entered-in-error", required=True)
    position = Integer()
    insurance_type = Code(*INSURANCE_TYPES)
    subscriber = Link("resource")
    policy_holder = Link("resource")
    subscriber_number = Text(80)
    dependent = Text(40)
    network = Text(120)
    period = Period()


class CoverageClass(Child, name="coverage_class", indexes=(index("owner_id"),)):
    """A class of a cover (group, plan), its type a concept."""

    value = Text(120, required=True)
    name = Text(255)
