"""Diagnoses, orders and procedures."""

from __future__ import annotations

from migrations.words import (
    check,
    child,
    code,
    day,
    drop,
    flag,
    index,
    instant,
    integer,
    json,
    key,
    link,
    listed,
    period,
    quantity,
    resource_key,
    table,
    text,
    unique,
)

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


NUMBERED = (
    "order_number IS NOT NULL AND accession_number IS NOT NULL OR record_state = 'draft' "
    "OR intent IN ('proposal', 'plan', 'directive', 'option')"
)


def upgrade() -> None:
    create_diagnoses()
    create_service_order()
    create_order_imaging()
    create_order_lab()
    create_order_procedure()
    create_order_status_event()
    create_procedure()
    create_procedure_performer()
    create_procedure_barrier()


def downgrade() -> None:
    drop(
        "procedure_barrier",
        "procedure_performer",
        "procedure",
        "order_status_event",
        "order_procedure",
        "order_lab",
        "order_imaging",
        "service_order",
        "diagnosis_stage",
        "diagnosis_evidence",
        "diagnosis",
    )


def create_diagnoses() -> None:
    """Diagnoses."""
    table(
        "diagnosis",
        resource_key(),
        link(patient="patient", encounter="encounter"),
        text("icd10_code"),
        code("side", "left right bilateral"),
        code("onset_kind", "dateTime Age Period Range string"),
        period("onset"),
        quantity("onset_age"),
        text("onset_text"),
        code("abatement_kind", "dateTime Age Period Range string"),
        period("abatement"),
        quantity("abatement_age"),
        text("abatement_text"),
        day("recorded_date", "asserted_date"),
        link(recorder="resource", asserter="resource"),
        index("patient_id", "onset_lo"),
        index("patient_id", "recorded_date_lo"),
        index("patient_id", "asserted_date_lo"),
        index("encounter_id"),
        index("icd10_code"),
        index("onset_age_value"),
        index("abatement_lo"),
        index("abatement_age_value"),
        index("recorded_date_lo"),
    )
    table(
        "diagnosis_evidence",
        child(),
        index("owner_id"),
    )
    table(
        "diagnosis_stage",
        child(),
        index("owner_id"),
    )


def create_service_order() -> None:
    """An order."""
    table(
        "service_order",
        resource_key(),
        text("order_number", "accession_number"),
        code("order_type", "IMAGING LAB PROCEDURE OTHER", required=True),
        link(patient="patient", encounter="encounter", requester="resource"),
        code("status", "ordered scheduled in_progress completed reported cancelled", required=True),
        code("record_state", "normal draft entered-in-error unknown", required=True, default="normal"),
        flag("on_hold", required=True, default="false"),
        code("priority", "routine urgent asap stat"),
        code(
            "intent",
            "proposal plan directive order original-order reflex-order filler-order instance-order option",
            required=True,
        ),
        flag("do_not_perform"),
        text("clinical_indication", "special_instructions"),
        day("authored"),
        code("occurrence_kind", "dateTime Period Timing"),
        period("occurrence"),
        day("scheduled_at"),
        instant("performed_at", "reported_at", "cancelled_at"),
        text("cancellation_reason"),
        link(performing_user="practitioner", reporting_user="practitioner"),
        quantity("quantity"),
        json("instantiates_canonical", "instantiates_uri"),
        flag("as_needed_boolean"),
        text("patient_instruction", "external_id"),
        unique("order_number"),
        unique("accession_number"),
        check("numbered", NUMBERED),
        index("patient_id", "status"),
        index("patient_id", "authored_lo"),
        index("encounter_id", "order_type"),
        index("status", "order_type"),
        index("priority", "status"),
        index("authored_lo"),
        index("occurrence_lo", "occurrence_hi"),
        index("scheduled_at_lo"),
    )


def create_order_imaging() -> None:
    """What an imaging order asks for."""
    table(
        "order_imaging",
        resource_key(),
        listed("modality_code", "ref_imaging_modality.code"),
        listed("body_part_code", "ref_body_part.code"),
        code("laterality", "left right bilateral"),
        text("procedure_code", "procedure_name"),
        flag("contrast"),
        text("clinical_history", "study_instance_uid"),
        integer("number_of_images"),
    )


def create_order_lab() -> None:
    """What a laboratory order asks for."""
    table(
        "order_lab",
        resource_key(),
        listed("test_code", "ref_lab_test.code"),
        text("test_name", "specimen_type", "specimen_source"),
        flag("fasting_required"),
        day("collection_date"),
        json("panel"),
    )


def create_order_procedure() -> None:
    """What an order of a procedure asks for."""
    table(
        "order_procedure",
        resource_key(),
        text("procedure_code", "procedure_name"),
        code("procedure_kind", "diagnostic therapeutic surgical other"),
        flag("anesthesia_required"),
        integer("estimated_minutes"),
    )


def create_order_status_event() -> None:
    """One step of the workflow."""
    table(
        "order_status_event",
        key("id", is_primary=True),
        key("order_id", "service_order.id", required=True, ondelete="CASCADE", at_commit=True),
        text("from_status"),
        text("to_status", required=True),
        instant("at", required=True),
        link(actor="app_user"),
        code("via", "fhir hl7v2 rest system", required=True),
        flag("implied", required=True, default="false"),
        text("note"),
        index("order_id", "at"),
    )


def create_procedure() -> None:
    """The act."""
    table(
        "procedure",
        resource_key(),
        link(patient="patient", encounter="encounter", order="service_order"),
        code(
            "status",
            "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
            required=True,
        ),
        code("surgical_status", "workup near_ready ready scheduled"),
        code(
            "cardiology_clearance",
            "not_required required pending cleared cleared_with_conditions not_cleared",
        ),
        day("cardiology_cleared_at"),
        text("cardiology_note"),
        code(
            "stress_test_status",
            "not_required required ordered scheduled completed_normal completed_abnormal declined",
        ),
        code("consent_status", "not_required needed signed refused"),
        code("side", "left right bilateral midline not_applicable"),
        link(scheduled_location="location"),
        text("scheduled_location_text"),
        period("scheduled"),
        integer("estimated_minutes", low=1),
        code("case_class", "elective urgent emergent"),
        integer("asa_class", low=1, high=6),
        code("anesthesia_type", "general spinal epidural regional_block combined mac local"),
        code("wound_class", "clean clean_contaminated contaminated dirty"),
        text("cpt_code"),
        code("performed_kind", "dateTime Period string Age Range"),
        period("performed"),
        text("performed_text"),
        quantity("performed_age"),
        link(recorder="resource", asserter="resource", location="location"),
        json("instantiates_canonical", "instantiates_uri"),
        text("details"),
        index("patient_id", "status"),
        index("patient_id", "performed_lo"),
        index("encounter_id"),
        index("order_id"),
        index("surgical_status", "scheduled_lo"),
        index("scheduled_location_id"),
        index("scheduled_lo", "scheduled_hi"),
        index("performed_lo", "performed_hi"),
    )


def create_procedure_performer() -> None:
    """Who performed it."""
    table(
        "procedure_performer",
        child(),
        link(actor="resource", on_behalf_of="organization"),
        code("role", "primary_surgeon co_surgeon assistant resident anesthesiologist scrub circulator other"),
        index("owner_id"),
    )


def create_procedure_barrier() -> None:
    """Something that keeps the procedure from being booked."""
    table(
        "procedure_barrier",
        child(),
        code(
            "kind",
            "cardiology pulmonary anesthesia labs imaging infection anticoagulation "
            "diabetes_control consent insurance_authorization equipment_implants bed transport "
            "patient_decision other",
            required=True,
        ),
        text("text"),
        flag("blocking", required=True),
        instant("opened_at", required=True),
        instant("resolved_at"),
        key("opened_by", "app_user.id"),
        key("resolved_by", "app_user.id"),
        index("owner_id"),
        index("kind", where="resolved_at IS NULL"),
    )
