"""Entries of a Bundle that call operations, search by POST or ask what the server is capable of.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from typing import Any

import pytest

from storage.session import Store
from tests.fixtures.bundles import answers, entry, patient, send, statuses
from tests.fixtures.server import Fhir, outcome, rows

TAG = {"system": "urn:t", "code": "a"}


def meta(**labels: Any) -> dict[str, Any]:
    """Return the Parameters of $meta-add and $meta-delete."""
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": labels}]}


@pytest.fixture
def jane(fhir: Fhir) -> None:
    """A patient with a condition and two observations."""
    fhir.made("Patient", id="jane", gender="female")
    fhir.made("Condition", id="hip", subject={"reference": "Patient/jane"})
    for name, day in (("first", "2026-01-01"), ("last", "2026-01-02")):
        fhir.made(
            "Observation",
            id=name,
            status="final",
            code={"coding": [{"system": "urn:c", "code": "x"}]},
            subject={"reference": "Patient/jane"},
            effectiveDateTime=day,
        )


READS = (
    ("GET", "Patient/jane/$everything"),
    ("POST", "Patient/jane/$everything"),
    ("GET", "Observation/$lastn?patient=jane&max=1"),
    ("GET", "Patient/jane/$meta"),
    ("GET", "Patient/$meta"),
    ("GET", "$meta"),
    ("POST", "$meta"),
    ("GET", "Patient/jane/$validate"),
    ("POST", "Patient/_search?gender=female"),
    ("POST", "_search?_type=Patient,Condition"),
    ("POST", "Patient/jane/Condition/_search"),
    ("GET", "metadata"),
    ("GET", "metadata?mode=terminology"),
    ("GET", "Patient/_history"),
    ("GET", "_history"),
)


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """Return what was answered without what differs by how or when it was asked."""
    return {key: item for key, item in value.items() if key not in ("link", "date")}


@pytest.mark.usefixtures("jane")
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_an_entry_is_answered_as_the_request_is(fhir: Fhir, kind: str) -> None:
    answer = send(fhir, kind, *[entry(method, url) for method, url in READS])
    assert statuses(answer) == ["200"] * len(READS)
    for (method, url), found in zip(READS, answers(answer), strict=True):
        alone = fhir.ask(method, url)
        assert alone.status_code == 200, url
        assert plain(found["resource"]) == plain(alone.json()), url


@pytest.mark.usefixtures("jane")
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_head_answers_without_a_resource(fhir: Fhir, kind: str) -> None:
    urls = ("metadata", "Patient/jane/$everything", "Patient?gender=female", "_history")
    answer = send(fhir, kind, *[entry("HEAD", url) for url in urls])
    assert statuses(answer) == ["200"] * len(urls)
    assert all("resource" not in found for found in answers(answer))


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_what_is_validated_is_not_stored_and_all_else_is(fhir: Fhir, kind: str) -> None:
    fhir.made("Patient", id="old", identifier=[{"system": "urn:x", "value": "1"}])
    answer = send(
        fhir,
        kind,
        entry("POST", "Patient/$validate?mode=create", patient()),
        entry("POST", "Patient/$validate", patient(gender="femal")),
        entry("POST", "Patient/old/$validate?mode=delete"),
        entry("PUT", "Patient/new", patient(id="new")),
    )
    assert statuses(answer) == ["200", "200", "200", "201"]
    severities = [found["resource"]["issue"][0]["severity"] for found in answers(answer)[:3]]
    assert severities == ["information", "error", "information"]
    assert fhir.get("Patient?_summary=count").json()["total"] == 2
    assert fhir.get("Patient/new").status_code == 200


def test_what_the_database_refuses_in_a_rehearsal_fails_nothing_else(fhir: Fhir) -> None:
    number = [{"system": "http://suture.example.org/fhir/sid/mrn", "value": "1"}]
    fhir.made("Patient", identifier=number)
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient/$validate?mode=create", patient(identifier=number)),
        entry("PUT", "Patient/new", patient(id="new")),
    )
    assert statuses(answer) == ["200", "201"]
    assert answers(answer)[0]["resource"]["issue"][0]["code"] == "duplicate"
    assert fhir.get("Patient/new").status_code == 200


@pytest.mark.usefixtures("jane")
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_labels_are_added_and_taken_by_entries(fhir: Fhir, kind: str) -> None:
    answer = send(
        fhir,
        kind,
        entry("GET", "Patient/jane"),
        entry("POST", "Patient/jane/$meta-add", meta(tag=[TAG])),
        entry("POST", "Condition/hip/$meta-delete", meta(tag=[TAG])),
    )
    assert statuses(answer) == ["200", "200", "200"]
    read, added, _ = answers(answer)
    assert added["resource"]["parameter"][0]["valueMeta"]["tag"] == [TAG]
    assert read["resource"] == fhir.get("Patient/jane").json()
    assert read["resource"]["meta"]["versionId"] == "2"
    assert fhir.get("Condition/hip/_history").json()["total"] == 1


@pytest.mark.usefixtures("jane")
def test_what_an_operation_changed_is_undone_with_all_else(fhir: Fhir, store: Store) -> None:
    before = rows(store)
    told = outcome(
        send(
            fhir,
            "transaction",
            entry("POST", "Patient/jane/$meta-add", meta(tag=[TAG])),
            entry("POST", "Patient/nobody/$meta-add", meta(tag=[TAG])),
            entry("POST", "Patient", patient()),
        ),
        404,
        "not-found",
    )
    assert told["expression"] == ["Bundle.entry[1]"]
    assert rows(store) == before


@pytest.mark.usefixtures("jane")
@pytest.mark.parametrize(
    "other",
    [
        entry("PUT", "Patient/jane", patient(id="jane")),
        entry("PUT", "Patient?gender=female", patient()),
        entry("DELETE", "Patient?gender=female"),
        entry("POST", "Patient/jane/$meta-delete", meta(tag=[TAG])),
    ],
)
def test_what_an_operation_changes_is_written_by_no_other_entry(fhir: Fhir, other: dict[str, Any]) -> None:
    answer = send(fhir, "transaction", entry("POST", "Patient/jane/$meta-add", meta(tag=[TAG])), other)
    assert "same resource" in outcome(answer, 400, "invalid")["diagnostics"]
    assert fhir.get("Patient/jane/_history").json()["total"] == 1


@pytest.mark.usefixtures("jane")
@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("POST", "Patient/jane/$nonsense", "405"),
        ("GET", "Patient/jane/$meta-add", "405"),
        ("POST", "Patient/$meta-add", "405"),
        ("POST", "$everything", "405"),
        ("POST", "Observation/last/$everything", "404"),
        ("GET", "Nothing/$meta", "404"),
        ("PUT", "Patient/$validate", "405"),
        ("GET", "Patient/jane/$everything?nonsense=1", "400"),
        ("POST", "Patient/jane/_search", "405"),
        ("POST", "Nothing/_search", "404"),
        ("GET", "metadata?mode=nonsense", "400"),
        ("POST", "metadata", "404"),
    ],
)
def test_what_is_not_offered_is_refused(fhir: Fhir, method: str, url: str, status: str) -> None:
    resource = patient() if method == "PUT" else None
    assert statuses(send(fhir, "batch", entry(method, url, resource))) == [status]
    refused = send(fhir, "transaction", entry("POST", "Patient", patient()), entry(method, url, resource))
    assert outcome(refused, int(status))["expression"][0].startswith("Bundle.entry[1]")
    assert fhir.get("Patient?_summary=count").json()["total"] == 1


def test_a_search_by_post_has_its_parameters_in_the_url(fhir: Fhir) -> None:
    (found,) = answers(send(fhir, "batch", entry("POST", "Patient/_search", patient())))
    assert found["response"]["status"].startswith("400")
    assert found["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[0].resource"]


def test_lenient_handling_counts_for_the_searches_of_entries(fhir: Fhir) -> None:
    asked = (entry("GET", "Patient?famly=doe"), entry("POST", "Patient/_search?famly=doe"))
    for kind in ("batch", "transaction"):
        found = answers(send(fhir, kind, *asked, prefer="handling=lenient"))
        for one in found:
            assert one["response"]["status"].startswith("200")
            assert [item["search"]["mode"] for item in one["resource"]["entry"]] == ["outcome"]
