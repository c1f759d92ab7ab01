"""How other resources move an order: they load it, take it forward or back, and its history tells of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mappings import order_workflow
from mappings.workflow import orders as machine
from mappings.workflow.orders import Step
from storage.model.order import OrderStatusEvent
from storage.record import Record

if TYPE_CHECKING:
    from gateway.unit import Unit
    from storage.model.columns import Row


def live_order(unit: Unit, key: UUID | None) -> Record | None:
    """Return the order with an id; None where there is none, or it is deleted: moving it would revive it."""
    found = unit.load("ServiceRequest", [key]) if key is not None else []
    return next((order for order in found if order.resource["deleted_at"] is None), None)


def current(unit: Unit, resource_type: str, order: Record, stored: Iterable[Row]) -> dict[UUID, Row]:
    """Return the rows of what hangs on an order, by id: those that are stored, those of this unit as they are
    now.
    """
    own = {key: draft for key, draft in unit.drafts.items() if draft.mapping.type == resource_type}
    rows: dict[UUID, Any] = {row["id"]: row for row in stored if row["id"] not in own}
    for key, draft in own.items():
        row, head = draft.record.main, draft.record.resource
        if row["order_id"] == order.resource["id"] and head["deleted_at"] is None:
            rows[key] = row
    return rows


def record_steps(unit: Unit, record: Record, steps: tuple[Step, ...]) -> None:
    """Add steps to the order's history."""
    ids = tuple(unit.new_id() for _ in steps)
    via = unit.author.origin if unit.author.origin != "csv" else "rest"
    rows = order_workflow.events(
        record.resource["id"], steps, unit.author.at, ids, via=via, actor_id=unit.author.actor_id
    )
    for row in rows:
        unit.writer.add(OrderStatusEvent, row)


def walk_order(unit: Unit, order: Record, target: str, reporter: UUID | None = None) -> None:
    """Take an order forward to a state that is reported as a fact; steps that nobody told of are implied."""
    if order.main["record_state"] != "normal":
        return
    steps = machine.walk(order.main["status"], target)
    if not steps:
        return
    order_workflow.bring_about_walk(order, steps, unit.author.at, reporter)
    if steps[0].source == steps[0].target:
        # Its report is amended: the state stays, so that nothing else would tell of it.
        unit.tell(order, steps)
    unit.walk(order)
