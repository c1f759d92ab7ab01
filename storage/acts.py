"""Procedures of encounters with their CPT codes, as the registry's callers list them."""

from __future__ import annotations

from storage.listing import Listing

ACTS = Listing(
    columns="""r.fhir_id AS id, rp.fhir_id AS patient_id, re.fhir_id AS encounter_id, a.cpt_code,
    coalesce(c.text, (SELECT k.display FROM coding k WHERE k.concept_id = c.id AND k.display IS NOT NULL
        ORDER BY k.item_no LIMIT 1)) AS description,
    a.performed_start AS procedure_date, a.side AS procedure_side, a.status, a.surgical_status, a.details,
    r.created_at, r.last_updated AS updated_at""",
    tables="""procedure a JOIN resource r ON r.id = a.id AND r.resource_type = 'Procedure'
    LEFT JOIN resource rp ON rp.id = a.patient_id LEFT JOIN resource re ON re.id = a.encounter_id
    LEFT JOIN concept c ON c.owner_id = a.id AND c.element = 'code'""",
    filters={
        "patient_id": "rp.resource_type = 'Patient' AND rp.fhir_id = %(patient_id)s",
        "encounter_id": "re.resource_type = 'Encounter' AND re.fhir_id = %(encounter_id)s",
        "cpt_code": "a.cpt_code = upper(%(cpt_code)s)",
        "status": "a.status = %(status)s",
    },
    order="a.performed_lo DESC NULLS LAST, a.id DESC",
)
"""Newest first."""
