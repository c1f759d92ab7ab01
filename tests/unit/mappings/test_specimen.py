"""Specimen: its columns, its fields of SPM and OBR, and what comes back. https://hl7.org/fhir/R4/specimen.html"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mappings import convert
from mappings.element import Choice, Part, Refused, V2Context
from mappings.resources.specimen import SPECIMEN
from storage.model.shared import Annotation, Concept, Identifier, Reference
from storage.model.specimen import SpecimenContainer
from tests.fixtures.resources import decode, draw, numbered, read, repetition, text

CONTEXT = V2Context(zone=ZoneInfo("Europe/Amsterdam"))
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "Specimen", "id": "tube-1",
    "contained": [{"resourceType": "Substance", "id": "hep", "code": {"text": "heparin"}}],
    "identifier": [{"value": "S-1"}, {"value": "S-2"}],
    "accessionIdentifier": {"system": "urn:acc", "value": "A-9"},
    "status": "available",
    "type": {"coding": [{"code": "119364003"}], "text": "Serum"},
    "subject": {"reference": "Patient/p1"},
    "receivedTime": "2026-03-01T09:15:00+01:00",
    "parent": [{"reference": "Specimen/tube-0"}],
    "request": [{"reference": "ServiceRequest/r1"}],
    "collection": {
        "collector": {"reference": "Practitioner/nurse-1"},
        "collectedPeriod": {"start": "2026-03-01T08:00:00Z"},
        "duration": {"value": 5, "unit": "min"},
        "quantity": {"value": 6.0, "comparator": "<", "unit": "mL"},
        "method": {"text": "line"},
        "bodySite": {"text": "left arm"},
        "fastingStatusCodeableConcept": {"coding": [{"code": "F"}]}
    },
    "processing": [{"description": "spun", "timeDateTime": "2026-03-01"}],
    "container": [
        {"identifier": [{"value": "C-1"}], "description": "tube", "type": {"text": "gel"},
         "capacity": {"value": 10}, "specimenQuantity": {"value": 6.00},
         "additiveCodeableConcept": {"text": "Li"}},
        {"id": "second", "additiveReference": {"reference": "#hep"}}
    ],
    "condition": [{"text": "haemolysed"}],
    "note": [{"authorString": "lab", "time": "2026-03", "text": "redrawn"}]
    }"""
)


def test_each_element_fills_its_column() -> None:
    record = read(SPECIMEN, FULL)
    main = record.main
    assert main["status"] == "available"
    assert main["received_time_lo"] == datetime(2026, 3, 1, 8, 15, tzinfo=UTC)
    assert (main["collected_kind"], main["collected_start"]) == ("Period", "2026-03-01T08:00:00Z")
    assert main["collected_hi"].year == 9999
    assert (main["collection_quantity_value"], main["collection_quantity_comparator"]) == (
        Decimal("6.0"),
        "<",
    )
    assert [row["value"] for row in record.rows(Identifier, None, "identifier")] == ["S-1", "S-2"]
    assert [row["value"] for row in record.rows(Identifier, None, "accessionIdentifier")] == ["A-9"]
    assert [row["target_fhir_id"] for row in record.rows(Reference, None, "collection.collector")] == [
        "nurse-1"
    ]
    for name in ("type", "collection.method", "collection.bodySite", "collection.fastingStatus", "condition"):
        assert len(record.rows(Concept, None, name)) == 1
    assert [row["text"] for row in record.rows(Annotation, None, "note")] == ["redrawn"]
    assert {link.column for link in record.links} == {"patient_id", "collector_id"}


def test_a_container_is_a_row_with_rows_of_its_own() -> None:
    record = read(SPECIMEN, FULL)
    first, second = record.rows(SpecimenContainer)
    assert (first["description"], str(first["specimen_quantity_value"])) == ("tube", "6.00")
    assert [row["value"] for row in record.rows(Identifier, first["id"], "container.identifier")] == ["C-1"]
    assert [row["text"] for row in record.rows(Concept, first["id"], "container.additive")] == ["Li"]
    assert [row["literal"] for row in record.rows(Reference, second["id"], "container.additive")] == ["#hep"]
    assert second["remainder"] == {"x": {"id": "second"}}


def test_what_is_read_comes_back() -> None:
    assert text(draw(SPECIMEN, read(SPECIMEN, FULL))) == text(FULL)


def test_only_what_has_no_column_stays_in_the_remainder() -> None:
    left = read(SPECIMEN, FULL).resource["remainder"]["x"]
    assert set(left) == {"contained", "processing", "collection duration"}


def test_an_unknown_status_is_refused_and_named() -> None:
    with pytest.raises(Refused) as refused:
        read(SPECIMEN, FULL | {"status": "gone"})
    assert refused.value.expression == "Specimen.status"


def test_the_other_branch_of_a_choice_goes_when_one_is_set() -> None:
    record = read(SPECIMEN, FULL)
    collection = SPECIMEN.by_element["collection"]
    assert isinstance(collection, Part)
    changed = FULL["collection"] | {"collectedDateTime": "2026-03-02"}
    del changed["collectedPeriod"]
    at = convert.top(record, SPECIMEN, numbered())
    convert.replace_element(at, collection, "collection", changed)
    assert draw(SPECIMEN, record)["collection"] == changed
    assert record.main["collected_start"] == "2026-03-02"


def from_v2(element: str, field: str, raw: str) -> Any:
    line = SPECIMEN.by_element[element]
    found = [v2 for v2 in line.v2 if v2.field == field and v2.read]
    return [v2.read(repetition(raw), CONTEXT) for v2 in found if v2.read]


def test_spm_2_gives_the_placer_and_the_filler_number() -> None:
    placer, filler = from_v2("identifier", "SPM-2", "P1&ACME&1.2.3&ISO^F1")
    assert placer["value"] == "P1"
    assert placer["system"] == "urn:oid:1.2.3"
    assert [made["type"]["coding"][0]["code"] for made in (placer, filler)] == ["PLAC", "FILL"]
    assert from_v2("identifier", "SPM-2", "^F1")[0] is None


def test_obr_15_gives_the_type_as_a_concept_or_a_text() -> None:
    assert from_v2("type", "OBR-15", "SER&Serum&HL70070") == [
        {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/v2-0070", "code": "SER", "display": "Serum"}
            ]
        }
    ]
    assert from_v2("type", "OBR-15", "&Serum") == [{"text": "Serum"}]
    assert from_v2("type", "OBR-15", "") == [None]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("202603010800+0100", {"collectedDateTime": "2026-03-01T08:00:00+01:00"}),
        (
            "202603010800^202603010810",
            {"collectedPeriod": {"start": "2026-03-01T08:00:00+01:00", "end": "2026-03-01T08:10:00+01:00"}},
        ),
        ("", None),
    ],
)
def test_spm_17_is_a_time_or_a_period(raw: str, value: Any) -> None:
    collection = SPECIMEN.by_element["collection"]
    assert isinstance(collection, Part)
    line = collection.by_element["collectedDateTime"]
    assert isinstance(line, Choice)
    assert line.v2[0].read is not None
    assert line.v2[0].read(repetition(raw), CONTEXT) == value


def test_obr_39_becomes_a_note() -> None:
    assert from_v2("note", "OBR-39", "^Lipaemic^L") == [{"text": "Lipaemic"}]
