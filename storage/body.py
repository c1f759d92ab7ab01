"""Heights, weights and body mass indices of patients, as rows: what the index is computed from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

MEASURES = """SELECT o.id, r.fhir_id, k.code, o.patient_id, o.status, o.value_value, o.value_code,
    o.value_unit, o.effective_lo, o.effective_start, o.is_computed,
    ARRAY(SELECT f.target_fhir_id FROM reference f WHERE f.owner_id = o.id AND f.path = 'derivedFrom'
        AND f.target_fhir_id IS NOT NULL) AS sources,
    (SELECT f.target_type || '/' || f.target_fhir_id FROM reference f
        WHERE f.owner_id = o.id AND f.path = 'encounter' LIMIT 1) AS encounter
    FROM coding k JOIN observation o ON o.id = k.owner_id JOIN resource r ON r.id = o.id
    WHERE k.patient_id = ANY(%s) AND k.element = 'code' AND k.system = 'http://loinc.org'
    AND k.code = ANY(%s) AND r.deleted_at IS NULL"""

PATIENTS = """SELECT p.id, r.fhir_id, p.birth_date_hi FROM patient p JOIN resource r ON r.id = p.id
    WHERE p.id = ANY(%s)"""


def measures(
    connection: Connection[Any], patients: Iterable[UUID], codes: Iterable[str]
) -> list[dict[str, Any]]:
    """Return the live observations of some LOINC codes of patients, with what they are derived from."""
    asked = (list(patients), list(codes))
    return connection.cursor(row_factory=dict_row).execute(MEASURES, asked).fetchall()


def patients(connection: Connection[Any], ids: Iterable[UUID]) -> dict[UUID, tuple[str, datetime | None]]:
    """Return the FHIR ids of patients and the latest moment at which they can have been born."""
    found = connection.execute(PATIENTS, (list(ids),)).fetchall()
    return {key: (fhir_id, born) for key, fhir_id, born in found}
