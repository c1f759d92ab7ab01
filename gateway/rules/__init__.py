"""What a change of one resource must obey and brings with it, by resource type: numbers, workflow, readiness.

A rule sees the draft of a record: how it was, how it is, through which door it comes. It raises Refused,
IllegalTransition or a Problem, changes other records of the unit, or adds rows of history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.rules.body import body_mass_index
from gateway.rules.encounters import encounter_history, encounter_status, own_visit_number, visit_number
from gateway.rules.orders import order_numbers, order_workflow_rule
from gateway.rules.patients import same_patient
from gateway.rules.procedures import procedure_goes, procedure_moves_order, procedure_readiness
from gateway.rules.reports import critical_result, report_goes, report_moves_order, report_status
from gateway.rules.research import (
    outcome_score,
    research_case,
    research_member,
    research_member_goes,
    research_members,
)
from mappings.workflow.procedures import Standing

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit
    from storage.record import Record

Rule = Callable[["Unit", "Draft"], None]

NOTES: dict[str, Callable[[Record], Any]] = {"Procedure": Standing.of}
"""What rules must know of a record as it was loaded, beside its typed row: of a procedure what it lacked."""

SETTLED_LAST = frozenset({"ServiceRequest"})
"""Types whose rules run after those of all others, since those change them."""

RULES: dict[str, tuple[Rule, ...]] = {
    # The numbers last: whoever has drawn some keeps all others waiting.
    "ServiceRequest": (same_patient, order_workflow_rule, order_numbers),
    "DiagnosticReport": (same_patient, report_status, report_moves_order, critical_result),
    "Procedure": (same_patient, procedure_readiness, procedure_moves_order),
    "Encounter": (encounter_status, encounter_history, visit_number, own_visit_number),
    "Observation": (
        research_case,
        outcome_score,
        research_members,
        research_member,
        same_patient,
        body_mass_index,
    ),
    "Condition": (same_patient,),
}

RULES_OF_DELETION: dict[str, tuple[Rule, ...]] = {
    "DiagnosticReport": (report_goes,),
    "Procedure": (procedure_goes,),
    "Observation": (research_member_goes, body_mass_index),
}
