"""Orders are changed: their texts and time, their state, their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from litestar import Response, delete, patch, post, put
from litestar.params import FromPath

from gateway import errors
from gateway.native.clinic_words import told_of
from gateway.native.orders.answers import Order, one
from gateway.native.orders.forms import CHANGES, STEPS, Cancellation, OrderChange, StatusChange
from gateway.native.orders.judged import judged
from gateway.native.orders.texts import see_texts
from gateway.native.words import Ask, answer, caller_of, form, query, records_of, within
from gateway.openapi.call import call
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import order_forms, orders
from mappings.order_workflow import set_state, state_of
from mappings.workflow import orders as machine
from mappings.workflow.orders import State
from storage import orders as stored
from storage.record import Record

Told = dict[str, Any]
LEAST = 10
"""The fewest characters of a reason to cancel."""


@put("/{order_id:str}", opt=call(body=OrderChange, answer=Order, examples=CHANGES))
async def change_order(request: Ask, order_id: FromPath[str]) -> Response[bytes]:
    """Change when an order is booked for, its instructions and its notes."""
    told = told_of(form(await request.body(), OrderChange), records_of(request).site.zone)
    return await _done(request, order_id, lambda unit, order: _change(unit, order, told))


@patch("/{order_id:str}/status", opt=call(body=StatusChange, answer=Order, examples=STEPS))
async def change_status(request: Ask, order_id: FromPath[str]) -> Response[bytes]:
    """Take a step of the workflow; notes are added to those that are there."""
    told = told_of(form(await request.body(), StatusChange), records_of(request).site.zone)
    see_texts(told, cancellation_reason=LEAST)
    if not told.keys() & {"status", "on_hold"}:
        raise errors.Required("status is needed, or on_hold.", expression="status")
    return await _done(request, order_id, lambda unit, order: _move(unit, order, told))


@post("/{order_id:str}/cancel", status_code=200, opt=call(query=Cancellation, answer=Order))
async def cancel_order(request: Ask, order_id: FromPath[str]) -> Response[bytes]:
    """Cancel an order that is not completed yet."""
    # There is nothing to be read from it; one that is too large is refused all the same.
    await request.body()
    reason = query(request, Cancellation).told().get("reason", "")
    if not reason:
        raise errors.Required("A reason is needed.", expression="reason")
    see_texts({"reason": reason}, reason=LEAST)
    told = {"status": "cancelled", "cancellation_reason": reason}
    return await _done(request, order_id, lambda unit, order: _move(unit, order, told))


@delete("/{order_id:str}", status_code=204, opt=call(status=204))
async def delete_order(request: Ask, order_id: FromPath[str]) -> None:
    """Delete an order: it is gone from all lists, its numbers and versions stay."""

    def work(unit: Unit) -> None:
        unit.delete(unit.get("ServiceRequest", order_id))
        unit.flush()

    await within(request, work)


Step = Callable[[Unit, Record], None]


async def _done(request: Ask, order_id: str, step: Step) -> Response[bytes]:
    return answer(await asyncio.to_thread(apply, records_of(request), caller_of(request), order_id, step))


def apply(records: Records, caller: Caller, order_id: str, step: Step) -> Order:
    """Do something with an order in one unit of work, and return how it stands then. Raises Problem."""

    def work(unit: Unit) -> None:
        order = unit.get("ServiceRequest", order_id)
        with judged(state_of(order)):
            step(unit, order)
            unit.flush()

    records.unit(caller, work)
    with records.store.connection() as connection:
        return one(connection, order_id)


def _change(unit: Unit, order: Record, told: Told) -> None:
    state, account = state_of(order), stored.acting(unit.session.raw, unit.author.actor_id)
    if "scheduled_date" in told:
        if state.record_state != "normal" or state.status not in ("ordered", "scheduled"):
            raise machine.illegal(state.name, "scheduled")
        order_forms.book(order, told["scheduled_date"])
    if "special_instructions" in told:
        orders.set_special_instructions(order, told["special_instructions"], unit.new_id)
    if "notes" in told:
        order_forms.set_notes(order, told["notes"], account, unit.author.at, unit.new_id)
    unit.touch(order)


def _move(unit: Unit, order: Record, told: Told) -> None:
    present, account = state_of(order), stored.acting(unit.session.raw, unit.author.actor_id)
    wanted = _wanted(present, told)
    if "scheduled_date" in told:
        _goes_with("scheduled", wanted, "scheduled_date")
        order_forms.book(order, told["scheduled_date"])
    if "cancellation_reason" in told:
        _goes_with("cancelled", wanted, "cancellation_reason")
        orders.set_cancellation_reason(order, told["cancellation_reason"], unit.new_id)
    started = wanted.status == "in_progress" and present.status in ("ordered", "scheduled")
    if started and account["role"] != "system":
        order_forms.take_on(order, account, unit.new_id)
    if "notes" in told:
        order_forms.note(order, told["notes"], account, unit.author.at, unit.new_id)
    set_state(order, wanted)
    unit.touch(order, "patch")


def _wanted(present: State, told: Told) -> State:
    """Return the state that is asked for. Raises IllegalTransition where it is the present one, and no step
    leads from there to itself.
    """
    if "status" not in told:
        return present._replace(on_hold=told["on_hold"])
    status: str = told["status"]
    held = told.get("on_hold", present.on_hold and status in machine.OPEN)
    wanted = State(status, held)
    if wanted == present:
        machine.transition(status, status)
    return wanted


def _goes_with(status: str, wanted: State, field: str) -> None:
    if wanted.status != status:
        raise errors.ValueInvalid(f"It goes with the status {status} only.", expression=field)


ROUTES = (change_order, change_status, cancel_order, delete_order)
