"""What a transaction refuses, where it says so, and that nothing of it is stored then.

https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

from typing import Any

import pytest

from storage.session import Store
from tests.fixtures.bundles import MRN, bundle, entry, identified, patient, send, urn
from tests.fixtures.server import Fhir, outcome, rows

JANE = urn("jane")


def test_all_that_is_wrong_with_contents_is_told_by_entry(fhir: Fhir, store: Store) -> None:
    before = rows(store)
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient()),
        entry("POST", "Patient", patient(gender="femal")),
        entry("POST", "Condition", {"resourceType": "Condition"}),
    )
    outcome(answer, 422)
    told = [(issue["code"], issue["expression"][0]) for issue in answer.json()["issue"]]
    assert ("code-invalid", "Bundle.entry[1].resource.gender") in told
    assert ("required", "Bundle.entry[2].resource") in told
    assert rows(store) == before


@pytest.mark.parametrize(
    "pair",
    [
        (entry("PUT", "Patient/a", patient(id="a")), entry("PUT", "Patient/a", patient(id="a"))),
        (entry("PUT", "Patient/a", patient(id="a")), entry("DELETE", "Patient/a")),
        (entry("PUT", "Patient/a", patient(id="a")), entry("DELETE", f"Patient?identifier={MRN}|1")),
        (
            entry("PUT", "Patient/a", patient(id="a")),
            entry("PUT", f"Patient?identifier={MRN}|1", identified("1")),
        ),
        (
            entry("PUT", f"Patient?identifier={MRN}|2", identified("2")),
            entry("PUT", f"Patient?identifier={MRN}|2", identified("2")),
        ),
    ],
)
def test_overlapping_identities_are_refused(fhir: Fhir, pair: tuple[dict[str, Any], ...]) -> None:
    fhir.made("Patient", id="a", identifier=[{"system": MRN, "value": "1"}])
    told = outcome(send(fhir, "transaction", *pair), 400, "invalid")
    assert told["expression"][0].startswith("Bundle.entry[")
    assert "same resource" in told["diagnostics"]
    assert fhir.get("Patient/a/_history").json()["total"] == 1


@pytest.mark.parametrize("stored", [True, False])
def test_an_identifier_that_is_taken_names_its_entry(fhir: Fhir, stored: bool) -> None:
    if stored:
        fhir.made("Patient", identifier=[{"system": MRN, "value": "1"}])
    listed = [patient()] if stored else [identified("1")]
    answer = send(
        fhir,
        "transaction",
        *[entry("POST", "Patient", value) for value in listed],
        entry("POST", "Patient", identified("1")),
    )
    assert outcome(answer, 409, "duplicate")["expression"] == ["Bundle.entry[1]"]


def test_a_rule_that_is_broken_names_its_entry(fhir: Fhir) -> None:
    order: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"display": "x"},
    }
    made = fhir.made("ServiceRequest", **order)
    fhir.put(f"ServiceRequest/{made['id']}", made | {"status": "revoked"})
    again = fhir.get(f"ServiceRequest/{made['id']}").json() | {"status": "active"}
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient()),
        entry("PUT", f"ServiceRequest/{made['id']}", again),
    )
    assert outcome(answer, 409)["expression"][0].startswith("Bundle.entry[1]")


GOOD = entry("POST", "Patient", patient())


@pytest.mark.parametrize(
    ("value", "status", "where"),
    [
        ({"resourceType": "Patient"}, 400, None),
        ({"resourceType": "Bundle"}, 422, "Bundle"),
        (bundle("collection", {"resource": patient()}), 422, "Bundle.type"),
        (bundle("transaction") | {"entry": []}, 400, "Bundle.entry"),
        (bundle("transaction") | {"entry": {}}, 400, "Bundle.entry"),
        (bundle("transaction") | {"nonsense": 1}, 400, "Bundle.nonsense"),
        (bundle("transaction", GOOD, {"resource": patient()}), 422, "Bundle.entry[1]"),
        (bundle("transaction", GOOD | {"response": {"status": "200"}}), 422, "Bundle.entry[0]"),
        (bundle("transaction", GOOD | {"search": {"mode": "match"}}), 422, "Bundle.entry[0]"),
        (
            bundle("transaction", GOOD | {"fullUrl": "http://x/Patient/1/_history/2"}),
            422,
            "Bundle.entry[0].fullUrl",
        ),
        (
            bundle("transaction", GOOD | {"fullUrl": JANE}, GOOD | {"fullUrl": JANE}),
            422,
            "Bundle.entry[1].fullUrl",
        ),
        (bundle("transaction", entry("FETCH", "Patient")), 422, "Bundle.entry[0].request.method"),
        (bundle("transaction", entry("POST", "Patient")), 422, "Bundle.entry[0].resource"),
        (bundle("transaction", entry("POST", "Patient/1", patient())), 400, "Bundle.entry[0].request.url"),
        (
            bundle("transaction", entry("POST", "Condition", patient())),
            400,
            "Bundle.entry[0].resource.resourceType",
        ),
        (bundle("transaction", entry("PUT", "Patient", patient())), 400, "Bundle.entry[0].request.url"),
        (
            bundle("transaction", entry("PUT", "Patient/1", patient(id="2"))),
            400,
            "Bundle.entry[0].resource.id",
        ),
        (bundle("transaction", entry("PUT", "Patient/1", patient())), 400, "Bundle.entry[0].resource.id"),
        (bundle("transaction", entry("DELETE", "Patient/1", patient())), 422, "Bundle.entry[0].resource"),
        (bundle("transaction", entry("DELETE", "Patient")), 400, "Bundle.entry[0].request.url"),
        (bundle("transaction", entry("POST", "Nothing", patient())), 404, "Bundle.entry[0].request.url"),
        (bundle("transaction", entry("GET", "Patient/1/2/3/4")), 405, "Bundle.entry[0].request.url"),
        (
            bundle("transaction", entry("PUT", "Patient/1", patient(id="1"), ifMatch="x")),
            400,
            "Bundle.entry[0]",
        ),
        (bundle("transaction", entry("DELETE", "Patient?nonsense=1")), 400, "Bundle.entry[0]"),
        (bundle("transaction", entry("DELETE", "Patient?_sort=birthdate")), 400, "Bundle.entry[0]"),
    ],
)
def test_what_is_no_good_bundle_is_refused_where_it_is_wrong(
    fhir: Fhir, store: Store, value: dict[str, Any], status: int, where: str | None
) -> None:
    before = rows(store)
    told = outcome(fhir.ask("POST", "", value), status)
    assert where is None or told["expression"] == [where]
    assert rows(store) == before
