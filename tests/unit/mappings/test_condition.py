"""Condition: its columns, code and side, and what comes back. https://hl7.org/fhir/R4/condition.html"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mappings import convert
from mappings.element import V2Context
from mappings.resources.condition import ASSERTED_DATE, CONDITION
from storage.model.diagnosis import DiagnosisEvidence, DiagnosisStage
from storage.model.shared import Annotation, Concept, Reference
from tests.fixtures.resources import decode, draw, numbered, read, repetition, text

CONTEXT = V2Context(zone=ZoneInfo("Europe/Amsterdam"))
CM, WHO = "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10"
SNOMED = "http://snomed.info/sct"
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "Condition", "id": "dx-1",
    "identifier": [{"value": "D-1"}],
    "clinicalStatus": {"coding": [{"code": "active"}]},
    "verificationStatus": {"coding": [{"code": "confirmed"}]},
    "category": [{"coding": [{"code": "encounter-diagnosis"}]}],
    "severity": {"text": "severe"},
    "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I70.211"}], "text": "PAD"},
    "bodySite": [{"coding": [{"system": "http://snomed.info/sct", "code": "24028007"}]}, {"text": "leg"}],
    "subject": {"reference": "Patient/p1"},
    "encounter": {"reference": "Encounter/visit-1"},
    "onsetDateTime": "2024-11",
    "abatementAge": {"value": 61.0, "unit": "a"},
    "recordedDate": "2026-02-01",
    "recorder": {"reference": "Practitioner/d1"}, "asserter": {"reference": "Patient/p1"},
    "stage": [{"summary": {"text": "IIb"}, "assessment": [{"reference": "Observation/o1"}],
               "type": {"text": "Fontaine"}}],
    "evidence": [{"code": [{"text": "claudication"}], "detail": [{"reference": "Observation/o2"}]},
                 {"id": "e2"}],
    "note": [{"authorReference": {"reference": "Practitioner/d1"}, "text": "walks 100 m"}],
    "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/condition-assertedDate",
                   "valueDateTime": "2026-01-31"}]
    }"""
)


def without_choices(**change: Any) -> dict[str, Any]:
    kept = {key: value for key, value in FULL.items() if not key.startswith(("onset", "abatement"))}
    return kept | change


def test_each_element_fills_its_column() -> None:
    record = read(CONDITION, FULL)
    main = record.main
    assert (main["icd10_code"], main["side"]) == ("I70.211", "right")
    assert (main["onset_kind"], main["onset_start"]) == ("dateTime", "2024-11")
    assert main["onset_hi"] == datetime(2024, 12, 1, tzinfo=UTC)
    assert (main["abatement_kind"], main["abatement_age_value"]) == ("Age", Decimal("61.0"))
    assert (main["recorded_date"], main["asserted_date"]) == ("2026-02-01", "2026-01-31")
    for name in ("clinicalStatus", "verificationStatus", "category", "severity", "code"):
        assert len(record.rows(Concept, None, name)) == 1
    assert {link.column for link in record.links} == {
        "patient_id",
        "encounter_id",
        "recorder_id",
        "asserter_id",
    }


def test_arrays_are_rows_in_order() -> None:
    record = read(CONDITION, FULL)
    (stage,) = record.rows(DiagnosisStage)
    assert [row["text"] for row in record.rows(Concept, stage["id"], "stage.summary")] == ["IIb"]
    assert [row["target_fhir_id"] for row in record.rows(Reference, stage["id"], "stage.assessment")] == [
        "o1"
    ]
    first, second = record.rows(DiagnosisEvidence)
    assert [row["text"] for row in record.rows(Concept, first["id"], "evidence.code")] == ["claudication"]
    assert [row["target_fhir_id"] for row in record.rows(Reference, first["id"], "evidence.detail")] == ["o2"]
    assert second["remainder"] == {"x": {"id": "e2"}}
    (note,) = record.rows(Annotation, None, "note")
    assert [row["target_fhir_id"] for row in record.rows(Reference, note["id"], "note.authorReference")] == [
        "d1"
    ]


def test_what_is_read_comes_back_with_nothing_left_over() -> None:
    record = read(CONDITION, FULL)
    assert text(draw(CONDITION, record)) == text(FULL)
    assert record.resource["remainder"] is None


@pytest.mark.parametrize(
    ("key", "value", "kind", "column", "held"),
    [
        ("onsetDateTime", "2024-11", "dateTime", "onset_start", "2024-11"),
        ("onsetPeriod", {"end": "2024"}, "Period", "onset_end", "2024"),
        ("onsetAge", {"value": Decimal("12.50")}, "Age", "onset_age_value", Decimal("12.50")),
        ("onsetString", "long ago", "string", "onset_text", "long ago"),
        ("onsetRange", {"low": {"value": 3}}, "Range", "onset_start", None),
        ("abatementDateTime", "2025", "dateTime", "abatement_start", "2025"),
        ("abatementPeriod", {"start": "2025"}, "Period", "abatement_start", "2025"),
        ("abatementString", "last week", "string", "abatement_text", "last week"),
        ("abatementRange", {"high": {"value": 3}}, "Range", "abatement_start", None),
    ],
)
def test_each_branch_of_a_choice_has_its_columns(
    key: str, value: Any, kind: str, column: str, held: Any
) -> None:
    given = without_choices(**{key: value})
    record = read(CONDITION, given)
    stem = (
        key.partition("D")[0] if key.endswith("DateTime") else key.rstrip("abcdefghijklmnopqrstuvwxyz")[:-1]
    )
    assert record.main[f"{stem}_kind"] == kind
    assert record.main[column] == held
    assert text(draw(CONDITION, record)) == text(given)


def test_one_branch_replaces_another() -> None:
    record = read(CONDITION, without_choices(onsetRange={"low": {"value": 3}}))
    at = convert.top(record, CONDITION, numbered())
    convert.replace_element(at, CONDITION.by_element["onsetString"], "onsetString", "in spring")
    drawn = draw(CONDITION, record)
    assert drawn["onsetString"] == "in spring"
    assert "onsetRange" not in drawn


@pytest.mark.parametrize(
    ("codings", "code"),
    [
        ([], None),
        ([(SNOMED, "399957001")], None),
        ([(WHO, "I70.2"), (CM, "I70.211"), (CM, "I70.212")], "I70.211"),
        ([(SNOMED, "399957001"), (WHO, "I70.2")], "I70.2"),
    ],
)
def test_the_icd_10_code_is_of_the_clinical_modification_else_the_plain_one(
    codings: list[tuple[str, str]], code: str | None
) -> None:
    listed = [{"system": system, "code": told} for system, told in codings]
    assert read(CONDITION, FULL | {"code": {"coding": listed}}).main["icd10_code"] == code


@pytest.mark.parametrize(
    ("codes", "side"),
    [
        ([], None),
        (["7771000"], "left"),
        (["24028007"], "right"),
        (["51440002"], "bilateral"),
        (["61685007", "7771000"], "left"),
        (["7771000", "24028007"], None),
    ],
)
def test_the_side_is_the_laterality_that_the_sites_agree_on(codes: list[str], side: str | None) -> None:
    sites = [{"coding": [{"system": SNOMED, "code": code}]} for code in codes]
    assert read(CONDITION, FULL | {"bodySite": sites}).main["side"] == side


def test_a_laterality_of_another_system_is_no_side() -> None:
    site = {"coding": [{"system": "urn:other", "code": "7771000"}]}
    assert read(CONDITION, FULL | {"bodySite": [site]}).main["side"] is None


def test_an_asserted_date_with_more_to_it_comes_back() -> None:
    odd = {"url": ASSERTED_DATE, "id": "x", "valueDateTime": "2026-01-31"}
    value = FULL | {"extension": [{"url": "urn:first", "valueBoolean": True}, odd]}
    record = read(CONDITION, value)
    assert record.main["asserted_date"] == "2026-01-31"
    assert text(draw(CONDITION, record)) == text(value)


def test_a_note_without_text_is_kept_but_is_no_row() -> None:
    note = {"time": "2026", "_text": {"extension": [{"url": "urn:why", "valueCode": "masked"}]}}
    value = FULL | {"note": [note, *FULL["note"]]}
    record = read(CONDITION, value)
    assert record.rows(Annotation, None, "note") == []
    assert text(draw(CONDITION, record)) == text(value)


@pytest.mark.parametrize(("raw", "code"), [("D", "entered-in-error"), ("A", None), ("", None)])
def test_dg1_21_withdraws_a_diagnosis(raw: str, code: str | None) -> None:
    (field,) = CONDITION.by_element["verificationStatus"].v2
    assert field.read is not None
    made = field.read(repetition(raw), CONTEXT)
    assert (made and made["coding"][0]["code"]) == code


def test_dg1_4_is_the_text_of_the_code() -> None:
    code, told = CONDITION.by_element["code"].v2
    assert (code.field, told.field, told.part) == ("DG1-3", "DG1-4", "text")
    assert told.read is not None
    assert told.read(repetition("Claudication"), CONTEXT) == "Claudication"
