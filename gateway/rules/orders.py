"""What an order must obey: its numbers, and the workflow, which it also tells of in its history."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from gateway import errors
from gateway.rules.patients import may_share
from gateway.rules.reports import reports_of
from gateway.rules.steps import record_steps
from mappings import order_workflow, orders
from mappings.element import RoleRefused
from mappings.order_workflow import state_of
from mappings.workflow import orders as machine
from mappings.workflow import procedures as readiness
from mappings.workflow import reports as outcome
from mappings.workflow.orders import State, Step
from storage import dependents, numbers

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit
    from storage.model.columns import Row
    from storage.record import Record

PLANS = ("proposal", "plan", "directive", "option")
"""Intents of ServiceRequest that order nothing yet, so that they need no numbers."""


def order_numbers(unit: Unit, draft: Draft) -> None:
    """Give a new order its numbers, accession before order (section 6 of the model); take over well-formed
    ones.
    """
    row = draft.record.main
    if not _numbered(draft):
        return
    drawn: dict[str, str] = {}
    unit.stock(
        {kind: partial(_lacking, unit, column) for kind, column in NUMBERS.items() if row[column] is None}
    )
    for kind, column in NUMBERS.items():
        present = row[column]
        if present is None:
            drawn[kind] = unit.draw(kind, partial(_lacking, unit, column))
        elif draft.standing is None and not numbers.accept(unit.session.raw, present):
            where = "ServiceRequest.identifier"
            raise errors.BusinessRule(f"{present} has not the form of our numbers.", expression=where)
    if drawn:
        orders.set_numbers(
            draft.record,
            drawn.get("ORD") or row["order_number"],
            drawn.get("ACC") or row["accession_number"],
            unit.new_id,
        )


NUMBERS: dict[numbers.Kind, str] = {"ACC": "accession_number", "ORD": "order_number"}
"""The numbers of an order in the order in which they are drawn, and their columns."""


def _numbered(draft: Draft) -> bool:
    row = draft.record.main
    return row["record_state"] != "draft" and row["intent"] not in PLANS


def _lacking(unit: Unit, column: str) -> int:
    """Return how many orders of a unit lack a number still."""
    changed = (
        draft
        for draft in unit.drafts.values()
        if draft.changed and draft.op != "delete" and draft.mapping.type == "ServiceRequest"
    )
    return sum(_numbered(draft) and draft.record.main[column] is None for draft in changed)


def order_workflow_rule(unit: Unit, draft: Draft) -> None:
    """Judge a change of an order's state, bring about what follows from it, and tell it in its history."""
    told = unit.told.pop(draft.record.resource["id"], None)
    if told is not None:
        steps = machine.chained(None if draft.anew else _present(draft).name, told)
    elif draft.anew:
        _see_who_orders(unit)
        steps = _first_steps(unit, draft.record)
    else:
        steps = _order_moves(unit, draft)
    record_steps(unit, draft.record, steps)


def _see_who_orders(unit: Unit) -> None:
    """Raise RoleRefused where who orders by our own interface may not; the other doors report a fact."""
    who = machine.transition("new", "ordered").who
    if unit.author.origin == "rest" and unit.role is not None and unit.role not in who:
        raise RoleRefused(machine.EXPRESSION, unit.role, who)


def _first_steps(unit: Unit, order: Record) -> tuple[Step, ...]:
    """Return the steps of a new order, taken on by what waited for it.

    It may start in any state: it reports a fact, and nobody told us when its steps were taken.
    """
    wanted = state_of(order)
    if wanted.record_state != "normal":
        return (Step(None, wanted.name),)
    steps = machine.walk(None, wanted.status)
    held = (Step(None, "on_hold"),) if wanted.on_hold else ()
    waiting = _taken_on(unit, order) if wanted.status != "cancelled" else ()
    return machine.chained(None, (*steps, *held, *waiting))


def _taken_on(unit: Unit, order: Record) -> tuple[Step, ...]:
    """Walk a new order to where reports and procedures say it is that came before it."""
    head = order.resource
    if head["fhir_id"] == str(head["id"]):
        # Nobody can have known an id that was made here.
        return ()
    taken: list[Step] = []
    for target, reporter in _awaiting(unit, order):
        steps = machine.walk(order.main["status"], target)
        order_workflow.bring_about_walk(order, steps, unit.author.at, reporter)
        taken += steps
    return tuple(taken)


def _awaiting(unit: Unit, order: Record) -> list[tuple[str, UUID | None]]:
    """Return where those that wait for an order move it, and who reported."""
    reports, procedures = (_waiting(unit, order, kind) for kind in ("DiagnosticReport", "Procedure"))
    rows = [record.main for record in procedures]
    _take_slot(order, rows)
    targets: list[tuple[str | None, UUID | None]] = [
        (readiness.order_target(record, [row["status"] for row in rows if row is not record.main]), None)
        for record in procedures
    ]
    targets += [
        (outcome.order_target(record.main["status"]), unit.target_of(record, "resultsInterpreter"))
        for record in reports
    ]
    return [(target, reporter) for target, reporter in targets if target is not None]


def _take_slot(order: Record, procedures: list[Row]) -> None:
    """Let an order that has no time of its own have the first of its procedures that are booked."""
    slots = readiness.slots(procedures)
    if slots and order.main["scheduled_at"] is None and order.main["status"] in ("ordered", "scheduled"):
        order_workflow.book(order, slots[0])


def _waiting(unit: Unit, order: Record, kind: str) -> list[Record]:
    """Return the records of a type that wait for an order, or for its return: it is their first, and of their
    patient.
    """
    asked = (kind, "basedOn", "ServiceRequest", order.resource["fhir_id"])
    found = unit.load(kind, dependents.awaiting(unit.session.raw, *asked))
    own = (None, order.resource["id"])
    return [record for record in found if record.main["order_id"] in own and may_share(record, order)]


def _present(draft: Draft) -> State:
    return State(draft.was["status"], draft.was["on_hold"], draft.was["record_state"])


def _order_moves(unit: Unit, draft: Draft) -> tuple[Step, ...]:
    present = _present(draft)
    order_workflow.keep_status_of_void(present, draft.record)
    wanted = state_of(draft.record)
    rebooked = wanted.status == "scheduled" and draft.was["scheduled_at"] != draft.record.main["scheduled_at"]
    if present == wanted and not rebooked:
        return ()
    if unit.walked(draft):
        # A hold, an error, a report taken back: no way to walk, but one step.
        note = "rebooked" if present == wanted else None
        steps = machine.walk(present.status, wanted.status) or (Step(None, wanted.name, note=note),)
        return machine.chained(present.name, steps)
    ask = machine.Ask(
        role=unit.role,
        made_it=draft.record.resource["created_by"] == unit.author.actor_id,
        has_slot=draft.record.main["scheduled_at"] is not None,
        has_reason=draft.record.main["cancellation_reason"] is not None or unit.author.origin != "rest",
        final_report=outcome.has_final(reports_of(unit, draft.record)),
        again=rebooked and present == wanted,
    )
    taken = machine.judge(present, wanted, ask)
    order_workflow.bring_about(draft.record, taken, unit.author.at)
    return order_workflow.steps_of(present, wanted, taken)
