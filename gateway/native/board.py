"""The OR command center's patients, and the figures of its board."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from gateway import errors, health
from gateway.native import flat, procedures
from gateway.native.board_forms import (
    BoardFigures,
    BoardPatient,
    BoardPatientInFull,
    PatientSearch,
    ProcedureCounts,
)
from gateway.native.patient_forms import PATIENTS, PatientNew
from gateway.native.patients import mrn_taken
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import board, text
from mappings import flat as told
from storage import boards
from storage import flat as stored
from storage.errors import Duplicate

Values = dict[str, Any]
MOST_WORDS = 8
"""So many words of a search are looked for."""


@get("/patients", opt=call(query=PatientSearch, answer=list[BoardPatient]))
async def search_patients(request: Ask) -> Response[bytes]:
    """List patients by a part of their names or MRN."""
    asked = query(request, PatientSearch)
    return answer(await asyncio.to_thread(_search, records_of(request), caller_of(request), asked))


@post(
    "/patients",
    status_code=201,
    opt=call(body=PatientNew, answer=BoardPatient, status=201, examples=PATIENTS),
)
async def register_patient(request: Ask) -> Response[bytes]:
    """Make a patient: demographics, contact, insurance, medical history."""
    values = form(await request.body(), Values)
    return answer(await asyncio.to_thread(_register, records_of(request), caller_of(request), values), 201)


@get("/patients/{mrn:str}", opt=call(answer=BoardPatientInFull))
async def get_patient_of_board(request: Ask, mrn: FromPath[str]) -> Response[bytes]:
    """Return the patient with an MRN, with the patient's procedures."""
    return answer(await asyncio.to_thread(_get, records_of(request), caller_of(request), mrn))


@get("/orcc/status", opt=call(answer=BoardFigures, otherwise={health.UNAVAILABLE: health.State}))
async def board_status(request: Ask) -> Response[Any]:
    """Tell how the gateway is, and count procedures, by status and readiness, and patients."""
    try:
        return answer(await asyncio.to_thread(_figures, records_of(request)))
    except Exception as error:
        if errors.problem_of(error).status != health.UNAVAILABLE:
            raise
        return Response(health.State("unavailable"), status_code=health.UNAVAILABLE)


def _search(records: Records, caller: Caller, asked: PatientSearch) -> list[Values]:
    sought = (asked.search or "").strip()
    words = [text.fold(word) for word in sought.replace(",", " ").split()[:MOST_WORDS]]

    def work(unit: Unit) -> list[Values]:
        raw = unit.session.raw
        rows = stored.rows(raw, boards.patients(raw, sought, words, asked.skip, asked.limit))
        return [_shown(unit, row) for row in rows]

    return records.unit(caller, work)


def _register(records: Records, caller: Caller, values: Values) -> Values:
    def work(unit: Unit) -> Values:
        flat.see(unit, values)
        record = flat.create(unit, values)
        unit.flush()
        (row,) = stored.rows(unit.session.raw, [record.resource["id"]])
        return _shown(unit, row)

    try:
        return records.unit(caller, work)
    except Duplicate as refusal:
        raise mrn_taken(refusal) from refusal


def _shown(unit: Unit, row: Values) -> Values:
    return told.masked(row, unit.role) | {"is_active": row["status"] == "active"}


def _get(records: Records, caller: Caller, mrn: str) -> Values:
    def work(unit: Unit) -> Values:
        found = stored.one(unit.session.raw, mrn=mrn)
        if found is None and stored.taken(unit.session.raw, [mrn]):
            raise errors.Deleted(expression="mrn")
        if found is None:
            raise errors.NotFound("There is no patient with this MRN.", expression="mrn")
        records.looks.note(caller, "Patient", fhir_id=found["id"])
        return _shown(unit, found) | {"procedures": procedures.of_patient(unit.session.raw, found["id"])}

    return records.unit(caller, work)


def _figures(records: Records) -> BoardFigures:
    with records.store.connection() as connection:
        rows, count = boards.counts(connection)
    by_status = dict.fromkeys(board.CODES["status"].values, 0)
    by_readiness = dict.fromkeys(board.CODES["surgical_status"].values, 0)
    for status, readiness, number in rows:
        by_status[status] += number
        if readiness is not None:
            by_readiness[readiness] += number
    counted = ProcedureCounts(sum(by_status.values()), by_status, by_readiness)
    return BoardFigures("healthy", health.RELEASE, counted, count)


ROUTES = (search_patients, register_patient, get_patient_of_board, board_status)
