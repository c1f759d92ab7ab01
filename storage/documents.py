"""What documents of a patient there are and where, for who may know it."""

from __future__ import annotations

from storage.listing import Listing

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"

_LEVEL = f"""(SELECT k.code FROM coding k WHERE k.owner_id = d.id AND k.element = 'securityLabel'
    AND k.system = '{CONFIDENTIALITY}'
    ORDER BY array_position(ARRAY['V', 'R'], k.code), k.item_no LIMIT 1)"""

DOCUMENTS = Listing(
    columns=f"""r.fhir_id AS id, rp.fhir_id AS patient_id,
    (SELECT f.target_fhir_id FROM reference f WHERE f.owner_id = d.id AND f.path = 'context.encounter'
        ORDER BY f.item_no LIMIT 1) AS encounter_id,
    coalesce(d.document_kind, 'other') AS document_type, coalesce(t.title, d.description) AS title,
    coalesce(t.creation, d.date) AS document_date,
    (SELECT coalesce(f.display, o.display_name) FROM reference f
        LEFT JOIN practitioner o ON o.id = f.target_id
        WHERE f.owner_id = d.id AND f.path = 'author' ORDER BY f.item_no LIMIT 1) AS author,
    t.url, t.content_type, t.size, coalesce({_LEVEL}, 'N') AS confidentiality, d.allowed_roles, d.status,
    r.created_at, r.last_updated AS updated_at""",
    tables="""document d JOIN resource r ON r.id = d.id AND r.resource_type = 'DocumentReference'
    LEFT JOIN resource rp ON rp.id = d.patient_id
    LEFT JOIN LATERAL (SELECT a.* FROM document_content x
        JOIN attachment a ON a.owner_id = d.id AND a.child_id = x.id
        WHERE x.owner_id = d.id ORDER BY x.item_no LIMIT 1) t ON true""",
    filters={
        "patient_id": "rp.resource_type = 'Patient' AND rp.fhir_id = %(patient_id)s",
        "document_type": "coalesce(d.document_kind, 'other') = %(document_type)s",
        "role": f"""CASE WHEN d.allowed_roles::text IS DISTINCT FROM 'null' AND d.allowed_roles IS NOT NULL
            THEN %(role)s::text IN (SELECT json_array_elements_text(d.allowed_roles))
            ELSE coalesce({_LEVEL}, 'N') NOT IN ('R', 'V') OR %(role)s = 'admin' END""",
    },
    order="coalesce(t.creation_lo, d.date_lo) DESC NULLS LAST, d.id DESC",
)
"""Newest first. ``role`` (None: nobody's) leaves out what is not for it: a document that names its roles is
for these, any other for all; one that is restricted for administrators.
"""
