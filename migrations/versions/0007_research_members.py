"""What repeats within a research case: follow-ups, outcome scores, implants and complications."""

from __future__ import annotations

from migrations.words import (
    code,
    day,
    drop,
    flag,
    index,
    integer,
    link,
    listed,
    number,
    resource_key,
    table,
    text,
)

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_rc_followup()
    create_rc_outcome()
    create_rc_implant()
    create_rc_complication()


def downgrade() -> None:
    drop(
        "rc_complication",
        "rc_implant",
        "rc_outcome",
        "rc_followup",
    )


def create_rc_followup() -> None:
    """Follow-ups."""
    table(
        "rc_followup",
        resource_key(),
        link(case="observation"),
        code("timepoint", "preop wk2 wk6 mo3 mo6 yr1 yr2 yr5 yr10 other", required=True),
        day("followup_date"),
        number("flexion_deg", "extension_deg", "abduction_deg", "external_rotation_deg"),
        number("internal_rotation_deg"),
        code("internal_rotation_level", "thigh buttock sacrum L5 L4 L3 L2 L1 T12 T11 T10 T9 T8 T7"),
        integer("strength_grade", low=0, high=5),
        code("weight_bearing", "none toe_touch partial as_tolerated full"),
        code("ambulation_aid", "none cane crutches walker wheelchair"),
        integer("satisfaction", low=0, high=10),
        flag("returned_to_work", "returned_to_sport", "radiolucency"),
        code("loosening", "none possible probable definite"),
        number("subsidence_mm"),
        integer("heterotopic_ossification", "notching", low=0, high=4),
        flag("retear"),
        integer("healing_sugaya", low=1, high=5),
        text("imaging_text", "notes"),
        index("case_id", "timepoint"),
        index("case_id", "timepoint", unique=True, where="timepoint <> 'other'"),
    )


def create_rc_outcome() -> None:
    """Outcome scores."""
    table(
        "rc_outcome",
        resource_key(),
        link(case="observation", followup="rc_followup"),
        listed("instrument", "ref_outcome_instrument.code", required=True),
        code("timepoint", "preop wk2 wk6 mo3 mo6 yr1 yr2 yr5 yr10 other"),
        day("score_date"),
        number("score", required=True),
        code("reporter", "patient clinician proxy"),
        flag("complete"),
        index("case_id", "instrument", "timepoint", unique=True, where="timepoint <> 'other'"),
        index("case_id", "timepoint"),
        index("followup_id"),
        index("instrument"),
    )


def create_rc_implant() -> None:
    """Implants."""
    table(
        "rc_implant",
        resource_key(),
        link(case="observation"),
        code(
            "role",
            "cup liner head stem femoral tibial insert patella glenoid glenosphere baseplate "
            "humeral anchor screw plate graft mesh other",
        ),
        text("manufacturer", "model", "catalog_no", "lot_no", "serial_no", "udi_di", "udi_carrier"),
        text("size_text"),
        integer("quantity"),
        index("case_id"),
    )


def create_rc_complication() -> None:
    """Complications."""
    table(
        "rc_complication",
        resource_key(),
        link(case="observation"),
        code(
            "kind",
            "superficial_infection periprosthetic_infection dvt pe nerve_injury vascular_injury "
            "dislocation fracture loosening stiffness retear recurrent_instability "
            "hardware_failure hematoma wound_dehiscence cardiac pulmonary renal death other",
        ),
        day("onset"),
        code("clavien_dindo", "I II IIIa IIIb IVa IVb V"),
        text("treatment"),
        flag("resolved"),
        index("case_id"),
    )
