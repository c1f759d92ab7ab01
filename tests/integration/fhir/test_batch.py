"""batch: https://hl7.org/fhir/R4/http.html#transaction."""

from __future__ import annotations

from typing import Any

import pytest

from storage.session import Store
from tests.fixtures.bundles import (
    MRN,
    answers,
    bundle,
    condition,
    entry,
    identified,
    patient,
    send,
    statuses,
    urn,
)
from tests.fixtures.server import Fhir, outcome


def outcome_in(found: dict[str, Any]) -> dict[str, Any]:
    """Return the first issue of the outcome that an entry was answered with."""
    value = found["response"]["outcome"]
    assert value["resourceType"] == "OperationOutcome"
    return value["issue"][0]


def test_each_entry_succeeds_or_fails_by_itself(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane")
    answer = send(
        fhir,
        "batch",
        entry("POST", "Patient", patient()),
        entry("POST", "Patient", patient(gender="femal")),
        entry("GET", "Patient/nobody"),
        entry("DELETE", "Patient/jane"),
        entry("NONE", "Patient"),
        {"resource": patient()},
        entry("PUT", "Patient/late", patient(id="late")),
    )
    assert statuses(answer) == ["201", "422", "404", "204", "422", "422", "201"]
    found = answers(answer)
    assert outcome_in(found[1])["expression"] == ["Bundle.entry[1].resource.gender"]
    assert outcome_in(found[2])["code"] == "not-found"
    assert outcome_in(found[4])["expression"] == ["Bundle.entry[4].request.method"]
    assert outcome_in(found[5])["details"]["coding"][0]["code"] == "bdl-3"
    assert fhir.get("Patient/late").status_code == 200
    outcome(fhir.get("Patient/jane"), 410, "deleted")


def test_a_conflict_is_told_in_its_entry(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane", identifier=[{"system": MRN, "value": "1"}])
    answer = send(
        fhir,
        "batch",
        entry("POST", "Patient", identified("1")),
        entry("PUT", "Patient/jane", identified("1", id="jane"), ifMatch='W/"7"'),
        entry("PUT", "Patient/jane", identified("1", id="jane", gender="male"), ifMatch='W/"1"'),
    )
    assert statuses(answer) == ["409", "412", "200"]
    assert outcome_in(answers(answer)[0])["code"] == "duplicate"


def test_reads_and_searches_answer_with_what_is_found(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane", gender="female", birthDate="1961")
    fhir.made("Condition", id="hip", subject={"reference": "Patient/jane"})
    answer = send(
        fhir,
        "batch",
        entry("GET", "Patient/jane"),
        entry("GET", "/Patient?gender=female"),
        entry("GET", f"{fhir.base}/Condition?subject=Patient/jane"),
        entry("GET", "Patient/jane/_history"),
        entry("GET", "Patient/_history"),
        entry("GET", "_history"),
        entry("GET", "Patient/jane/Condition"),
        entry("GET", "?_type=Patient,Condition"),
        entry("GET", "Patient/jane?_elements=gender"),
        entry("GET", "Patient/jane", ifModifiedSince="2199-01-01T00:00:00Z"),
        entry("GET", "Patient/jane", ifModifiedSince="2001-01-01T00:00:00Z"),
        entry("HEAD", "Patient/jane"),
        entry("GET", "Patient/jane", ifModifiedSince="2016-12-31T23:59:60Z"),
        entry("GET", "Patient?famly=doe"),
        entry("GET", "Patient/jane/$nonsense"),
    )
    assert statuses(answer) == ["200"] * 9 + ["304", "200", "200", "200", "400", "405"]
    found = answers(answer)
    assert found[0]["resource"] == fhir.get("Patient/jane").json()
    totals = [item["resource"]["total"] for item in found[1:7]]
    assert totals == [1, 1, 1, 1, 2, 1]
    assert len(found[7]["resource"]["entry"]) == 2
    assert "birthDate" not in found[8]["resource"]
    assert all("resource" not in found[place] for place in (9, 11))
    assert "family" in outcome_in(found[13])["diagnostics"]


def test_entries_of_a_batch_do_not_refer_to_each_other(fhir: Fhir) -> None:
    answer = send(
        fhir,
        "batch",
        entry("POST", "Patient", identified("1"), urn("jane")),
        entry("POST", "Condition", condition(urn("jane"))),
        entry("POST", "Condition", condition(f"Patient?identifier={MRN}|1")),
        prefer="return=representation",
    )
    assert statuses(answer) == ["201", "201", "422"]
    assert answers(answer)[1]["resource"]["subject"]["reference"] == urn("jane")


def test_a_conditional_create_in_a_batch_makes_one(fhir: Fhir) -> None:
    wanted = entry("POST", "Patient", identified("1"), ifNoneExist=f"identifier={MRN}|1")
    assert statuses(send(fhir, "batch", wanted, wanted)) == ["201", "200"]


def test_methods_take_effect_in_the_order_of_the_standard(fhir: Fhir) -> None:
    fhir.made("Patient", id="old", identifier=[{"system": "urn:x", "value": "1"}])
    answer = send(
        fhir,
        "batch",
        entry("GET", "Patient?_summary=count"),
        entry("POST", "Patient", patient(), ifNoneExist="identifier=urn:x|1"),
        entry("DELETE", "Patient/old"),
    )
    assert statuses(answer) == ["200", "201", "204"]
    assert answers(answer)[0]["resource"]["total"] == 1


def test_one_that_deletes_what_others_need_is_refused_alone(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane")
    fhir.made("Condition", id="hip", subject={"reference": "Patient/jane"})
    first = send(fhir, "batch", entry("DELETE", "Patient/jane"), entry("DELETE", "Condition/hip"))
    assert statuses(first) == ["409", "204"]
    assert statuses(send(fhir, "batch", entry("DELETE", "Patient/jane"))) == ["204"]


def test_several_go_by_one_condition(fhir: Fhir) -> None:
    for _ in range(3):
        fhir.made("Patient", gender="other")
    (gone,) = answers(send(fhir, "batch", entry("DELETE", "Patient?gender=other")))
    assert gone["response"]["status"] == "204 No Content"
    assert fhir.get("Patient?_summary=count").json()["total"] == 0


@pytest.mark.parametrize("value", [1, "x", None, [], {}, {"request": 1}, {"request": {"method": ["x"]}}])
def test_what_is_no_entry_is_told_in_its_place(fhir: Fhir, value: Any) -> None:
    made = bundle("batch", entry("POST", "Patient", patient())) | {}
    made["entry"].append(value)
    answer = fhir.ask("POST", "", made)
    assert statuses(answer)[0] == "201"
    assert statuses(answer)[1] in ("400", "422")
    assert outcome_in(answers(answer)[1])["expression"][0].startswith("Bundle.entry[1]")


def test_a_bundle_without_entries_is_answered_without_any(fhir: Fhir, store: Store) -> None:
    answer = fhir.ask("POST", "", {"resourceType": "Bundle", "type": "batch"})
    assert answer.json() == {"resourceType": "Bundle", "type": "batch-response"}


ODD = (
    "",
    "/",
    "//",
    "?",
    "Patient?",
    "Patient/",
    "Patient/a/b",
    "Patient/a%2Fb",
    "Patient/%00",
    "Patient?%00=1",
)
MORE = (
    "http://elsewhere.example/fhir/Patient/1",
    "Patient/1/_history",
    "_history/1",
    "$meta",
    "metadata",
    "é",
    "a b",
)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_no_odd_address_is_answered_by_a_fault_of_the_server(fhir: Fhir, method: str) -> None:
    resource = None if method in ("GET", "HEAD", "DELETE") else patient(id="1")
    answer = send(fhir, "batch", *[entry(method, url, resource) for url in ODD + MORE])
    for url, status in zip(ODD + MORE, statuses(answer), strict=True):
        assert status < "500", (method, url, status)
        if method not in ("GET", "HEAD"):
            assert status >= "400" or url == "Patient?", (method, url, status)


@pytest.mark.parametrize("path", ["/fhir", "/fhir/"])
def test_a_bundle_goes_to_the_base_with_or_without_a_slash(fhir: Fhir, path: str) -> None:
    value = bundle("batch", entry("POST", "Patient", patient()))
    assert statuses(fhir.http.post(path, json=value)) == ["201"]
    answer = fhir.http.post(path, json=value, headers={"accept": "application/fhir+xml"})
    assert answer.headers["content-type"].startswith("application/fhir+xml")
    assert b'<status value="201 Created"/>' in answer.content


def test_a_bundle_may_come_as_xml(fhir: Fhir) -> None:
    value = (
        '<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/><entry><resource><Patient>'
        '<gender value="female"/></Patient></resource><request><method value="POST"/><url value="Patient"/>'
        "</request></entry></Bundle>"
    )
    answer = fhir.ask("POST", "", value.encode(), content_type="application/fhir+xml")
    assert statuses(answer) == ["201"]
    assert fhir.get("Patient?gender=female").json()["total"] == 1
