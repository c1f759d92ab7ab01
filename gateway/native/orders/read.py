"""Orders are listed and looked up: by id, by number, of a patient, of a visit."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from gateway import errors
from gateway.native.clinic_words import between
from gateway.native.orders.answers import Order, one, shown
from gateway.native.orders.forms import OrderFilters, Paged
from gateway.native.words import Ask, answer, caller_of, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from mappings.order_forms import ACCOUNTS
from storage import orders

Told = dict[str, Any]


@get("/", opt=call(query=OrderFilters, answer=list[Order]))
async def list_orders(request: Ask) -> Response[bytes]:
    """List orders, the newest first, by type, status, patient, visit and days of ordering."""
    told = query(request, OrderFilters).told()
    return answer(await asyncio.to_thread(_list, records_of(request), told))


@get("/{order_id:str}", opt=call(answer=Order))
async def get_order(request: Ask, order_id: FromPath[str]) -> Response[bytes]:
    """Return one order."""
    return answer(await asyncio.to_thread(_one, records_of(request), order_id))


@get("/search/number/{number:str}", opt=call(answer=Order))
async def get_order_by_number(request: Ask, number: FromPath[str]) -> Response[bytes]:
    """Return the order with an order number."""
    return answer(
        await asyncio.to_thread(_numbered, records_of(request), caller_of(request), number, "order_number")
    )


@get("/search/accession/{number:str}", opt=call(answer=Order))
async def get_order_by_accession_number(request: Ask, number: FromPath[str]) -> Response[bytes]:
    """Return the order with an accession number."""
    return answer(
        await asyncio.to_thread(
            _numbered, records_of(request), caller_of(request), number, "accession_number"
        )
    )


@get("/patient/{patient_id:str}", opt=call(query=Paged, answer=list[Order]))
async def list_orders_of_patient(request: Ask, patient_id: FromPath[str]) -> Response[bytes]:
    """List the orders of a patient, the newest first."""
    told = query(request, Paged).told() | {"patient_id": patient_id}
    return answer(await asyncio.to_thread(_list_of, records_of(request), told, "Patient", patient_id))


@get("/visit/{visit_id:str}", opt=call(query=Paged, answer=list[Order]))
async def list_orders_of_visit(request: Ask, visit_id: FromPath[str]) -> Response[bytes]:
    """List the orders of a visit, the newest first."""
    told = query(request, Paged).told() | {"visit_id": visit_id}
    return answer(await asyncio.to_thread(_list_of, records_of(request), told, "Encounter", visit_id))


def _one(records: Records, value: str, by: str = "id") -> Order:
    with records.store.connection() as connection:
        return one(connection, value, by)


def _numbered(records: Records, caller: Caller, value: str, by: str) -> Order:
    found = _one(records, value, by)
    records.looks.note(caller, "ServiceRequest", fhir_id=found.id)
    return found


def _list(records: Records, told: Told) -> list[Order]:
    asked = between(told, records.site.zone)
    skip, limit = asked.pop("skip"), asked.pop("limit")
    with records.store.connection() as connection:
        return [shown(row) for row in orders.page(connection, asked, skip, limit, ACCOUNTS)]


def _list_of(records: Records, told: Told, resource_type: str, fhir_id: str) -> list[Order]:
    with records.store.connection() as connection:
        found = orders.standing(connection, resource_type, fhir_id)
    if found is None:
        raise errors.NotFound(f"There is no {resource_type} {fhir_id}.", expression="id")
    if found["is_deleted"]:
        raise errors.Deleted(f"{resource_type} {fhir_id} was deleted.", expression="id")
    return _list(records, told)


ROUTES = (
    list_orders,
    get_order,
    get_order_by_number,
    get_order_by_accession_number,
    list_orders_of_patient,
    list_orders_of_visit,
)
