"""Orders are made: what they ask for is checked against the reference lists."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from litestar import Response, post
from psycopg import Connection

from gateway import errors
from gateway.native.clinic_words import told_of
from gateway.native.orders.answers import Order, one
from gateway.native.orders.forms import ORDERS, NewImaging, NewLab, NewOrder, NewProcedure, OrderOf
from gateway.native.orders.texts import see_texts
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import order_forms
from storage import orders

Told = dict[str, Any]
TYPES = {NewImaging: "IMAGING", NewLab: "LAB", NewProcedure: "PROCEDURE"}


@post(
    "/",
    status_code=201,
    opt=call(
        query=OrderOf, body=(NewImaging, NewLab, NewProcedure), answer=Order, status=201, examples=ORDERS
    ),
)
async def create_order(request: Ask) -> Response[bytes]:
    """Order imaging, a laboratory test or a procedure for a patient, on a visit."""
    body = await request.body()
    asked, sent = query(request, OrderOf), _read(body)
    made = await asyncio.to_thread(_create, records_of(request), caller_of(request), asked, sent)
    return answer(made, 201)


def _read(body: bytes) -> NewOrder:
    try:
        sent = form(body, cast("type[NewOrder]", NewOrder))
    except errors.ValueInvalid as problem:
        if problem.issues[0].expression != "order_type":
            raise
        needed = f"One of {', '.join(TYPES.values())} is needed"
        raise errors.CodeInvalid(needed, expression="order_type") from problem
    see_texts(sent.told(), clinical_indication=10)
    return sent


def _create(records: Records, caller: Caller, asked: OrderOf, sent: NewOrder) -> Order:
    order_type, told = TYPES[type(sent)], told_of(sent, records.site.zone)

    def work(unit: Unit) -> str:
        raw, at = unit.session.raw, unit.author.at
        _see_visit(raw, asked)
        rows = _ROWS[order_type](raw, told)
        account = orders.acting(raw, unit.author.actor_id)
        record = unit.new("ServiceRequest")
        row = order_forms.begin(
            record, order_type, asked.patient_id, asked.visit_id, account, at, unit.new_id
        )
        _FILL[order_type](record, row, told, *rows, unit.new_id)
        order_forms.fill(record, told, account, at, unit.new_id)
        unit.flush()
        return record.resource["fhir_id"]

    made = records.unit(caller, work)
    with records.store.connection() as connection:
        return one(connection, made)


def _see_visit(raw: Connection[Any], asked: OrderOf) -> None:
    """See that patient and visit are here and go together."""
    patient = _standing(raw, "Patient", "patient_id", asked.patient_id)
    visit = _standing(raw, "Encounter", "visit_id", asked.visit_id)
    if visit["patient_id"] != patient["id"]:
        raise errors.Invariant("The visit is not of this patient.", expression="visit_id")


def _standing(raw: Connection[Any], resource_type: str, name: str, fhir_id: str) -> Told:
    found = orders.standing(raw, resource_type, fhir_id)
    if found is None or found["is_deleted"]:
        raise errors.NotFound(f"There is no {resource_type} {fhir_id}.", expression=name)
    return found


# --- what may be ordered ---------------------------------------------------------------------------------


def _imaging_rows(raw: Connection[Any], told: Told) -> list[Told]:
    modality = _known(raw, "modalities", "modality", told)
    part = _known(raw, "body-parts", "body_part", told)
    allowed = part["applicable_modalities"]
    if modality["code"] not in allowed:
        text = f"{part['name']} is not imaged by {modality['name']}; allowed: {', '.join(allowed)}"
        raise errors.CodeInvalid(text, expression="body_part")
    return [modality, part]


def _known(raw: Connection[Any], name: str, field: str, told: Told) -> Told:
    """Return the row of a reference list that a field names. Raises CodeInvalid, naming those that there
    are.
    """
    listed = {row["code"]: row for row in orders.listed(raw, name)}
    found = listed.get(told[field])
    if found is None:
        raise errors.CodeInvalid(f"One of {', '.join(listed)} is needed", expression=field)
    return found


_ROWS: Mapping[str, Callable[[Connection[Any], Told], list[Told]]] = {
    "IMAGING": _imaging_rows,
    "LAB": lambda raw, told: [_known(raw, "lab-tests", "test_code", told)],
    "PROCEDURE": lambda raw, told: [_known(raw, "procedures", "procedure_code", told)],
}
_FILL: Mapping[str, Callable[..., None]] = {
    "IMAGING": order_forms.imaging,
    "LAB": order_forms.laboratory,
    "PROCEDURE": order_forms.procedure,
}
ROUTES = (create_order,)
