"""Encounters over the native door: begun, listed, moved, refused; the same rows as over FHIR."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from gateway.mllp.framing import wrap
from gateway.native.clinic_words import between
from mappings.encounters import STATUSES
from mappings.workflow.encounters import MOVES, reachable
from storage.clinic import ENCOUNTERS, PARTICIPATION
from storage.listing import page
from storage.model.encounter import ENCOUNTER_TYPES
from storage.session import Store
from tests.fixtures.server import Fhir, Gateway

PATH = "/api/v1/encounters"
AMBULATORY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
VISIT_NUMBERS = "http://suture.example.org/fhir/sid/visit-number"
WORDS = {"cancelled": "cancelled"} | {
    status: word for word, status in STATUSES.items() if word not in ("no_show", "cancelled")
}


@pytest.fixture
def patient(fhir: Fhir) -> str:
    """A patient with an MRN and a name."""
    mrn = {"system": "http://suture.example.org/fhir/sid/mrn", "value": "MRN7"}
    return fhir.made("Patient", id="p", identifier=[mrn], name=[{"family": "Doe", "given": ["Jane"]}])["id"]


def begun(http: httpx.Client, patient: str, **fields: Any) -> dict[str, Any]:
    told = {"patient_id": patient, "encounter_type": "clinic", "encounter_date": "2025-01-20", **fields}
    made = http.post(PATH, json=told)
    assert made.status_code == 201, made.text
    return made.json()


def refused(answer: httpx.Response, status: int, field: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    error = answer.json()["errors"][0]
    assert error["expression"] == field, error
    return error


def listed(http: httpx.Client, **asked: Any) -> list[str]:
    answer = http.get(PATH, params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["items"])
    return [item["id"] for item in answer.json()["items"]]


def test_the_encounter_of_the_source_system_is_taken_as_it_was_sent(http: httpx.Client, patient: str) -> None:
    body = {
        "patient_id": patient,
        "encounter_type": "surgery",
        "encounter_date": "2025-01-20",
        "chief_complaint": "Left hip pain",
    }
    made = http.post(PATH, json=body)
    assert made.status_code == 201, made.text
    value = made.json()
    assert body.items() <= value.items()
    assert (value["patient_mrn"], value["patient_name"], value["status"]) == (
        "MRN7",
        "Doe, Jane",
        "completed",
    )
    assert re.fullmatch(r"VIS-\d{4}-00001", value["visit_number"])
    assert http.get(f"{PATH}/{value['id']}").json() == value


def test_an_encounter_is_a_fhir_encounter_at_once(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    fhir.made("Practitioner", id="okafor", name=[{"family": "Okafor", "given": ["Ada"]}])
    fhir.made("Location", id="or3", name="OR 3")
    made = begun(
        http,
        patient,
        encounter_type="emergency",
        end_date="2025-01-21",
        location="or 3",
        attending_physician="Ada Okafor",
        chief_complaint="Fall",
        treatment_plan="Observe",
    )
    seen = fhir.get(f"Encounter/{made['id']}").json()
    assert made["location"] == "OR 3"
    assert made["attending_physician"] == "Ada Okafor"
    assert seen["class"]["code"] == "EMER"
    assert seen["type"][0]["coding"][0]["code"] == "emergency"
    assert seen["period"] == {"start": "2025-01-20", "end": "2025-01-21"}
    assert seen["reasonCode"] == [{"text": "Fall"}]
    assert seen["participant"][0]["individual"]["reference"] == "Practitioner/okafor"
    assert seen["location"][0]["location"]["reference"] == "Location/or3"
    assert seen["identifier"][0] | {"type": None} == {
        "type": None,
        "system": VISIT_NUMBERS,
        "value": made["visit_number"],
    }
    assert "Observe" in str(seen["extension"])
    found = fhir.get(f"Encounter?patient={patient}&class=EMER").json()
    assert [entry["resource"]["id"] for entry in found["entry"]] == [made["id"]]


def test_a_fhir_encounter_and_its_changes_are_seen_here(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    told = {
        "class": AMBULATORY,
        "subject": {"reference": f"Patient/{patient}"},
        "period": {"start": "2026-01"},
    }
    fhir.made("Encounter", id="v", status="planned", **told)
    assert http.get(f"{PATH}/v").json()["status"] == "scheduled"
    fhir.made("Encounter", id="v", status="arrived", reasonCode=[{"text": "Knee"}], **told)
    seen = http.get(f"{PATH}/v").json()
    assert (seen["status"], seen["encounter_type"], seen["chief_complaint"]) == (
        "checked_in",
        "clinic",
        "Knee",
    )
    assert (seen["encounter_date"], seen["visit_number"]) == ("2026-01", None)


def test_an_encounter_that_a_message_began_is_seen_here_with_its_diagnosis(
    http: httpx.Client, gateway: Gateway
) -> None:
    message = (
        "MSH|^~\\&|HIS|HOSPITAL|SUTURE|OR|20260302080000||ORM^O01|V1|P|2.5.1\r"
        "PID|1||MRN9^^^HOSPITAL^MR||ROE^RICHARD||19550817|M\r"
        "PV1|1|E|WARD^101^A||||117^OKAFOR^ADA||||||||||||V77^^^HOSPITAL^VN|||||||||||||||||||||||||20260302070000\r"
        "ORC|NW|PL-1^HIS|||||||20260302080000\r"
        "OBR|1|PL-1^HIS||24725-4^CT Head^LN|||20260302090000\r"
        "DG1|1||S06.0X0A^Concussion^I10C|||A\r"
    )
    with socket.create_connection(("127.0.0.1", gateway.mllp_port), timeout=30) as connection:
        connection.sendall(wrap(message.encode()))
        assert b"MSA|AA|V1" in connection.recv(65536)
    (seen,) = http.get(PATH, params={"visit_number": "V77"}).json()["items"]
    assert (seen["patient_mrn"], seen["encounter_type"], seen["status"]) == (
        "MRN9",
        "emergency",
        "in_progress",
    )
    assert seen["encounter_date"].startswith("2026-03-02T07:00:00")
    assert "OKAFOR" in seen["attending_physician"].upper()
    assert seen["diagnosis"] == "Concussion"
    diagnoses = http.get("/api/v1/diagnoses", params={"encounter_id": seen["id"]}).json()["items"]
    assert [each["icd10_code"] for each in diagnoses] == ["S06.0X0A"]
    visits = http.get(f"/api/v1/patients/{seen['patient_id']}/visits").json()["items"]
    assert [each["id"] for each in visits] == [seen["id"]]


def test_no_two_encounters_get_the_same_number(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    def number(_: int) -> int:
        return int(begun(http, patient)["visit_number"].rpartition("-")[2])

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(number, range(40))) == list(range(1, 41))


@pytest.mark.parametrize(
    ("date", "status"),
    [("2020-05", "completed"), ("2099-01-01", "scheduled"), ("2099-01-01T08:00", "scheduled")],
)
def test_the_status_follows_from_the_date_where_it_is_not_told(
    http: httpx.Client, patient: str, date: str, status: str
) -> None:
    assert begun(http, patient, encounter_date=date)["status"] == status


def test_a_time_without_offset_is_of_the_site(http: httpx.Client, patient: str) -> None:
    made = begun(http, patient, encounter_date="2025-01-20T08:30")
    assert made["encounter_date"] == "2025-01-20T08:30:00+00:00"


def test_visit_numbers_count_on_from_those_that_others_brought(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    year, first = begun(http, patient)["visit_number"].split("-")[1:]
    assert first == "00001"
    number = {"system": VISIT_NUMBERS, "value": f"VIS-{year}-00002"}
    subject = {"reference": f"Patient/{patient}"}
    fhir.made("Encounter", status="planned", subject=subject, identifier=[number], **{"class": AMBULATORY})
    assert begun(http, patient)["visit_number"] == f"VIS-{year}-00003"


def test_a_list_is_narrowed_by_each_filter(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    fhir.made("Patient", id="q")
    old = begun(http, patient, encounter_type="surgery", encounter_date="2024-03-02T10:00:00Z")
    new = begun(http, patient, encounter_date="2025-06-01", status="cancelled")
    other = begun(http, "q", encounter_date="2025-01-01", status="no_show")
    assert listed(http) == [new["id"], other["id"], old["id"]]
    for asked, found in [
        ({"patient_id": "q"}, [other]),
        ({"encounter_type": "surgery"}, [old]),
        ({"status": "completed"}, [old]),
        ({"status": "cancelled"}, [new]),
        ({"status": "no_show"}, [other]),
        ({"date_from": "2025-01-01"}, [new, other]),
        ({"date_from": "2025-01-02"}, [new]),
        ({"date_to": "2024-03-02"}, [old]),
        ({"date_to": "2024-03-02T09:00"}, []),
        ({"date_from": "2024", "date_to": "2024"}, [old]),
        ({"visit_number": new["visit_number"]}, [new]),
        ({"patient_id": patient, "status": "completed"}, [old]),
        ({"patient_id": "nobody"}, []),
    ]:
        assert listed(http, **asked) == [each["id"] for each in found], asked


@pytest.mark.parametrize(
    ("began", "asked", "there"),
    [
        ("2025-02-03T22:00:00-05:00", {"date_from": "2025-02-03", "date_to": "2025-02-03"}, True),
        ("2025-02-04T03:00:00Z", {"date_from": "2025-02-03", "date_to": "2025-02-03"}, True),
        ("2025-02-03T22:00:00-05:00", {"date_from": "2025-02-04"}, False),
        ("2025-02-03T01:00:00Z", {"date_from": "2025-02-03"}, False),
        ("2025-02-03", {"date_from": "2025-02-03", "date_to": "2025-02-03"}, True),
        ("2025-02-03", {"date_from": "2025-02-04"}, False),
        ("2025-02-03", {"date_to": "2025-02-02"}, False),
        ("2025-02-03", {"date_from": "0001", "date_to": "9999"}, True),
    ],
)
def test_the_days_of_a_list_are_those_of_the_site(
    fhir: Fhir, clean: Store, patient: str, began: str, asked: dict[str, str], there: bool
) -> None:
    subject, period = {"reference": f"Patient/{patient}"}, {"start": began}
    fhir.made("Encounter", status="finished", subject=subject, period=period, **{"class": AMBULATORY})
    filters = between(asked, ZoneInfo("America/New_York"))
    with clean.connection() as connection:
        rows, total = page(connection, ENCOUNTERS, filters, 0, 50)
    assert (len(rows), total) == (there, there)


def test_a_list_comes_in_pages(http: httpx.Client, patient: str) -> None:
    made = [begun(http, patient, encounter_date=f"2025-01-0{day}") for day in (3, 2, 1)]
    page = http.get(PATH, params={"page": 2, "page_size": 2}).json()
    assert [item["id"] for item in page["items"]] == [made[2]["id"]]
    assert {name: page[name] for name in ("total", "page", "page_size", "pages")} == {
        "total": 3,
        "page": 2,
        "page_size": 2,
        "pages": 2,
    }


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"status": "planned"}, "status"),
        ({"encounter_type": "party"}, "encounter_type"),
        ({"date_from": "yesterday"}, "date_from"),
        ({"date_to": "2025-13-01"}, "date_to"),
        ({"page_size": 501}, "page_size"),
        ({"page": 0}, "page"),
    ],
)
def test_what_a_list_cannot_be_asked_for_is_refused(http: httpx.Client, asked: Any, field: str) -> None:
    error = refused(http.get(PATH, params=asked), 400, field)
    if field == "colour":
        assert "visit_number" in error["detail"]


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"patient_id": "nobody"}, 404, "patient_id"),
        ({"patient_id": None}, 422, "patient_id"),
        ({"encounter_type": "party"}, 422, "encounter_type"),
        ({"encounter_date": "20 January"}, 422, "encounter_date"),
        ({"encounter_date": "2025-02-30"}, 422, "encounter_date"),
        ({"end_date": "2025-01-19"}, 422, "end_date"),
        ({"status": "planned"}, 422, "status"),
        ({"chief_complaint": "  "}, 422, "chief_complaint"),
        ({"chief_complaint": "a\u0001"}, 422, "chief_complaint"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_a_value_that_no_encounter_can_have_is_refused_by_name(
    http: httpx.Client, patient: str, fields: dict[str, Any], status: int, field: str
) -> None:
    told = {"patient_id": patient, "encounter_type": "clinic", "encounter_date": "2025-01-20"}
    refused(http.post(PATH, json=told | fields), status, field)
    assert listed(http) == []


def test_what_is_no_json_and_what_is_missing_is_refused(http: httpx.Client, patient: str) -> None:
    headers = {"content-type": "application/json"}
    assert http.post(PATH, content="{", headers=headers).status_code == 400
    refused(http.post(PATH, json={"patient_id": patient}), 422, "encounter_type")


def test_a_change_keeps_what_it_does_not_name_and_null_clears(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    made = begun(http, patient, location="Ward 2", chief_complaint="Pain", attending_physician="Ada Okafor")
    change = {
        "encounter_type": "inpatient",
        "location": None,
        "chief_complaint": "Fever",
        "end_date": "2025-02",
    }
    answer = http.patch(f"{PATH}/{made['id']}", json=change)
    assert answer.status_code == 200, answer.text
    expected = made | change | {"updated_at": answer.json()["updated_at"]}
    assert answer.json() == expected
    seen = fhir.get(f"Encounter/{made['id']}").json()
    assert seen["meta"]["versionId"] == "2"
    assert seen["class"]["code"] == "IMP"
    assert "location" not in seen
    assert seen["participant"][0]["individual"] == {"display": "Ada Okafor"}
    cleared = http.patch(f"{PATH}/{made['id']}", json={"attending_physician": None, "end_date": None}).json()
    assert (cleared["attending_physician"], cleared["end_date"]) == (None, None)


def test_a_class_that_fhir_told_otherwise_stays(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    acute = {"system": AMBULATORY["system"], "code": "ACUTE"}
    subject = {"reference": f"Patient/{patient}"}
    fhir.made("Encounter", id="v", status="planned", subject=subject, **{"class": acute})
    assert http.get(f"{PATH}/v").json()["encounter_type"] == "inpatient"
    assert http.patch(f"{PATH}/v", json={"encounter_type": "surgery"}).json()["encounter_type"] == "surgery"
    assert fhir.get("Encounter/v").json()["class"] == acute


def test_what_is_sent_back_as_it_was_shown_keeps_what_is_not_shown_of_it(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    fhir.made("Practitioner", id="okafor", name=[{"family": "Okafor", "given": ["Ada"]}])
    kind = {"coding": [{"system": PARTICIPATION, "code": "ATND"}]}
    told = {
        "subject": {"reference": f"Patient/{patient}"},
        "reasonCode": [{"text": "Pain"}, {"text": "Fever"}],
        "participant": [
            {"type": [kind], "period": {"start": "2026"}, "individual": {"reference": "Practitioner/okafor"}}
        ],
        "class": AMBULATORY,
    }
    before = fhir.made("Encounter", id="v", status="planned", **told)
    shown = http.get(f"{PATH}/v").json()
    assert (shown["attending_physician"], shown["chief_complaint"]) == ("Okafor, Ada", "Pain")
    names = ("encounter_type", "status", "attending_physician", "chief_complaint", "location", "end_date")
    answer = http.patch(f"{PATH}/v", json={name: shown[name] for name in names})
    assert answer.json() == shown
    assert fhir.get("Encounter/v").json() == before


def test_a_change_that_changes_nothing_makes_no_version(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    made = begun(http, patient, location="Ward 2", status="in_progress")
    assert (
        http.patch(f"{PATH}/{made['id']}", json={"location": "Ward 2", "status": "in_progress"}).json()
        == made
    )
    assert fhir.get(f"Encounter/{made['id']}").json()["meta"]["versionId"] == "1"


@pytest.mark.parametrize(
    "change", [{"status": None}, {"encounter_date": None}, {"patient_id": "q"}, {"a": 1}]
)
def test_what_cannot_be_changed_is_refused(http: httpx.Client, patient: str, change: dict[str, Any]) -> None:
    made = begun(http, patient)
    assert http.patch(f"{PATH}/{made['id']}", json=change).status_code == 422


@pytest.mark.parametrize("before", WORDS)
def test_the_status_goes_where_the_table_lets_it_go(
    http: httpx.Client, fhir: Fhir, patient: str, before: str
) -> None:
    for after in WORDS.keys() - {before}:
        see_step(http, fhir, begun(http, patient, status=WORDS[before]), before, after)


def see_step(http: httpx.Client, fhir: Fhir, made: dict[str, Any], before: str, after: str) -> None:
    answer = http.patch(f"{PATH}/{made['id']}", json={"status": WORDS[after]})
    seen = fhir.get(f"Encounter/{made['id']}").json()
    allowed = reachable(before)
    if after in allowed:
        assert answer.json()["status"] == WORDS[after]
        assert seen["status"] == after
        assert [item["status"] for item in seen["statusHistory"]] == [before]
    else:
        error = refused(answer, 409, "status")
        assert f"{WORDS[before]} → {WORDS[after]}" in error["detail"]
        told = answer.json()
        assert (told["present"], set(told["allowed"])) == (WORDS[before], {WORDS[each] for each in allowed})
        assert seen["status"] == before


def test_the_table_of_steps_is_the_one_of_the_model() -> None:
    assert set(MOVES) | {"entered-in-error", "unknown"} == set(WORDS)
    assert reachable("finished") == ("entered-in-error",)
    assert "planned" not in reachable("arrived")


def test_a_patient_who_did_not_come_is_told_apart_from_a_visit_that_was_called_off(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    made = begun(http, patient, status="scheduled", encounter_date="2025-03-01")
    missed = http.patch(f"{PATH}/{made['id']}", json={"status": "no_show"}).json()
    assert missed["status"] == "no_show"
    seen = fhir.get(f"Encounter/{made['id']}").json()
    assert seen["status"] == "cancelled"
    assert "no_show" in str(seen["extension"])
    called_off = http.patch(f"{PATH}/{made['id']}", json={"status": "cancelled"}).json()
    assert called_off["status"] == "cancelled"
    assert "extension" not in fhir.get(f"Encounter/{made['id']}").json()


def test_what_is_not_here_is_not_found_and_what_was_deleted_is_gone(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    assert http.get(f"{PATH}/nobody").status_code == 404
    assert http.patch(f"{PATH}/nobody", json={}).status_code == 404
    made = begun(http, patient)
    assert fhir.delete(f"Encounter/{made['id']}").status_code == 204
    assert http.get(f"{PATH}/{made['id']}").status_code == 410
    assert http.patch(f"{PATH}/{made['id']}", json={}).status_code == 410
    assert listed(http) == []


@pytest.mark.parametrize("kind", ENCOUNTER_TYPES)
def test_each_type_of_encounter_comes_back(http: httpx.Client, patient: str, kind: str) -> None:
    made = begun(http, patient, encounter_type=kind)
    assert made["encounter_type"] == kind
    assert listed(http, encounter_type=kind) == [made["id"]]
