"""The references of a typed observation that are foreign keys of its detail row too, and what must be there.

https://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.element import Refused
from mappings.research.elements import items, put
from storage.model.shared import Reference
from storage.record import FoundTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.model.columns import Row
    from storage.record import Record

TARGETS = {
    "encounter_id": ("encounter", "Encounter"),
    "procedure_id": ("procedure", "Procedure"),
    "surgeon_id": ("practitioner", "Practitioner"),
    "trainee_id": ("practitioner", "Practitioner"),
}
"""Column -> table and resource type of what it points to."""


def link(record: Record, detail: Row) -> None:
    """Tell which references the foreign keys of the detail row follow from.

    Where a target is known already its id is set; otherwise whoever resolves references sets it.
    """
    record.links = [found for found in record.links if found.row is not detail]
    told = dict(linked(record, detail))
    for column in (name for name in TARGETS if name in detail):
        reference = told.get(column)
        detail[column] = reference and reference["target_id"]
        if reference is not None and reference["target_id"] is None:
            record.links.append(FoundTarget(reference, detail, column, TARGETS[column][0]))


def linked(record: Record, detail: Row) -> Iterator[tuple[str, Row]]:
    """Yield each foreign key of the detail row with its reference.

    They are: encounter, the first procedure of partOf, and of the performers the first practitioner (surgeon)
    and the second (trainee).
    """
    places = {
        "encounter_id": ("encounter", 0),
        "procedure_id": ("partOf", 0),
        "surgeon_id": ("performer", 0),
        "trainee_id": ("performer", 1),
    }
    for column, (path, place) in places.items():
        if column in detail:
            found = [row for row in record.rows(Reference, None, path) if _is_of(row, TARGETS[column][1])]
            if len(found) > place:
                yield column, found[place]


def _is_of(row: Row, resource_type: str) -> bool:
    return row["target_fhir_id"] is not None and row["target_type"] == resource_type


def targets(record: Record, detail: Row) -> dict[str, str]:
    """Return the FHIR ids of what the detail row points to, by column."""
    return {column: row["target_fhir_id"] for column, row in linked(record, detail)}


def point(record: Record, wanted: dict[str, str | None]) -> None:
    """Make references point to FHIR ids, by column; None removes one. Those not named stay."""
    if "patient_id" in wanted:
        put(record, "subject", _reference("Patient", wanted["patient_id"]))
    if "encounter_id" in wanted:
        put(record, "encounter", _reference("Encounter", wanted["encounter_id"]))
    if "procedure_id" in wanted:
        _point_at(record, "partOf", "Procedure", [wanted["procedure_id"]], 1)
    if "surgeon_id" in wanted or "trainee_id" in wanted:
        here = _of_type(items(record, "performer"), "Practitioner")
        ids: list[str | None] = [here[0] if here else None, here[1] if len(here) > 1 else None]
        people = [wanted.get("surgeon_id", ids[0]), wanted.get("trainee_id", ids[1])]
        if people[1] is not None and people[0] is None:
            raise Refused("required", "surgeon_id", None, "the surgeon of a case that has a trainee")
        _point_at(record, "performer", "Practitioner", people, 2)


def _reference(resource_type: str, fhir_id: str | None) -> dict[str, Any] | None:
    return {"reference": f"{resource_type}/{fhir_id}"} if fhir_id else None


def _of_type(found: list[dict[str, Any]], resource_type: str) -> list[str]:
    names = (item.get("reference", "").partition("/") for item in found)
    return [fhir_id for kind, _, fhir_id in names if kind == resource_type and "/" not in fhir_id]


def _point_at(
    record: Record, element: str, resource_type: str, wanted: list[str | None], places: int
) -> None:
    """Let the first ``places`` references to a type be those wanted; one that stays is as it was."""
    found = items(record, element)
    own = [item for item in found if _of_type([item], resource_type)]
    others = [item for item in found if not _of_type([item], resource_type)]
    same = {item["reference"]: item for item in own}
    named = [f"{resource_type}/{fhir_id}" for fhir_id in wanted if fhir_id]
    made = [same.get(name, {"reference": name}) for name in named]
    put(record, element, [*made, *own[places:], *others] or None)
