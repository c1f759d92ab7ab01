"""Procedures as the OR command center lists and moves them."""

from __future__ import annotations

import asyncio
from datetime import tzinfo
from typing import Any

from litestar import Response, get, patch, post
from litestar.params import FromPath

from gateway import errors
from gateway.native.clinic_words import moment, plain
from gateway.native.fields import named
from gateway.native.procedure_forms import (
    CHANGES,
    CLEARED,
    FIELDS,
    PROCEDURES,
    Finding,
    Procedure,
    ProcedureChange,
    ProcedureFilters,
    ProcedureInFull,
    ProcedureNew,
)
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import board
from storage import boards
from storage.record import Record
from storage.session import Raw


@get("/procedures", opt=call(query=ProcedureFilters, answer=list[Procedure]))
async def list_procedures(request: Ask) -> Response[bytes]:
    """List procedures by readiness, MRN of the patient, booked room and status."""
    asked = query(request, ProcedureFilters)
    return answer(await asyncio.to_thread(_list, records_of(request), asked))


@post(
    "/procedures",
    status_code=201,
    opt=call(body=ProcedureNew, answer=ProcedureInFull, status=201, examples=PROCEDURES),
)
async def create_procedure(request: Ask) -> Response[bytes]:
    """Bring a procedure onto the board, in work-up unless it has all that a later step needs."""
    told = _told(form(await request.body(), ProcedureNew), records_of(request).site.zone)
    return answer(await asyncio.to_thread(_create, records_of(request), caller_of(request), told), 201)


@get("/procedures/{procedure_id:str}", opt=call(answer=ProcedureInFull))
async def get_procedure(request: Ask, procedure_id: FromPath[str]) -> Response[bytes]:
    """Return one procedure with its arterial findings."""
    return answer(await asyncio.to_thread(_get, records_of(request), caller_of(request), procedure_id))


@patch(
    "/procedures/{procedure_id:str}",
    opt=call(body=ProcedureChange, answer=ProcedureInFull, examples=CHANGES),
)
async def change_procedure(request: Ask, procedure_id: FromPath[str]) -> Response[bytes]:
    """Change a procedure: readiness, barriers, clearances, slot, room, status, notes."""
    told = _told(form(await request.body(), ProcedureChange), records_of(request).site.zone)
    return answer(
        await asyncio.to_thread(_change, records_of(request), caller_of(request), procedure_id, told)
    )


def _told(sent: ProcedureNew | ProcedureChange, zone: tzinfo) -> dict[str, Any]:
    """Return what a form tells, times as FHIR has them; an empty text clears, as null does."""
    told: dict[str, Any] = {
        name: None if value == "" and name in CLEARED else plain(name, value)
        for name, value in sent.told().items()
    }
    times = (name for name in ("scheduled_start", "scheduled_end") if told.get(name))
    return told | {name: moment(name, told[name], zone) for name in times}


def _list(records: Records, asked: ProcedureFilters) -> list[Procedure]:
    with records.store.connection() as connection:
        return [Procedure(**_shown(row)) for row in boards.procedures(connection, **asked.told())]


def _get(records: Records, caller: Caller, procedure_id: str) -> ProcedureInFull:
    with records.store.connection() as connection:
        found = boards.procedures(connection, id=procedure_id)
        if not found:
            # Whatever is not here was deleted, or never was.
            records.read(caller, "Procedure", procedure_id)
            raise errors.NotFound("There is no such procedure.", expression="id")
        findings = boards.arterial_findings(connection, found[0]["row_id"])
    return ProcedureInFull(**_shown(found[0]), arterial_findings=[Finding(**row) for row in findings])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "row_id"}


def of_patient(connection: Raw, patient_id: str) -> list[Procedure]:
    """Return the procedures of a patient, by the patient's FHIR id."""
    return [Procedure(**_shown(row)) for row in boards.procedures(connection, patient=patient_id)]


def _create(records: Records, caller: Caller, told: dict[str, Any]) -> ProcedureInFull:
    def work(unit: Unit) -> str:
        found = boards.patient_with_mrn(unit.session.raw, told["mrn"])
        if found is None:
            raise errors.NotFound("There is no patient with this MRN.", expression="mrn")
        _see_name(found["patient_name"], told)
        record = unit.new("Procedure")
        board.begin(record, f"Patient/{found['id']}", unit.new_id)
        _set(unit, record, {name: told[name] for name in told if name not in ("mrn", "patient_name")})
        unit.flush()
        return record.resource["fhir_id"]

    with named(FIELDS):
        made = records.unit(caller, work)
    return _get(records, caller, made)


def _change(records: Records, caller: Caller, procedure_id: str, change: dict[str, Any]) -> ProcedureInFull:
    def work(unit: Unit) -> None:
        record = unit.get("Procedure", procedure_id)
        # What is sent back as it was shown stays as it is: the board shows a name, not the codes behind it.
        (shown,) = boards.procedures(unit.session.raw, id=procedure_id)
        told = {name: value for name, value in change.items() if name not in shown or shown[name] != value}
        _same_patient(unit, record.main["patient_id"], told)
        _set(unit, record, told)
        unit.touch(record, "patch")
        unit.flush()

    with named(FIELDS):
        records.unit(caller, work)
    return _get(records, caller, procedure_id)


def _set(unit: Unit, record: Record, told: dict[str, Any]) -> None:
    unit.override_reason = told.pop("override_reason", None)
    name = told.get("scheduled_location")
    if name is not None:
        room = boards.location_named(unit.session.raw, name)
        told["scheduled_location"] = {"display": name} | ({"reference": f"Location/{room}"} if room else {})
    board.change(record, told, unit.author.at, unit.author.actor_id, unit.new_id)


def _same_patient(unit: Unit, patient: Any, told: dict[str, Any]) -> None:
    """A procedure does not move to another patient: MRN and name may be sent back, not changed."""
    sent = {name: told.pop(name) for name in ("mrn", "patient_name") if name in told}
    if not sent:
        return
    present = boards.patient(unit.session.raw, patient)
    if "mrn" in sent and sent["mrn"] != present["mrn"]:
        raise errors.BusinessRule("A procedure cannot move to another patient: mrn.", expression="mrn")
    _see_name(present["patient_name"], sent)


def _see_name(present: str | None, told: dict[str, Any]) -> None:
    """Raise BusinessRule where a name is told that is not the patient's: whoever sends it means another."""
    name = told.get("patient_name")
    if name and present != name and not board.same_person(name, present or ""):
        text = "The patient of this MRN has another name."
        raise errors.BusinessRule(text, expression="patient_name")


ROUTES = (list_procedures, create_procedure, get_procedure, change_procedure)
