"""What a change of one resource must obey, and what it does to others: orders, reports, procedures, visits.

https://hl7.org/fhir/R4/request.html#statemachine and https://hl7.org/fhir/R4/event.html#statemachine
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from gateway import errors
from gateway.records import Caller, Records, Written
from gateway.unit import Unit
from mappings import board
from mappings.element import IllegalTransition, Refused, ext
from mappings.order_workflow import bring_about_walk
from mappings.workflow.orders import walk
from tests.fixtures.records import FHIR
from tests.fixtures.server import Fhir, outcome

NATIVE = Caller("rest")
HL7 = Caller("hl7v2")
SUBJECT = {"subject": {"reference": "Patient/p1"}}
REASON = "http://hl7.org/fhir/StructureDefinition/request-statusReason"
FINAL = {"status": "final"}


@pytest.fixture
def ward(records: Records) -> Records:
    """Two patients."""
    for name in ("p1", "p2"):
        put(records, "Patient", name)
    return records


def put(ward: Records, kind: str, name: str, **elements: Any) -> Written:
    return ward.update(FHIR, kind, name, {"resourceType": kind, "id": name, **elements})


def order(ward: Records, status: str = "active", name: str = "o1", **elements: Any) -> Written:
    return put(ward, "ServiceRequest", name, **{"status": status, "intent": "order", **SUBJECT, **elements})


def report(ward: Records, status: str = "final", name: str = "r1", to: str = "o1", **more: Any) -> Written:
    elements = {"code": {"text": "Knee"}, "basedOn": [{"reference": f"ServiceRequest/{to}"}], **SUBJECT}
    return put(ward, "DiagnosticReport", name, **{"status": status, **elements, **more})


def procedure(
    ward: Records, status: str = "preparation", name: str = "x1", to: str | None = "o1", **more: Any
) -> Written:
    linked = {"basedOn": [{"reference": f"ServiceRequest/{to}"}]} if to else {}
    return put(ward, "Procedure", name, **{"status": status, **SUBJECT, **linked, **more})


def encounter(ward: Records, status: str, name: str = "e1", patient: str = "p1") -> Written:
    subject = {"subject": {"reference": f"Patient/{patient}"}}
    return put(ward, "Encounter", name, status=status, **{"class": {"code": "IMP"}}, **subject)


def row(ward: Records, kind: str, name: str) -> dict[str, Any]:
    return dict(ward.unit(FHIR, lambda unit: unit.get(kind, name)).main)


def standing(ward: Records, name: str = "o1") -> tuple[str, bool]:
    """Where an order stands: its workflow status, and whether it is on hold."""
    found = row(ward, "ServiceRequest", name)
    return found["status"], found["on_hold"]


def steps(ward: Records) -> list[tuple[str | None, str]]:
    """The steps that orders took, oldest first."""
    with ward.store.connection() as connection:
        return connection.execute(
            "SELECT from_status, to_status FROM order_status_event ORDER BY ctid"
        ).fetchall()


def chained(told: list[tuple[str | None, str]]) -> bool:
    return all(before[1] == after[0] for before, after in pairwise(told))


def move(ward: Records, told: dict[str, Any], override: str | None = None, name: str = "x1") -> None:
    """Change a procedure as the OR board does."""

    def work(unit: Unit) -> None:
        record = unit.get("Procedure", name)
        unit.override_reason = override
        board.change(record, told, unit.author.at, unit.author.actor_id, unit.new_id)
        unit.touch(record, "patch")
        unit.flush()

    ward.unit(NATIVE, work)


SLOT = {
    "scheduled_start": "2026-11-20T08:00:00Z",
    "scheduled_end": "2026-11-20T10:00:00Z",
    "scheduled_location": {"display": "OR 3"},
}


def booked(ward: Records, **told: Any) -> None:
    """An order whose procedure has a slot and a room."""
    order(ward)
    procedure(ward)
    move(ward, {"surgical_status": "workup"})
    move(ward, {**SLOT, **told, "surgical_status": "scheduled"})


# --- reports ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["final", "amended", "corrected", "appended"])
@pytest.mark.parametrize("then", ["registered", "partial", "preliminary", "final", "cancelled", "unknown"])
def test_a_final_report_goes_back_to_nothing(ward: Records, first: str, then: str) -> None:
    order(ward)
    report(ward, first)
    if first == then:
        report(ward, then)
        return
    with pytest.raises(IllegalTransition) as refused:
        report(ward, then)
    allowed = {"amended", "corrected", "appended", "entered-in-error"} - {first}
    assert set(refused.value.allowed) == allowed
    assert standing(ward) == ("reported", False)
    told = errors.problem_of(refused.value).issues[0].diagnostics
    assert all(status in told for status in allowed)


def test_a_report_that_was_amended_or_voided_is_still_accepted(ward: Records) -> None:
    order(ward)
    for status in ("preliminary", "final", "amended", "corrected"):
        report(ward, status)
    assert standing(ward) == ("reported", False)
    report(ward, "entered-in-error")
    assert standing(ward) == ("completed", False)
    found = row(ward, "ServiceRequest", "o1")
    assert (found["reported_at"], found["reporting_user_id"]) == (None, None)
    assert chained(steps(ward))


def test_an_order_is_completed_again_when_its_only_final_report_is_deleted(ward: Records) -> None:
    order(ward)
    report(ward)
    report(ward, name="r2")
    ward.delete(FHIR, "DiagnosticReport", "r1")
    assert standing(ward) == ("reported", False)
    ward.delete(FHIR, "DiagnosticReport", "r2")
    assert standing(ward) == ("completed", False)
    assert row(ward, "ServiceRequest", "o1")["reported_at"] is None
    assert steps(ward)[-1] == ("reported", "completed")


def test_a_report_that_moves_to_another_order_takes_its_step_along(ward: Records) -> None:
    order(ward)
    order(ward, name="o2")
    report(ward)
    report(ward, to="o2")
    assert (standing(ward), standing(ward, "o2")) == (("completed", False), ("reported", False))


@pytest.mark.parametrize(
    ("status", "made"), [("final", "reported"), ("preliminary", "in_progress"), ("cancelled", "ordered")]
)
def test_a_report_that_waits_moves_its_order_when_that_comes(ward: Records, status: str, made: str) -> None:
    report(ward, status)
    order(ward)
    assert standing(ward) == (made, False)
    assert (row(ward, "ServiceRequest", "o1")["reported_at"] is not None) == (made == "reported")
    assert chained(steps(ward))


def test_a_procedure_that_waits_moves_its_order_when_that_comes(ward: Records) -> None:
    procedure(ward, "completed")
    order(ward)
    assert standing(ward) == ("completed", False)


def test_what_waits_for_an_order_of_another_patient_does_not_move_it(ward: Records) -> None:
    report(ward)
    order(ward, subject={"reference": "Patient/p2"})
    assert standing(ward) == ("ordered", False)


def test_a_report_does_not_bring_a_deleted_order_back(ward: Records) -> None:
    order(ward)
    ward.delete(FHIR, "ServiceRequest", "o1")
    report(ward)
    with pytest.raises(errors.Deleted):
        ward.read(FHIR, "ServiceRequest", "o1")


# --- other patients --------------------------------------------------------------------------------------


OTHER: dict[str, Any] = {"subject": {"reference": "Patient/p2"}}


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda ward: report(ward, **OTHER), "DiagnosticReport.basedOn"),
        (lambda ward: procedure(ward, "completed", **OTHER), "Procedure.basedOn"),
        (
            lambda ward: order(ward, name="o2", basedOn=[{"reference": "ServiceRequest/o1"}], **OTHER),
            "ServiceRequest.basedOn",
        ),
        (
            lambda ward: order(ward, name="o2", encounter={"reference": "Encounter/e1"}, **OTHER),
            "ServiceRequest.encounter",
        ),
        (
            lambda ward: put(
                ward,
                "Observation",
                "v1",
                **FINAL,
                code={"text": "Weight"},
                encounter={"reference": "Encounter/e1"},
                **OTHER,
            ),
            "Observation.encounter",
        ),
        (
            lambda ward: put(
                ward,
                "Observation",
                "v1",
                **FINAL,
                code={"text": "Case"},
                partOf=[{"reference": "Procedure/x9"}],
                **OTHER,
            ),
            "Observation.partOf",
        ),
    ],
)
def test_what_belongs_to_another_patient_is_refused(
    ward: Records, make: Callable[[Records], Any], where: str
) -> None:
    order(ward)
    encounter(ward, "in-progress")
    procedure(ward, name="x9", to=None)
    with pytest.raises(Refused) as refused:
        make(ward)
    assert (refused.value.kind, refused.value.expression) == ("invariant", where)
    assert errors.problem_of(refused.value).status == 422
    assert standing(ward) == ("ordered", False)
    assert len(steps(ward)) == 1


def test_what_has_no_patient_here_may_refer_to_anything(ward: Records) -> None:
    encounter(ward, "in-progress")
    order(ward, subject={"reference": "Patient/far"}, encounter={"reference": "Encounter/e1"})
    assert standing(ward) == ("ordered", False)


# --- holds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "reached"),
    [(report, "reported"), (lambda ward: procedure(ward, "completed"), "completed")],
)
def test_a_fact_clears_a_hold(ward: Records, fact: Callable[[Records], Any], reached: str) -> None:
    order(ward)
    order(ward, "on-hold")
    fact(ward)
    assert standing(ward) == (reached, False)
    told = steps(ward)
    assert told[:3] == [(None, "ordered"), ("ordered", "on_hold"), ("on_hold", "in_progress")]
    assert chained(told)


def test_holds_and_releases_are_told_as_a_chain(ward: Records) -> None:
    order(ward, "on-hold")
    order(ward)
    order(ward, "on-hold")
    when = {"url": "scheduledAt", "valueDateTime": "2026-11-20T08:00:00Z"}
    status = {"url": "status", "valueCode": "scheduled"}
    order(ward, "on-hold", extension=[{"url": ext("order-workflow"), "extension": [status, when]}])
    order(ward, extension=[{"url": ext("order-workflow"), "extension": [status, when]}])
    told = steps(ward)
    assert told == [
        (None, "ordered"),
        ("ordered", "on_hold"),
        ("on_hold", "ordered"),
        ("ordered", "on_hold"),
        ("on_hold", "ordered"),
        ("ordered", "scheduled"),
        ("scheduled", "on_hold"),
        ("on_hold", "scheduled"),
    ]


def test_what_becomes_known_again_is_told_as_where_it_stands(ward: Records) -> None:
    order(ward, "unknown")
    order(ward, "completed")
    assert steps(ward) == [(None, "unknown"), ("unknown", "completed")]


def test_steps_that_a_message_tells_begin_where_the_order_stands(ward: Records) -> None:
    order(ward, "on-hold")

    def work(unit: Unit) -> None:
        record = unit.get("ServiceRequest", "o1")
        told = walk(record.main["status"], "completed")
        bring_about_walk(record, told, unit.author.at)
        unit.tell(record, told)
        unit.touch(record)
        unit.flush()

    ward.unit(HL7, work)
    assert standing(ward) == ("completed", False)
    assert steps(ward)[1:] == [
        ("ordered", "on_hold"),
        ("on_hold", "in_progress"),
        ("in_progress", "completed"),
    ]


# --- readiness and slots ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [{"scheduled_start": None}, {"scheduled_location": None}])
@pytest.mark.parametrize("override", [None, "life at risk"])
def test_a_booked_procedure_keeps_slot_and_room(
    ward: Records, lost: dict[str, Any], override: str | None
) -> None:
    booked(ward)
    with pytest.raises(Refused) as refused:
        move(ward, lost, override)
    assert refused.value.kind == "required"
    assert row(ward, "Procedure", "x1")["surgical_status"] == "scheduled"


def test_an_update_that_drops_the_slot_of_a_booked_procedure_is_refused(ward: Records) -> None:
    booked(ward)
    parts = [{"url": "surgicalStatus", "valueCode": "scheduled"}]
    with pytest.raises(Refused) as refused:
        procedure(ward, extension=[{"url": ext("or-readiness"), "extension": parts}])
    assert refused.value.expression.endswith("extension('scheduledPeriod')")
    procedure(ward, note=[{"text": "left out, so kept"}])
    assert row(ward, "Procedure", "x1")["scheduled_start"] == SLOT["scheduled_start"]


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"cardiology_clearance": False}, "near_ready"),
        ({"stress_test_status": "ordered"}, "near_ready"),
        ({"consent_status": "refused", "barriers": ["labs", "bed"]}, "workup"),
        ({"estimated_minutes": 90}, "ready"),
    ],
)
def test_a_ready_case_falls_back_when_its_guards_no_longer_hold(
    ward: Records, change: dict[str, Any], step: str
) -> None:
    procedure(ward, to=None)
    move(ward, {"surgical_status": "ready"})
    move(ward, change)
    assert row(ward, "Procedure", "x1")["surgical_status"] == step


def test_a_slot_does_not_end_before_it_starts(ward: Records) -> None:
    procedure(ward, to=None)
    with pytest.raises(Refused) as refused:
        move(ward, SLOT | {"scheduled_end": "2026-11-20T07:59:00Z"})
    assert errors.problem_of(refused.value).status == 422
    move(ward, SLOT | {"scheduled_end": SLOT["scheduled_start"]})


def test_the_order_follows_when_its_procedure_is_booked_again_or_given_back(ward: Records) -> None:
    booked(ward)
    assert row(ward, "ServiceRequest", "o1")["scheduled_at"] == SLOT["scheduled_start"]
    later = {"scheduled_start": "2026-11-27T08:00:00Z", "scheduled_end": "2026-11-27T10:00:00Z"}
    move(ward, later)
    assert row(ward, "ServiceRequest", "o1")["scheduled_at"] == later["scheduled_start"]
    move(ward, {"surgical_status": "workup"})
    assert standing(ward) == ("ordered", False)
    assert row(ward, "ServiceRequest", "o1")["scheduled_at"] is None
    assert steps(ward) == [
        (None, "ordered"),
        ("ordered", "scheduled"),
        ("scheduled", "scheduled"),
        ("scheduled", "ordered"),
    ]


def test_an_order_stays_booked_for_its_other_procedure(ward: Records) -> None:
    booked(ward)
    procedure(ward, name="x2")
    move(ward, {"surgical_status": "workup"}, name="x2")
    second = {"scheduled_start": "2026-12-01T08:00:00Z", "scheduled_end": "2026-12-01T09:00:00Z"}
    move(ward, SLOT | second | {"surgical_status": "scheduled"}, name="x2")
    move(ward, {"surgical_status": "workup"}, name="x2")
    assert standing(ward) == ("scheduled", False)
    assert row(ward, "ServiceRequest", "o1")["scheduled_at"] == SLOT["scheduled_start"]


def overrides(ward: Records) -> list[tuple[str, list[str]]]:
    """The overrides that the audit trail tells of: why, and what they lifted."""
    with ward.store.connection() as connection:
        rows = connection.execute("SELECT detail FROM audit_event WHERE action = 'E' ORDER BY at").fetchall()
    return [(found[0]["reason"], found[0]["lifted"]) for found in rows]


def test_an_override_is_audited_with_its_reason_and_what_it_lifted(ward: Records) -> None:
    procedure(ward, to=None)
    move(ward, {"surgical_status": "workup", "consent_status": "needed"})
    move(ward, SLOT | {"surgical_status": "scheduled"}, "life at risk")
    assert overrides(ward) == [("life at risk", ["consentStatus"])]
    move(ward, {"barriers": ["labs"]}, "blood is on its way")
    assert row(ward, "Procedure", "x1")["surgical_status"] == "scheduled"
    assert overrides(ward)[1:] == [("blood is on its way", ["barrier"])]
    move(ward, {"barriers": ["labs", "bed"]})
    assert row(ward, "Procedure", "x1")["surgical_status"] == "workup"
    assert len(overrides(ward)) == 2


def test_an_override_that_lifts_nothing_is_not_audited(ward: Records) -> None:
    procedure(ward, to=None)
    move(ward, {"surgical_status": "workup"})
    move(ward, SLOT | {"surgical_status": "scheduled"}, "just in case")
    move(ward, {"estimated_minutes": 60}, "just in case")
    assert overrides(ward) == []


def test_an_override_does_not_keep_an_unbooked_case_ready(ward: Records) -> None:
    procedure(ward, to=None)
    move(ward, {"surgical_status": "ready"})
    move(ward, {"barriers": ["labs"]}, "life at risk")
    assert row(ward, "Procedure", "x1")["surgical_status"] == "near_ready"


@pytest.mark.parametrize("told", [{"barriers": [""]}, {"barriers": [" "]}, {"procedure_type": " "}])
def test_what_is_blank_is_refused(ward: Records, told: dict[str, Any]) -> None:
    procedure(ward, to=None)
    with pytest.raises(Refused) as refused:
        move(ward, told)
    assert (refused.value.kind, refused.value.expression) == ("value", next(iter(told)))


# --- encounters and revived orders -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("planned", "finished"),
        ("arrived", "triaged"),
        ("onleave", "finished"),
        ("finished", "entered-in-error"),
        ("unknown", "planned"),
    ],
)
def test_an_encounter_goes_on(ward: Records, before: str, after: str) -> None:
    encounter(ward, before)
    encounter(ward, after)
    assert row(ward, "Encounter", "e1")["status"] == after


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ("finished", "planned", {"entered-in-error"}),
        ("finished", "unknown", {"entered-in-error"}),
        ("cancelled", "in-progress", {"entered-in-error"}),
        ("in-progress", "arrived", {"onleave", "finished", "entered-in-error"}),
        ("entered-in-error", "planned", set[str]()),
    ],
)
def test_an_encounter_does_not_go_back(ward: Records, before: str, after: str, allowed: set[str]) -> None:
    encounter(ward, before)
    with pytest.raises(IllegalTransition) as refused:
        encounter(ward, after)
    assert set(refused.value.allowed) == allowed


def test_a_deleted_order_that_comes_back_begins_anew_with_its_numbers(ward: Records) -> None:
    order(ward)
    report(ward)
    ward.delete(FHIR, "DiagnosticReport", "r1")
    before = row(ward, "ServiceRequest", "o1")
    ward.delete(FHIR, "ServiceRequest", "o1")
    back = order(ward)
    assert back.created
    after = row(ward, "ServiceRequest", "o1")
    assert standing(ward) == ("ordered", False)
    assert after["performed_at"] is None
    assert [after[name] for name in ("order_number", "accession_number")] == [
        before[name] for name in ("order_number", "accession_number")
    ]
    assert steps(ward)[-1] == (None, "ordered")
    told = msgspec.json.decode(back.version.content or b"")
    assert told["status"] == "active"
    assert "extension" not in told


def test_what_is_told_of_a_deleted_order_counts_when_it_comes_back(ward: Records) -> None:
    order(ward)
    ward.delete(FHIR, "ServiceRequest", "o1")
    report(ward)
    order(ward)
    assert standing(ward) == ("reported", False)


def test_a_refused_step_is_a_conflict_over_http(fhir: Fhir) -> None:
    visit = {"class": {"code": "IMP"}}
    fhir.made("Encounter", id="e1", status="finished", **visit)
    value = {"resourceType": "Encounter", "id": "e1", "status": "planned", **visit}
    issue = outcome(fhir.put("Encounter/e1", value), 409, "conflict")
    assert issue["diagnostics"] == "finished → planned; allowed from finished: entered-in-error"


@pytest.mark.parametrize("name", ["status", "surgical_status"])
def test_the_board_is_not_asked_for_words_that_it_has_not(fhir: Fhir, name: str) -> None:
    answer = fhir.http.get("/api/procedures", params={name: "bogus"})
    assert answer.status_code == 400
    assert "preparation" in answer.text if name == "status" else "near_ready" in answer.text
    known = {"status": "preparation", "surgical_status": "ready"}[name]
    assert fhir.http.get("/api/procedures", params={name: known}).json() == []


def test_every_refusal_of_a_step_names_what_is_allowed(ward: Records) -> None:
    order(ward)
    with pytest.raises(IllegalTransition) as refused:
        order(ward, "completed")
    problem = errors.problem_of(refused.value)
    assert problem.status == 409
    assert "ordered → completed" in problem.issues[0].diagnostics
    assert "in_progress" in problem.issues[0].diagnostics
