"""Procedures as the OR command center lists and moves them."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import msgspec
from litestar import Response, get, patch
from litestar.params import FromPath
from msgspec import UNSET, UnsetType

from gateway import errors
from gateway.native.words import Ask, answer, caller_of, form, number, one_of, parameters, records_of
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import board
from storage import boards

FILTERS = ("surgical_status", "patient_mrn", "scheduled_location", "status")
CHOICES = {name: board.CODES[name] for name in ("surgical_status", "status")}


class ProcedureChange(msgspec.Struct, forbid_unknown_fields=True):
    """What a PATCH may change; what it leaves out stays, null clears."""

    mrn: str | UnsetType = UNSET
    patient_name: str | UnsetType = UNSET
    procedure_type: str | UnsetType = UNSET
    surgical_status: Literal["workup", "near_ready", "ready", "scheduled"] | UnsetType | None = UNSET
    barriers: list[str] | UnsetType = UNSET
    cardiology_clearance: bool | str | UnsetType | None = UNSET
    stress_test_status: str | UnsetType | None = UNSET
    consent_status: str | UnsetType | None = UNSET
    status: str | UnsetType = UNSET
    procedure_side: str | UnsetType | None = UNSET
    scheduled_location: str | UnsetType | None = UNSET
    scheduled_start: str | UnsetType | None = UNSET
    scheduled_end: str | UnsetType | None = UNSET
    estimated_minutes: int | UnsetType | None = UNSET
    override_reason: str | UnsetType | None = UNSET
    notes: str | UnsetType | None = UNSET

    def told(self) -> dict[str, Any]:
        """Return what was sent, by name."""
        named = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: value for name, value in named if value is not UNSET}


@get("/procedures")
async def list_procedures(request: Ask) -> Response[bytes]:
    """List procedures by readiness, MRN of the patient, booked room and status."""
    asked = parameters(request, *FILTERS, "skip", "limit")
    for name, group in CHOICES.items():
        one_of(asked, name, group.values)
    skip, limit = number(asked, "skip", 0, 10**9), number(asked, "limit", 500, 1000)
    return answer(await asyncio.to_thread(_list, records_of(request), asked, skip, limit))


@get("/procedures/{procedure_id:str}")
async def get_procedure(request: Ask, procedure_id: FromPath[str]) -> Response[bytes]:
    """Return one procedure with its arterial findings."""
    return answer(await asyncio.to_thread(_get, records_of(request), procedure_id))


@patch("/procedures/{procedure_id:str}")
async def change_procedure(request: Ask, procedure_id: FromPath[str]) -> Response[bytes]:
    """Change a procedure: readiness, barriers, clearances, slot, room, status, notes."""
    change = form(await request.body(), ProcedureChange)
    done = await asyncio.to_thread(
        _change, records_of(request), caller_of(request), procedure_id, change.told()
    )
    return answer(done)


def _list(records: Records, asked: dict[str, str], skip: int, limit: int) -> list[dict[str, Any]]:
    with records.store.connection() as connection:
        return [_shown(row) for row in boards.procedures(connection, **asked, skip=skip, limit=limit)]


def _get(records: Records, procedure_id: str) -> dict[str, Any]:
    with records.store.connection() as connection:
        found = boards.procedures(connection, id=procedure_id)
        if not found:
            raise errors.NotFound("There is no such procedure.", expression="id")
        findings = boards.arterial_findings(connection, found[0]["row_id"])
    return _shown(found[0]) | {"arterial_findings": findings}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "row_id"}


def _change(records: Records, caller: Caller, procedure_id: str, change: dict[str, Any]) -> dict[str, Any]:
    def work(unit: Unit) -> None:
        record = unit.get("Procedure", procedure_id)
        told = dict(change)
        unit.override_reason = told.pop("override_reason", None)
        _same_patient(unit, record.main["patient_id"], told)
        name = told.get("scheduled_location")
        if name is not None:
            room = boards.location_named(unit.session.raw, name)
            told["scheduled_location"] = {"display": name} | (
                {"reference": f"Location/{room}"} if room else {}
            )
        board.change(record, told, unit.author.at, unit.author.actor_id, unit.new_id)
        unit.touch(record, "patch")
        unit.flush()

    records.unit(caller, work)
    return _get(records, procedure_id)


def _same_patient(unit: Unit, patient: Any, told: dict[str, Any]) -> None:
    """A procedure does not move to another patient: MRN and name may be sent back, not changed."""
    sent = {name: told.pop(name) for name in ("mrn", "patient_name") if name in told}
    if not sent:
        return
    present = boards.patient(unit.session.raw, patient)
    for name, value in sent.items():
        if value != present[name]:
            raise errors.BusinessRule(f"A procedure cannot move to another patient: {name}.", expression=name)
