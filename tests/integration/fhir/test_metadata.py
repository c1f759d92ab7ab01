"""The CapabilityStatement says what is there and nothing else: https://hl7.org/fhir/R4/http.html#capabilities."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mappings import definitions
from mappings.resources import REGISTRY, WITH_TABLES
from mappings.search import parameters
from storage.lexical import ENCODER
from tests.fixtures.server import Fhir, outcome
from tests.unit.fhir.samples import KEPT_WHOLE, VALID, valid

TYPES = sorted(REGISTRY)
ASKED = sorted(VALID | KEPT_WHOLE)
"""The types that are tried: all with tables, a sample of the others."""
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
    "near": "47.5|7.6|10|km",
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
    "patch": (
        lambda fhir, name: fhir.ask(
            "PATCH", f"{name}/x", b'{"language":"nb"}', content_type="application/merge-patch+json"
        ),
        200,
    ),
    "history-instance": (lambda fhir, name: fhir.get(f"{name}/x/_history"), 200),
    "history-type": (lambda fhir, name: fhir.get(f"{name}/_history"), 200),
    "search-type": (lambda fhir, name: fhir.get(name), 200),
    "delete": (lambda fhir, name: fhir.delete(f"{name}/x"), 204),
}


@pytest.mark.parametrize("name", ASKED)
def test_each_interaction_that_is_told_is_there(fhir: Fhir, name: str) -> None:
    told = {interaction["code"] for interaction in of_type(fhir, name)["interaction"]}
    for code, (ask, status) in INTERACTIONS.items():
        assert code in told
        answer = ask(fhir, name)
        assert answer.status_code == status, (code, answer.text)
    assert told == INTERACTIONS.keys()


@pytest.mark.parametrize("name", ASKED)
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


@pytest.mark.parametrize("name", ASKED)
def test_each_include_that_is_told_is_taken(fhir: Fhir, name: str) -> None:
    told = of_type(fhir, name)
    for control, listed in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude")):
        for value in told.get(listed, []):
            assert fhir.get(f"{name}?{control}={value}").status_code == 200, (control, value)


@pytest.mark.parametrize("name", ASKED)
def test_each_search_parameter_that_is_not_told_is_refused(fhir: Fhir, name: str) -> None:
    told = {entry["name"] for entry in of_type(fhir, name)["searchParam"]}
    others = {other for kind in WITH_TABLES for other in parameters(REGISTRY[kind])} - told
    for other in sorted(others | {"unicorn", "_query", "_type"} - told):
        issue = outcome(fhir.get(f"{name}?{other}=x"), 400, "not-supported")
        assert issue["expression"] == [f"http.{other}"]


def test_types_that_are_not_told_are_refused(fhir: Fhir) -> None:
    for name in [*sorted(definitions.resource_types() - REGISTRY.keys())[:40], "patient", "Unicorn"]:
        outcome(fhir.get(name), 404, "not-supported")
        outcome(fhir.get(f"{name}/1"), 404, "not-supported")
        outcome(fhir.put(f"{name}/1", {"resourceType": name, "id": "1"}), 404, "not-supported")
        outcome(fhir.post(name, {"resourceType": name}), 404, "not-supported")
        outcome(fhir.delete(f"{name}/1"), 404, "not-supported")


def test_what_the_statement_says_of_conditional_interactions_holds(fhir: Fhir) -> None:
    told = of_type(fhir, "Patient")
    names = ("conditionalCreate", "conditionalRead", "conditionalUpdate", "conditionalDelete")
    assert [told[name] for name in names] == [True, "full-support", True, "multiple"]
    value = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "1"}]}
    assert fhir.put("Patient?identifier=urn:x|1", value).status_code == 201
    assert fhir.post("Patient", value, if_none_exist="identifier=urn:x|1").status_code == 200
    tag = fhir.get("Patient?identifier=urn:x|1").json()["entry"][0]["resource"]
    assert fhir.get(f"Patient/{tag['id']}", if_none_match='W/"1"').status_code == 304
    fhir.post("Patient", value)
    assert fhir.delete("Patient?identifier=urn:x|1").status_code == 204
    assert fhir.get("Patient").json()["total"] == 0


def test_the_statement_is_sent_again_only_where_it_says_something_else(fhir: Fhir) -> None:
    first = fhir.get("metadata")
    tag = first.headers["etag"]
    again = fhir.get("metadata", if_none_match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert fhir.get("metadata", if_none_match='W/"another"').content == first.content
    assert fhir.get("metadata?mode=normative", if_none_match=tag).status_code == 200


def test_a_mode_asks_for_a_part_of_the_capabilities(fhir: Fhir) -> None:
    from fhir.resources.R4B.terminologycapabilities import TerminologyCapabilities

    assert fhir.get("metadata?mode=full").content == fhir.get("metadata").content
    normative = fhir.get("metadata?mode=normative").json()
    types = {entry["type"] for entry in normative["rest"][0]["resource"]}
    assert types == {"Patient", "Observation"} | (types & definitions.NORMATIVE)
    assert types < set(TYPES)
    terminology = fhir.get("metadata?mode=terminology")
    assert TerminologyCapabilities.model_validate_json(terminology.content).kind == "instance"
    outcome(fhir.get("metadata?mode=some"), 400, "value")


def test_the_statement_tells_languages_of_patches_and_whether_pages_may_call(fhir: Fhir) -> None:
    found = statement(fhir)
    assert found["patchFormat"] == [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/fhir+json",
        "application/json",
    ]
    assert found["rest"][0]["security"]["cors"] is True
    assert {"code": "history-system"} in found["rest"][0]["interaction"]
    assert fhir.get("_history").status_code == 200


def test_each_parameter_of_every_type_is_taken_by_a_search_of_several_types(fhir: Fhir) -> None:
    made = fhir.made("Patient", name=[{"family": "Doe"}])
    (rest,) = fhir.get("metadata").json()["rest"]
    assert "search-system" in {entry["code"] for entry in rest["interaction"]}
    values = {"_lastUpdated": "gt2000", "_filter": "_id pr true", "_type": "Patient", "_id": made["id"]}
    found = {}
    for name in (entry["name"] for entry in rest["searchParam"]):
        answer = fhir.http.get(f"{fhir.base}?{name}={values.get(name, 'doe')}")
        posted = fhir.http.post(f"{fhir.base}/_search", data={name: values.get(name, "doe")})
        assert answer.status_code == posted.status_code == 200, answer.text
        found[name] = [answer.json()["total"], posted.json()["total"]]
    assert [name for name, totals in found.items() if totals == [1, 1]] == [
        "_content",
        "_filter",
        "_id",
        "_lastUpdated",
        "_type",
    ]
