"""The OR command center's patients and figures, spoken to over the socket.

https://hl7.org/fhir/R4/patient.html
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from storage.model.flat import FIELDS
from storage.session import Store
from tests.fixtures.server import Fhir, Gateway, renamed
from tests.integration.native.test_board import BYPASS, FREE, JOHN, SLOT, Board, problem

FULL = {field.name: field.example for field in FIELDS if not field.read_only and field.example is not None}


@pytest.fixture
def board(http: httpx.Client) -> Board:
    """An empty board."""
    return Board(http)


def register(board: Board, **fields: Any) -> dict[str, Any]:
    answer = board.post("patients", **JOHN | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_patient_is_registered_with_all_that_is_known(board: Board, fhir: Fhir) -> None:
    made = register(board, **FULL)
    shown = {**FULL, "ssn": "***-**-6789"}
    assert {name: made[name] for name in FULL} == shown
    assert made["is_active"] is (FULL["status"] == "active")
    assert board.get("patients/MRN123456") == made | {"procedures": []}
    stored = fhir.get(f"Patient/{made['id']}").json()
    assert (stored["name"][0]["family"], stored["birthDate"]) == ("Doe", "1980-01-15")
    covers = fhir.get(f"Coverage?beneficiary=Patient/{made['id']}&_summary=count").json()
    assert covers["total"] == 2


@pytest.mark.parametrize(
    ("status", "active"), [("active", True), ("inactive", False), ("deceased", False), (None, True)]
)
def test_an_answer_tells_whether_a_patient_is_active(board: Board, status: str | None, active: bool) -> None:
    assert register(board, **({"status": status} if status else {}))["is_active"] is active


def test_an_mrn_is_of_one_patient(board: Board) -> None:
    register(board)
    problem(board.post("patients", **JOHN), 409, "mrn")
    assert len(board.get("patients")) == 1


@pytest.mark.parametrize(
    ("fields", "expression"),
    [
        ({"mrn": None}, "mrn"),
        ({"sex": "X1"}, "sex"),
        ({"date_of_birth": "soon"}, "date_of_birth"),
        ({"x": 1}, "x"),
    ],
)
def test_a_wrong_patient_is_refused_naming_the_field(
    board: Board, fields: dict[str, Any], expression: str
) -> None:
    problem(board.post("patients", **JOHN | fields), 422, expression)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("doe", {"A1", "A2"}),
        ("DO", {"A1", "A2", "B3"}),
        ("John Doe", {"A1"}),
        ("doe, jane", {"A2"}),
        ("dómi", {"B3"}),
        ("B3", {"B3"}),
        ("a", {"A1", "A2", "B3"}),
        ("a1", {"A1"}),
        ("nobody", set[str]()),
        ("John Roe", set[str]()),
        ("", {"A1", "A2", "B3"}),
        ("%", set[str]()),
    ],
)
def test_patients_are_found_by_a_part_of_name_or_mrn(board: Board, search: str, found: set[str]) -> None:
    register(board, mrn="A1")
    register(board, mrn="A2", first_name="Jane")
    register(board, mrn="B3", first_name="Ana", last_name="Domínguez")
    assert {each["mrn"] for each in board.get("patients", search=search)} == found


def test_a_list_of_patients_is_in_order_of_names_and_may_be_parted(board: Board) -> None:
    for mrn, name in (("1", "Zed"), ("2", "Abe"), ("3", "Moe")):
        register(board, mrn=mrn, last_name=name)
    assert [each["last_name"] for each in board.get("patients")] == ["Abe", "Moe", "Zed"]
    assert [each["last_name"] for each in board.get("patients", skip=1, limit=1)] == ["Moe"]
    assert all(each["is_active"] is True for each in board.get("patients"))
    problem(board.http.get("/api/patients?name=x"), 400, "name")


def test_a_patient_comes_with_the_procedures(board: Board, fhir: Fhir) -> None:
    john, jane = register(board), register(board, mrn="MRN2", first_name="Jane")
    first = board.procedure(surgical_status="workup")
    booked = board.procedure(surgical_status="scheduled", **SLOT)
    board.procedure(mrn="MRN2", patient_name="Jane Doe")
    hers = fhir.made(
        "Procedure", id="past", status="completed", subject={"reference": f"Patient/{jane['id']}"}
    )
    found = board.get("patients/MRN123456")
    assert [each["id"] for each in found["procedures"]] == [booked["id"], first["id"]]
    assert found["procedures"][0]["scheduled_start"] == SLOT["scheduled_start"]
    assert found["id"] == john["id"]
    others = {each["id"]: each["surgical_status"] for each in board.get("patients/MRN2")["procedures"]}
    assert (len(others), others[hers["id"]]) == (2, None)


def test_a_patient_who_was_never_here_is_not_found_and_a_deleted_one_is_gone(board: Board) -> None:
    made = register(board)
    problem(board.http.get("/api/patients/MRN9"), 404, "mrn")
    assert board.http.delete(f"/api/v1/patients/{made['id']}").status_code == 204
    problem(board.http.get("/api/patients/MRN123456"), 410, "mrn")
    problem(board.post("procedures", **BYPASS), 404, "mrn")
    assert board.get("patients") == []


def test_a_patient_whom_an_ehr_sends_is_on_the_board(board: Board, fhir: Fhir) -> None:
    number = {"system": "http://suture.example.org/fhir/sid/mrn", "value": "MRN7"}
    fhir.made("Patient", id="ehr", identifier=[number], name=[{"family": "Roe", "given": ["Al"]}])
    assert (
        board.post("procedures", **BYPASS | FREE | {"mrn": "MRN7", "patient_name": None}).status_code == 201
    )
    found = board.get("patients/MRN7")
    assert (found["last_name"], len(found["procedures"])) == ("Roe", 1)


def test_the_status_counts_what_is_there(board: Board, fhir: Fhir) -> None:
    empty = board.get("orcc/status")
    assert (empty["status"], empty["patients"], empty["procedures"]["total"]) == ("healthy", 0, 0)
    register(board)
    for step in ("workup", "workup", "ready"):
        board.procedure(surgical_status=step)
    started = board.procedure(surgical_status="scheduled", **SLOT)["id"]
    board.patch(started, status="in-progress")
    fhir.made("Procedure", id="old", status="completed", subject={"display": "somebody"})
    fhir.made("Procedure", id="gone", status="completed", subject={"display": "somebody"})
    fhir.delete("Procedure/gone")
    told = board.get("orcc/status")
    assert told["patients"] == 1
    counted = told["procedures"]
    assert counted["total"] == 5
    assert {key: count for key, count in counted["by_status"].items() if count} == {
        "preparation": 3,
        "in-progress": 1,
        "completed": 1,
    }
    assert counted["by_surgical_status"] == {"workup": 2, "near_ready": 0, "ready": 1, "scheduled": 1}


def test_health_is_told_to_callers_of_the_native_interface(board: Board) -> None:
    told = board.get("v1/health")
    assert told["status"] == "healthy"
    assert told["version"] == board.get("orcc/status")["version"]


def test_a_status_that_cannot_be_counted_is_no_figure(board: Board, store: Store) -> None:
    with renamed(store, "procedure"):
        assert board.http.get("/api/orcc/status").status_code == 500
    assert board.http.get("/api/orcc/status").status_code == 200


def test_without_its_database_the_board_is_unavailable(
    new_database: Callable[[bool], str], server_url: str
) -> None:
    url = new_database(True)
    with tempfile.TemporaryDirectory() as folder:
        running = Gateway(url, Path(folder) / "log")
        try:
            running.wait()
            with psycopg.connect(server_url, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{urlsplit(url).path[1:]}" WITH (FORCE)'.encode())
            answer = httpx.get(f"{running.url}/api/orcc/status", trust_env=False)
            assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
        finally:
            running.stop()
