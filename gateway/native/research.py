"""Research cases as the surgical registry posts and reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from gateway import errors
from gateway.native import clinic
from gateway.native.case_forms import CASES, CHANGE, CHANGES, GIVEN, NEW, PATHS
from gateway.native.case_lists import LISTS, PAGES, listed
from gateway.native.words import Ask, answer, caller_of, form, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import research
from mappings.research.links import TARGETS
from mappings.research.sheet import row_values
from storage import registry
from storage.model.research import KINDS, CaseKind
from storage.model.shared import Reference
from storage.record import Record
from storage.registry import Sort, Test

KIND = {"kind": PATHS}


@post(
    "/{kind:str}",
    status_code=201,
    opt=call(body=NEW, answer=GIVEN, status=201, examples=CASES, words=KIND),
)
async def create_case(request: Ask, kind: FromPath[str]) -> Response[bytes]:
    """Store a case; what the encounter tells (patient, date) need not be said again."""
    values = form(await request.body(), dict[str, Any])
    made = await asyncio.to_thread(_create, records_of(request), caller_of(request), kind_named(kind), values)
    return answer(made, 201)


@get("/{kind:str}", opt=call(query=tuple(LISTS.values()), answer=PAGES, words=KIND))
async def list_cases(request: Ask, kind: FromPath[str]) -> Response[bytes]:
    """List cases of a kind, filtered and sorted by any column, page by page."""
    named = kind_named(kind)
    asked = listed(request, named)
    return answer(await asyncio.to_thread(_list, records_of(request), caller_of(request), named, *asked))


@get("/{kind:str}/{case_id:str}", opt=call(answer=GIVEN, words=KIND))
async def get_case(request: Ask, kind: FromPath[str], case_id: FromPath[str]) -> Response[bytes]:
    """Return a case with all its columns."""
    return answer(
        await asyncio.to_thread(_get, records_of(request), caller_of(request), kind_named(kind), case_id)
    )


@patch("/{kind:str}/{case_id:str}", opt=call(body=CHANGE, answer=GIVEN, examples=CHANGES, words=KIND))
async def change_case(request: Ask, kind: FromPath[str], case_id: FromPath[str]) -> Response[bytes]:
    """Change the columns that are named; null clears."""
    values = form(await request.body(), dict[str, Any])
    done = await asyncio.to_thread(
        _change, records_of(request), caller_of(request), kind_named(kind), case_id, values
    )
    return answer(done)


@delete("/{kind:str}/{case_id:str}", status_code=204, opt=call(status=204, words=KIND))
async def delete_case(request: Ask, kind: FromPath[str], case_id: FromPath[str]) -> Response[None]:
    """Delete a case that has no members; its versions stay."""
    await asyncio.to_thread(_delete, records_of(request), caller_of(request), kind_named(kind), case_id)
    return Response(None, status_code=204)


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
        see_references(unit, told)
        record = research.new_case(kind, told, unit.new_id)
        unit.adopt(record)
        unit.flush()
        return _shown(record)

    return records.unit(caller, work)


def _list(
    records: Records, caller: Caller, kind: CaseKind, tests: Sequence[Test], sort: Sort, asked: Any
) -> dict[str, Any]:
    def work(unit: Unit) -> dict[str, Any]:
        rows, total = registry.page(unit.session.raw, kind, tests, sort, asked.skip, asked.page_size)
        return asked.around([row_values(kind, row) for row in rows], total)

    return records.unit(caller, work)


def _get(records: Records, caller: Caller, kind: CaseKind, case_id: str) -> dict[str, Any]:
    return records.unit(caller, lambda unit: _shown(case_of(unit, kind, case_id)))


def _change(
    records: Records, caller: Caller, kind: CaseKind, case_id: str, values: dict[str, Any]
) -> dict[str, Any]:
    def work(unit: Unit) -> dict[str, Any]:
        record = case_of(unit, kind, case_id)
        see_references(unit, values)
        research.change_case(record, values, unit.new_id)
        unit.touch(record, "patch")
        unit.flush()
        return _shown(record)

    return records.unit(caller, work)


def _delete(records: Records, caller: Caller, kind: CaseKind, case_id: str) -> None:
    def work(unit: Unit) -> None:
        unit.delete(case_of(unit, kind, case_id))
        unit.flush()

    records.unit(caller, work)


def see_references(unit: Unit, values: dict[str, Any]) -> None:
    """See that what a case refers to is here. Raises NotFound, naming the field."""
    for name, (_, resource_type) in TARGETS.items():
        value = values.get(name)
        if isinstance(value, str) and value:
            clinic.there(unit, resource_type, value, name)


def case_of(unit: Unit, kind: CaseKind, case_id: str) -> Record:
    """Return a live case of a kind. Raises NotFound, Deleted."""
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


ROUTES = (create_case, list_cases, get_case, change_case, delete_case)
