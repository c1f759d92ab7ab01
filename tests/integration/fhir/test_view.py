"""Parts of resources: https://hl7.org/fhir/R4/search.html#summary and https://hl7.org/fhir/R4/search.html#elements."""

from __future__ import annotations

from typing import Any

import pytest

from storage.lexical import DECODER
from tests.fixtures.server import Fhir, outcome

TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">Jane</div>'
PATIENT: dict[str, Any] = {
    "id": "p",
    "meta": {"tag": [{"system": "urn:t", "code": "mine"}]},
    "text": {"status": "generated", "div": DIV},
    "name": [{"family": "Doe", "extension": [{"url": "urn:e", "valueString": "x"}]}],
    "birthDate": "1970",
    "_birthDate": {"extension": [{"url": "urn:e", "valueString": "y"}]},
    "maritalStatus": {"text": "married"},
    "photo": [{"contentType": "image/png", "data": "AAAA", "title": "me"}],
    "contact": [{"name": {"text": "c"}}],
    "link": [{"other": {"reference": "Patient/q"}, "type": "seealso"}],
    "deceasedBoolean": False,
}
PLACES = (
    "Patient/p",
    "Patient/p/_history/1",
    "Patient",
    "Patient/p/_history",
    "Patient/_history",
    "_history",
)


def shown(fhir: Fhir, place: str, query: str) -> dict[str, Any]:
    """Return the patient as a place shows it."""
    answer = fhir.get(f"{place}?{query}")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    if found["resourceType"] != "Bundle":
        return found
    (only,) = [entry["resource"] for entry in found["entry"] if entry["resource"]["id"] == "p"]
    return only


@pytest.fixture(autouse=True)
def _patient(fhir: Fhir) -> None:
    fhir.made("Patient", **PATIENT)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("_summary=true", {"name", "birthDate", "_birthDate", "link", "deceasedBoolean"}),
        ("_summary=text", {"text"}),
        (
            "_summary=data",
            PATIENT.keys() - {"text", "id", "meta"},
        ),
        ("_elements=name,deceased", {"name", "deceasedBoolean"}),
        ("_elements=birthDate", {"birthDate", "_birthDate"}),
        ("_elements=Patient.maritalStatus", {"maritalStatus"}),
        ("_elements=id", set[str]()),
    ],
)
def test_a_part_is_shown_wherever_a_resource_is_and_marked_as_such(
    fhir: Fhir, place: str, query: str, names: set[str]
) -> None:
    found = shown(fhir, place, query)
    assert found.keys() == names | {"resourceType", "id", "meta"}
    assert found["meta"]["tag"] == [{"system": "urn:t", "code": "mine"}, TAG]
    assert found["meta"].keys() >= {"versionId", "lastUpdated"}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("query", ["_summary=false", "_pretty=false", "_elements=", "_format=json"])
def test_the_whole_is_not_marked(fhir: Fhir, place: str, query: str) -> None:
    assert shown(fhir, place, query) == fhir.get("Patient/p").json()


def test_a_summary_has_the_marked_parts_of_types_too(fhir: Fhir) -> None:
    fhir.made(
        "DocumentReference",
        id="d",
        status="current",
        content=[{"attachment": {"contentType": "text/plain", "data": "AAAA", "title": "t"}}],
    )
    found = fhir.get("DocumentReference/d?_summary=true").json()
    assert found["content"] == [{"attachment": {"contentType": "text/plain", "title": "t"}}]
    assert shown(fhir, "Patient/p", "_summary=true")["name"] == [{"family": "Doe"}]


def test_what_every_resource_of_a_type_has_is_always_shown(fhir: Fhir) -> None:
    fhir.made("Observation", id="o", status="final", code={"text": "x"}, valueString="v")
    for query in ("_elements=value", "_summary=text"):
        found = fhir.get(f"Observation/o?{query}").json()
        assert found.keys() >= {"status", "code"}
    assert fhir.get("Observation/o?_elements=value").json()["valueString"] == "v"
    assert "valueString" not in fhir.get("Observation/o?_summary=text").json()


def test_elements_are_of_matches_and_of_included_resources_only_by_their_type(fhir: Fhir) -> None:
    fhir.made("Observation", id="o", status="final", code={"text": "x"}, subject={"reference": "Patient/p"})
    query = "Observation?_include=Observation:subject&_elements=subject"

    def entries(query: str) -> dict[str, dict[str, Any]]:
        return {e["resource"]["resourceType"]: e["resource"] for e in fhir.get(query).json()["entry"]}

    found = entries(query)
    assert TAG in found["Observation"]["meta"]["tag"]
    assert found["Patient"] == fhir.get("Patient/p").json()
    found = entries(f"{query},Patient.birthDate")
    assert found["Patient"].keys() == {"resourceType", "id", "meta", "birthDate", "_birthDate"}
    assert found["Observation"]["subject"] == {"reference": "Patient/p"}
    assert "name" in entries(query.replace("_elements=subject", "_summary=true"))["Patient"]
    outcome(fhir.get(query.replace("_elements=subject", "_summary=text")), 400, "invalid")


def test_a_count_is_of_searches_and_histories(fhir: Fhir) -> None:
    for place in ("Patient", "Patient/p/_history", "Patient/_history", "_history"):
        found = fhir.get(f"{place}?_summary=count").json()
        assert (found["total"], "entry" in found) == (1, False)
    outcome(fhir.get("Patient/p?_summary=count"), 400, "value")


@pytest.mark.parametrize("place", ["Patient/p", "Patient", "Patient/p/_history", "Patient/_history"])
@pytest.mark.parametrize(
    "query",
    [
        "_summary=some",
        "_elements=nme",
        "_elements=name.family",
        "_elements=Unicorn.x",
        "_elements=name&_summary=true",
        "_pretty=perhaps",
    ],
)
def test_what_cannot_be_shown_is_refused(fhir: Fhir, place: str, query: str) -> None:
    issue = outcome(fhir.get(f"{place}?{query}"), 400)
    assert issue["expression"] == [f"http.{query.partition('=')[0]}"]


def test_a_misspelt_element_is_told_what_there_is(fhir: Fhir) -> None:
    assert "birthDate" in outcome(fhir.get("Patient/p?_elements=birthdate"), 400)["diagnostics"]


@pytest.mark.parametrize("place", PLACES)
def test_pretty_changes_the_layout_alone(fhir: Fhir, place: str) -> None:
    plain, pretty = fhir.get(place), fhir.get(f"{place}?_pretty=true")
    assert pretty.content.startswith(b'{\n  "resourceType"')
    assert b"\n" not in plain.content
    mine, other = pretty.json(), plain.json()
    for found in (mine, other):
        found.pop("link", None)
    assert mine == other


def test_decimals_keep_their_spelling_in_every_view(fhir: Fhir) -> None:
    fhir.put(
        "Observation/o",
        b'{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50}}',
    )
    for query in ("_summary=true", "_elements=value", "_pretty=true"):
        content = fhir.get(f"Observation/o?{query}").content
        assert str(DECODER.decode(content)["valueQuantity"]["value"]) == "1.50"


def test_a_search_by_post_shows_parts_too(fhir: Fhir) -> None:
    answer = fhir.ask(
        "POST", "Patient/_search", b"_elements=name", content_type="application/x-www-form-urlencoded"
    )
    (entry,) = answer.json()["entry"]
    assert entry["resource"].keys() == {"resourceType", "id", "meta", "name"}
