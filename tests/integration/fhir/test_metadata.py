"""The CapabilityStatement says what is there and nothing else: https://hl7.org/fhir/R4/http.html#capabilities."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mappings import definitions
from mappings.resources import REGISTRY
from mappings.search import parameters
from storage.lexical import ENCODER
from tests.fixtures.server import Fhir, outcome
from tests.unit.fhir.samples import valid

TYPES = sorted(REGISTRY)
PLAUSIBLE = {
    "string": "smith",
    "token": "http://loinc.org|8867-4",
    "date": "ge2024-01",
    "reference": "Patient/p1",
    "quantity": "gt5.4|http://unitsofmeasure.org|mg",
    "number": "lt7",
    "uri": "http://example.org/profile",
}
BY_NAME = {
    "_id": "p1",
    "_lastUpdated": "le2030-12-31T10:00:00Z",
    "active": "true",
    "deceased": "false",
}


def plausible(name: str, kind: str) -> str:
    """Return a value for a search parameter; a composite is named after its parts."""
    if kind == "composite":
        last = name.rpartition("-")[2]
        return f"http://loinc.org|8867-4${PLAUSIBLE.get(last, PLAUSIBLE['token'])}"
    return BY_NAME.get(name) or PLAUSIBLE[kind]


def statement(fhir: Fhir) -> dict[str, Any]:
    answer = fhir.get("metadata")
    assert answer.status_code == 200
    return answer.json()


def of_type(fhir: Fhir, name: str) -> dict[str, Any]:
    (found,) = [entry for entry in statement(fhir)["rest"][0]["resource"] if entry["type"] == name]
    return found


def body(name: str, **changes: Any) -> bytes:
    return ENCODER.encode(valid(name, **changes))


def test_the_statement_is_of_this_server(fhir: Fhir) -> None:
    found = statement(fhir)
    assert found["resourceType"] == "CapabilityStatement"
    assert found["fhirVersion"] == "4.0.1"
    assert found["implementation"]["url"] == fhir.base
    assert sorted(entry["type"] for entry in found["rest"][0]["resource"]) == TYPES
    assert fhir.get("metadata?_format=json").content == fhir.get("metadata").content


def test_the_statement_is_itself_a_valid_resource(fhir: Fhir) -> None:
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    made = CapabilityStatement.model_validate_json(fhir.get("metadata").content)
    assert made.kind == "instance"


def _create(fhir: Fhir, name: str) -> httpx.Response:
    return fhir.post(name, body(name))


def _update(fhir: Fhir, name: str) -> httpx.Response:
    return fhir.put(f"{name}/x", body(name, id="x"))


INTERACTIONS = {
    "create": (_create, 201),
    "update": (_update, 201),
    "read": (lambda fhir, name: fhir.get(f"{name}/x"), 200),
    "vread": (lambda fhir, name: fhir.get(f"{name}/x/_history/1"), 200),
    "history-instance": (lambda fhir, name: fhir.get(f"{name}/x/_history"), 200),
    "search-type": (lambda fhir, name: fhir.get(name), 200),
    "delete": (lambda fhir, name: fhir.delete(f"{name}/x"), 204),
}
ELSEWHERE = {
    "patch": lambda fhir, name: fhir.ask(
        "PATCH", f"{name}/x", b"[]", content_type="application/json-patch+json"
    ),
    "history-type": lambda fhir, name: fhir.get(f"{name}/_history"),
}


@pytest.mark.parametrize("name", TYPES)
def test_each_interaction_that_is_told_is_there_and_no_other(fhir: Fhir, name: str) -> None:
    told = {interaction["code"] for interaction in of_type(fhir, name)["interaction"]}
    for code, (ask, status) in INTERACTIONS.items():
        assert code in told
        answer = ask(fhir, name)
        assert answer.status_code == status, (code, answer.text)
    for code, ask in ELSEWHERE.items():
        answer = ask(fhir, name)
        if code in told:
            assert answer.status_code < 500
        else:
            assert answer.json()["resourceType"] == "OperationOutcome"
            assert answer.status_code in (404, 405), code
    assert told <= INTERACTIONS.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("name", TYPES)
def test_each_search_parameter_that_is_told_is_taken(fhir: Fhir, name: str) -> None:
    fhir.put(f"{name}/x", body(name, id="x"))
    told = of_type(fhir, name)["searchParam"]
    assert {entry["name"] for entry in told} >= {"_id", "_lastUpdated"}
    for entry in told:
        value = plausible(entry["name"], entry["type"])
        answer = fhir.http.get(f"{fhir.base}/{name}", params={entry["name"]: value})
        assert answer.status_code == 200, (entry, answer.text)
        bundle = answer.json()
        assert bundle["type"] == "searchset"
        link = httpx.URL(next(link["url"] for link in bundle["link"] if link["relation"] == "self"))
        assert link.params[entry["name"]] == value


@pytest.mark.parametrize("name", TYPES)
def test_each_include_that_is_told_is_taken(fhir: Fhir, name: str) -> None:
    told = of_type(fhir, name)
    for control, listed in (("_include", told["searchInclude"]), ("_revinclude", told["searchRevInclude"])):
        for value in listed:
            assert fhir.get(f"{name}?{control}={value}").status_code == 200, (control, value)


@pytest.mark.parametrize("name", TYPES)
def test_each_search_parameter_that_is_not_told_is_refused(fhir: Fhir, name: str) -> None:
    told = {entry["name"] for entry in of_type(fhir, name)["searchParam"]}
    others = {other for kind in REGISTRY.values() for other in parameters(kind)} - told
    for other in sorted(others | {"unicorn", "_filter", "_query", "_content", "_text", "_list"} - told):
        issue = outcome(fhir.get(f"{name}?{other}=x"), 400, "not-supported")
        assert issue["expression"] == [f"http.{other}"]


def test_types_that_are_not_told_are_refused(fhir: Fhir) -> None:
    for name in [
        *sorted(definitions.resource_types() - REGISTRY.keys())[:40],
        "patient",
        "Unicorn",
        "_history",
    ]:
        outcome(fhir.get(name), 404, "not-supported")
        outcome(fhir.get(f"{name}/1"), 404, "not-supported")
        outcome(fhir.put(f"{name}/1", {"resourceType": name, "id": "1"}), 404, "not-supported")
        outcome(fhir.post(name, {"resourceType": name}), 404, "not-supported")
        outcome(fhir.delete(f"{name}/1"), 404, "not-supported")


def test_what_the_statement_says_of_conditional_interactions_holds(fhir: Fhir) -> None:
    told = of_type(fhir, "Patient")
    fhir.made("Patient", id="p", identifier=[{"system": "urn:x", "value": "1"}])
    if not told["conditionalUpdate"]:
        value = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "1"}]}
        outcome(fhir.put("Patient?identifier=urn:x|1", value), 405)
    if told["conditionalDelete"] == "not-supported":
        answer = fhir.delete("Patient?identifier=urn:x|1")
        outcome(answer, 405)
        assert fhir.get("Patient/p").status_code == 200
