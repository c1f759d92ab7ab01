"""Orders as the hospital's own applications list and show them: one statement for a page of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row

from storage.clinic import MISSED
from storage.listing import bound

if TYPE_CHECKING:
    from psycopg import Connection

Values = Mapping[str, Any]

_NAME = """(SELECT coalesce(nullif(concat_ws(' ', (SELECT string_agg(g, ' ') FROM json_array_elements_text(
        CASE json_typeof(n.given) WHEN 'array' THEN n.given END) g), n.family), ''), n.text)
    FROM person_name n WHERE n.owner_id = {} AND n.child_id IS NULL
    ORDER BY CASE n.use WHEN 'official' THEN 0 WHEN 'usual' THEN 1 ELSE 2 END, n.item_no LIMIT 1)"""
"""Given names and family of the official, else the usual, else the first name of somebody."""

_SHOWN = """(SELECT coalesce(c.text, (SELECT coalesce(g.display, g.code) FROM coding g
    WHERE g.concept_id = c.id ORDER BY g.item_no LIMIT 1)) FROM concept c
    WHERE c.owner_id = o.id AND c.element = 'code' AND c.child_id IS NULL ORDER BY c.item_no LIMIT 1)"""


def _who(owner: str, path: str, alias: str) -> str:
    """Return the join of who is referred to at a path: their account, else their record, else their name."""
    name = f"coalesce(a.full_name, b.full_name, {_NAME.format('f.target_id')}, f.display)"
    return f"""LEFT JOIN LATERAL (
    SELECT coalesce(a.id::text, b.id::text, f.target_fhir_id, f.ident_value) AS id, {name} AS full_name,
        coalesce(a.role, b.role) AS role
    FROM reference f
    LEFT JOIN app_user a ON a.practitioner_id = f.target_id
    LEFT JOIN app_user b ON b.username = f.ident_value AND f.ident_system = %(accounts)s
    WHERE f.owner_id = {owner} AND f.path = '{path}' AND f.child_id IS NULL
        AND (f.target_type = 'Practitioner' OR f.target_type IS NULL OR f.path = 'requester')
    ORDER BY f.item_no LIMIT 1) {alias} ON true"""


_USER = "json_build_object('id', {0}.id, 'full_name', {0}.full_name, 'role', {0}.role)"

ORDERS = f"""
SELECT r.fhir_id AS id, r.deleted_at IS NOT NULL AS is_deleted, o.order_number, o.accession_number,
    o.order_type, o.status, o.on_hold, o.record_state,
    CASE o.priority WHEN 'asap' THEN 'urgent' ELSE coalesce(o.priority, 'routine') END AS priority,
    CASE WHEN p.id IS NOT NULL THEN json_build_object('id', rp.fhir_id, 'mrn', p.mrn,
        'full_name', {_NAME.format("p.id")}, 'gender', p.gender, 'date_of_birth', p.birth_date)
        END AS patient,
    CASE WHEN e.id IS NOT NULL THEN json_build_object('id', re.fhir_id, 'visit_number', e.visit_number,
        'status', e.status, 'no_show', {MISSED}, 'visit_date', e.period_start) END AS visit,
    CASE WHEN asks.full_name IS NOT NULL THEN {_USER.format("asks")} ELSE {_USER.format("made")} END
        AS ordered_by,
    CASE o.order_type
        WHEN 'IMAGING' THEN json_build_object('modality', i.modality_code, 'modality_name', m.name,
            'body_part', i.body_part_code, 'body_part_name', bp.name, 'laterality', i.laterality,
            'procedure_code', i.procedure_code, 'procedure_name', i.procedure_name,
            'contrast', i.contrast, 'clinical_history', i.clinical_history)
        WHEN 'LAB' THEN json_build_object('test_code', l.test_code, 'test_name', l.test_name,
            'specimen_type', l.specimen_type, 'specimen_source', l.specimen_source,
            'fasting_required', l.fasting_required, 'collection_date', l.collection_date, 'panel', l.panel)
        WHEN 'PROCEDURE' THEN json_build_object('procedure_code', c.procedure_code,
            'procedure_name', c.procedure_name, 'procedure_type', c.procedure_kind,
            'anesthesia_required', c.anesthesia_required, 'estimated_duration', c.estimated_minutes,
            'pre_procedure_instructions', o.patient_instruction)
        ELSE json_build_object('name', {_SHOWN}) END AS order_details,
    o.clinical_indication, o.special_instructions,
    (SELECT string_agg(n.text, E'\\n' ORDER BY n.item_no) FROM annotation n
        WHERE n.owner_id = o.id AND n.element = 'note') AS notes,
    coalesce(o.authored, to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        AS ordered_date,
    o.scheduled_at AS scheduled_date, o.performed_at AS performed_date,
    CASE WHEN o.status = 'reported' THEN coalesce(t.issued_lo, o.reported_at) END AS reported_date,
    o.cancelled_at AS cancelled_date, o.cancellation_reason,
    CASE WHEN does.full_name IS NOT NULL THEN {_USER.format("does")} END AS performing_user,
    CASE WHEN reads.full_name IS NOT NULL THEN {_USER.format("reads")} END AS reporting_user,
    t.report_text, t.findings, t.impression, t.result_status,
    r.created_at, r.last_updated AS updated_at
FROM page
JOIN service_order o ON o.id = page.id
JOIN resource r ON r.id = o.id
LEFT JOIN patient p ON p.id = o.patient_id LEFT JOIN resource rp ON rp.id = p.id
LEFT JOIN encounter e ON e.id = o.encounter_id LEFT JOIN resource re ON re.id = e.id
LEFT JOIN app_user made ON made.id = r.created_by
LEFT JOIN order_imaging i ON i.id = o.id
LEFT JOIN ref_imaging_modality m ON m.code = i.modality_code
LEFT JOIN ref_body_part bp ON bp.code = i.body_part_code
LEFT JOIN order_lab l ON l.id = o.id
LEFT JOIN order_procedure c ON c.id = o.id
LEFT JOIN LATERAL (SELECT t.* FROM report t JOIN resource rt ON rt.id = t.id
    WHERE t.order_id = o.id AND rt.deleted_at IS NULL AND t.status NOT IN ('entered-in-error', 'cancelled')
    ORDER BY t.issued_lo DESC NULLS LAST, t.id DESC LIMIT 1) t ON true
{_who("o.id", "requester", "asks")}
{_who("o.id", "performer", "does")}
{_who("t.id", "resultsInterpreter", "reads")}
ORDER BY o.id DESC
"""

_ROW = "(SELECT id FROM resource WHERE resource_type = '{}' AND fhir_id = {})"
_EDGES = "{0}((%({1})s::timestamptz[])[1], (%({1})s::timestamptz[])[2])"


def _dated(way: str, widest: str, name: str) -> str:
    """Return the condition of a bound; the first part is for the index. Orders that tell no date of their own
    are as old as their record.
    """
    edge = bound(name, "coalesce(o.authored, 'T')")
    near = f"o.authored_lo {way} {_EDGES.format(widest, name)} OR o.authored_lo IS NULL"
    return f"({near}) AND coalesce(o.authored_lo, r.created_at) {way} {edge}"


FILTERS = {
    "order_type": "o.order_type = %(order_type)s",
    "status": "o.status = %(status)s",
    "patient_id": f"o.patient_id = {_ROW.format('Patient', '%(patient_id)s')}",
    "visit_id": f"o.encounter_id = {_ROW.format('Encounter', '%(visit_id)s')}",
    "date_from": _dated(">=", "least", "date_from"),
    "date_to": _dated("<", "greatest", "date_to"),
}
"""What a list can be narrowed by; ``date_to`` (a ``bound``) is the first moment that is left out."""

KEYS = {
    "id": f"o.id = {_ROW.format('ServiceRequest', '%(key)s')}",
    "order_number": "o.order_number = %(key)s",
    "accession_number": "o.accession_number = %(key)s",
}
"""By what one order can be asked for."""

_FROM = "SELECT o.id FROM service_order o JOIN resource r ON r.id = o.id WHERE"
_ORDERED = "r.deleted_at IS NULL AND o.order_number IS NOT NULL AND o.record_state <> 'entered-in-error'"


def page(
    connection: Connection[Any], filters: Values, skip: int, limit: int, accounts: str
) -> list[dict[str, Any]]:
    """Return live orders, the newest first (by when they came to be known here), narrowed by FILTERS.

    Drafts, plans and what was entered in error are no orders. ``accounts`` is the identifier system by which
    references name accounts.
    """
    clauses = " AND ".join((_ORDERED, *(FILTERS[name] for name in filters)))
    chosen = f"{_FROM} {clauses} ORDER BY o.id DESC LIMIT %(limit)s OFFSET %(skip)s"
    return _rows(connection, chosen, {**filters, "skip": skip, "limit": limit, "accounts": accounts})


def one(connection: Connection[Any], by: str, value: str, accounts: str) -> dict[str, Any] | None:
    """Return the order with an id or a number (by KEYS), ``is_deleted`` where it is; None where there is
    none.
    """
    found = _rows(connection, f"{_FROM} {KEYS[by]}", {"key": value, "accounts": accounts})
    return found[0] if found else None


def _rows(connection: Connection[Any], chosen: str, asked: Values) -> list[dict[str, Any]]:
    statement = f"WITH page AS MATERIALIZED ({chosen}) {ORDERS}"
    return connection.cursor(row_factory=dict_row).execute(statement.encode(), asked).fetchall()


# --- what an order needs to be made or moved -------------------------------------------------------------

_STANDING = """SELECT r.id, r.deleted_at IS NOT NULL AS is_deleted, e.patient_id
    FROM resource r LEFT JOIN encounter e ON e.id = r.id WHERE r.resource_type = %s AND r.fhir_id = %s"""


def standing(connection: Connection[Any], resource_type: str, fhir_id: str) -> dict[str, Any] | None:
    """Return the row id of a patient or an encounter, whether it is deleted, and the encounter's patient."""
    found = connection.cursor(row_factory=dict_row).execute(_STANDING, (resource_type, fhir_id))
    return found.fetchone()


_ACTING = """SELECT a.username, a.full_name, a.role, r.fhir_id AS practitioner FROM app_user a
    LEFT JOIN resource r ON r.id = a.practitioner_id AND r.deleted_at IS NULL WHERE a.id = %s"""


def acting(connection: Connection[Any], account: UUID) -> dict[str, Any]:
    """Return who acts by an account: username, full name, role, FHIR id of the practitioner if any."""
    found = connection.cursor(row_factory=dict_row).execute(_ACTING, (account,)).fetchone()
    if found is None:
        raise LookupError(account)
    return found


_NEWEST_REPORT = """SELECT t.id FROM report t JOIN resource r ON r.id = t.id
    WHERE t.order_id = %s AND r.deleted_at IS NULL AND t.status NOT IN ('entered-in-error', 'cancelled')
    ORDER BY t.issued_lo DESC NULLS LAST, t.id DESC LIMIT 1"""


def newest_report(connection: Connection[Any], order: UUID) -> UUID | None:
    """Return the row id of the report that an order shows, None where it has none."""
    found = connection.execute(_NEWEST_REPORT, (order,)).fetchone()
    return found[0] if found else None


# --- reference lists -------------------------------------------------------------------------------------

LISTS = {
    "modalities": """SELECT id, code, name, description, dicom_code FROM ref_imaging_modality
        WHERE is_active ORDER BY code""",
    "lab-tests": """SELECT id, code, name, category, specimen_type, fasting_required, tat_hours, loinc_code
        FROM ref_lab_test WHERE is_active ORDER BY code""",
    "procedures": """SELECT id, code, name, category, requires_consent, estimated_duration
        FROM ref_procedure_type WHERE is_active ORDER BY code""",
    "body-parts": """SELECT b.id, b.code, b.name, b.sct_code, coalesce((SELECT array_agg(a.modality_code
        ORDER BY a.modality_code) FROM ref_body_part_modality a WHERE a.body_part_code = b.code), '{}')
        AS applicable_modalities FROM ref_body_part b ORDER BY b.code""",
}


def listed(connection: Connection[Any], name: str) -> list[dict[str, Any]]:
    """Return the rows of a reference list (by LISTS) that may be ordered, by code."""
    return connection.cursor(row_factory=dict_row).execute(LISTS[name].encode()).fetchall()
