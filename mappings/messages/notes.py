"""NTE as notes of what they stand behind: the text, who entered it and when.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-nte-to-servicerequest.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import convert
from mappings.messages.moments import moment_text
from mappings.messages.people import people
from mappings.resources.diagnostic_report import DIAGNOSTIC_REPORT, NOTE

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record


def add_notes(desk: Desk, record: Record, notes: list[Segment]) -> None:
    """Add each note where its text is not there yet: notes that others wrote stay."""
    to = f"{record.resource['resource_type']}.note"
    for segment in notes:
        desk.own(record, segment)
        told = _text(segment)
        if told:
            desk.coverage.map(segment, 3, to)
            present: list[dict[str, Any]] = desk.get(record, "note") or []
            if told not in {item.get("text") for item in present}:
                desk.add(record, "note", _note(desk, segment, told, to))
            else:
                _repeats(desk, segment, present, to)


def add_report_notes(desk: Desk, report: Record, notes: list[Segment]) -> None:
    """Add the notes of a report, for which R4 has no element: the one of R5, as an extension."""
    at, line = desk.top(report), DIAGNOSTIC_REPORT.extensions[NOTE]
    to = "DiagnosticReport.extension(note)"
    for segment in notes:
        told = _text(segment)
        if told:
            desk.coverage.map(segment, 3, to)
            present = [item["valueAnnotation"] for item in convert.element(at, line) or ()]
            if told not in {item.get("text") for item in present}:
                made = {"url": NOTE, "valueAnnotation": _note(desk, segment, told, to)}
                convert.put_extensions(at, DIAGNOSTIC_REPORT, [made])
            else:
                _repeats(desk, segment, present, to)


def _text(segment: Segment) -> str:
    return "" if segment.field(3).is_null else segment.field(3).lines.strip()


def _note(desk: Desk, segment: Segment, told: str, to: str) -> dict[str, Any]:
    """Return the Annotation of a note: NTE-5 is who entered it, NTE-6 when (NTE-7 from when it holds)."""
    authors = people(desk, segment, 5, f"{to}.author")
    author = {"authorReference": authors[0]} if authors else {}
    at = moment_text(segment, 6, desk.context)
    if at:
        desk.coverage.map(segment, 6, f"{to}.time")
    return {**author, **({"time": at} if at else {}), "text": told}


def _repeats(desk: Desk, segment: Segment, present: list[dict[str, Any]], to: str) -> None:
    """Say of a note that is there already that its author and time are too, where they are."""
    known = present[[item.get("text") for item in present].index(_text(segment))]
    if known.get("time") and known["time"] == moment_text(segment, 6, desk.context):
        desk.coverage.map(segment, 6, f"{to}.time")
    if known.get("authorReference") and known["authorReference"] in people(desk, segment, 5, f"{to}.author"):
        desk.coverage.map(segment, 5, f"{to}.author")
