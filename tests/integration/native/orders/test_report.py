"""Reports on orders: the first ends the work, a second one amends it; they are DiagnosticReports."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mappings.workflow.reports import INTERPRETATION
from storage.session import Store
from tests.integration.native.orders.conftest import LAB, REPORT, Desk, good, refused


def reports(desk: Desk, order: str) -> list[dict[str, Any]]:
    found = desk.fhir.get(f"DiagnosticReport?based-on=ServiceRequest/{order}").json()
    return [entry["resource"] for entry in found.get("entry", ())]


def test_a_completed_order_is_reported(desk: Desk) -> None:
    order = desk.in_state("completed")
    found = good(desk.report(order))
    assert found["status"] == "reported"
    assert {name: found[name] for name in REPORT} == REPORT
    assert found["reported_date"] is not None
    assert found["reporting_user"] == {"id": "00000000-0000-7000-8000-000000000001"} | {
        "full_name": "Suture",
        "role": "system",
    }


def test_fhir_readers_see_the_report(desk: Desk) -> None:
    order = desk.in_state("reported")
    (report,) = reports(desk, order)
    assert (report["status"], report["conclusion"]) == ("final", REPORT["impression"])
    assert report["subject"] == {"reference": "Patient/p"}
    assert report["encounter"] == {"reference": "Encounter/v"}
    assert report["code"] == {"text": "X-Ray Chest"}
    assert report["category"][0]["coding"][0]["code"] == "RAD"
    (form,) = report["presentedForm"]
    assert base64.b64decode(form["data"]).decode() == REPORT["report_text"]
    assert [coding["code"] for coding in report["conclusionCode"][0]["coding"]] == ["normal", "N"]
    assert report["effectiveDateTime"] == desk.get(order)["performed_date"]
    assert desk.seen(order)["status"] == "completed"


def test_a_second_report_amends_the_first(desk: Desk, clean: Store) -> None:
    order = desk.in_state("reported")
    first = desk.get(order)
    for text, version in (("Small effusion on the left.", "2"), ("Small effusion on the right.", "3")):
        found = good(desk.report(order, findings=text, result_status="abnormal"))
        assert (found["status"], found["findings"], found["result_status"]) == ("reported", text, "abnormal")
        assert found["reported_date"] > first["reported_date"]
        (report,) = reports(desk, order)
        assert (report["status"], report["meta"]["versionId"]) == ("amended", version)
        assert desk.events(clean, order)[-1] == ("reported", "reported", False)
    assert [event[:2] for event in desk.events(clean, order)].count(("reported", "reported")) == 2
    before = desk.fhir.get(f"DiagnosticReport/{report['id']}/_history/1").json()
    assert (before["status"], before["conclusion"]) == ("final", REPORT["impression"])


def test_a_report_that_tells_no_result_keeps_the_one_before(desk: Desk) -> None:
    order = desk.in_state("completed")
    told = {name: text for name, text in REPORT.items() if name != "result_status"}
    assert good(desk.ask("POST", f"/{order}/report", told))["result_status"] is None
    good(desk.report(order, result_status="critical"))
    assert good(desk.ask("POST", f"/{order}/report", told))["result_status"] == "critical"


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        ("ordered", ["scheduled", "in_progress", "cancelled"]),
        ("scheduled", ["ordered", "in_progress", "cancelled"]),
        ("in_progress", ["completed", "scheduled", "ordered", "cancelled"]),
        ("cancelled", []),
    ],
)
def test_only_completed_work_is_reported(desk: Desk, status: str, allowed: list[str]) -> None:
    order = desk.in_state(status)
    problem = refused(desk.report(order), 409, "status")
    assert (problem["present"], problem["allowed"]) == (status, allowed)
    assert reports(desk, order) == []
    assert desk.get(order)["status"] == status


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"report_text": "Too short to tell"}, "report_text"),
        ({"report_text": " " * 30}, "report_text"),
        ({"findings": "Nothing"}, "findings"),
        ({"impression": "Nothing"}, "impression"),
        ({"result_status": "fine"}, "result_status"),
        ({"author": "me"}, "author"),
    ],
)
def test_a_report_must_say_something(desk: Desk, told: dict[str, str], field: str) -> None:
    order = desk.in_state("completed")
    refused(desk.report(order, **told), 422, field)
    assert reports(desk, order) == []


@pytest.mark.parametrize("field", ["report_text", "findings", "impression"])
def test_what_a_report_needs_is_named(desk: Desk, field: str) -> None:
    order = desk.in_state("completed")
    told = {name: text for name, text in REPORT.items() if name != field}
    refused(desk.ask("POST", f"/{order}/report", told), 422, field)


def test_a_report_over_fhir_is_shown_and_amended_here(desk: Desk) -> None:
    order = desk.made(LAB)["id"]
    based = {"basedOn": [{"reference": f"ServiceRequest/{order}"}], "subject": {"reference": "Patient/p"}}
    made = desk.fhir.made(
        "DiagnosticReport", status="final", code={"text": "CBC"}, conclusion="All normal", **based
    )
    found = desk.get(order)
    assert (found["status"], found["impression"]) == ("reported", "All normal")
    good(desk.report(order))
    assert desk.fhir.get(f"DiagnosticReport/{made['id']}").json()["status"] == "amended"
    assert desk.get(order)["impression"] == REPORT["impression"]


def test_an_order_whose_report_was_an_error_is_completed_again(desk: Desk) -> None:
    order = desk.in_state("reported")
    (report,) = reports(desk, order)
    void = desk.fhir.put(f"DiagnosticReport/{report['id']}", report | {"status": "entered-in-error"})
    assert void.status_code == 200
    found = desk.get(order)
    assert (found["status"], found["report_text"], found["reported_date"]) == ("completed", None, None)
    assert good(desk.report(order))["status"] == "reported"
    assert len(reports(desk, order)) == 2


def test_of_two_who_report_at_once_the_second_amends(desk: Desk) -> None:
    order = desk.in_state("completed")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: desk.report(order), range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    (report,) = reports(desk, order)
    assert (report["status"], report["meta"]["versionId"]) == ("amended", "2")


@pytest.mark.parametrize("door", ["native", "fhir"])
def test_a_critical_result_is_told_in_the_audit_trail(desk: Desk, clean: Store, door: str) -> None:
    order = desk.in_state("completed")
    if door == "native":
        good(desk.report(order, result_status="critical"))
        good(desk.report(order, result_status="critical", findings="Seen once more"))
    else:
        based = {"basedOn": [{"reference": f"ServiceRequest/{order}"}], "subject": {"reference": "Patient/p"}}
        told = {"coding": [{"system": INTERPRETATION, "code": "HH"}]}
        desk.fhir.made("DiagnosticReport", status="final", code={"text": "K"}, conclusionCode=[told], **based)
    (report,) = reports(desk, order)
    statement = """SELECT e.interface FROM audit_event e JOIN resource r ON r.id = e.resource_id
        WHERE e.action = 'E' AND r.fhir_id = %s"""
    with clean.connection() as connection:
        found = connection.execute(statement, (report["id"],)).fetchall()
    assert found == [("rest" if door == "native" else "fhir",)]


def test_who_reports_is_shown(desk: Desk, account: Callable[..., str]) -> None:
    order = desk.in_state("completed")
    desk.user = account("reporter", "Rita Reporter")
    found = good(desk.report(order))
    assert (found["reporting_user"]["full_name"], found["reporting_user"]["role"]) == (
        "Rita Reporter",
        "reporter",
    )


def test_who_may_not_report_is_refused(desk: Desk, account: Callable[..., str]) -> None:
    order = desk.in_state("completed")
    desk.user = account("nurse")
    problem = refused(desk.report(order), 403, "status")
    assert problem["present"] == "completed"
    assert reports(desk, order) == []
