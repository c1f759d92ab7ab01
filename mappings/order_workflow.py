"""ServiceRequest.status and the extension order-workflow: two elements that share three columns.

https://hl7.org/fhir/R4/servicerequest-definitions.html#ServiceRequest.status
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mappings import times
from mappings.codecs import Plain
from mappings.element import Joined, Refused
from mappings.remainder import forget
from mappings.workflow.orders import (
    FITTING,
    STATUSES,
    WORKFLOW,
    State,
    Step,
    Transition,
    fits,
    from_fhir,
    to_fhir,
    told,
)
from storage.model.order import OrderStatusEvent, ServiceOrder

if TYPE_CHECKING:
    from mappings.element import Value
    from storage.model.columns import Row
    from storage.record import Record

COLUMNS = Joined(ServiceOrder.status, ServiceOrder.on_hold, ServiceOrder.record_state)
POINTER = f"extension:{WORKFLOW} extension:status valueCode"
"""Where the remainder keeps a workflow status that was sent although it goes without saying."""


def _state(columns: tuple[Any, ...]) -> State:
    status, on_hold, record_state = columns
    return State(status or "ordered", bool(on_hold), record_state or "normal")


class RequestStatusCodec(Plain):
    """ServiceRequest.status; a workflow status that goes with it stays."""

    values: tuple[str, ...] = tuple(FITTING)

    def weave(self, value: Value, present: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the columns after the status was set; the element is required, so it is never taken away."""
        return _state(present) if value is None else from_fhir(value, present[0])

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        return to_fhir(_state(columns)) if columns[0] is not None else None


class WorkflowStatusCodec(Plain):
    """The extension's status; one that does not go with ServiceRequest.status changes nothing."""

    values: tuple[str, ...] = STATUSES

    def weave(self, value: Value, present: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the columns after the workflow status was set, or taken away."""
        state = _state(present)
        fhir_status = to_fhir(state)
        if value is None:
            return from_fhir(fhir_status)
        return state._replace(status=value) if fits(fhir_status, value) else state

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        return told(_state(columns)) if columns[0] is not None else None


STATUS_SETS: dict[str, tuple[State, ...]] = {
    fhir_status: tuple(from_fhir(fhir_status, status) for status in fitting)
    for fhir_status, fitting in FITTING.items()
}
"""ServiceRequest.status -> the states (values of the three columns) that render as it, for searches."""


def state_of(record: Record) -> State:
    """Return where an order stands."""
    return _state(tuple(record.main[name] for name in COLUMNS.names))


def set_state(record: Record, state: State) -> None:
    """Put an order into a state, whatever it was in; nothing is judged."""
    record.main.update(zip(COLUMNS.names, state, strict=True))


def no_contradiction(record: Record) -> None:
    """Raise Refused where the extension tells a workflow status that does not go with the status."""
    word = _kept_word(record)
    if word is not None and word != record.main["status"]:
        allowed = ", ".join(FITTING[to_fhir(state_of(record))])
        where = f"ServiceRequest.extension('{WORKFLOW}').extension('status').valueCode"
        raise Refused("invariant", where, word, allowed)


def drop_stale_word(record: Record) -> None:
    """Forget a workflow status that was kept as sent, once the order has moved on."""
    if _kept_word(record) not in (None, record.main["status"]):
        forget(record.resource, POINTER)


def _kept_word(record: Record) -> str | None:
    kept: dict[str, dict[str, Any]] = record.resource["remainder"] or {}
    return kept.get("x", {}).get(POINTER)


def keep_status_of_void(present: State, record: Record) -> None:
    """Let a record that became entered-in-error or unknown keep the workflow status that it had."""
    state = state_of(record)
    if state.record_state in ("entered-in-error", "unknown") and state.status == "ordered":
        set_state(record, state._replace(status=present.status))


# --- what the steps bring about -----------------------------------------------------------------------------

_STAMPS = {"performed_at": "performed_at", "reported_at": "reported_at", "cancelled_at": "cancelled_at"}
_CLEARED = {
    "clear_slot": ServiceOrder.scheduled_at.names,
    "clear_performed": ("performed_at",),
    "clear_report": ("reported_at", "reporting_user_id"),
}


def bring_about(
    record: Record,
    steps: tuple[Transition, ...],
    at: datetime,
    *,
    performer: UUID | None = None,
    reporter: UUID | None = None,
) -> None:
    """Set the columns that follow from steps: times not told yet, who performed or reported, what is cleared.

    ``performer`` and ``reporter`` are ids of practitioners.
    """
    row = record.main
    for effect in (effect for step in steps for effect in step.effects):
        if effect in _STAMPS:
            again = effect == "reported_at"
            row[_STAMPS[effect]] = at if again or row[_STAMPS[effect]] is None else row[_STAMPS[effect]]
        row.update(dict.fromkeys(_CLEARED.get(effect, ())))
        if effect == "performer":
            row["performing_user_id"] = row["performing_user_id"] or performer
        elif effect == "reporter":
            row["reporting_user_id"] = reporter or row["reporting_user_id"]


def bring_about_walk(
    record: Record, steps: tuple[Step, ...], at: datetime, reporter: UUID | None = None
) -> None:
    """Set status and times after a walk: each state that was reached is stamped where it is not told yet."""
    row = record.main
    reached = {"completed": "performed_at", "reported": "reported_at", "cancelled": "cancelled_at"}
    for step in steps:
        column = reached.get(step.target)
        if column:
            row[column] = row[column] or at
        if step.target == "reported":
            row["reporting_user_id"] = reporter or row["reporting_user_id"]
        set_state(record, state_of(record)._replace(status=step.target))


def book(record: Record, at: str) -> None:
    """Set the time that an order is booked for, a FHIR dateTime. Raises Refused where it is none."""
    try:
        low, high = times.bounds(at)
    except ValueError:
        where = f"ServiceRequest.extension('{WORKFLOW}').extension('scheduledAt')"
        raise Refused("value", where, at, "a date or a dateTime") from None
    record.main.update(zip(ServiceOrder.scheduled_at.names, (at, low, high), strict=True))
    forget(record.resource, f"extension:{WORKFLOW} extension:scheduledAt valueDateTime")


def events(
    order_id: UUID,
    steps: tuple[Step, ...],
    at: datetime,
    ids: tuple[UUID, ...],
    *,
    via: str,
    actor_id: UUID | None = None,
) -> list[Row]:
    """Return the rows of ``order_status_event`` that tell of steps; one id for each, ``via`` is the door."""
    made: list[Row] = []
    for step, key in zip(steps, ids, strict=True):
        row = OrderStatusEvent.blank()
        row.update(
            id=key,
            order_id=order_id,
            from_status=step.source,
            to_status=step.target,
            at=at,
            actor_id=actor_id,
            via=via,
            implied=step.implied,
            note=step.note,
        )
        made.append(row)
    return made


def steps_of(present: State, transitions: tuple[Transition, ...]) -> tuple[Step, ...]:
    """Return transitions as steps that can be told of: a hold is a step to ``on_hold`` and back."""
    made: list[Step] = []
    source = present.name
    for taken in transitions:
        made.append(Step(source, taken.target, note="correction" if "correction" in taken.effects else None))
        source = present.status if taken.name == "release" else taken.target
    return tuple(made)
