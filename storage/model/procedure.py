"""Procedures, from work-up to wound closure, with what stands in their way and what was found."""

from __future__ import annotations

import sqlalchemy as sa

from storage.model.columns import (
    Boolean,
    Code,
    Date,
    Decimal,
    Instant,
    Integer,
    Json,
    Key,
    Link,
    Period,
    Quantity,
    Text,
    index,
)
from storage.model.resource import Child, Detail, Typed

STATUSES = (
    "preparation",
    "in-progress",
    "not-done",
    "on-hold",
    "stopped",
    "completed",
    "entered-in-error",
    "unknown",
)
SURGICAL_STATUSES = ("workup", "near_ready", "ready", "scheduled")
CLEARANCES = ("not_required", "required", "pending", "cleared", "cleared_with_conditions", "not_cleared")
STRESS_TESTS = (
    "not_required",
    "required",
    "ordered",
    "scheduled",
    "completed_normal",
    "completed_abnormal",
    "declined",
)
ANESTHESIA = ("general", "spinal", "epidural", "regional_block", "combined", "mac", "local")
BARRIERS = (
    "cardiology",
    "pulmonary",
    "anesthesia",
    "labs",
    "imaging",
    "infection",
    "anticoagulation",
    "diabetes_control",
    "consent",
    "insurance_authorization",
    "equipment_implants",
    "bed",
    "transport",
    "patient_decision",
    "other",
)
SEGMENTS = (
    "aorta_suprarenal",
    "aorta_infrarenal",
    "celiac",
    "sma",
    "ima",
    "renal",
    "common_iliac",
    "external_iliac",
    "internal_iliac",
    "common_femoral",
    "profunda",
    "sfa_proximal",
    "sfa_mid",
    "sfa_distal",
    "popliteal_p1",
    "popliteal_p2",
    "popliteal_p3",
    "tibioperoneal_trunk",
    "anterior_tibial",
    "posterior_tibial",
    "peroneal",
    "dorsalis_pedis",
    "plantar",
    "common_carotid",
    "internal_carotid",
    "external_carotid",
    "vertebral",
    "subclavian",
    "axillary",
    "brachial",
    "radial",
    "ulnar",
    "bypass_graft",
    "stent",
)
FINDINGS = (
    "patent",
    "stenosis",
    "occlusion",
    "aneurysm",
    "dissection",
    "thrombus",
    "embolus",
    "pseudoaneurysm",
    "in_stent_restenosis",
    "not_visualized",
)
MEASURES = (
    "abi",
    "tbi",
    "tcpo2",
    "toe_pressure",
    "rutherford",
    "fontaine",
    "tasc",
    "wifi_wound",
    "wifi_ischemia",
    "wifi_infection",
)


class Procedure(
    Typed,
    name="procedure",
    indexes=(
        index("status"),
        index("patient_id", "performed_lo"),
        index("patient_id", "status"),
        index("performed_lo", "performed_hi"),
        index("surgical_status", "scheduled_lo"),
        index("scheduled_lo", "scheduled_hi"),
        index("scheduled_location_id"),
        index("encounter_id"),
        index("order_id"),
    ),
):
    """The act; ``surgical_status`` is its readiness while in preparation, NULL if never on the OR board."""

    patient = Link("patient")
    encounter = Link("encounter")
    order = Link("service_order")
    status = Code(*STATUSES, required=True)
    surgical_status = Code(*SURGICAL_STATUSES)
    cardiology_clearance = Code(*CLEARANCES)
    cardiology_cleared_at = Date()
    cardiology_note = Text()
    stress_test_status = Code(*STRESS_TESTS)
    consent_status = Code("not_required", "needed", "signed", "refused")
    side = Code("left", "right", "bilateral", "midline", "not_applicable")
    scheduled_location = Link("location")
    scheduled_location_text = Text(120)
    scheduled = Period()
    estimated_minutes = Integer(1)
    case_class = Code("elective", "urgent", "emergent")
    asa_class = Integer(1, 6)
    anesthesia_type = Code(*ANESTHESIA)
    wound_class = Code("clean", "clean_contaminated", "contaminated", "dirty")
    cpt_code = Text(5)
    performed_kind = Code("dateTime", "Period", "string", "Age", "Range")
    performed = Period()
    performed_text = Text()
    performed_age = Quantity()
    recorder = Link("resource")
    asserter = Link("resource")
    location = Link("location")
    instantiates_canonical = Json()
    instantiates_uri = Json()
    details = Text()


class ProcedurePerformer(Child, name="procedure_performer", indexes=(index("owner_id"),)):
    """Who performed it; the function is a concept, ``role`` its local code."""

    actor = Link("resource")
    on_behalf_of = Link("organization")
    role = Code(
        "primary_surgeon",
        "co_surgeon",
        "assistant",
        "resident",
        "anesthesiologist",
        "scrub",
        "circulator",
        "other",
    )


class ProcedureBarrier(
    Child,
    name="procedure_barrier",
    indexes=(index("owner_id"), index("kind", where="resolved_at IS NULL")),
):
    """Something that keeps the procedure from being booked; open until ``resolved_at`` is set."""

    kind = Code(*BARRIERS, required=True)
    text = Text()
    blocking = Boolean(required=True)
    opened_at = Instant(required=True)
    resolved_at = Instant()
    opened_by = Key("app_user.id")
    resolved_by = Key("app_user.id")


class ArterialFinding(
    Detail,
    name="arterial_finding",
    constraints=(sa.CheckConstraint("(kind = 'segment') = (segment IS NOT NULL)", name="segment_of_kind"),),
    indexes=(index("procedure_id"),),
):
    """An observation of an artery: of one segment, or an index or class of a limb."""

    procedure = Link("procedure")
    kind = Code("segment", "index", required=True)
    side = Code("left", "right", "midline")
    segment = Code(*SEGMENTS)
    finding = Code(*FINDINGS)
    stenosis_pct = Integer(0, 100)
    length_mm = Decimal(unit="mm")
    diameter_mm = Decimal(unit="mm")
    psv_cm_s = Decimal(unit="cm/s")
    calcification = Code("none", "mild", "moderate", "severe")
    runoff_vessels = Integer(0, 3)
    source_modality = Code("cta", "mra", "duplex", "angiography", "physical_exam")
    measure = Code(*MEASURES)
    measure_value = Decimal()
    measure_class = Text(8)
