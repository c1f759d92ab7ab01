"""Research cases over the native door: posted, read, changed, refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from storage.model.research import KINDS
from tests.fixtures.server import Fhir


@pytest.fixture
def visit(fhir: Fhir) -> str:
    """An encounter of a patient."""
    fhir.made("Patient", id="p")
    ambulatory = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    subject, period = {"reference": "Patient/p"}, {"start": "2026-03-02"}
    made = fhir.made(
        "Encounter", id="v", status="planned", subject=subject, period=period, **{"class": ambulatory}
    )
    return made["id"]


def post(http: httpx.Client, kind: str, body: Any) -> httpx.Response:
    sent = body if isinstance(body, str) else None
    json = None if sent is not None else body
    headers = {"content-type": "application/json"}
    return http.post(f"/api/v1/rc/{kind}", content=sent, json=json, headers=headers)


@pytest.mark.parametrize("kind", [kind.path for kind in KINDS.values()])
def test_each_kind_of_case_is_posted_and_read_and_is_an_observation(
    http: httpx.Client, fhir: Fhir, visit: str, kind: str
) -> None:
    needed = {"procedure_name": "Something else"} if kind == "other" else {}
    made = post(http, kind, {"encounter_id": visit, "asa_class": 2, **needed})
    assert made.status_code == 201, made.text
    case = made.json()
    assert (case["asa_class"], case["surgery_date"], case["patient_id"]) == (2, "2026-03-02", "p")
    assert http.get(f"/api/v1/rc/{kind}/{case['id']}").json() == case
    code = next(found.code for found in KINDS.values() if found.path == kind)
    system = "http://suture.example.org/fhir/CodeSystem/research-case"
    found = fhir.get(f"Observation?code={system}|{code}&patient=p").json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == [case["id"]]


def test_decimals_come_back_as_they_were_sent(http: httpx.Client, visit: str) -> None:
    body = f'{{"encounter_id": "{visit}", "cup_size": 54.50, "bmi_at_surgery": 27.123456789012345678}}'
    made = post(http, "hiparthroplasty", body)
    assert '"cup_size":54.50' in made.text
    assert '"bmi_at_surgery":27.123456789012345678' in made.text


@pytest.mark.parametrize("name", ["encounter_id", "procedure_id", "surgeon_id"])
def test_a_case_that_refers_to_what_is_not_here_is_refused(http: httpx.Client, visit: str, name: str) -> None:
    found = post(http, "hipscope", {"encounter_id": visit, name: "nobody"})
    assert found.status_code == 404
    assert found.json()["errors"][0]["code"] == "not-found"


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"approach": "sideways"}, "approach"),
        ({"cup_size": "big"}, "cup_size"),
        ({"cup_size": 900}, "cup_size"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_refused_by_name(
    http: httpx.Client, visit: str, values: dict[str, Any], name: str
) -> None:
    found = post(http, "hiparthroplasty", {"encounter_id": visit, **values})
    assert found.status_code == 422, found.text
    assert found.json()["errors"][0]["expression"] == name


def test_a_change_makes_a_version_that_fhir_readers_see(http: httpx.Client, fhir: Fhir, visit: str) -> None:
    case = post(http, "kneescope", {"encounter_id": visit, "acl": "intact"}).json()
    changed = http.patch(f"/api/v1/rc/kneescope/{case['id']}", json={"acl": "complete_tear"})
    assert changed.json()["acl"] == "complete_tear"
    seen = fhir.get(f"Observation/{case['id']}").json()
    assert seen["meta"]["versionId"] == "2"
    assert "complete_tear" in str(seen["component"])
