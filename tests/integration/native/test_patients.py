"""Patients over the native door: made, listed, changed, deleted, counted, and the same over FHIR."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from storage.model.flat import FIELDS
from storage.session import Store
from tests.fixtures.server import Fhir

LEAST = {
    "mrn": "MRN123456",
    "first_name": "John",
    "last_name": "Doe",
    "date_of_birth": "1980-01-15",
    "sex": "M",
}
ALL = {field.name: field.example for field in FIELDS if not field.read_only and field.example is not None}
PATIENTS = "/api/v1/patients"


def post(http: httpx.Client, **values: Any) -> dict[str, Any]:
    made = http.post(PATIENTS, json=LEAST | values)
    assert made.status_code == 201, made.text
    return made.json()


def names(http: httpx.Client, query: str) -> list[str]:
    found = http.get(f"{PATIENTS}?{query}")
    assert found.status_code == 200, found.text
    return [item["first_name"] for item in found.json()["items"]]


def wrong(answer: httpx.Response) -> dict[str, str]:
    return {found["expression"]: found["code"] for found in answer.json()["errors"]}


def test_the_example_makes_a_patient_that_fhir_readers_see(http: httpx.Client, fhir: Fhir) -> None:
    made = post(http)
    assert list(made) == [field.name for field in FIELDS]
    assert {name: made[name] for name in LEAST} == LEAST
    assert (made["status"], made["ssn"], made["created_at"]) == ("active", None, made["updated_at"])
    seen = fhir.get(f"Patient/{made['id']}").json()
    assert seen["name"] == [{"use": "official", "family": "Doe", "given": ["John"]}]
    assert (seen["gender"], seen["birthDate"], seen["active"]) == ("male", "1980-01-15", True)
    assert http.get(f"{PATIENTS}/{made['id']}").json() == made
    assert http.get(f"{PATIENTS}/mrn/MRN123456").json() == made


def test_all_fields_are_seen_over_fhir_and_what_fhir_reads_can_be_stored(
    http: httpx.Client, fhir: Fhir
) -> None:
    made = post(http, **ALL)
    assert {name: made[name] for name in ALL if name != "ssn"} == {n: v for n, v in ALL.items() if n != "ssn"}
    assert (made["bmi"], made["ssn"]) == (25.8, "***-**-6789")
    everything = fhir.get(f"Patient/{made['id']}/$everything?_count=100").json()
    resources = [entry["resource"] for entry in everything["entry"]]
    counts = {
        kind: sum(r["resourceType"] == kind for r in resources)
        for kind in {r["resourceType"] for r in resources}
    }
    assert counts == {
        "Patient": 1,
        "Coverage": 2,
        "Observation": 10,
        "AllergyIntolerance": 2,
        "MedicationStatement": 2,
        "Encounter": 1,
    }
    for each in resources:
        again = fhir.put(f"{each['resourceType']}/{each['id']}", each)
        assert (again.status_code, again.json()["meta"]) == (200, each["meta"]), again.text
    assert http.get(f"{PATIENTS}/{made['id']}").json() == made


def test_a_fhir_change_is_seen_in_the_flat_record(http: httpx.Client, fhir: Fhir) -> None:
    made = post(http, city="Springfield")
    seen = fhir.get(f"Patient/{made['id']}").json()
    seen["address"][0]["city"] = "Chicago"
    seen["deceasedDateTime"] = "2026-03-01"
    assert fhir.put(f"Patient/{made['id']}", seen).status_code == 200
    subject = {"reference": f"Patient/{made['id']}"}
    inches = {"value": 70, "unit": "in", "system": "http://unitsofmeasure.org", "code": "[in_i]"}
    code = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
    fhir.made(
        "Observation",
        status="final",
        code=code,
        subject=subject,
        effectiveDateTime="2026-03-01",
        valueQuantity=inches,
    )
    fhir.made(
        "AllergyIntolerance",
        patient=subject,
        code={"coding": [{"system": "urn:x", "code": "1", "display": "Latex"}]},
        clinicalStatus={
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                    "code": "active",
                }
            ]
        },
    )
    found = http.get(f"{PATIENTS}/{made['id']}").json()
    assert (found["city"], found["status"], found["deceased_date"]) == ("Chicago", "deceased", "2026-03-01")
    assert (found["height_cm"], found["allergies"]) == (177.8, "Latex")


def test_every_field_that_is_wrong_is_named_at_once(http: httpx.Client) -> None:
    sent = LEAST | {
        "sex": "Q",
        "date_of_birth": "1980-02-31",
        "height_cm": 900,
        "email": "john",
        "colour": "red",
    }
    del sent["last_name"]
    found = http.post(PATIENTS, json=sent)
    assert found.status_code == 422
    assert set(wrong(found)) == {"sex", "date_of_birth", "height_cm", "email", "colour", "last_name"}


def test_an_mrn_is_given_once_and_stays_reserved(http: httpx.Client) -> None:
    made = post(http)
    again = http.post(PATIENTS, json=LEAST)
    assert (again.status_code, wrong(again)) == (409, {"mrn": "duplicate"})
    assert http.delete(f"{PATIENTS}/{made['id']}").status_code == 204
    assert http.get(f"{PATIENTS}/{made['id']}").status_code == 410
    assert http.get(f"{PATIENTS}/mrn/MRN123456").status_code == 404
    assert http.post(PATIENTS, json=LEAST).status_code == 409


def test_a_body_that_is_no_json_is_refused(http: httpx.Client) -> None:
    found = http.post(PATIENTS, content="{", headers={"content-type": "application/json"})
    assert found.status_code == 400
    assert http.get(f"{PATIENTS}/nobody").status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=inactive", ["Bob"]),
        ("status=active", ["Ann", "Cleo"]),
        ("sex=F", ["Ann", "Cleo"]),
        ("city=chicago", ["Ann"]),
        ("state=IL", ["Ann", "Bob"]),
        ("insurance_type=medicare", ["Bob"]),
        ("mrn=M2", ["Bob"]),
        ("name=NN", ["Ann"]),
        ("name=mull", ["Cleo"]),
        ("email=ANN@example.org", ["Ann"]),
        ("phone=15550100", ["Bob"]),
        ("date_of_birth_from=1970-01-01", ["Bob", "Cleo"]),
        ("date_of_birth_to=1970-06-01", ["Ann", "Bob"]),
        ("created_from=2000-01-01", ["Ann", "Bob", "Cleo"]),
        ("created_to=2000-01-01", []),
        ("sort_by=first_name&sort_order=desc", ["Cleo", "Bob", "Ann"]),
        ("sort_by=height_cm", ["Cleo", "Ann", "Bob"]),
        ("sort_by=city&state=IL", ["Ann", "Bob"]),
        ("page_size=1&page=2", ["Bob"]),
    ],
)
def test_lists_are_filtered_and_sorted(http: httpx.Client, query: str, expected: list[str]) -> None:
    post(
        http,
        mrn="M1",
        first_name="Ann",
        sex="F",
        city="Chicago",
        state="IL",
        email="ann@example.org",
        date_of_birth="1950-01-01",
        height_cm=170,
    )
    post(
        http,
        mrn="M2",
        first_name="Bob",
        status="inactive",
        city="Springfield",
        state="IL",
        phone_home="+1 (555) 0100",
        date_of_birth="1970",
        primary_insurance_type="medicare",
        height_cm=180,
    )
    post(
        http,
        mrn="M3",
        first_name="Cleo",
        sex="F",
        last_name="Müller",
        date_of_birth="1990-05-05",
        height_cm=160,
    )
    assert names(http, query) == expected


def test_a_page_tells_how_many_there_are(http: httpx.Client) -> None:
    for number in range(3):
        post(http, mrn=f"M{number}")
    found = http.get(f"{PATIENTS}?page=1&page_size=2").json()
    assert {name: found[name] for name in found if name != "items"} == {
        "total": 3,
        "page": 1,
        "page_size": 2,
        "pages": 2,
    }


@pytest.mark.parametrize("field", [field.name for field in FIELDS])
def test_a_list_is_sorted_by_any_field(http: httpx.Client, field: str) -> None:
    made = [post(http, **ALL | {"mrn": "M1"}), post(http, mrn="M2", first_name="Zoe")]
    for order in ("asc", "desc"):
        found = http.get(f"{PATIENTS}?sort_by={field}&sort_order={order}").json()
        assert sorted(item["id"] for item in found["items"]) == sorted(item["id"] for item in made)


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "sort_by=colour",
        "sort_order=up",
        "page_size=501",
        "page=0",
        "sex=Q",
        "created_from=yesterday",
        "date_of_birth_to=1980-02-31",
        "page=x",
    ],
)
def test_what_a_list_does_not_know_is_refused(http: httpx.Client, query: str) -> None:
    found = http.get(f"{PATIENTS}?{query}")
    assert found.status_code == 400, found.text
    assert set(wrong(found)) == {query.partition("=")[0]}


def test_a_change_makes_versions_of_what_changed_only(http: httpx.Client, fhir: Fhir) -> None:
    made = post(http, **ALL)
    changed = http.patch(f"{PATIENTS}/{made['id']}", json={"city": "Chicago", "address_line2": None})
    assert changed.status_code == 200, changed.text
    found = changed.json()
    assert found["updated_at"] > made["updated_at"]
    gone = {"city": "Chicago", "address_line2": None, "updated_at": found["updated_at"]}
    assert found == made | gone
    assert fhir.get(f"Patient/{made['id']}").json()["meta"]["versionId"] == "2"
    again = http.patch(f"{PATIENTS}/{made['id']}", json=found).json()
    assert again == found


def test_a_change_that_is_wrong_changes_nothing(http: httpx.Client) -> None:
    made = post(http, height_cm=170)
    for sent, status in (
        ({"height_cm": 20}, 422),
        ({"mrn": None}, 422),
        ({"address_line2": "x"}, 422),
        ({"discharge_date": "2026-01-01"}, 422),
        ({"emergency_contact_relationship": "spouse"}, 422),
        ({"colour": "red"}, 422),
        ([], 400),
    ):
        found = http.patch(f"{PATIENTS}/{made['id']}", json=sent)
        assert found.status_code == status, (sent, found.text)
    assert http.get(f"{PATIENTS}/{made['id']}").json() == made


def test_what_other_doors_let_stand_may_be_sent_back(http: httpx.Client, fhir: Fhir) -> None:
    made = fhir.made("Patient", name=[{"text": "J. Doe"}], telecom=[{"system": "phone", "value": "7"}])
    shown = http.get(f"{PATIENTS}/{made['id']}").json()
    again = http.patch(f"{PATIENTS}/{made['id']}", json=shown)
    assert (again.status_code, again.json()) == (200, shown)
    assert fhir.get(f"Patient/{made['id']}").json() == made
    moved = http.patch(f"{PATIENTS}/{made['id']}", json=shown | {"city": "Chicago"}).json()
    assert (moved["city"], moved["phone_home"]) == ("Chicago", "7")


def test_texts_of_lists_that_stay_keep_their_resources(http: httpx.Client, fhir: Fhir) -> None:
    made = post(http, allergies="Penicillin; Latex", medical_history="Asthma")
    before = fhir.get(f"AllergyIntolerance?patient={made['id']}").json()["entry"]
    changed = http.patch(
        f"{PATIENTS}/{made['id']}", json={"allergies": "latex; Nuts", "medical_history": "Asthma, gout"}
    ).json()
    assert (changed["allergies"], changed["medical_history"]) == ("latex; Nuts", "Asthma, gout")
    after = fhir.get(f"AllergyIntolerance?patient={made['id']}").json()["entry"]
    ids = [{entry["resource"]["id"] for entry in found} for found in (before, after)]
    assert (len(ids[0] & ids[1]), len(ids[1])) == (1, 2)
    history = fhir.get(f"Observation?patient={made['id']}&code=http://loinc.org|11348-0").json()["entry"]
    assert [entry["resource"]["meta"]["versionId"] for entry in history] == ["2"]


def test_a_patient_with_an_order_is_not_deleted(http: httpx.Client, fhir: Fhir) -> None:
    made = post(http, **ALL)
    order = fhir.made(
        "ServiceRequest", status="active", intent="order", subject={"reference": f"Patient/{made['id']}"}
    )
    assert http.delete(f"{PATIENTS}/{made['id']}").status_code == 409
    assert http.get(f"{PATIENTS}/{made['id']}").json() == made
    fhir.delete(f"ServiceRequest/{order['id']}")
    assert http.delete(f"{PATIENTS}/{made['id']}").status_code == 204
    assert fhir.get(f"Observation?patient={made['id']}").json()["total"] == 0
    assert fhir.get(f"Patient/{made['id']}").status_code == 410


def test_figures_count_all_patients(http: httpx.Client) -> None:
    post(http, mrn="M1", date_of_birth="1950", height_cm=200, weight_kg=100, primary_insurance_type="va")
    post(http, mrn="M2", sex="F", status="inactive", height_cm=100, weight_kg=30)
    found = http.get(f"{PATIENTS}/stats/overview").json()
    assert (found["total"], found["added_this_month"], found["average_bmi"]) == (2, 2, 27.5)
    assert found["by_status"] == {"active": 1, "inactive": 1}
    assert found["by_sex"] == {"F": 1, "M": 1}
    assert found["by_insurance_type"] == {"none": 1, "va": 1}
    assert sum(found["by_age_band"].values()) == 2


@pytest.fixture
def root(clean: Store) -> dict[str, str]:
    """The headers of an administrator."""
    with clean.connection() as connection:
        connection.execute(
            "INSERT INTO app_user (id, username, full_name, role, is_active, created_at, updated_at)"
            " VALUES (gen_random_uuid(), 'root', 'Root', 'admin', true, now(), now())"
        )
    return {"x-user": "root"}


def test_only_an_administrator_removes_for_good(http: httpx.Client) -> None:
    made = post(http, **ALL)
    found = http.delete(f"{PATIENTS}/{made['id']}?hard=true")
    assert (found.status_code, wrong(found)) == (403, {"hard": "forbidden"})
    assert http.get(f"{PATIENTS}/{made['id']}").json() == made
