"""Procedures of encounters over the native door: added, listed, refused; Procedures over FHIR."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from storage.model.procedure import STATUSES, Procedure
from tests.fixtures.server import Fhir

PATH = "/api/v1/procedures"
CPT = "http://www.ama-assn.org/go/cpt"
AMBULATORY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}


@pytest.fixture
def visit(fhir: Fhir) -> str:
    """An encounter of a patient."""
    fhir.made("Patient", id="p")
    return encounter(fhir, "v", "p", "2025-01-19")


def encounter(fhir: Fhir, name: str, patient: str, start: str) -> str:
    told = {"subject": {"reference": f"Patient/{patient}"}, "period": {"start": start}, "class": AMBULATORY}
    return fhir.made("Encounter", id=name, status="planned", **told)["id"]


def added(http: httpx.Client, visit: str, code: str = "27130", **fields: Any) -> dict[str, Any]:
    made = http.post(PATH, json={"encounter_id": visit, "cpt_code": code, **fields})
    assert made.status_code == 201, made.text
    return made.json()


def listed(http: httpx.Client, **asked: Any) -> list[str]:
    answer = http.get(PATH, params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["items"])
    return [item["cpt_code"] for item in answer.json()["items"]]


def test_a_procedure_is_taken_as_it_was_sent_and_is_a_fhir_procedure(
    http: httpx.Client, fhir: Fhir, visit: str
) -> None:
    body = {
        "encounter_id": visit,
        "cpt_code": "27130",
        "description": "Total hip arthroplasty",
        "procedure_date": "2025-01-20",
        "procedure_side": "left",
        "details": "Anterior approach",
    }
    answer = http.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert body.items() <= made.items()
    assert (made["patient_id"], made["status"], made["surgical_status"]) == ("p", "completed", None)
    assert http.get(f"{PATH}/{made['id']}").json() == made
    (entry,) = fhir.get(f"Procedure?code={CPT}|27130&patient=p&date=2025-01-20").json()["entry"]
    seen = entry["resource"]
    assert seen["id"] == made["id"]
    assert seen["code"]["text"] == "Total hip arthroplasty"
    assert seen["encounter"]["reference"] == f"Encounter/{visit}"
    assert "7771000" in str(seen["bodySite"])
    assert "Anterior approach" in str(seen["extension"])


def test_without_a_date_it_has_that_of_its_encounter(http: httpx.Client, visit: str) -> None:
    assert added(http, visit)["procedure_date"] == "2025-01-19"


def test_a_procedure_to_come_is_worked_up_on_the_board(http: httpx.Client, fhir: Fhir, visit: str) -> None:
    made = added(http, visit, procedure_date="2099-03-01", description="Total hip arthroplasty")
    assert (made["status"], made["surgical_status"]) == ("preparation", "workup")
    board = http.get("/api/procedures", params={"surgical_status": "workup"}).json()
    assert [(item["id"], item["procedure_type"]) for item in board] == [
        (made["id"], "Total hip arthroplasty")
    ]
    ready = http.patch(f"/api/procedures/{made['id']}", json={"surgical_status": "near_ready"})
    assert ready.status_code == 200, ready.text
    assert http.get(f"{PATH}/{made['id']}").json()["surgical_status"] == "near_ready"


@pytest.mark.parametrize("status", STATUSES)
def test_a_new_procedure_may_have_any_status(http: httpx.Client, fhir: Fhir, visit: str, status: str) -> None:
    made = added(http, visit, status=status)
    assert made["status"] == status
    assert fhir.get(f"Procedure/{made['id']}").json()["status"] == status


@pytest.mark.parametrize("side", Procedure.side.values)
def test_each_side_comes_back(http: httpx.Client, visit: str, side: str) -> None:
    assert added(http, visit, procedure_side=side)["procedure_side"] == side


def test_a_list_is_narrowed_by_each_filter(http: httpx.Client, fhir: Fhir, visit: str) -> None:
    fhir.made("Patient", id="q")
    other = encounter(fhir, "w", "q", "2026-02")
    added(http, visit, "27130", procedure_date="2025-01-20")
    added(http, visit, "0054T", procedure_date="2025-01-21")
    added(http, other, "29881", status="stopped")
    assert listed(http) == ["29881", "0054T", "27130"]
    for asked, found in [
        ({"encounter_id": visit}, ["0054T", "27130"]),
        ({"patient_id": "q"}, ["29881"]),
        ({"cpt_code": "27130"}, ["27130"]),
        ({"cpt_code": "0054t"}, ["0054T"]),
        ({"status": "completed"}, ["0054T", "27130"]),
        ({"status": "stopped", "patient_id": "p"}, []),
    ]:
        assert listed(http, **asked) == found, asked
    page = http.get(PATH, params={"page_size": 2, "page": 2}).json()
    assert (page["total"], page["pages"], len(page["items"])) == (3, 2, 1)


def test_a_procedure_of_fhir_and_its_changes_are_seen_here(
    http: httpx.Client, fhir: Fhir, visit: str
) -> None:
    about = {"subject": {"reference": "Patient/p"}, "encounter": {"reference": f"Encounter/{visit}"}}
    code = {"coding": [{"system": CPT, "code": "29881", "display": "Knee arthroscopy"}]}
    fhir.made("Procedure", id="x", status="in-progress", code=code, performedDateTime="2025-01", **about)
    seen = http.get(f"{PATH}/x").json()
    assert (seen["cpt_code"], seen["description"], seen["procedure_date"]) == (
        "29881",
        "Knee arthroscopy",
        "2025-01",
    )
    fhir.made("Procedure", id="x", status="completed", code=code, **about)
    assert http.get(f"{PATH}/x").json()["status"] == "completed"


@pytest.mark.parametrize("code", ["27130", "0054T", "1126F", "0054t"])
def test_a_code_with_the_form_of_cpt_is_taken(http: httpx.Client, visit: str, code: str) -> None:
    assert added(http, visit, code)["cpt_code"] == code.upper()


@pytest.mark.parametrize("code", ["2713", "271300", "T0054", "27-30", "J1030", "hip"])
def test_a_code_without_the_form_of_cpt_is_refused(http: httpx.Client, visit: str, code: str) -> None:
    answer = http.post(PATH, json={"encounter_id": visit, "cpt_code": code})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["expression"] == "cpt_code"


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"encounter_id": "nobody"}, 404, "encounter_id"),
        ({"procedure_date": "today"}, 422, "procedure_date"),
        ({"procedure_side": "up"}, 422, "procedure_side"),
        ({"status": "done"}, 422, "status"),
        ({"details": " "}, 422, "details"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_a_value_that_no_procedure_can_have_is_refused_by_name(
    http: httpx.Client, visit: str, fields: dict[str, Any], status: int, field: str
) -> None:
    answer = http.post(PATH, json={"encounter_id": visit, "cpt_code": "27130"} | fields)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["expression"] == field
    assert listed(http) == []


def test_what_is_not_here_and_what_cannot_be_asked_for_is_refused(
    http: httpx.Client, fhir: Fhir, visit: str
) -> None:
    assert http.get(f"{PATH}/nobody").status_code == 404
    assert http.get(PATH, params={"code": "27130"}).status_code == 400
    assert http.get(PATH, params={"status": "done"}).status_code == 400
    made = added(http, visit)
    assert fhir.delete(f"Procedure/{made['id']}").status_code == 204
    assert http.get(f"{PATH}/{made['id']}").status_code == 410
    assert listed(http) == []
