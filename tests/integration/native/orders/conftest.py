"""Orders of a patient on a visit, as the hospital's own applications make and move them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.app import new_id
from gateway.mllp.framing import wrap
from storage import users
from storage.session import Store
from storage.users import Account
from tests.fixtures.server import Fhir, Gateway
from tests.wire.peer import ExpectFrame, HalfClose, Send, call

IMAGING: dict[str, Any] = {
    "order_type": "IMAGING",
    "priority": "routine",
    "clinical_indication": "Suspected pneumonia, fever for 3 days",
    "modality": "XRAY",
    "body_part": "CHEST",
    "laterality": "bilateral",
}
LAB: dict[str, Any] = {
    "order_type": "LAB",
    "priority": "urgent",
    "clinical_indication": "Check anemia, patient complains of fatigue",
    "test_code": "CBC",
    "specimen_type": "Blood",
    "fasting_required": False,
}
PROCEDURE: dict[str, Any] = {
    "order_type": "PROCEDURE",
    "clinical_indication": "Screening for colorectal cancer",
    "procedure_code": "45378",
    "anesthesia_required": True,
    "estimated_duration": 30,
    "pre_procedure_instructions": "NPO after midnight",
}
REPORT: dict[str, Any] = {
    "report_text": "Two views of the chest, nothing to compare with.",
    "findings": "Lungs are clear.",
    "impression": "No acute disease.",
    "result_status": "normal",
}
REASON = "The patient went home"
SLOT = "2027-03-01T10:00:00+01:00"
SITE = "http://suture.example.org/fhir"


class Desk:
    """The orders' interface, over a database with a patient ``p`` and a visit ``v``."""

    def __init__(self, http: httpx.Client, fhir: Fhir) -> None:
        self.http, self.fhir = http, fhir
        self.user: str | None = None

    def ask(self, method: str, path: str = "", body: Any = None, **query: Any) -> httpx.Response:
        headers = {"x-user": self.user} if self.user else {}
        return self.http.request(
            method, f"/api/v1/orders{path}", json=body, params=query or None, headers=headers
        )

    def create(self, body: Any, **query: str) -> httpx.Response:
        return self.ask("POST", "", body, **({"patient_id": "p", "visit_id": "v"} | query))

    def made(self, body: Any = IMAGING, **query: str) -> dict[str, Any]:
        return good(self.create(body, **query), 201)

    def get(self, order: str) -> dict[str, Any]:
        return good(self.ask("GET", f"/{order}"))

    def move(self, order: str, **told: Any) -> httpx.Response:
        return self.ask("PATCH", f"/{order}/status", told)

    def moved(self, order: str, **told: Any) -> dict[str, Any]:
        return good(self.move(order, **told))

    def cancel(self, order: str, reason: str = REASON) -> httpx.Response:
        return self.ask("POST", f"/{order}/cancel", reason=reason)

    def report(self, order: str, **told: Any) -> httpx.Response:
        return self.ask("POST", f"/{order}/report", REPORT | told)

    def in_state(self, status: str) -> str:
        """Make an order, take it to a state, step by step, and return its id."""
        order = self.made()["id"]
        if status == "cancelled":
            good(self.cancel(order))
        if status == "scheduled":
            self.moved(order, status="scheduled", scheduled_date=SLOT)
        for step in ("in_progress", "completed"):
            if status in (step, "completed", "reported"):
                self.moved(order, status=step)
                if status == step:
                    break
        if status == "reported":
            good(self.report(order))
        assert self.get(order)["status"] == status
        return order

    def seen(self, order: str) -> dict[str, Any]:
        """Return the order as a ServiceRequest."""
        return self.fhir.get(f"ServiceRequest/{order}").json()

    def events(self, store: Store, order: str) -> list[tuple[str | None, str, bool]]:
        statement = """SELECT from_status, to_status, implied FROM order_status_event v
            JOIN resource r ON r.id = v.order_id WHERE r.fhir_id = %s ORDER BY v.at, v.id"""
        with store.connection() as connection:
            return connection.execute(statement, (order,)).fetchall()


def good(answer: httpx.Response, status: int = 200) -> Any:
    """Return what was answered; asserts the status."""
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(answer: httpx.Response, status: int, field: str | None = None) -> dict[str, Any]:
    """Return the problem details that were answered; asserts status and field."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert field is None or problem["errors"][0]["expression"] == field, problem
    return problem


def workflow(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of the workflow's extension of a ServiceRequest, by name."""
    url = f"{SITE}/StructureDefinition/order-workflow"
    found = next((item for item in resource.get("extension", ()) if item["url"] == url), {"extension": []})
    return {
        part["url"]: next(value for key, value in part.items() if key != "url") for part in found["extension"]
    }


@pytest.fixture
def desk(http: httpx.Client, fhir: Fhir) -> Desk:
    """The orders' interface with a patient and a visit."""
    mrn = {"system": f"{SITE}/sid/mrn", "value": "MRN1001"}
    name = {"use": "official", "family": "Doe", "given": ["Jane", "Q."]}
    ward = {"system": "urn:hl7:hd:HOSPITAL", "value": "MRN1001"}
    fhir.made("Patient", id="p", identifier=[mrn, ward], name=[name], gender="female", birthDate="1961-05")
    visit(fhir, "v", "p", number="VIS-2026-00007")
    return Desk(http, fhir)


def visit(fhir: Fhir, fhir_id: str, patient: str, number: str | None = None) -> None:
    """Make an encounter of a patient."""
    told: dict[str, Any] = {
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    }
    if number:
        told["identifier"] = [{"system": f"{SITE}/sid/visit-number", "value": number}]
    fhir.made(
        "Encounter",
        id=fhir_id,
        status="in-progress",
        subject={"reference": f"Patient/{patient}"},
        period={"start": "2026-03-02T07:00:00Z"},
        **told,
    )


@pytest.fixture
def account(clean: Store, desk: Desk) -> Iterator[Callable[..., str]]:
    """A function that adds an account in a role, of a practitioner or not, and gives its name."""
    made: list[str] = []

    def add(role: str, name: str = "Dr. Ada Okafor", *, practitioner: bool = True) -> str:
        username = f"{role}-{len(made)}"
        desk.fhir.made("Practitioner", id=username, name=[{"family": "Okafor", "given": ["A."]}])
        with clean.connection() as connection:
            row = users.practitioner(connection, username) if practitioner else None
            users.add(connection, Account(new_id(), username, name, role, True, row), datetime.now(UTC))
        made.append(username)
        return username

    yield add
    with clean.transaction() as session:
        session.raw.execute("SET LOCAL session_replication_role = replica")
        session.raw.execute("DELETE FROM app_user WHERE username = ANY(%s)", (made,))


@pytest.fixture
def send(gateway: Gateway) -> Callable[[str], str]:
    """A function that sends a message over MLLP and gives the acknowledgement."""

    def sent(message: str) -> str:
        steps = [Send(wrap(message.encode())), ExpectFrame(), HalfClose()]
        return call(gateway.mllp_port, steps).payloads[0].decode()

    return sent
