"""DiagnosticReport: its columns, texts, results and fields. https://hl7.org/fhir/R4/diagnosticreport.html"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from mappings import convert, reports
from mappings.element import Refused, cs, ext
from mappings.resources.diagnostic_report import DIAGNOSTIC_REPORT
from storage.model.shared import Reference
from tests.fixtures.fields import field_value
from tests.fixtures.resources import decode, draw, numbered, read, stored, text, written

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
V2_0074 = "http://terminology.hl7.org/CodeSystem/v2-0074"
BODY = "Lungs are clear. Größe normal."


def form(body: str | bytes, content_type: str = "text/plain") -> dict[str, Any]:
    data = body if isinstance(body, bytes) else body.encode()
    return {"contentType": content_type, "data": base64.b64encode(data).decode()}


FULL: dict[str, Any] = decode(
    """{
    "resourceType": "DiagnosticReport", "id": "report-1",
    "identifier": [{"value": "R-1"}],
    "basedOn": [{"reference": "ServiceRequest/order-1"}, {"reference": "ServiceRequest/order-2"}],
    "status": "final",
    "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD"}]}],
    "code": {"text": "Chest X-ray"},
    "subject": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"},
    "effectiveDateTime": "2026-03-01", "issued": "2026-03-01T12:00:00Z",
    "performer": [{"reference": "Organization/o"}], "resultsInterpreter": [{"reference": "Practitioner/d"}],
    "specimen": [{"reference": "Specimen/s"}],
    "result": [{"reference": "Observation/2"}, {"reference": "Observation/1"}],
    "imagingStudy": [{"reference": "ImagingStudy/i"}],
    "media": [{"comment": "frontal", "link": {"reference": "Media/m", "display": "M"}},
        {"link": {"display": "N"}}],
    "conclusion": "No pneumonia",
    "conclusionCode": [{"coding": [{"code": "N"}]}, {"coding": [{"system":
        "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "H"}]}]
}"""
)
FULL["presentedForm"] = [
    form(b"%PDF", "application/pdf"),
    form(BODY, "text/plain; charset=utf-8"),
    form("second"),
]
FULL["extension"] = [
    {"url": ext("report-findings"), "valueString": "Clear lungs"},
    {"url": "urn:x", "valueCode": "y"},
]


def small(**elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": "made-here",
        "status": "final",
        "code": {"text": "X"},
    } | elements


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("status", "final"),
        ("effective_kind", "dateTime"),
        ("effective_start", "2026-03-01"),
        ("issued", "2026-03-01T12:00:00Z"),
        ("report_text", BODY),
        ("findings", "Clear lungs"),
        ("impression", "No pneumonia"),
        ("result_status", "abnormal"),
    ],
)
def test_each_column_is_filled_by_its_element(column: str, expected: object) -> None:
    assert read(DIAGNOSTIC_REPORT, FULL).main[column] == expected


def test_everything_comes_back_as_it_was_sent() -> None:
    assert text(draw(DIAGNOSTIC_REPORT, stored(read(DIAGNOSTIC_REPORT, FULL)))) == text(written(FULL))


def test_the_order_of_a_report_is_the_first_that_is_here() -> None:
    links = read(DIAGNOSTIC_REPORT, FULL).links
    assert [
        (link.column, link.reference["target_fhir_id"]) for link in links if link.table == "service_order"
    ] == [
        ("order_id", "order-1"),
        ("order_id", "order-2"),
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("result", ["2", "1"]),
        ("specimen", ["s"]),
        ("imagingStudy", ["i"]),
        ("media.link", ["m", None]),
        ("performer", ["o"]),
        ("resultsInterpreter", ["d"]),
    ],
)
def test_references_are_rows_in_their_order(path: str, expected: list[str | None]) -> None:
    rows = read(DIAGNOSTIC_REPORT, FULL).rows(Reference, None, path)
    assert [row["target_fhir_id"] for row in rows] == expected


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        ([], None),
        ([form(b"%PDF", "application/pdf")], None),
        ([{"contentType": "text/plain", "url": "http://x/report.txt"}], None),
        ([form("Größe".encode("cp1252"))], "Größe"),
        ([form("a\0b")], "ab"),
        ([form("Text", "TEXT/PLAIN")], "Text"),
    ],
)
def test_the_text_is_the_first_plain_form(forms: list[Any], expected: str | None) -> None:
    assert read(DIAGNOSTIC_REPORT, small(presentedForm=forms)).main["report_text"] == expected


@pytest.mark.parametrize("elements", [{"status": "done"}])
def test_a_wrong_status_is_refused(elements: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        read(DIAGNOSTIC_REPORT, small(**elements))
    assert (refused.value.kind, refused.value.expression) == ("code-invalid", "DiagnosticReport.status")


def test_an_element_that_is_set_drops_what_was_kept_of_the_old_one() -> None:
    record = read(DIAGNOSTIC_REPORT, small(conclusion="old", _conclusion={"id": "c"}))
    at = convert.top(record, DIAGNOSTIC_REPORT, numbered())
    convert.replace_element(at, DIAGNOSTIC_REPORT.by_element["conclusion"], "conclusion", "new")
    assert draw(DIAGNOSTIC_REPORT, record) == small(conclusion="new")


@pytest.mark.parametrize(
    ("field", "raw", "element", "expected"),
    [
        *(
            ("OBR-25", letter, "status", status)
            for letters, status in [
                ("OISN", "registered"),
                ("AR", "partial"),
                ("PM", "preliminary"),
                ("F", "final"),
                ("C", "corrected"),
                ("X", "cancelled"),
                ("YZ", "unknown"),
                ("D", "entered-in-error"),
            ]
            for letter in letters
        ),
        ("OBR-25", "?", "status", None),
        ("OBR-7", "20260301", "effectiveDateTime", "2026-03-01"),
        ("OBR-22", "20260301120000+0000", "issued", "2026-03-01T12:00:00+00:00"),
        ("OBR-24", "RAD", "category", {"coding": [{"system": V2_0074, "code": "RAD"}]}),
        ("OBR-4", "^Chest", "code", {"text": "Chest"}),
        (
            "OBR-3",
            "F1",
            "identifier",
            {"type": {"coding": [{"system": V2_0203, "code": "FILL"}]}, "value": "F1"},
        ),
    ],
)
def test_fields_are_read_as_their_element(field: str, raw: str, element: str, expected: object) -> None:
    assert field_value(DIAGNOSTIC_REPORT, field, element, raw) == expected


def test_official_reports_leave_nothing_over(corpus: Path) -> None:
    files = sorted((corpus / "fhir-r4" / "examples").glob("DiagnosticReport-*.json"))
    assert files
    for path in files:
        left = (read(DIAGNOSTIC_REPORT, decode(path.read_bytes())).resource["remainder"] or {}).get("x", {})
        assert set(left) <= {"contained", "extension"}, path.name


# --- set from inside ----------------------------------------------------------------------------------------


def test_a_text_that_is_set_is_the_plain_form_and_the_column() -> None:
    record, new_id = (
        read(DIAGNOSTIC_REPORT, small(presentedForm=[form(b"%PDF", "application/pdf")])),
        numbered(),
    )
    reports.set_report_text(record, "first", new_id)
    reports.set_report_text(record, BODY, new_id)
    for hook in DIAGNOSTIC_REPORT.project:
        hook(record)
    assert record.main["report_text"] == BODY
    assert draw(DIAGNOSTIC_REPORT, record)["presentedForm"] == [form(b"%PDF", "application/pdf"), form(BODY)]


@pytest.mark.parametrize(("result", "code"), [("normal", "N"), ("abnormal", "A"), ("critical", "AA")])
def test_a_result_that_is_set_is_a_code_of_the_conclusion(result: str, code: str) -> None:
    record, new_id = read(DIAGNOSTIC_REPORT, small(conclusionCode=[{"text": "mine"}])), numbered()
    reports.set_result_status(record, "critical", new_id)
    reports.set_result_status(record, result, new_id)
    for hook in DIAGNOSTIC_REPORT.project:
        hook(record)
    assert record.main["result_status"] == result
    mine, told = draw(DIAGNOSTIC_REPORT, record)["conclusionCode"]
    assert mine == {"text": "mine"}
    assert [(coding["system"], coding["code"]) for coding in told["coding"]] == [
        (cs("result-status"), result),
        (INTERPRETATION, code),
    ]


def test_an_unknown_result_is_refused() -> None:
    with pytest.raises(Refused, match="code-invalid"):
        reports.set_result_status(read(DIAGNOSTIC_REPORT, small()), "fine", numbered())
