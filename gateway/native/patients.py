"""Patients as the hospital's own applications know them: one flat record each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from gateway import errors
from gateway.native import flat, flat_removal
from gateway.native.patient_forms import (
    CHANGES,
    PATIENTS,
    PatientChange,
    PatientFigures,
    PatientList,
    PatientNew,
    PatientPage,
    PatientRecord,
    Removal,
)
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import flat as told
from mappings.element import Refused
from storage import flat as stored
from storage.errors import Duplicate
from storage.model.flat import MRN

Values = dict[str, Any]


@post("/", status_code=201, opt=call(body=PatientNew, answer=PatientRecord, status=201, examples=PATIENTS))
async def create_patient(request: Ask) -> Response[bytes]:
    """Make a patient of a flat record."""
    values = form(await request.body(), Values)
    return answer(await asyncio.to_thread(_create, records_of(request), caller_of(request), values), 201)


@get("/", opt=call(query=PatientList, answer=PatientPage))
async def list_patients(request: Ask) -> Response[bytes]:
    """List patients, filtered and sorted by any field, page by page."""
    asked = query(request, PatientList)
    return answer(await asyncio.to_thread(_list, records_of(request), caller_of(request), asked))


@get("/{patient_id:str}", opt=call(answer=PatientRecord))
async def get_patient(request: Ask, patient_id: FromPath[str]) -> Response[bytes]:
    """Return the flat record of a patient."""
    return answer(await asyncio.to_thread(_get, records_of(request), caller_of(request), patient_id))


@get("/mrn/{mrn:str}", opt=call(answer=PatientRecord))
async def get_patient_by_mrn(request: Ask, mrn: FromPath[str]) -> Response[bytes]:
    """Return the flat record of the patient with a medical record number."""
    return answer(await asyncio.to_thread(_get_by_mrn, records_of(request), caller_of(request), mrn))


@patch("/{patient_id:str}", opt=call(body=PatientChange, answer=PatientRecord, examples=CHANGES))
async def change_patient(request: Ask, patient_id: FromPath[str]) -> Response[bytes]:
    """Change the fields that are named; null clears."""
    values = form(await request.body(), Values)
    done = await asyncio.to_thread(_change, records_of(request), caller_of(request), patient_id, values)
    return answer(done)


@delete("/{patient_id:str}", status_code=204, opt=call(query=Removal, status=204))
async def delete_patient(request: Ask, patient_id: FromPath[str]) -> Response[None]:
    """Delete a patient with all that the flat record is made of."""
    asked = query(request, Removal)
    await asyncio.to_thread(_delete, records_of(request), caller_of(request), patient_id, asked.hard)
    return Response(None, status_code=204)


@get("/stats/overview", opt=call(answer=PatientFigures))
async def patient_figures(request: Ask) -> Response[bytes]:
    """Count patients by status, sex, age band and insurance type."""
    return answer(await asyncio.to_thread(_figures, records_of(request)))


def filters_of(asked: Mapping[str, str]) -> dict[str, Any]:
    """Return filters as ``storage.flat`` takes them. Raises UnsupportedParameterValue."""
    try:
        return told.filters(asked)
    except Refused as refusal:
        text = f"{refusal.expression}: {refusal.message}"
        raise errors.UnsupportedParameterValue(text, expression=refusal.expression) from refusal


def mrn_taken(refusal: Duplicate) -> Exception:
    """Return what to tell of a number that is in use: of an MRN which field it is."""
    if refusal.system != MRN:
        return refusal
    return errors.DuplicateKey(f"The MRN {refusal.value} is in use.", expression="mrn")


def _write(records: Records, caller: Caller, work: Any) -> Values:
    try:
        return records.unit(caller, work)
    except Duplicate as refusal:
        raise mrn_taken(refusal) from refusal


def _shown(unit: Unit, patient_id: str) -> Values:
    found = stored.one(unit.session.raw, id=patient_id)
    if found is None:
        raise errors.NotFound("There is no such patient.", expression="id")
    return told.masked(found, unit.role)


def _create(records: Records, caller: Caller, values: Values) -> Values:
    def work(unit: Unit) -> Values:
        flat.see(unit, values)
        record = flat.create(unit, values)
        unit.flush()
        return _shown(unit, record.resource["fhir_id"])

    return _write(records, caller, work)


def _change(records: Records, caller: Caller, patient_id: str, values: Values) -> Values:
    def work(unit: Unit) -> Values:
        found = stored.one(unit.session.raw, id=patient_id)
        present = told.masked(found, unit.role) if found else {}
        # What is sent back as it was shown is no change, whatever other doors let stand there.
        new = {name: value for name, value in values.items() if name not in present or value != present[name]}
        flat.see(unit, new, present)
        flat.change(unit, unit.get("Patient", patient_id), new)
        unit.flush()
        return _shown(unit, patient_id)

    return _write(records, caller, work)


def _list(records: Records, caller: Caller, asked: PatientList) -> Values:
    given = {name: str(value) for name, value in asked.told().items()}
    filters, sort = filters_of(given), told.sort(given)

    def work(unit: Unit) -> Values:
        rows, total = stored.page(unit.session.raw, filters, sort, asked.skip, asked.page_size)
        return asked.around([told.masked(row, unit.role) for row in rows], total)

    return records.unit(caller, work)


def _get(records: Records, caller: Caller, patient_id: str) -> Values:
    def work(unit: Unit) -> Values | None:
        found = stored.one(unit.session.raw, id=patient_id)
        return told.masked(found, unit.role) if found else None

    shown = records.unit(caller, work)
    if shown is None:
        # Whoever is not here was deleted, or never was.
        records.read(caller, "Patient", patient_id)
        raise errors.NotFound("There is no such patient.", expression="id")
    return shown


def _get_by_mrn(records: Records, caller: Caller, mrn: str) -> Values:
    def work(unit: Unit) -> Values:
        found = stored.one(unit.session.raw, mrn=mrn)
        if found is None:
            raise errors.NotFound("There is no patient with this MRN.", expression="mrn")
        records.looks.note(caller, "Patient", fhir_id=found["id"])
        return told.masked(found, unit.role)

    return records.unit(caller, work)


def _delete(records: Records, caller: Caller, patient_id: str, hard: bool) -> None:
    def work(unit: Unit) -> None:
        if hard:
            record = unit.seek("Patient", patient_id)
            if record is None:
                raise errors.NotFound("There is no such patient.", expression="id")
            flat_removal.remove_for_good(unit, record)
        else:
            flat_removal.remove(unit, unit.get("Patient", patient_id))

    records.unit(caller, work)


def _figures(records: Records) -> Values:
    at = records.clock().astimezone(records.site.zone)
    with records.store.connection() as connection:
        return stored.stats(connection, at)


ROUTES = (
    create_patient,
    list_patients,
    get_patient,
    get_patient_by_mrn,
    change_patient,
    delete_patient,
    patient_figures,
)
