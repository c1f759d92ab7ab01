"""Research cases as the surgical registry posts and reads them."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, get, patch, post
from litestar.params import FromPath

from gateway import errors
from gateway.native.words import Ask, answer, caller_of, form, records_of
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import research
from mappings.research.links import TARGETS
from storage.model.research import KINDS, CaseKind
from storage.model.shared import Reference
from storage.record import Record


@post("/{kind:str}", status_code=201)
async def create_case(request: Ask, kind: FromPath[str]) -> Response[bytes]:
    """Store a case; what the encounter tells (patient, date) need not be said again."""
    values = form(await request.body(), dict[str, Any])
    made = await asyncio.to_thread(_create, records_of(request), caller_of(request), kind_named(kind), values)
    return answer(made, 201)


@get("/{kind:str}/{case_id:str}")
async def get_case(request: Ask, kind: FromPath[str], case_id: FromPath[str]) -> Response[bytes]:
    """Return a case with all its columns."""
    return answer(
        await asyncio.to_thread(_get, records_of(request), caller_of(request), kind_named(kind), case_id)
    )


@patch("/{kind:str}/{case_id:str}")
async def change_case(request: Ask, kind: FromPath[str], case_id: FromPath[str]) -> Response[bytes]:
    """Change the columns that are named; null clears."""
    values = form(await request.body(), dict[str, Any])
    done = await asyncio.to_thread(
        _change, records_of(request), caller_of(request), kind_named(kind), case_id, values
    )
    return answer(done)


def kind_named(path: str) -> CaseKind:
    """Return the kind of case of a path. Raises NotFound, naming the kinds that there are."""
    found = next((kind for kind in KINDS.values() if kind.path == path), None)
    if found is None:
        listed = ", ".join(kind.path for kind in KINDS.values())
        raise errors.NotFound(f"There is no kind of case {path}; there are: {listed}.", expression="kind")
    return found


def _create(records: Records, caller: Caller, kind: CaseKind, values: dict[str, Any]) -> dict[str, Any]:
    def work(unit: Unit) -> dict[str, Any]:
        told = dict(values)
        encounter = unit.get("Encounter", _text(told, "encounter_id"))
        told.setdefault("patient_id", _patient_of(encounter))
        _must_exist(unit, told)
        record = research.new_case(kind, told, unit.new_id)
        unit.adopt(record)
        unit.flush()
        return _shown(record)

    return records.unit(caller, work)


def _get(records: Records, caller: Caller, kind: CaseKind, case_id: str) -> dict[str, Any]:
    return records.unit(caller, lambda unit: _shown(_case(unit, kind, case_id)))


def _change(
    records: Records, caller: Caller, kind: CaseKind, case_id: str, values: dict[str, Any]
) -> dict[str, Any]:
    def work(unit: Unit) -> dict[str, Any]:
        record = _case(unit, kind, case_id)
        _must_exist(unit, values)
        research.change_case(record, values, unit.new_id)
        unit.touch(record, "patch")
        unit.flush()
        return _shown(record)

    return records.unit(caller, work)


def _must_exist(unit: Unit, values: dict[str, Any]) -> None:
    """Raise NotFound, naming the field, where a case refers to what is not here."""
    for name, (_, resource_type) in TARGETS.items():
        value = values.get(name)
        if isinstance(value, str) and value:
            found = unit.seek(resource_type, value)
            if found is None or found.resource["deleted_at"] is not None:
                raise errors.NotFound(f"There is no {resource_type} {value}.", expression=name)


def _case(unit: Unit, kind: CaseKind, case_id: str) -> Record:
    record = unit.get("Observation", case_id)
    if kind.name not in record.details:
        raise errors.NotFound(f"There is no case {case_id} of the kind {kind.path}.", expression="id")
    return record


def _shown(record: Record) -> dict[str, Any]:
    head = record.resource
    return research.case_values(record) | {
        "created_at": head["created_at"],
        "updated_at": head["last_updated"],
    }


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise errors.Required(f"{name} is needed: the id of an encounter.", expression=name)
    return value


def _patient_of(encounter: Record) -> str | None:
    subjects = encounter.rows(Reference, None, "subject")
    return next((row["target_fhir_id"] for row in subjects if row["target_type"] == "Patient"), None)


ROUTES = (create_case, get_case, change_case)
