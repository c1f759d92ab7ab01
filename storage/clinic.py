"""Encounters, which visits are, with what was measured and billed in them, as callers list them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row

from storage.flat_sql import FINAL, LOINC, NEWEST
from storage.listing import Listing, Row, bound

if TYPE_CHECKING:
    from psycopg import Connection

VISIT_STATUS = "http://suture.example.org/fhir/CodeSystem/visit-status"
NO_SHOW = "no_show"
"""The reason of a cancelled encounter to which the patient did not come."""
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"

MISSED = f"""EXISTS (SELECT FROM coding m WHERE m.owner_id = e.id AND m.element = 'reasonCancelled'
    AND m.system = '{VISIT_STATUS}' AND m.code = '{NO_SHOW}')"""
"""Whether the patient did not come to the encounter ``e``."""
_LOCATION = """(SELECT coalesce(l.name, f.display) FROM encounter_location x
    LEFT JOIN location l ON l.id = x.location_id
    LEFT JOIN reference f ON f.owner_id = e.id AND f.path = 'location.location' AND f.child_id = x.id
    WHERE x.owner_id = e.id ORDER BY x.item_no LIMIT 1)"""
_ATTENDING = f"""(SELECT coalesce(f.display, d.display_name) FROM encounter_participant x
    JOIN concept c ON c.owner_id = e.id AND c.child_id = x.id AND c.element = 'participant.type'
    JOIN coding k ON k.concept_id = c.id AND k.system = '{PARTICIPATION}' AND k.code = 'ATND'
    LEFT JOIN practitioner d ON d.id = x.individual_id
    LEFT JOIN reference f ON f.owner_id = e.id AND f.path = 'participant.individual' AND f.child_id = x.id
    WHERE x.owner_id = e.id ORDER BY x.item_no LIMIT 1)"""
_DIAGNOSIS = """(SELECT coalesce(c.text, k.display, k.code) FROM encounter_diagnosis x
    JOIN diagnosis d ON d.id = x.diagnosis_id
    JOIN resource rd ON rd.id = d.id AND rd.deleted_at IS NULL
    JOIN concept c ON c.owner_id = d.id AND c.element = 'code'
    LEFT JOIN coding k ON k.concept_id = c.id AND k.item_no = 0
    WHERE x.owner_id = e.id ORDER BY x.rank NULLS LAST, x.item_no LIMIT 1)"""

ENCOUNTERS = Listing(
    columns=f"""r.fhir_id AS id, e.id AS row_id, rp.fhir_id AS patient_id, p.mrn AS patient_mrn,
    p.display_name AS patient_name, e.visit_number, e.encounter_type, e.period_start AS encounter_date,
    e.period_end AS end_date, e.status, {MISSED} AS no_show, {_LOCATION} AS location,
    {_ATTENDING} AS attending_physician, e.chief_complaint, {_DIAGNOSIS} AS diagnosis, e.treatment_plan,
    r.created_at, r.last_updated AS updated_at""",
    tables="""encounter e JOIN resource r ON r.id = e.id AND r.resource_type = 'Encounter'
    LEFT JOIN patient p ON p.id = e.patient_id LEFT JOIN resource rp ON rp.id = p.id""",
    filters={
        "patient_id": "rp.resource_type = 'Patient' AND rp.fhir_id = %(patient_id)s",
        "encounter_type": "e.encounter_type = %(encounter_type)s",
        "status": "e.status = %(status)s",
        "no_show": f"{MISSED} = %(no_show)s",
        "date_from": f"e.period_lo >= {bound('date_from', 'e.period_start')}",
        "date_to": f"e.period_lo < {bound('date_to', 'e.period_start')}",
        "visit_number": "e.visit_number = %(visit_number)s",
    },
    order="e.period_lo DESC NULLS LAST, e.id DESC",
)
"""Newest first. Bounds of dates are ``bound``: from inclusive, to exclusive."""

VITALS = f"""SELECT o.encounter_id, k.code, v.value, v.unit FROM observation o
JOIN resource r ON r.id = o.id
CROSS JOIN LATERAL (
    SELECT c.id AS concept_id, o.value_value AS value, coalesce(o.value_code, o.value_unit) AS unit
    FROM concept c WHERE c.owner_id = o.id AND c.element = 'code'
    UNION ALL
    SELECT c.id, x.value_value, coalesce(x.value_code, x.value_unit)
    FROM observation_component x
    JOIN concept c ON c.owner_id = o.id AND c.child_id = x.id AND c.element = 'component.code'
    WHERE x.owner_id = o.id
) v
JOIN coding k ON k.concept_id = v.concept_id AND k.system = '{LOINC}' AND k.code = ANY(%(codes)s)
WHERE o.encounter_id = ANY(%(encounters)s) AND o.status = ANY(%(statuses)s) AND r.deleted_at IS NULL
    AND v.value IS NOT NULL
ORDER BY {NEWEST}, k.item_no"""

BILLED = """SELECT owner_id, code, system, modifier, units FROM encounter_billing_code
WHERE owner_id = ANY(%s) ORDER BY owner_id, item_no"""


def vitals(
    connection: Connection[Any], encounters: Sequence[UUID], codes: Sequence[str]
) -> dict[UUID, list[Row]]:
    """Return the final values of LOINC codes (``code``, ``value``, ``unit``), the newest first, by the row of
    their encounter.
    """
    asked = {"encounters": list(encounters), "codes": list(codes), "statuses": list(FINAL)}
    rows = connection.cursor(row_factory=dict_row).execute(VITALS.encode(), asked).fetchall()
    return _by(rows, "encounter_id")


def billed(connection: Connection[Any], encounters: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """Return what is billed (``code``, ``system``, ``modifier``, ``units``), by the row of the encounter."""
    rows = connection.cursor(row_factory=dict_row).execute(BILLED, (list(encounters),)).fetchall()
    return _by(rows, "owner_id")


def _by(rows: Sequence[Row], name: str) -> dict[UUID, list[Row]]:
    found: dict[UUID, list[Row]] = {}
    for row in rows:
        found.setdefault(row.pop(name), []).append(row)
    return found
