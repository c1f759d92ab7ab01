"""Procedure: its columns, readiness, barriers and fields. https://hl7.org/fhir/R4/procedure.html"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from mappings import convert, procedures
from mappings.element import Refused, cs, ext
from mappings.resources.procedure import PROCEDURE
from storage.model.procedure import ProcedureBarrier, ProcedurePerformer
from storage.model.shared import Concept, Reference
from tests.fixtures.fields import field_value
from tests.fixtures.resources import decode, draw, numbered, read, stored, text, written

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
READINESS = ext("or-readiness")


def told(name: str, key: str, value: Any) -> dict[str, Any]:
    return {"url": name, key: value}


def barrier(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"url": "barrier", "extension": list(parts)}


BARRIER = barrier(
    told("kind", "valueCode", "labs"),
    told("text", "valueString", "INR too high"),
    told("openedAt", "valueDateTime", "2026-02-01T10:00:00Z"),
)
RESOLVED = barrier(
    told("kind", "valueCode", "consent"),
    told("blocking", "valueBoolean", False),
    told("openedAt", "valueDateTime", "2026-02-01T10:00:00.250000Z"),
    told("resolvedAt", "valueDateTime", "2026-02-02T10:00:00+01:00"),
)
OR_READINESS = {
    "url": READINESS,
    "extension": [
        told("surgicalStatus", "valueCode", "near_ready"),
        told("cardiologyClearance", "valueCode", "cleared"),
        told("cardiologyClearedAt", "valueDateTime", "2026-01"),
        told("cardiologyNote", "valueString", "Low risk"),
        told("stressTestStatus", "valueCode", "completed_normal"),
        told("consentStatus", "valueCode", "signed"),
        told("side", "valueCode", "left"),
        told("scheduledLocation", "valueReference", {"reference": "Location/or-3", "display": "OR 3"}),
        told("scheduledPeriod", "valuePeriod", {"start": "2026-03-01T08:00:00Z"}),
        told("estimatedMinutes", "valueInteger", 90),
        BARRIER,
        RESOLVED,
    ],
}
OR_RECORD = {
    "url": ext("or-record"),
    "extension": [
        told("caseClass", "valueCode", "urgent"),
        told("asaClass", "valueInteger", 3),
        told("anesthesiaType", "valueCode", "spinal"),
        told("woundClass", "valueCode", "clean"),
        told("details", "valueString", "Incision along the groin"),
    ],
}
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "Procedure", "id": "act-1",
    "identifier": [{"value": "OP-1"}],
    "instantiatesCanonical": ["http://x/PlanDefinition/1"], "instantiatesUri": ["http://x/1"],
    "basedOn": [{"reference": "ServiceRequest/order-1"}], "partOf": [{"reference": "Procedure/p"}],
    "status": "preparation", "statusReason": {"text": "waiting"},
    "category": {"coding": [{"system": "http://snomed.info/sct", "code": "387713003"}]},
    "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "35301"}],
        "text": "Endarterectomy"},
    "subject": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"},
    "performedPeriod": {"start": "2026-03-01T08:10:00Z", "end": "2026-03-01T09:40:00Z"},
    "recorder": {"reference": "Practitioner/r"}, "asserter": {"reference": "Practitioner/a"},
    "performer": [
        {"function": {"coding": [
            {"system": "http://suture.example.org/fhir/CodeSystem/surgical-role", "code": "assistant"}
        ]},
         "actor": {"reference": "Practitioner/d1"}, "onBehalfOf": {"reference": "Organization/o"}},
        {"function": {"coding": [{"system": "http://snomed.info/sct", "code": "304292004"}]},
         "actor": {"display": "Dr No"}},
        {"actor": {"display": "Someone"}}
    ],
    "location": {"reference": "Location/or-4"},
    "reasonCode": [{"text": "stenosis"}], "reasonReference": [{"reference": "Condition/c"}],
    "bodySite": [{"text": "neck"}], "outcome": {"text": "good"},
    "report": [{"reference": "DiagnosticReport/r"}],
    "complication": [{"text": "none"}], "complicationDetail": [{"reference": "Condition/d"}],
    "followUp": [{"text": "in 6 weeks"}], "note": [{"text": "left handed", "time": "2026"}],
    "focalDevice": [{"manipulated": {"reference": "Device/d"}}],
    "usedReference": [{"reference": "Device/e"}], "usedCode": [{"text": "patch"}]
}"""
)
FULL["extension"] = [
    OR_READINESS,
    OR_RECORD,
    {"url": ext("procedure-modifier"), "valueCodeableConcept": {"coding": [{"code": "LT"}]}},
    {"url": ext("procedure-modifier"), "valueCodeableConcept": {"coding": [{"code": "22"}]}},
    {"url": "urn:unknown", "valueString": "kept"},
]


def small(*extensions: dict[str, Any], **elements: Any) -> dict[str, Any]:
    value: dict[str, Any] = {
        "resourceType": "Procedure",
        "id": "made-here",
        "status": "preparation",
        "subject": {"reference": "Patient/p1"},
    } | elements
    return value | ({"extension": list(extensions)} if extensions else {})


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("status", "preparation"),
        ("surgical_status", "near_ready"),
        ("cardiology_clearance", "cleared"),
        ("cardiology_cleared_at", "2026-01"),
        ("cardiology_note", "Low risk"),
        ("stress_test_status", "completed_normal"),
        ("consent_status", "signed"),
        ("side", "left"),
        ("scheduled_location_text", "OR 3"),
        ("scheduled_start", "2026-03-01T08:00:00Z"),
        ("estimated_minutes", 90),
        ("case_class", "urgent"),
        ("asa_class", 3),
        ("anesthesia_type", "spinal"),
        ("wound_class", "clean"),
        ("details", "Incision along the groin"),
        ("cpt_code", "35301"),
        ("performed_kind", "Period"),
        ("performed_start", "2026-03-01T08:10:00Z"),
        ("performed_end", "2026-03-01T09:40:00Z"),
        ("instantiates_canonical", ["http://x/PlanDefinition/1"]),
        ("instantiates_uri", ["http://x/1"]),
    ],
)
def test_each_column_is_filled_by_its_element(column: str, expected: object) -> None:
    assert read(PROCEDURE, FULL).main[column] == expected


def test_everything_comes_back_as_it_was_sent() -> None:
    record = stored(read(PROCEDURE, FULL))
    assert text(draw(PROCEDURE, record)) == text(written(FULL))
    assert set(record.resource["remainder"]["x"]) == {"focalDevice", "extension"}


def test_links_name_the_columns_that_follow_from_references() -> None:
    assert {(link.column, link.table) for link in read(PROCEDURE, FULL).links} == {
        ("patient_id", "patient"),
        ("encounter_id", "encounter"),
        ("order_id", "service_order"),
        ("recorder_id", "resource"),
        ("asserter_id", "resource"),
        ("location_id", "location"),
        ("scheduled_location_id", "location"),
        ("actor_id", "resource"),
        ("on_behalf_of_id", "organization"),
    }


@pytest.mark.parametrize(
    ("elements", "column", "expected"),
    [
        ({"performedDateTime": "2026-03"}, "performed_start", "2026-03"),
        ({"performedString": "last spring"}, "performed_text", "last spring"),
        ({"performedAge": {"value": 40, "code": "a"}}, "performed_age_code", "a"),
        ({"performedRange": {"low": {"value": 1}}}, "performed_kind", "Range"),
    ],
)
def test_each_branch_of_performed_comes_back(elements: Any, column: str, expected: str) -> None:
    value = small(**elements)
    record = read(PROCEDURE, value)
    assert record.main[column] == expected
    assert text(draw(PROCEDURE, record)) == text(value)


def test_roles_follow_from_functions() -> None:
    rows = read(PROCEDURE, FULL).rows(ProcedurePerformer)
    assert [row["role"] for row in rows] == ["assistant", "primary_surgeon", None]


@pytest.mark.parametrize(
    ("system", "code", "role"),
    [
        (cs("surgical-role"), "scrub", "scrub"),
        (cs("surgical-role"), "visitor", "other"),
        ("http://snomed.info/sct", "88189002", "anesthesiologist"),
        ("http://snomed.info/sct", "1", None),
    ],
)
def test_the_role_is_our_own_code_else_what_a_snomed_code_tells(
    system: str, code: str, role: str | None
) -> None:
    function = {"coding": [{"system": system, "code": code}]}
    record = read(PROCEDURE, small(performer=[{"function": function, "actor": {"display": "X"}}]))
    assert record.rows(ProcedurePerformer)[0]["role"] == role


def test_barriers_are_rows_that_block_unless_told_otherwise() -> None:
    rows = read(PROCEDURE, FULL).rows(ProcedureBarrier)
    assert [(row["kind"], row["text"], row["blocking"]) for row in rows] == [
        ("labs", "INR too high", True),
        ("consent", None, False),
    ]
    assert rows[0]["opened_at"] == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert [row["resolved_at"] for row in rows] == [None, datetime(2026, 2, 2, 9, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("parts", "missing"),
    [
        ((told("openedAt", "valueDateTime", "2026-02-01T10:00:00Z"),), "kind"),
        ((told("kind", "valueCode", "labs"),), "openedAt"),
        ((told("kind", "valueCode", "labs"), told("openedAt", "valueDateTime", "2026-02")), "openedAt"),
    ],
)
def test_a_barrier_needs_its_kind_and_the_instant_of_its_opening(parts: Any, missing: str) -> None:
    with pytest.raises(Refused) as refused:
        read(PROCEDURE, small({"url": READINESS, "extension": [barrier(*parts)]}))
    expression = f"Procedure.extension('{READINESS}').extension('barrier')[0].extension('{missing}')"
    assert (refused.value.kind, refused.value.expression) == ("required", expression)


@pytest.mark.parametrize(
    ("name", "key", "value", "kind"),
    [
        ("surgicalStatus", "valueCode", "soon", "code-invalid"),
        ("side", "valueCode", "top", "code-invalid"),
        ("estimatedMinutes", "valueInteger", 0, "value"),
    ],
)
def test_wrong_readiness_is_refused_where_it_stands(name: str, key: str, value: Any, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        read(PROCEDURE, small({"url": READINESS, "extension": [told(name, key, value)]}))
    expression = f"Procedure.extension('{READINESS}').extension('{name}').{key}"
    assert (refused.value.kind, refused.value.expression) == (kind, expression)


@pytest.mark.parametrize("asa", [0, 7])
def test_an_asa_class_beyond_its_limits_is_refused(asa: int) -> None:
    record = {"url": ext("or-record"), "extension": [told("asaClass", "valueInteger", asa)]}
    with pytest.raises(Refused, match="value"):
        read(PROCEDURE, small(record))


def test_a_wrong_status_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        read(PROCEDURE, small(status="done"))
    assert (refused.value.kind, refused.value.expression) == ("code-invalid", "Procedure.status")


def test_readiness_survives_an_update_that_leaves_it_out() -> None:
    old, new = read(PROCEDURE, FULL), read(PROCEDURE, small())
    convert.carry(PROCEDURE, old, new, numbered())
    assert new.main["surgical_status"] == "near_ready"
    assert new.main["case_class"] is None
    assert len(new.rows(ProcedureBarrier)) == 2


def test_readiness_that_is_told_replaces_all_of_it() -> None:
    old = read(PROCEDURE, FULL)
    new = read(
        PROCEDURE, small({"url": READINESS, "extension": [told("surgicalStatus", "valueCode", "ready")]})
    )
    convert.carry(PROCEDURE, old, new, numbered())
    assert (new.main["surgical_status"], new.rows(ProcedureBarrier)) == ("ready", [])


def test_an_element_that_is_set_drops_what_was_kept_of_the_old_one() -> None:
    record = read(PROCEDURE, small(_status={"id": "s"}, performedRange={"low": {"value": 1}}))
    at = convert.top(record, PROCEDURE, numbered())
    convert.replace_element(at, PROCEDURE.by_element["status"], "status", "completed")
    convert.replace_element(at, PROCEDURE.by_element["performedString"], "performedString", "now")
    assert record.resource["remainder"] is None
    assert draw(PROCEDURE, record)["performedString"] == "now"


@pytest.mark.parametrize(
    ("field", "raw", "element", "expected"),
    [
        (
            "PR1-3",
            "35301^^C4",
            "code",
            {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "35301"}]},
        ),
        ("PR1-4", "Endarterectomy", "code", "Endarterectomy"),
        ("PR1-5", "20260301", "performedDateTime", "2026-03-01"),
        ("PR1-9", "SPINAL", "valueCode", "spinal"),
        ("PR1-13", "SIGNED", "valueCode", "signed"),
        ("PR1-13", "?", "valueCode", None),
        ("PR1-16", "LT", "valueCode", "left"),
        ("PR1-16", "50", "valueCode", "bilateral"),
        ("PR1-15", "^Stenosis", "reasonCode", {"text": "Stenosis"}),
        ("PV2-33", "202603010800-0000", "valuePeriod", "2026-03-01T08:00:00-00:00"),
    ],
)
def test_fields_are_read_as_their_element(field: str, raw: str, element: str, expected: object) -> None:
    assert field_value(PROCEDURE, field, element, raw) == expected


def test_official_procedures_leave_only_devices_over(corpus: Path) -> None:
    files = sorted((corpus / "fhir-r4" / "examples").glob("Procedure-*.json"))
    assert files
    for path in files:
        left = (read(PROCEDURE, decode(path.read_bytes())).resource["remainder"] or {}).get("x", {})
        assert set(left) <= {"focalDevice", "contained", "extension", "performedRange"}, path.name


# --- set from inside ----------------------------------------------------------------------------------------


def test_the_type_is_text_and_cpt_code_of_a_surgical_procedure() -> None:
    record = read(PROCEDURE, small())
    procedures.set_procedure_type(record, "Bypass", numbered(), "35656")
    for hook in PROCEDURE.project:
        hook(record)
    drawn = draw(PROCEDURE, record)
    assert (drawn["code"]["text"], record.main["cpt_code"]) == ("Bypass", "35656")
    assert drawn["category"]["coding"][0]["code"] == "387713003"


def test_a_side_is_a_column_and_a_body_site_and_goes_again() -> None:
    record, new_id = read(PROCEDURE, small(bodySite=[{"text": "leg"}])), numbered()
    procedures.set_side(record, "left", new_id)
    procedures.set_side(record, "right", new_id)
    sites = draw(PROCEDURE, record)["bodySite"]
    assert [site.get("text") or site["coding"][1]["code"] for site in sites] == ["leg", "24028007"]
    procedures.set_side(record, "midline", new_id)
    assert draw(PROCEDURE, record)["bodySite"][1]["coding"][1]["display"] == "Midline"
    procedures.set_side(record, "not_applicable", new_id)
    assert (draw(PROCEDURE, record)["bodySite"], record.main["side"]) == ([{"text": "leg"}], "not_applicable")


def test_an_unknown_side_is_refused() -> None:
    with pytest.raises(Refused, match="code-invalid"):
        procedures.set_side(read(PROCEDURE, small()), "top", numbered())


def test_a_room_is_booked_by_name_or_by_location_and_freed() -> None:
    record, new_id = read(PROCEDURE, FULL), numbered()
    procedures.set_scheduled_location(record, {"display": "Theatre 1"}, new_id)
    for hook in PROCEDURE.project:
        hook(record)
    assert record.main["scheduled_location_text"] == "Theatre 1"
    procedures.set_scheduled_location(record, {"reference": "Location/or-9"}, new_id)
    links = [
        link.reference["target_fhir_id"] for link in record.links if link.column == "scheduled_location_id"
    ]
    assert links == ["or-9"]
    procedures.set_scheduled_location(record, None, new_id)
    assert record.rows(Reference, None, "scheduledLocation") == []


def test_texts_of_barriers_open_new_ones_and_resolve_those_that_are_gone() -> None:
    record, new_id, by = read(PROCEDURE, small()), numbered(), UUID(int=99)
    assert procedures.set_barriers(record, ["Labs", "cat at home"], AT, new_id, by)
    assert [row["kind"] for row in record.rows(ProcedureBarrier)] == ["labs", "other"]
    assert not procedures.set_barriers(record, ["cat at home"], AT, new_id, by)
    first, second = record.rows(ProcedureBarrier)
    assert (second["text"], second["resolved_at"]) == ("cat at home", None)
    assert (first["resolved_at"], first["resolved_by"]) == (AT, by)
    assert len(draw(PROCEDURE, record)["extension"][0]["extension"]) == 2


def test_a_barrier_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Refused, match="code-invalid"):
        procedures.add_barrier(read(PROCEDURE, small()), "weather", None, AT, numbered())


def test_modifiers_are_concepts_in_their_order() -> None:
    record = read(PROCEDURE, FULL)
    assert len(record.rows(Concept, None, "modifier")) == 2
