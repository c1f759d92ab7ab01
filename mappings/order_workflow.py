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
    chained,
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
_SCHEDULED_AT = f"extension:{WORKFLOW} extension:scheduledAt valueDateTime"


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
    """Set status and times after a walk: each state that was reached is stamped where it is not told yet.

    A fact ends a hold.
    """
    row = record.main
    reached = {"completed": "performed_at", "reported": "reported_at", "cancelled": "cancelled_at"}
    for step in steps:
        column = reached.get(step.target)
        if column:
            row[column] = row[column] or at
        if step.target == "reported":
            row["reporting_user_id"] = reporter or row["reporting_user_id"]
        set_state(record, state_of(record)._replace(status=step.target, on_hold=False))


def retract(record: Record) -> None:
    """Take a reported order back to completed: its last final report is gone."""
    record.main.update(dict.fromkeys(_CLEARED["clear_report"]))
    set_state(record, state_of(record)._replace(status="completed"))


def unbook(record: Record) -> None:
    """Take a scheduled order back to ordered, without its time."""
    clear_slot(record)
    set_state(record, state_of(record)._replace(status="ordered"))


def clear_slot(record: Record) -> None:
    """Take away the time that an order is booked for."""
    record.main.update(dict.fromkeys(_CLEARED["clear_slot"]))
    forget(record.resource, _SCHEDULED_AT)


def book(record: Record, at: str) -> None:
    """Set the time that an order is booked for, a FHIR dateTime. Raises Refused where it is none."""
    try:
        low, high = times.bounds(at)
    except ValueError:
        where = f"ServiceRequest.extension('{WORKFLOW}').extension('scheduledAt')"
        raise Refused("value", where, at, "a date or a dateTime") from None
    record.main.update(zip(ServiceOrder.scheduled_at.names, (at, low, high), strict=True))
    forget(record.resource, _SCHEDULED_AT)


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


def steps_of(present: State, wanted: State, transitions: tuple[Transition, ...]) -> tuple[Step, ...]:
    """Return transitions as steps that can be told of, each from where the one before ended.

    A hold is a step to ``on_hold`` and back; a step that is taken under a hold lifts it and lays it on again.
    """
    names = [taken.name for taken in transitions]
    made = [_told(present, taken) for taken in transitions]
    under_hold = present.name == wanted.name == "on_hold" and made != [] and "release" not in names
    if under_hold:
        made = [Step(None, present.status, implied=True), *made, Step(None, "on_hold", implied=True)]
    if made and made[-1].target != wanted.name:
        # What becomes known again is told as where it stands.
        made[-1] = made[-1]._replace(target=wanted.name)
    return chained(present.name, made)


def _told(present: State, taken: Transition) -> Step:
    """Return a transition as a step, whose source is not told yet."""
    if taken.name == "release":
        return Step(None, present.status)
    again = taken.name == "schedule" and present.status == "scheduled"
    note = "correction" if "correction" in taken.effects else "rebooked" if again else None
    return Step(None, taken.target, note=note)
