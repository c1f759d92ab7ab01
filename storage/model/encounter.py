"""Encounters, which cover visits."""

from __future__ import annotations

from storage.model.columns import Canonical, Code, Integer, Link, Money, Period, Quantity, Text, index
from storage.model.resource import Child, Typed

STATUSES = (
    "planned",
    "arrived",
    "triaged",
    "in-progress",
    "onleave",
    "finished",
    "cancelled",
    "entered-in-error",
    "unknown",
)
ENCOUNTER_TYPES = (
    "surgery",
    "preop",
    "postop",
    "followup",
    "clinic",
    "emergency",
    "inpatient",
    "observation",
    "telehealth",
    "diagnostic",
    "other",
)


class Encounter(
    Typed,
    name="encounter",
    indexes=(
        index("status"),
        index("visit_number"),
        index("patient_id", "status"),
        index("patient_id", "period_lo"),
        index("period_lo", "period_hi"),
        index("length_value"),
        index("length_canonical_unit", "length_canonical"),
        index("part_of_id"),
    ),
):
    """An encounter; class, types, reasons and the details of a stay in hospital are concepts."""

    patient = Link("patient")
    visit_number = Text(64)
    status = Code(*STATUSES, required=True)
    encounter_type = Code(*ENCOUNTER_TYPES, required=True)
    period = Period()
    length = Quantity()
    chief_complaint = Text()
    treatment_plan = Text()
    service_provider = Link("organization")
    part_of = Link("encounter")
    hosp_origin = Link("resource")
    hosp_destination = Link("resource")
    length_canonical = Canonical()


class EncounterParticipant(Child, name="encounter_participant", indexes=(index("owner_id"),)):
    """Who takes part; the types of participation are concepts."""

    individual = Link("resource")
    period = Period()


class EncounterLocation(
    Child, name="encounter_location", indexes=(index("owner_id"), index("period_lo"), index("location_id"))
):
    """Where it takes place, and when there."""

    location = Link("location")
    status = Code("planned", "active", "reserved", "completed")
    period = Period()


class EncounterDiagnosis(Child, name="encounter_diagnosis", indexes=(index("owner_id"),)):
    """A diagnosis of the encounter; its use is a concept, rank 1 is the primary one."""

    diagnosis = Link("resource")
    rank = Integer()


class EncounterStatusHistory(Child, name="encounter_status_history", indexes=(index("owner_id"),)):
    """A status that the encounter had."""

    status = Code(*STATUSES, required=True)
    period = Period()


class EncounterBillingCode(Child, name="encounter_billing_code", indexes=(index("owner_id"),)):
    """A code that is billed, of CPT or HCPCS."""

    system = Text(255, required=True)
    code = Text(20, required=True)
    modifier = Text(20)
    units = Integer()
    charge = Money()
