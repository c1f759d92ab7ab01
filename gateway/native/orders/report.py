"""Orders are reported on: a first report ends the work, a second one amends it."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, post
from litestar.params import FromPath

from gateway.native.orders.answers import Order
from gateway.native.orders.change import apply
from gateway.native.orders.forms import REPORTS, NewReport
from gateway.native.orders.texts import see_texts
from gateway.native.words import Ask, answer, caller_of, form, records_of
from gateway.openapi.call import call
from gateway.rules.steps import walk_order
from gateway.unit import Unit
from mappings import order_forms
from mappings.order_workflow import state_of
from mappings.workflow import orders as machine
from mappings.workflow.reports import FINAL
from storage import orders as stored
from storage.record import Record


@post("/{order_id:str}/report", status_code=200, opt=call(body=NewReport, answer=Order, examples=REPORTS))
async def report_order(request: Ask, order_id: FromPath[str]) -> Response[bytes]:
    """Report on an order that is completed, or amend its report."""
    told = form(await request.body(), NewReport).told()
    see_texts(told, report_text=20, findings=10, impression=10)
    done = await asyncio.to_thread(
        apply,
        records_of(request),
        caller_of(request),
        order_id,
        lambda unit, order: _report(unit, order, told),
    )
    return answer(done)


def _report(unit: Unit, order: Record, told: dict[str, Any]) -> None:
    state, at = state_of(order), unit.author.at
    ask = machine.Ask(unit.role, has_slot=True, final_report=True, again=state.status == "reported")
    machine.judge(state, state._replace(status="reported"), ask)
    account = stored.acting(unit.session.raw, unit.author.actor_id)
    report = _shown_report(unit, order)
    before = report.main["status"]
    order_forms.fill_report(report, told, account, at, unit.new_id)
    unit.touch(report, "patch")
    if before in FINAL and before == report.main["status"]:
        # Amended again: the report's status does not tell, its order shall.
        walk_order(unit, order, "reported")


def _shown_report(unit: Unit, order: Record) -> Record:
    """Return the report that the order shows, or a new one."""
    found = stored.newest_report(unit.session.raw, order.resource["id"])
    if found is not None:
        return unit.load("DiagnosticReport", [found])[0]
    record = unit.new("DiagnosticReport")
    order_forms.begin_report(record, order, unit.new_id)
    return record


ROUTES = (report_order,)
