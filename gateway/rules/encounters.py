"""What an encounter must obey: where its status may go, and that its history tells where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import convert
from mappings.encounters import set_visit_number
from mappings.resources.encounter_projections import VISIT_NUMBER
from mappings.times import render_instant
from mappings.workflow import encounters
from storage import numbers
from storage.model.shared import Identifier

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit


def encounter_status(unit: Unit, draft: Draft) -> None:
    """Judge a change of the status; a message reports a fact. Raises IllegalTransition."""
    before = draft.was.get("status")
    if before is not None and unit.author.origin != "hl7v2":
        encounters.judge(before, draft.record.main["status"], unit.role)


def visit_number(unit: Unit, draft: Draft) -> None:
    """Let numbers drawn here go on after a visit number of ours that came from outside (section 6 of the
    model); those of the native door were drawn.
    """
    present = draft.record.main["visit_number"]
    if present is None or unit.author.origin == "rest" or present == draft.was.get("visit_number"):
        return
    listed = draft.record.rows(Identifier, None, "identifier")
    if present.startswith("VIS-") and any(row["system"] == VISIT_NUMBER for row in listed):
        numbers.accept(unit.session.raw, present)


def own_visit_number(unit: Unit, draft: Draft) -> None:
    """Give a new encounter of the hospital's own applications a visit number, where it has none."""
    if _unnumbered(draft) and unit.author.origin in ("rest", "csv"):
        drawn = unit.draw("VIS", lambda: sum(map(_unnumbered, unit.drafts.values())))
        set_visit_number(draft.record, drawn, unit.new_id)


def _unnumbered(draft: Draft) -> bool:
    new = draft.mapping.type == "Encounter" and draft.op == "create" and draft.changed
    return new and draft.record.main["visit_number"] is None


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
