"""Readiness and status of procedures, cell by cell. https://hl7.org/fhir/R4/event.html#statemachine"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from mappings import procedures
from mappings.element import IllegalTransition, Refused, RoleRefused
from mappings.resources.procedure import PROCEDURE
from mappings.workflow.procedures import (
    BOOKERS,
    PREPARERS,
    STEPS,
    Ask,
    Standing,
    clearance_of,
    judge_readiness,
    judge_slot,
    judge_status,
    lacking,
    lifted,
    open_barriers,
    order_target,
    settle_lost_guards,
    settle_readiness,
)
from storage.model.people import ROLES
from storage.model.procedure import CLEARANCES, STATUSES, STRESS_TESTS
from storage.record import Record
from tests.fixtures.resources import numbered, read

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
BOOKED: dict[str, Any] = {"scheduled_start": "2026-03-01T08:00:00Z", "scheduled_location_text": "OR 3"}
NEW_ID = numbered()


def act(status: str = "preparation", barriers: int = 0, **columns: Any) -> Record:
    value = {"resourceType": "Procedure", "status": status, "subject": {"reference": "Patient/p"}}
    record = read(PROCEDURE, value)
    record.main.update(columns)
    for _ in range(barriers):
        procedures.add_barrier(record, "labs", None, AT, NEW_ID)
    return record


@pytest.mark.parametrize(("barriers", "allowed"), [(0, True), (1, True), (2, False)])
def test_one_open_barrier_at_most_is_near_ready(barriers: int, allowed: bool) -> None:
    assert (not lacking(act(barriers=barriers), "near_ready")) == allowed


def test_barriers_that_are_resolved_or_do_not_block_do_not_count() -> None:
    record = act(barriers=3)
    first, second, third = record.rows(procedures.ProcedureBarrier)
    first["resolved_at"], second["blocking"] = AT, False
    assert open_barriers(record) == [third]
    assert open_barriers(record, blocking=False) == [second, third]


@pytest.mark.parametrize("clearance", [None, *CLEARANCES])
def test_ready_needs_cardiology_clearance(clearance: str | None) -> None:
    lacks = lacking(act(cardiology_clearance=clearance), "ready")
    allowed = clearance in (None, "not_required", "cleared", "cleared_with_conditions")
    assert [lack.element for lack in lacks] == ([] if allowed else ["cardiologyClearance"])


@pytest.mark.parametrize(("stress", "clearance"), list(product([None, *STRESS_TESTS], [None, "cleared"])))
def test_ready_needs_a_stress_test(stress: str | None, clearance: str | None) -> None:
    lacks = lacking(act(stress_test_status=stress, cardiology_clearance=clearance), "ready")
    normal = stress in (None, "not_required", "completed_normal")
    allowed = normal or (stress == "completed_abnormal" and clearance == "cleared")
    assert [lack.element for lack in lacks] == ([] if allowed else ["stressTestStatus"])


@pytest.mark.parametrize(
    ("consent", "allowed"),
    [(None, True), ("not_required", True), ("signed", True), ("needed", False), ("refused", False)],
)
def test_ready_needs_consent(consent: str | None, allowed: bool) -> None:
    assert [lack.element for lack in lacking(act(consent_status=consent), "ready")] == (
        [] if allowed else ["consentStatus"]
    )


def test_a_refusal_names_everything_that_is_missing() -> None:
    record = act(
        barriers=1, cardiology_clearance="pending", consent_status="needed", surgical_status="scheduled"
    )
    with pytest.raises(Refused) as refused:
        judge_readiness("workup", record, Ask())
    for part in ("labs", "cardiology clearance (it is pending)", "signed consent", "slot", "room"):
        assert part in refused.value.message


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ({}, ["scheduledPeriod", "scheduledLocation"]),
        ({"scheduled_start": "2026"}, ["scheduledLocation"]),
        ({"scheduled_location_text": "OR 3"}, ["scheduledPeriod"]),
        (BOOKED, []),
        ({**BOOKED, "consent_status": "needed"}, ["consentStatus"]),
        ({**BOOKED, "consent_status": "needed", "case_class": "emergent"}, []),
        ({"case_class": "emergent"}, ["scheduledPeriod", "scheduledLocation"]),
    ],
)
def test_scheduled_needs_readiness_slot_and_room(columns: dict[str, Any], missing: list[str]) -> None:
    assert [lack.element for lack in lacking(act(**columns), "scheduled")] == missing


@pytest.mark.parametrize(
    ("columns", "kind"), [({}, "required"), ({"consent_status": "needed"}, "business-rule")]
)
def test_a_missing_slot_is_required_a_missing_consent_a_rule(columns: dict[str, Any], kind: str) -> None:
    with pytest.raises(Refused) as refused:
        judge_readiness("ready", act(surgical_status="scheduled", **columns), Ask())
    assert refused.value.kind == kind


@pytest.mark.parametrize(
    ("ask", "allowed"),
    [
        (Ask("or_coordinator", "life at risk"), True),
        (Ask("orderer", "life at risk", primary_surgeon=True), True),
        (Ask(None, "life at risk"), True),
        (Ask("or_coordinator"), False),
    ],
)
def test_an_override_lifts_readiness(ask: Ask, allowed: bool) -> None:
    record = act(surgical_status="scheduled", consent_status="needed", **BOOKED)
    if allowed:
        judge_readiness("workup", record, ask)
    else:
        with pytest.raises(Refused):
            judge_readiness("workup", record, ask)


def test_an_override_lifts_neither_slot_nor_room_and_is_not_for_everyone() -> None:
    with pytest.raises(Refused):
        judge_readiness("workup", act(surgical_status="scheduled"), Ask("or_coordinator", "life at risk"))
    with pytest.raises(RoleRefused):
        judge_readiness("workup", act(surgical_status="scheduled", **BOOKED), Ask("nurse", "life at risk"))


@pytest.mark.parametrize(("before", "after", "role"), list(product(STEPS, STEPS, ROLES)))
def test_readiness_is_changed_by_its_roles_alone(before: str, after: str, role: str) -> None:
    record = act(surgical_status=after, **BOOKED)
    who = BOOKERS if "scheduled" in (before, after) else PREPARERS
    if before == after or role in who:
        judge_readiness(before, record, Ask(role))
    else:
        with pytest.raises(RoleRefused):
            judge_readiness(before, record, Ask(role))


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "preparation"])
def test_readiness_stands_still_after_preparation(status: str) -> None:
    with pytest.raises(IllegalTransition):
        judge_readiness("workup", act(status, surgical_status="near_ready"), Ask())


def test_a_step_back_is_never_held_up_and_clears_the_slot() -> None:
    record = act(barriers=2, surgical_status="near_ready", **BOOKED)
    judge_readiness("scheduled", record, Ask("scheduler"))
    settle_readiness("scheduled", record)
    assert record.main["scheduled_start"] is None
    assert record.main["scheduled_location_text"] == "OR 3"


@pytest.mark.parametrize(
    ("before", "barriers", "columns", "after"),
    [
        ("scheduled", 1, {}, "near_ready"),
        ("ready", 1, {}, "near_ready"),
        ("ready", 2, {}, "workup"),
        ("near_ready", 2, {}, "near_ready"),
        ("scheduled", 0, {}, "scheduled"),
        ("scheduled", 1, {"case_class": "emergent"}, "scheduled"),
        ("scheduled", 1, {"status": "in-progress"}, "scheduled"),
    ],
)
def test_a_new_barrier_moves_a_ready_procedure_back(
    before: str, barriers: int, columns: Any, after: str
) -> None:
    record = act(barriers=barriers, surgical_status=before, **BOOKED)
    record.main.update(columns)
    assert settle_lost_guards(before, record, Standing(), Ask()) == (before != after)
    assert record.main["surgical_status"] == after
    assert (record.main["scheduled_start"] is None) == (before == "scheduled" != after)


def test_barriers_that_were_overridden_move_nothing_until_another_is_added() -> None:
    record = act(barriers=2, surgical_status="scheduled", **BOOKED)
    assert not settle_lost_guards("scheduled", record, Standing(2), Ask())
    assert settle_lost_guards("scheduled", record, Standing(1), Ask())


@pytest.mark.parametrize("step", ["ready", "scheduled"])
def test_a_clearance_that_is_lost_moves_a_procedure_back_once(step: str) -> None:
    record = act(surgical_status=step, cardiology_clearance="pending", **BOOKED)
    assert not settle_lost_guards(step, record, Standing.of(record), Ask())
    assert settle_lost_guards(step, record, Standing(), Ask())
    assert record.main["surgical_status"] == "near_ready"


def test_an_overridden_case_does_not_step_back_to_ready() -> None:
    record = act(surgical_status="ready", consent_status="needed")
    assert settle_lost_guards("scheduled", record, Standing.of(record), Ask())


def test_an_override_lifts_what_is_new_where_the_case_is_booked_already() -> None:
    record = act(barriers=1, surgical_status="scheduled", consent_status="needed", **BOOKED)
    ask, standing = Ask("or_coordinator", "life at risk"), Standing(0, frozenset({"consentStatus"}))
    assert lifted("workup", record, standing, ask) == ["barrier", "consentStatus"]
    assert lifted("scheduled", record, standing, ask) == ["barrier"]
    assert not settle_lost_guards("scheduled", record, standing, ask)
    assert lifted("scheduled", record, standing, Ask()) == []
    record.main["case_class"] = "emergent"
    assert lifted("workup", record, standing, ask) == []


@pytest.mark.parametrize("lost", BOOKED)
def test_a_booked_procedure_does_not_lose_slot_or_room(lost: str) -> None:
    record = act(surgical_status="scheduled", case_class="emergent", **BOOKED)
    record.main[lost] = None
    judge_slot(record, Standing.of(record))
    with pytest.raises(Refused):
        judge_slot(record, Standing())


LEGAL = {
    ("preparation", "in-progress"),
    ("preparation", "not-done"),
    ("preparation", "on-hold"),
    ("on-hold", "preparation"),
    ("on-hold", "in-progress"),
    ("in-progress", "completed"),
    ("in-progress", "stopped"),
    ("in-progress", "on-hold"),
    ("completed", "entered-in-error"),
    ("stopped", "entered-in-error"),
    ("not-done", "entered-in-error"),
}


def with_reason(status: str) -> Record:
    value = {"resourceType": "Procedure", "status": status, "statusReason": {"text": "patient left"}}
    return read(PROCEDURE, value)


@pytest.mark.parametrize(("before", "after"), list(product(STATUSES, STATUSES)))
def test_each_pair_of_statuses_is_a_step_or_a_conflict(before: str, after: str) -> None:
    if before in (after, "unknown") or (before, after) in LEGAL:
        judge_status(before, with_reason(after), Ask())
    else:
        with pytest.raises(IllegalTransition):
            judge_status(before, with_reason(after), Ask())


@pytest.mark.parametrize(("ends", "role"), list(product(sorted(LEGAL), ROLES)))
def test_each_step_of_the_status_is_open_to_its_roles_alone(ends: tuple[str, str], role: str) -> None:
    before, after = ends
    staff = ("nurse", "or_coordinator", "orderer", "system")
    who = ("orderer", "admin") if after == "entered-in-error" else staff
    if role in who:
        judge_status(before, with_reason(after), Ask(role))
    else:
        with pytest.raises(RoleRefused):
            judge_status(before, with_reason(after), Ask(role))


@pytest.mark.parametrize(("before", "after"), [("in-progress", "stopped"), ("preparation", "not-done")])
def test_what_is_given_up_needs_a_reason(before: str, after: str) -> None:
    with pytest.raises(Refused, match="needs a reason"):
        judge_status(before, act(after), Ask())


@pytest.mark.parametrize(
    ("surgical_status", "case_class", "allowed"),
    [
        (None, None, True),
        ("scheduled", None, True),
        ("ready", None, False),
        ("workup", "urgent", False),
        ("workup", "emergent", True),
    ],
)
def test_only_a_booked_or_emergent_case_starts(
    surgical_status: str | None, case_class: str | None, allowed: bool
) -> None:
    record = act("in-progress", surgical_status=surgical_status, case_class=case_class)
    if allowed:
        judge_status("preparation", record, Ask())
    else:
        with pytest.raises(Refused, match="only a scheduled or emergent"):
            judge_status("preparation", record, Ask())


@pytest.mark.parametrize(
    ("status", "columns", "others", "target"),
    [
        ("preparation", {"surgical_status": "scheduled"}, [], "scheduled"),
        ("preparation", {"surgical_status": "ready"}, [], None),
        ("in-progress", {"surgical_status": "scheduled"}, [], "in_progress"),
        ("completed", {}, [], "completed"),
        ("completed", {}, ["completed", "entered-in-error"], "completed"),
        ("completed", {}, ["completed", "in-progress"], None),
        ("stopped", {}, [], None),
    ],
)
def test_the_order_follows_its_procedures(
    status: str, columns: Any, others: list[str], target: str | None
) -> None:
    assert order_target(act(status, **columns), others) == target


@pytest.mark.parametrize(
    ("value", "clearance"),
    [(True, "cleared"), (False, "pending"), ("not_required", "not_required"), (None, None)],
)
def test_json_booleans_are_clearances(value: Any, clearance: str | None) -> None:
    assert clearance_of(value) == clearance
