"""What a procedure must obey, its readiness and its slot, and how it moves its order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gateway.audit import event
from gateway.rules.steps import current, live_order, walk_order
from mappings import order_workflow
from mappings.workflow import procedures as readiness
from mappings.workflow.procedures import Standing
from storage import dependents
from storage.model.ledger import AuditEvent
from storage.model.procedure import ProcedurePerformer
from storage.record import Record

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit
    from storage.model.columns import Row


def procedure_readiness(unit: Unit, draft: Draft) -> None:
    """Judge a change of readiness, slot and status; what a ready procedure no longer has moves it back.

    Of a procedure that never was on the board a message reports facts, which need no steps between.
    """
    record = draft.record
    ask = readiness.Ask(unit.role, unit.override_reason, _operates(unit, record))
    if draft.anew:
        _begins(unit, draft, ask)
        return
    before: str | None = draft.was["surgical_status"]
    standing: Standing = draft.noted
    readiness.judge_readiness(before, record, ask)
    if record.main["surgical_status"] is not None or not unit.walked(draft):
        readiness.judge_status(draft.was["status"], record, ask)
    readiness.judge_slot(record, standing if before == "scheduled" else Standing())
    readiness.settle_readiness(before, record)
    readiness.settle_lost_guards(before, record, standing, ask)
    lifted = readiness.lifted(before, record, standing, ask)
    if lifted:
        _audit_override(unit, draft, lifted)


def _begins(unit: Unit, draft: Draft, ask: readiness.Ask) -> None:
    """Judge a new procedure: one that comes onto the board by our own interface may not be further on than
    what it has allows; others may start in any state, and lack what they lack: they report a fact.
    """
    record = draft.record
    if unit.author.origin == "rest" and record.main["surgical_status"] is not None:
        readiness.judge_readiness(None, record, ask)
        lifted = readiness.lifted(None, record, Standing(), ask)
        if lifted:
            _audit_override(unit, draft, lifted)
    readiness.judge_slot(record, Standing.of(record))


def _operates(unit: Unit, record: Record) -> bool:
    """Tell whether who acts is the primary surgeon of a procedure."""
    return unit.practitioner is not None and any(
        row["actor_id"] == unit.practitioner and row["role"] == "primary_surgeon"
        for row in record.rows(ProcedurePerformer)
    )


def _audit_override(unit: Unit, draft: Draft, lifted: list[str]) -> None:
    """Write who overrode what, and why: the reason is the staff's own account, kept in the trail alone."""
    told = {
        "override": "readiness",
        "to": draft.record.main["surgical_status"],
        "lifted": lifted,
        "reason": unit.override_reason,
    }
    unit.writer.add(AuditEvent, event(unit, "E", draft.record, detail=told))


def procedure_moves_order(unit: Unit, draft: Draft) -> None:
    """Let the order of a procedure follow it: booked, booked again, given back, begun, completed."""
    row = draft.record.main
    watched = ("status", "surgical_status", "scheduled_start", "order_id")
    if all(draft.was.get(name) == row[name] for name in watched):
        return
    order = live_order(unit, row["order_id"])
    if order is None or order.main["status"] == "cancelled":
        return
    rows = current(unit, "Procedure", order, dependents.procedures(unit.session.raw, order.resource["id"]))
    rows.pop(draft.record.resource["id"], None)
    target = readiness.order_target(draft.record, [other["status"] for other in rows.values()])
    if target == "scheduled":
        _book(unit, order, row["scheduled_start"])
    elif target is None and row["surgical_status"] and draft.was.get("surgical_status") == "scheduled":
        _give_back(unit, order, rows.values())
    if target is not None:
        walk_order(unit, order, target)


def procedure_goes(unit: Unit, draft: Draft) -> None:
    """Let the order of a booked procedure that is deleted lose its time, or have that of another one."""
    row = draft.record.main
    order = live_order(unit, row["order_id"])
    if order is None or not readiness.slots([row]):
        return
    rows = current(unit, "Procedure", order, dependents.procedures(unit.session.raw, order.resource["id"]))
    rows.pop(draft.record.resource["id"], None)
    _give_back(unit, order, rows.values())


def _book(unit: Unit, order: Record, at: str | None) -> None:
    """Let an order have the time of its procedure; one that has begun keeps what it had."""
    row = order.main
    if at is not None and row["status"] in ("ordered", "scheduled") and row["scheduled_at"] != at:
        order_workflow.book(order, at)
        unit.walk(order)


def _give_back(unit: Unit, order: Record, others: Iterable[Row]) -> None:
    """Let an order lose the time of its procedure, or have that of another one that is booked."""
    if order.main["status"] != "scheduled":
        return
    left = readiness.slots(others)
    if left:
        _book(unit, order, left[0])
    else:
        order_workflow.unbook(order)
        unit.walk(order)
