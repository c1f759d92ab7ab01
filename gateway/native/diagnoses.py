"""Diagnoses of encounters as the registry's callers add and list them."""

from __future__ import annotations

import asyncio

from litestar import Response, get, post
from litestar.params import FromPath

from gateway.native import clinic
from gateway.native.clinic_words import told_of
from gateway.native.diagnosis_forms import (
    DIAGNOSES,
    Diagnosis,
    DiagnosisFilters,
    DiagnosisNew,
    DiagnosisPage,
)
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import diagnoses
from storage import diagnoses as stored
from storage.listing import Row


@post("/", status_code=201, opt=call(body=DiagnosisNew, answer=Diagnosis, status=201, examples=DIAGNOSES))
async def create_diagnosis(request: Ask) -> Response[bytes]:
    """Add a diagnosis to an encounter; a new primary one ranks before those that were there."""
    sent = form(await request.body(), DiagnosisNew)
    return answer(await asyncio.to_thread(_create, records_of(request), caller_of(request), sent), 201)


@get("/", opt=call(query=DiagnosisFilters, answer=DiagnosisPage))
async def list_diagnoses(request: Ask) -> Response[bytes]:
    """List diagnoses by encounter, patient, ICD-10 code and whether they are primary, newest first."""
    asked = query(request, DiagnosisFilters)
    return answer(await asyncio.to_thread(_list, records_of(request), asked))


@get("/{diagnosis_id:str}", opt=call(answer=Diagnosis))
async def get_diagnosis(request: Ask, diagnosis_id: FromPath[str]) -> Response[bytes]:
    """Return one diagnosis."""
    return answer(await asyncio.to_thread(_get, records_of(request), caller_of(request), diagnosis_id))


def _create(records: Records, caller: Caller, sent: DiagnosisNew) -> Diagnosis:
    told = told_of(sent, records.site.zone)
    code = diagnoses.icd10_code(told["icd10_code"])

    def work(unit: Unit) -> Row:
        encounter = clinic.there(unit, "Encounter", told["encounter_id"], "encounter_id")
        record = unit.new("Condition")
        fhir_id = record.resource["fhir_id"]
        diagnoses.begin(
            record, clinic.patient_of(encounter), f"Encounter/{told['encounter_id']}", unit.new_id
        )
        diagnoses.set_code(record, code, told.get("description"), unit.new_id)
        if told.get("diagnosis_date") is not None:
            clinic.see_past(unit, told["diagnosis_date"], "diagnosis_date")
            diagnoses.set_date(record, told["diagnosis_date"], unit.new_id)
        diagnoses.enter(encounter, f"Condition/{fhir_id}", unit.new_id, primary=told["is_primary"])
        unit.touch(encounter, "patch")
        unit.flush()
        return clinic.shown(unit, stored.DIAGNOSES, fhir_id)

    return Diagnosis(**records.unit(caller, work))


def _list(records: Records, asked: DiagnosisFilters) -> DiagnosisPage:
    return DiagnosisPage(**clinic.listed(records, stored.DIAGNOSES, asked, Diagnosis))


def _get(records: Records, caller: Caller, diagnosis_id: str) -> Diagnosis:
    return Diagnosis(**clinic.read(records, caller, stored.DIAGNOSES, "Condition", diagnosis_id))


ROUTES = (create_diagnosis, list_diagnoses, get_diagnosis)
