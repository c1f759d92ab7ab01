"""Criteria in a transaction, of entries and of references: https://hl7.org/fhir/R4/http.html#trules."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from storage.session import Store
from tests.fixtures.bundles import (
    MRN,
    answers,
    condition,
    entry,
    identified,
    name_of,
    patient,
    send,
    statuses,
    urn,
)
from tests.fixtures.server import Fhir, outcome, rows
from tests.integration.fhir.test_concurrency import at_once

JANE, HIP = urn("jane"), urn("hip")


def test_a_conditional_create_makes_what_is_not_there_once(fhir: Fhir) -> None:
    wanted = entry("POST", "Patient", identified("1"), JANE, ifNoneExist=f"identifier={MRN}|1")
    hip = entry("POST", "Condition", condition(JANE))
    first, second = (send(fhir, "transaction", wanted, hip) for _ in range(2))
    assert (statuses(first), statuses(second)) == (["201", "201"], ["200", "201"])
    jane = name_of(answers(first)[0])
    assert name_of(answers(second)[0]) == jane
    assert fhir.get(name_of(answers(second)[1])).json()["subject"]["reference"] == jane
    assert fhir.get("Patient?_summary=count").json()["total"] == 1


def test_two_conditional_creates_of_the_same_make_one(fhir: Fhir) -> None:
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient", identified("1"), JANE, ifNoneExist=f"identifier={MRN}|1"),
        entry("POST", "Patient", identified("1"), HIP, ifNoneExist=f"identifier={MRN}|1"),
        entry("POST", "Condition", condition(HIP)),
    )
    assert statuses(answer) == ["201", "200", "201"]
    jane, same, made = (name_of(found) for found in answers(answer))
    assert jane == same
    assert fhir.get(made).json()["subject"]["reference"] == jane


def test_criteria_that_find_several_fail_all(fhir: Fhir) -> None:
    for _ in range(2):
        fhir.made("Patient", gender="female")
    answer = send(fhir, "transaction", entry("POST", "Patient", patient(), ifNoneExist="gender=female"))
    assert outcome(answer, 412, "multiple-matches")["expression"] == ["Bundle.entry[0]"]


def test_updates_deletions_and_patches_by_criteria(fhir: Fhir) -> None:
    for number in ("1", "2", "3"):
        fhir.made("Patient", id=f"p{number}", identifier=[{"system": MRN, "value": number}])
    parts = [
        {"name": "type", "valueCode": "add"},
        {"name": "path", "valueString": "Patient"},
        {"name": "name", "valueString": "gender"},
        {"name": "value", "valueCode": "female"},
    ]
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    answer = send(
        fhir,
        "transaction",
        entry("PUT", f"Patient?identifier={MRN}|1", identified("1", gender="male")),
        entry("PUT", f"Patient?identifier={MRN}|9", identified("9"), JANE),
        entry("PATCH", f"Patient?identifier={MRN}|2", parameters),
        entry("DELETE", f"Patient?identifier={MRN}|3"),
        entry("POST", "Condition", condition(JANE)),
    )
    assert statuses(answer) == ["200", "201", "200", "204", "201"]
    assert fhir.get("Patient/p1").json()["gender"] == "male"
    assert fhir.get("Patient/p2").json()["gender"] == "female"
    outcome(fhir.get("Patient/p3"), 410, "deleted")
    new, made = name_of(answers(answer)[1]), name_of(answers(answer)[4])
    assert fhir.get(made).json()["subject"]["reference"] == new


def test_a_patch_by_criteria_that_find_nothing_fails_all(fhir: Fhir) -> None:
    parameters = {"resourceType": "Parameters", "parameter": []}
    answer = send(fhir, "transaction", entry("PATCH", "Patient?gender=female", parameters))
    assert outcome(answer, 404)["expression"][0].startswith("Bundle.entry[0]")


def test_conditional_references_lead_to_what_is_stored_or_comes_along(fhir: Fhir) -> None:
    fhir.made("Patient", id="stored", identifier=[{"system": MRN, "value": "1"}])
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Condition", condition(f"Patient?identifier={MRN}|1")),
        entry("POST", "Condition", condition(f"Patient?identifier={MRN}|2")),
        entry("POST", "Patient", identified("2")),
    )
    stored, along, new = (name_of(found) for found in answers(answer))
    assert fhir.get(stored).json()["subject"]["reference"] == "Patient/stored"
    assert fhir.get(along).json()["subject"]["reference"] == new


def doe(**elements: Any) -> dict[str, Any]:
    return patient(name=[{"family": "Doe"}], **elements)


@pytest.mark.parametrize(
    "maker",
    [
        entry("POST", "Patient", doe()),
        entry("PUT", "Patient/new", doe(id="new")),
        entry("PUT", "Patient/old", doe(id="old")),
        entry("PUT", "Patient?gender=other", doe(gender="other")),
        entry("POST", "Patient", doe(), ifNoneExist="family=doe"),
        entry(
            "PATCH",
            "Patient/old",
            {
                "resourceType": "Binary",
                "contentType": "application/merge-patch+json",
                "data": base64.b64encode(json.dumps(doe()).encode()).decode(),
            },
        ),
    ],
)
def test_a_conditional_reference_finds_what_an_entry_makes_whatever_it_asks(
    fhir: Fhir, maker: dict[str, Any]
) -> None:
    fhir.made("Patient", id="old", gender="other")
    hip = condition("Patient?family=doe&_lastUpdated=gt2001")
    knee = condition("Patient?family=Doe")
    answer = send(
        fhir, "transaction", entry("POST", "Condition", hip), entry("POST", "Condition", knee), maker
    )
    first, second, made = (name_of(found) for found in answers(answer))
    assert fhir.get(first).json()["subject"]["reference"] == made
    assert fhir.get(second).json()["subject"]["reference"] == made
    assert fhir.get(f"Condition?patient={made}").json()["total"] == 2


def test_a_conditional_reference_does_not_find_what_an_entry_changes_or_deletes(fhir: Fhir) -> None:
    fhir.made("Patient", id="a", name=[{"family": "Doe"}])
    fhir.made("Patient", id="b", name=[{"family": "Doe"}])
    fhir.made("Patient", id="c", name=[{"family": "Doe"}])
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Condition", condition("Patient?family=doe")),
        entry("PUT", "Patient/a", patient(id="a", name=[{"family": "Roe"}])),
        entry("DELETE", "Patient/b"),
    )
    assert fhir.get(name_of(answers(answer)[0])).json()["subject"]["reference"] == "Patient/c"


def test_a_conditional_reference_that_finds_one_here_and_one_that_comes_along_fails_all(
    fhir: Fhir, store: Store
) -> None:
    fhir.made("Patient", name=[{"family": "Doe"}])
    before = rows(store)
    told = outcome(
        send(
            fhir,
            "transaction",
            entry("POST", "Patient", doe()),
            entry("POST", "Condition", condition("Patient?family=doe")),
        ),
        412,
        "multiple-matches",
    )
    assert told["expression"] == ["Bundle.entry[1]"]
    assert rows(store) == before


def test_a_trial_for_a_conditional_reference_leaves_nothing_behind(fhir: Fhir) -> None:
    order = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "priority": "stat"}
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}}
    answer = send(
        fhir,
        "transaction",
        entry("POST", "ServiceRequest", order | {"subject": {"reference": JANE}}),
        entry(
            "POST", "DiagnosticReport", report | {"basedOn": [{"reference": "ServiceRequest?priority=stat"}]}
        ),
        entry("POST", "Patient", patient(), JANE),
        prefer="return=representation",
    )
    made, told, jane = (found["resource"] for found in answers(answer))
    assert told["basedOn"][0]["reference"] == f"ServiceRequest/{made['id']}"
    assert made["subject"]["reference"] == f"Patient/{jane['id']}"
    assert fhir.get("ServiceRequest?_summary=count").json()["total"] == 1
    assert fhir.get(f"ServiceRequest/{made['id']}/_history").json()["total"] == 1


def test_what_a_rule_refuses_in_a_trial_names_its_entry(fhir: Fhir) -> None:
    made = fhir.made(
        "ServiceRequest", status="active", intent="order", subject={"display": "x"}, priority="stat"
    )
    url = f"ServiceRequest/{made['id']}"
    fhir.put(url, made | {"status": "revoked"})
    again = fhir.get(url).json() | {"status": "active"}
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}}
    asking = report | {"basedOn": [{"reference": "ServiceRequest?priority=stat"}]}
    answer = send(fhir, "transaction", entry("POST", "DiagnosticReport", asking), entry("PUT", url, again))
    assert outcome(answer, 409)["expression"][0].startswith("Bundle.entry[1]")


@pytest.mark.parametrize(("found", "code"), [(0, "conflict"), (2, "multiple-matches")])
def test_a_conditional_reference_must_find_one(fhir: Fhir, store: Store, found: int, code: str) -> None:
    for _ in range(found):
        fhir.made("Patient", gender="female")
    before = rows(store)
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient()),
        entry("POST", "Condition", condition("Patient?gender=female")),
    )
    assert outcome(answer, 412, code)["expression"] == ["Bundle.entry[1]"]
    assert rows(store) == before


def test_many_writers_with_the_same_condition_make_one_resource(fhir: Fhir) -> None:
    wanted = entry("POST", "Patient", patient(gender="other"), JANE, ifNoneExist="gender=other")
    hip = entry("POST", "Condition", condition(JANE))
    found = at_once(lambda _: send(fhir, "transaction", wanted, hip), 8)
    assert len({name_of(answers(answer)[0]) for answer in found}) == 1
    assert sorted(statuses(answer)[0] for answer in found) == ["200"] * 7 + ["201"]
    assert fhir.get("Condition?_summary=count").json()["total"] == 8
