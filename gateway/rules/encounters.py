"""What an encounter must obey: where its status may go, and that its history tells where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import convert
from mappings.times import render_instant
from mappings.workflow import encounters

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit


def encounter_status(unit: Unit, draft: Draft) -> None:
    """Judge a change of the status; a message reports a fact. Raises IllegalTransition."""
    before = draft.was.get("status")
    if before is not None and unit.author.origin != "hl7v2":
        encounters.judge(before, draft.record.main["status"], unit.role)


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
