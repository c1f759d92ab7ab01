"""The rows that a flat record is made of, found: covers, findings, lists, stays; and who is named so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from storage.flat_sql import (
    FINDINGS,
    LOINC,
    NEWEST,
    NEWEST_VISIT,
    STAY,
    VISIT,
    cover_of,
    listed_text,
    listed_texts,
)

if TYPE_CHECKING:
    from psycopg import Connection


_OF = "SELECT {} FROM patient p CROSS JOIN LATERAL ({}) f WHERE p.id = %s"


def _ids(connection: Connection[Any], statement: str, patient: UUID) -> list[UUID]:
    found = connection.execute(_OF.format("f.id", statement).encode(), (patient,)).fetchall()
    return [row[0] for row in found]


def cover(connection: Connection[Any], patient: UUID, position: int) -> UUID | None:
    """Return the insurance cover at a position."""
    return next(iter(_ids(connection, f"SELECT v.id {cover_of(position)}", patient)), None)


def visit(connection: Connection[Any], patient: UUID) -> UUID | None:
    """Return the newest encounter."""
    return next(iter(_ids(connection, f"SELECT s.id {VISIT} {NEWEST_VISIT}", patient)), None)


def stay(connection: Connection[Any], patient: UUID) -> UUID | None:
    """Return the newest encounter of an inpatient."""
    return next(iter(_ids(connection, f"SELECT s.id {STAY}", patient)), None)


def listed(connection: Connection[Any], patient: UUID, table: str) -> list[tuple[UUID, str]]:
    """Return what is current of a list (``allergy``, ``medication``): rows and their texts, in order."""
    inner = f"SELECT x.id, {listed_text()} AS text, rx.created_at {listed_texts(table)}"
    statement = _OF.format("f.id, f.text", inner) + " ORDER BY f.created_at, f.id"
    return connection.execute(statement.encode(), (patient,)).fetchall()


def findings(connection: Connection[Any], patient: UUID, code: str) -> list[UUID]:
    """Return the newest final observation of a LOINC code, and after it those of the same day."""
    asked = f"SELECT o.id, o.effective_lo {FINDINGS} AND k.patient_id = %s AND k.code = %s ORDER BY {NEWEST}"
    found = connection.execute(asked.encode(), (patient, code)).fetchall()
    days = [at and at.date() for _, at in found]
    return [key for (key, _), day in zip(found, days, strict=True) if day == days[0]]


TYPES = {
    "Coverage": "SELECT v.id FROM coverage v WHERE v.patient_id = %(patient)s",
    "AllergyIntolerance": "SELECT x.id FROM allergy x WHERE x.patient_id = %(patient)s",
    "MedicationStatement": "SELECT x.id FROM medication x WHERE x.patient_id = %(patient)s",
    "Observation": f"""SELECT k.owner_id FROM coding k WHERE k.patient_id = %(patient)s
        AND k.element = 'code' AND k.system = '{LOINC}' AND k.code = ANY(%(codes)s)""",
}


def hanging(connection: Connection[Any], patient: UUID, codes: Iterable[str]) -> dict[str, list[UUID]]:
    """Return all that is live of what a record is made of, by type: covers, allergies, medication, the
    observations of its codes.
    """
    asked = {"patient": patient, "codes": list(codes)}
    found: dict[str, list[UUID]] = {}
    for resource_type, statement in TYPES.items():
        live = f"""SELECT r.id FROM resource r WHERE r.id IN ({statement}) AND r.deleted_at IS NULL
            AND r.resource_type = '{resource_type}' ORDER BY r.id"""
        found[resource_type] = [row[0] for row in connection.execute(live.encode(), asked).fetchall()]
    return found


PRACTITIONERS = """SELECT w.asked, min(r.fhir_id) FROM unnest(%s::text[], %s::text[]) AS w(asked, spelt)
    JOIN practitioner d ON lower(d.display_name) = lower(w.spelt)
    JOIN resource r ON r.id = d.id AND r.deleted_at IS NULL
    GROUP BY w.asked HAVING count(DISTINCT r.id) = 1"""
ORGANIZATIONS = """SELECT w.asked, min(r.fhir_id) FROM unnest(%s::text[], %s::text[]) AS w(asked, spelt)
    JOIN organization z ON lower(z.name) = lower(w.spelt)
    JOIN resource r ON r.id = z.id AND r.deleted_at IS NULL
    GROUP BY w.asked HAVING count(DISTINCT r.id) = 1"""


def named(
    connection: Connection[Any], statement: str, spellings: Iterable[tuple[str, str]]
) -> dict[str, str]:
    """Return the FHIR id of the one who goes by a name, of those of whom there is just one; ``spellings`` are
    pairs of the name and a way to write it.
    """
    listed = sorted(set(spellings))
    asked = ([pair[0] for pair in listed], [pair[1] for pair in listed])
    return dict(connection.execute(statement.encode(), asked).fetchall()) if listed else {}
