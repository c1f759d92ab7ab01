"""MedicationStatement: its columns, either kind of medicine, dosage. https://hl7.org/fhir/R4/medicationstatement.html"""

from __future__ import annotations

from typing import Any

import pytest

from mappings import convert
from mappings.element import Refused
from mappings.resources.medication_statement import MEDICATION_STATEMENT
from mappings.search import parameters
from storage.model.shared import Annotation, Concept, Reference
from tests.fixtures.resources import decode, draw, numbered, read, text

FULL: dict[str, Any] = decode(
    """{
    "resourceType": "MedicationStatement", "id": "m1",
    "identifier": [{"value": "M-1"}],
    "basedOn": [{"reference": "ServiceRequest/o1"}], "partOf": [{"reference": "Procedure/x1"}],
    "status": "active", "statusReason": [{"text": "tolerated"}], "category": {"text": "inpatient"},
    "medicationCodeableConcept": {"coding": [{"system": "urn:rx", "code": "7980"}], "text": "Penicillin G"},
    "subject": {"reference": "Patient/p1"}, "context": {"reference": "Encounter/e1"},
    "effectivePeriod": {"start": "2024-01", "end": "2024-02-03"},
    "dateAsserted": "2024-02-04", "informationSource": {"reference": "Patient/p1"},
    "derivedFrom": [{"reference": "Observation/b1"}],
    "reasonCode": [{"text": "angina"}], "reasonReference": [{"reference": "Condition/c1"}],
    "note": [{"text": "misses a dose"}],
    "dosage": [{"text": "one twice a day"}]
    }"""
)


def with_dosage(*dosage: dict[str, Any]) -> dict[str, Any]:
    return FULL | {"dosage": list(dosage)}


def test_each_element_fills_its_column() -> None:
    record = read(MEDICATION_STATEMENT, FULL)
    main = record.main
    assert (main["status"], main["date_asserted"], main["dosage_text"]) == (
        "active",
        "2024-02-04",
        "one twice a day",
    )
    assert (main["effective_kind"], main["effective_start"], main["effective_end"]) == (
        "Period",
        "2024-01",
        "2024-02-03",
    )
    for name in ("statusReason", "category", "medication", "reasonCode"):
        assert len(record.rows(Concept, None, name)) == 1
    for name in ("basedOn", "partOf", "derivedFrom", "reasonReference"):
        assert len(record.rows(Reference, None, name)) == 1
    assert len(record.rows(Annotation, None, "note")) == 1
    assert {link.column for link in record.links} == {"patient_id", "context_id", "information_source_id"}


def test_what_is_read_comes_back_with_nothing_left_over() -> None:
    record = read(MEDICATION_STATEMENT, FULL)
    assert text(draw(MEDICATION_STATEMENT, record)) == text(FULL)
    assert record.resource["remainder"] is None


def test_a_medicine_by_reference_takes_the_place_of_one_by_code_and_back() -> None:
    record = read(MEDICATION_STATEMENT, FULL)
    at = convert.top(record, MEDICATION_STATEMENT, numbered())
    line = MEDICATION_STATEMENT.by_element["medicationReference"]
    convert.replace_element(at, line, "medicationReference", {"reference": "Medication/m9"})
    assert record.rows(Concept, None, "medication") == []
    (row,) = record.rows(Reference, None, "medication")
    assert (row["target_type"], row["target_fhir_id"]) == ("Medication", "m9")
    assert "medicationCodeableConcept" not in draw(MEDICATION_STATEMENT, record)
    convert.replace_element(at, line, "medicationCodeableConcept", FULL["medicationCodeableConcept"])
    assert text(draw(MEDICATION_STATEMENT, record)) == text(FULL)


STRUCTURED = {"sequence": 1, "text": "one", "timing": {"repeat": {"frequency": 3}}, "asNeededBoolean": False}


@pytest.mark.parametrize(
    ("dosage", "held"),
    [
        ([{"text": "one"}], "one"),
        ([STRUCTURED, {"text": "two"}], "one"),
        ([{"sequence": 1}, {"text": "two"}], None),
        ([{"text": "", "route": {"text": "oral"}}], ""),
    ],
)
def test_the_text_of_the_first_dosage_has_a_column_and_all_comes_back(
    dosage: list[dict[str, Any]], held: str | None
) -> None:
    record = read(MEDICATION_STATEMENT, with_dosage(*dosage))
    assert record.main["dosage_text"] == held
    assert text(draw(MEDICATION_STATEMENT, record)) == text(with_dosage(*dosage))


def test_a_new_text_of_the_dosage_drops_the_structure_that_said_the_old_one() -> None:
    record = read(MEDICATION_STATEMENT, with_dosage(STRUCTURED))
    record.main["dosage_text"] = "two at night"
    assert draw(MEDICATION_STATEMENT, record)["dosage"] == [{"text": "two at night"}]


def test_unknown_elements_and_siblings_come_back() -> None:
    given = FULL | {"_status": {"id": "s"}, "modifierExtension": [{"url": "urn:x", "valueCode": "a"}]}
    assert text(draw(MEDICATION_STATEMENT, read(MEDICATION_STATEMENT, given))) == text(given)


def test_a_status_that_is_not_listed_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        read(MEDICATION_STATEMENT, FULL | {"status": "swallowed"})
    assert caught.value.expression == "MedicationStatement.status"


def test_every_search_parameter_of_r4_is_there() -> None:
    wanted = "category code context effective identifier medication part-of patient source status subject"
    assert set(wanted.split()) <= parameters(MEDICATION_STATEMENT).keys()
