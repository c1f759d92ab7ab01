"""Reports in words: lines of text (TX, FT) joined, findings and impression, files (ED, RP).

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from mappings import convert
from mappings.element import ext
from mappings.messages.observation import NO_CODE
from mappings.messages.order import same_code
from mappings.messages.workspace import refer
from mappings.resources.diagnostic_report import DIAGNOSTIC_REPORT
from mappings.v2attachments import encapsulated, pointer
from mappings.v2types import compact, cwe

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import Noted
    from mappings.messages.observation import About
    from mappings.messages.workspace import Desk
    from storage.record import Record

FINDINGS = ext("report-findings")
TEXT_KINDS = frozenset({"TX", "FT"})
FILE_KINDS = frozenset({"ED", "RP"})
FINDING_CODES = frozenset({"59776-5", "18782-3"})
IMPRESSION_CODES = frozenset({"19005-8"})
"""LOINC."""


def set_text(desk: Desk, report: Record, observations: list[Noted]) -> None:
    """Set presented forms, findings and conclusion from the OBX of a report; each OBX is a row of its own
    besides.
    """
    forms: list[dict[str, Any]] = []
    told: dict[str, list[str]] = {"impression": [], "findings": []}
    for lines in text_lines(observations):
        place, text = _place(lines[0]), "\n".join(line.field(5).lines for line in lines).strip("\n")
        if place:
            told[place].append(text)
        elif (text and len(lines) > 1) or _all_text(observations):
            forms.append(text_form(desk, lines[0], text))
        _map(desk, lines, place or "presentedForm")
    forms += [form for noted in observations if (form := _file(desk, noted.segment))]
    if forms:
        desk.put(report, "presentedForm", forms)
    if told["impression"]:
        desk.put(report, "conclusion", "\n".join(told["impression"]))
    if told["findings"]:
        _set_findings(desk, report, "\n".join(told["findings"]))


def drop_lines(desk: Desk, report: Record, observations: list[Noted], about: About) -> None:
    """Take lines of text out of a report that its codes have no more: they are in error now."""
    codes = [
        cwe(noted.segment.field(3).first, desk.context) or NO_CODE
        for noted in observations
        if kind_of_value(noted.segment) in TEXT_KINDS
    ]
    surplus = [
        record
        for record in about.present
        if not any(record is taken for taken in about.taken)
        and record.resource["origin"] in (None, "hl7v2")
        and desk.get(record, "valueString") is not None
        and any(same_code(desk.get(record, "code"), code) for code in codes)
    ]
    for record in surplus:
        desk.put(desk.meet(record, about.path), "status", "entered-in-error")
    gone = [refer(record) for record in surplus]
    if gone:
        left = [item for item in desk.get(report, "result") or () if item not in gone]
        desk.put(report, "result", left)


def text_lines(observations: list[Noted], kinds: frozenset[str] = TEXT_KINDS) -> list[list[Segment]]:
    """Return the lines of text (OBX of such types) of each code, in the order in which the codes come."""
    found: dict[str, list[Segment]] = {}
    for noted in observations:
        obx = noted.segment
        if kind_of_value(obx) in kinds and not obx.field(5).is_null:
            found.setdefault(obx.field(3).raw, []).append(obx)
    return [lines for lines in found.values() if any(not line.field(5).is_empty for line in lines)]


def kind_of_value(obx: Segment) -> str:
    """Return OBX-2, the type of the value."""
    return obx.field(2).text.strip().upper()


def is_file(obx: Segment) -> bool:
    """Tell whether the value of an OBX is a file, in the message or pointed at."""
    return kind_of_value(obx) in FILE_KINDS


def _all_text(observations: list[Noted]) -> bool:
    return all(kind_of_value(noted.segment) in TEXT_KINDS | FILE_KINDS for noted in observations)


def _place(obx: Segment) -> str:
    """Tell where a text goes: by the suffix of its code (``&IMP``, ``&GDT``), or by its LOINC."""
    first = obx.field(3).first
    suffix = first.component(1, 2).strip().upper()
    codes = {first.component(1).strip(), first.component(4).strip()}
    if suffix == "IMP" or codes & IMPRESSION_CODES:
        return "impression"
    return "findings" if suffix == "GDT" or codes & FINDING_CODES else ""


def _map(desk: Desk, lines: list[Segment], place: str) -> None:
    for line in lines:
        if not line.field(5).is_empty:
            desk.coverage.map(line, 5, f"DiagnosticReport.{place}")


def text_form(desk: Desk, obx: Segment, text: str) -> dict[str, Any]:
    """Return a text of lines of one code as an Attachment, whose title is what the code is called."""
    data = base64.b64encode(text.encode()).decode()
    return {"contentType": "text/plain; charset=utf-8", "data": data} | (
        compact(title=title_of(desk, obx)) or {}
    )


def title_of(desk: Desk, obx: Segment) -> str:
    """Return what the code of an OBX is called; empty where it is called nothing."""
    code: dict[str, Any] = cwe(obx.field(3).first, desk.context) or {}
    shown = (coding.get("display") for coding in code.get("coding", ()))
    return next((text for text in shown if text), code.get("text", ""))


def _file(desk: Desk, obx: Segment) -> dict[str, Any] | None:
    read = {"ED": encapsulated, "RP": pointer}.get(kind_of_value(obx))
    if read is None or obx.field(5).is_null:
        return None
    try:
        made: dict[str, Any] | None = read(obx.field(5).first)
    except ValueError:
        return None
    if not made:
        return None
    desk.coverage.map(obx, 5, "DiagnosticReport.presentedForm")
    return made | (compact(title=title_of(desk, obx)) or {})


def _set_findings(desk: Desk, report: Record, text: str) -> None:
    at, line = desk.top(report), DIAGNOSTIC_REPORT.extensions[FINDINGS]
    convert.clear(at, line)
    convert.put_extensions(at, DIAGNOSTIC_REPORT, [{"url": FINDINGS, "valueString": text}])
