"""OBX-5 by the type of OBX-2, and OBX-7.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

import base64
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from mappings.element import V2Context
from mappings.er7 import Field, read
from mappings.observation_codes import absent_reason, interpretation
from mappings.v2attachments import content_type
from mappings.v2values import VALUE_EXTENSION, reference_range, repetitions, value

CONTEXT = V2Context(timezone(timedelta(hours=1)))
UCUM = {"unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}


def obx(kind: str, text: str, unit: str = "", limits: str = "") -> tuple[Field, Field, Field]:
    """OBX-5, OBX-6 and OBX-7 of a message with that OBX."""
    raw = f"MSH|^~\\&|A|B|C|D|20250101||ORU^R01|1|P|2.5.1\rOBX|1|{kind}|1^x^L||{text}|{unit}|{limits}"
    segment = read(raw.encode()).all("OBX")[0]
    return segment.field(5), segment.field(6), segment.field(7)


def of(kind: str, text: str, unit: str = "") -> tuple[str, Any] | None:
    """The element and value that OBX-5 becomes."""
    field, units, _ = obx(kind, text, unit)
    found = value(field, kind, units, CONTEXT)
    return (found.element, found.value) if found else None


def concept(code: str, **more: str) -> dict[str, Any]:
    return {"coding": [{**more, "code": code}]}


@pytest.mark.parametrize(
    ("kind", "text", "unit", "element", "expected"),
    [
        ("NM", "05.100", "mg/dL^^UCUM", "valueQuantity", {"value": Decimal("5.100"), **UCUM}),
        ("NM", " -3 ", "", "valueQuantity", {"value": Decimal(-3)}),
        ("NM", ".5^", "mmol/l", "valueQuantity", {"value": Decimal("0.5"), "unit": "mmol/l"}),
        (
            "NM",
            "7",
            "g^gram^UCUM",
            "valueQuantity",
            {"value": 7, "unit": "gram", "system": UCUM["system"], "code": "g"},
        ),
        ("NM", "7", "^gram^UCUM", "valueQuantity", {"value": 7, "unit": "gram"}),
        ("NM", "NOVALUE", "", "valueString", "NOVALUE"),
        ("NM", "1e5", "", "valueString", "1e5"),
        ("NM", "5^6", "", "valueString", "5^6"),
        ("CQ", "4.0^mL&millilitre", "", "valueQuantity", {"value": Decimal("4.0"), "unit": "millilitre"}),
        ("CQ", "4.0", "mg/dL^^UCUM", "valueQuantity", {"value": Decimal("4.0"), **UCUM}),
        ("SN", "^182", "", "valueQuantity", {"value": 182}),
        ("SN", "<^5", "mg/dL^^UCUM", "valueQuantity", {"value": 5, "comparator": "<", **UCUM}),
        ("SN", ">=^5", "", "valueQuantity", {"value": 5, "comparator": ">="}),
        ("SN", "=^5", "", "valueQuantity", {"value": 5}),
        (
            "SN",
            "^1^-^3",
            "g",
            "valueRange",
            {"low": {"value": 1, "unit": "g"}, "high": {"value": 3, "unit": "g"}},
        ),
        ("SN", "^1^:^128", "", "valueRatio", {"numerator": {"value": 1}, "denominator": {"value": 128}}),
        ("SN", "^1^/^2", "", "valueRatio", {"numerator": {"value": 1}, "denominator": {"value": 2}}),
        ("SN", "^2^+", "", "valueString", "2+"),
        ("SN", "<>^4", "", "valueString", "<>4"),
        ("SN", "^many", "", "valueString", "^many"),
        ("ST", "clear^and bright", "", "valueString", "clear^and bright"),
        ("TX", "first~second", "", "valueString", "first\nsecond"),
        ("FT", r"one\.br\two \T\ three", "", "valueString", "one\ntwo & three"),
        (
            "CE",
            "A^Alpha^LN^B^Beta^L",
            "",
            "valueCodeableConcept",
            {
                "coding": [
                    {"system": "http://loinc.org", "code": "A", "display": "Alpha"},
                    {"system": "urn:hl7:cs:L", "code": "B", "display": "Beta"},
                ]
            },
        ),
        ("CWE", "^^^^^^^^as she said", "", "valueCodeableConcept", {"text": "as she said"}),
        (
            "CNE",
            "A^Alpha^SCT",
            "",
            "valueCodeableConcept",
            concept("A", system="http://snomed.info/sct", display="Alpha"),
        ),
        ("CF", "A^Alpha", "", "valueCodeableConcept", concept("A", display="Alpha")),
        ("IS", "M", "", "valueCodeableConcept", concept("M")),
        ("ID", "Y", "", "valueCodeableConcept", concept("Y")),
        ("DT", "202503", "", "valueDateTime", "2025-03"),
        ("TS", "20250301", "", "valueDateTime", "2025-03-01"),
        ("DTM", "202503011530", "", "valueDateTime", "2025-03-01T15:30:00+01:00"),
        ("TS", "20250301153005.25-0500", "", "valueDateTime", "2025-03-01T15:30:05.25-05:00"),
        ("TS", "Aug 15, 1942", "", "valueString", "Aug 15, 1942"),
        ("TM", "1530", "", "valueTime", "15:30:00"),
        ("TM", "153005.5", "", "valueTime", "15:30:05.5"),
        ("TM", "2530", "", "valueString", "2530"),
        ("DR", "2025^20250301", "", "valuePeriod", {"start": "2025", "end": "2025-03-01"}),
        (
            "NR",
            "1.0^2",
            "g",
            "valueRange",
            {"low": {"value": Decimal("1.0"), "unit": "g"}, "high": {"value": 2, "unit": "g"}},
        ),
        ("NR", "^2", "", "valueRange", {"high": {"value": 2}}),
        ("NR", "low^high", "", "valueString", "low^high"),
        ("VR", "3^5", "", "valueString", "3-5"),
        ("XPN", "Doe^Jane", "", "valueString", "Doe^Jane"),
        ("EI", "1^X", "", "valueString", "1^X"),
        ("CX", "1^^^X", "", "valueString", "1^^^X"),
        ("XAD", "1 Main St^^Town", "", "valueString", "1 Main St^^Town"),
        ("", "no type", "", "valueString", "no type"),
    ],
)
def test_each_type_becomes_its_value(kind: str, text: str, unit: str, element: str, expected: Any) -> None:
    assert of(kind, text, unit) == (element, expected)


@pytest.mark.parametrize(
    ("kind", "text"), [("NM", "x"), ("TS", "x"), ("NR", "x"), ("ED", "^AP^PDF^Base64^!"), ("NA", "1^x")]
)
def test_a_value_that_is_not_of_its_type_says_so(kind: str, text: str) -> None:
    field, unit, _ = obx(kind, text)
    found = value(field, kind, unit, CONTEXT)
    assert found is not None
    assert (found.element, found.fits) == ("valueString", False)


@pytest.mark.parametrize("kind", ["NM", "SN", "ST", "CWE", "TS", "DR", "NR", "VR", "NA", "ED", "RP", "XPN"])
@pytest.mark.parametrize("text", ["", '""', "^", "~"])
def test_an_empty_or_null_field_has_no_value(kind: str, text: str) -> None:
    assert of(kind, text) is None


def test_trailing_zeros_of_a_number_are_kept() -> None:
    found = of("NM", "1.50")
    assert found is not None
    assert str(found[1]["value"]) == "1.50"


def test_numbers_that_repeat_are_several_values() -> None:
    field, unit, _ = obx("NM", "60~120", "mmHg")
    found = repetitions(field, "NM", unit, CONTEXT)
    assert [item.value["value"] for item in found] == [60, 120]


def test_an_array_is_sampled_data_of_unknown_period() -> None:
    made = of("NA", "1.5^^-3", "mV^^UCUM")
    assert made is not None
    assert made[0] == "valueSampledData"
    assert made[1]["data"] == "1.5 E -3"
    assert made[1]["dimensions"] == 1
    assert made[1]["origin"] == {"value": 0, "unit": "mV", "system": UCUM["system"], "code": "mV"}
    assert made[1]["_period"]["extension"][0]["valueCode"] == "unknown"


def test_rows_of_an_array_are_dimensions() -> None:
    made = of("NA", "1^2^3~4^5^6")
    assert made is not None
    assert (made[1]["dimensions"], made[1]["data"]) == (3, "1 2 3 4 5 6")
    assert of("NA", "1^2~3") == ("valueString", "1^2\n3")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("^AP^PDF^Base64^SGVsbG8=", b"Hello"),
        ("^AP^PDF^Hex^48656C6C6F", b"Hello"),
        (r"^AP^PDF^A^a\T\b", b"a&b"),
    ],
)
def test_encapsulated_data_is_an_attachment_in_an_extension(text: str, content: bytes) -> None:
    made = of("ED", text)
    data = base64.b64encode(content).decode()
    attachment = {"contentType": "application/pdf", "data": data}
    assert made == ("extension", {"url": VALUE_EXTENSION, "valueAttachment": attachment})


@pytest.mark.parametrize("url", ["http://x/a?b=1&c=2", r"http://x/a?b=1\T\c=2"])
def test_a_pointer_is_the_url_of_an_attachment(url: str) -> None:
    made = of("RP", f"{url}^App^IM^JPEG")
    assert made is not None
    assert made[1]["valueAttachment"] == {"contentType": "image/jpeg", "url": "http://x/a?b=1&c=2"}


@pytest.mark.parametrize(
    ("media", "subtype", "expected"),
    [
        ("AP", "PDF", "application/pdf"),
        ("application", "pdf", "application/pdf"),
        ("PDF", "", "application/pdf"),
        ("IM", "TIFF", "image/tiff"),
        ("image", "webp", "image/webp"),
        ("TEXT", "", "text/plain"),
        ("", "text/rtf", "text/rtf"),
        ("", "", None),
    ],
)
def test_content_type_of_tables_0191_and_0291(media: str, subtype: str, expected: str | None) -> None:
    assert content_type(media, subtype) == expected


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("3.5-5.0", "3.5", "5.0"),
        ("3.5 - 5.0", "3.5", "5.0"),
        ("-2--1", "-2", "-1"),
        ("<5", None, "5"),
        ("<= 5", None, "5"),
        (">1.0", "1.0", None),
        (">=1", "1", None),
        ("negative", None, None),
        ("3.5-5.0 adults", None, None),
        ("1-2-3", None, None),
    ],
)
def test_a_reference_range_keeps_its_text_and_gives_its_limits(
    text: str, low: str | None, high: str | None
) -> None:
    _, unit, field = obx("NM", "1", "mg/dL^^UCUM", text)
    expected = {
        name: {"value": Decimal(limit), **UCUM} for name, limit in (("low", low), ("high", high)) if limit
    }
    assert reference_range(field, unit) == {**expected, "text": text}


def test_no_reference_range_is_none() -> None:
    for text in ("", '""'):
        _, unit, field = obx("NM", "1", "", text)
        assert reference_range(field, unit) is None


@pytest.mark.parametrize(
    ("text", "system", "code"),
    [
        ("h", "v3-ObservationInterpretation", "H"),
        ("<", "v3-ObservationInterpretation", "<"),
        ("QCF", "v2-0078", "QCF"),
    ],
)
def test_interpretation_is_in_the_system_of_fhir_where_that_has_the_code(
    text: str, system: str, code: str
) -> None:
    field, _, _ = obx("CWE", text)
    made = interpretation(field.first, CONTEXT)
    assert made == {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def test_an_interpretation_that_names_its_system_keeps_it() -> None:
    field, _, _ = obx("CWE", "H^High^HL70078")
    assert interpretation(field.first, CONTEXT)["coding"][0]["system"].endswith("v2-0078")


def test_a_result_that_was_not_asked_for_has_a_reason() -> None:
    assert absent_reason(obx("ID", "N")[0].first, CONTEXT)["coding"][0]["code"] == "not-asked"
    assert absent_reason(obx("ID", "F")[0].first, CONTEXT) is None
