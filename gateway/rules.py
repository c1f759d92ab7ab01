"""What a change of one resource must obey and brings with it, by resource type: numbers, workflow, readiness.

A rule sees the draft of a record: how it was, how it is, through which door it comes. It raises Refused,
IllegalTransition or a Problem, changes other records of the unit, or adds rows of history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from gateway import errors
from mappings import convert, order_workflow, orders, research
from mappings.order_workflow import state_of
from mappings.times import render_instant
from mappings.workflow import orders as machine
from mappings.workflow import procedures as readiness
from mappings.workflow import reports as outcome
from mappings.workflow.orders import State, Step
from storage import dependents, numbers
from storage.model.ledger import AuditEvent
from storage.model.order import OrderStatusEvent
from storage.record import Record

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit

Rule = Callable[["Unit", "Draft"], None]

PLANS = ("proposal", "plan", "directive", "option")
"""Intents of ServiceRequest that order nothing yet, so that they need no numbers."""


# --- orders ----------------------------------------------------------------------------------------------


def order_numbers(unit: Unit, draft: Draft) -> None:
    """Give a new order its numbers, accession before order (section 6 of the model); take over well-formed
    ones.
    """
    row = draft.record.main
    if not _numbered(draft):
        return
    drawn: dict[str, str] = {}
    for kind, column in NUMBERS.items():
        present = row[column]
        if present is None:
            drawn[kind] = unit.draw(kind, lambda column=column: _lacking(unit, column))
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
        steps = told
    elif draft.standing is None:
        wanted = state_of(draft.record)
        # A new order may start in any state: it reports a fact, and nobody told us when its steps were taken.
        steps = (
            machine.walk(None, wanted.status)
            if wanted.record_state == "normal"
            else (Step(None, wanted.name),)
        )
    else:
        steps = _order_moves(unit, draft)
    record_steps(unit, draft.record, steps)


def _order_moves(unit: Unit, draft: Draft) -> tuple[Step, ...]:
    present = State(draft.was["status"], draft.was["on_hold"], draft.was["record_state"])
    order_workflow.keep_status_of_void(present, draft.record)
    wanted = state_of(draft.record)
    rebooked = wanted.status == "scheduled" and draft.was["scheduled_at"] != draft.record.main["scheduled_at"]
    if present == wanted and not rebooked:
        return ()
    if unit.walked(draft):
        # A hold, an error, a report taken back: no way to walk, but one step.
        return machine.walk(present.status, wanted.status) or (Step(present.name, wanted.name),)
    ask = machine.Ask(
        role=unit.role,
        has_slot=draft.record.main["scheduled_at"] is not None,
        has_reason=draft.record.main["cancellation_reason"] is not None or unit.author.origin != "rest",
        final_report=outcome.has_final(reports_of(unit, draft.record)),
        again=rebooked and present == wanted,
    )
    taken = machine.judge(present, wanted, ask)
    order_workflow.bring_about(draft.record, taken, unit.author.at)
    return order_workflow.steps_of(present, taken)


def record_steps(unit: Unit, record: Record, steps: tuple[Step, ...]) -> None:
    """Add steps to the order's history."""
    ids = tuple(unit.new_id() for _ in steps)
    via = unit.author.origin if unit.author.origin != "csv" else "rest"
    rows = order_workflow.events(
        record.resource["id"], steps, unit.author.at, ids, via=via, actor_id=unit.author.actor_id
    )
    for row in rows:
        unit.writer.add(OrderStatusEvent, row)


def reports_of(unit: Unit, order: Record) -> list[str]:
    """Return the statuses of an order's live reports, those of this unit as they are now."""
    found = dependents.reports(unit.session.raw, order.resource["id"])
    here = {
        key: draft.record.main["status"]
        for key, draft in unit.drafts.items()
        if draft.mapping.type == "DiagnosticReport" and draft.record.main["order_id"] == order.resource["id"]
    }
    return list((dict(found) | here).values())


# --- reports ---------------------------------------------------------------------------------------------


def report_moves_order(unit: Unit, draft: Draft) -> None:
    """Walk the order of a report to where the report says it is; a cancelled order stays cancelled."""
    row = draft.record.main
    # A message has walked the order already: OBR-25 tells more than the report's status.
    if row["order_id"] is None or draft.was.get("status") == row["status"] or unit.author.origin == "hl7v2":
        return
    order = next(iter(unit.load("ServiceRequest", [row["order_id"]])), None)
    target = outcome.order_target(row["status"])
    if order is None or order.main["status"] == "cancelled":
        return
    if order.main["status"] == "reported" and outcome.retracts(row["status"], reports_of(unit, order)):
        order_workflow.set_state(order, state_of(order)._replace(status="completed"))
        unit.touch(order)
    if target is None:
        return
    reporter: UUID | None = unit.target_of(draft.record, "resultsInterpreter")
    walk_order(unit, order, target, reporter)


def walk_order(unit: Unit, order: Record, target: str, reporter: UUID | None = None) -> None:
    """Take an order forward to a state that is reported as a fact; steps that nobody told of are implied."""
    if order.main["record_state"] != "normal":
        return
    steps = machine.walk(order.main["status"], target)
    if not steps:
        return
    order_workflow.bring_about_walk(order, steps, unit.author.at, reporter)
    unit.walk(order)


# --- procedures ------------------------------------------------------------------------------------------


def procedure_readiness(unit: Unit, draft: Draft) -> None:
    """Judge a change of readiness and of status; a new blocking barrier moves a ready procedure back."""
    if draft.standing is None:
        return
    ask = readiness.Ask(role=unit.role, override_reason=unit.override_reason)
    before = draft.was["surgical_status"]
    readiness.judge_readiness(before, draft.record, ask)
    readiness.judge_status(draft.was["status"], draft.record, ask)
    readiness.settle_readiness(before, draft.record)
    if not unit.override_reason:
        readiness.settle_new_barrier(draft.record, standing=draft.noted or 0)
    elif draft.record.main["surgical_status"] != before:
        _audit_override(unit, draft)


def _audit_override(unit: Unit, draft: Draft) -> None:
    row = AuditEvent.blank()
    row.update(
        id=unit.new_id(),
        at=unit.author.at,
        actor_id=unit.author.actor_id,
        interface=unit.author.origin,
        action="E",
        resource_type=draft.mapping.type,
        resource_id=draft.record.resource["id"],
        patient_id=draft.record.main["patient_id"],
        outcome="0",
        detail={"override": "readiness", "to": draft.record.main["surgical_status"]},
    )
    unit.writer.add(AuditEvent, row)


def procedure_moves_order(unit: Unit, draft: Draft) -> None:
    """Walk the order of a procedure along with it: booked, begun, completed."""
    row = draft.record.main
    if row["order_id"] is None:
        return
    others = dict(dependents.procedures(unit.session.raw, row["order_id"]))
    others.pop(draft.record.resource["id"], None)
    target = readiness.order_target(draft.record, others.values())
    was = {name: draft.was.get(name) for name in ("status", "surgical_status")}
    if target is None or was == {name: row[name] for name in was}:
        return
    order = next(iter(unit.load("ServiceRequest", [row["order_id"]])), None)
    if order is None or order.main["status"] == "cancelled":
        return
    if target == "scheduled" and order.main["status"] == "ordered":
        order_workflow.book(order, row["scheduled_start"])
    walk_order(unit, order, target)


# --- encounters ------------------------------------------------------------------------------------------


def encounter_history(unit: Unit, draft: Draft) -> None:
    """Append the status that an encounter leaves to its history, where whoever changed it did not tell it."""
    before = draft.was.get("status")
    record = draft.record
    if before is None or before == record.main["status"] or unit.author.origin == "fhir":
        return
    line = draft.mapping.by_element["statusHistory"]
    place = convert.top(record, draft.mapping, unit.new_id)
    told: list[dict[str, Any]] = convert.element(place, line) or []
    start = told[-1]["period"].get("end") if told else draft.was["period_start"]
    period = (
        {"start": start, "end": render_instant(unit.author.at)}
        if start
        else {"end": render_instant(unit.author.at)}
    )
    convert.put(place, line, "statusHistory", [{"status": before, "period": period}])


# --- research cases --------------------------------------------------------------------------------------


def research_case(unit: Unit, draft: Draft) -> None:
    """Check the encounter of a research case, date it by the encounter where the registry does not."""
    record = draft.record
    if not record.details or research.kind_of(record) is None:
        return
    native = unit.author.origin == "rest"
    wanted = record.main["encounter_id"]
    encounter = next(iter(unit.load("Encounter", [wanted])), None) if wanted else None
    research.check_encounter(record, encounter and encounter.main, native=native)
    if encounter is not None and unit.author.origin != "fhir":
        research.default_date(record, encounter.main)


def research_members(unit: Unit, draft: Draft) -> None:
    """Let the members that a case names belong to it; their resources do not show it, so it makes no
    version.
    """
    owner = draft.record
    for reference in research.member_references(owner):
        member = next(iter(unit.load("Observation", [reference["target_id"]])), None)
        if member is None or not research.claim(owner, member):
            continue
        kind = research.kind_of(member)
        column = research.owner_column(owner, kind.name) if kind else None
        if kind is not None and column is not None:
            unit.afterwards(dependents.claim, kind.name, column, member.resource["id"], owner.resource["id"])


NOTES: dict[str, Callable[[Record], int]] = {
    "Procedure": lambda record: len(readiness.open_barriers(record)),
}
"""What rules must know of a record as it was loaded, beside its typed row: of a procedure its open barriers.
"""

SETTLED_LAST = frozenset({"ServiceRequest"})
"""Types whose rules run after those of all others, since those change them."""

RULES: dict[str, tuple[Rule, ...]] = {
    "ServiceRequest": (order_numbers, order_workflow_rule),
    "DiagnosticReport": (report_moves_order,),
    "Procedure": (procedure_readiness, procedure_moves_order),
    "Encounter": (encounter_history,),
    "Observation": (research_case, research_members),
}
