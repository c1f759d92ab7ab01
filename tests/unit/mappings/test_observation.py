"""Observation: its columns, its values, and what comes back. https://hl7.org/fhir/R4/observation.html"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from mappings import convert
from mappings.element import Refused
from mappings.resources.observation import OBSERVATION
from mappings.search import parameters
from storage.model.observation import ObservationComponent, ObservationRange
from storage.model.shared import Annotation, Concept, Identifier, Reference
from tests.fixtures.resources import decode, draw, numbered, read, repetition, text

BARE: dict[str, Any] = {"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "x"}}
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "Observation", "id": "o1",
    "identifier": [{"system": "urn:ids", "value": "7"}],
    "basedOn": [{"reference": "ServiceRequest/r1"}],
    "partOf": [{"reference": "Procedure/x1"}],
    "status": "amended",
    "category": [{"coding": [{"code": "laboratory"}]}, {"text": "other"}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
    "subject": {"reference": "Patient/p1"},
    "focus": [{"reference": "Device/d9"}],
    "encounter": {"reference": "Encounter/e1"},
    "effectivePeriod": {"start": "2026-03-01T08:00:00+01:00", "end": "2026-03-01"},
    "issued": "2026-03-01T09:00:00.500Z",
    "performer": [{"reference": "Practitioner/s1"}, {"reference": "Organization/lab"}],
    "valueQuantity": {"value": 5.50, "comparator": "<", "unit": "mmol/L", "system": "urn:u", "code": "c"},
    "interpretation": [{"coding": [{"code": "H"}]}],
    "note": [{"text": "twice"}],
    "bodySite": {"text": "arm"},
    "method": {"text": "strip"},
    "specimen": {"reference": "Specimen/t1"},
    "device": {"reference": "Device/d1"},
    "referenceRange": [
        {"low": {"value": 1.0}, "high": {"value": 2}, "type": {"text": "normal"},
         "appliesTo": [{"text": "men"}], "age": {"low": {"value": 18}}, "text": "1.0-2"},
        {"text": "none"}
    ],
    "hasMember": [{"reference": "Observation/o2"}],
    "derivedFrom": [{"reference": "Observation/o3"}],
    "component": [
        {"id": "c", "code": {"text": "first"}, "valueString": "pale", "interpretation": [{"text": "odd"}],
         "referenceRange": [{"text": "clear", "appliesTo": [{"text": "all"}]}]},
        {"code": {"text": "second"}, "dataAbsentReason": {"text": "lost"}}
    ]
    }"""
)


def test_each_element_fills_its_column() -> None:
    record = read(OBSERVATION, FULL)
    main = record.main
    assert (main["status"], main["detail"], main["is_computed"]) == ("amended", "none", False)
    assert (main["effective_kind"], main["effective_start"]) == ("Period", "2026-03-01T08:00:00+01:00")
    assert main["effective_lo"] == datetime(2026, 3, 1, 7, tzinfo=UTC)
    assert main["effective_hi"] == datetime(2026, 3, 2, tzinfo=UTC)
    assert main["issued"] == "2026-03-01T09:00:00.500Z"
    assert (main["value_kind"], str(main["value_value"]), main["value_comparator"]) == (
        "Quantity",
        "5.50",
        "<",
    )
    assert (main["value_unit"], main["value_system"], main["value_code"]) == ("mmol/L", "urn:u", "c")
    assert [row["value"] for row in record.rows(Identifier, None, "identifier")] == ["7"]
    assert [row["text"] for row in record.rows(Annotation, None, "note")] == ["twice"]
    for name, number in (("category", 2), ("code", 1), ("interpretation", 1), ("bodySite", 1), ("method", 1)):
        assert len(record.rows(Concept, None, name)) == number
    for path in ("basedOn", "partOf", "subject", "focus", "encounter", "specimen", "device", "hasMember"):
        assert len(record.rows(Reference, None, path)) == 1
    assert {link.column for link in record.links} == {
        "patient_id",
        "encounter_id",
        "specimen_id",
        "device_id",
    }


def test_components_and_ranges_are_rows() -> None:
    record = read(OBSERVATION, FULL)
    first, second = record.rows(ObservationComponent)
    assert (first["value_kind"], first["value_text"], first["rc_column"]) == ("string", "pale", None)
    assert second["value_kind"] is None
    assert [row["text"] for row in record.rows(Concept, first["id"], "component.code")] == ["first"]
    assert [row["text"] for row in record.rows(Concept, second["id"], "component.dataAbsentReason")] == [
        "lost"
    ]
    own, other = record.rows(ObservationRange)
    assert (str(own["low_value"]), own["high_value"], own["text"]) == ("1.0", 2, "1.0-2")
    assert own["remainder"] == {"x": {"age": {"low": {"value": 18}}}}
    assert other["text"] == "none"
    assert [row["text"] for row in record.rows(ObservationRange, first["id"])] == ["clear"]


def test_what_is_read_comes_back() -> None:
    assert text(draw(OBSERVATION, read(OBSERVATION, FULL))) == text(FULL)
    assert read(OBSERVATION, FULL).resource["remainder"] is None


@pytest.mark.parametrize(
    ("value", "column", "expected"),
    [
        ('{"valueQuantity": {"value": 1e2}}', "value_value", Decimal(100)),
        ('{"valueInteger": -3}', "value_value", Decimal(-3)),
        ('{"valueString": "a"}', "value_text", "a"),
        ('{"valueTime": "10:00:00"}', "value_text", "10:00:00"),
        ('{"valueBoolean": false}', "value_bool", False),
        ('{"valueDateTime": "2026-02"}', "value_time_start", "2026-02"),
        ('{"valuePeriod": {"end": "2026"}}', "value_time_end", "2026"),
        ('{"valueRange": {"low": {"value": 1.10, "unit": "g"}}}', "value_low_value", Decimal("1.10")),
        ('{"valueRange": {"high": {"value": 2, "unit": "g"}}}', "value_high_unit", "g"),
    ],
)
@pytest.mark.parametrize("where", ["observation", "component"])
def test_each_kind_of_value_fills_its_column(value: str, column: str, expected: Any, where: str) -> None:
    made = decode(value)
    whole = BARE | (made if where == "observation" else {"component": [{"code": {"text": "y"}, **made}]})
    record = read(OBSERVATION, whole)
    row = record.main if where == "observation" else record.rows(ObservationComponent)[0]
    assert row[column] == expected
    assert "value" + row["value_kind"][0].upper() + row["value_kind"][1:] in made
    assert text(draw(OBSERVATION, record)) == text(whole)


def test_a_coded_value_is_a_concept() -> None:
    value = {"valueCodeableConcept": {"coding": [{"code": "a"}], "text": "t"}}
    whole = BARE | value | {"component": [{"code": {"text": "y"}, **value}]}
    record = read(OBSERVATION, whole)
    (component,) = record.rows(ObservationComponent)
    assert [row["text"] for row in record.rows(Concept, None, "value")] == ["t"]
    assert [row["text"] for row in record.rows(Concept, component["id"], "component.value")] == ["t"]
    assert text(draw(OBSERVATION, record)) == text(whole)


@pytest.mark.parametrize(
    "value",
    [
        '{"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}',
        '{"valueSampledData": {"origin": {"value": 0}, "period": 10, "dimensions": 1, "data": "1 2 E"}}',
        '{"effectiveTiming": {"event": ["2026"]}}',
        '{"effectiveInstant": "2026-01-01T00:00:00Z"}',
        '{"valueQuantity": {"value": 1.5e-3, "_value": {"id": "q"}, "extension": [{"url": "urn:x"}]}}',
        '{"_status": {"id": "s"}, "valueString": "a", "_valueString": {"extension": [{"url": "u"}]}}',
        '{"extension": [{"url": "urn:x", "valueCode": "y"}], "contained": [{"resourceType": "Basic"}]}',
        '{"component": [{"code": {"text": "y"}, "modifierExtension": [{"url": "urn:m", "valueCode": "c"}]}]}',
        '{"component": [{"code": {"text": "y"}, "valueRatio": {"numerator": {"value": 1.0}}}]}',
        '{"referenceRange": [{"low": {"value": 0.10, "system": "urn:s"}, "age": {"high": {"value": 1e1}}}]}',
    ],
)
def test_what_has_no_column_comes_back(value: str) -> None:
    whole = BARE | decode(value)
    assert text(draw(OBSERVATION, read(OBSERVATION, whole))) == text(whole)


@pytest.mark.parametrize("status", ["done", "FINAL", ""])
def test_an_unknown_status_is_refused_and_named(status: str) -> None:
    with pytest.raises(Refused) as refused:
        read(OBSERVATION, BARE | {"status": status})
    assert (refused.value.kind, refused.value.expression) == ("code-invalid", "Observation.status")


def test_another_value_drops_the_one_before_and_what_was_kept_of_it() -> None:
    whole = BARE | decode('{"valueQuantity": {"value": 1e2}, "_valueString": {"id": "gone"}}')
    record = read(OBSERVATION, whole)
    at, line = convert.top(record, OBSERVATION, numbered()), OBSERVATION.by_element["valueString"]
    convert.replace_element(at, line, "valueString", "new")
    assert draw(OBSERVATION, record) == BARE | {"valueString": "new"}
    assert record.main["value_value"] is None
    assert record.resource["remainder"] is None


def test_obx_fields_are_on_the_lines_of_their_elements() -> None:
    fields = {field.field: line.element for line in OBSERVATION.lines for field in line.v2}
    assert fields["OBX-3"] == "code"
    assert fields["OBX-17"] == "method"
    assert fields["OBX-20"] == "bodySite"
    assert fields["OBX-21"] == "identifier"
    (effective,) = (field.field for field in OBSERVATION.by_element["effectiveDateTime"].lines[0].v2[:1])  # type: ignore[attr-defined]
    assert effective == "OBX-14"


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        ("FUV", "final"),
        ("PRS", "preliminary"),
        ("C", "corrected"),
        ("A", "amended"),
        ("DW", "entered-in-error"),
        ("XN", "cancelled"),
        ("IOB", "registered"),
        ("?", None),
    ],
)
def test_obx_11_is_the_status(codes: str, status: str | None) -> None:
    line: Any = OBSERVATION.by_element["status"]
    assert {line.codec.from_v2(repetition(code), None) for code in codes} == {status}


def test_every_search_parameter_of_r4_is_there() -> None:
    wanted = """based-on category code code-value-concept code-value-date code-value-quantity
        code-value-string combo-code combo-code-value-concept combo-code-value-quantity
        combo-data-absent-reason combo-value-concept combo-value-quantity component-code
        component-code-value-concept component-code-value-quantity component-data-absent-reason
        component-value-concept component-value-quantity data-absent-reason date derived-from
        device encounter focus has-member identifier method part-of patient performer specimen
        status subject value-concept value-date value-quantity value-string"""
    assert set(wanted.split()) <= parameters(OBSERVATION).keys()


def test_an_update_keeps_the_columns_that_no_element_tells() -> None:
    before, after = read(OBSERVATION, BARE), read(OBSERVATION, BARE)
    before.main.update(set_id=3, sub_id="1.2")
    convert.carry(OBSERVATION, before, after, numbered())
    assert (after.main["set_id"], after.main["sub_id"]) == (3, "1.2")
