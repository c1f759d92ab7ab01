"""The workflow of orders, cell by cell. https://hl7.org/fhir/R4/request.html#statemachine"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import convert
from mappings import order_workflow as workflow
from mappings.element import IllegalTransition, Refused, RoleRefused, ext
from mappings.resources.service_request import SERVICE_REQUEST
from mappings.workflow.orders import (
    FITTING,
    OPEN,
    STATUSES,
    TRANSITIONS,
    Ask,
    State,
    Step,
    from_fhir,
    judge,
    to_fhir,
    told,
    walk,
)
from storage.model.people import ROLES
from storage.record import Record
from tests.fixtures.resources import draw, numbered, read, text

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
WORKFLOW = ext("order-workflow")
BOOKED = {"url": "scheduledAt", "valueDateTime": "2026-03-01T10:00:00Z"}


def order(status: str, *parts: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": "made-here",
        "status": status,
        "intent": "order",
        "subject": {"reference": "Patient/p"},
    }
    return value | ({"extension": [{"url": WORKFLOW, "extension": list(parts)}]} if parts else {})


def word(status: str) -> dict[str, Any]:
    return {"url": "status", "valueCode": status}


def replaced(old: Record, value: dict[str, Any]) -> State:
    new = read(SERVICE_REQUEST, value)
    convert.carry(SERVICE_REQUEST, old, new, numbered())
    for hook in SERVICE_REQUEST.project:
        hook(new)
    return workflow.state_of(new)


# --- ServiceRequest.status and the extension --------------------------------------------------------------

RENDERED = [
    (State("ordered", record_state="draft"), "draft", None),
    (State("ordered"), "active", None),
    (State("scheduled"), "active", "scheduled"),
    (State("in_progress"), "active", "in_progress"),
    (State("completed"), "completed", None),
    (State("reported"), "completed", "reported"),
    (State("cancelled"), "revoked", None),
    (State("ordered", on_hold=True), "on-hold", None),
    (State("scheduled", on_hold=True), "on-hold", "scheduled"),
    (State("ordered", record_state="entered-in-error"), "entered-in-error", None),
    (State("completed", record_state="entered-in-error"), "entered-in-error", "completed"),
    (State("ordered", record_state="unknown"), "unknown", None),
    (State("cancelled", record_state="unknown"), "unknown", "cancelled"),
]


@pytest.mark.parametrize(("state", "status", "extension"), RENDERED)
def test_each_state_renders_as_the_table_says_and_is_read_back(
    state: State, status: str, extension: str | None
) -> None:
    assert (to_fhir(state), told(state)) == (status, extension)
    value = order(status, *([word(extension)] if extension else []))
    record = read(SERVICE_REQUEST, value)
    assert workflow.state_of(record) == state
    assert text(draw(SERVICE_REQUEST, record)) == text(value)


@pytest.mark.parametrize("status", FITTING)
def test_the_extension_may_come_before_the_status(status: str) -> None:
    for stated in FITTING[status]:
        value = order(status, word(stated))
        turned = dict(reversed(value.items()))
        assert workflow.state_of(read(SERVICE_REQUEST, turned)) == from_fhir(status, stated)


@pytest.mark.parametrize(
    ("status", "stated"),
    [(status, stated) for status, stated in product(FITTING, STATUSES) if stated not in FITTING[status]],
)
def test_an_extension_that_contradicts_the_status_is_refused(status: str, stated: str) -> None:
    with pytest.raises(Refused) as refused:
        read(SERVICE_REQUEST, order(status, word(stated)))
    assert (refused.value.kind, refused.value.value) == ("invariant", stated)


@pytest.mark.parametrize(("status", "stated"), [(status, FITTING[status][0]) for status in FITTING])
def test_a_workflow_status_that_was_said_needlessly_comes_back(status: str, stated: str) -> None:
    value = order(status, word(stated))
    assert text(draw(SERVICE_REQUEST, read(SERVICE_REQUEST, value))) == text(value)


def test_what_went_without_saying_is_gone_once_the_order_has_moved_on() -> None:
    record = read(SERVICE_REQUEST, order("active", word("ordered")))
    workflow.set_state(record, State("cancelled"))
    for hook in SERVICE_REQUEST.project:
        hook(record)
    assert draw(SERVICE_REQUEST, record) == order("revoked")


@pytest.mark.parametrize(
    ("old", "new", "state"),
    [
        (("active", word("scheduled"), BOOKED), ("active",), State("scheduled")),
        (("active", word("in_progress")), ("active",), State("in_progress")),
        (("completed",), ("active",), State("ordered")),
        (("active", word("scheduled"), BOOKED), ("active", word("ordered")), State("ordered")),
        (("active", word("in_progress")), ("on-hold",), State("in_progress", on_hold=True)),
        (("active", word("scheduled"), BOOKED), ("revoked",), State("cancelled")),
        (("active", word("in_progress")), ("completed",), State("completed")),
        (("completed", word("reported")), ("completed",), State("reported")),
    ],
)
def test_an_update_without_the_extension_keeps_what_still_fits(old: Any, new: Any, state: State) -> None:
    assert replaced(read(SERVICE_REQUEST, order(*old)), order(*new)) == state


def test_a_void_record_keeps_the_workflow_status_that_it_had() -> None:
    before, after = (
        read(SERVICE_REQUEST, order("completed")),
        read(SERVICE_REQUEST, order("entered-in-error")),
    )
    workflow.keep_status_of_void(workflow.state_of(before), after)
    assert workflow.state_of(after) == State("completed", record_state="entered-in-error")


@pytest.mark.parametrize("element", ["status", "workflow"])
def test_setting_one_of_the_two_elements_leaves_the_other(element: str) -> None:
    record = read(SERVICE_REQUEST, order("active", word("scheduled")))
    at = convert.top(record, SERVICE_REQUEST, numbered())
    if element == "status":
        convert.replace_element(at, SERVICE_REQUEST.by_element["status"], "status", "on-hold")
        assert workflow.state_of(record) == State("scheduled", on_hold=True)
    else:
        convert.clear(at, SERVICE_REQUEST.extensions[WORKFLOW])
        assert workflow.state_of(record) == State("ordered")


# --- judging steps ----------------------------------------------------------------------------------------

READY = Ask(has_slot=True, has_reason=True, made_it=True)
LEGAL: dict[tuple[str, str], tuple[str, ...]] = {
    ("ordered", "scheduled"): ("scheduler", "or_coordinator", "orderer", "system"),
    ("scheduled", "ordered"): ("scheduler", "or_coordinator", "system"),
    ("ordered", "in_progress"): ("technologist", "nurse", "orderer", "system"),
    ("scheduled", "in_progress"): ("technologist", "nurse", "orderer", "system"),
    ("in_progress", "completed"): ("technologist", "nurse", "orderer", "system"),
    ("completed", "reported"): ("reporter", "system"),
    ("reported", "completed"): ("reporter", "admin", "system"),
    ("completed", "in_progress"): ("admin", "system"),
    ("in_progress", "scheduled"): ("admin", "system"),
    ("in_progress", "ordered"): ("admin", "system"),
    ("ordered", "cancelled"): ("orderer", "or_coordinator", "admin", "system"),
    ("scheduled", "cancelled"): ("orderer", "or_coordinator", "admin", "system"),
    ("in_progress", "cancelled"): ("orderer", "or_coordinator", "admin", "system"),
}


def asked(source: str, target: str, role: str | None = None) -> Ask:
    report = (source, target) == ("completed", "reported")
    return Ask(role=role, has_slot=True, has_reason=True, made_it=True, final_report=report)


@pytest.mark.parametrize(
    ("source", "target"), [pair for pair in product(STATUSES, STATUSES) if pair[0] != pair[1]]
)
def test_each_pair_of_states_is_a_step_or_a_conflict(source: str, target: str) -> None:
    if (source, target) in LEGAL:
        (step,) = judge(State(source), State(target), asked(source, target))
        assert step.target == target
    else:
        with pytest.raises(IllegalTransition) as refused:
            judge(State(source), State(target), asked(source, target))
        assert (refused.value.present, refused.value.wanted) == (source, target)
        assert str(refused.value) == f"{source} → {target}"


@pytest.mark.parametrize(("ends", "role"), list(product(LEGAL, ROLES)))
def test_each_step_is_open_to_its_roles_alone(ends: tuple[str, str], role: str) -> None:
    source, target = ends
    if role in LEGAL[ends]:
        assert judge(State(source), State(target), asked(source, target, role))
    else:
        with pytest.raises(RoleRefused) as refused:
            judge(State(source), State(target), asked(source, target, role))
        assert refused.value.who == LEGAL[ends]


@pytest.mark.parametrize(
    ("present", "wanted", "ask", "kind"),
    [
        (State("ordered"), State("scheduled"), Ask(), "required"),
        (State("scheduled"), State("scheduled"), Ask(again=True), "required"),
        (State("in_progress"), State("scheduled"), Ask(), "required"),
        (State("ordered"), State("cancelled"), Ask(), "required"),
        (State("ordered", on_hold=True), State("in_progress", on_hold=True), Ask(), "business-rule"),
        (State("completed"), State("reported"), Ask(), "business-rule"),
        (State("reported"), State("reported"), Ask(again=True), "business-rule"),
        (State("reported"), State("completed"), Ask(final_report=True), "business-rule"),
        (State("completed"), State("in_progress"), Ask(final_report=True), "business-rule"),
        (State("in_progress"), State("ordered"), Ask(final_report=True), "business-rule"),
    ],
)
def test_a_guard_that_does_not_hold_refuses(present: State, wanted: State, ask: Ask, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        judge(present, wanted, ask)
    assert refused.value.kind == kind


def test_an_order_that_is_released_may_start_at_once() -> None:
    steps = judge(State("scheduled", on_hold=True), State("in_progress"), Ask())
    assert [step.name for step in steps] == ["release", "start"]


@pytest.mark.parametrize(
    ("ask", "allowed"),
    [
        (Ask("orderer", has_reason=True), True),
        (Ask("orderer", has_reason=True, same_department=False), False),
        (Ask("or_coordinator", has_reason=True, same_department=False), True),
    ],
)
def test_an_orderer_cancels_only_in_the_own_department(ask: Ask, allowed: bool) -> None:
    if allowed:
        assert judge(State("ordered"), State("cancelled"), ask)
    else:
        with pytest.raises(RoleRefused):
            judge(State("ordered"), State("cancelled"), ask)


def test_only_the_system_that_made_an_order_corrects_it() -> None:
    with pytest.raises(RoleRefused):
        judge(State("completed"), State("in_progress"), Ask("system"))
    assert judge(State("completed"), State("in_progress"), Ask("system", made_it=True))


@pytest.mark.parametrize("status", STATUSES)
def test_a_hold_is_laid_only_on_an_open_order(status: str) -> None:
    held = State(status, on_hold=True)
    if status in OPEN:
        assert [step.name for step in judge(State(status), held, Ask("scheduler"))] == ["hold"]
        assert [step.name for step in judge(held, State(status), Ask("orderer"))] == ["release"]
        with pytest.raises(RoleRefused):
            judge(State(status), held, Ask("technologist"))
    else:
        with pytest.raises(IllegalTransition):
            judge(State(status), held, READY)


@pytest.mark.parametrize("status", STATUSES)
def test_any_order_but_a_cancelled_one_can_be_entered_in_error(status: str) -> None:
    wanted = State(status, record_state="entered-in-error")
    if status == "cancelled":
        with pytest.raises(IllegalTransition):
            judge(State(status), wanted, Ask("admin"))
    else:
        assert [step.name for step in judge(State(status), wanted, Ask("admin"))] == ["void"]
        with pytest.raises(RoleRefused):
            judge(State(status), wanted, Ask("nurse"))


@pytest.mark.parametrize(
    "wanted", [State("ordered"), State("completed"), State("ordered", record_state="draft")]
)
def test_nothing_leaves_entered_in_error(wanted: State) -> None:
    with pytest.raises(IllegalTransition):
        judge(State("ordered", record_state="entered-in-error"), wanted, READY)


@pytest.mark.parametrize(
    ("present", "wanted", "names"),
    [
        (State("ordered", record_state="draft"), State("ordered"), ["order"]),
        (State("ordered", record_state="draft"), State("ordered", on_hold=True), ["order", "hold"]),
        (State("ordered", record_state="draft"), State("cancelled"), ["cancel"]),
        (State("ordered", record_state="unknown"), State("completed"), ["order"]),
        (State("scheduled"), State("scheduled", record_state="unknown"), ["lose"]),
        (State("scheduled"), State("scheduled"), []),
    ],
)
def test_drafts_and_unknown_records_become_orders(present: State, wanted: State, names: list[str]) -> None:
    assert [step.name for step in judge(present, wanted, READY)] == names


@pytest.mark.parametrize("status", STATUSES)
def test_no_order_becomes_a_draft(status: str) -> None:
    with pytest.raises(IllegalTransition):
        judge(State(status), State("ordered", record_state="draft"), READY)


def test_an_order_is_booked_again_and_its_report_amended() -> None:
    assert [
        s.name for s in judge(State("scheduled"), State("scheduled"), Ask(again=True, has_slot=True))
    ] == ["schedule"]
    amended = judge(State("reported"), State("reported"), Ask(again=True, final_report=True))
    assert [step.name for step in amended] == ["amend"]


# --- walking ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "target", "way"),
    [
        ("ordered", "reported", ["in_progress", "completed", "reported"]),
        ("scheduled", "reported", ["in_progress", "completed", "reported"]),
        ("in_progress", "reported", ["completed", "reported"]),
        ("completed", "reported", ["reported"]),
        ("reported", "reported", ["reported"]),
        ("ordered", "completed", ["in_progress", "completed"]),
        ("ordered", "scheduled", ["scheduled"]),
        ("completed", "in_progress", []),
        ("in_progress", "scheduled", []),
        ("reported", "completed", []),
        ("scheduled", "scheduled", []),
        ("cancelled", "cancelled", []),
        ("in_progress", "cancelled", ["cancelled"]),
        (None, "ordered", ["ordered"]),
        (None, "scheduled", ["ordered", "scheduled"]),
        (None, "reported", ["ordered", "in_progress", "completed", "reported"]),
        (None, "cancelled", ["ordered", "cancelled"]),
    ],
)
def test_facts_are_walked_to_and_never_back(present: str | None, target: str, way: list[str]) -> None:
    steps = walk(present, target)
    assert [step.target for step in steps] == way
    assert [step.implied for step in steps] == [True] * (len(way) - 1) + [False] * bool(way)


@given(st.sampled_from([None, *OPEN, "completed", "reported"]), st.sampled_from(STATUSES[:-1]))
def test_each_walk_is_a_chain_of_steps_of_the_workflow(present: str | None, target: str) -> None:
    ends = {(source, row.target) for row in TRANSITIONS for source in row.sources}
    steps = walk(present, target)
    sources = [present, *(step.target for step in steps)]
    assert [step.source for step in steps] == sources[:-1]
    assert all((step.source or "new", step.target) in ends for step in steps)
    assert not steps or steps[-1].target == target


@pytest.mark.parametrize(
    ("present", "target"), [("cancelled", "reported"), ("completed", "cancelled"), ("reported", "cancelled")]
)
def test_a_cancelled_order_is_not_walked_and_done_work_not_cancelled(present: str, target: str) -> None:
    with pytest.raises(IllegalTransition):
        walk(present, target)


# --- what steps bring about -------------------------------------------------------------------------------


def test_steps_stamp_their_times_once_and_name_who_acted() -> None:
    record, who = read(SERVICE_REQUEST, order("active")), UUID(int=7)
    start = judge(State("ordered"), State("in_progress"), Ask())
    workflow.bring_about(record, start, NOW, performer=who)
    complete = judge(State("in_progress"), State("completed"), Ask())
    workflow.bring_about(record, complete, NOW)
    workflow.bring_about(record, complete, NOW.replace(year=2027))
    report = judge(State("completed"), State("reported"), Ask(final_report=True))
    workflow.bring_about(record, report, NOW, reporter=who)
    row = record.main
    assert (row["performing_user_id"], row["performed_at"]) == (who, NOW)
    assert (row["reporting_user_id"], row["reported_at"]) == (who, NOW)


@pytest.mark.parametrize(
    ("present", "wanted", "column"),
    [
        ("scheduled", "ordered", "scheduled_at_lo"),
        ("completed", "in_progress", "performed_at"),
        ("reported", "completed", "reported_at"),
    ],
)
def test_steps_back_clear_what_no_longer_holds(present: str, wanted: str, column: str) -> None:
    record = read(SERVICE_REQUEST, order("active"))
    workflow.book(record, "2026-03-01")
    record.main.update(performed_at=NOW, reported_at=NOW)
    workflow.bring_about(record, judge(State(present), State(wanted), Ask()), NOW)
    assert record.main[column] is None


def test_a_booking_is_told_by_the_extension() -> None:
    record = read(SERVICE_REQUEST, order("active"))
    workflow.book(record, "2026-03-01T10:00:00Z")
    workflow.set_state(record, State("scheduled"))
    assert draw(SERVICE_REQUEST, record) == order("active", word("scheduled"), BOOKED)
    with pytest.raises(Refused, match="value"):
        workflow.book(record, "tomorrow")


def test_a_walk_sets_status_and_times() -> None:
    record = read(SERVICE_REQUEST, order("active"))
    workflow.bring_about_walk(record, walk("ordered", "reported"), NOW, UUID(int=7))
    row = record.main
    assert (row["status"], row["performed_at"], row["reported_at"], row["reporting_user_id"]) == (
        "reported",
        NOW,
        NOW,
        UUID(int=7),
    )


def taken(present: State, wanted: State) -> tuple[Step, ...]:
    return workflow.steps_of(present, wanted, judge(present, wanted, READY))


def test_a_step_under_a_hold_lifts_it_and_lays_it_on_again() -> None:
    assert taken(State("ordered", on_hold=True), State("scheduled", on_hold=True)) == (
        Step("on_hold", "ordered", implied=True),
        Step("ordered", "scheduled"),
        Step("scheduled", "on_hold", implied=True),
    )


def test_what_becomes_known_is_told_as_where_it_stands() -> None:
    unknown = State("ordered", record_state="unknown")
    assert taken(unknown, State("completed")) == (Step("unknown", "completed"),)


def test_steps_are_told_as_events() -> None:
    assert taken(State("scheduled", on_hold=True), State("ordered")) == (
        Step("on_hold", "scheduled"),
        Step("scheduled", "ordered"),
    )
    correction = taken(State("completed"), State("in_progress"))
    (row,) = workflow.events(UUID(int=1), correction, NOW, (UUID(int=2),), via="rest", actor_id=UUID(int=3))
    assert (row["from_status"], row["to_status"], row["note"], row["implied"]) == (
        "completed",
        "in_progress",
        "correction",
        False,
    )
