"""Visits of a patient: encounters, with vital signs, diagnosis and billing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from litestar import Response, get, post
from litestar.params import FromPath

from gateway.native import clinic
from gateway.native.clinic_words import told_of
from gateway.native.encounters import begin, in_our_words
from gateway.native.visit_forms import VISITS, Billed, Visit, VisitList, VisitNew, VisitPage, VitalSignsShown
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import diagnoses, encounters, vitals
from storage import clinic as stored
from storage.listing import Row, page
from storage.record import Record

if TYPE_CHECKING:
    from psycopg import Connection

_NAMES = {"visit_type": "encounter_type", "visit_date": "encounter_date"}
"""Field of a visit -> of an encounter."""


@post(
    "/{patient_id:str}/visits",
    status_code=201,
    opt=call(body=VisitNew, answer=Visit, status=201, examples=VISITS),
)
async def create_visit(request: Ask, patient_id: FromPath[str]) -> Response[bytes]:
    """Record a visit of a patient: vital signs become observations, a diagnosis one of the visit."""
    sent = form(await request.body(), VisitNew)
    made = await asyncio.to_thread(_create, records_of(request), caller_of(request), patient_id, sent)
    return answer(made, 201)


@get("/{patient_id:str}/visits", opt=call(query=VisitList, answer=VisitPage))
async def list_visits(request: Ask, patient_id: FromPath[str]) -> Response[bytes]:
    """List the visits of a patient, newest first: all encounters, whichever door they came through."""
    asked = query(request, VisitList)
    found = await asyncio.to_thread(_list, records_of(request), caller_of(request), patient_id, asked)
    return answer(found)


def _create(records: Records, caller: Caller, patient_id: str, sent: VisitNew) -> Visit:
    told = told_of(sent, records.site.zone)

    def work(unit: Unit) -> Visit:
        unit.get("Patient", patient_id)
        fields = {_NAMES.get(name, name): value for name, value in told.items() if value is not None}
        signs, diagnosis = fields.pop("vital_signs", {}), fields.pop("diagnosis", None)
        if any(value is not None for value in signs.values()):
            clinic.see_past(unit, fields["encounter_date"], "vital_signs")
        record = begin(unit, patient_id, fields)
        fhir_id = record.resource["fhir_id"]
        patient, encounter = f"Patient/{patient_id}", f"Encounter/{fhir_id}"
        for made in vitals.observations(signs, patient, encounter, fields["encounter_date"]):
            clinic.add(unit, made)
        if diagnosis is not None:
            _diagnose(unit, record, patient, diagnosis)
        unit.flush()
        (visit,) = _shown(unit.session.raw, [clinic.shown(unit, stored.ENCOUNTERS, fhir_id)])
        return visit

    return records.unit(caller, work)


def _diagnose(unit: Unit, encounter: Record, patient: str, text: str) -> None:
    """Let what was diagnosed in words be the primary diagnosis of a new visit."""
    record = unit.new("Condition")
    diagnoses.begin(record, patient, f"Encounter/{encounter.resource['fhir_id']}", unit.new_id)
    diagnoses.set_code(record, None, text, unit.new_id)
    reference = f"Condition/{record.resource['fhir_id']}"
    diagnoses.enter(encounter, reference, unit.new_id, primary=True)


def _list(records: Records, caller: Caller, patient_id: str, asked: VisitList) -> VisitPage:
    records.read(caller, "Patient", patient_id)
    with records.store.connection() as connection:
        filters = {"patient_id": patient_id}
        rows, total = page(connection, stored.ENCOUNTERS, filters, asked.skip, asked.page_size)
        return VisitPage(**asked.around(_shown(connection, rows), total))


def _shown(connection: Connection[Any], rows: Sequence[Row]) -> list[Visit]:
    ids = [row["row_id"] for row in rows]
    signs = stored.vitals(connection, ids, tuple(vitals.BY_CODE))
    billed = stored.billed(connection, ids)
    return [_visit(row, signs.get(row["row_id"], []), billed.get(row["row_id"], [])) for row in rows]


def _visit(row: Row, signs: Sequence[Row], billed: Sequence[Row]) -> Visit:
    told = in_our_words(row)
    told |= {name: told[source] for name, source in _NAMES.items()}
    told["vital_signs"] = VitalSignsShown(**vitals.shown(signs))
    for code in billed:
        code["system"] = encounters.billing_system(code["system"])
    told["billing_codes"] = [Billed(**code) for code in billed]
    return Visit(**{name: told[name] for name in Visit.__struct_fields__})


ROUTES = (create_visit, list_visits)
