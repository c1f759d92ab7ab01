"""Diagnoses of encounters over the native door: added, ranked, listed, refused; Conditions over FHIR."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.fixtures.server import Fhir

PATH = "/api/v1/diagnoses"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
AMBULATORY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}


@pytest.fixture
def visit(fhir: Fhir) -> str:
    """An encounter of a patient."""
    fhir.made("Patient", id="p")
    return encounter(fhir, "v", "p")


def encounter(fhir: Fhir, name: str, patient: str) -> str:
    subject = {"reference": f"Patient/{patient}"}
    return fhir.made("Encounter", id=name, status="planned", subject=subject, **{"class": AMBULATORY})["id"]


def added(http: httpx.Client, visit: str, code: str = "M16.12", **fields: Any) -> dict[str, Any]:
    made = http.post(PATH, json={"encounter_id": visit, "icd10_code": code, **fields})
    assert made.status_code == 201, made.text
    return made.json()


def listed(http: httpx.Client, **asked: Any) -> set[str]:
    answer = http.get(PATH, params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["items"])
    return {item["icd10_code"] for item in answer.json()["items"]}


def ranks(fhir: Fhir, visit: str) -> dict[str, int]:
    entered = fhir.get(f"Encounter/{visit}").json()["diagnosis"]
    return {item["condition"]["reference"].partition("/")[2]: item["rank"] for item in entered}


def test_a_diagnosis_is_taken_as_it_was_sent_and_is_a_condition(
    http: httpx.Client, fhir: Fhir, visit: str
) -> None:
    body = {
        "encounter_id": visit,
        "icd10_code": "M16.12",
        "description": "Unilateral primary osteoarthritis, left hip",
        "is_primary": True,
        "diagnosis_date": "2025-01",
    }
    answer = http.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert body.items() <= made.items()
    assert (made["patient_id"], made["rank"], made["clinical_status"]) == ("p", 1, "active")
    assert http.get(f"{PATH}/{made['id']}").json() == made
    (entry,) = fhir.get(f"Condition?code={ICD}|M16.12&patient=p&category=encounter-diagnosis").json()["entry"]
    seen = entry["resource"]
    assert seen["id"] == made["id"]
    assert seen["code"]["text"] == body["description"]
    assert seen["encounter"]["reference"] == f"Encounter/{visit}"
    assert seen["extension"][0]["valueDateTime"] == "2025-01"
    assert ranks(fhir, visit) == {made["id"]: 1}
    assert http.get(f"/api/v1/encounters/{visit}").json()["diagnosis"] == body["description"]


def test_a_secondary_diagnosis_ranks_after_the_others_and_a_new_primary_one_before_them(
    http: httpx.Client, fhir: Fhir, visit: str
) -> None:
    second = added(http, visit, "E11.9")
    assert (second["is_primary"], second["rank"]) == (False, 2)
    first = added(http, visit, "M16.12", is_primary=True)
    third = added(http, visit, "I10")
    assert ranks(fhir, visit) == {first["id"]: 1, second["id"]: 2, third["id"]: 3}
    above = added(http, visit, "M16.11", is_primary=True)
    assert ranks(fhir, visit) == {above["id"]: 1, first["id"]: 2, second["id"]: 3, third["id"]: 4}
    assert http.get(f"{PATH}/{first['id']}").json()["is_primary"] is False
    assert listed(http, is_primary="true") == {"M16.11"}
    assert fhir.get(f"Encounter/{visit}").json()["meta"]["versionId"] == "5"


def test_a_list_is_narrowed_by_each_filter(http: httpx.Client, fhir: Fhir, visit: str) -> None:
    fhir.made("Patient", id="q")
    other = encounter(fhir, "w", "q")
    added(http, visit, "M16.12", is_primary=True)
    added(http, visit, "E11.9")
    added(http, other, "I10", is_primary=True)
    assert listed(http) == {"M16.12", "E11.9", "I10"}
    for asked, found in [
        ({"encounter_id": visit}, {"M16.12", "E11.9"}),
        ({"patient_id": "q"}, {"I10"}),
        ({"icd10_code": "E11.9"}, {"E11.9"}),
        ({"icd10_code": "e11.9"}, {"E11.9"}),
        ({"icd10_code": "E11"}, set()),
        ({"is_primary": "true"}, {"M16.12", "I10"}),
        ({"is_primary": "false"}, {"E11.9"}),
        ({"patient_id": "p", "is_primary": "true"}, {"M16.12"}),
        ({"encounter_id": "nobody"}, set()),
    ]:
        assert listed(http, **asked) == found, asked
    page = http.get(PATH, params={"page_size": 2, "page": 2}).json()
    assert (page["total"], page["pages"], len(page["items"])) == (3, 2, 1)


def test_a_condition_of_fhir_is_seen_here_with_the_date_of_its_onset(
    http: httpx.Client, fhir: Fhir, visit: str
) -> None:
    about = {"subject": {"reference": "Patient/p"}, "encounter": {"reference": f"Encounter/{visit}"}}
    code = {"coding": [{"system": ICD, "code": "I10", "display": "Essential hypertension"}]}
    fhir.made("Condition", id="c", code=code, onsetDateTime="2019-04", **about)
    seen = http.get(f"{PATH}/c").json()
    assert (seen["icd10_code"], seen["description"]) == ("I10", "Essential hypertension")
    assert (seen["is_primary"], seen["rank"], seen["diagnosis_date"]) == (False, None, "2019-04")


@pytest.mark.parametrize("code", ["M16.12", "I10", "E11.9", "S72.001A", "C7A.010", "m16.12"])
def test_a_code_with_the_form_of_icd_10_is_taken(http: httpx.Client, visit: str, code: str) -> None:
    assert added(http, visit, code)["icd10_code"] == code.upper()


@pytest.mark.parametrize("code", ["M1", "16.12", "M16.", "M16.12345", "MM6.1", "M16-12", "hip", "M16.12 x"])
def test_a_code_without_the_form_of_icd_10_is_refused(http: httpx.Client, visit: str, code: str) -> None:
    answer = http.post(PATH, json={"encounter_id": visit, "icd10_code": code})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["expression"] == "icd10_code"


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"encounter_id": "nobody"}, 404, "encounter_id"),
        ({"is_primary": "yes"}, 422, "is_primary"),
        ({"diagnosis_date": "today"}, 422, "diagnosis_date"),
        ({"diagnosis_date": "2999-01-01"}, 422, "diagnosis_date"),
        ({"description": " "}, 422, "description"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_a_value_that_no_diagnosis_can_have_is_refused_by_name(
    http: httpx.Client, visit: str, fields: dict[str, Any], status: int, field: str
) -> None:
    answer = http.post(PATH, json={"encounter_id": visit, "icd10_code": "I10"} | fields)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["expression"] == field


def test_an_encounter_without_a_patient_here_takes_no_diagnosis(http: httpx.Client, fhir: Fhir) -> None:
    fhir.made("Encounter", id="v", status="planned", **{"class": AMBULATORY})
    subject = {"reference": "Patient/awaited"}
    fhir.made("Encounter", id="w", status="planned", subject=subject, **{"class": AMBULATORY})
    for encounter in ("v", "w"):
        answer = http.post(PATH, json={"encounter_id": encounter, "icd10_code": "I10"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["expression"] == "encounter_id"


def test_what_is_not_here_and_what_cannot_be_asked_for_is_refused(
    http: httpx.Client, fhir: Fhir, visit: str
) -> None:
    assert http.get(f"{PATH}/nobody").status_code == 404
    assert http.get(PATH, params={"code": "I10"}).status_code == 400
    assert http.get(PATH, params={"is_primary": "perhaps"}).status_code == 400
    made = added(http, visit)
    assert fhir.delete(f"Condition/{made['id']}").status_code == 204
    assert http.get(f"{PATH}/{made['id']}").status_code == 410
    assert listed(http) == set()
