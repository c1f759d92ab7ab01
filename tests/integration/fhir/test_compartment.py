"""Search within a compartment: https://hl7.org/fhir/R4/search.html#searchcontexts."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.compartments import PERSON, all_paths, members
from mappings.definitions import compartments
from mappings.resources import REGISTRY
from tests.fixtures.library import found
from tests.fixtures.server import Fhir, outcome


def ids(fhir: Fhir, path: str) -> list[str]:
    answer = fhir.get(path)
    assert answer.status_code == 200, answer.text
    return found(answer.json())


@pytest.fixture
def ward(fhir: Fhir) -> Fhir:
    """Two patients, each with a visit, observations, a condition and a claim; some told of by others."""
    for who in ("a", "b"):
        fhir.made("Patient", id=who)
        subject: dict[str, Any] = {"reference": f"Patient/{who}"}
        visit = {"reference": f"Encounter/{who}-visit"}
        fhir.made(
            "Encounter", id=f"{who}-visit", status="finished", **{"class": {"code": "IMP"}}, subject=subject
        )
        for number, code in enumerate(("x", "y")):
            fhir.made(
                "Observation",
                id=f"{who}-o{number}",
                status="final",
                code={"coding": [{"system": "urn:c", "code": code}]},
                subject=subject,
                encounter=visit,
            )
        fhir.made("Condition", id=f"{who}-c", subject=subject)
        fhir.made(
            "Claim",
            id=f"{who}-claim",
            status="active",
            type={"text": "x"},
            use="claim",
            patient=subject,
            created="2024-01-01",
            provider={"display": "x"},
            priority={"text": "x"},
            insurance=[{"sequence": 1, "focal": True, "coverage": {"display": "x"}}],
        )
    fhir.made(
        "Observation", id="told", status="final", code={"text": "x"}, performer=[{"reference": "Patient/a"}]
    )
    return fhir


def test_a_member_type_is_searched_within_the_compartment(ward: Fhir) -> None:
    assert sorted(ids(ward, "Patient/a/Observation")) == ["a-o0", "a-o1", "told"]
    assert ids(ward, "Patient/a/Observation?code=urn:c%7Cx") == ["a-o0"]
    assert ids(ward, "Patient/b/Claim") == ["b-claim"]
    assert sorted(ids(ward, "Encounter/a-visit/Observation")) == ["a-o0", "a-o1"]
    assert ids(ward, "Encounter/a-visit/Encounter") == ["a-visit"]
    assert ids(ward, "Patient/a/Patient") == ["a"]
    assert ids(ward, "Patient/nobody/Observation") == []


def test_all_members_are_found_together(ward: Fhir) -> None:
    everyone = {"a", "a-visit", "a-o0", "a-o1", "a-c", "a-claim", "told"}
    assert set(ids(ward, "Patient/a/*")) == everyone
    assert set(ids(ward, "Patient/a/*?_type=Observation,Claim")) == {"a-o0", "a-o1", "told", "a-claim"}
    assert ids(ward, "Patient/a/*?_id=a-c") == ["a-c"]
    assert set(ids(ward, "Encounter/a-visit/*")) == {"a-visit", "a-o0", "a-o1"}


def test_pages_of_a_compartment_follow_each_other(ward: Fhir) -> None:
    bundle = ward.get("Patient/a/*?_count=3").json()
    seen = found(bundle)
    while url := next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None):
        assert f"{ward.base}/Patient/a/*?" in url
        bundle = ward.http.get(url).json()
        seen += found(bundle)
    assert len(seen) == len(set(seen)) == 7
    assert ward.get("Patient/a/*?_summary=count").json()["total"] == 7


def test_includes_and_the_other_format_work_within_a_compartment(ward: Fhir) -> None:
    bundle = ward.get("Patient/a/Observation?code=y&_include=Observation:encounter").json()
    assert found(bundle, "include") == ["a-visit"]
    assert ward.get("Patient/a/Observation", accept="application/fhir+xml").text.startswith("<?xml")


def test_a_compartment_is_searched_by_post_too(ward: Fhir) -> None:
    form = "application/x-www-form-urlencoded"
    answer = ward.ask("POST", "Patient/a/Observation/_search", b"code=x", content_type=form)
    assert found(answer.json()) == ["a-o0"]
    assert len(found(ward.ask("POST", "Patient/a/*/_search", b"", content_type=form).json())) == 7


def test_the_statement_lists_the_compartments(ward: Fhir) -> None:
    told = ward.get("metadata").json()["rest"][0]["compartment"]
    assert told == [f"http://hl7.org/fhir/CompartmentDefinition/{name.lower()}" for name in compartments()]
    for name in compartments():
        assert ids(ward, f"{name}/nobody/*") == []


def test_what_was_deleted_is_in_no_compartment(ward: Fhir) -> None:
    ward.delete("Condition/a-c")
    assert ids(ward, "Patient/a/Condition") == []
    assert "a-c" not in ids(ward, "Patient/a/*")


def test_what_is_no_compartment_or_no_member_is_not_found(ward: Fhir) -> None:
    outcome(ward.get("Organization/1/Observation"), 404, "not-found")
    outcome(ward.get("Patient/a/Organization"), 404, "not-found")
    outcome(ward.get("Patient/a/Unicorn"), 404, "not-supported")
    outcome(ward.get("Unicorn/a/Patient"), 404, "not-supported")
    outcome(ward.get("Patient/a/$unicorn"), 404)
    outcome(ward.get("Patient/a/*?_type=Organization"), 400, "value")
    outcome(ward.get("Patient/a/*?_type=Unicorn"), 400, "value")
    outcome(ward.get("Patient/a/*?code=x"), 400, "not-supported")
    outcome(ward.get("Patient/a/Observation?unicorn=x"), 400, "not-supported")


def test_every_type_that_the_standard_puts_in_a_compartment_can_be_found_there() -> None:
    for name in ("Patient", "Encounter", "Practitioner"):
        without = set(members(name)) - {found for found, _ in all_paths(name)} - {name}
        assert without == set(), name
        assert set(members(name)) >= set(compartments()[name]) & REGISTRY.keys()
    assert PERSON in compartments()
