"""The OR command center's interface, spoken to over the socket: procedures made, moved and found.

https://hl7.org/fhir/R4/procedure.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from storage.session import Store
from tests.fixtures.server import Fhir

JOHN = {
    "mrn": "MRN123456",
    "first_name": "John",
    "last_name": "Doe",
    "date_of_birth": "1980-01-15",
    "sex": "M",
}
BYPASS = {
    "mrn": "MRN123456",
    "patient_name": "John Doe",
    "procedure_type": "Femoral-popliteal bypass",
    "surgical_status": "workup",
    "barriers": ["labs", "cardiology"],
    "cardiology_clearance": False,
    "stress_test_status": "ordered",
}
FREE = {"barriers": [], "cardiology_clearance": True, "stress_test_status": "completed_normal"}
SLOT = {
    "scheduled_location": "OR 3",
    "scheduled_start": "2026-03-03T08:00:00Z",
    "scheduled_end": "2026-03-03T10:30:00Z",
    "estimated_minutes": 150,
}
READINESS = "http://suture.example.org/fhir/StructureDefinition/or-readiness"


class Board:
    """A client of the OR command center's interface."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def get(self, path: str, **query: Any) -> Any:
        answer = self.http.get(f"/api/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/api/{path}", json=body)

    def patch(self, procedure: str, **body: Any) -> httpx.Response:
        return self.http.patch(f"/api/procedures/{procedure}", json=body)

    def procedure(self, **fields: Any) -> dict[str, Any]:
        """Bring a procedure onto the board that needs nothing more to be ready."""
        answer = self.post("procedures", **BYPASS | FREE | fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def at(self, status: str) -> str:
        """Bring a procedure onto the board at a step of readiness; return its id."""
        return self.procedure(surgical_status=status, **SLOT if status == "scheduled" else {})["id"]


@pytest.fixture
def board(http: httpx.Client) -> Board:
    """The board, with John on it."""
    found = Board(http)
    assert found.post("patients", **JOHN).status_code == 201
    return found


def problem(answer: httpx.Response, status: int, expression: str | None = None) -> dict[str, Any]:
    """Return the problem details that an answer is, with its first error; asserts status and place."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    first = answer.json()["errors"][0]
    assert expression is None or first["expression"] == expression, first
    return answer.json()


def readiness(fhir: Fhir, procedure: str) -> dict[str, Any]:
    """Return the readiness of a procedure as FHIR tells it, by the sub-extension's name."""
    found = fhir.get(f"Procedure/{procedure}").json()
    parts = next(each["extension"] for each in found["extension"] if each["url"] == READINESS)
    return {part["url"]: next((part[key] for key in part if key.startswith("value")), None) for part in parts}


# --- made and found ---------------------------------------------------------------------------------------


def test_a_procedure_comes_onto_the_board_as_the_command_center_sends_it(board: Board, fhir: Fhir) -> None:
    answer = board.post("procedures", **BYPASS)
    assert answer.status_code == 201
    made = answer.json()
    assert {name: made[name] for name in BYPASS} == BYPASS | {
        "patient_name": "Doe, John",
        "cardiology_clearance": "pending",
    }
    assert (made["status"], made["arterial_findings"]) == ("preparation", [])
    assert board.get(f"procedures/{made['id']}") == made
    stored = fhir.get(f"Procedure/{made['id']}").json()
    assert stored["code"]["text"] == BYPASS["procedure_type"]
    patient = fhir.get("Patient?identifier=MRN123456").json()["entry"][0]["resource"]["id"]
    assert stored["subject"]["reference"] == f"Patient/{patient}"
    assert readiness(fhir, made["id"])["stressTestStatus"] == "ordered"


def test_a_procedure_begins_in_workup_where_nothing_else_is_asked_for(board: Board) -> None:
    made = board.post("procedures", mrn="MRN123456", procedure_type="Carotid endarterectomy").json()
    assert (made["surgical_status"], made["barriers"], made["status"]) == ("workup", [], "preparation")


def test_a_procedure_needs_a_patient_who_is_known(board: Board) -> None:
    problem(board.post("procedures", **BYPASS | {"mrn": "MRN999"}), 404, "mrn")
    assert board.get("procedures") == []


@pytest.mark.parametrize("name", ["John Doe", "DOE, JOHN", "doe", "John Quincy Doe"])
def test_a_name_may_be_told_in_any_order_and_in_part(board: Board, name: str) -> None:
    assert board.post("procedures", **BYPASS | {"patient_name": name}).status_code == 201


@pytest.mark.parametrize("name", ["Jane Doe", "Roe", "J"])
def test_a_procedure_for_somebody_of_another_name_is_refused(board: Board, name: str) -> None:
    problem(board.post("procedures", **BYPASS | {"patient_name": name}), 422, "patient_name")


@pytest.mark.parametrize(
    ("fields", "status", "expression"),
    [
        ({"surgical_status": "done"}, 422, "surgical_status"),
        ({"cardiology_clearance": "perhaps"}, 422, "cardiology_clearance"),
        ({"stress_test_status": "ran"}, 422, "stress_test_status"),
        ({"procedure_type": ""}, 422, "procedure_type"),
        ({"barriers": [" "]}, 422, "barriers[0]"),
        ({"status": "completed"}, 422, None),
        ({"colour": "red"}, 422, None),
    ],
)
def test_a_procedure_of_wrong_values_is_refused_naming_the_field(
    board: Board, fields: dict[str, Any], status: int, expression: str | None
) -> None:
    problem(board.post("procedures", **BYPASS | fields), status, expression)
    assert board.get("procedures") == []


def test_each_filter_narrows_the_list(board: Board) -> None:
    board.post("patients", **JOHN | {"mrn": "MRN2", "first_name": "Jane"})
    first = board.procedure(surgical_status="workup")["id"]
    booked = board.procedure(surgical_status="scheduled", **SLOT)["id"]
    hers = board.procedure(mrn="MRN2", patient_name="Jane Doe")["id"]
    board.http.patch(f"/api/procedures/{booked}", json={"status": "in-progress"})

    def ids(**query: Any) -> set[str]:
        return {each["id"] for each in board.get("procedures", **query)}

    assert ids() == {first, booked, hers}
    assert ids(surgical_status="scheduled") == {booked}
    assert ids(patient_mrn="MRN2") == {hers}
    assert ids(scheduled_location="or 3") == {booked}
    assert ids(status="in-progress") == {booked}
    assert ids(status="preparation", patient_mrn="MRN123456") == {first}
    assert ids(limit=1) < ids()
    problem(board.http.get("/api/procedures?room=3"), 400, "room")
    problem(board.http.get("/api/procedures?surgical_status=done"), 400, "surgical_status")


def test_an_alias_of_a_room_finds_what_is_booked_there(board: Board, fhir: Fhir) -> None:
    fhir.made("Location", id="or3", name="Operating room 3", alias=["OR 3"], status="active")
    made = board.get(f"procedures/{board.at('scheduled')}")
    assert made["scheduled_location"] == "Operating room 3"
    assert [each["id"] for each in board.get("procedures", scheduled_location="or 3")] == [made["id"]]
    assert readiness(fhir, made["id"])["scheduledLocation"]["reference"] == "Location/or3"


# --- the steps of readiness ---------------------------------------------------------------------------------


STEPS = ("workup", "near_ready", "ready", "scheduled")


@pytest.mark.parametrize("start", STEPS[:-1])
@pytest.mark.parametrize("end", STEPS[1:])
def test_a_procedure_goes_forward_as_far_as_its_guards_hold(board: Board, start: str, end: str) -> None:
    made = board.at(start)
    answer = board.patch(made, surgical_status=end, **SLOT if end == "scheduled" else {})
    assert (answer.status_code, answer.json()["surgical_status"]) == (200, end)


@pytest.mark.parametrize("start", STEPS[1:])
@pytest.mark.parametrize("end", STEPS[:-1])
def test_a_procedure_may_go_back(board: Board, fhir: Fhir, start: str, end: str) -> None:
    made = board.at(start)
    answer = board.patch(made, surgical_status=end)
    assert (answer.status_code, answer.json()["surgical_status"]) == (200, end)
    assert answer.json()["scheduled_start"] is None
    assert readiness(fhir, made)["surgicalStatus"] == end


BLOCKED: dict[str, tuple[str, dict[str, Any]]] = {
    "two barriers": ("near_ready", {"barriers": ["labs", "imaging"]}),
    "a barrier": ("ready", {"barriers": ["labs"]}),
    "no clearance yet": ("ready", {"cardiology_clearance": False}),
    "a clearance that is required": ("ready", {"cardiology_clearance": "required"}),
    "not cleared": ("ready", {"cardiology_clearance": "not_cleared"}),
    "a stress test ordered": ("ready", {"stress_test_status": "ordered"}),
    "a stress test declined": ("ready", {"stress_test_status": "declined"}),
    "an abnormal test, no clearance": (
        "ready",
        {"stress_test_status": "completed_abnormal", "cardiology_clearance": None},
    ),
    "no consent": ("ready", {"consent_status": "needed"}),
    "consent refused": ("ready", {"consent_status": "refused"}),
    "booked unready": ("scheduled", {"barriers": ["labs"], **SLOT}),
    "no slot": ("scheduled", {"scheduled_location": "OR 3"}),
    "no room": ("scheduled", {"scheduled_start": "2026-03-03T08:00:00Z"}),
}


@pytest.mark.parametrize("why", BLOCKED)
def test_a_step_without_what_it_needs_is_refused(board: Board, why: str) -> None:
    step, fields = BLOCKED[why]
    made = board.at("workup")
    told = problem(board.patch(made, surgical_status=step, **fields), 422)
    assert told["detail"].startswith(f"{step} needs: ")
    assert board.get(f"procedures/{made}")["surgical_status"] == "workup"


@pytest.mark.parametrize("why", BLOCKED)
def test_a_new_procedure_needs_what_its_step_needs(board: Board, why: str) -> None:
    step, fields = BLOCKED[why]
    told = problem(board.post("procedures", **BYPASS | FREE | fields | {"surgical_status": step}), 422)
    assert told["detail"].startswith(f"{step} needs: ")
    assert board.get("procedures") == []


@pytest.mark.parametrize(
    "fields",
    [
        {"cardiology_clearance": "cleared_with_conditions"},
        {"cardiology_clearance": "not_required", "stress_test_status": "not_required"},
        {"cardiology_clearance": None, "stress_test_status": None},
        {"cardiology_clearance": True, "stress_test_status": "completed_abnormal"},
        {"consent_status": "signed"},
    ],
)
def test_what_lets_a_procedure_be_ready(board: Board, fields: dict[str, Any]) -> None:
    made = board.at("workup")
    assert board.patch(made, surgical_status="ready", **fields).json()["surgical_status"] == "ready"


@pytest.mark.parametrize(("barriers", "step"), [(["labs"], "near_ready"), (["labs", "imaging"], "workup")])
def test_a_new_barrier_takes_a_booked_procedure_back(board: Board, barriers: list[str], step: str) -> None:
    found = board.patch(board.at("scheduled"), barriers=barriers).json()
    assert (found["surgical_status"], found["scheduled_start"]) == (step, None)


def test_what_is_booked_does_not_lose_its_room_or_slot(board: Board) -> None:
    made = board.at("scheduled")
    problem(board.patch(made, scheduled_location=None), 422)
    problem(board.patch(made, scheduled_start=None, scheduled_end=None), 422)
    problem(board.patch(made, scheduled_end="2026-03-03T07:00:00Z"), 422)
    moved = board.patch(made, scheduled_location="OR 4", scheduled_start="2026-03-03T09:00:00Z").json()
    assert (moved["scheduled_location"], moved["scheduled_start"]) == ("OR 4", "2026-03-03T09:00:00Z")


def test_an_override_books_what_is_not_ready_and_is_audited(board: Board, store: Store) -> None:
    made = board.at("workup")
    unready = {"surgical_status": "scheduled", "barriers": ["bed"], "cardiology_clearance": False}
    problem(board.patch(made, **unready, **SLOT), 422)
    problem(board.patch(made, **unready, override_reason="limb at risk"), 422)
    found = board.patch(made, **unready, **SLOT, override_reason="limb at risk").json()
    assert found["surgical_status"] == "scheduled"
    assert overrides(store) == [("scheduled", ["barrier", "cardiologyClearance"], "limb at risk")]


def test_a_new_procedure_may_be_booked_by_an_override(board: Board, store: Store) -> None:
    fields = {"surgical_status": "scheduled", "override_reason": "limb at risk", **SLOT}
    assert board.post("procedures", **BYPASS | fields).json()["surgical_status"] == "scheduled"
    assert overrides(store) == [
        ("scheduled", ["barrier", "cardiologyClearance", "stressTestStatus"], "limb at risk")
    ]


def overrides(store: Store) -> list[tuple[Any, ...]]:
    with store.connection() as connection:
        found = connection.execute(
            "SELECT detail FROM audit_event WHERE action = 'E' AND detail IS NOT NULL ORDER BY at"
        ).fetchall()
    return [(each["to"], each["lifted"], each["reason"]) for (each,) in found]


# --- the status of a procedure ------------------------------------------------------------------------------


def test_a_procedure_is_begun_and_completed(board: Board, fhir: Fhir) -> None:
    made = board.at("scheduled")
    for status in ("in-progress", "on-hold", "in-progress", "completed", "entered-in-error"):
        assert board.patch(made, status=status).json()["status"] == status
        assert fhir.get(f"Procedure/{made}").json()["status"] == status
    assert board.get(f"procedures/{made}")["surgical_status"] == "scheduled"


@pytest.mark.parametrize("step", STEPS[:-1])
def test_only_what_is_booked_begins(board: Board, step: str) -> None:
    problem(board.patch(board.at(step), status="in-progress"), 422)


@pytest.mark.parametrize("status", ["stopped", "not-done"])
def test_what_is_given_up_needs_a_reason(board: Board, status: str) -> None:
    made = board.at("scheduled")
    if status == "stopped":
        board.patch(made, status="in-progress")
    problem(board.patch(made, status=status), 422)


@pytest.mark.parametrize(
    ("way", "wanted"),
    [
        ((), "completed"),
        ((), "stopped"),
        ((), "entered-in-error"),
        (("in-progress",), "preparation"),
        (("in-progress",), "not-done"),
        (("in-progress", "completed"), "in-progress"),
        (("in-progress", "completed"), "preparation"),
        (("in-progress", "completed", "entered-in-error"), "completed"),
    ],
)
def test_a_step_that_the_workflow_has_not_is_refused(board: Board, way: tuple[str, ...], wanted: str) -> None:
    made = board.at("scheduled")
    for status in way:
        board.patch(made, status=status)
    present = way[-1] if way else "preparation"
    assert f"{present} → {wanted}" in problem(board.patch(made, status=wanted), 409)["detail"]


def test_readiness_does_not_change_once_a_procedure_has_begun(board: Board) -> None:
    made = board.at("scheduled")
    board.patch(made, status="in-progress")
    problem(board.patch(made, surgical_status="workup"), 409)


def test_a_change_over_fhir_is_seen_on_the_board_by_the_same_rules(board: Board, fhir: Fhir) -> None:
    made = board.at("scheduled")
    value = fhir.get(f"Procedure/{made}").json()
    assert fhir.put(f"Procedure/{made}", value | {"status": "completed"}).status_code == 409
    assert fhir.put(f"Procedure/{made}", value | {"status": "in-progress"}).status_code == 200
    assert board.get(f"procedures/{made}")["status"] == "in-progress"
    assert board.get("procedures", status="in-progress")[0]["id"] == made


def test_a_procedure_does_not_move_to_another_patient(board: Board) -> None:
    board.post("patients", **JOHN | {"mrn": "MRN2", "first_name": "Jane"})
    made = board.at("workup")
    assert board.patch(made, mrn="MRN123456", patient_name="John Doe").status_code == 200
    problem(board.patch(made, mrn="MRN2"), 422, "mrn")
    problem(board.patch(made, patient_name="Jane Doe"), 422, "patient_name")
    problem(board.patch("nowhere", barriers=[]), 404)
    problem(board.http.get("/api/procedures/nowhere"), 404)


# --- what is told reads well at every door ----------------------------------------------------------------


def test_a_slot_without_a_zone_is_of_the_site_and_valid_over_fhir(board: Board, fhir: Fhir) -> None:
    made = board.procedure(scheduled_start="2026-03-03T08:00", scheduled_end="2026-03-03T10:30:00")
    assert made["scheduled_start"] == "2026-03-03T08:00:00+00:00"
    assert made["scheduled_end"] == "2026-03-03T10:30:00+00:00"
    stored = fhir.get(f"Procedure/{made['id']}").json()
    assert fhir.put(f"Procedure/{made['id']}", stored | {"note": [{"text": "Seen"}]}).status_code == 200


@pytest.mark.parametrize(
    ("fields", "expression"),
    [
        ({"scheduled_start": ""}, "scheduled_start"),
        ({"scheduled_end": "soon"}, "scheduled_end"),
        ({"scheduled_end": "2026-03-03T07:00:00Z"}, "scheduled_start"),
        ({"scheduled_location": "OR\u0001"}, "scheduled_location"),
        ({"notes": "a\u0007b"}, "notes"),
        ({"barriers": ["labs", "b\u0001"]}, "barriers[1]"),
        ({"procedure_type": "By\u0001pass"}, "procedure_type"),
        ({"procedure_side": "up"}, "procedure_side"),
        ({"estimated_minutes": 2**31}, "estimated_minutes"),
        ({"estimated_minutes": 10**12}, "estimated_minutes"),
    ],
)
def test_a_value_that_no_door_could_tell_is_refused_naming_the_field(
    board: Board, fields: dict[str, Any], expression: str
) -> None:
    problem(board.patch(board.at("scheduled"), **fields), 422, expression)


@pytest.mark.parametrize(
    ("fields", "expression"),
    [
        ({"barriers": ["a", "b"], "surgical_status": "near_ready"}, "barriers"),
        ({"cardiology_clearance": False, "surgical_status": "ready"}, "cardiology_clearance"),
        ({"stress_test_status": "ordered", "surgical_status": "ready"}, "stress_test_status"),
        ({"consent_status": "refused", "surgical_status": "ready"}, "consent_status"),
        ({"surgical_status": "scheduled"}, "scheduled_start"),
        ({"surgical_status": "scheduled", "scheduled_start": "2026-03-03"}, "scheduled_location"),
        ({"status": "in-progress"}, "surgical_status"),
    ],
)
def test_what_a_step_lacks_is_named_as_this_door_names_it(
    board: Board, fields: dict[str, Any], expression: str
) -> None:
    problem(board.patch(board.at("workup"), **fields), 422, expression)


def test_a_step_that_is_refused_names_its_field(board: Board) -> None:
    made = board.at("scheduled")
    problem(board.patch(made, status="completed"), 409, "status")
    board.patch(made, status="in-progress")
    problem(board.patch(made, surgical_status="workup"), 409, "surgical_status")


def test_notes_and_room_are_cleared_by_an_empty_text(board: Board) -> None:
    made = board.procedure(notes="Latex allergy", scheduled_location="OR 3")["id"]
    cleared = board.patch(made, notes="", scheduled_location="").json()
    assert (cleared["notes"], cleared["scheduled_location"]) == (None, None)


def test_a_deleted_procedure_is_gone(board: Board, fhir: Fhir) -> None:
    made = board.at("workup")
    assert fhir.ask("DELETE", f"Procedure/{made}").status_code == 204
    problem(board.http.get(f"/api/procedures/{made}"), 410)
    problem(board.patch(made, notes="x"), 410)


def test_a_filter_that_is_given_twice_is_refused(board: Board) -> None:
    asked = board.http.get("/api/procedures?status=preparation&status=completed")
    problem(asked, 400, "status")


def test_what_was_shown_may_be_sent_back_and_changes_nothing(board: Board, fhir: Fhir) -> None:
    made = board.at("scheduled")
    coded = {"coding": [{"system": "http://snomed.info/sct", "code": "265060000", "display": "Bypass"}]}
    notes = [{"authorString": "Ada", "time": "2026-03-01", "text": "Latex"}, {"text": "Allergy"}]
    value = fhir.get(f"Procedure/{made}").json() | {"code": coded, "note": notes}
    assert fhir.put(f"Procedure/{made}", value).status_code == 200
    stored, shown = fhir.get(f"Procedure/{made}").json(), board.get(f"procedures/{made}")
    own = ("id", "created_at", "updated_at", "case_class", "arterial_findings")
    sent = {name: told for name, told in shown.items() if name not in own}
    assert board.patch(made, **sent).status_code == 200
    assert fhir.get(f"Procedure/{made}").json() == stored
    assert board.patch(made, **sent | {"estimated_minutes": 90}).json()["estimated_minutes"] == 90
    assert fhir.get(f"Procedure/{made}").json()["code"] == coded
