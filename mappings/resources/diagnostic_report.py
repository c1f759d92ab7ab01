"""DiagnosticReport: a report on an order, with its findings and impression.

https://hl7.org/fhir/R4/diagnosticreport.html; HL7v2 OBR: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from mappings.codecs import DATETIME, DATETIME_OF_PERIOD, PERIOD, TEXT, coded
from mappings.datatypes import ANNOTATION, ATTACHMENT, CODEABLE_CONCEPT, IDENTIFIER, REFERENCE
from mappings.element import V2, Mapping, choice, ext, extension, extensions, linked, many, one, part, single
from mappings.report_facts import set_report_text, set_result_status
from mappings.v2fields import of_table, time_of_day
from mappings.v2types import ei, typed
from mappings.workflow.reports import STATUS_OF_OBR25
from storage.model.report import Report
from storage.model.shared import Reference

NOTE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"
"""DiagnosticReport.note of R5, which R4 has not."""
MEDIA = Mapping(
    # Kept as the reference to the image; its comment stays beside it.
    type="DiagnosticReport.media",
    table=Reference,
    lines=(part("link", *REFERENCE.lines),),
)
DIAGNOSTIC_REPORT = Mapping(
    type="DiagnosticReport",
    table=Report,
    project=(set_report_text, set_result_status),
    lines=(
        many(
            "identifier",
            IDENTIFIER,
            (V2("OBR-2", typed(ei, "PLAC")), V2("OBR-3", typed(ei, "FILL"))),
            "identifier:token",
        ),
        linked("basedOn", Report.order, REFERENCE, search="based-on:reference", repeats=True),
        one("status", Report.status, coded(STATUS_OF_OBR25), "OBR-25", "status:token"),
        many("category", CODEABLE_CONCEPT, V2("OBR-24", of_table("0074")), "category:token"),
        single("code", CODEABLE_CONCEPT, "OBR-4", "code:token"),
        linked("subject", Report.patient, REFERENCE, search="patient:reference:Patient subject:reference"),
        linked("encounter", Report.encounter, REFERENCE, search="encounter:reference"),
        choice(
            "effective",
            Report.effective_kind,
            one("effectiveDateTime", Report.effective, DATETIME_OF_PERIOD, "OBR-7"),
            one("effectivePeriod", Report.effective, PERIOD),
            search="date:date",
        ),
        one("issued", Report.issued, DATETIME, V2("OBR-22", time_of_day), "issued:date"),
        many("performer", REFERENCE, search="performer:reference"),
        many("resultsInterpreter", REFERENCE, search="results-interpreter:reference"),
        many("specimen", REFERENCE, search="specimen:reference"),
        many("result", REFERENCE, search="result:reference"),
        many("imagingStudy", REFERENCE),
        many("media", MEDIA, search="media:reference:Media", at="media.link"),
        one("conclusion", Report.impression, TEXT),
        many("conclusionCode", CODEABLE_CONCEPT, search="conclusion:token"),
        many("presentedForm", ATTACHMENT),
        extension(ext("report-findings"), one("valueString", Report.findings, TEXT)),
        extensions(NOTE, "note", ANNOTATION, "valueAnnotation"),
    ),
)
