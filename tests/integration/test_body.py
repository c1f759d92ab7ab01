"""The body mass index follows weight and height, whichever door they come through."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.records import Caller, Records
from mappings.body import index
from storage.lexical import DECODER
from tests.fixtures.records import FHIR

CODES = {"height": ("8302-2", "cm"), "weight": ("29463-7", "kg"), "bmi": ("39156-5", "kg/m2")}


@pytest.fixture
def adult(records: Records) -> str:
    return records.create(FHIR, "Patient", {"resourceType": "Patient", "birthDate": "1960"}).fhir_id


def observation(patient: str, what: str, value: Any, at: str | None, **other: Any) -> dict[str, Any]:
    code, unit = CODES[what]
    told: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": unit},
    }
    return told | ({"effectiveDateTime": at} if at else {}) | other


def tell(records: Records, patient: str, what: str, value: Any, at: str | None, **other: Any) -> str:
    made = records.create(FHIR, "Observation", observation(patient, what, value, at, **other))
    return made.fhir_id


def indices(records: Records) -> list[tuple[str, str, bool]]:
    """Every live index: when, how much, and whether it was computed."""
    with records.store.connection() as connection:
        found = connection.execute(
            "SELECT o.effective_start, o.value_value, o.is_computed FROM observation o"
            " JOIN coding k ON k.owner_id = o.id AND k.element = 'code' AND k.code = '39156-5'"
            " JOIN resource r ON r.id = o.id WHERE r.deleted_at IS NULL ORDER BY 1, 3"
        ).fetchall()
    return [(at, str(value), computed) for at, value, computed in found]


def test_the_index_is_rounded_half_up() -> None:
    assert index(Decimal("70.6"), Decimal("168")) == Decimal("25.0")
    assert index(Decimal(81), Decimal(180)) == Decimal("25.0")
    assert index(Decimal("25.05"), Decimal(100)) == Decimal("25.1")


def test_the_index_of_a_weight_is_of_the_newest_height_before_it(records: Records, adult: str) -> None:
    tell(records, adult, "height", 180, "2024-01-01")
    tell(records, adult, "height", 200, "2025-01-01")
    tell(records, adult, "weight", 81, "2024-06-01T08:00:00Z")
    tell(records, adult, "weight", 100, "2025-06-01")
    assert indices(records) == [("2024-06-01T08:00:00Z", "25.0", True), ("2025-06-01", "25.0", True)]


def test_a_height_of_the_same_day_counts_and_a_later_one_does_not(records: Records, adult: str) -> None:
    tell(records, adult, "weight", 81, "2024-06-01T08:00:00Z")
    assert indices(records) == []
    tell(records, adult, "height", 180, "2024-06-02")
    assert indices(records) == []
    tell(records, adult, "height", 180, "2024-06-01T09:00:00Z")
    assert indices(records) == [("2024-06-01T08:00:00Z", "25.0", True)]


@pytest.mark.parametrize(
    ("born", "height", "expected"),
    [
        ("1960", "2020-06-02", 1),
        ("1960", "2018-06-01", 0),
        ("2015-01-01", "2024-04-01", 1),
        ("2015-01-01", "2024-01-01", 0),
        (None, "2024-01-01", 0),
    ],
)
def test_a_height_holds_for_years_of_adults_only(
    records: Records, born: str | None, height: str, expected: int
) -> None:
    patient = {"resourceType": "Patient"} | ({"birthDate": born} if born else {})
    fhir_id = records.create(FHIR, "Patient", patient).fhir_id
    tell(records, fhir_id, "height", 150, height)
    tell(records, fhir_id, "weight", 45, "2024-06-01")
    assert len(indices(records)) == expected


def test_an_index_that_somebody_told_that_day_stands_alone(records: Records, adult: str) -> None:
    tell(records, adult, "height", 180, "2024-06-01")
    tell(records, adult, "weight", 81, "2024-06-01")
    told = tell(records, adult, "bmi", Decimal("24.9"), "2024-06-01")
    assert indices(records) == [("2024-06-01", "24.9", False)]
    tell(records, adult, "weight", 82, "2024-06-01")
    assert indices(records) == [("2024-06-01", "24.9", False)]
    records.delete(FHIR, "Observation", told)
    assert [found[2] for found in indices(records)] == [True, True]


def test_a_weight_that_changes_or_goes_takes_its_index_along(records: Records, adult: str) -> None:
    tell(records, adult, "height", 180, "2024-06-01")
    weight = tell(records, adult, "weight", 81, "2024-06-01")
    value = observation(adult, "weight", Decimal("97.2"), "2024-06-01")
    records.update(FHIR, "Observation", weight, value)
    assert indices(records) == [("2024-06-01", "30.0", True)]
    records.update(FHIR, "Observation", weight, value | {"status": "entered-in-error"})
    assert indices(records) == []
    records.update(FHIR, "Observation", weight, value)
    assert indices(records) == [("2024-06-01", "30.0", True)]
    records.delete(FHIR, "Observation", weight)
    assert indices(records) == []


def test_a_height_that_changes_or_goes_takes_the_indices_along(records: Records, adult: str) -> None:
    older = tell(records, adult, "height", 200, "2024-01-01")
    newer = tell(records, adult, "height", 180, "2024-06-01")
    tell(records, adult, "weight", 81, "2024-06-01")
    records.delete(FHIR, "Observation", newer)
    assert indices(records) == [("2024-06-01", "20.3", True)]
    records.delete(FHIR, "Observation", older)
    assert indices(records) == []


def test_pounds_and_inches_are_converted(records: Records, adult: str) -> None:
    for what, value, unit in (("height", 70, "[in_i]"), ("weight", 180, "[lb_av]")):
        quantity = {"value": value, "system": "http://unitsofmeasure.org", "code": unit}
        tell(records, adult, what, 0, "2024-06-01", valueQuantity=quantity)
    assert indices(records) == [("2024-06-01", "25.8", True)]


def test_what_cannot_be_a_body_has_no_index(records: Records, adult: str) -> None:
    tell(records, adult, "height", 18, "2024-06-01")
    tell(records, adult, "weight", 81, "2024-06-01")
    tell(records, adult, "weight", 81, None)
    assert indices(records) == []


def test_the_index_says_what_it_is_derived_from(records: Records, adult: str) -> None:
    height = tell(records, adult, "height", 180, "2024-06-01")
    visit = {
        "resourceType": "Encounter",
        "status": "finished",
        "subject": {"reference": f"Patient/{adult}"},
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    }
    encounter = {"reference": f"Encounter/{records.create(FHIR, 'Encounter', visit).fhir_id}"}
    weight = tell(records, adult, "weight", 81, "2024-06-01", encounter=encounter)
    with records.store.connection() as connection:
        (content,) = connection.execute(
            "SELECT v.content FROM observation o JOIN resource_version v ON v.resource_id = o.id"
            " WHERE o.is_computed"
        ).fetchone() or (b"",)
    found = DECODER.decode(content)
    assert found["derivedFrom"] == [{"reference": f"Observation/{each}"} for each in (weight, height)]
    assert found["encounter"] == encounter
    again = records.update(Caller("fhir"), "Observation", found["id"], found)
    assert again.version.version == 1
