"""Extensions with and without a line: claimed, kept, and in the order in which they came.

https://hl7.org/fhir/R4/extensibility.html
"""

from __future__ import annotations

from typing import Any

import pytest

from mappings import convert
from mappings.element import ext
from mappings.resources.condition import ASSERTED_DATE, CONDITION
from mappings.resources.encounter import ENCOUNTER
from mappings.resources.patient import PATIENT, US_CORE
from storage.model.encounter import EncounterBillingCode
from storage.model.shared import Concept
from tests.fixtures.resources import draw, numbered, read, text

UNKNOWN: dict[str, Any] = {"url": "urn:x:unknown", "valueBoolean": True}
BIRTH_SEX: dict[str, Any] = {"url": US_CORE + "us-core-birthsex", "valueCode": "F"}
ONLY_ID: dict[str, Any] = {"url": US_CORE + "us-core-birthsex", "id": "b"}
RACE: dict[str, Any] = {"url": US_CORE + "us-core-race", "extension": [{"url": "text", "valueString": "any"}]}
ODD_RACE: dict[str, Any] = {"url": US_CORE + "us-core-race", "extension": [UNKNOWN]}
IDENTITY: dict[str, Any] = {
    "url": US_CORE + "us-core-genderIdentity",
    "valueCodeableConcept": {"text": "woman"},
}
IDENTITY_WITH_ID: dict[str, Any] = IDENTITY | {"id": "i", "valueCodeableConcept": {"text": "other"}}


@pytest.mark.parametrize(
    "extensions",
    [
        [BIRTH_SEX, RACE],
        [RACE, BIRTH_SEX],
        [UNKNOWN, BIRTH_SEX],
        [BIRTH_SEX, UNKNOWN, RACE],
        [BIRTH_SEX, BIRTH_SEX | {"valueCode": "M"}],
        [BIRTH_SEX, RACE, BIRTH_SEX],
        [ONLY_ID, RACE],
        [ODD_RACE, BIRTH_SEX],
        [BIRTH_SEX, ODD_RACE, UNKNOWN, RACE],
        [IDENTITY, IDENTITY_WITH_ID],
        [IDENTITY_WITH_ID, IDENTITY],
        [IDENTITY, UNKNOWN, IDENTITY],
    ],
)
def test_extensions_come_back_in_their_order(extensions: list[Any]) -> None:
    value = {"resourceType": "Patient", "id": "p", "extension": extensions}
    assert text(draw(PATIENT, read(PATIENT, value))) == text(value)


def test_an_array_of_extensions_is_rows_only_where_each_is_claimed_whole() -> None:
    def rows(*extensions: dict[str, Any]) -> int:
        record = read(PATIENT, {"resourceType": "Patient", "extension": list(extensions)})
        return len(record.rows(Concept, None, "usCoreGenderIdentity"))

    assert rows(IDENTITY, IDENTITY) == 2
    assert rows(IDENTITY, IDENTITY_WITH_ID) == 0


def test_extensions_of_a_part_come_back() -> None:
    value = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "planned",
        "hospitalization": {"extension": [UNKNOWN]},
    }
    assert text(draw(ENCOUNTER, read(ENCOUNTER, value))) == text(value)


def test_a_value_that_is_replaced_leaves_its_extension_and_drops_what_hung_on_the_value() -> None:
    odd = {"url": ASSERTED_DATE, "id": "a", "valueDateTime": "2026", "_valueDateTime": {"id": "v"}}
    record = read(CONDITION, {"resourceType": "Condition", "id": "c", "extension": [UNKNOWN, odd]})
    at = convert.top(record, CONDITION, numbered())
    convert.clear(at, CONDITION.extensions[ASSERTED_DATE])
    drawn = draw(CONDITION, record)["extension"]
    assert UNKNOWN in drawn
    assert not any("valueDateTime" in item or "_valueDateTime" in item for item in drawn)


def test_rows_added_to_an_array_that_is_kept_whole_stand_behind_it() -> None:
    value = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "planned",
        "statusHistory": [{"period": {"start": "2026"}}],
    }
    record = read(ENCOUNTER, value)
    line = ENCOUNTER.by_element["statusHistory"]
    at = convert.top(record, ENCOUNTER, numbered())
    convert.append(at, line, {"status": "arrived"}, "Encounter.statusHistory")  # type: ignore[arg-type]
    assert draw(ENCOUNTER, record)["statusHistory"] == [*value["statusHistory"], {"status": "arrived"}]


def test_the_extension_of_a_visit_with_nothing_known_in_it_makes_no_rows() -> None:
    details = {"url": ext("visit-details"), "extension": [UNKNOWN]}
    value = {"resourceType": "Encounter", "id": "e", "status": "planned", "extension": [details]}
    record = read(ENCOUNTER, value)
    assert record.rows(EncounterBillingCode) == []
    assert text(draw(ENCOUNTER, record)) == text(value)
