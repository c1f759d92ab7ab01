"""The audit trail: who wrote what, through which door, and what was refused to whom; never any values.

What is written is told in the transaction that writes it; what was refused, after it was undone.
https://hl7.org/fhir/R4/auditevent.html, whose codes for action and outcome are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from mappings.element import RoleRefused
from storage.model.ledger import AuditEvent
from storage.model.people import ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.unit import Unit
    from storage.model.columns import Row
    from storage.record import Record
    from storage.writer import Change

Action = Literal["C", "R", "U", "D", "E"]

ACTIONS: dict[str, Action] = {"create": "C", "update": "U", "patch": "U", "delete": "D"}
"""What a version does -> what the trail calls it."""
FORBIDDEN = 403
VIEWER = "viewer"
WRITERS = tuple(role for role in ROLES if role != VIEWER)
"""The roles that write at all."""


def patient_of(record: Record) -> UUID | None:
    """Return whom a record is about."""
    own = record.resource["id"] if record.resource["resource_type"] == "Patient" else None
    return own or record.main.get("patient_id")


def event(unit: Unit, action: Action, record: Record | None, **told: Any) -> Row:
    """Return a row of the trail about a record, done by who acts in a unit; ``told`` are further columns."""
    who = unit.author
    row = AuditEvent.blank()
    row.update(
        id=unit.new_id(),
        at=who.at,
        actor_id=who.actor_id,
        actor_text=unit.site.user,
        role=unit.role,
        client_addr=unit.site.client,
        interface=who.origin,
        action=action,
        message_id=who.message_id,
        outcome="0",
    )
    if record is not None:
        head = record.resource
        row.update(resource_type=head["resource_type"], resource_id=head["id"], patient_id=patient_of(record))
    row.update(told)
    return row


def tell(unit: Unit, changes: Iterable[Change]) -> None:
    """Add what a unit is about to write to the trail. Raises RoleRefused for viewers, who write nothing."""
    for change in changes:
        record = change.record
        if unit.role == VIEWER:
            unit.settling = record.resource["id"]
            raise RoleRefused(record.resource["resource_type"], VIEWER, WRITERS)
        unit.writer.add(AuditEvent, event(unit, ACTIONS[change.op], record))


def refusal(unit: Unit, expression: str | None, why: str) -> Row:
    """Return the row that tells what a unit was refused: of the resource whose rules refused it, else of the
    first that it looked at.
    """
    draft = unit.drafts.get(unit.settling) if unit.settling else next(iter(unit.drafts.values()), None)
    action = ACTIONS[draft.op] if draft else "E"
    told: dict[str, Any] = {"refused": why} | ({"at": expression} if expression else {})
    record = draft.record if draft else None
    return event(unit, action, record, outcome="4", http_status=FORBIDDEN, detail=told)
