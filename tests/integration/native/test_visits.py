"""Visits of a patient over the native door: encounters, with vital signs, a diagnosis and billing."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from mappings.vitals import SIGNS
from tests.fixtures.server import Fhir

AMBULATORY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
LOINC = "http://loinc.org"
PATH = "/api/v1/patients/p/visits"
SIGNS_SENT = {
    "systolic": 132,
    "diastolic": 84,
    "heart_rate": 72,
    "respiratory_rate": 14,
    "temperature": 36.8,
    "oxygen_saturation": 98,
    "height_cm": 171,
    "weight_kg": 82.5,
    "pain": 6,
}


@pytest.fixture
def patient(fhir: Fhir) -> str:
    """A patient."""
    return fhir.made("Patient", id="p", birthDate="1961-05-04")["id"]


def visited(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    made = http.post(PATH, json={"visit_type": "clinic", "visit_date": "2025-02-03", **fields})
    assert made.status_code == 201, made.text
    return made.json()


def test_the_visit_of_the_source_system_is_taken_as_it_was_sent(http: httpx.Client, patient: str) -> None:
    body = {
        "visit_type": "clinic",
        "visit_date": "2025-02-03",
        "location": "Orthopaedic clinic",
        "chief_complaint": "Left hip pain",
        "diagnosis": "Osteoarthritis of the left hip",
        "treatment_plan": "Physiotherapy",
        "vital_signs": SIGNS_SENT,
        "billing_codes": [
            {"code": "99213", "system": "CPT", "modifier": "25", "units": 1},
            {"code": "J1030", "system": "HCPCS", "modifier": None, "units": 2},
        ],
    }
    made = visited(http, **body)
    assert body.items() <= made.items()
    assert re.fullmatch(r"VIS-\d{4}-00001", made["visit_number"])
    assert made["status"] == "completed"
    assert http.get(PATH).json() == {"items": [made], "total": 1, "page": 1, "page_size": 50, "pages": 1}


def test_a_visit_is_an_encounter(http: httpx.Client, patient: str) -> None:
    made = visited(http, diagnosis="Osteoarthritis", attending_physician="Ada Okafor")
    seen = http.get(f"/api/v1/encounters/{made['id']}").json()
    for name in ("visit_number", "status", "diagnosis", "attending_physician", "patient_id", "updated_at"):
        assert seen[name] == made[name]
    assert (seen["encounter_type"], seen["encounter_date"]) == ("clinic", "2025-02-03")
    moved = http.patch(f"/api/v1/encounters/{made['id']}", json={"treatment_plan": "Wait"})
    assert moved.status_code == 200, moved.text
    assert http.get(PATH).json()["items"][0]["treatment_plan"] == "Wait"


def test_what_a_visit_is_made_of_is_taken_back_by_the_fhir_door(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    codes = [{"code": "99213", "modifier": "25", "units": 1}]
    told = {"diagnosis": "Pain", "vital_signs": SIGNS_SENT, "billing_codes": codes, "treatment_plan": "Wait"}
    made = visited(http, location="Clinic", attending_physician="Ada Okafor", status="no_show", **told)
    for path in (f"Encounter?_id={made['id']}", "Observation?patient=p", "Condition?patient=p"):
        for entry in fhir.get(path).json()["entry"]:
            seen = entry["resource"]
            answer = fhir.put(f"{seen['resourceType']}/{seen['id']}", seen)
            assert answer.status_code == 200, answer.text
            assert answer.json() == seen


@pytest.mark.parametrize("sign", SIGNS)
def test_a_vital_sign_is_an_observation_of_the_visit(
    http: httpx.Client, fhir: Fhir, patient: str, sign: str
) -> None:
    value = 37.50
    made = visited(http, vital_signs={sign: value if sign != "pain" else 6})
    code = SIGNS[sign].codes[0][0]
    parameter = "component-code" if sign in ("systolic", "diastolic") else "code"
    found = fhir.get(
        f"Observation?{parameter}={LOINC}|{code}&encounter=Encounter/{made['id']}&patient=p"
    ).json()
    (entry,) = found["entry"]
    seen = entry["resource"]
    assert seen["category"][0]["coding"][0]["code"] == "vital-signs"
    assert seen["effectiveDateTime"] == "2025-02-03"
    quantity = seen["component"][0]["valueQuantity"] if "component" in seen else seen["valueQuantity"]
    assert (quantity["value"], quantity["code"]) == (made["vital_signs"][sign], SIGNS[sign].unit)
    assert {name for name, shown in made["vital_signs"].items() if shown is not None} == {sign}


def test_vital_signs_keep_how_their_decimals_were_written(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    body = '{"visit_type": "clinic", "visit_date": "2025-02-03", "vital_signs": {"temperature": 36.80}}'
    made = http.post(PATH, content=body, headers={"content-type": "application/json"})
    assert '"temperature":36.80' in made.text
    assert '"value":36.80' in fhir.get("Observation?patient=p").text


def test_both_pressures_are_one_panel(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    visited(http, vital_signs={"systolic": 120, "diastolic": 80})
    found = fhir.get(f"Observation?patient=p&code={LOINC}|85354-9").json()
    assert found["total"] == 1
    assert [part["valueQuantity"]["value"] for part in found["entry"][0]["resource"]["component"]] == [
        120,
        80,
    ]


def test_height_and_weight_of_a_visit_give_a_body_mass_index(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    made = visited(http, vital_signs={"height_cm": 171, "weight_kg": 82.5})
    found = fhir.get(f"Observation?patient=p&code={LOINC}|39156-5").json()
    seen = found["entry"][0]["resource"]
    assert (found["total"], seen["valueQuantity"]["value"]) == (1, 28.2)
    assert seen["encounter"]["reference"] == f"Encounter/{made['id']}"
    record = http.get("/api/v1/patients/p").json()
    assert (record["height_cm"], record["weight_kg"], record["bmi"]) == (171, 82.5, 28.2)


def test_what_was_measured_over_fhir_is_seen_in_the_visit_in_its_units(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    made = visited(http, vital_signs={"temperature": 36.8, "heart_rate": 70})
    fahrenheit = {"value": 101.3, "unit": "F", "system": "http://unitsofmeasure.org", "code": "[degF]"}
    about: dict[str, Any] = {
        "subject": {"reference": "Patient/p"},
        "encounter": {"reference": f"Encounter/{made['id']}"},
        "code": {"coding": [{"system": LOINC, "code": "8310-5"}]},
        "valueQuantity": fahrenheit,
    }
    fhir.made("Observation", status="final", effectiveDateTime="2025-02-03T12:00:00Z", **about)
    fhir.made("Observation", status="entered-in-error", effectiveDateTime="2025-02-04", **about)
    signs = http.get(PATH).json()["items"][0]["vital_signs"]
    assert (signs["temperature"], signs["heart_rate"]) == (38.5, 70)


def test_the_diagnosis_of_a_visit_is_its_primary_one(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    made = visited(http, diagnosis="Osteoarthritis")
    seen = fhir.get(f"Condition?encounter=Encounter/{made['id']}").json()["entry"][0]["resource"]
    assert seen["code"] == {"text": "Osteoarthritis"}
    entered = fhir.get(f"Encounter/{made['id']}").json()["diagnosis"]
    assert entered == [{"condition": {"reference": f"Condition/{seen['id']}"}, "rank": 1}]


@pytest.mark.parametrize(
    ("code", "system"), [("99213", "CPT"), ("0054T", "CPT"), ("J1030", "HCPCS"), ("G0008", "HCPCS")]
)
def test_the_system_of_a_billing_code_follows_from_its_form(
    http: httpx.Client, fhir: Fhir, patient: str, code: str, system: str
) -> None:
    made = visited(http, billing_codes=[{"code": code}])
    assert made["billing_codes"] == [{"code": code, "system": system, "modifier": None, "units": None}]
    assert f'"code":"{code}"' in fhir.get(f"Encounter/{made['id']}").text


def test_a_system_of_the_house_is_kept_as_it_is(http: httpx.Client, patient: str) -> None:
    told = {"code": "HIP-1", "system": "http://hospital.example.org/tariff", "modifier": "A", "units": 3}
    assert visited(http, billing_codes=[told])["billing_codes"] == [told]


def test_all_encounters_of_the_patient_are_listed_and_nobody_elses(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    fhir.made("Patient", id="q")
    for who in ("p", "q"):
        told = {"status": "arrived", "period": {"start": "2026-01-02"}, "class": AMBULATORY}
        fhir.made("Encounter", id=f"of-{who}", subject={"reference": f"Patient/{who}"}, **told)
    mine = visited(http)
    page = http.get(PATH, params={"page_size": 1}).json()
    assert [item["id"] for item in page["items"]] == ["of-p"]
    assert (page["items"][0]["status"], page["total"], page["pages"]) == ("checked_in", 2, 2)
    second = http.get(PATH, params={"page_size": 1, "page": 2}).json()
    assert [item["id"] for item in second["items"]] == [mine["id"]]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"visit_type": "party"}, "visit_type"),
        ({"visit_date": "soon"}, "visit_date"),
        ({"vital_signs": {"height_cm": 251}}, "vital_signs.height_cm"),
        ({"vital_signs": {"height_cm": 29.9}}, "vital_signs.height_cm"),
        ({"vital_signs": {"weight_kg": 0.2}}, "vital_signs.weight_kg"),
        ({"vital_signs": {"weight_kg": 501}}, "vital_signs.weight_kg"),
        ({"vital_signs": {"pain": 11}}, "vital_signs.pain"),
        ({"vital_signs": {"oxygen_saturation": 101}}, "vital_signs.oxygen_saturation"),
        ({"vital_signs": {"temperature": "warm"}}, "vital_signs.temperature"),
        ({"vital_signs": {"heart_rate": True}}, "vital_signs.heart_rate"),
        ({"vital_signs": {"mood": 3}}, "vital_signs.mood"),
        ({"billing_codes": [{"code": "99213"}, {"code": "992"}]}, "billing_codes[1].code"),
        ({"billing_codes": [{"code": "J1030", "system": "CPT"}]}, "billing_codes[0].code"),
        ({"billing_codes": [{"code": "99213", "units": 0}]}, "billing_codes[0].units"),
        ({"billing_codes": [{"code": "99213", "modifier": " "}]}, "billing_codes[0].modifier"),
        ({"billing_codes": [{"code": "A 1", "system": "our tariff"}]}, "billing_codes[0].system"),
        ({"diagnosis": ""}, "diagnosis"),
        ({"visit_date": "2999-02-03"}, "vital_signs"),
    ],
)
def test_a_value_that_no_visit_can_have_is_refused_by_name_and_nothing_is_kept(
    http: httpx.Client, fhir: Fhir, patient: str, fields: dict[str, Any], field: str
) -> None:
    body = {"visit_type": "clinic", "visit_date": "2025-02-03", "vital_signs": {"pain": 1}} | fields
    answer = http.post(PATH, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["expression"] == field, answer.text
    assert http.get(PATH).json()["total"] == 0
    assert fhir.get("Observation?patient=p").json()["total"] == 0


def test_the_visits_of_who_is_not_here_are_not_found(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    body = {"visit_type": "clinic", "visit_date": "2025-02-03"}
    assert http.get("/api/v1/patients/nobody/visits").status_code == 404
    assert http.post("/api/v1/patients/nobody/visits", json=body).status_code == 404
    assert fhir.delete("Patient/p").status_code == 204
    assert http.get(PATH).status_code == 410
    assert http.post(PATH, json=body).status_code == 410


def test_a_parameter_that_visits_do_not_have_is_refused(http: httpx.Client, patient: str) -> None:
    answer = http.get(PATH, params={"colour": "red"})
    assert answer.status_code == 400
    assert "page_size" in answer.json()["detail"]
