"""Diagnoses with their rank in their encounter, as callers list them."""

from __future__ import annotations

from storage.listing import Listing

_RANK = """(SELECT x.rank FROM encounter_diagnosis x WHERE x.owner_id = d.encounter_id
    AND x.diagnosis_id = d.id ORDER BY x.rank NULLS LAST LIMIT 1)"""
_WORD = """(SELECT k.code FROM coding k WHERE k.owner_id = d.id AND k.element = '{}'
    ORDER BY k.item_no LIMIT 1)"""

DIAGNOSES = Listing(
    columns=f"""r.fhir_id AS id, rp.fhir_id AS patient_id, re.fhir_id AS encounter_id, d.icd10_code,
    coalesce(c.text, (SELECT k.display FROM coding k WHERE k.concept_id = c.id AND k.display IS NOT NULL
        ORDER BY k.item_no LIMIT 1)) AS description,
    coalesce({_RANK} = 1, false) AS is_primary, {_RANK} AS rank,
    {_WORD.format("clinicalStatus")} AS clinical_status,
    {_WORD.format("verificationStatus")} AS verification_status,
    coalesce(d.asserted_date, d.onset_start, d.recorded_date) AS diagnosis_date,
    r.created_at, r.last_updated AS updated_at""",
    tables="""diagnosis d JOIN resource r ON r.id = d.id AND r.resource_type = 'Condition'
    LEFT JOIN resource rp ON rp.id = d.patient_id LEFT JOIN resource re ON re.id = d.encounter_id
    LEFT JOIN concept c ON c.owner_id = d.id AND c.element = 'code'""",
    filters={
        "patient_id": "rp.resource_type = 'Patient' AND rp.fhir_id = %(patient_id)s",
        "encounter_id": "re.resource_type = 'Encounter' AND re.fhir_id = %(encounter_id)s",
        "icd10_code": "d.icd10_code = upper(%(icd10_code)s)",
        "is_primary": f"coalesce({_RANK} = 1, false) = %(is_primary)s",
    },
    order="d.id DESC",
)
"""Newest first. A diagnosis that a message or a FHIR client told has the date of its onset, if no other."""
