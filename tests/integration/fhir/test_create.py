"""create: https://hl7.org/fhir/R4/http.html#create."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from uuid import UUID

import pytest

from storage.lexical import DECODER, ENCODER
from storage.session import Store
from tests.fixtures.records import as_sent
from tests.fixtures.server import Fhir, outcome, rows
from tests.unit.fhir.samples import KEPT_WHOLE, VALID, valid

PATIENT = {"resourceType": "Patient", "name": [{"family": "Nakamura"}]}


def test_a_created_resource_is_at_its_location(fhir: Fhir) -> None:
    answer = fhir.post("Patient", PATIENT)
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"{fhir.base}/Patient/{made['id']}/_history/1"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert made["meta"]["versionId"] == "1"
    told = parsedate_to_datetime(answer.headers["last-modified"])
    assert made["meta"]["lastUpdated"].startswith(told.strftime("%Y-%m-%dT%H:%M:%S"))
    assert fhir.http.get(answer.headers["location"]).content == answer.content


def test_the_server_chooses_the_id_and_ignores_that_of_the_body(fhir: Fhir) -> None:
    made = fhir.post("Patient", PATIENT | {"id": "mine"}).json()
    assert str(UUID(made["id"])) == made["id"]
    outcome(fhir.get("Patient/mine"), 404, "not-found")


def test_version_and_time_of_the_body_are_ignored(fhir: Fhir) -> None:
    meta = {"versionId": "77", "lastUpdated": "2001-01-01T00:00:00Z", "source": "urn:x:sender"}
    made = fhir.post("Patient", PATIENT | {"meta": meta}).json()["meta"]
    assert made["versionId"] == "1"
    assert made["lastUpdated"] > "2020"
    assert made["source"] == "urn:x:sender"


def test_the_same_body_twice_makes_two_resources(fhir: Fhir) -> None:
    assert fhir.post("Patient", PATIENT).json()["id"] != fhir.post("Patient", PATIENT).json()["id"]


@pytest.mark.parametrize("asked", ["return=minimal", 'respond-async, return="minimal"'])
def test_prefer_minimal_answers_without_a_body(fhir: Fhir, asked: str) -> None:
    answer = fhir.post("Patient", PATIENT, prefer=asked)
    assert (answer.status_code, answer.content) == (201, b"")
    assert fhir.http.get(answer.headers["location"]).json()["name"] == PATIENT["name"]


def test_prefer_outcome_answers_an_operation_outcome_without_errors(fhir: Fhir) -> None:
    answer = fhir.post("Patient", PATIENT, prefer="return=OperationOutcome")
    assert answer.status_code == 201
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert {issue["severity"] for issue in answer.json()["issue"]} == {"information"}


@pytest.mark.parametrize("asked", ["return=representation", "return=everything", "handling=strict"])
def test_any_other_preference_answers_the_resource(fhir: Fhir, asked: str) -> None:
    assert fhir.post("Patient", PATIENT, prefer=asked).json()["resourceType"] == "Patient"


@pytest.mark.parametrize(
    "kind", ["application/json", "application/fhir+json; charset=UTF-8; fhirVersion=4.0"]
)
def test_json_of_each_name_is_taken(fhir: Fhir, kind: str) -> None:
    assert fhir.post("Patient", PATIENT, content_type=kind).status_code == 201


@pytest.mark.parametrize("name", [*VALID, *KEPT_WHOLE])
def test_a_resource_of_each_type_comes_back_as_it_was_sent(fhir: Fhir, name: str) -> None:
    value = valid(name)
    answer = fhir.post(name, ENCODER.encode(value))
    assert answer.status_code == 201, answer.text
    kept = fhir.get(f"{name}/{answer.json()['id']}", accept="application/fhir+json")
    assert as_sent(DECODER.decode(kept.content)) == as_sent(value)


def test_references_to_what_is_not_there_are_kept_as_they_are(fhir: Fhir) -> None:
    made = fhir.made(
        "Observation", status="final", code={"text": "x"}, subject={"reference": "Patient/later"}
    )
    assert made["subject"] == {"reference": "Patient/later"}


def test_a_reference_is_followed_as_soon_as_its_target_comes(fhir: Fhir) -> None:
    made = fhir.made(
        "Observation", status="final", code={"text": "x"}, subject={"reference": "Patient/later"}
    )
    asked = "Observation?patient.family=nakamura"
    assert fhir.get(asked).json()["total"] == 0
    fhir.made("Patient", id="later", name=PATIENT["name"])
    for search in (asked, "Observation?patient=later", "Observation?subject=Patient/later"):
        (entry,) = fhir.get(search).json()["entry"]
        assert entry["resource"] == made


def test_an_identifier_of_a_unique_system_is_taken_once(fhir: Fhir, store: Store) -> None:
    mrn = {"system": "http://suture.example.org/fhir/sid/mrn", "value": "MRN-7001"}
    fhir.made("Patient", identifier=[mrn])
    before = rows(store)
    issue = outcome(fhir.post("Patient", PATIENT | {"identifier": [mrn]}), 409, "duplicate")
    assert f"{mrn['system']}|{mrn['value']}" in issue["diagnostics"]
    assert rows(store) == before


def test_a_required_code_that_is_only_an_extension_is_refused_and_named(fhir: Fhir, store: Store) -> None:
    before = rows(store)
    absent = {
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
        ]
    }
    for name, element in REQUIRED_CODES:
        value = {key: part for key, part in valid(name).items() if key != element} | {f"_{element}": absent}
        issue = outcome(fhir.post(name, ENCODER.encode(value)), 422)
        assert issue["expression"][0] == f"{name}.{element}", issue
    assert rows(store) == before


REQUIRED_CODES = [
    ("Procedure", "status"),
    ("Encounter", "status"),
    ("ServiceRequest", "status"),
    ("ServiceRequest", "intent"),
    ("DiagnosticReport", "status"),
    ("Observation", "status"),
    ("DocumentReference", "status"),
]
