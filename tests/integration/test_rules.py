"""What a change of one resource must obey, and what it does to others: orders, reports, procedures, visits.

https://hl7.org/fhir/R4/request.html#statemachine and https://hl7.org/fhir/R4/event.html#statemachine
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway import errors
from gateway.records import Records
from gateway.unit import Unit
from mappings.element import IllegalTransition, Refused, ext
from mappings.order_workflow import bring_about_walk
from mappings.workflow.orders import walk
from tests.fixtures.records import FHIR
from tests.fixtures.server import Fhir, outcome
from tests.fixtures.ward import (
    FINAL,
    HL7,
    chained,
    encounter,
    order,
    procedure,
    put,
    report,
    row,
    standing,
    steps,
)

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
