"""Orders are made as their callers send them, numbered, and seen over FHIR at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.native.orders.conftest import (
    IMAGING,
    LAB,
    PROCEDURE,
    SITE,
    Desk,
    good,
    refused,
    visit,
)

KEYS = [
    "id",
    "order_number",
    "accession_number",
    "order_type",
    "status",
    "on_hold",
    "record_state",
    "priority",
    "patient",
    "visit",
    "ordered_by",
    "order_details",
    "clinical_indication",
    "special_instructions",
    "notes",
    "ordered_date",
    "scheduled_date",
    "performed_date",
    "reported_date",
    "cancelled_date",
    "cancellation_reason",
    "performing_user",
    "reporting_user",
    "report_text",
    "findings",
    "impression",
    "result_status",
    "created_at",
    "updated_at",
]


def test_an_imaging_order_is_answered_whole(desk: Desk) -> None:
    made = desk.made(IMAGING | {"contrast": False, "clinical_history": "Smoker", "procedure_code": "71046"})
    assert list(made) == KEYS
    year = made["ordered_date"][:4]
    assert (made["order_number"], made["accession_number"]) == (f"ORD-{year}-00001", f"ACC-{year}-00001")
    assert (made["status"], made["priority"], made["order_type"]) == ("ordered", "routine", "IMAGING")
    assert made["patient"] == {
        "id": "p",
        "mrn": "MRN1001",
        "full_name": "Jane Q. Doe",
        "gender": "female",
        "date_of_birth": "1961-05",
    }
    assert made["visit"] == {
        "id": "v",
        "visit_number": "VIS-2026-00007",
        "status": "in_progress",
        "visit_date": "2026-03-02T07:00:00Z",
    }
    assert made["ordered_by"] == {
        "id": "00000000-0000-7000-8000-000000000001",
        "full_name": "Suture",
        "role": "system",
    }
    assert made["order_details"] == {
        "modality": "XRAY",
        "modality_name": "X-Ray",
        "body_part": "CHEST",
        "body_part_name": "Chest",
        "laterality": "bilateral",
        "procedure_code": "71046",
        "procedure_name": "X-Ray Chest",
        "contrast": False,
        "clinical_history": "Smoker",
    }
    assert desk.get(made["id"]) == made


def test_the_second_order_has_the_next_numbers(desk: Desk) -> None:
    first, second = desk.made(), desk.made(LAB)
    for name in ("order_number", "accession_number"):
        assert (first[name][-5:], second[name][-5:]) == ("00001", "00002")


def test_a_laboratory_order_has_the_details_of_its_test(desk: Desk) -> None:
    sent = LAB | {"collection_date": "2026-03-02", "specimen_source": "Left arm", "panel": ["HB", "HCT"]}
    assert desk.made(sent)["order_details"] == {
        "test_code": "CBC",
        "test_name": "Complete Blood Count",
        "specimen_type": "Blood",
        "specimen_source": "Left arm",
        "fasting_required": False,
        "collection_date": "2026-03-02",
        "panel": ["HB", "HCT"],
    }
    least = {name: LAB[name] for name in ("order_type", "clinical_indication")} | {"test_code": "LIPID"}
    found = desk.made(least)
    assert (found["order_details"]["specimen_type"], found["order_details"]["fasting_required"]) == (
        "Blood",
        True,
    )
    assert found["priority"] == "routine"


def test_a_procedure_order_has_the_usual_duration(desk: Desk) -> None:
    made = desk.made(PROCEDURE | {"procedure_type": "diagnostic", "estimated_duration": 45})
    assert made["order_details"] == {
        "procedure_code": "45378",
        "procedure_name": "Colonoscopy",
        "procedure_type": "diagnostic",
        "anesthesia_required": True,
        "estimated_duration": 45,
        "pre_procedure_instructions": "NPO after midnight",
    }
    least = {
        "order_type": "PROCEDURE",
        "clinical_indication": "Screening, as agreed",
        "procedure_code": "43239",
    }
    assert desk.made(least)["order_details"]["estimated_duration"] == 20


def test_fhir_readers_see_an_imaging_order_at_once(desk: Desk) -> None:
    made = desk.made(IMAGING | {"special_instructions": "Standing", "notes": "Uses a walker"})
    seen = desk.seen(made["id"])
    assert seen["meta"]["versionId"] == "1"
    assert (seen["status"], seen["intent"], seen["priority"]) == ("active", "order", "routine")
    assert seen["subject"] == {"reference": "Patient/p"}
    assert seen["encounter"] == {"reference": "Encounter/v"}
    assert seen["requester"] == {
        "identifier": {"system": f"{SITE}/sid/user", "value": "system"},
        "display": "Suture",
    }
    assert [item["value"] for item in seen["identifier"]] == [made["order_number"], made["accession_number"]]
    assert [coding["code"] for coding in seen["category"][0]["coding"]] == ["IMAGING", "363679005"]
    assert [coding["code"] for coding in seen["orderDetail"][0]["coding"]] == ["XRAY", "DX"]
    assert seen["orderDetail"][1] == {"text": "Standing"}
    assert [coding["code"] for coding in seen["bodySite"][0]["coding"]] == ["CHEST", "51185008"]
    assert seen["reasonCode"] == [{"text": IMAGING["clinical_indication"]}]
    assert seen["note"][0]["text"] == "Uses a walker"
    assert seen["authoredOn"] == made["ordered_date"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (LAB, [f"{SITE}/CodeSystem/lab-test", "http://loinc.org"]),
        (PROCEDURE, ["http://www.ama-assn.org/go/cpt"]),
    ],
)
def test_what_is_ordered_is_coded(desk: Desk, body: Any, code: list[str]) -> None:
    seen = desk.seen(desk.made(body)["id"])
    assert [coding["system"] for coding in seen["code"]["coding"]] == code


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (IMAGING, {"modality": "PET"}, "modality"),
    (IMAGING, {"body_part": "TOE"}, "body_part"),
    (IMAGING, {"modality": "MG"}, "body_part"),
    (IMAGING, {"laterality": "upper"}, "laterality"),
    (IMAGING, {"priority": "soon"}, "priority"),
    (IMAGING, {"clinical_indication": "Too short"}, "clinical_indication"),
    (IMAGING, {"clinical_indication": "          .          "}, "clinical_indication"),
    (IMAGING, {"clinical_indication": "x" * 2001}, "clinical_indication"),
    (IMAGING, {"clinical_indication": "ten letters\1"}, "clinical_indication"),
    (IMAGING, {"clinical_history": " "}, "clinical_history"),
    (IMAGING, {"colour": "red"}, "colour"),
    (IMAGING, {"test_code": "CBC"}, "test_code"),
    (IMAGING, {"order_type": "XRAY"}, "order_type"),
    (IMAGING, {"contrast": "yes"}, "contrast"),
    (LAB, {"test_code": "ABC"}, "test_code"),
    (LAB, {"collection_date": "tomorrow"}, "collection_date"),
    (LAB, {"panel": ["HB", ""]}, "panel[1]"),
    (PROCEDURE, {"procedure_code": "99999"}, "procedure_code"),
    (PROCEDURE, {"estimated_duration": 0}, "estimated_duration"),
    (PROCEDURE, {"procedure_type": "minor"}, "procedure_type"),
]


@pytest.mark.parametrize(("body", "change", "field"), WRONG)
def test_a_wrong_value_is_refused_by_name(desk: Desk, body: Any, change: Any, field: str) -> None:
    refused(desk.create(body | change), 422, field)
    assert good(desk.ask("GET")) == []


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (IMAGING, "order_type"),
        (IMAGING, "clinical_indication"),
        (IMAGING, "modality"),
        (IMAGING, "body_part"),
        (LAB, "test_code"),
        (PROCEDURE, "procedure_code"),
    ],
)
def test_what_is_needed_is_named(desk: Desk, body: Any, name: str) -> None:
    refused(desk.create({key: value for key, value in body.items() if key != name}), 422, name)


@pytest.mark.parametrize("name", ["patient_id", "visit_id"])
def test_patient_and_visit_must_be_there(desk: Desk, name: str) -> None:
    refused(desk.create(IMAGING, **{name: "nobody"}), 404, name)
    refused(desk.create(IMAGING, **{name: ""}), 400, name)
    refused(desk.create(IMAGING, ward="7"), 400, "ward")


def test_a_visit_of_another_patient_is_refused(desk: Desk) -> None:
    desk.fhir.made("Patient", id="other")
    visit(desk.fhir, "w", "other")
    refused(desk.create(IMAGING, visit_id="w"), 422, "visit_id")


def test_a_visit_that_is_gone_is_refused(desk: Desk) -> None:
    desk.fhir.delete("Encounter/v")
    refused(desk.create(IMAGING), 404, "visit_id")


def test_a_body_that_is_no_json_is_refused(desk: Desk) -> None:
    sent = desk.http.post(
        "/api/v1/orders?patient_id=p&visit_id=v",
        content=b"{order",
        headers={"content-type": "application/json"},
    )
    refused(sent, 400)


@pytest.mark.parametrize("practitioner", [True, False])
def test_the_acting_user_is_who_orders(desk: Desk, account: Callable[..., str], practitioner: bool) -> None:
    desk.user = account("orderer", practitioner=practitioner)
    made = desk.made()
    assert (made["ordered_by"]["full_name"], made["ordered_by"]["role"]) == ("Dr. Ada Okafor", "orderer")
    requester = desk.seen(made["id"])["requester"]
    assert requester["display"] == "Dr. Ada Okafor"
    assert ("reference" in requester) is practitioner


def test_a_user_who_is_not_known_orders_as_the_gateway(desk: Desk) -> None:
    desk.user = "nobody"
    assert desk.made()["ordered_by"]["full_name"] == "Suture"


def test_an_order_over_fhir_shows_whom_it_names(desk: Desk) -> None:
    desk.fhir.made("Practitioner", id="ada", name=[{"family": "Okafor", "given": ["Ada"]}])
    subject, category = (
        {"reference": "Patient/p"},
        [{"coding": [{"system": "http://snomed.info/sct", "code": "108252007"}]}],
    )
    made = desk.fhir.made(
        "ServiceRequest",
        status="active",
        intent="order",
        subject=subject,
        category=category,
        priority="asap",
        code={"text": "Ferritin"},
        requester={"reference": "Practitioner/ada"},
    )
    found = desk.get(made["id"])
    assert found["ordered_by"] == {"id": "ada", "full_name": "Ada Okafor", "role": None}
    assert (found["order_type"], found["priority"]) == ("LAB", "urgent")
    assert (found["order_details"]["test_code"], found["order_details"]["test_name"]) == (None, "Ferritin")
    assert found["visit"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", found["ordered_date"])
