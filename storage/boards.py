"""The OR board: procedures and patients as the OR command center lists and counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from storage.model.flat import MRN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import Connection

PROCEDURES = """
SELECT r.fhir_id AS id, p.id AS row_id, r.created_at, r.last_updated AS updated_at,
    t.mrn, t.display_name AS patient_name,
    coalesce(c.text, (SELECT coalesce(g.display, g.code) FROM coding g WHERE g.concept_id = c.id
        ORDER BY g.item_no LIMIT 1)) AS procedure_type,
    p.surgical_status, p.status, p.cardiology_clearance, p.stress_test_status, p.consent_status,
    p.side AS procedure_side, p.case_class, p.estimated_minutes,
    coalesce(l.name, p.scheduled_location_text) AS scheduled_location,
    p.scheduled_start, p.scheduled_end,
    (SELECT coalesce(json_agg(coalesce(b.text, b.kind) ORDER BY b.item_no), '[]') FROM procedure_barrier b
        WHERE b.owner_id = p.id AND b.resolved_at IS NULL) AS barriers,
    (SELECT string_agg(a.text, E'\\n' ORDER BY a.item_no) FROM annotation a
        WHERE a.owner_id = p.id AND a.element = 'note') AS notes
FROM procedure p
JOIN resource r ON r.id = p.id
LEFT JOIN patient t ON t.id = p.patient_id
LEFT JOIN location l ON l.id = p.scheduled_location_id
LEFT JOIN concept c ON c.owner_id = p.id AND c.element = 'code' AND c.child_id IS NULL
WHERE r.deleted_at IS NULL{filters}
ORDER BY p.scheduled_lo NULLS LAST, r.created_at, r.id
LIMIT %(limit)s OFFSET %(skip)s
"""

_NAMED = """(lower(l.name) = lower(%({0})s)
        OR lower(%({0})s) IN (SELECT lower(x) FROM json_array_elements_text(l.alias) AS x))"""
"""Whether the location ``l`` goes by a name."""

FILTERS = {
    "id": "r.resource_type = 'Procedure' AND r.fhir_id = %(id)s",
    "surgical_status": "p.surgical_status = %(surgical_status)s",
    "status": "p.status = %(status)s",
    "patient_mrn": "t.mrn = %(patient_mrn)s",
    "patient": """p.patient_id = (
        SELECT o.id FROM resource o WHERE o.resource_type = 'Patient' AND o.fhir_id = %(patient)s)""",
    "scheduled_location": f"""(lower(p.scheduled_location_text) = lower(%(scheduled_location)s)
        OR {_NAMED.format("scheduled_location")})""",
}
"""What procedures can be narrowed by. A statement has only those that are asked for: one plan for all of them
would look at each procedure that there is.
"""

FINDINGS = """
SELECT r.fhir_id AS id, f.kind, f.side, f.segment, f.finding, f.stenosis_pct, f.length_mm, f.diameter_mm,
    f.psv_cm_s, f.calcification, f.runoff_vessels, f.source_modality, f.measure, f.measure_value,
    f.measure_class
FROM arterial_finding f JOIN resource r ON r.id = f.id
WHERE f.procedure_id = %s AND r.deleted_at IS NULL ORDER BY r.created_at, r.id
"""

LOCATION = f"""SELECT r.fhir_id FROM location l JOIN resource r ON r.id = l.id WHERE r.deleted_at IS NULL
    AND {_NAMED.format("name")} ORDER BY r.created_at, r.id LIMIT 1"""

PATIENT = """SELECT r.fhir_id AS id, p.display_name AS patient_name
FROM identifier i JOIN patient p ON p.id = i.owner_id JOIN resource r ON r.id = p.id
WHERE i.value = %(mrn)s AND p.mrn = %(mrn)s AND r.deleted_at IS NULL
ORDER BY (p.mrn_system = %(own)s) DESC NULLS LAST, p.id LIMIT 1"""

WORD = """p.id IN (SELECT s.owner_id FROM search_string s
    WHERE s.param IN ('family', 'given') AND strpos(s.norm, %(word{place})s) > 0)"""

PATIENTS = """SELECT p.id FROM patient p JOIN resource r ON r.id = p.id
WHERE r.deleted_at IS NULL AND (strpos(lower(p.mrn), lower(%(mrn)s)) > 0 OR %(mrn)s = '' OR ({named}))
ORDER BY p.display_name NULLS LAST, p.id LIMIT %(limit)s OFFSET %(skip)s"""

COUNTS = """SELECT p.status, p.surgical_status, count(*) FROM procedure p JOIN resource r ON r.id = p.id
WHERE r.deleted_at IS NULL GROUP BY 1, 2"""

LIVE_PATIENTS = "SELECT count(*) FROM resource WHERE resource_type = 'Patient' AND deleted_at IS NULL"


def procedures(
    connection: Connection[Any],
    *,
    id: str | None = None,  # noqa: A002 - the column's own name
    surgical_status: str | None = None,
    status: str | None = None,
    patient_mrn: str | None = None,
    scheduled_location: str | None = None,
    patient: str | None = None,
    skip: int = 0,
    limit: int = 500,
) -> list[dict[str, Any]]:
    """Return the live procedures that have all the given values, by their slot.

    A location is asked for by its name, an alias, or the text that stands for it, a patient by FHIR id.
    """
    told = {
        "id": id,
        "surgical_status": surgical_status,
        "status": status,
        "patient_mrn": patient_mrn,
        "scheduled_location": scheduled_location,
        "patient": patient,
    }
    asked: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    statement = PROCEDURES.format(filters="".join(f"\n    AND {FILTERS[name]}" for name in asked))
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(statement.encode(), {**asked, "skip": skip, "limit": limit}).fetchall()


def arterial_findings(connection: Connection[Any], procedure: object) -> list[dict[str, Any]]:
    """Return the arterial findings of a procedure, by its row id."""
    return connection.cursor(row_factory=dict_row).execute(FINDINGS, (procedure,)).fetchall()


def patient(connection: Connection[Any], row: object) -> dict[str, Any]:
    """Return MRN and name of a patient as the board shows them, by row id; both None where there is none."""
    statement = "SELECT mrn, display_name FROM patient WHERE id = %s"
    found = connection.execute(statement, (row,)).fetchone() or (None, None)
    return dict(zip(("mrn", "patient_name"), found, strict=True))


def patient_with_mrn(connection: Connection[Any], mrn: str) -> dict[str, Any] | None:
    """Return FHIR id and name of the live patient with an MRN, None where there is none.

    Of several with the same MRN it is the one that has it in our own system.
    """
    return connection.cursor(row_factory=dict_row).execute(PATIENT, {"mrn": mrn, "own": MRN}).fetchone()


def patients(
    connection: Connection[Any], mrn: str, words: Sequence[str], skip: int, limit: int
) -> list[UUID]:
    """Return the row ids of live patients, by name: those whose MRN holds a text, or whose names hold all
    words, folded as search has them. An empty text finds all.
    """
    named = " AND ".join(WORD.format(place=place) for place in range(len(words))) or "false"
    asked: dict[str, Any] = {f"word{place}": word for place, word in enumerate(words)}
    asked |= {"mrn": mrn, "limit": limit, "skip": skip}
    return [row[0] for row in connection.execute(PATIENTS.format(named=named).encode(), asked).fetchall()]


def counts(connection: Connection[Any]) -> tuple[list[tuple[str, str | None, int]], int]:
    """Return how many live procedures there are by status and readiness, and how many live patients."""
    patients = connection.execute(LIVE_PATIENTS).fetchone()
    return connection.execute(COUNTS).fetchall(), patients[0] if patients else 0


def location_named(connection: Connection[Any], name: str) -> str | None:
    """Return the FHIR id of the location that has a name or alias, None where none has."""
    row = connection.execute(LOCATION, {"name": name}).fetchone()
    return row[0] if row else None
