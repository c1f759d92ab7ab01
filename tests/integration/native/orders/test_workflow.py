"""The workflow of orders over the native door, step by step, as the table of transitions has it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest

from storage.model.order import STATUSES
from storage.session import Store
from tests.integration.native.orders.conftest import (
    LAB,
    PROCEDURE,
    REASON,
    SITE,
    SLOT,
    Desk,
    good,
    refused,
    workflow,
)

LEGAL = {
    ("ordered", "scheduled"),
    ("scheduled", "scheduled"),
    ("scheduled", "ordered"),
    ("ordered", "in_progress"),
    ("scheduled", "in_progress"),
    ("in_progress", "completed"),
    ("completed", "in_progress"),
    ("in_progress", "scheduled"),
    ("in_progress", "ordered"),
    ("ordered", "cancelled"),
    ("scheduled", "cancelled"),
    ("in_progress", "cancelled"),
}
GUARDED = {("completed", "reported"), ("reported", "completed")}
"""Steps that the workflow has, which need a report, or need one gone."""
NEXT = {
    "ordered": ["scheduled", "in_progress", "cancelled"],
    "scheduled": ["ordered", "in_progress", "cancelled"],
    "in_progress": ["completed", "scheduled", "ordered", "cancelled"],
    "completed": ["reported", "in_progress"],
    "reported": ["completed"],
    "cancelled": [],
}
FHIR = {
    "ordered": ("active", None),
    "scheduled": ("active", "scheduled"),
    "in_progress": ("active", "in_progress"),
    "completed": ("completed", None),
    "reported": ("completed", "reported"),
    "cancelled": ("revoked", None),
}
PAIRS = [pair for pair in product(STATUSES, STATUSES) if pair != ("reported", "reported")]


def asked(target: str) -> dict[str, Any]:
    more = {"scheduled": {"scheduled_date": "2027-04-01"}, "cancelled": {"cancellation_reason": REASON}}
    return {"status": target} | more.get(target, {})


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair in LEGAL])
def test_a_legal_step_is_taken_and_seen_over_fhir(desk: Desk, clean: Store, source: str, target: str) -> None:
    order = desk.in_state(source)
    version = int(desk.seen(order)["meta"]["versionId"])
    moved = desk.moved(order, **asked(target))
    assert moved["status"] == target
    seen = desk.seen(order)
    assert (seen["status"], workflow(seen).get("status")) == FHIR[target]
    assert int(seen["meta"]["versionId"]) == version + 1
    assert desk.events(clean, order)[-1] == (source, target, False)


@pytest.mark.parametrize(("source", "target"), [pair for pair in PAIRS if pair not in LEGAL | GUARDED])
def test_an_illegal_step_is_refused_and_tells_those_that_there_are(
    desk: Desk, source: str, target: str
) -> None:
    order = desk.in_state(source)
    before = desk.seen(order)
    problem = refused(desk.move(order, **asked(target)), 409, "status")
    assert (problem["present"], problem["allowed"]) == (source, NEXT[source])
    assert problem["type"].endswith("#illegal-transition")
    assert desk.seen(order) == before


@pytest.mark.parametrize(("source", "target"), sorted(GUARDED))
def test_a_report_must_be_there_or_gone(desk: Desk, source: str, target: str) -> None:
    order = desk.in_state(source)
    problem = refused(desk.move(order, status=target), 422, "status")
    assert (problem["present"], problem["allowed"]) == (source, NEXT[source])
    assert problem["errors"][0]["code"] == "business-rule"


@pytest.mark.parametrize("source", ["ordered", "in_progress"])
def test_a_scheduled_order_needs_its_time(desk: Desk, source: str) -> None:
    order = desk.in_state(source)
    problem = refused(desk.move(order, status="scheduled"), 422, "scheduled_date")
    assert (problem["present"], problem["allowed"]) == (source, NEXT[source])


def test_a_cancelled_order_needs_a_reason(desk: Desk) -> None:
    order = desk.in_state("ordered")
    problem = refused(desk.move(order, status="cancelled"), 422, "cancellation_reason")
    assert problem["present"] == "ordered"


def test_the_example_of_a_booking_works_as_written(desk: Desk) -> None:
    order = desk.made()["id"]
    sent = {"status": "scheduled", "notes": "Scheduled for tomorrow 10 AM", "scheduled_date": SLOT}
    moved = desk.moved(order, **sent)
    assert (moved["status"], moved["scheduled_date"], moved["notes"]) == ("scheduled", SLOT, sent["notes"])
    assert workflow(desk.seen(order))["scheduledAt"] == SLOT
    again = desk.moved(order, status="in_progress", notes="Began late")
    assert again["notes"] == "Scheduled for tomorrow 10 AM\nBegan late"
    assert [note["authorString"] for note in desk.seen(order)["note"]] == ["Suture", "Suture"]


def test_times_are_stamped_as_the_order_moves(desk: Desk) -> None:
    order = desk.in_state("scheduled")
    names = ("performed_date", "reported_date", "cancelled_date")
    found = desk.moved(order, status="in_progress")
    assert [found[name] for name in names] == [None, None, None]
    found = desk.moved(order, status="completed")
    assert found["performed_date"] is not None
    assert workflow(desk.seen(order))["performedAt"] == found["performed_date"]
    assert desk.moved(order, status="in_progress")["performed_date"] is None
    assert desk.moved(order, status="ordered")["scheduled_date"] is None


@pytest.mark.parametrize("status", ["ordered", "scheduled", "in_progress"])
def test_an_order_is_cancelled_with_its_reason(desk: Desk, status: str) -> None:
    order = desk.in_state(status)
    found = good(desk.cancel(order))
    assert (found["status"], found["cancellation_reason"]) == ("cancelled", REASON)
    assert found["cancelled_date"] is not None
    seen = desk.seen(order)
    assert seen["status"] == "revoked"
    url = "http://hl7.org/fhir/StructureDefinition/request-statusReason"
    assert {"url": url, "valueCodeableConcept": {"text": REASON}} in seen["extension"]


@pytest.mark.parametrize("status", ["completed", "reported", "cancelled"])
def test_what_is_done_is_not_cancelled(desk: Desk, status: str) -> None:
    problem = refused(desk.cancel(desk.in_state(status)), 409, "status")
    assert (problem["present"], problem["allowed"]) == (status, NEXT[status])


@pytest.mark.parametrize("reason", ["", "too short", "             x            "])
def test_a_reason_has_at_least_ten_characters(desk: Desk, reason: str) -> None:
    order = desk.in_state("ordered")
    refused(desk.cancel(order, reason), 422, "reason")
    assert desk.get(order)["status"] == "ordered"


@pytest.mark.parametrize("status", ["ordered", "scheduled", "in_progress"])
def test_an_open_order_is_held_and_released(desk: Desk, clean: Store, status: str) -> None:
    order = desk.in_state(status)
    held = desk.moved(order, on_hold=True)
    assert (held["status"], held["on_hold"]) == (status, True)
    assert desk.seen(order)["status"] == "on-hold"
    assert desk.events(clean, order)[-1] == (status, "on_hold", False)
    released = desk.moved(order, on_hold=False)
    assert (released["status"], released["on_hold"]) == (status, False)
    assert desk.seen(order)["status"] == "active"


@pytest.mark.parametrize("status", ["completed", "reported", "cancelled"])
def test_what_is_done_is_not_held(desk: Desk, status: str) -> None:
    refused(desk.move(desk.in_state(status), on_hold=True), 409, "status")


def test_an_order_on_hold_is_not_started(desk: Desk) -> None:
    order = desk.in_state("scheduled")
    desk.moved(order, on_hold=True)
    problem = refused(desk.move(order, status="in_progress"), 422, "status")
    assert (problem["present"], problem["allowed"]) == ("on_hold", ["ordered", "cancelled"])
    assert desk.moved(order, status="in_progress", on_hold=False)["status"] == "in_progress"


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({}, "status"),
        ({"status": "done"}, "status"),
        ({"status": "scheduled", "scheduled_date": "tomorrow"}, "scheduled_date"),
        ({"status": "in_progress", "scheduled_date": SLOT}, "scheduled_date"),
        ({"status": "in_progress", "cancellation_reason": REASON}, "cancellation_reason"),
        ({"status": "in_progress", "note": "x"}, "note"),
        ({"status": "in_progress", "notes": " "}, "notes"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused_by_name(desk: Desk, told: Any, field: str) -> None:
    order = desk.in_state("ordered")
    refused(desk.ask("PATCH", f"/{order}/status", told), 422, field)
    assert desk.get(order)["status"] == "ordered"


def test_who_starts_an_order_performs_it(desk: Desk, account: Callable[..., str]) -> None:
    order = desk.in_state("ordered")
    desk.user = account("technologist", "Tess Technologist")
    found = desk.moved(order, status="in_progress")
    assert found["performing_user"]["full_name"] == "Tess Technologist"
    assert found["ordered_by"]["full_name"] == "Suture"
    performer = desk.seen(order)["performer"]
    assert performer == [{"reference": f"Practitioner/{desk.user}", "display": "Tess Technologist"}]


def test_of_many_who_cancel_at_once_one_does(desk: Desk, clean: Store) -> None:
    order = desk.in_state("scheduled")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: desk.cancel(order), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
    assert [event[1] for event in desk.events(clean, order)].count("cancelled") == 1


# --- the same workflow, whichever door moves it ------------------------------------------------------------


def test_a_change_over_fhir_moves_the_same_order(desk: Desk) -> None:
    order = desk.in_state("ordered")
    seen = desk.seen(order)
    part = {"url": "status", "valueCode": "in_progress"}
    started = seen | {
        "extension": [{"url": f"{SITE}/StructureDefinition/order-workflow", "extension": [part]}]
    }
    assert desk.fhir.put(f"ServiceRequest/{order}", started).status_code == 200
    assert desk.get(order)["status"] == "in_progress"
    refused(desk.move(order, status="reported"), 409, "status")
    desk.moved(order, status="completed")
    wrong = desk.fhir.put(f"ServiceRequest/{order}", desk.seen(order) | {"status": "revoked"})
    assert wrong.status_code == 409
    assert "present" not in wrong.json()


def test_what_is_void_over_fhir_moves_no_more(desk: Desk) -> None:
    order = desk.in_state("in_progress")
    void = desk.seen(order) | {"status": "entered-in-error"}
    assert desk.fhir.put(f"ServiceRequest/{order}", void).status_code == 200
    assert desk.get(order)["record_state"] == "entered-in-error"
    assert good(desk.ask("GET")) == []
    problem = refused(desk.move(order, status="completed"), 409, "status")
    assert (problem["present"], problem["allowed"]) == ("entered-in-error", [])


def test_a_message_moves_the_same_order(desk: Desk, send: Callable[[str], str]) -> None:
    made = desk.made()
    number = made["order_number"]
    begun = (
        "MSH|^~\\&|RIS|HOSPITAL|SUTURE|OR|20260302080000||ORM^O01|N1|P|2.5.1\r"
        "PID|1||MRN1001^^^HOSPITAL^MR||DOE^JANE||196105|F\r"
        f"ORC|SC|{number}|||IP\rOBR|1|{number}||24725-4^CT^LN\r"
    )
    assert "MSA|AA" in send(begun)
    assert desk.get(made["id"])["status"] == "in_progress"
    refused(desk.move(made["id"], status="reported"), 409, "status")


def test_a_result_by_message_reports_the_order(desk: Desk, send: Callable[[str], str]) -> None:
    made = desk.made()
    number = made["order_number"]
    result = (
        "MSH|^~\\&|RIS|HOSPITAL|SUTURE|OR|20260302100000||ORU^R01|N2|P|2.5.1\r"
        "PID|1||MRN1001^^^HOSPITAL^MR||DOE^JANE||196105|F\r"
        f"ORC|RE|{number}|F-1^RIS\r"
        f"OBR|1|{number}|F-1^RIS|24725-4^CT Head^LN|||20260302091500|||||||||||||||20260302095500|||F\r"
        "OBX|1|ST|18782-3^Study observation^LN||No acute finding||||||F\r"
    )
    assert "MSA|AA" in send(result)
    found = desk.get(made["id"])
    assert found["status"] == "reported"
    assert found["reported_date"].startswith("2026-03-02T09:55")
    refused(desk.cancel(made["id"]), 409, "status")


def booked(desk: Desk) -> str:
    """Order a procedure, and book it on the board as ``begins``; return the order's id."""
    order = desk.made(PROCEDURE)["id"]
    readiness = [
        {"url": "surgicalStatus", "valueCode": "scheduled"},
        {"url": "scheduledLocation", "valueReference": {"display": "OR 3"}},
        {"url": "scheduledPeriod", "valuePeriod": {"start": SLOT}},
    ]
    desk.fhir.made(
        "Procedure",
        id="begins",
        status="preparation",
        subject={"reference": "Patient/p"},
        basedOn=[{"reference": f"ServiceRequest/{order}"}],
        extension=[{"url": f"{SITE}/StructureDefinition/or-readiness", "extension": readiness}],
    )
    assert (desk.get(order)["status"], desk.get(order)["scheduled_date"]) == ("scheduled", SLOT)
    return order


def test_an_order_keeps_its_time_when_its_procedure_begins(desk: Desk) -> None:
    order = booked(desk)
    good(desk.http.patch("/api/procedures/begins", json={"status": "in-progress"}))
    assert (desk.get(order)["status"], desk.get(order)["scheduled_date"]) == ("in_progress", SLOT)


def test_an_order_gives_back_the_time_of_a_procedure_that_is_deleted(desk: Desk) -> None:
    order = booked(desk)
    assert desk.fhir.ask("DELETE", "Procedure/begins").status_code == 204
    assert (desk.get(order)["status"], desk.get(order)["scheduled_date"]) == ("ordered", None)


def test_a_time_without_a_zone_is_of_the_site_and_valid_over_fhir(desk: Desk) -> None:
    order = desk.made(LAB | {"collection_date": "2027-03-01T07:30"})
    assert order["order_details"]["collection_date"] == "2027-03-01T07:30:00+00:00"
    moved = desk.moved(order["id"], status="scheduled", scheduled_date="2027-03-01T10:00")
    assert moved["scheduled_date"] == "2027-03-01T10:00:00+00:00"
    changed = good(desk.ask("PUT", f"/{order['id']}", {"scheduled_date": "2027-03-02T10:00:00"}))
    assert changed["scheduled_date"] == "2027-03-02T10:00:00+00:00"
    stored = desk.fhir.get(f"ServiceRequest/{order['id']}").json()
    assert desk.fhir.put(f"ServiceRequest/{order['id']}", stored | {"priority": "stat"}).status_code == 200


def test_an_order_that_becomes_known_again_goes_on_from_where_it_stood(desk: Desk) -> None:
    order = desk.in_state("reported")
    desk.fhir.put(
        f"ServiceRequest/{order}", desk.fhir.get(f"ServiceRequest/{order}").json() | {"status": "unknown"}
    )
    lost = desk.fhir.get(f"ServiceRequest/{order}").json()
    bare = {name: value for name, value in lost.items() if name != "extension"}
    for status in ("active", "revoked"):
        assert desk.fhir.put(f"ServiceRequest/{order}", bare | {"status": status}).status_code == 409
    assert desk.fhir.put(f"ServiceRequest/{order}", lost | {"status": "completed"}).status_code == 200
    assert desk.get(order)["status"] == "reported"
