"""What encounters, diagnoses, procedures and documents refer to: patients, encounters, people and places."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway import errors
from gateway.native.clinic_words import Paged
from gateway.native.flat import learn_names
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import resource, times
from mappings.inside import Object
from storage import boards
from storage.listing import Listing, Row, one, page
from storage.model.shared import Reference
from storage.record import Record


def there(unit: Unit, resource_type: str, fhir_id: str, name: str) -> Record:
    """Return what a field refers to. Raises NotFound, naming the field, where it is not here (any more)."""
    found = unit.seek(resource_type, fhir_id)
    if found is None or found.resource["deleted_at"] is not None:
        raise errors.NotFound(f"There is no {resource_type} {fhir_id}.", expression=name)
    return found


def patient_of(encounter: Record) -> str:
    """Return the literal reference to the patient of an encounter. Raises BusinessRule where it has none who
    is here.
    """
    subjects = encounter.rows(Reference, None, "subject")
    here = (row for row in subjects if row["target_type"] == "Patient" and row["target_id"] is not None)
    found = next((row["target_fhir_id"] for row in here), None)
    if found is None:
        raise errors.BusinessRule("The encounter has no patient who is here.", expression="encounter_id")
    return f"Patient/{found}"


def not_theirs(name: str) -> errors.Problem:
    """Return what to say of a field that refers to something of another patient."""
    return errors.Invariant(f"{name} belongs to another patient.", expression=name)


def see_past(unit: Unit, date: str, name: str) -> None:
    """See that the date of what a field tells does not lie ahead. Raises Invariant, naming the field."""
    if times.beside(date, now(unit)) > 0:
        raise errors.Invariant(f"{name} cannot be known: its date lies ahead.", expression=name)


def encounter_date(encounter: Record) -> str | None:
    """Return when an encounter began."""
    return encounter.main["period_start"]


def resolve(unit: Unit, told: dict[str, Any]) -> None:
    """Let people and places that are named become References: to who or what is here and goes by the name,
    else by the name alone.
    """
    for name, find in (("attending_physician", _person), ("author", _person), ("location", _place)):
        if told.get(name) is not None:
            told[name] = find(unit, told[name])


def _person(unit: Unit, name: str) -> Object:
    learn_names(unit, [{"primary_care_provider": name}])
    found = unit.named_here["Practitioner"].get(name)
    return ({"reference": found} if found else {}) | {"display": name}


def _place(unit: Unit, name: str) -> Object:
    found = boards.location_named(unit.session.raw, name)
    return ({"reference": f"Location/{found}"} if found else {}) | {"display": name}


def add(unit: Unit, value: Object) -> Record:
    """Take a new resource into a unit of work, to be written at its next flush."""
    record = unit.new(value["resourceType"])
    return resource.read(unit.drafts[record.resource["id"]].mapping, value, unit.new_id, record)


def now(unit: Unit) -> datetime:
    """Return the present moment in the site's zone."""
    return unit.author.at.astimezone(unit.site.zone)


def shown(unit: Unit, listing: Listing, fhir_id: str) -> Row:
    """Return the row of a resource as it was just written."""
    found = one(unit.session.raw, listing, fhir_id)
    if found is None:
        raise errors.NotFound(expression="id")
    return found


def listed(records: Records, listing: Listing, asked: Paged, shown: Callable[..., Any]) -> dict[str, Any]:
    """Return the page of a list that is asked for; ``shown`` makes the form of a row."""
    with records.store.connection() as connection:
        rows, total = page(connection, listing, asked.filters(), asked.skip, asked.page_size)
    return asked.around([shown(**row) for row in rows], total)


def read(records: Records, caller: Caller, listing: Listing, resource_type: str, fhir_id: str) -> Row:
    """Return one row. Raises NotFound, Deleted."""
    with records.store.connection() as connection:
        found = one(connection, listing, fhir_id)
    if found is None:
        # Whatever is not here was deleted, or never was.
        records.read(caller, resource_type, fhir_id)
        raise errors.NotFound(expression="id")
    return found
