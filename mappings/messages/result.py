"""One result of a message (OBR, its ORC and OBX) as a DiagnosticReport with its Observations, and its order.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obr-to-diagnosticreport.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.late import is_aside
from mappings.messages.moments import moment_text
from mappings.messages.notes import add_report_notes
from mappings.messages.numbers import (
    Numbers,
    Taken,
    add_numbers,
    carriers,
    choose,
    keep_set_id,
    numbers_of,
    set_id,
)
from mappings.messages.observation import About, is_answer, observation
from mappings.messages.order import same_code
from mappings.messages.parents import parent_result
from mappings.messages.people import interpreter, organization
from mappings.messages.report_text import drop_lines, is_file, set_text
from mappings.messages.specimen import specimens
from mappings.messages.unnumbered import unnumbered_reports
from mappings.messages.workspace import refer
from mappings.v2types import cwe
from mappings.workflow.reports import conclusion_code, result_status

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import Noted, OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

SET_HERE = ("identifier", "effectiveDateTime", "effective", "code")
NO_CODE = {"text": "Report without a code"}
"""DiagnosticReport.code is required; OBR-4 may be empty."""


def find_report(
    desk: Desk, part: OrderPart, numbers: Numbers, patient: Record, taken: Taken
) -> Record | None:
    """Return the report with the numbers and the code of an OBR; OBR-1 tells those with the same ones
    apart.
    """
    code = report_code(desk, part)
    if numbers.identifiers:
        known = carriers(desk, "DiagnosticReport", numbers, patient)
    else:
        known = unnumbered_reports(desk, part, patient, code)
    same = [record for record in known if same_code(desk.get(record, "code"), code)]
    chosen = choose(desk, same, numbers, part.obr, taken)
    if chosen is not None:
        taken.append((set_id(part.obr), chosen))
        return desk.meet(chosen, f"{part.path}.OBR")
    return None


def report_code(desk: Desk, part: OrderPart) -> dict[str, Any]:
    """Return the code of a report (OBR-4)."""
    obr = part.obr
    found = None if obr is None or obr.field(4).is_null else cwe(obr.field(4).first, desk.context)
    return found or NO_CODE


def report(
    desk: Desk,
    part: OrderPart,
    obr: Segment,
    record: Record,
    patient: Record,
    visit: Record | None,
    order: Record | None,
) -> None:
    """Fill a report from its group: its own elements, its specimens, its results, its text."""
    desk.own(record, *([part.orc] if order is None else []), obr, *part.notes, *part.others, *part.studies)
    add_numbers(desk, record, numbers_of(desk, part, "DiagnosticReport.identifier"))
    keep_set_id(record, obr)
    desk.put(record, "subject", refer(patient))
    if visit is not None:
        desk.put(record, "encounter", refer(visit))
    if order is not None:
        desk.add(record, "basedOn", refer(order))
    _elements(desk, record, part, obr)
    add_report_notes(desk, record, part.notes)
    found = specimens(desk, part, patient, record)
    if order is not None:
        for item in found:
            desk.add(item, "request", refer(order))
    results = [noted for noted in part.observations if not is_answer(noted.segment)]
    about = About(patient, f"{part.path}.OBX", visit, obr, parent=parent_result(desk, obr, patient))
    before = _worst(desk, record)
    _results(desk, record, part, results, about, order, found)
    if not any(is_aside(desk, noted) for noted in results):
        drop_lines(desk, record, results, about)
        files = [noted for item in part.specimens for noted in item.observations if is_file(noted.segment)]
        set_text(desk, record, [*results, *files])
    _conclude(desk, record, before)


def _elements(desk: Desk, record: Record, part: OrderPart, obr: Segment) -> None:
    desk.put(record, "code", report_code(desk, part))
    if not obr.field(4).is_empty:
        desk.coverage.map(obr, 4, "DiagnosticReport.code")
    desk.fill(record, obr, skip=SET_HERE)
    if desk.get(record, "status") is None:
        if not obr.field(25).is_empty:
            desk.coverage.warn("103", obr, 25, text="OBR-25 has a code of no HL7 table")
        desk.put(record, "status", "unknown")
    _effective(desk, record, obr)
    timed = desk.get(record, "effectiveDateTime") or desk.get(record, "effectivePeriod")
    if not timed and not obr.field(7).is_null:
        _effective_of_results(desk, record, part)
    for number, element in ((32, "resultsInterpreter"), (34, "performer")):
        found = interpreter(desk, obr, number, f"DiagnosticReport.{element}")
        if found:
            desk.put(record, element, found)


def _effective(desk: Desk, record: Record, obr: Segment) -> None:
    """Set when the report's observations were made: OBR-7, a period with OBR-8; ``""`` clears it."""
    if obr.field(7).is_null:
        desk.put(record, "effectiveDateTime", None)
        desk.put(record, "effectivePeriod", None)
        desk.coverage.map(obr, 7, "DiagnosticReport.effective")
    told = {name: moment_text(obr, number, desk.context) for name, number in (("start", 7), ("end", 8))}
    for name, number in (("start", 7), ("end", 8)):
        if told[name]:
            desk.coverage.map(obr, number, "DiagnosticReport.effective")
        elif not obr.field(number).is_empty and not obr.field(number).is_null:
            desk.coverage.warn("102", obr, number, text=f"OBR-{number} is not of its type")
    if told["end"] and told["end"] != told["start"]:
        desk.put(record, "effectivePeriod", {name: text for name, text in told.items() if text})
    elif told["start"]:
        desk.put(record, "effectiveDateTime", told["start"])


def _effective_of_results(desk: Desk, record: Record, part: OrderPart) -> None:
    times = {moment_text(noted.segment, 14, desk.context) for noted in part.observations} - {None}
    if len(times) == 1:
        desk.put(record, "effectiveDateTime", times.pop())


def _results(
    desk: Desk,
    record: Record,
    part: OrderPart,
    results: list[Noted],
    about: About,
    order: Record | None,
    found: list[Record],
) -> None:
    """Make each OBX an observation of the report's, those after a specimen observations about that
    specimen.
    """
    about.present = desk.referred(record, "result", "Observation")
    about.specimen = found[0] if len(found) == 1 else None
    made = [_result(desk, record, noted, about, order) for noted in results]
    for item, specimen in zip(part.specimens, found, strict=False):
        about.specimen = specimen
        made += [_result(desk, record, noted, about, order) for noted in item.observations]
    desk.add(record, "result", *map(refer, made))


def _result(desk: Desk, record: Record, noted: Noted, about: About, order: Record | None) -> Record:
    made = observation(desk, noted, about)
    if about.parent is not None and about.parent is not made:
        desk.add(made, "derivedFrom", refer(about.parent))
    if order is not None:
        desk.add(made, "basedOn", refer(order))
    for number in (15, 23):
        for reference in organization(desk, noted.segment, number, "Observation.performer"):
            desk.add(record, "performer", reference)
    return made


def _worst(desk: Desk, record: Record) -> str | None:
    """Return the worst interpretation (OBX-8) of the report's results."""
    told = [
        (coding.get("system"), str(coding["code"]))
        for item in desk.referred(record, "result", "Observation")
        for concept in desk.get(item, "interpretation") or ()
        for coding in concept.get("coding", ())
        if coding.get("code")
    ]
    return result_status(told)


def _conclude(desk: Desk, record: Record, before: str | None) -> None:
    """Set the code of the conclusion by the worst result; none where the results told one ``before`` only."""
    worst = _worst(desk, record)
    if worst is not None:
        desk.put(record, "conclusionCode", [conclusion_code(worst)])
    elif before is not None:
        present: list[Any] = desk.get(record, "conclusionCode") or []
        left = [item for item in present if item != conclusion_code(before)]
        desk.put(record, "conclusionCode", left or None)
