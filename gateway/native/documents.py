"""Documents of a patient: what there is and where, for whom it is meant."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from gateway.native import clinic
from gateway.native.clinic_words import told_of
from gateway.native.document_forms import DOCUMENTS, Document, DocumentFilters, DocumentNew, DocumentPage
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import documents
from mappings.times import render_instant
from storage import documents as stored
from storage.listing import Row, page


@post(
    "/{patient_id:str}/documents",
    status_code=201,
    opt=call(body=DocumentNew, answer=Document, status=201, examples=DOCUMENTS),
)
async def create_document(request: Ask, patient_id: FromPath[str]) -> Response[bytes]:
    """Record that there is a document of a patient, and where."""
    sent = form(await request.body(), DocumentNew)
    made = await asyncio.to_thread(_create, records_of(request), caller_of(request), patient_id, sent)
    return answer(made, 201)


@get("/{patient_id:str}/documents", opt=call(query=DocumentFilters, answer=DocumentPage))
async def list_documents(request: Ask, patient_id: FromPath[str]) -> Response[bytes]:
    """List the documents of a patient that the caller's role may know of, newest first."""
    asked = query(request, DocumentFilters)
    found = await asyncio.to_thread(_list, records_of(request), caller_of(request), patient_id, asked)
    return answer(found)


def _create(records: Records, caller: Caller, patient_id: str, sent: DocumentNew) -> Document:
    told = told_of(sent, records.site.zone)

    def work(unit: Unit) -> Row:
        unit.get("Patient", patient_id)
        fields, encounter_id = dict(told), told.get("encounter_id")
        if encounter_id is not None:
            _see_encounter(unit, encounter_id, patient_id)
        clinic.resolve(unit, fields)
        encounter = f"Encounter/{encounter_id}" if encounter_id is not None else None
        at = render_instant(unit.author.at)
        record = clinic.add(unit, documents.reference(fields, f"Patient/{patient_id}", encounter, at))
        record.main["allowed_roles"] = _allowed(fields, unit.role)
        unit.flush()
        return clinic.shown(unit, stored.DOCUMENTS, record.resource["fhir_id"])

    return Document(**records.unit(caller, work))


def _see_encounter(unit: Unit, encounter_id: str, patient_id: str) -> None:
    encounter = clinic.there(unit, "Encounter", encounter_id, "encounter_id")
    if clinic.patient_of(encounter) != f"Patient/{patient_id}":
        raise clinic.not_theirs("encounter_id")


def _allowed(told: dict[str, Any], role: str | None) -> list[str] | None:
    """Return the roles that may know of a document; None are all."""
    named = told.get("allowed_roles")
    if named is not None:
        return sorted(set(named))
    if told.get("confidentiality") not in documents.CLOSED:
        return None
    return sorted({"admin", role or "admin"})


def _list(records: Records, caller: Caller, patient_id: str, asked: DocumentFilters) -> DocumentPage:
    records.read(caller, "Patient", patient_id)

    def work(unit: Unit) -> tuple[list[Row], int]:
        filters = asked.filters() | {"patient_id": patient_id, "role": unit.role}
        return page(unit.session.raw, stored.DOCUMENTS, filters, asked.skip, asked.page_size)

    rows, total = records.unit(caller, work)
    return DocumentPage(**asked.around([Document(**row) for row in rows], total))


ROUTES = (create_document, list_documents)
