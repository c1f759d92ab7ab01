"""Who may do what: the role of the account that X-User names is judged, through every door; the trail tells.

https://hl7.org/fhir/R4/security.html#authorization and https://hl7.org/fhir/R4/auditevent.html
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg.rows import dict_row

from gateway.app import new_id
from storage import users
from storage.model.people import ROLES, SYSTEM_USER_ID
from storage.session import Store
from storage.users import Account
from tests.fixtures.server import Fhir, Gateway, outcome

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SITE = "http://suture.example.org/fhir"
REFUSED = 403


def add(store: Store, role: str, username: str | None = None, **more: Any) -> None:
    """Add an account, named as its role."""
    account = Account(new_id(), username or role, role.title(), role, True, None)._replace(**more)
    with store.connection() as connection:
        users.add(connection, account, NOW)


@pytest.fixture
def staff(fhir: Fhir, store: Store) -> Iterator[Fhir]:
    """An account for each role, and a patient with a visit."""
    for role in ROLES:
        if role != "system":
            add(store, role)
    add(store, "system", "engine")
    fhir.made("Patient", id="p", name=[{"family": "Doe"}])
    yield fhir
    with store.transaction() as session:
        # Accounts are never deleted otherwise: versions and the trail name them.
        session.raw.execute("SET LOCAL session_replication_role = replica")
        session.raw.execute("DELETE FROM app_user WHERE id <> %s", (SYSTEM_USER_ID,))


def edited(staff: Fhir, user: str, name: str, **elements: Any) -> int:
    """Let a user replace elements of a resource over FHIR; return the status."""
    value = staff.get(name).json() | elements
    return staff.put(name, value, x_user=user).status_code


def subject() -> dict[str, Any]:
    return {"subject": {"reference": "Patient/p"}}


# --- orders -------------------------------------------------------------------------------------------------


def workflow(status: str, **more: Any) -> dict[str, Any]:
    parts = [{"url": "status", "valueCode": status}, *({"url": key, **value} for key, value in more.items())]
    url = f"{SITE}/StructureDefinition/order-workflow"
    return {"extension": [{"url": url, "extension": parts}]}


SLOT = {"scheduledAt": {"valueDateTime": "2026-03-03T08:00:00Z"}}
STEPS: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any], set[str]]] = {
    # how it came there, the step, who may take it
    "booked": ((), workflow("scheduled", **SLOT), {"scheduler", "or_coordinator", "orderer", "engine"}),
    "unbooked": (
        (workflow("scheduled", **SLOT),),
        workflow("ordered"),
        {"scheduler", "or_coordinator", "engine"},
    ),
    "begun": ((), workflow("in_progress"), {"technologist", "nurse", "orderer", "engine"}),
    "completed": (
        (workflow("in_progress"),),
        {"status": "completed"},
        {"technologist", "nurse", "orderer", "engine"},
    ),
    "reopened": ((workflow("in_progress"), {"status": "completed"}), workflow("in_progress"), {"admin"}),
    "held": ((), {"status": "on-hold"}, {"orderer", "scheduler", "engine"}),
    "cancelled": ((), {"status": "revoked"}, {"orderer", "or_coordinator", "admin", "engine"}),
    "in error": ((), {"status": "entered-in-error"}, {"orderer", "admin"}),
}


def order(staff: Fhir, way: tuple[dict[str, Any], ...]) -> str:
    elements = {"status": "active", "intent": "order", "code": {"text": "CT"}, **subject()}
    made = staff.made("ServiceRequest", **elements)
    for step in way:
        reach(staff, made["id"], step)
    return made["id"]


def reach(staff: Fhir, name: str, step: dict[str, Any], **headers: str) -> httpx.Response:
    value = staff.get(f"ServiceRequest/{name}").json()
    value.pop("extension", None)
    wanted = {"status": "active"} | step
    return staff.put(f"ServiceRequest/{name}", value | wanted, **headers)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_an_order_is_for_the_roles_that_the_workflow_names(staff: Fhir, step: str) -> None:
    way, wanted, who = STEPS[step]
    for user in (*ROLES[:-1], "engine"):
        answer = reach(staff, order(staff, way), wanted, x_user=user)
        assert answer.status_code == (200 if user in who else REFUSED), (user, answer.text)
        if user not in who:
            assert user.replace("engine", "system") in outcome(answer, REFUSED, "forbidden")["diagnostics"]


def test_a_system_takes_back_the_work_on_an_order_that_it_made_itself(staff: Fhir) -> None:
    elements = {"resourceType": "ServiceRequest", "status": "active", "intent": "order", **subject()}
    made = staff.post("ServiceRequest", elements, x_user="engine").json()["id"]
    assert reach(staff, made, workflow("in_progress"), x_user="engine").status_code == 200
    assert reach(staff, made, workflow("ordered"), x_user="engine").status_code == 200


@pytest.mark.parametrize("user", [None, "stranger"])
def test_who_has_no_account_is_judged_by_no_role(staff: Fhir, user: str | None) -> None:
    headers = {"x_user": user} if user else {}
    assert reach(staff, order(staff, ()), workflow("in_progress"), **headers).status_code == 200


def test_the_native_door_judges_the_same_roles(staff: Fhir) -> None:
    staff.made("Encounter", id="v", status="in-progress", **{"class": {"code": "AMB"}}, **subject())
    body = {
        "order_type": "LAB",
        "clinical_indication": "Check anemia, patient complains of fatigue",
        "test_code": "CBC",
    }

    def ask(user: str, method: str, path: str, value: Any) -> httpx.Response:
        return staff.http.request(method, f"/api/v1/orders{path}", json=value, headers={"x-user": user})

    made = ""
    for user in (*ROLES[:-1], "engine"):
        answer = ask(user, "POST", "?patient_id=p&visit_id=v", body)
        assert answer.status_code == (201 if user in ("orderer", "nurse", "engine") else REFUSED), user
        made = answer.json()["id"] if answer.status_code == 201 else made
    assert ask("reporter", "PATCH", f"/{made}/status", {"status": "in_progress"}).status_code == REFUSED
    assert ask("technologist", "PATCH", f"/{made}/status", {"status": "in_progress"}).status_code == 200
    assert ask("technologist", "PATCH", f"/{made}/status", {"status": "completed"}).status_code == 200
    report = {
        "report_text": "All values are within their limits.",
        "findings": "Nothing unusual",
        "impression": "A normal blood count",
        "result_status": "normal",
    }
    assert ask("technologist", "POST", f"/{made}/report", report).status_code == REFUSED
    assert ask("reporter", "POST", f"/{made}/report", report).status_code == 200


# --- procedures ---------------------------------------------------------------------------------------------

ROOM = {"scheduled_location": "OR 3", "scheduled_start": "2026-03-03T08:00:00Z"}
PREPARERS = {"orderer", "nurse", "or_coordinator"}
STAFF = {"nurse", "or_coordinator", "orderer", "engine"}
CHANGES: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any], set[str]]] = {
    "near ready": ((), {"surgical_status": "near_ready"}, PREPARERS),
    "ready": ((), {"surgical_status": "ready"}, PREPARERS),
    "booked": ((), {"surgical_status": "scheduled", **ROOM}, PREPARERS | {"scheduler"}),
    "given back": (
        ({"surgical_status": "scheduled", **ROOM},),
        {"surgical_status": "ready"},
        PREPARERS | {"scheduler"},
    ),
    "begun": (({"surgical_status": "scheduled", **ROOM},), {"status": "in-progress"}, STAFF),
    "completed": (
        ({"surgical_status": "scheduled", **ROOM}, {"status": "in-progress"}),
        {"status": "completed"},
        STAFF,
    ),
    "in error": (
        ({"surgical_status": "scheduled", **ROOM}, {"status": "in-progress"}, {"status": "completed"}),
        {"status": "entered-in-error"},
        {"orderer", "admin"},
    ),
    "overridden": (
        ({"barriers": ["bed"]},),
        {"surgical_status": "scheduled", "override_reason": "limb at risk", **ROOM},
        {"or_coordinator"},
    ),
}


def procedure(staff: Fhir, name: str, way: tuple[dict[str, Any], ...] = (), **elements: Any) -> None:
    readiness = {
        "url": f"{SITE}/StructureDefinition/or-readiness",
        "extension": [{"url": "surgicalStatus", "valueCode": "workup"}],
    }
    told = {"status": "preparation", "extension": [readiness], **subject(), **elements}
    staff.made("Procedure", id=name, **told)
    for step in way:
        assert patched(staff, name, step).status_code == 200


def patched(staff: Fhir, name: str, body: dict[str, Any], user: str | None = None) -> httpx.Response:
    headers = {"x-user": user} if user else {}
    return staff.http.patch(f"/api/procedures/{name}", json=body, headers=headers)


@pytest.mark.parametrize("step", CHANGES)
def test_a_step_of_a_procedure_is_for_the_roles_that_the_workflow_names(staff: Fhir, step: str) -> None:
    way, wanted, who = CHANGES[step]
    for user in (*ROLES[:-1], "engine"):
        procedure(staff, f"x-{user.replace('_', '-')}", way)
        answer = patched(staff, f"x-{user.replace('_', '-')}", wanted, user)
        assert answer.status_code == (200 if user in who else REFUSED), (user, answer.text)


def test_the_primary_surgeon_overrides_readiness(staff: Fhir, store: Store) -> None:
    staff.made("Practitioner", id="okafor", name=[{"family": "Okafor"}])
    with store.connection() as connection:
        add(store, "orderer", "okafor", practitioner_id=users.practitioner(connection, "okafor"))
    surgeon = {
        "function": {"coding": [{"system": f"{SITE}/CodeSystem/surgical-role", "code": "primary_surgeon"}]},
        "actor": {"reference": "Practitioner/okafor"},
    }
    wanted = {"surgical_status": "scheduled", "override_reason": "limb at risk", **ROOM}
    procedure(staff, "hers", ({"barriers": ["bed"]},), performer=[surgeon])
    procedure(staff, "another", ({"barriers": ["bed"]},))
    assert patched(staff, "hers", wanted, "orderer").status_code == REFUSED
    assert patched(staff, "another", wanted, "okafor").status_code == REFUSED
    assert patched(staff, "hers", wanted, "okafor").json()["surgical_status"] == "scheduled"


@pytest.mark.parametrize("user", ROLES[:-1])
def test_a_procedure_is_brought_onto_the_board_by_those_who_prepare_it(staff: Fhir, user: str) -> None:
    patient = {"mrn": "M1", "first_name": "A", "last_name": "B", "date_of_birth": "1980", "sex": "F"}
    assert staff.http.post("/api/patients", json=patient).status_code == 201
    body = {"mrn": "M1", "procedure_type": "Bypass"}
    answer = staff.http.post("/api/procedures", json=body, headers={"x-user": user})
    assert answer.status_code == (201 if user in PREPARERS else REFUSED), answer.text


# --- encounters, deletion, viewers --------------------------------------------------------------------------


def test_only_an_administrator_reopens_a_visit_that_is_finished(staff: Fhir) -> None:
    elements = {"status": "finished", "class": {"code": "AMB"}, **subject()}
    staff.made("Encounter", id="v", **elements)
    for user in ("nurse", "orderer", "scheduler"):
        assert edited(staff, user, "Encounter/v", status="in-progress") == 409
    assert edited(staff, "admin", "Encounter/v", status="in-progress") == 200


def test_only_an_administrator_deletes_for_good(staff: Fhir, store: Store) -> None:
    for user in ("orderer", "viewer", None):
        headers = {"x-user": user} if user else {}
        answer = staff.http.delete("/api/v1/patients/p?hard=true", headers=headers)
        assert answer.status_code == REFUSED, answer.text
    assert staff.get("Patient/p").status_code == 200
    answer = staff.http.delete("/api/v1/patients/p?hard=true", headers={"x-user": "admin"})
    assert answer.status_code == 204
    assert staff.get("Patient/p").status_code == 404
    told = trail(store)
    assert [each["outcome"] for each in told if each["http_status"] == REFUSED] == ["4"] * 3
    assert told[-1]["detail"]["removed"] == "for good"
    assert (told[-1]["role"], told[-1]["action"], told[-1]["username"]) == ("admin", "D", "admin")


def test_a_viewer_writes_nothing_through_any_door(staff: Fhir) -> None:
    value = {"resourceType": "Patient", "gender": "male"}
    outcome(staff.post("Patient", value, x_user="viewer"), REFUSED, "forbidden")
    outcome(staff.delete("Patient/p", x_user="viewer"), REFUSED, "forbidden")
    assert edited(staff, "viewer", "Patient/p", gender="male") == REFUSED
    assert staff.get("Patient/p", x_user="viewer").json()["meta"]["versionId"] == "1"
    entry = {"request": {"method": "POST", "url": "Patient"}, "resource": value}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    assert staff.post("", bundle, x_user="viewer").status_code == REFUSED
    batch = staff.post("", bundle | {"type": "batch"}, x_user="viewer").json()
    assert batch["entry"][0]["response"]["status"].startswith("403")
    assert staff.get("Patient?_summary=count").json()["total"] == 1


def test_an_account_that_is_not_active_is_refused(staff: Fhir, store: Store) -> None:
    add(store, "orderer", "gone", is_active=False)
    issue = outcome(staff.post("Patient", {"resourceType": "Patient"}, x_user="gone"), REFUSED, "forbidden")
    assert "not active" in issue["diagnostics"]


# --- the trail ----------------------------------------------------------------------------------------------


def trail(store: Store, actions: str = "CUD") -> list[dict[str, Any]]:
    """Return the audit trail, oldest first, with the names of accounts and resources; of writes, unless told
    otherwise.
    """
    with store.connection() as connection:
        return (
            connection.cursor(row_factory=dict_row)
            .execute(
                "SELECT e.*, u.username, r.fhir_id, p.fhir_id AS patient FROM audit_event e"
                " JOIN app_user u ON u.id = e.actor_id LEFT JOIN resource r ON r.id = e.resource_id"
                " LEFT JOIN resource p ON p.id = e.patient_id WHERE e.action = ANY(%s) ORDER BY e.id",
                (list(actions),),
            )
            .fetchall()
        )


def told(store: Store, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(each[column] for column in columns) for each in trail(store)]


def test_each_write_is_told_with_who_what_and_whom_it_is_about(staff: Fhir, store: Store) -> None:
    staff.put("Condition/c", {"resourceType": "Condition", "id": "c", **subject()}, x_user="nurse")
    edited(staff, "orderer", "Condition/c", code={"text": "Claudication"})
    edited(staff, "orderer", "Condition/c", code={"text": "Claudication"})
    staff.delete("Condition/c", x_user="stranger")
    columns = ("action", "fhir_id", "patient", "username", "role", "actor_text", "interface", "outcome")
    assert told(store, *columns) == [
        ("C", "p", "p", "system", None, None, "fhir", "0"),
        ("C", "c", "p", "nurse", "nurse", None, "fhir", "0"),
        ("U", "c", "p", "orderer", "orderer", None, "fhir", "0"),
        ("D", "c", "p", "system", None, "stranger", "fhir", "0"),
    ]
    assert {each["client_addr"] for each in trail(store)} == {"127.0.0.1"}
    assert "Claudication" not in str(trail(store))


def test_a_refusal_is_told_although_nothing_was_written(staff: Fhir, store: Store) -> None:
    name = order(staff, ())
    assert reach(staff, name, workflow("in_progress"), x_user="reporter").status_code == REFUSED
    found = trail(store)[-1]
    assert (found["action"], found["outcome"], found["http_status"]) == ("U", "4", REFUSED)
    assert (found["fhir_id"], found["patient"], found["username"]) == (name, "p", "reporter")
    assert found["detail"]["at"] == "ServiceRequest.status"
    assert found["detail"]["refused"].startswith("reporter may not")


def test_a_refusal_within_a_transaction_is_told_although_all_is_undone(staff: Fhir, store: Store) -> None:
    name = order(staff, ())
    value = staff.get(f"ServiceRequest/{name}").json() | {"status": "revoked"}
    entries = [
        {
            "request": {"method": "POST", "url": "Condition"},
            "resource": {"resourceType": "Condition", **subject()},
        },
        {"request": {"method": "PUT", "url": f"ServiceRequest/{name}"}, "resource": value},
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    before = len(trail(store))
    assert staff.post("", bundle, x_user="technologist").status_code == REFUSED
    assert told(store, "outcome", "fhir_id")[before:] == [("4", name)]


def test_reads_are_told_within_moments(staff: Fhir, store: Store) -> None:
    patient = {"mrn": "M1", "first_name": "A", "last_name": "B", "date_of_birth": "1980", "sex": "F"}
    number = staff.http.post("/api/patients", json=patient).json()["id"]
    start = datetime.now(UTC)

    def looks() -> list[dict[str, Any]]:
        # What tests before this one looked at may be written only now.
        return [each for each in trail(store, "RE") if each["at"] > start]

    staff.get("Patient/p", x_user="viewer")
    staff.get("Patient/p/_history/1", x_user="stranger")
    staff.get("Patient/p/_history")
    staff.get("Patient?family=Doe", x_user="nurse")
    for path in ("patients/M1", f"v1/patients/{number}", "v1/patients/mrn/M1", "patients?search=B"):
        staff.http.get(f"/api/{path}", headers={"x-user": "nurse"})
    deadline = time.monotonic() + 10
    while len(found := looks()) < 8 and time.monotonic() < deadline:
        time.sleep(0.1)
    columns = ("action", "patient", "username", "role", "actor_text", "interface")
    assert [tuple(each[column] for column in columns) for each in found] == [
        ("R", "p", "viewer", "viewer", None, "fhir"),
        ("R", "p", "system", None, "stranger", "fhir"),
        ("R", "p", "system", None, None, "fhir"),
        ("E", None, "nurse", "nurse", None, "fhir"),
        *[("R", number, "nurse", "nurse", None, "rest")] * 3,
        ("E", None, "nurse", "nurse", None, "rest"),
    ]
    assert {each["resource_type"] for each in found} == {"Patient"}
    assert "Doe" not in str(found)


@pytest.mark.parametrize("by", ["number", "accession"])
def test_an_order_that_is_read_by_its_number_is_told_as_read(staff: Fhir, store: Store, by: str) -> None:
    made = staff.made("ServiceRequest", status="active", intent="order", **subject())
    system = f"http://suture.example.org/fhir/sid/{'order' if by == 'number' else 'accession'}-number"
    number = next(each["value"] for each in made["identifier"] if each["system"] == system)
    start = datetime.now(UTC)
    path = f"/api/v1/orders/search/{by}/{number}"
    assert staff.http.get(path, headers={"x-user": "nurse"}).status_code == 200
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 10
    while not found and time.monotonic() < deadline:
        time.sleep(0.1)
        found = [each for each in trail(store, "RE") if each["at"] > start]
    columns = ("action", "fhir_id", "patient", "username", "interface")
    told_of = [tuple(each[column] for column in columns) for each in found]
    assert told_of == [("R", made["id"], "p", "nurse", "rest")]


# --- only known users ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict(module_database: Callable[[bool], str]) -> Iterator[tuple[httpx.Client, Store]]:
    """A gateway that serves known users only: an orderer, and one whose account is not active."""
    url = module_database(True)
    store = Store(url, pool_size=2)
    add(store, "orderer")
    add(store, "orderer", "gone", is_active=False)
    with tempfile.TemporaryDirectory() as folder:
        running = Gateway(url, Path(folder) / "log", SUTURE_REQUIRE_USER="true")
        try:
            running.wait()
            with httpx.Client(base_url=running.url, timeout=30, trust_env=False) as client:
                yield client, store
        finally:
            running.stop()
            store.close()


STRICT_PATHS = (
    "/fhir/Patient",
    "/fhir/Patient/1",
    "/api/procedures",
    "/api/v1/orders",
    "/api/orcc/status",
    "/api/v1/hl7/messages",
    "/pages/messages",
)


@pytest.mark.parametrize("path", STRICT_PATHS)
def test_where_known_users_are_asked_for_others_are_not_served(
    strict: tuple[httpx.Client, Store], path: str
) -> None:
    http, _ = strict
    nobody = http.get(path)
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "X-User")
    for user in ("stranger", "gone"):
        assert http.get(path, headers={"x-user": user}).status_code == REFUSED
    assert http.get(path, headers={"x-user": "orderer"}).status_code in (200, 404)


def test_who_is_not_served_is_told_in_the_trail(strict: tuple[httpx.Client, Store]) -> None:
    http, store = strict
    http.get("/fhir/Patient?family=Doe", headers={"x-user": "a-stranger-to-all"})
    deadline = time.monotonic() + 10
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.1)
        found = [each for each in trail(store, "E") if each["actor_text"] == "a-stranger-to-all"]
    (told,) = found
    assert (told["outcome"], told["http_status"], told["interface"]) == ("4", REFUSED, "fhir")


@pytest.mark.parametrize("path", ["/health/ready", "/api/v1/health", "/fhir/metadata", "/docs/openapi.json"])
def test_what_tells_of_nobody_is_open_to_everybody(strict: tuple[httpx.Client, Store], path: str) -> None:
    assert strict[0].get(path).status_code == 200
