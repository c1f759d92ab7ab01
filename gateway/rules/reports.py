"""What a report must obey, and how it moves its order."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from gateway import audit
from gateway.rules.steps import current, live_order, walk_order
from mappings import order_workflow
from mappings.workflow import reports as outcome
from storage import dependents
from storage.model.ledger import AuditEvent
from storage.record import Record

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit


def report_status(unit: Unit, draft: Draft) -> None:
    """Judge a change of the status; a message reports a fact. Raises IllegalTransition."""
    if unit.author.origin != "hl7v2":
        outcome.judge(draft.was.get("status"), draft.record.main["status"])


def report_moves_order(unit: Unit, draft: Draft) -> None:
    """Walk the order of a report to where the report says it is; a cancelled order stays cancelled.

    The last final report that is void, or moves to another order, takes the order back that it had.
    """
    row, was = draft.record.main, draft.was
    same = (was.get("status"), was.get("order_id")) == (row["status"], row["order_id"])
    # A message has walked the order already: OBR-25 tells more than the report's status.
    if same or unit.author.origin == "hl7v2":
        return
    if was.get("status") in outcome.FINAL:
        moved = was["order_id"] != row["order_id"]
        _retract(unit, was["order_id"], outcome.ERROR if moved else row["status"])
    order = live_order(unit, row["order_id"])
    target = outcome.order_target(row["status"])
    if order is None or target is None or order.main["status"] == "cancelled":
        return
    reporter: UUID | None = unit.target_of(draft.record, "resultsInterpreter")
    walk_order(unit, order, target, reporter)


def critical_result(unit: Unit, draft: Draft) -> None:
    """Tell the audit trail of a result that is critical and was not before."""
    row = draft.record.main
    if row["result_status"] == "critical" != draft.was.get("result_status"):
        told = {"told": "critical result"}
        unit.writer.add(AuditEvent, audit.event(unit, "E", draft.record, detail=told))


def report_goes(unit: Unit, draft: Draft) -> None:
    """Take the order of a report that is deleted back to completed, where no final report is left."""
    row = draft.record.main
    if row["status"] in outcome.FINAL:
        _retract(unit, row["order_id"], outcome.ERROR)


def _retract(unit: Unit, key: UUID | None, status: str) -> None:
    order = live_order(unit, key)
    if order is None or order.main["status"] != "reported" or order.main["record_state"] != "normal":
        return
    if outcome.retracts(status, reports_of(unit, order)):
        order_workflow.retract(order)
        unit.walk(order)


def reports_of(unit: Unit, order: Record) -> list[str]:
    """Return the statuses of an order's live reports, those of this unit as they are now."""
    stored = dependents.reports(unit.session.raw, order.resource["id"])
    return [row["status"] for row in current(unit, "DiagnosticReport", order, stored).values()]
