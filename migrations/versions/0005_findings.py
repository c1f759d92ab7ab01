"""Specimens, observations, reports and documents."""

from __future__ import annotations

from alembic import op

from migrations.words import (
    check,
    child,
    code,
    day,
    drop,
    flag,
    hanging,
    index,
    integer,
    json,
    link,
    number,
    period,
    quantity,
    resource_key,
    table,
    text,
)

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


PATIENT_BODY = """
CREATE VIEW v_patient_body AS
WITH newest AS (
    SELECT DISTINCT ON (o.patient_id, c.code)
        o.patient_id,
        c.code,
        o.value_value * CASE coalesce(o.value_code, o.value_unit)
            WHEN 'cm' THEN 1 WHEN 'm' THEN 100 WHEN 'mm' THEN 0.1
            WHEN '[in_i]' THEN 2.54 WHEN '[ft_i]' THEN 30.48
            WHEN 'kg' THEN 1 WHEN 'g' THEN 0.001
            WHEN '[lb_av]' THEN 0.45359237 WHEN '[oz_av]' THEN 0.028349523125
            WHEN 'kg/m2' THEN 1
        END AS value,
        coalesce(o.value_text, k.text, v.display, v.code) AS text,
        o.effective_start AS at,
        o.effective_lo AS at_lo,
        o.effective_hi AS at_hi
    FROM observation o
    JOIN resource r ON r.id = o.id AND r.deleted_at IS NULL
    JOIN coding c ON c.owner_id = o.id AND c.element = 'code' AND c.system = 'http://loinc.org'
        AND c.code IN ('8302-2', '29463-7', '39156-5', '882-1')
    LEFT JOIN concept k ON k.owner_id = o.id AND k.element = 'value'
    LEFT JOIN coding v ON v.concept_id = k.id AND v.item_no = 0
    WHERE o.patient_id IS NOT NULL AND o.status IN ('final', 'amended', 'corrected')
    ORDER BY o.patient_id, c.code, o.effective_lo DESC NULLS LAST, r.last_updated DESC, o.id DESC
)
SELECT
    patient_id,
    max(value) FILTER (WHERE code = '8302-2') AS height_cm,
    max(at) FILTER (WHERE code = '8302-2') AS height_at,
    max(at_lo) FILTER (WHERE code = '8302-2') AS height_at_lo,
    max(at_hi) FILTER (WHERE code = '8302-2') AS height_at_hi,
    max(value) FILTER (WHERE code = '29463-7') AS weight_kg,
    max(at) FILTER (WHERE code = '29463-7') AS weight_at,
    max(at_lo) FILTER (WHERE code = '29463-7') AS weight_at_lo,
    max(at_hi) FILTER (WHERE code = '29463-7') AS weight_at_hi,
    max(value) FILTER (WHERE code = '39156-5') AS bmi,
    max(at) FILTER (WHERE code = '39156-5') AS bmi_at,
    max(at_lo) FILTER (WHERE code = '39156-5') AS bmi_at_lo,
    max(at_hi) FILTER (WHERE code = '39156-5') AS bmi_at_hi,
    max(text) FILTER (WHERE code = '882-1') AS blood_type
FROM newest
GROUP BY patient_id
"""
# For each patient the newest final measurement of each kind, in centimetres and kilograms. A value in a unit
# that is not listed is left empty rather than guessed.


def upgrade() -> None:
    create_specimen()
    create_specimen_container()
    create_observation()
    create_observation_component()
    create_observation_range()
    create_arterial_finding()
    create_report()
    create_documents()
    op.execute(PATIENT_BODY)


def downgrade() -> None:
    op.execute("DROP VIEW v_patient_body")
    drop(
        "document_relation",
        "document_content",
        "document",
        "report",
        "arterial_finding",
        "observation_range",
        "observation_component",
        "observation",
        "specimen_container",
        "specimen",
    )


def create_specimen() -> None:
    """A specimen."""
    table(
        "specimen",
        resource_key(),
        link(patient="patient"),
        code("status", "available unavailable unsatisfactory entered-in-error"),
        day("received_time"),
        link(collector="practitioner"),
        code("collected_kind", "dateTime Period"),
        period("collected"),
        quantity("collection_quantity"),
        index("patient_id"),
        index("collected_lo", "collected_hi"),
    )


def create_specimen_container() -> None:
    """A container of a specimen."""
    table(
        "specimen_container",
        child(),
        text("description"),
        quantity("capacity"),
        quantity("specimen_quantity"),
        index("owner_id"),
    )


def create_observation() -> None:
    """An observation."""
    table(
        "observation",
        resource_key(),
        link(patient="patient", encounter="encounter"),
        code(
            "detail",
            "none rc_hiparthroplasty rc_hipscope rc_kneearthroplasty rc_kneescope rc_rotatorcuff "
            "rc_shoulderarthroplasty rc_shoulderscope rc_other rc_followup rc_outcome rc_implant "
            "rc_complication arterial_finding",
            required=True,
            default="none",
        ),
        code(
            "status",
            "registered preliminary final amended corrected cancelled entered-in-error unknown",
            required=True,
        ),
        code("effective_kind", "dateTime Period Timing instant"),
        period("effective"),
        day("issued"),
        code(
            "value_kind",
            "Quantity CodeableConcept string boolean integer Range Ratio SampledData time dateTime Period",
        ),
        quantity("value"),
        quantity("value_low"),
        quantity("value_high"),
        text("value_text"),
        flag("value_bool"),
        period("value_time"),
        link(specimen="specimen", device="resource"),
        integer("set_id"),
        text("sub_id"),
        flag("is_computed", required=True, default="false"),
        index("patient_id", "status"),
        index("effective_lo", "effective_hi"),
        index("patient_id", "effective_lo"),
        index("encounter_id"),
        index("value_code", "value_value"),
        index("value_time_lo", "value_time_hi"),
        index("specimen_id"),
    )


def create_observation_component() -> None:
    """A component."""
    table(
        "observation_component",
        child(),
        code(
            "value_kind",
            "Quantity CodeableConcept string boolean integer Range Ratio SampledData time dateTime Period",
        ),
        quantity("value"),
        quantity("value_low"),
        quantity("value_high"),
        text("value_text"),
        flag("value_bool"),
        period("value_time"),
        text("rc_column"),
        index("owner_id"),
        index("value_code", "value_value"),
    )


def create_observation_range() -> None:
    """A reference range of an observation, or of the component ``child_id``."""
    table(
        "observation_range",
        hanging(),
        quantity("low"),
        quantity("high"),
        text("text"),
        index("owner_id"),
    )


def create_arterial_finding() -> None:
    """An observation of an artery."""
    table(
        "arterial_finding",
        resource_key(),
        link(procedure="procedure"),
        code("kind", "segment index", required=True),
        code("side", "left right midline"),
        code(
            "segment",
            "aorta_suprarenal aorta_infrarenal celiac sma ima renal common_iliac external_iliac "
            "internal_iliac common_femoral profunda sfa_proximal sfa_mid sfa_distal popliteal_p1 "
            "popliteal_p2 popliteal_p3 tibioperoneal_trunk anterior_tibial posterior_tibial "
            "peroneal dorsalis_pedis plantar common_carotid internal_carotid external_carotid "
            "vertebral subclavian axillary brachial radial ulnar bypass_graft stent",
        ),
        code(
            "finding",
            "patent stenosis occlusion aneurysm dissection thrombus embolus pseudoaneurysm "
            "in_stent_restenosis not_visualized",
        ),
        integer("stenosis_pct", low=0, high=100),
        number("length_mm", "diameter_mm", "psv_cm_s"),
        code("calcification", "none mild moderate severe"),
        integer("runoff_vessels", low=0, high=3),
        code("source_modality", "cta mra duplex angiography physical_exam"),
        code(
            "measure",
            "abi tbi tcpo2 toe_pressure rutherford fontaine tasc wifi_wound wifi_ischemia wifi_infection",
        ),
        number("measure_value"),
        text("measure_class"),
        check("segment_of_kind", "(kind = 'segment') = (segment IS NOT NULL)"),
        index("procedure_id"),
    )


def create_report() -> None:
    """A report."""
    table(
        "report",
        resource_key(),
        link(order="service_order", patient="patient", encounter="encounter"),
        code(
            "status",
            "registered partial preliminary final amended corrected appended cancelled "
            "entered-in-error unknown",
            required=True,
        ),
        code("effective_kind", "dateTime Period"),
        period("effective"),
        day("issued"),
        text("report_text", "findings", "impression"),
        code("result_status", "normal abnormal critical"),
        index("order_id"),
        index("patient_id", "status"),
        index("patient_id", "effective_lo"),
        index("encounter_id"),
        index("effective_lo", "effective_hi"),
        index("issued_lo"),
        index("result_status"),
    )


def create_documents() -> None:
    """Documents."""
    table(
        "document",
        resource_key(),
        link(patient="patient"),
        code("status", "current superseded entered-in-error", required=True),
        code("doc_status", "preliminary final amended entered-in-error"),
        code(
            "document_kind",
            "imaging lab_report operative_note consent discharge_summary history_physical "
            "progress_note consult pathology correspondence other",
        ),
        day("date"),
        text("description"),
        link(authenticator="resource", custodian="organization"),
        json("allowed_roles"),
        period("context_period"),
        index("patient_id", "status"),
        index("patient_id", "date_lo"),
        index("patient_id", "context_period_lo"),
        index("date_lo"),
    )
    table(
        "document_content",
        child(),
        index("owner_id"),
    )
    table(
        "document_relation",
        child(),
        code("code", "replaces transforms signs appends", required=True),
        link(target="resource"),
        index("owner_id"),
    )
