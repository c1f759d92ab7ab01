"""delete: https://hl7.org/fhir/R4/http.html#delete."""

from __future__ import annotations

from storage.session import Store
from tests.fixtures.server import Fhir, outcome, rows

ABOUT = {"subject": {"reference": "Patient/p"}}


def test_a_delete_answers_nothing_but_the_version_of_the_deletion(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    answer = fhir.delete("Patient/p")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["etag"] == 'W/"2"'
    assert "last-modified" in answer.headers


def test_deleting_again_or_what_never_was_is_no_error_and_writes_nothing(fhir: Fhir, store: Store) -> None:
    fhir.made("Patient", id="p")
    fhir.delete("Patient/p")
    before = rows(store)
    for name in ("Patient/p", "Patient/nobody"):
        assert fhir.delete(name).status_code == 204
    assert rows(store) == before


def test_what_was_deleted_is_found_no_more(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", name=[{"family": "Gone"}])
    assert fhir.get("Patient?family=gone").json()["total"] == 1
    fhir.delete("Patient/p")
    for search in ("Patient?family=gone", "Patient?_id=p", "Patient"):
        assert fhir.get(search).json()["total"] == 0


def test_a_stale_version_is_not_deleted(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    fhir.made("Patient", id="p", gender="male")
    outcome(fhir.delete("Patient/p", if_match='W/"1"'), 412, "conflict")
    outcome(fhir.delete("Patient/p", if_match="nonsense"), 400)
    assert fhir.delete("Patient/p", if_match='W/"2"').status_code == 204


def test_a_resource_that_others_belong_to_is_not_deleted(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    fhir.made("Observation", id="o", status="final", code={"text": "x"}, **ABOUT)
    issue = outcome(fhir.delete("Patient/p"), 409, "conflict")
    assert issue["details"]["coding"][0]["code"] == "has-dependents"
    assert fhir.get("Patient/p").status_code == 200
    fhir.delete("Observation/o")
    assert fhir.delete("Patient/p").status_code == 204


def test_an_update_revives_what_was_deleted(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", name=[{"family": "Lazarus"}])
    fhir.delete("Patient/p")
    answer = fhir.put("Patient/p", {"resourceType": "Patient", "id": "p", "name": [{"family": "Lazarus"}]})
    assert answer.status_code == 201
    assert answer.headers["location"].endswith("/Patient/p/_history/3")
    assert fhir.get("Patient/p").content == answer.content
    assert fhir.get("Patient?family=lazarus").json()["total"] == 1


def test_a_unique_identifier_of_what_was_deleted_stays_reserved(fhir: Fhir) -> None:
    mrn = {"system": "http://suture.example.org/fhir/sid/mrn", "value": "M1"}
    fhir.made("Patient", id="p", identifier=[mrn])
    fhir.delete("Patient/p")
    issue = outcome(fhir.post("Patient", {"resourceType": "Patient", "identifier": [mrn]}), 409, "duplicate")
    assert f"{mrn['system']}|M1" in issue["diagnostics"]
    fhir.made("Patient", id="p", identifier=[mrn])
