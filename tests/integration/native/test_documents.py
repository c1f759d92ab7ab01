"""Documents of a patient over the native door: what there is and where, and who may know of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.app import new_id
from mappings.resources.document_projections import OF_LOINC
from storage import users
from storage.model.document import KINDS
from storage.model.people import SYSTEM_USER_ID
from storage.session import Store
from storage.users import Account
from tests.fixtures.server import Fhir

PATH = "/api/v1/patients/p/documents"
ROLES = ("orderer", "nurse", "viewer", "admin")
LEVELS = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


@pytest.fixture
def patient(fhir: Fhir) -> str:
    """A patient."""
    return fhir.made("Patient", id="p")["id"]


@pytest.fixture
def staff(store: Store, patient: str) -> Iterator[None]:
    """An account for some roles, named as its role."""
    with store.connection() as connection:
        for role in ROLES:
            account = Account(new_id(), role, role.title(), role, True, None)
            users.add(connection, account, datetime(2026, 3, 1, tzinfo=UTC))
    yield
    with store.transaction() as session:
        session.raw.execute("SET LOCAL session_replication_role = replica")
        session.raw.execute("DELETE FROM app_user WHERE id <> %s", (SYSTEM_USER_ID,))


def recorded(http: httpx.Client, user: str | None = None, **fields: Any) -> dict[str, Any]:
    headers = {"x-user": user} if user else {}
    body = {"document_type": "consult", "title": "Consultation", **fields}
    made = http.post(PATH, json=body, headers=headers)
    assert made.status_code == 201, made.text
    return made.json()


def titles(http: httpx.Client, user: str | None = None, **asked: Any) -> list[str]:
    answer = http.get(PATH, params=asked, headers={"x-user": user} if user else {})
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["items"])
    return [item["title"] for item in answer.json()["items"]]


def test_the_document_of_the_source_system_is_taken_as_it_was_sent(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    fhir.made("Practitioner", id="okafor", name=[{"family": "Okafor", "given": ["Ada"]}])
    body: dict[str, Any] = {
        "document_type": "operative_note",
        "title": "Total hip arthroplasty",
        "document_date": "2025-01",
        "author": "Ada Okafor",
        "url": "https://documents.example.org/4711.pdf",
        "content_type": "application/pdf",
        "size": 48213,
        "confidentiality": "N",
    }
    made = recorded(http, **body)
    assert body.items() <= made.items()
    assert (made["patient_id"], made["allowed_roles"], made["status"]) == ("p", None, "current")
    assert http.get(PATH).json()["items"] == [made]
    seen = fhir.get("DocumentReference?patient=p&type=http://loinc.org|11504-8").json()["entry"][0][
        "resource"
    ]
    assert seen["id"] == made["id"]
    assert seen["author"][0]["reference"] == "Practitioner/okafor"
    assert seen["content"][0]["attachment"] == {
        "contentType": "application/pdf",
        "url": body["url"],
        "size": 48213,
        "title": body["title"],
        "creation": "2025-01",
    }
    assert seen["securityLabel"][0]["coding"][0]["code"] == "N"
    assert fhir.put(f"DocumentReference/{seen['id']}", seen).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_each_type_of_document_comes_back_and_is_found_by_it(
    http: httpx.Client, fhir: Fhir, patient: str, kind: str
) -> None:
    recorded(http, document_type="consult" if kind != "consult" else "consent", title="Another")
    made = recorded(http, document_type=kind, title="This")
    assert made["document_type"] == kind
    assert titles(http, document_type=kind) == ["This"]
    codes = [
        coding["code"] for coding in fhir.get(f"DocumentReference/{made['id']}").json()["type"]["coding"]
    ]
    assert codes == [kind, *(code for code, named in OF_LOINC.items() if named == kind)]


def test_a_document_may_be_of_an_encounter_of_the_patient(
    http: httpx.Client, fhir: Fhir, patient: str
) -> None:
    fhir.made("Patient", id="q")
    visit = {"visit_type": "clinic", "visit_date": "2025-02-03"}
    mine = http.post("/api/v1/patients/p/visits", json=visit).json()["id"]
    other = http.post("/api/v1/patients/q/visits", json=visit).json()["id"]
    made = recorded(http, encounter_id=mine)
    assert made["encounter_id"] == mine
    found = fhir.get(f"DocumentReference?encounter=Encounter/{mine}").json()
    assert found["entry"][0]["resource"]["id"] == made["id"]
    body = {"document_type": "consult", "title": "Consultation"}
    for name, status in ((other, 422), ("nobody", 404)):
        answer = http.post(PATH, json=body | {"encounter_id": name})
        assert answer.status_code == status, answer.text
        assert answer.json()["errors"][0]["expression"] == "encounter_id"


def test_documents_come_newest_first_in_pages(http: httpx.Client, patient: str) -> None:
    for date in ("2024-05-01", "2026", "2025-01-01T10:00"):
        recorded(http, title=date, document_date=date)
    assert titles(http) == ["2026", "2025-01-01T10:00", "2024-05-01"]
    page = http.get(PATH, params={"page": 2, "page_size": 2}).json()
    assert (page["total"], page["pages"], page["items"][0]["title"]) == (3, 2, "2024-05-01")


@pytest.mark.usefixtures("staff")
def test_a_restricted_document_is_for_its_roles_alone(http: httpx.Client) -> None:
    recorded(http, title="plain")
    recorded(http, "orderer", title="restricted", confidentiality="R", allowed_roles=["orderer", "nurse"])
    recorded(http, "orderer", title="very", confidentiality="V", allowed_roles=["orderer"])
    for user, may in [
        ("orderer", {"plain", "restricted", "very"}),
        ("nurse", {"plain", "restricted"}),
        ("viewer", {"plain"}),
        ("admin", {"plain"}),
        ("somebody", {"plain"}),
        (None, {"plain"}),
    ]:
        assert set(titles(http, user)) == may, user


@pytest.mark.usefixtures("staff")
@pytest.mark.parametrize("level", ["R", "V"])
def test_a_restricted_document_without_roles_is_for_who_recorded_it_and_administrators(
    http: httpx.Client, level: str
) -> None:
    made = recorded(http, "nurse", confidentiality=level)
    assert made["allowed_roles"] == ["admin", "nurse"]
    assert titles(http, "nurse") == titles(http, "admin") == ["Consultation"]
    assert titles(http, "orderer") == titles(http) == []
    assert recorded(http, title="by nobody", confidentiality=level)["allowed_roles"] == ["admin"]


@pytest.mark.usefixtures("staff")
def test_an_unrestricted_document_may_be_for_some_roles_too(http: httpx.Client) -> None:
    recorded(http, confidentiality="N", allowed_roles=["viewer"])
    assert titles(http, "viewer") == ["Consultation"]
    assert titles(http, "admin") == titles(http) == []


@pytest.mark.usefixtures("staff")
def test_a_restricted_document_of_fhir_names_no_roles_and_is_for_administrators(
    http: httpx.Client, fhir: Fhir
) -> None:
    label = [{"coding": [{"system": LEVELS, "code": "R"}]}]
    about = {"subject": {"reference": "Patient/p"}, "content": [{"attachment": {"title": "Sent"}}]}
    sent = fhir.made("DocumentReference", id="d", status="current", securityLabel=label, **about)
    assert titles(http, "admin") == ["Sent"]
    assert titles(http, "viewer") == titles(http) == []
    fhir.put("DocumentReference/d", sent | {"securityLabel": [{"coding": [{"system": LEVELS, "code": "N"}]}]})
    assert titles(http, "viewer") == ["Sent"]


@pytest.mark.usefixtures("staff")
def test_a_change_over_fhir_keeps_who_may_know(http: httpx.Client, fhir: Fhir) -> None:
    made = recorded(http, confidentiality="R", allowed_roles=["nurse"])
    value = fhir.get(f"DocumentReference/{made['id']}").json() | {"description": "changed"}
    assert fhir.put(f"DocumentReference/{made['id']}", value).status_code == 200
    assert titles(http, "nurse") == ["Consultation"]
    assert titles(http, "viewer") == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"document_type": "letter"}, "document_type"),
        ({"title": " "}, "title"),
        ({"document_date": "today"}, "document_date"),
        ({"url": "data:text/plain,hello"}, "url"),
        ({"url": "JavaScript:alert(1)"}, "url"),
        ({"url": "https://a b"}, "url"),
        ({"content_type": "pdf"}, "content_type"),
        ({"content_type": "text/plain;  charset"}, "content_type"),
        ({"size": -1}, "size"),
        ({"size": 2**31}, "size"),
        ({"confidentiality": "X"}, "confidentiality"),
        ({"allowed_roles": ["boss"]}, "allowed_roles[0]"),
        ({"allowed_roles": []}, "allowed_roles"),
        ({"data": "aGVsbG8="}, "data"),
    ],
)
def test_a_value_that_no_document_can_have_is_refused_by_name(
    http: httpx.Client, patient: str, fields: dict[str, Any], field: str
) -> None:
    body = {"document_type": "consult", "title": "Consultation"}
    answer = http.post(PATH, json=body | fields)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["expression"] == field
    assert titles(http) == []


def test_the_documents_of_who_is_not_here_are_not_found(http: httpx.Client, fhir: Fhir, patient: str) -> None:
    body = {"document_type": "consult", "title": "Consultation"}
    assert http.get("/api/v1/patients/nobody/documents").status_code == 404
    assert http.post("/api/v1/patients/nobody/documents", json=body).status_code == 404
    assert http.get(PATH, params={"kind": "consult"}).status_code == 400
    assert fhir.delete("Patient/p").status_code == 204
    assert http.get(PATH).status_code == 410
    assert http.post(PATH, json=body).status_code == 410
