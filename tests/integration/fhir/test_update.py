"""update and update as create: https://hl7.org/fhir/R4/http.html#update and https://hl7.org/fhir/R4/http.html#upsert."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from storage.session import Store
from tests.fixtures.server import Fhir, outcome, rows

ABSENT = {"extension": [{"url": "urn:x:absent", "valueCode": "unknown"}]}


def patient(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p", **elements}


def test_an_update_makes_the_next_version(fhir: Fhir) -> None:
    first = fhir.made("Patient", id="p", gender="male", name=[{"family": "One"}])
    answer = fhir.put("Patient/p", patient(gender="female"))
    assert answer.status_code == 200
    assert answer.headers["etag"] == 'W/"2"'
    assert "location" not in answer.headers
    second = answer.json()
    assert second["meta"]["lastUpdated"] > first["meta"]["lastUpdated"]
    assert set(second) == {"resourceType", "id", "meta", "gender"}


def test_an_update_under_an_unknown_id_creates(fhir: Fhir) -> None:
    answer = fhir.put("Patient/p", patient())
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{fhir.base}/Patient/p/_history/1"
    assert answer.headers["etag"] == 'W/"1"'


def test_an_update_that_changes_nothing_makes_no_version(fhir: Fhir, store: Store) -> None:
    fhir.made("Patient", id="p", name=[{"family": "Same"}], _gender=ABSENT)
    read = fhir.get("Patient/p")
    before = rows(store)
    for value in (read.json(), patient(_gender=ABSENT, name=[{"family": "Same"}])):
        answer = fhir.put("Patient/p", value, if_match='W/"1"')
        assert (answer.status_code, answer.content) == (200, read.content)
        assert answer.headers["etag"] == 'W/"1"'
    assert rows(store) == before


def test_what_was_read_can_be_written_back_with_a_change(fhir: Fhir) -> None:
    value = fhir.made("Patient", id="p", meta={"tag": [{"system": "urn:t", "code": "vip"}]})
    for count in (2, 3, 4):
        value = fhir.put("Patient/p", value | {"multipleBirthInteger": count}).json()
        assert value["meta"]["versionId"] == str(count)
        assert value["meta"]["tag"] == [{"system": "urn:t", "code": "vip"}]


@pytest.mark.parametrize("value", [{"id": "q"}, {"id": None}, {"id": 1}, {"id": "P"}])
def test_an_id_that_is_not_that_of_the_url_is_refused(fhir: Fhir, value: dict[str, Any]) -> None:
    issue = outcome(fhir.put("Patient/p", patient(**value)), 400)
    assert issue["expression"] == ["Patient.id"]
    outcome(fhir.get("Patient/p"), 404)


def test_a_body_without_an_id_is_refused(fhir: Fhir) -> None:
    assert outcome(fhir.put("Patient/p", {"resourceType": "Patient"}), 400)["expression"] == ["Patient.id"]


@pytest.mark.parametrize("fhir_id", ["a_b", "x" * 65, "a%20b", "ä", "a%00b"])
def test_an_id_that_is_none_is_refused(fhir: Fhir, fhir_id: str) -> None:
    answer = fhir.put(f"Patient/{fhir_id}", {"resourceType": "Patient", "id": unquote(fhir_id)})
    assert answer.status_code in (400, 422)
    assert "\0" in unquote(fhir_id) or outcome(answer, 422, "value")["expression"] == ["Patient.id"]
    outcome(fhir.put(f"Patient/{fhir_id}", {"resourceType": "Patient", "id": "p"}), 400)


@pytest.mark.parametrize("tag", ['W/"1"', '"1"', "1", "*"])
def test_an_update_of_the_version_that_was_seen_is_done(fhir: Fhir, tag: str) -> None:
    fhir.made("Patient", id="p")
    assert fhir.put("Patient/p", patient(gender="male"), if_match=tag).status_code == 200


@pytest.mark.parametrize("tag", ['W/"2"', 'W/"0"', 'W/"01x"', '"abc"', 'W/"99999999999999999999"', '""'])
def test_an_update_of_another_version_is_refused(fhir: Fhir, store: Store, tag: str) -> None:
    fhir.made("Patient", id="p")
    before = rows(store)
    issue = outcome(fhir.put("Patient/p", patient(gender="male"), if_match=tag), 412, "conflict")
    assert issue["details"]["coding"][0]["code"] == "stale-version"
    assert rows(store) == before


@pytest.mark.parametrize("tag", ["abc", 'W/1"', 'W/"1', 'w/"1"', 'W/"1", W/"2"', "-1"])
def test_a_malformed_tag_is_refused_as_such(fhir: Fhir, tag: str) -> None:
    fhir.made("Patient", id="p")
    issue = outcome(fhir.put("Patient/p", patient(gender="male"), if_match=tag), 400, "invalid")
    assert issue["expression"] == ["http.If-Match"]


@pytest.mark.parametrize("tag", ["*", 'W/"1"'])
def test_a_version_that_must_be_there_creates_nothing(fhir: Fhir, tag: str) -> None:
    outcome(fhir.put("Patient/p", patient(), if_match=tag), 412)
    outcome(fhir.get("Patient/p"), 404)


def test_prefer_decides_what_an_update_answers(fhir: Fhir) -> None:
    assert fhir.put("Patient/p", patient(), prefer="return=minimal").content == b""
    told = fhir.put("Patient/p", patient(gender="male"), prefer="return=OperationOutcome")
    assert told.json()["resourceType"] == "OperationOutcome"
    assert told.headers["etag"] == 'W/"2"'


def test_order_numbers_stay_where_an_update_leaves_them_out(fhir: Fhir) -> None:
    order = {"status": "active", "intent": "order", "subject": {"reference": "Patient/p"}}
    made = fhir.made("ServiceRequest", id="o", **order)
    again = fhir.put(
        "ServiceRequest/o", {"resourceType": "ServiceRequest", "id": "o", **order, "priority": "stat"}
    )
    assert again.json()["identifier"] == made["identifier"]


def test_barriers_that_an_update_leaves_out_stay_as_they_were(fhir: Fhir) -> None:
    site = "http://suture.example.org/fhir/StructureDefinition"
    parts = [
        {"url": "kind", "valueCode": "consent"},
        {"url": "openedAt", "valueDateTime": "2026-01-05T10:00:00Z"},
    ]
    barrier = {"url": "barrier", "extension": parts}
    readiness = {"url": f"{site}/or-readiness", "extension": [barrier]}
    value = {"status": "preparation", "subject": {"reference": "Patient/p"}}
    made = fhir.made("Procedure", id="x", extension=[readiness], **value)
    again = fhir.made("Procedure", id="x", note=[{"text": "seen"}], **value)
    assert again["extension"] == made["extension"]
