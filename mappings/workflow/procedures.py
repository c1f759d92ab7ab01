"""Readiness and status of a procedure: what each step needs, who may take it, what follows.

https://hl7.org/fhir/R4/event.html#statemachine and https://hl7.org/fhir/R4/valueset-event-status.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mappings.element import IllegalTransition, Refused, RoleRefused, ext
from storage.model.procedure import Procedure, ProcedureBarrier
from storage.model.shared import Concept

if TYPE_CHECKING:
    from storage.model.columns import Row
    from storage.record import Record

STEPS = ("workup", "near_ready", "ready", "scheduled")
"""Readiness, from first to last."""
READINESS = f"Procedure.extension('{ext('or-readiness')}')"
SURGICAL_STATUS = f"{READINESS}.extension('surgicalStatus')"
STATUS = "Procedure.status"
PREPARERS = ("orderer", "nurse", "or_coordinator")
BOOKERS = (*PREPARERS, "scheduler")
_CLEARED = ("cleared", "cleared_with_conditions")


class Lack(NamedTuple):
    """Something that a step needs and the procedure lacks: which element, and what it should be."""

    element: str
    needs: str

    @property
    def expression(self) -> str:
        """The element as an expression."""
        return f"{READINESS}.extension('{self.element}')"


def open_barriers(record: Record, *, blocking: bool = True) -> list[Row]:
    """Return the barriers that are not resolved; only those that block, unless told otherwise."""
    rows = record.rows(ProcedureBarrier)
    return [
        row for row in rows if row["resolved_at"] is None and (row["blocking"] is not False or not blocking)
    ]


def _barrier_lacks(record: Record, most: int) -> list[Lack]:
    kinds = [row["kind"] for row in open_barriers(record)]
    if len(kinds) <= most:
        return []
    return [Lack("barrier", f"at most {most} open blocking barrier(s); open: {', '.join(kinds)}")]


def _near_ready(record: Record) -> list[Lack]:
    return _barrier_lacks(record, 1)


def _ready(record: Record) -> list[Lack]:
    row = record.main
    lacks = _barrier_lacks(record, 0)
    clearance, stress = row["cardiology_clearance"], row["stress_test_status"]
    if clearance not in (None, "not_required", *_CLEARED):
        lacks.append(Lack("cardiologyClearance", f"cardiology clearance (it is {clearance})"))
    normal = stress in (None, "not_required", "completed_normal")
    if not normal and not (stress == "completed_abnormal" and clearance in _CLEARED):
        wanted = (
            "cardiology clearance after an abnormal stress test"
            if stress == "completed_abnormal"
            else "a stress test"
        )
        lacks.append(Lack("stressTestStatus", f"{wanted} (it is {stress})"))
    if row["consent_status"] not in (None, "not_required", "signed"):
        lacks.append(Lack("consentStatus", f"a signed consent (it is {row['consent_status']})"))
    return lacks


def _slot(record: Record) -> list[Lack]:
    row = record.main
    lacks: list[Lack] = []
    if row["scheduled_start"] is None:
        lacks.append(Lack("scheduledPeriod", "the start of its slot"))
    if row["scheduled_location_id"] is None and not row["scheduled_location_text"]:
        lacks.append(Lack("scheduledLocation", "its room"))
    return lacks


def lacking(record: Record, step: str, *, lifted: bool = False) -> list[Lack]:
    """Return what a procedure lacks for a step of readiness.

    An emergent case, or ``lifted`` (an override), needs no readiness to be booked, but a slot and a room.
    """
    if step == "near_ready":
        return _near_ready(record)
    if step == "ready":
        return _ready(record)
    if step == "scheduled":
        lifted = lifted or record.main["case_class"] == "emergent"
        return ([] if lifted else _ready(record)) + _slot(record)
    return []


@dataclass(frozen=True)
class Ask:
    """Who asks for a change, by role (None: not known), and whether readiness shall be overridden."""

    role: str | None = None
    override_reason: str | None = None
    primary_surgeon: bool = False


class Standing(NamedTuple):
    """What a procedure lacked before a change: how many barriers were open, which other elements were not in
    order, which parts of its slot it had not.
    """

    barriers: int = 0
    lacked: frozenset[str] = frozenset()

    @classmethod
    def of(cls, record: Record) -> Standing:
        """Note what a procedure lacks."""
        lacks = (*_ready(record), *_slot(record))
        return cls(len(open_barriers(record)), frozenset(lack.element for lack in lacks))


def judge_readiness(before: str | None, record: Record, ask: Ask) -> None:
    """Judge a change of surgical_status from ``before`` to that of the record; jumps are judged by their end.

    Raises IllegalTransition where the procedure is no longer in preparation, RoleRefused, and Refused,
    which names everything that is lacking.
    """
    wanted = record.main["surgical_status"]
    if wanted == before:
        return
    if record.main["status"] != "preparation":
        raise IllegalTransition(SURGICAL_STATUS, before or "none", wanted or "none", (before or "none",))
    who = BOOKERS if "scheduled" in (before, wanted) else PREPARERS
    if ask.role is not None and ask.role not in who:
        raise RoleRefused(SURGICAL_STATUS, ask.role, who)
    lacks = lacking(record, wanted or "workup", lifted=_overrides(ask))
    if lacks and _is_forward(before, wanted):
        raise _refusal(str(wanted), lacks)


def judge_slot(record: Record, standing: Standing) -> None:
    """Judge the slot of a procedure: it does not end before it starts, and what is booked does not lose slot
    or room, which nothing lifts. Raises Refused.
    """
    row = record.main
    if row["scheduled_start"] and row["scheduled_end"] and row["scheduled_hi"] <= row["scheduled_lo"]:
        where = Lack("scheduledPeriod", "").expression
        raise Refused("invariant", where, None, message="the slot ends before it starts")
    if row["status"] == "preparation" and row["surgical_status"] == "scheduled":
        lost = [lack for lack in _slot(record) if lack.element not in standing.lacked]
        if lost:
            raise _refusal("scheduled", lost)


def _refusal(step: str, lacks: list[Lack]) -> Refused:
    missing = "; ".join(lack.needs for lack in lacks)
    kind = "required" if lacks[0].element.startswith("scheduled") else "business-rule"
    return Refused(kind, lacks[0].expression, step, message=f"{step} needs: {missing}")


def _is_forward(before: str | None, wanted: str | None) -> bool:
    return wanted is not None and (before is None or STEPS.index(wanted) > STEPS.index(before))


def _overrides(ask: Ask) -> bool:
    if not ask.override_reason:
        return False
    if ask.role not in (None, "or_coordinator") and not ask.primary_surgeon:
        raise RoleRefused(SURGICAL_STATUS, str(ask.role), ("or_coordinator", "the primary surgeon"))
    return True


def settle_readiness(before: str | None, record: Record) -> None:
    """Set what follows from a change: leaving ``scheduled`` for an earlier step clears the slot."""
    wanted = record.main["surgical_status"]
    if before == "scheduled" and wanted in STEPS[:-1]:
        record.main.update(dict.fromkeys(Procedure.scheduled.names))


def settle_lost_guards(before: str | None, record: Record, standing: Standing, ask: Ask) -> bool:
    """Move a ready or scheduled procedure back when it no longer has what it needs; tell whether it moved.

    It goes to near_ready, to workup if more than one barrier is open. An emergent case stays booked, as does
    one that is overridden. What it lacked in its ``standing`` before does not count, unless it stepped back
    from scheduled (``before``) to ready, which nothing lifts. Raises RoleRefused for the override.
    """
    row = record.main
    present = row["surgical_status"]
    if present not in ("ready", "scheduled") or row["status"] != "preparation":
        return False
    stepped = present == "ready" and before != present
    if not _lost(record, Standing() if stepped else standing):
        return False
    if present == "scheduled" and (row["case_class"] == "emergent" or _overrides(ask)):
        return False
    row["surgical_status"] = "near_ready" if len(open_barriers(record)) <= 1 else "workup"
    settle_readiness(present, record)
    return True


def _lost(record: Record, standing: Standing) -> list[Lack]:
    """Return what a procedure lacks for ready that it did not lack before."""
    more = len(open_barriers(record)) > standing.barriers
    return [
        lack
        for lack in _ready(record)
        if (more if lack.element == "barrier" else lack.element not in standing.lacked)
    ]


def lifted(before: str | None, record: Record, standing: Standing, ask: Ask) -> list[str]:
    """Return the elements whose lack the override of a change really lifted: where it booked the procedure,
    or kept it booked against something new.
    """
    row = record.main
    booked = row["surgical_status"] == "scheduled" and row["status"] == "preparation"
    if not ask.override_reason or not booked or row["case_class"] == "emergent":
        return []
    lacks = _lost(record, standing) if before == "scheduled" else _ready(record)
    return [lack.element for lack in lacks]


# --- Procedure.status ---------------------------------------------------------------------------------------


def _needs_booking(record: Record) -> None:
    row = record.main
    if row["surgical_status"] not in (None, "scheduled") and row["case_class"] != "emergent":
        raise Refused(
            "business-rule",
            SURGICAL_STATUS,
            row["surgical_status"],
            message="only a scheduled or emergent case starts",
        )


def _needs_reason(record: Record) -> None:
    if not record.rows(Concept, None, "statusReason"):
        raise Refused(
            "required", "Procedure.statusReason", None, message=f"{record.main['status']} needs a reason"
        )


class Move(NamedTuple):
    """A step of Procedure.status: who may take it, and what it needs."""

    who: tuple[str, ...]
    guards: tuple[Callable[[Record], None], ...] = ()


_STAFF = ("nurse", "or_coordinator", "orderer", "system")
_VOIDERS = ("orderer", "admin")

MOVES: dict[tuple[str, str], Move] = {
    ("preparation", "in-progress"): Move(_STAFF, (_needs_booking,)),
    ("preparation", "not-done"): Move(_STAFF, (_needs_reason,)),
    ("preparation", "on-hold"): Move(_STAFF),
    ("on-hold", "preparation"): Move(_STAFF),
    ("in-progress", "completed"): Move(_STAFF),
    ("in-progress", "stopped"): Move(_STAFF, (_needs_reason,)),
    ("in-progress", "on-hold"): Move(_STAFF),
    ("on-hold", "in-progress"): Move(_STAFF, (_needs_booking,)),
    **{(done, "entered-in-error"): Move(_VOIDERS) for done in ("completed", "stopped", "not-done")},
}
"""From and to; what is not here is refused. ``unknown`` is no state: what becomes known reports a fact."""


def judge_status(before: str, record: Record, ask: Ask) -> None:
    """Judge a change of Procedure.status from ``before``; raises IllegalTransition, RoleRefused, Refused."""
    wanted = record.main["status"]
    if wanted == before or before == "unknown":
        return
    move = MOVES.get((before, wanted))
    if move is None:
        raise IllegalTransition(STATUS, before, wanted, (end for start, end in MOVES if start == before))
    if ask.role is not None and ask.role not in move.who:
        raise RoleRefused(STATUS, ask.role, move.who)
    for guard in move.guards:
        guard(record)


def order_target(record: Record, others: Iterable[str] = ()) -> str | None:
    """Return the workflow status that a procedure moves its order to, None where it does nothing.

    ``others`` are the statuses of the order's other procedures: only when all are completed is the order.
    """
    row = record.main
    if row["status"] == "preparation" and row["surgical_status"] == "scheduled":
        return "scheduled"
    if row["status"] == "in-progress":
        return "in_progress"
    if row["status"] == "completed" and all(other in ("completed", "entered-in-error") for other in others):
        return "completed"
    return None


def slots(rows: Iterable[Row]) -> list[str]:
    """Return when those of the procedures start that are booked, the first one first."""
    booked = (row for row in rows if row["status"] == "preparation" and row["surgical_status"] == "scheduled")
    told = sorted((row["scheduled_lo"], row["scheduled_start"]) for row in booked if row["scheduled_start"])
    return [start for _, start in told]


# --- the words of the JSON interface ------------------------------------------------------------------------


def clearance_of(value: bool | str | None) -> str | None:
    """Return the cardiology clearance of a JSON value: TRUE is cleared, FALSE pending, words are kept."""
    if isinstance(value, bool):
        return "cleared" if value else "pending"
    return value
