"""Orders set from inside fill the same columns as FHIR does. https://hl7.org/fhir/R4/servicerequest.html"""

from __future__ import annotations

from typing import Any

import pytest

from mappings import orders, resource
from mappings.element import Refused, cs, sid
from mappings.resources.service_request import SERVICE_REQUEST
from storage.record import Record
from tests.fixtures.resources import NOW, draw, numbered, read, text

LOINC = "http://loinc.org"
DCM = "http://dicom.nema.org/resources/ontology/DCM"


def blank() -> Record:
    record = resource.blank(SERVICE_REQUEST, numbered())
    record.main.update(status="ordered", record_state="normal", on_hold=False, intent="order")
    record.resource.update(last_updated=NOW, fhir_id="made-here")
    return record


def settled(record: Record) -> Record:
    for hook in SERVICE_REQUEST.project:
        hook(record)
    return record


def test_an_imaging_order_made_inside_is_read_the_same_as_fhir() -> None:
    record, new_id = blank(), numbered()
    row = orders.set_order_type(record, "IMAGING", new_id)
    assert row is not None
    row["clinical_history"] = "Smoker"
    orders.set_numbers(record, "ORD-2026-00001", "ACC-2026-00001", new_id)
    orders.set_modality(record, "XRAY", "X-Ray", "DX", new_id)
    orders.set_body_part(record, "CHEST", "Chest", "51185008", "bilateral", new_id)
    orders.set_contrast(record, False, new_id)
    orders.set_procedure_code(record, "71045", "Chest X-ray", new_id)
    orders.set_clinical_indication(record, "Suspected pneumonia", new_id)
    orders.set_special_instructions(record, "Standing", new_id)
    orders.add_note(record, "first", new_id, "2026-03-01T08:00:00Z", "Nurse")
    drawn = draw(SERVICE_REQUEST, settled(record))
    again = read(SERVICE_REQUEST, drawn)
    assert again.main == record.main | {"id": again.main["id"]}
    assert again.details["order_imaging"] == row | {"id": again.main["id"]}
    assert (row["modality_code"], row["body_part_code"], row["laterality"]) == ("XRAY", "CHEST", "bilateral")
    assert (row["contrast"], row["procedure_code"], row["procedure_name"]) == (False, "71045", "Chest X-ray")
    assert record.main["clinical_indication"] == "Suspected pneumonia"
    assert record.main["special_instructions"] == "Standing"
    assert text(draw(SERVICE_REQUEST, again)) == text(drawn)


def test_standard_codes_stand_beside_our_own() -> None:
    record, new_id = blank(), numbered()
    orders.set_modality(record, "CT", "CT Scan", "CT", new_id)
    orders.set_lab_test(record, "CBC", "Complete Blood Count", "58410-2", new_id)
    drawn = draw(SERVICE_REQUEST, record)
    systems = [coding["system"] for coding in drawn["orderDetail"][0]["coding"]]
    assert systems == [cs("imaging-modality"), DCM]
    assert [coding["system"] for coding in drawn["code"]["coding"]] == [cs("lab-test"), LOINC]


@pytest.mark.parametrize(
    ("order_type", "table"),
    [("IMAGING", "order_imaging"), ("LAB", "order_lab"), ("PROCEDURE", "order_procedure"), ("OTHER", None)],
)
def test_a_type_brings_its_detail_row_and_drops_others(order_type: str, table: str | None) -> None:
    record, new_id = blank(), numbered()
    orders.set_order_type(record, "LAB" if order_type != "LAB" else "IMAGING", new_id)
    orders.set_order_type(record, order_type, new_id)
    assert settled(record).main["order_type"] == order_type
    assert set(record.details) == ({table} if table else set())
    assert len(draw(SERVICE_REQUEST, record)["category"]) == 1


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(Refused, match="code-invalid"):
        orders.set_order_type(blank(), "XRAY", numbered())


@pytest.mark.parametrize(("placer", "kind"), [(True, "FILL"), (False, "PLAC")])
def test_our_order_number_is_the_fillers_beside_a_foreign_placers(placer: bool, kind: str) -> None:
    record, new_id = blank(), numbered()
    if placer:
        orders.set_identifier(record, "urn:ward", "W-1", "PLAC", new_id)
    orders.set_numbers(record, "ORD-2026-00001", "ACC-2026-00001", new_id)
    orders.set_numbers(record, "ORD-2026-00002", "ACC-2026-00002", new_id)
    found = {item["system"]: item for item in draw(SERVICE_REQUEST, settled(record))["identifier"]}
    assert found[sid("order-number")]["type"]["coding"][0]["code"] == kind
    assert found[sid("accession-number")]["value"] == "ACC-2026-00002"
    assert (record.main["order_number"], record.main["external_id"]) == (
        "ORD-2026-00002",
        "W-1" if placer else None,
    )


def test_texts_replace_their_own_and_leave_what_others_said() -> None:
    value: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "id": "made-here",
        "status": "active",
        "intent": "order",
        "reasonCode": [{"coding": [{"code": "J18"}]}, {"text": "old"}],
    }
    record, new_id = read(SERVICE_REQUEST, value), numbered()
    orders.set_clinical_indication(record, "new", new_id)
    assert draw(SERVICE_REQUEST, record)["reasonCode"] == [value["reasonCode"][0], {"text": "new"}]
    orders.set_clinical_indication(record, None, new_id)
    assert draw(SERVICE_REQUEST, settled(record))["reasonCode"] == [value["reasonCode"][0]]
    assert record.main["clinical_indication"] is None


def test_a_reason_to_cancel_is_set_and_taken_away() -> None:
    record, new_id = blank(), numbered()
    orders.set_cancellation_reason(record, "Not needed any more", new_id)
    orders.set_cancellation_reason(record, "Patient has died", new_id)
    assert settled(record).main["cancellation_reason"] == "Patient has died"
    assert len(draw(SERVICE_REQUEST, record)["extension"]) == 1
    orders.set_cancellation_reason(record, None, new_id)
    assert "extension" not in draw(SERVICE_REQUEST, settled(record))


def test_a_side_that_no_body_part_has_is_refused() -> None:
    record, new_id = blank(), numbered()
    with pytest.raises(Refused, match="code-invalid"):
        orders.set_body_part(record, "HEAD", "Head", None, "top", new_id)


@pytest.mark.parametrize("cleared", ["modality", "contrast", "test"])
def test_none_clears_what_was_set(cleared: str) -> None:
    record, new_id = blank(), numbered()
    orders.set_modality(record, "CT", "CT Scan", "CT", new_id)
    orders.set_contrast(record, True, new_id)
    orders.set_lab_test(record, "CBC", "Complete Blood Count", None, new_id)
    if cleared == "modality":
        orders.set_modality(record, None, None, None, new_id)
    elif cleared == "contrast":
        orders.set_contrast(record, None, new_id)
    else:
        orders.set_lab_test(record, None, None, None, new_id)
    drawn = draw(SERVICE_REQUEST, record)
    assert len(drawn["orderDetail"]) == (2 if cleared == "test" else 1)
    assert ("code" in drawn) == (cleared != "test")
