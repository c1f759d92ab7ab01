"""The state machine of an order: its states, the steps between them, who may take them and what they need.

https://hl7.org/fhir/R4/request.html#statemachine and https://hl7.org/fhir/R4/valueset-request-status.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from mappings.element import IllegalTransition, Refused, RoleRefused, ext

STATUSES = ("ordered", "scheduled", "in_progress", "completed", "reported", "cancelled")
OPEN = ("ordered", "scheduled", "in_progress")
WORKFLOW = ext("order-workflow")
EXPRESSION = "ServiceRequest.status"
STATUS_REASON = "http://hl7.org/fhir/StructureDefinition/request-statusReason"


class State(NamedTuple):
    """Where an order stands: its workflow status, whether it is on hold, and what its record is worth."""

    status: str
    on_hold: bool = False
    record_state: str = "normal"

    @property
    def name(self) -> str:
        """What people call it; the record's state goes before the hold, the hold before the workflow."""
        if self.record_state != "normal":
            return self.record_state
        return "on_hold" if self.on_hold else self.status


class Step(NamedTuple):
    """One step of the workflow; ``implied`` where nobody told of it but a later step presupposes it."""

    source: str | None
    target: str
    implied: bool = False
    note: str | None = None


@dataclass(frozen=True)
class Ask:
    """Who asks for a change of state, and what is known that a step may need."""

    role: str | None = None
    """None: roles are not known, and not judged."""
    same_department: bool = True
    """Of an orderer who cancels: whether the order is their own or of their department."""
    made_it: bool = False
    """Of a system: whether it created the order."""
    on_hold: bool = False
    """Whether the order is on hold, and stays so; ``judge`` sets it."""
    has_slot: bool = False
    has_reason: bool = False
    final_report: bool = False
    """Whether a report stands that is final, amended, corrected or appended."""
    again: bool = False
    """A step to the state where the order is already: it is booked again, or its report amended."""


Guard = Callable[[Ask], None]


def _needs_slot(ask: Ask) -> None:
    if not ask.has_slot:
        where = f"ServiceRequest.extension('{WORKFLOW}').extension('scheduledAt')"
        raise Refused(
            "required", where, None, message="a scheduled order needs the time that it is booked for"
        )


def _needs_reason(ask: Ask) -> None:
    if not ask.has_reason:
        where = f"ServiceRequest.extension('{STATUS_REASON}')"
        raise Refused("required", where, None, message="a cancelled order needs a reason")


def _needs_report(ask: Ask) -> None:
    if not ask.final_report:
        raise Refused("business-rule", EXPRESSION, None, message="a reported order needs a final report")


def _needs_no_report(ask: Ask) -> None:
    if ask.final_report:
        raise Refused("business-rule", EXPRESSION, None, message="the order still has a final report")


def _needs_no_hold(ask: Ask) -> None:
    if ask.on_hold:
        raise Refused("business-rule", EXPRESSION, None, message="the order is on hold")


def _needs_own_department(ask: Ask) -> None:
    if ask.role == "orderer" and not ask.same_department:
        raise RoleRefused(EXPRESSION, "orderer of another department", ("or_coordinator", "admin"))


def _needs_creator(ask: Ask) -> None:
    if ask.role == "system" and not ask.made_it:
        raise RoleRefused(EXPRESSION, "system that did not create the order", ("admin",))


@dataclass(frozen=True)
class Transition:
    """A step of the workflow: from which states, to which, by whom, what it needs and brings about."""

    name: str
    sources: tuple[str, ...]
    target: str
    who: tuple[str, ...]
    guards: tuple[Guard, ...] = ()
    effects: tuple[str, ...] = ()


_BOOKERS = ("scheduler", "or_coordinator", "orderer", "system")
_UNBOOKERS = ("scheduler", "or_coordinator", "system")
_PERFORMERS = ("technologist", "nurse", "orderer", "system")
_REPORTERS = ("reporter", "system")
_CANCELLERS = ("orderer", "or_coordinator", "admin", "system")
_CORRECTORS = ("admin", "system")
_NO_REPORT = (_needs_no_report, _needs_creator)

TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        "order", ("new", "draft", "unknown"), "ordered", ("orderer", "nurse", "system"), effects=("number",)
    ),
    Transition("schedule", ("ordered", "scheduled"), "scheduled", _BOOKERS, (_needs_slot,)),
    Transition("unbook", ("scheduled",), "ordered", _UNBOOKERS, effects=("clear_slot",)),
    Transition(
        "start", ("ordered", "scheduled"), "in_progress", _PERFORMERS, (_needs_no_hold,), ("performer",)
    ),
    Transition("complete", ("in_progress",), "completed", _PERFORMERS, effects=("performed_at",)),
    Transition(
        "report", ("completed",), "reported", _REPORTERS, (_needs_report,), ("reported_at", "reporter")
    ),
    Transition("amend", ("reported",), "reported", _REPORTERS, (_needs_report,), ("reported_at", "reporter")),
    Transition(
        "retract",
        ("reported",),
        "completed",
        ("reporter", "admin", "system"),
        (_needs_no_report,),
        ("clear_report",),
    ),
    Transition(
        "reopen", ("completed",), "in_progress", _CORRECTORS, _NO_REPORT, ("correction", "clear_performed")
    ),
    Transition(
        "correct", ("in_progress",), "scheduled", _CORRECTORS, (*_NO_REPORT, _needs_slot), ("correction",)
    ),
    Transition("correct", ("in_progress",), "ordered", _CORRECTORS, _NO_REPORT, ("correction", "clear_slot")),
    Transition(
        "cancel",
        (*OPEN, "draft"),
        "cancelled",
        _CANCELLERS,
        (_needs_reason, _needs_own_department),
        ("cancelled_at",),
    ),
    Transition("hold", OPEN, "on_hold", ("orderer", "scheduler", "system")),
    Transition("release", ("on_hold",), "normal", ("orderer", "scheduler", "system")),
    Transition(
        "void",
        ("draft", "unknown", *(status for status in STATUSES if status != "cancelled")),
        "entered-in-error",
        ("orderer", "admin"),
    ),
    Transition("lose", STATUSES[:-1], "unknown", ("orderer", "admin", "system")),
)
"""The whole workflow. What is not here is refused: nothing leaves ``cancelled`` and ``entered-in-error``."""

_BY_ENDS = {(source, row.target): row for row in TRANSITIONS for source in row.sources}


def transition(source: str, target: str) -> Transition:
    """Return the step between two states; raises IllegalTransition where the workflow has none."""
    found = _BY_ENDS.get((source, target))
    if found is None:
        raise illegal(source, target)
    return found


def illegal(source: str, target: str) -> IllegalTransition:
    """Return the refusal of a step that the workflow has not, with those that it has from there."""
    allowed = dict.fromkeys(
        row.target for row in TRANSITIONS if source in row.sources and row.target != source
    )
    return IllegalTransition(EXPRESSION, source, target, allowed)


def next_of(state: State) -> tuple[str, ...]:
    """Return the workflow statuses that may follow where an order stands, whoever asks."""
    source = state.status if state.record_state == "normal" else state.record_state
    rows = (row for row in TRANSITIONS if source in row.sources and row.target in STATUSES)
    free = (row for row in rows if not (state.on_hold and _needs_no_hold in row.guards))
    return tuple(dict.fromkeys(row.target for row in free if row.target != source))


def judge(present: State, wanted: State, ask: Ask) -> tuple[Transition, ...]:
    """Return the steps that lead from the present state to the wanted one: none where nothing changes.

    A hold is laid on or taken off beside a step of the workflow. Raises IllegalTransition, RoleRefused, and
    Refused where a guard does not hold.
    """
    steps = tuple(_steps(present, wanted, ask))
    # An order that is taken off hold and started in one go is judged as released.
    met = replace(ask, on_hold=present.on_hold and wanted.on_hold)
    for step in steps:
        if ask.role is not None and ask.role not in step.who:
            raise RoleRefused(EXPRESSION, ask.role, step.who)
        for guard in step.guards:
            guard(met)
    return steps


def _steps(present: State, wanted: State, ask: Ask) -> list[Transition]:
    if present.record_state != wanted.record_state:
        return _record_steps(present, wanted)
    if present == wanted and not ask.again:
        return []
    if present.record_state == "entered-in-error":
        raise illegal(present.record_state, wanted.status)
    released = [transition("on_hold", "normal")] if present.on_hold and not wanted.on_hold else []
    moved = (
        [transition(present.status, wanted.status)] if present.status != wanted.status or ask.again else []
    )
    held = [transition(wanted.status, "on_hold")] if wanted.on_hold and not present.on_hold else []
    return released + moved + held


def _record_steps(present: State, wanted: State) -> list[Transition]:
    source = present.status if present.record_state == "normal" else present.record_state
    if wanted.record_state != "normal":
        return [transition(source, wanted.record_state)]
    if present.record_state == "unknown" and present.status not in ("ordered", wanted.status):
        # It was further on when it was lost: it does not begin anew.
        return [transition(present.status, wanted.status)]
    if present.record_state == "unknown" or wanted.status == "cancelled":
        # What becomes known again reports a fact; a draft may be dropped without having been ordered.
        dropped = source == "draft" and wanted.status == "cancelled"
        return [transition(source, "cancelled" if dropped else "ordered")]
    held = [transition(wanted.status, "on_hold")] if wanted.on_hold else []
    return [transition(source, wanted.status), *held]


_FORWARD = ("ordered", "in_progress", "completed", "reported")


def walk(present: str | None, target: str) -> tuple[Step, ...]:
    """Return the steps from a workflow status (None: a new order) to one that is reported as a fact.

    The steps before the last are implied. An order that is further on already is not moved back: no steps.
    Booking is never implied, because nobody told the time. Raises IllegalTransition from ``cancelled``,
    and to ``cancelled`` where the work is done.
    """
    if present == "cancelled" and target != "cancelled":
        raise illegal(present, target)
    if present == target:
        return (Step(present, target),) if target == "reported" else ()
    passed = _passed(present, target)
    if passed is None:
        return ()
    way = [*passed, target]
    ends = zip([present, *way], way, strict=False)
    return tuple(Step(source, end, implied=place < len(way) - 1) for place, (source, end) in enumerate(ends))


def _passed(present: str | None, target: str) -> list[str] | None:
    """Return the states between, None where the order is further on already."""
    if target == "cancelled":
        if present in ("completed", "reported"):
            raise illegal(present, target)
        return ["ordered"] if present is None else []
    if target == "scheduled":
        return {None: ["ordered"], "ordered": []}.get(present)
    rank = -1 if present is None else 0 if present == "scheduled" else _FORWARD.index(present)
    end = _FORWARD.index(target)
    return list(_FORWARD[rank + 1 : end]) if rank < end else None


def chained(present: str | None, steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return steps that each begin where the one before ended, the first in the present state, which may be
    a hold.
    """
    made: list[Step] = []
    for step in steps:
        made.append(step._replace(source=made[-1].target if made else present))
    return tuple(made)


# --- ServiceRequest.status and the extension ----------------------------------------------------------------

FITTING: dict[str, tuple[str, ...]] = {
    "draft": ("ordered",),
    "active": OPEN,
    "on-hold": OPEN,
    "revoked": ("cancelled",),
    "completed": ("completed", "reported"),
    "entered-in-error": ("ordered", *STATUSES[1:]),
    "unknown": ("ordered", *STATUSES[1:]),
}
"""ServiceRequest.status -> the workflow statuses that go with it, the one that it means by itself first."""


def fits(fhir_status: str, status: str) -> bool:
    """Tell whether a workflow status goes with a ServiceRequest.status."""
    return status in FITTING[fhir_status]


def from_fhir(fhir_status: str, status: str | None = None) -> State:
    """Return the state that a ServiceRequest.status stands for.

    ``status`` is the workflow status so far, kept if it fits. Raises KeyError for no such code.
    """
    fitting = FITTING[fhir_status]
    record_state = fhir_status if fhir_status in ("draft", "entered-in-error", "unknown") else "normal"
    return State(status if status in fitting else fitting[0], fhir_status == "on-hold", record_state)


_FHIR = {"completed": "completed", "reported": "completed", "cancelled": "revoked"}


def to_fhir(state: State) -> str:
    """Return the ServiceRequest.status of a state."""
    if state.record_state != "normal":
        return state.record_state
    return "on-hold" if state.on_hold else _FHIR.get(state.status, "active")


def told(state: State) -> str | None:
    """Return the workflow status that the extension tells: none where the status says it."""
    return None if state.status == FITTING[to_fhir(state)][0] else state.status
