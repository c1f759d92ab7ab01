"""ServiceRequest: its columns, details and fields. https://hl7.org/fhir/R4/servicerequest.html"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mappings import convert
from mappings.element import Refused, cs, ext, sid
from mappings.resources.service_request import SERVICE_REQUEST
from mappings.workflow.orders import STATUS_REASON
from storage.model.shared import Concept, Identifier, Reference
from tests.fixtures.fields import field_value
from tests.fixtures.resources import decode, draw, numbered, read, stored, text, written

CPT = "http://www.ama-assn.org/go/cpt"
SCT = "http://snomed.info/sct"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
V2_0074 = "http://terminology.hl7.org/CodeSystem/v2-0074"
HOSPITAL = {"system": "urn:hl7:hd:W"}
WORKFLOW = {
    "url": ext("order-workflow"),
    "extension": [
        {"url": "status", "valueCode": "scheduled"},
        {"url": "scheduledAt", "valueDateTime": "2026-03-01T10:00:00+01:00"},
        {"url": "performedAt", "valueDateTime": "2026-03-01T11:00:00Z"},
        {"url": "reportedAt", "valueDateTime": "2026-03-02T11:00:00.5Z"},
        {"url": "cancelledAt", "valueDateTime": "2026-03"},
    ],
}
DETAILS = {
    "url": ext("order-details"),
    "extension": [
        {"url": "clinicalHistory", "valueString": "Smoker"},
        {"url": "studyInstanceUid", "valueString": "1.2.840.1"},
        {"url": "numberOfImages", "valueInteger": 12},
    ],
}
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "ServiceRequest", "id": "order-1",
    "contained": [{"resourceType": "Patient", "id": "p"}],
    "identifier": [
        {"system": "urn:lab", "value": "L-1"},
        {"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"}]},
         "system": "urn:ward", "value": "W-7"},
        {"system": "http://suture.example.org/fhir/sid/order-number", "value": "ORD-2026-00001"},
        {"system": "http://suture.example.org/fhir/sid/accession-number", "value": "ACC-2026-00001"}
    ],
    "instantiatesCanonical": ["http://x/PlanDefinition/1"], "instantiatesUri": ["http://x/1"],
    "basedOn": [{"reference": "CarePlan/c"}], "replaces": [{"reference": "ServiceRequest/old"}],
    "requisition": {"value": "G-1"},
    "status": "active", "_status": {"id": "s"}, "intent": "order",
    "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "363679005"}]}],
    "priority": "stat", "doNotPerform": false,
    "code": {"coding": [
        {"system": "http://www.ama-assn.org/go/cpt", "code": "71045", "display": "Chest X-ray"}
    ]},
    "orderDetail": [
        {"coding": [
            {"system": "http://suture.example.org/fhir/CodeSystem/imaging-modality", "code": "XRAY"}
        ]},
        {"coding": [{"system": "http://suture.example.org/fhir/CodeSystem/contrast", "code": "without"}]},
        {"text": "Standing"}
    ],
    "quantityQuantity": {"value": 1.50, "unit": "views"},
    "subject": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"},
    "occurrencePeriod": {"start": "2026-03", "end": "2026-04"},
    "asNeededBoolean": true, "authoredOn": "2026-02-28",
    "requester": {"reference": "Practitioner/d1"},
    "performerType": {"text": "radiographer"},
    "performer": [{"reference": "Organization/o"}, {"reference": "Practitioner/t1"}],
    "locationCode": [{"text": "ward"}], "locationReference": [{"reference": "Location/l"}],
    "reasonCode": [{"coding": [{"code": "J18"}], "text": "coded"}, {"text": "Suspected pneumonia"}],
    "reasonReference": [{"reference": "Condition/c"}], "insurance": [{"reference": "Coverage/c"}],
    "supportingInfo": [{"reference": "Observation/o"}], "specimen": [{"reference": "Specimen/s"}],
    "bodySite": [{
        "coding": [{"system": "http://suture.example.org/fhir/CodeSystem/body-part", "code": "CHEST"}],
        "extension": [{"url": "http://suture.example.org/fhir/StructureDefinition/laterality",
            "valueCoding": {
                "system": "http://suture.example.org/fhir/CodeSystem/laterality", "code": "left"
            }}]}],
    "note": [{"text": "Call first", "time": "2026-02-28T09:00:00Z", "authorString": "Nurse"}],
    "patientInstruction": "Fast", "relevantHistory": [{"reference": "Provenance/p"}]
}"""
)
FULL["extension"] = [
    WORKFLOW,
    DETAILS,
    {"url": STATUS_REASON, "valueCodeableConcept": {"text": "Not needed any more"}},
    {"url": "urn:unknown", "valueString": "kept"},
]

COLUMNS = [
    ("order_number", "ORD-2026-00001"),
    ("accession_number", "ACC-2026-00001"),
    ("external_id", "W-7"),
    ("order_type", "IMAGING"),
    ("status", "scheduled"),
    ("record_state", "normal"),
    ("on_hold", False),
    ("priority", "stat"),
    ("intent", "order"),
    ("do_not_perform", False),
    ("clinical_indication", "Suspected pneumonia"),
    ("special_instructions", "Standing"),
    ("cancellation_reason", "Not needed any more"),
    ("authored", "2026-02-28"),
    ("occurrence_kind", "Period"),
    ("occurrence_start", "2026-03"),
    ("occurrence_end", "2026-04"),
    ("scheduled_at", "2026-03-01T10:00:00+01:00"),
    ("quantity_unit", "views"),
    ("instantiates_canonical", ["http://x/PlanDefinition/1"]),
    ("instantiates_uri", ["http://x/1"]),
    ("as_needed_boolean", True),
    ("patient_instruction", "Fast"),
    ("cancelled_at", None),
]


@pytest.mark.parametrize(("column", "expected"), COLUMNS)
def test_each_column_is_filled_by_its_element(column: str, expected: object) -> None:
    assert read(SERVICE_REQUEST, FULL).main[column] == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("modality_code", "XRAY"),
        ("body_part_code", "CHEST"),
        ("laterality", "left"),
        ("procedure_code", "71045"),
        ("procedure_name", "Chest X-ray"),
        ("contrast", False),
        ("clinical_history", "Smoker"),
        ("study_instance_uid", "1.2.840.1"),
        ("number_of_images", 12),
    ],
)
def test_each_column_of_an_imaging_order_is_filled(column: str, expected: object) -> None:
    assert read(SERVICE_REQUEST, FULL).details["order_imaging"][column] == expected


def test_times_of_the_workflow_are_instants() -> None:
    row = read(SERVICE_REQUEST, FULL).main
    assert row["performed_at"].isoformat() == "2026-03-01T11:00:00+00:00"
    assert row["reported_at"].isoformat() == "2026-03-02T11:00:00.500000+00:00"


def test_everything_comes_back_as_it_was_sent() -> None:
    assert text(draw(SERVICE_REQUEST, stored(read(SERVICE_REQUEST, FULL)))) == text(written(FULL))


@pytest.mark.parametrize(
    ("element", "path"),
    [
        ("basedOn", "basedOn"),
        ("replaces", "replaces"),
        ("locationReference", "locationReference"),
        ("insurance", "insurance"),
        ("supportingInfo", "supportingInfo"),
        ("relevantHistory", "relevantHistory"),
        ("reasonReference", "reasonReference"),
    ],
)
def test_references_are_rows_under_their_path(element: str, path: str) -> None:
    found = read(SERVICE_REQUEST, FULL).rows(Reference, None, path)
    assert [f"{row['target_type']}/{row['target_fhir_id']}" for row in found] == [
        item["reference"] for item in FULL[element]
    ]


def test_links_name_the_columns_that_follow_from_references() -> None:
    links = {(link.column, link.table) for link in read(SERVICE_REQUEST, FULL).links}
    assert links == {
        ("patient_id", "patient"),
        ("encounter_id", "encounter"),
        ("requester_id", "resource"),
        ("performing_user_id", "practitioner"),
    }


LAB = {
    "url": ext("order-details"),
    "extension": [
        {"url": "specimenType", "valueString": "Blood"},
        {"url": "specimenSource", "valueString": "Vein"},
        {"url": "fastingRequired", "valueBoolean": True},
        {"url": "collectionDate", "valueDateTime": "2026-03-01"},
        {
            "url": "panel",
            "extension": [{"url": "item", "valueString": "HB"}, {"url": "item", "valueString": "HT"}],
        },
    ],
}
PROCEDURE = {
    "url": ext("order-details"),
    "extension": [
        {"url": "procedureKind", "valueCode": "diagnostic"},
        {"url": "anesthesiaRequired", "valueBoolean": True},
        {"url": "estimatedMinutes", "valueInteger": 30},
    ],
}


def small(**elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
    } | elements


def coded(system: str | None, code: str) -> dict[str, Any]:
    return {"coding": [{"code": code} if system is None else {"system": system, "code": code}]}


def test_a_laboratory_order_has_its_details() -> None:
    code = {"coding": [{"system": cs("lab-test"), "code": "CBC"}], "text": "Blood count"}
    value = small(id="made-here", category=[coded(SCT, "108252007")], code=code, extension=[LAB])
    record = read(SERVICE_REQUEST, value)
    row = record.details["order_lab"]
    assert (row["test_code"], row["test_name"]) == ("CBC", "Blood count")
    assert (row["specimen_type"], row["specimen_source"], row["fasting_required"]) == ("Blood", "Vein", True)
    assert (row["collection_date"], row["panel"]) == ("2026-03-01", ["HB", "HT"])
    assert text(draw(SERVICE_REQUEST, record)) == text(value)


def test_an_order_of_a_procedure_has_its_details() -> None:
    code = {"coding": [{"system": CPT, "code": "45378", "display": "Colonoscopy"}]}
    value = small(id="made-here", category=[coded(SCT, "103693007")], code=code, extension=[PROCEDURE])
    record = read(SERVICE_REQUEST, value)
    row = record.details["order_procedure"]
    assert (row["procedure_code"], row["procedure_name"]) == ("45378", "Colonoscopy")
    assert (row["procedure_kind"], row["anesthesia_required"], row["estimated_minutes"]) == (
        "diagnostic",
        True,
        30,
    )
    assert text(draw(SERVICE_REQUEST, record)) == text(value)


def test_details_of_another_type_come_back_without_a_column() -> None:
    value = small(id="made-here", category=[coded(SCT, "108252007")], extension=[PROCEDURE])
    record = read(SERVICE_REQUEST, value)
    assert set(record.details) == {"order_lab"}
    assert text(draw(SERVICE_REQUEST, record)) == text(value)


@pytest.mark.parametrize(
    ("elements", "order_type"),
    [
        ({"category": [coded(SCT, "363679005")]}, "IMAGING"),
        ({"category": [coded(SCT, "108252007")]}, "LAB"),
        ({"category": [coded(SCT, "387713003")]}, "PROCEDURE"),
        ({"category": [coded(SCT, "103693007")]}, "PROCEDURE"),
        ({"category": [coded(V2_0074, "RAD")]}, "IMAGING"),
        ({"category": [coded(V2_0074, "HM")]}, "LAB"),
        ({"category": [coded(V2_0074, "CTH")]}, "PROCEDURE"),
        ({"category": [coded(SCT, "363679005"), coded(cs("order-type"), "OTHER")]}, "OTHER"),
        ({"category": [coded(SCT, "1")], "code": coded(CPT, "71045")}, "IMAGING"),
        ({"code": coded(CPT, "85025")}, "LAB"),
        ({"code": coded(CPT, "45378")}, "OTHER"),
        ({"code": coded(cs("lab-test"), "CBC")}, "LAB"),
        ({"code": coded(None, "71045")}, "OTHER"),
        ({}, "OTHER"),
    ],
)
def test_the_type_follows_from_category_then_from_code(elements: dict[str, Any], order_type: str) -> None:
    record = read(SERVICE_REQUEST, small(**elements))
    assert record.main["order_type"] == order_type
    assert len(record.details) == (order_type != "OTHER")


def test_left_and_right_sites_make_both_sides() -> None:
    def site(side: str) -> dict[str, Any]:
        coding = {"system": cs("laterality"), "code": side}
        return {"text": side, "extension": [{"url": ext("laterality"), "valueCoding": coding}]}

    value = small(id="made-here", category=[coded(SCT, "363679005")], bodySite=[site("left"), site("right")])
    record = read(SERVICE_REQUEST, value)
    assert record.details["order_imaging"]["laterality"] == "bilateral"
    assert text(draw(SERVICE_REQUEST, record)) == text(value)


@pytest.mark.parametrize(
    ("elements", "kind", "expression"),
    [
        ({"status": "done"}, "code-invalid", "ServiceRequest.status"),
        ({"intent": "wish"}, "code-invalid", "ServiceRequest.intent"),
        ({"priority": "now"}, "code-invalid", "ServiceRequest.priority"),
        (
            {"extension": [{**WORKFLOW, "extension": [{"url": "status", "valueCode": "lost"}]}]},
            "code-invalid",
            f"ServiceRequest.extension('{ext('order-workflow')}').extension('status').valueCode",
        ),
    ],
)
def test_wrong_codes_are_refused_where_they_stand(
    elements: dict[str, Any], kind: str, expression: str
) -> None:
    with pytest.raises(Refused) as refused:
        read(SERVICE_REQUEST, small(**elements))
    assert (refused.value.kind, refused.value.expression) == (kind, expression)


def test_an_element_that_is_set_drops_what_was_kept_of_the_old_one() -> None:
    value = small(id="made-here", authoredOn="2026", _authoredOn={"id": "x"}, occurrenceTiming={"count": 1})
    record = read(SERVICE_REQUEST, value)
    at = convert.top(record, SERVICE_REQUEST, numbered())
    convert.replace_element(at, SERVICE_REQUEST.by_element["authoredOn"], "authoredOn", "2027")
    occurrence = SERVICE_REQUEST.by_element["occurrenceDateTime"]
    convert.replace_element(at, occurrence, "occurrenceDateTime", "2028")
    assert record.resource["remainder"] is None
    drawn = draw(SERVICE_REQUEST, record)
    assert (drawn["authoredOn"], drawn["occurrenceDateTime"]) == ("2027", "2028")


def test_our_numbers_are_kept_when_a_client_leaves_them_out() -> None:
    old, new = read(SERVICE_REQUEST, FULL), read(SERVICE_REQUEST, small())
    convert.carry(SERVICE_REQUEST, old, new, numbered())
    systems = {row["system"] for row in new.rows(Identifier, None, "identifier")}
    assert systems == {sid("order-number"), sid("accession-number")}


@pytest.mark.parametrize(
    ("field", "raw", "element", "expected"),
    [
        ("TQ1-9", "S", "priority", "stat"),
        ("TQ1-9", "TM15", "priority", "urgent"),
        ("TQ1-9", "PRN", "priority", None),
        ("TQ1-9", "X", "priority", None),
        ("OBR-5", "R", "priority", "routine"),
        ("OBR-27", "1^^^^^A", "priority", "asap"),
        ("ORC-7", "1^^^^^P", "priority", "urgent"),
        ("TQ1-9", "PRN", "asNeededBoolean", True),
        ("TQ1-9", "S", "asNeededBoolean", None),
        ("OBR-11", "G", "intent", "reflex-order"),
        ("OBR-6", "202603011000", "occurrenceDateTime", "2026-03-01T10:00:00+01:00"),
        ("OBR-36", "20260301", "valueDateTime", "2026-03-01"),
        ("OBR-31", "^Cough", "reasonCode", {"text": "Cough"}),
        ("ORC-16", "^Wrong patient", "valueCodeableConcept", {"text": "Wrong patient"}),
        ("TQ1-11", "Lying & still", "orderDetail", {"text": "Lying & still"}),
        ("OBR-27", "1^^^^^^^Fast", "orderDetail", {"text": "Fast"}),
        ("OBR-13", "Smoker", "valueString", "Smoker"),
        ("OBR-15", "^^^51185008&&SCT", "bodySite", coded(SCT, "51185008")),
        ("ORC-4", "G1^W", "requisition", {"type": coded(V2_0203, "PGN"), **HOSPITAL, "value": "G1"}),
        ("ORC-2", "P1^W", "identifier", {"type": coded(V2_0203, "PLAC"), **HOSPITAL, "value": "P1"}),
        ("OBR-3", "F1^W", "identifier", {"type": coded(V2_0203, "FILL"), **HOSPITAL, "value": "F1"}),
        ("OBR-24", "RAD", "category", coded(V2_0074, "RAD")),
    ],
)
def test_fields_are_read_as_their_element(field: str, raw: str, element: str, expected: object) -> None:
    assert field_value(SERVICE_REQUEST, field, element, raw) == expected


def test_official_orders_leave_nothing_but_timings_over(corpus: Path) -> None:
    files = sorted((corpus / "fhir-r4" / "examples").glob("ServiceRequest-*.json"))
    assert files
    for path in files:
        left = (read(SERVICE_REQUEST, decode(path.read_bytes())).resource["remainder"] or {}).get("x", {})
        assert set(left) <= {"occurrenceTiming", "contained", "quantityRatio", "quantityRange"}, path.name


def test_a_concept_of_the_reason_to_cancel_is_a_row_of_its_own() -> None:
    record = read(SERVICE_REQUEST, FULL)
    assert [row["text"] for row in record.rows(Concept, None, "statusReason")] == ["Not needed any more"]
