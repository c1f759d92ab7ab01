"""People, places, patients and their encounters, allergies, medication and cover."""

from __future__ import annotations

from alembic import op

from migrations.words import (
    child,
    code,
    day,
    drop,
    flag,
    index,
    integer,
    json,
    link,
    money,
    number,
    period,
    quantity,
    resource_key,
    table,
    text,
    unique,
)

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


ACCOUNT_OF = "fk_app_user_practitioner_id"
# Added afterwards: accounts come before practitioners, who are resources, which accounts write.


def upgrade() -> None:
    create_people()
    create_patients()
    create_encounter()
    create_encounter_participant()
    create_encounter_location()
    create_encounter_diagnosis()
    create_encounter_status_history()
    create_encounter_billing_code()
    create_allergy()
    create_allergy_reaction()
    create_medication()
    create_coverage()
    create_coverage_class()
    op.create_foreign_key(
        ACCOUNT_OF,
        "app_user",
        "practitioner",
        ["practitioner_id"],
        ["id"],
        deferrable=True,
        initially="DEFERRED",
    )


def downgrade() -> None:
    op.drop_constraint(ACCOUNT_OF, "app_user", type_="foreignkey")
    drop(
        "coverage_class",
        "coverage",
        "medication",
        "allergy_reaction",
        "allergy",
        "encounter_billing_code",
        "encounter_status_history",
        "encounter_diagnosis",
        "encounter_location",
        "encounter_participant",
        "encounter",
        "patient_link",
        "patient_communication",
        "patient_contact",
        "patient",
        "location",
        "organization",
        "practitioner",
    )


def create_people() -> None:
    """People who work here, organizations and places."""
    table(
        "practitioner",
        resource_key(),
        flag("active"),
        code("gender", "male female other unknown"),
        day("birth_date"),
        text("display_name", "specialty_text"),
    )
    table(
        "organization",
        resource_key(),
        flag("active"),
        text("name"),
        json("alias"),
        link(part_of="organization"),
        index("part_of_id"),
    )
    table(
        "location",
        resource_key(),
        code("status", "active suspended inactive"),
        text("name"),
        json("alias"),
        text("description"),
        code("mode", "instance kind"),
        number("latitude", "longitude", "altitude"),
        link(managing_organization="organization", part_of="location"),
        text("pl_key"),
        unique("pl_key"),
        index("status"),
        index("part_of_id"),
    )


def create_patients() -> None:
    """Patients."""
    table(
        "patient",
        resource_key(),
        text("mrn_system", "mrn", "display_name"),
        flag("active"),
        day("birth_date"),
        code("gender", "male female other unknown"),
        text("birth_sex", "race_text", "ethnicity_text", "mothers_maiden_name"),
        flag("deceased_boolean"),
        day("deceased"),
        flag("multiple_birth"),
        integer("multiple_birth_order"),
        link(managing_organization="organization"),
        index("mrn_system", "mrn"),
        index("birth_date_lo"),
        index("gender", "birth_date_lo"),
        index("deceased_lo"),
    )
    table(
        "patient_contact",
        child(),
        code("gender", "male female other unknown"),
        link(organization="organization"),
        period("period"),
        index("owner_id"),
    )
    table(
        "patient_communication",
        child(),
        flag("preferred"),
        index("owner_id"),
    )
    table(
        "patient_link",
        child(),
        link(other="resource"),
        code("type", "replaced-by replaces refer seealso"),
        index("owner_id"),
    )


def create_encounter() -> None:
    """An encounter."""
    table(
        "encounter",
        resource_key(),
        link(patient="patient"),
        text("visit_number"),
        code(
            "status",
            "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown",
            required=True,
        ),
        code(
            "encounter_type",
            "surgery preop postop followup clinic emergency inpatient observation telehealth "
            "diagnostic other",
            required=True,
        ),
        period("period"),
        quantity("length"),
        text("chief_complaint", "treatment_plan"),
        link(service_provider="organization", part_of="encounter", hosp_origin="resource"),
        link(hosp_destination="resource"),
        index("patient_id", "status"),
        index("patient_id", "period_lo"),
        index("visit_number"),
        index("period_lo", "period_hi"),
        index("length_value"),
        index("part_of_id"),
    )


def create_encounter_participant() -> None:
    """Who takes part."""
    table(
        "encounter_participant",
        child(),
        link(individual="resource"),
        period("period"),
        index("owner_id"),
    )


def create_encounter_location() -> None:
    """Where it takes place, and when there."""
    table(
        "encounter_location",
        child(),
        link(location="location"),
        code("status", "planned active reserved completed"),
        period("period"),
        index("owner_id"),
        index("location_id"),
        index("period_lo"),
    )


def create_encounter_diagnosis() -> None:
    """A diagnosis of the encounter."""
    table(
        "encounter_diagnosis",
        child(),
        link(diagnosis="resource"),
        integer("rank"),
        index("owner_id"),
    )


def create_encounter_status_history() -> None:
    """A status that the encounter had."""
    table(
        "encounter_status_history",
        child(),
        code(
            "status",
            "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown",
            required=True,
        ),
        period("period"),
        index("owner_id"),
    )


def create_encounter_billing_code() -> None:
    """A code that is billed, of CPT or HCPCS."""
    table(
        "encounter_billing_code",
        child(),
        text("system", "code", required=True),
        text("modifier"),
        integer("units"),
        money("charge"),
        index("owner_id"),
    )


def create_allergy() -> None:
    """An allergy or intolerance."""
    table(
        "allergy",
        resource_key(),
        link(patient="patient", encounter="encounter"),
        code("type", "allergy intolerance"),
        json("category"),
        code("criticality", "low high unable-to-assess"),
        day("onset", "recorded_date", "last_occurrence"),
        link(recorder="practitioner", asserter="resource"),
        index("patient_id"),
        index("encounter_id"),
    )


def create_allergy_reaction() -> None:
    """One reaction."""
    table(
        "allergy_reaction",
        child(),
        text("description"),
        day("onset"),
        code("severity", "mild moderate severe"),
        index("owner_id"),
    )


def create_medication() -> None:
    """A statement that a patient takes a medicine."""
    table(
        "medication",
        resource_key(),
        link(patient="patient", context="encounter", information_source="resource"),
        code(
            "status",
            "active completed entered-in-error intended stopped on-hold unknown not-taken",
            required=True,
        ),
        code("effective_kind", "dateTime Period"),
        period("effective"),
        day("date_asserted"),
        text("dosage_text"),
        index("patient_id", "status"),
        index("context_id"),
    )


def create_coverage() -> None:
    """An insurance cover."""
    table(
        "coverage",
        resource_key(),
        link(patient="patient"),
        code("status", "active cancelled draft entered-in-error", required=True),
        integer("position"),
        code("insurance_type", "commercial medicare medicaid tricare va workers_comp auto self_pay other"),
        link(subscriber="resource", policy_holder="resource"),
        text("subscriber_number", "dependent", "network"),
        period("period"),
        index("patient_id", "status"),
        index("status"),
    )


def create_coverage_class() -> None:
    """A class of a cover (group, plan), its type a concept."""
    table(
        "coverage_class",
        child(),
        text("value", required=True),
        text("name"),
        index("owner_id"),
    )
