"""Location: its columns, its PL key, and what comes back. https://hl7.org/fhir/R4/location.html"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings.element import Refused, sid
from mappings.resources.location import LOCATION
from storage.model.shared import Coding, Concept, PostalAddress
from tests.fixtures.resources import decode, draw, read, text

KEY = "Main^Tower^3^OR^OR-4^"
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "Location", "id": "or-4",
    "identifier": [{"system": "urn:rooms", "value": "4"}],
    "status": "active",
    "operationalStatus": {"system": "http://terminology.hl7.org/CodeSystem/v2-0116", "code": "U"},
    "name": "Theatre 4", "alias": ["OR 4"], "description": "Hybrid theatre", "mode": "instance",
    "type": [{"coding": [{"code": "OPERATING"}]}],
    "telecom": [{"system": "phone", "value": "4004"}],
    "address": {"city": "Utrecht"},
    "physicalType": {"coding": [{"code": "ro"}]},
    "position": {"longitude": -83.690, "latitude": 4.2e1, "altitude": -0.0},
    "managingOrganization": {"reference": "Organization/clinic-1"},
    "partOf": {"reference": "Location/tower"},
    "hoursOfOperation": [{"daysOfWeek": ["mon"], "allDay": true}],
    "availabilityExceptions": "Closed for cleaning on Friday",
    "endpoint": [{"display": "paging"}]
    }"""
)


def with_identifiers(*systems_and_values: tuple[str, str]) -> dict[str, Any]:
    return FULL | {"identifier": [{"system": system, "value": value} for system, value in systems_and_values]}


def test_each_element_fills_its_column() -> None:
    record = read(LOCATION, FULL)
    main = record.main
    expected = {"status": "active", "name": "Theatre 4", "mode": "instance", "description": "Hybrid theatre"}
    assert {name: main[name] for name in expected} == expected
    assert main["alias"] == ["OR 4"]
    assert (main["longitude"], main["latitude"]) == (Decimal("-83.690"), Decimal(42))
    (operational,) = record.rows(Concept, None, "operationalStatus")
    assert [row["code"] for row in record.rows(Coding, operational["id"], "operationalStatus")] == ["U"]
    assert [row["city"] for row in record.rows(PostalAddress, None, "address")] == ["Utrecht"]
    assert {link.column for link in record.links} == {"managing_organization_id", "part_of_id"}


def test_what_is_read_comes_back_each_number_as_it_was_spelt() -> None:
    drawn = draw(LOCATION, read(LOCATION, FULL))
    assert text(drawn) == text(FULL)
    assert str(drawn["position"]["longitude"]) == "-83.690"


def test_hours_and_exceptions_stay_in_the_remainder() -> None:
    left = read(LOCATION, FULL).resource["remainder"]["x"]
    assert left == {key: FULL[key] for key in ("hoursOfOperation", "availabilityExceptions")}


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (FULL, None),
        (with_identifiers((sid("pl"), KEY)), KEY),
        (with_identifiers(("urn:rooms", "4"), (sid("pl"), KEY), (sid("pl"), "other")), KEY),
    ],
)
def test_the_pl_key_is_the_identifier_of_the_pl_system(value: dict[str, Any], key: str | None) -> None:
    assert read(LOCATION, value).main["pl_key"] == key


@pytest.mark.parametrize("element", ["status", "mode"])
def test_an_unknown_code_is_refused_and_named(element: str) -> None:
    with pytest.raises(Refused) as refused:
        read(LOCATION, FULL | {element: "open"})
    assert refused.value.expression == f"Location.{element}"
