"""Research cases in ORU^R01: OBR-4 names the kind (coding system 99SGRC), each OBX a column.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import v2values
from mappings.element import Refused
from mappings.messages.coverage import MessageRefused
from mappings.messages.late import set_late_report_aside
from mappings.messages.moments import moment_text
from mappings.messages.notes import add_notes
from mappings.messages.numbers import add_numbers, carriers
from mappings.messages.parents import parent_numbers
from mappings.research.case import add_member, change_case, new_case
from mappings.research.v2 import column_name, kind_of_order, values_of
from mappings.workflow.reports import STATUS_OF_OBR25

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import OrderPart
    from mappings.messages.numbers import Numbers
    from mappings.messages.workspace import Desk
    from mappings.v2values import Found
    from storage.model.research import CaseKind
    from storage.record import Record

CODING_SYSTEM = "99SGRC"
_OF_PARTIAL = {"partial": "preliminary"}
"""DiagnosticReport.status -> Observation.status, where that has not the same code."""


def kind_of(desk: Desk, part: OrderPart) -> CaseKind | None:
    """Return the kind of case that a group is of, None for an ordinary result."""
    if part.obr is None or part.obr.field(4).is_null:
        return None
    first = part.obr.field(4).first
    kind = kind_of_order(first, desk.context)
    if kind is None and first.component(3).strip().upper() == CODING_SYSTEM:
        desk.coverage.warn("103", part.obr, 4, text="OBR-4 names no kind of case; kept as an ordinary result")
    return kind


def research_case(
    desk: Desk, part: OrderPart, kind: CaseKind, numbers: Numbers, patient: Record, visit: Record | None
) -> Record:
    """Make a case or a member, or change the one with the numbers of ORC and OBR; its parent (OBR-29)
    names it.

    Raises MessageRefused: 102 or 103 for a value that its column cannot hold. A registry has whole cases
    or none.
    """
    obr = part.obr
    if obr is None:
        raise MessageRefused("100", "OBR", text="A research case needs an OBR")
    values = _heading(desk, obr, kind, patient, visit) | _values(desk, part, kind)
    known = carriers(desk, "Observation", numbers, patient)
    if known and set_late_report_aside(desk, known[0], part):
        return known[0]
    try:
        if known:
            record = desk.meet(known[0], f"{part.path}.OBR")
            change_case(record, values, desk.workspace.new_id)
        else:
            record = new_case(kind, values, desk.workspace.new_id)
            desk.adopt(record, f"{part.path}.OBR")
    except Refused as refusal:
        raise _refused(desk, part, refusal) from refusal
    desk.own(record, part.orc, obr, *part.others, *(noted.segment for noted in part.observations))
    add_numbers(desk, record, numbers)
    add_notes(desk, record, part.notes)
    _join(desk, obr, record, patient)
    return record


def _heading(
    desk: Desk, obr: Segment, kind: CaseKind, patient: Record, visit: Record | None
) -> dict[str, Any]:
    values: dict[str, Any] = {"patient_id": patient.resource["fhir_id"]}
    if visit is not None:
        values["encounter_id"] = visit.resource["fhir_id"]
    status = STATUS_OF_OBR25.get(obr.field(25).first.component(1).strip().upper())
    if status:
        values["status"] = _OF_PARTIAL.get(status, status)
        desk.coverage.map(obr, 25, "Observation.status")
    at = moment_text(obr, 7, desk.context)
    dated = next((column.name for column in kind.columns if column.header and column.kind == "date"), None)
    if at and dated:
        values[dated] = at
        desk.coverage.map(obr, 7, dated)
    desk.coverage.map(obr, 4, "Observation.code")
    return values


def _values(desk: Desk, part: OrderPart, kind: CaseKind) -> dict[str, Any]:
    observed: list[tuple[str, Found]] = []
    for noted in part.observations:
        obx = noted.segment
        name = column_name(obx.field(3).first, desk.context)
        found = v2values.repetitions(obx.field(5), obx.field(2).text, obx.field(6), desk.context)
        if name is None or not found:
            continue
        observed += [(name, item) for item in found]
        for number in (2, 3, 4, 5, 6, 11):
            if not obx.field(number).is_empty:
                desk.coverage.map(obx, number, f"{kind.name}.{name}")
    try:
        return values_of(kind, observed)
    except Refused as refusal:
        raise _refused(desk, part, refusal) from refusal


def _refused(desk: Desk, part: OrderPart, refusal: Refused) -> MessageRefused:
    code = "103" if refusal.kind == "code-invalid" else "102"
    for noted in part.observations:
        if column_name(noted.segment.field(3).first, desk.context) == refusal.expression:
            return MessageRefused(
                code, "OBX", noted.segment.number, 5, text="The column cannot hold the value"
            )
    return MessageRefused(code, "OBR", part.head.number, 4, text="The case is not complete")


def _join(desk: Desk, obr: Segment, record: Record, patient: Record) -> None:
    """Let the case whose numbers OBR-29 tells name this one as its member."""
    named = carriers(desk, "Observation", parent_numbers(desk, obr, 29), patient)
    cases = [case for case in named if case is not record]
    if cases:
        add_member(desk.meet(cases[0], "OBR"), record.resource["fhir_id"])
        desk.coverage.map(obr, 29, "Observation.hasMember")
