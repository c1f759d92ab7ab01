"""ORC, OBR, OBX and SPM of a result from a DiagnosticReport, its observations and its order.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obr-to-diagnosticreport.html
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from mappings.messages.report_text import FINDINGS
from mappings.order_facts import ACCESSION_NUMBER
from mappings.outbound.fill import fill
from mappings.outbound.observation import kind_of, observation_segments
from mappings.outbound.order import extension, order_segments, section, set_numbers, specimen_segments
from mappings.outbound.parts import Value, codings, items, of_url, part, text
from mappings.outbound.patient import notes_in
from mappings.outbound.people import interpreters
from mappings.outbound.sheet import Sheet, components
from mappings.outbound.values import Written, attachment, concept
from mappings.outbound.ways import moment
from mappings.report_facts import plain_text
from mappings.resources.diagnostic_report import DIAGNOSTIC_REPORT, NOTE
from mappings.v2values import VALUE_EXTENSION
from mappings.workflow.reports import RESULT_STATUS, result_status

if TYPE_CHECKING:
    from mappings.outbound.fill import Piece, Pieces

CORRECTED = ("amended", "appended")
"""Statuses for which table 0123 has but C."""
CRITICAL = "AA"
IMPRESSION = components("19005-8", "Impression", "LN")
FINDING = components("59776-5", "Findings", "LN")
ANSWER = "AOE"
OF_REPORT = (1, 4, 7, 8, 24, 25)
"""Fields of OBR that only the report tells."""


def result_segments(piece: Piece, order: Piece | None, pieces: Pieces) -> list[Sheet]:
    """Return the segments of one report, ORC first, where it is of an order."""
    resource = piece.resource
    obr = piece.sheet("OBR")
    orc, asked = order_segments(order, "RE", pieces, None) if order else (Sheet("ORC"), Sheet("OBR"))
    if order is not None and not resource.get("issued"):
        orc.put(9, moment(extension(order.resource, "order-workflow", "reportedAt").get("valueDateTime")))
    set_numbers(orc, obr, resource, pieces)
    _numbers_of_order(orc, obr, order, pieces)
    fill([obr], DIAGNOSTIC_REPORT, resource, pieces.context, skip=("identifier", "category"))
    obr.put(24, section(resource))
    _times(obr, resource)
    if not obr.has(25) and resource.get("status") in CORRECTED:
        obr.put(25, "C")
    _readers(obr, resource, pieces)
    _of_order(obr, asked)
    obr.put(1, obr.kept.get(1, "1"))
    old = pieces.context.version < "2.5"
    specimens = pieces.all(items(resource, "specimen"), "Specimen")
    told = specimen_segments(specimens, obr, pieces, old=old)
    noted = notes_in(piece, NOTE, pieces)
    found = [*([orc] if order is not None else []), obr, *noted, *_observations(piece, order, pieces)]
    return [*found, *told]


def _numbers_of_order(orc: Sheet, obr: Sheet, order: Piece | None, pieces: Pieces) -> None:
    """Let a result without numbers have those of its order; ours as the filler's, if nobody gave one."""
    if order is None:
        return
    set_numbers(Sheet("ORC"), own := Sheet("OBR"), order.resource, pieces, own_filler=ACCESSION_NUMBER)
    for number in (2, 3):
        for sheet in (orc, obr):
            if not sheet.has(number):
                sheet.put(number, *own.fields.get(number, ()))


def _times(obr: Sheet, resource: Value) -> None:
    period = part(resource, "effectivePeriod")
    start = period.get("start") or resource.get("effectiveDateTime")
    obr.put(7, moment(start))
    obr.put(8, moment(period.get("end")))


def _readers(obr: Sheet, resource: Value, pieces: Pieces) -> None:
    obr.put(32, *interpreters(pieces, items(resource, "resultsInterpreter")))
    performers = items(resource, "performer")
    named = {piece.name for piece in pieces.all(performers, "Practitioner")}
    persons = [item for item in performers if (found := pieces.get(item)) and found.name in named]
    obr.put(34, *interpreters(pieces, persons))


def _of_order(obr: Sheet, asked: Sheet) -> None:
    """Add what the order says of the fields that the report leaves empty."""
    for number, told in asked.fields.items():
        if not obr.has(number) and number not in obr.kept and number not in OF_REPORT:
            obr.put(number, *told)


def _observations(piece: Piece, order: Piece | None, pieces: Pieces) -> list[Sheet]:
    """Return the OBX of a report: results with their members, answers to the order's questions, its text."""
    results = pieces.all(items(piece.resource, "result"), "Observation")
    listed = [item for result in results for item in (result, *_members(result, results, pieces))]
    if order is not None:
        asked = pieces.all(items(order.resource, "supportingInfo"), "Observation")
        listed += [item for item in asked if kind_of(item.resource) == ANSWER]
    houses = items(piece.resource, "performer")
    text_type = "TX" if _is_text(piece, results) else "ST"
    found: list[Sheet] = []
    for item in listed:
        number = 1 + sum(sheet.name == "OBX" for sheet in found)
        found += observation_segments(item, number, pieces, text_type=text_type, houses=houses)
    for written in _texts(piece, results):
        found.append(_text_segment(written, 1 + sum(sheet.name == "OBX" for sheet in found), piece))
    return found


def _members(result: Piece, results: list[Piece], pieces: Pieces) -> list[Piece]:
    members = pieces.all(items(result.resource, "hasMember"), "Observation")
    return [item for item in members if item not in results]


def _is_text(piece: Piece, results: list[Piece]) -> bool:
    """Tell whether a report is one in words: it has a text of its own, and its results are lines of it."""
    plain = any(_is_plain(form) for form in items(piece.resource, "presentedForm"))
    return plain and any("valueString" in item.resource for item in results)


def _is_plain(form: Value) -> bool:
    return text(form, "contentType").startswith("text/plain")


def _texts(piece: Piece, results: list[Piece]) -> list[Written]:
    """Return what the report says besides its results: findings, conclusion, documents; and that it is
    critical.
    """
    resource = piece.resource
    said = "\n".join(text(item.resource, "valueString") for item in results)
    told = (
        (FINDING, text(of_url(resource, FINDINGS), "valueString")),
        (IMPRESSION, text(resource, "conclusion")),
    )
    found = [
        Written("TX", (components(words),), code=code) for code, words in told if words and words not in said
    ]
    sent = [_content(part(of_url(item.resource, VALUE_EXTENSION), "valueAttachment")) for item in results]
    code = concept(part(resource, "code"))
    forms = [form for form in items(resource, "presentedForm") if _content(form) not in sent]
    found += [_document(form)._replace(code=code) for form in forms if not _is_said(form, said)]
    if _is_critical(resource, results):
        last = found.pop() if found else Written("TX", (components("Critical result"),), code=IMPRESSION)
        found.append(last._replace(flags=(CRITICAL,)))
    return [written for written in found if written.texts]


def _content(form: Value) -> str:
    return text(form, "data") or text(form, "url")


def _document(form: Value) -> Written:
    """Return plain text as it is, anything else as data or a pointer."""
    if _is_plain(form) and form.get("data"):
        return Written("TX", (components(_words(form)),))
    return attachment(form)


def _words(form: Value) -> str:
    return plain_text(base64.b64decode(text(form, "data"))).strip("\n")


def _is_said(form: Value, said: str) -> bool:
    """Tell whether a document is but the text that the results say line by line."""
    if not _is_plain(form) or not said.strip():
        return False
    return _words(form) in said or said.strip("\n") in _words(form)


def _is_critical(resource: Value, results: list[Piece]) -> bool:
    """Tell whether a report is critical and none of its results says so."""
    coded = codings(items(resource, "conclusionCode"))
    if not any(item.get("system") == RESULT_STATUS and item.get("code") == "critical" for item in coded):
        return False
    told = codings(concept for item in results for concept in items(item.resource, "interpretation"))
    return result_status((item.get("system"), text(item, "code")) for item in told) != "critical"


def _text_segment(written: Written, number: int, piece: Piece) -> Sheet:
    sheet = Sheet("OBX")
    sheet.put(1, str(number))
    sheet.put(2, written.kind)
    sheet.put(3, written.code)
    sheet.put(5, *written.texts)
    sheet.put(8, *written.flags)
    sheet.put(11, "F" if piece.resource.get("status") != "preliminary" else "P")
    return sheet
