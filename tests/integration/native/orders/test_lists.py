"""Orders are listed, looked up, changed and deleted; and what can be ordered is listed."""

from __future__ import annotations

from typing import Any

import pytest

from storage.session import Store
from tests.integration.native.orders.conftest import (
    IMAGING,
    LAB,
    PROCEDURE,
    SLOT,
    Desk,
    good,
    refused,
    visit,
)


def ids(found: Any) -> list[str]:
    return [order["id"] for order in found]


def test_orders_are_listed_the_newest_first_and_page_by_page(desk: Desk) -> None:
    made = [desk.made(body)["id"] for body in (IMAGING, LAB, PROCEDURE, IMAGING)]
    assert ids(good(desk.ask("GET"))) == made[::-1]
    assert ids(good(desk.ask("GET", "", None, skip=1, limit=2))) == [made[2], made[1]]
    assert good(desk.ask("GET"))[0] == desk.get(made[3])
    assert good(desk.ask("GET", "", None, skip=9)) == []


def test_a_list_has_a_hundred_at_most_unless_told_otherwise(desk: Desk) -> None:
    for _ in range(101):
        desk.made()
    assert len(good(desk.ask("GET"))) == 100
    assert len(good(desk.ask("GET", limit=101))) == 101


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"order_type": "IMAGING"}, [0]),
        ({"order_type": "LAB"}, [2, 1]),
        ({"order_type": "PROCEDURE"}, []),
        ({"status": "in_progress"}, [1]),
        ({"status": "ordered"}, [2, 0]),
        ({"patient_id": "p"}, [1, 0]),
        ({"patient_id": "q"}, [2]),
        ({"patient_id": "nobody"}, []),
        ({"visit_id": "w"}, [2]),
        ({"date_from": "2026-01-01"}, [2, 1, 0]),
        ({"date_from": "2190"}, []),
        ({"date_to": "2190-05"}, [2, 1, 0]),
        ({"date_to": "2020-01-01"}, []),
        ({"order_type": "LAB", "status": "ordered", "patient_id": "q", "date_from": "2026"}, [2]),
    ],
)
def test_a_list_is_narrowed(desk: Desk, filters: dict[str, str], expected: list[int]) -> None:
    desk.fhir.made("Patient", id="q")
    visit(desk.fhir, "w", "q")
    made = [
        desk.made(IMAGING)["id"],
        desk.made(LAB)["id"],
        desk.made(LAB, patient_id="q", visit_id="w")["id"],
    ]
    desk.moved(made[1], status="in_progress")
    assert ids(good(desk.ask("GET", "", None, **filters))) == [made[place] for place in expected]


@pytest.mark.parametrize(
    ("authored", "asked", "there"),
    [
        ("2026-03-02T10:00:00Z", {"date_from": "2026-03-02"}, True),
        ("2026-03-02T10:00:00Z", {"date_from": "2026-03-03"}, False),
        ("2026-03-02T10:00:00Z", {"date_to": "2026-03-02"}, True),
        ("2026-03-02T10:00:00Z", {"date_to": "2026-03-01"}, False),
        ("2026-03-02T10:00:00Z", {"date_to": "2026-03-02T10:00:00Z"}, True),
        ("2026-03-02T10:00:00Z", {"date_to": "2026-03-02T09:59:59Z"}, False),
        (None, {"date_from": "2026-01-01"}, True),
        (None, {"date_to": "2026-01-01"}, False),
    ],
)
def test_days_are_those_of_ordering(
    desk: Desk, authored: str | None, asked: dict[str, str], there: bool
) -> None:
    told = {"authoredOn": authored} if authored else {}
    made = desk.fhir.made(
        "ServiceRequest", status="active", intent="order", subject={"reference": "Patient/p"}, **told
    )
    assert ids(good(desk.ask("GET", "", None, **asked))) == ([made["id"]] if there else [])


def test_a_draft_is_no_order_yet(desk: Desk) -> None:
    told: dict[str, Any] = {"intent": "order", "subject": {"reference": "Patient/p"}}
    made = desk.fhir.made("ServiceRequest", id="draft", status="draft", **told)
    assert good(desk.ask("GET")) == []
    assert desk.get(made["id"])["order_number"] is None
    assert desk.moved("draft", status="ordered")["order_number"].endswith("-00001")
    assert ids(good(desk.ask("GET"))) == ["draft"]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"ward": "7"}, "ward"),
        ({"order_type": "XRAY"}, "order_type"),
        ({"status": "done"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"skip": "-1"}, "skip"),
        ({"skip": "two"}, "skip"),
        ({"date_from": "yesterday"}, "date_from"),
        ({"date_to": "2026-02-30"}, "date_to"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_by_name(
    desk: Desk, asked: dict[str, str], name: str
) -> None:
    refused(desk.ask("GET", "", None, **asked), 400, name)


def test_an_order_is_found_by_its_numbers(desk: Desk) -> None:
    desk.made()
    made = desk.made(LAB)
    assert good(desk.ask("GET", f"/search/number/{made['order_number']}")) == made
    assert good(desk.ask("GET", f"/search/accession/{made['accession_number']}")) == made
    refused(desk.ask("GET", f"/search/number/{made['accession_number']}"), 404)
    refused(desk.ask("GET", "/search/accession/ACC-1999-00001"), 404)


def test_orders_of_a_patient_and_of_a_visit(desk: Desk) -> None:
    desk.fhir.made("Patient", id="q")
    visit(desk.fhir, "w", "q")
    visit(desk.fhir, "x", "p")
    made = [
        desk.made(LAB)["id"],
        desk.made(LAB, patient_id="q", visit_id="w")["id"],
        desk.made(LAB, visit_id="x")["id"],
    ]
    assert ids(good(desk.ask("GET", "/patient/p"))) == [made[2], made[0]]
    assert ids(good(desk.ask("GET", "/patient/p", None, skip=1, limit=1))) == [made[0]]
    assert ids(good(desk.ask("GET", "/visit/w"))) == [made[1]]
    assert ids(good(desk.ask("GET", "/visit/x"))) == [made[2]]
    for path in ("/patient/nobody", "/visit/nowhere", "/nothing"):
        refused(desk.ask("GET", path), 404)
    refused(desk.ask("GET", "/patient/p", None, status="ordered"), 400, "status")


def test_a_change_makes_a_version(desk: Desk) -> None:
    order = desk.made(IMAGING | {"special_instructions": "Standing"})["id"]
    sent = {"special_instructions": "Lying", "scheduled_date": SLOT, "notes": "Call the ward first"}
    found = good(desk.ask("PUT", f"/{order}", sent))
    assert {name: found[name] for name in sent} == sent
    assert (found["status"], found["order_details"]["modality"]) == ("ordered", "XRAY")
    seen = desk.seen(order)
    assert seen["meta"]["versionId"] == "2"
    assert {"text": "Lying"} in seen["orderDetail"]
    assert good(desk.ask("PUT", f"/{order}", sent))["updated_at"] == found["updated_at"]
    cleared = good(desk.ask("PUT", f"/{order}", dict.fromkeys(sent)))
    assert {name: cleared[name] for name in sent} == dict.fromkeys(sent)


def test_notes_that_stay_keep_who_wrote_them(desk: Desk) -> None:
    note = {"text": "Allergic to latex", "authorString": "Ward 7"}
    order = desk.made()["id"]
    desk.fhir.put(f"ServiceRequest/{order}", desk.seen(order) | {"note": [note]})
    found = good(desk.ask("PUT", f"/{order}", {"notes": "Allergic to latex\nFasting since 6"}))
    assert found["notes"] == "Allergic to latex\nFasting since 6"
    assert [item["authorString"] for item in desk.seen(order)["note"]] == ["Ward 7", "Suture"]
    assert good(desk.ask("PUT", f"/{order}", {"notes": "Something else"}))["notes"] == "Something else"


def test_a_booked_order_is_booked_again(desk: Desk, clean: Store) -> None:
    order = desk.in_state("scheduled")
    found = good(desk.ask("PUT", f"/{order}", {"scheduled_date": "2027-05"}))
    assert (found["status"], found["scheduled_date"]) == ("scheduled", "2027-05")
    assert desk.events(clean, order)[-1] == ("scheduled", "scheduled", False)
    refused(desk.ask("PUT", f"/{order}", {"scheduled_date": None}), 422, "scheduled_date")


@pytest.mark.parametrize("status", ["in_progress", "completed", "reported", "cancelled"])
def test_what_is_under_way_is_not_booked(desk: Desk, status: str) -> None:
    order = desk.in_state(status)
    problem = refused(desk.ask("PUT", f"/{order}", {"scheduled_date": SLOT}), 409)
    assert problem["present"] == status


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"scheduled_date": "soon"}, "scheduled_date"),
        ({"notes": " "}, "notes"),
        ({"priority": "stat"}, "priority"),
        ({"special_instructions": 5}, "special_instructions"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_by_name(desk: Desk, sent: Any, field: str) -> None:
    order = desk.made()["id"]
    refused(desk.ask("PUT", f"/{order}", sent), 422, field)


def test_a_deleted_order_is_gone_and_keeps_its_numbers(desk: Desk) -> None:
    made, kept = desk.made(), desk.made()
    assert desk.ask("DELETE", f"/{made['id']}").status_code == 204
    assert ids(good(desk.ask("GET"))) == [kept["id"]]
    refused(desk.ask("GET", f"/{made['id']}"), 410)
    refused(desk.ask("GET", f"/search/number/{made['order_number']}"), 410)
    assert desk.fhir.get(f"ServiceRequest/{made['id']}").status_code == 410
    for answer in (
        desk.ask("DELETE", f"/{made['id']}"),
        desk.move(made["id"], status="in_progress"),
        desk.ask("PUT", f"/{made['id']}", {"notes": "x"}),
        desk.cancel(made["id"]),
        desk.report(made["id"]),
    ):
        refused(answer, 410)
    assert desk.made()["order_number"].endswith("-00003")


def test_an_order_with_a_report_is_not_deleted(desk: Desk) -> None:
    order = desk.in_state("reported")
    problem = refused(desk.ask("DELETE", f"/{order}"), 409)
    assert problem["type"].endswith("#has-dependents")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_order_that_is_not_there_is_not_found(desk: Desk, method: str) -> None:
    refused(desk.ask(method, "/nothing", {} if method == "PUT" else None), 404)


@pytest.mark.parametrize("value", ["a%00b", "%F0%9F%92%A9", "x" * 300, "..%2f..", "%25"])
def test_whatever_stands_in_a_path_is_answered(desk: Desk, value: str) -> None:
    for path in (f"/{value}", f"/search/number/{value}", f"/patient/{value}", f"/visit/{value}"):
        assert desk.ask("GET", path).status_code in (400, 404), path
    assert desk.http.get(f"/api/v1/orders?patient_id={value}").status_code in (200, 400)


MODALITIES = [
    ("CT", "CT Scan", "Computed Tomography"),
    ("FL", "Fluoroscopy", "Real-time X-ray imaging"),
    ("MG", "Mammography", "Breast imaging"),
    ("MRI", "MRI", "Magnetic Resonance Imaging"),
    ("US", "Ultrasound", "Ultrasonography"),
    ("XRAY", "X-Ray", "Plain radiography"),
]
TESTS = [
    ("BMP", "Basic Metabolic Panel", "Chemistry", "Blood", True, 4),
    ("CBC", "Complete Blood Count", "Hematology", "Blood", False, 2),
    ("CULTURE", "Blood Culture", "Microbiology", "Blood", False, 72),
    ("HBA1C", "Hemoglobin A1c", "Chemistry", "Blood", False, 24),
    ("LFT", "Liver Function Tests", "Chemistry", "Blood", True, 6),
    ("LIPID", "Lipid Profile", "Chemistry", "Blood", True, 6),
    ("PT_INR", "Prothrombin Time/INR", "Coagulation", "Blood", False, 4),
    ("RFT", "Renal Function Tests", "Chemistry", "Blood", False, 4),
    ("TSH", "Thyroid Stimulating Hormone", "Endocrinology", "Blood", False, 24),
    ("URINE", "Urine Routine", "Urinalysis", "Urine", False, 2),
]
PROCEDURES = [
    ("10060", "Incision and Drainage", "Minor Surgery", False, 15),
    ("11100", "Skin Biopsy", "Biopsy", True, 20),
    ("38220", "Bone Marrow Biopsy", "Biopsy", True, 45),
    ("43239", "Upper GI Endoscopy", "Endoscopy", True, 20),
    ("45378", "Colonoscopy", "Endoscopy", True, 30),
]
BODY_PARTS = [
    ("ABDOMEN", "Abdomen", ["CT", "US", "XRAY"]),
    ("BREAST", "Breast", ["MG", "US"]),
    ("CHEST", "Chest", ["CT", "XRAY"]),
    ("EXTREMITY", "Extremities", ["MRI", "XRAY"]),
    ("HEAD", "Head/Brain", ["CT", "MRI"]),
    ("HEART", "Heart", ["CT", "MRI"]),
    ("JOINTS", "Joints", ["MRI", "US", "XRAY"]),
    ("NECK", "Neck", ["CT", "MRI", "US"]),
    ("PELVIS", "Pelvis", ["CT", "MRI", "US", "XRAY"]),
    ("SPINE", "Spine", ["CT", "MRI", "XRAY"]),
]


@pytest.mark.parametrize(
    ("name", "columns", "rows"),
    [
        ("modalities", "code name description", MODALITIES),
        ("lab-tests", "code name category specimen_type fasting_required tat_hours", TESTS),
        ("procedures", "code name category requires_consent estimated_duration", PROCEDURES),
        ("body-parts", "code name applicable_modalities", BODY_PARTS),
    ],
)
def test_what_can_be_ordered_is_listed(desk: Desk, name: str, columns: str, rows: list[Any]) -> None:
    found = good(desk.ask("GET", f"/{name}/list"))
    assert [tuple(row[column] for column in columns.split()) for row in found] == rows
    assert all(list(row) == ["id", *columns.split()] for row in found)


def test_what_is_not_active_is_not_ordered(desk: Desk, clean: Store) -> None:
    with clean.connection() as connection:
        connection.execute("UPDATE ref_lab_test SET is_active = false WHERE code = 'CBC'")
        try:
            refused(desk.create(LAB), 422, "test_code")
            assert len(good(desk.ask("GET", "/lab-tests/list"))) == 9
        finally:
            connection.execute("UPDATE ref_lab_test SET is_active = true WHERE code = 'CBC'")
