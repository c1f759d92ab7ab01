"""Encounters as the registry's callers begin, list and move them."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from litestar import Response, get, patch, post
from litestar.params import FromPath

from gateway.native import clinic
from gateway.native.clinic_words import between, told_of
from gateway.native.encounter_forms import (
    CHANGES,
    ENCOUNTERS,
    Encounter,
    EncounterChange,
    EncounterFilters,
    EncounterNew,
    EncounterPage,
)
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import encounters
from mappings.element import IllegalTransition
from storage import clinic as stored
from storage.listing import Row, page
from storage.record import Record

T = TypeVar("T")
_HIDDEN = ("row_id", "no_show")


@post("/", status_code=201, opt=call(body=EncounterNew, answer=Encounter, status=201, examples=ENCOUNTERS))
async def create_encounter(request: Ask) -> Response[bytes]:
    """Begin an encounter of a patient; it gets its visit number here."""
    sent = form(await request.body(), EncounterNew)
    return answer(await asyncio.to_thread(_create, records_of(request), caller_of(request), sent), 201)


@get("/", opt=call(query=EncounterFilters, answer=EncounterPage))
async def list_encounters(request: Ask) -> Response[bytes]:
    """List encounters by patient, type, status, date and visit number, newest first."""
    asked = query(request, EncounterFilters)
    return answer(await asyncio.to_thread(_list, records_of(request), asked))


@get("/{encounter_id:str}", opt=call(answer=Encounter))
async def get_encounter(request: Ask, encounter_id: FromPath[str]) -> Response[bytes]:
    """Return one encounter."""
    return answer(await asyncio.to_thread(_get, records_of(request), caller_of(request), encounter_id))


@patch("/{encounter_id:str}", opt=call(body=EncounterChange, answer=Encounter, examples=CHANGES))
async def change_encounter(request: Ask, encounter_id: FromPath[str]) -> Response[bytes]:
    """Change the fields that are named; null clears."""
    sent = form(await request.body(), EncounterChange)
    done = await asyncio.to_thread(_change, records_of(request), caller_of(request), encounter_id, sent)
    return answer(done)


def begin(unit: Unit, patient_id: str, told: dict[str, Any]) -> Record:
    """Begin an encounter of a patient with the fields that are told, under a visit number drawn here."""
    clinic.resolve(unit, told)
    told.setdefault("status", encounters.status_of_date(told["encounter_date"], clinic.now(unit)))
    record = unit.new("Encounter")
    encounters.set_visit_number(record, unit.draw("VIS", lambda: 1), unit.new_id)
    encounters.set_patient(record, patient_id, unit.new_id)
    encounters.fill(record, told, unit.new_id)
    return record


def in_our_words(row: Row) -> Row:
    """Return a stored encounter as callers know it."""
    told = {name: value for name, value in row.items() if name not in _HIDDEN}
    return told | {"status": encounters.word_of(row["status"], no_show=row["no_show"])}


def filters_of(records: Records, asked: EncounterFilters) -> Row:
    """Return filters as ``storage.clinic`` takes them. Raises UnsupportedParameterValue."""
    found = between(asked.filters(), records.site.zone)
    if "status" in found:
        word = found["status"]
        found["status"] = encounters.STATUSES[word]
        if found["status"] == "cancelled":
            found["no_show"] = word == "no_show"
    return found


def _create(records: Records, caller: Caller, sent: EncounterNew) -> Encounter:
    told = told_of(sent, records.site.zone)

    def work(unit: Unit) -> Row:
        patient_id = told["patient_id"]
        clinic.there(unit, "Patient", patient_id, "patient_id")
        fields = {name: value for name, value in told.items() if name != "patient_id"}
        record = begin(unit, patient_id, fields)
        unit.flush()
        return clinic.shown(unit, stored.ENCOUNTERS, record.resource["fhir_id"])

    return Encounter(**in_our_words(records.unit(caller, work)))


def _list(records: Records, asked: EncounterFilters) -> EncounterPage:
    filters = filters_of(records, asked)
    with records.store.connection() as connection:
        rows, total = page(connection, stored.ENCOUNTERS, filters, asked.skip, asked.page_size)
    return EncounterPage(**asked.around([Encounter(**in_our_words(row)) for row in rows], total))


def _get(records: Records, caller: Caller, encounter_id: str) -> Encounter:
    row = clinic.read(records, caller, stored.ENCOUNTERS, "Encounter", encounter_id)
    return Encounter(**in_our_words(row))


def _change(records: Records, caller: Caller, encounter_id: str, sent: EncounterChange) -> Encounter:
    told = told_of(sent, records.site.zone)

    def work(unit: Unit) -> Row:
        record = unit.get("Encounter", encounter_id)
        present = in_our_words(clinic.shown(unit, stored.ENCOUNTERS, encounter_id))
        # What is sent back as it was shown stays as it was told, with all that is not shown of it.
        fields = {name: value for name, value in told.items() if value != present[name]}
        clinic.resolve(unit, fields)
        encounters.fill(record, fields, unit.new_id)
        unit.touch(record, "patch")
        unit.flush()
        return clinic.shown(unit, stored.ENCOUNTERS, encounter_id)

    try:
        return Encounter(**in_our_words(records.unit(caller, work)))
    except IllegalTransition as refusal:
        raise _in_words(refusal) from refusal


def _in_words(refusal: IllegalTransition) -> IllegalTransition:
    """Return a refusal of a step in the words of this interface."""
    present, wanted = encounters.WORDS[refusal.present], encounters.WORDS[refusal.wanted]
    allowed = (encounters.WORDS[status] for status in refusal.allowed)
    return IllegalTransition("status", present, wanted, allowed)


ROUTES = (create_encounter, list_encounters, get_encounter, change_encounter)
