"""Procedures of encounters as the registry's callers add and list them."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from gateway.native import clinic
from gateway.native.act_forms import ACTS, Act, ActFilters, ActNew, ActPage
from gateway.native.clinic_words import told_of
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import acts, procedures
from storage import acts as stored
from storage.listing import Row
from storage.record import Record


@post("/", status_code=201, opt=call(body=ActNew, answer=Act, status=201, examples=ACTS))
async def create_act(request: Ask) -> Response[bytes]:
    """Add a procedure to an encounter: done, or to be worked up where its date lies ahead."""
    sent = form(await request.body(), ActNew)
    return answer(await asyncio.to_thread(_create, records_of(request), caller_of(request), sent), 201)


@get("/", opt=call(query=ActFilters, answer=ActPage))
async def list_acts(request: Ask) -> Response[bytes]:
    """List procedures by encounter, patient, CPT code and status, newest first."""
    asked = query(request, ActFilters)
    return answer(await asyncio.to_thread(_list, records_of(request), asked))


@get("/{act_id:str}", opt=call(answer=Act))
async def get_act(request: Ask, act_id: FromPath[str]) -> Response[bytes]:
    """Return one procedure."""
    return answer(await asyncio.to_thread(_get, records_of(request), caller_of(request), act_id))


def _create(records: Records, caller: Caller, sent: ActNew) -> Act:
    told = told_of(sent, records.site.zone)
    told["cpt_code"] = acts.cpt_code(told["cpt_code"])

    def work(unit: Unit) -> Row:
        encounter = clinic.there(unit, "Encounter", told["encounter_id"], "encounter_id")
        record = unit.new("Procedure")
        acts.begin(record, clinic.patient_of(encounter), f"Encounter/{told['encounter_id']}", unit.new_id)
        _fill(unit, record, told, told.get("procedure_date") or clinic.encounter_date(encounter))
        unit.flush()
        return clinic.shown(unit, stored.ACTS, record.resource["fhir_id"])

    return Act(**records.unit(caller, work))


def _fill(unit: Unit, record: Record, told: dict[str, Any], date: str | None) -> None:
    status = told.get("status") or acts.status_of_date(date, clinic.now(unit))
    procedures.set_procedure_type(record, told.get("description"), unit.new_id, told["cpt_code"])
    procedures.set_side(record, told.get("procedure_side"), unit.new_id)
    acts.set_status(record, status, unit.new_id)
    if date is not None:
        acts.set_date(record, date, unit.new_id)
    if told.get("details") is not None:
        acts.set_details(record, told["details"], unit.new_id)


def _list(records: Records, asked: ActFilters) -> ActPage:
    return ActPage(**clinic.listed(records, stored.ACTS, asked, Act))


def _get(records: Records, caller: Caller, act_id: str) -> Act:
    return Act(**clinic.read(records, caller, stored.ACTS, "Procedure", act_id))


ROUTES = (create_act, list_acts, get_act)
