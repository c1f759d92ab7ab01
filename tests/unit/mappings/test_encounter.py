"""Encounter: its columns, projections and fields of PV1 and DG1. https://hl7.org/fhir/R4/encounter.html"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mappings import convert
from mappings.element import Part, Refused, V2Context, cs, ext, sid
from mappings.resources.encounter import DIAGNOSIS, ENCOUNTER
from storage.model.encounter import (
    EncounterBillingCode,
    EncounterDiagnosis,
    EncounterLocation,
    EncounterParticipant,
    EncounterStatusHistory,
)
from storage.model.shared import Concept, Identifier, Reference
from tests.fixtures.resources import decode, draw, numbered, read, repetition, text

CONTEXT = V2Context(zone=ZoneInfo("Europe/Amsterdam"))
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CPT = "http://www.ama-assn.org/go/cpt"
BILLED = {
    "url": "billingCode",
    "extension": [
        {"url": "code", "valueCoding": {"system": CPT, "code": "35301"}},
        {"url": "modifier", "valueString": "RT"},
        {"url": "units", "valueInteger": 2},
        {"url": "charge", "valueMoney": {"value": Decimal("1250.00"), "currency": "EUR"}},
    ],
}
UNCODED = {"url": "billingCode", "extension": [{"url": "modifier", "valueString": "LT"}]}
DETAILS = {
    "url": ext("visit-details"),
    "extension": [{"url": "treatmentPlan", "valueString": "Operate"}, BILLED],
}
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "Encounter", "id": "visit-1",
    "identifier": [{"type": {"coding": [{"code": "VN"}]}, "value": "V-17"}],
    "status": "in-progress",
    "statusHistory": [
        {"status": "planned", "period": {"end": "2026-02-01"}},
        {"id": "h2", "status": "arrived", "period": {"start": "2026-02-01"}}
    ],
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
    "classHistory": [{"class": {"code": "EMER"}, "period": {"start": "2026"}}],
    "type": [{"text": "stay"}], "serviceType": {"text": "vascular"}, "priority": {"coding": [{"code": "UR"}]},
    "subject": {"reference": "Patient/p1", "display": "Doe"},
    "episodeOfCare": [{"reference": "EpisodeOfCare/e1"}],
    "basedOn": [{"reference": "ServiceRequest/r1"}],
    "participant": [{
        "type": [{"coding": [{"code": "ATND"}]}],
        "period": {"start": "2026-02-01T10:00:00Z"},
        "individual": {"reference": "Practitioner/d1"}
    }],
    "appointment": [{"reference": "Appointment/a1"}],
    "period": {"start": "2026-02-01T08:00:00+01:00"},
    "length": {"value": 3.50, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"},
    "reasonCode": [{"coding": [{"code": "I70.2"}], "text": "coded"}, {"text": "Leg pain"}],
    "reasonReference": [{"reference": "Condition/c1"}],
    "diagnosis": [
        {"condition": {"reference": "Condition/c1"}, "use": {"coding": [{"code": "AD"}]}, "rank": 1},
        {"condition": {"reference": "Procedure/x"}}
    ],
    "account": [{"identifier": {"value": "ACC-1"}}],
    "hospitalization": {
        "preAdmissionIdentifier": {"value": "PRE-1"},
        "origin": {"reference": "Location/home"},
        "admitSource": {"text": "home"}, "reAdmission": {"text": "R"},
        "dietPreference": [{"text": "vegan"}, {"text": "no nuts"}],
        "specialCourtesy": [{"text": "VIP"}], "specialArrangement": [{"text": "wheelchair"}],
        "destination": {"display": "care home"},
        "dischargeDisposition": {"text": "home"}
    },
    "location": [{
        "location": {"reference": "Location/or-4"}, "status": "active",
        "physicalType": {"coding": [{"code": "ro"}]}, "period": {"start": "2026-02-01", "end": "2026-02-02"}
    }],
    "serviceProvider": {"reference": "Organization/clinic-1"},
    "partOf": {"reference": "Encounter/visit-0"}
    }"""
) | {"extension": [DETAILS]}


def test_each_element_fills_its_column() -> None:
    main = read(ENCOUNTER, FULL).main
    expected = {
        "status": "in-progress",
        "visit_number": "V-17",
        "encounter_type": "inpatient",
        "chief_complaint": "Leg pain",
        "treatment_plan": "Operate",
        "period_start": "2026-02-01T08:00:00+01:00",
        "period_end": None,
        "length_value": Decimal("3.50"),
        "length_code": "d",
    }
    assert {name: main[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("element", "count"),
    [
        ("class", 1),
        ("type", 1),
        ("serviceType", 1),
        ("priority", 1),
        ("reasonCode", 2),
        ("hospitalization.admitSource", 1),
        ("hospitalization.reAdmission", 1),
        ("hospitalization.dietPreference", 2),
        ("hospitalization.specialCourtesy", 1),
        ("hospitalization.specialArrangement", 1),
        ("hospitalization.dischargeDisposition", 1),
    ],
)
def test_each_coded_element_is_rows_under_its_path(element: str, count: int) -> None:
    assert len(read(ENCOUNTER, FULL).rows(Concept, None, element)) == count


@pytest.mark.parametrize(
    "path",
    [
        "subject",
        "episodeOfCare",
        "basedOn",
        "appointment",
        "reasonReference",
        "account",
        "serviceProvider",
        "partOf",
        "hospitalization.origin",
        "hospitalization.destination",
    ],
)
def test_each_reference_is_a_row_under_its_path(path: str) -> None:
    assert len(read(ENCOUNTER, FULL).rows(Reference, None, path)) == 1


def test_arrays_are_rows_in_order() -> None:
    record = read(ENCOUNTER, FULL)
    assert [row["status"] for row in record.rows(EncounterStatusHistory)] == ["planned", "arrived"]
    (participant,) = record.rows(EncounterParticipant)
    assert len(record.rows(Concept, participant["id"], "participant.type")) == 1
    (individual,) = record.rows(Reference, participant["id"], "participant.individual")
    assert (individual["target_type"], individual["target_fhir_id"]) == ("Practitioner", "d1")
    assert [row["rank"] for row in record.rows(EncounterDiagnosis)] == [1, None]
    (location,) = record.rows(EncounterLocation)
    assert (location["status"], location["period_end"]) == ("active", "2026-02-02")
    assert [
        row["value"] for row in record.rows(Identifier, None, "hospitalization.preAdmissionIdentifier")
    ] == ["PRE-1"]


def test_references_that_are_columns_too() -> None:
    found = {(link.column, link.table) for link in read(ENCOUNTER, FULL).links}
    assert found == {
        ("patient_id", "patient"),
        ("service_provider_id", "organization"),
        ("part_of_id", "encounter"),
        ("hosp_origin_id", "resource"),
        ("hosp_destination_id", "resource"),
        ("individual_id", "resource"),
        ("diagnosis_id", "resource"),
        ("location_id", "location"),
    }


def test_a_billing_code_is_a_row() -> None:
    (row,) = read(ENCOUNTER, FULL).rows(EncounterBillingCode)
    expected = {"system": CPT, "code": "35301", "modifier": "RT", "units": 2, "charge_currency": "EUR"}
    assert {name: row[name] for name in expected} == expected
    assert str(row["charge_value"]) == "1250.00"


def test_what_is_read_comes_back() -> None:
    assert text(draw(ENCOUNTER, read(ENCOUNTER, FULL))) == text(FULL)


def test_only_the_history_of_classes_stays_in_the_remainder() -> None:
    assert read(ENCOUNTER, FULL).resource["remainder"] == {"x": {"classHistory": FULL["classHistory"]}}


@pytest.mark.parametrize("codes", [[UNCODED], [BILLED, UNCODED], [UNCODED, BILLED], [BILLED, BILLED]])
def test_billing_codes_without_a_code_are_kept_but_are_no_rows(codes: list[Any]) -> None:
    value = FULL | {"extension": [{"url": ext("visit-details"), "extension": codes}]}
    record = read(ENCOUNTER, value)
    assert all(row["code"] == "35301" for row in record.rows(EncounterBillingCode))
    assert text(draw(ENCOUNTER, record)) == text(value)


def test_a_past_status_that_is_not_told_is_kept_but_is_no_row() -> None:
    unknown = {
        "_status": {"extension": [{"url": "urn:why", "valueCode": "unknown"}]},
        "period": {"start": "2026"},
    }
    value = FULL | {"statusHistory": [*FULL["statusHistory"], unknown]}
    record = read(ENCOUNTER, value)
    assert record.rows(EncounterStatusHistory) == []
    assert text(draw(ENCOUNTER, record)) == text(value)


@pytest.mark.parametrize(
    ("identifiers", "number"),
    [
        ([], None),
        ([{"value": "x"}], None),
        ([{"type": {"coding": [{"system": V2_0203, "code": "VN"}]}, "value": "a"}, {"value": "b"}], "a"),
        (
            [
                {"type": {"coding": [{"code": "VN"}]}, "value": "a"},
                {"system": sid("visit-number"), "value": "b"},
            ],
            "b",
        ),
    ],
)
def test_the_visit_number_is_ours_else_the_first_of_type_vn(
    identifiers: list[Any], number: str | None
) -> None:
    assert read(ENCOUNTER, FULL | {"identifier": identifiers}).main["visit_number"] == number


@pytest.mark.parametrize(
    ("types", "code", "expected"),
    [
        ([], "IMP", "inpatient"),
        ([], "EMER", "emergency"),
        ([], "OBSENC", "observation"),
        ([], "PRENC", "preop"),
        ([], "VR", "telehealth"),
        ([], "AMB", "clinic"),
        ([], "HH", "other"),
        ([{"coding": [{"system": cs("encounter-type"), "code": "surgery"}]}], "IMP", "surgery"),
        ([{"coding": [{"system": cs("encounter-type"), "code": "picnic"}]}], "IMP", "inpatient"),
        ([{"coding": [{"code": "surgery"}]}], "AMB", "clinic"),
    ],
)
def test_the_encounter_type_is_ours_else_follows_from_the_class(types: Any, code: str, expected: str) -> None:
    value = FULL | {"type": types, "class": {"system": ACT, "code": code}}
    assert read(ENCOUNTER, value).main["encounter_type"] == expected


def test_reasons_with_codes_are_no_chief_complaint() -> None:
    assert read(ENCOUNTER, FULL | {"reasonCode": FULL["reasonCode"][:1]}).main["chief_complaint"] is None


@pytest.mark.parametrize(
    ("change", "expression"),
    [
        ({"status": "done"}, "Encounter.status"),
        ({"statusHistory": [{"status": "planned"}, {"status": "x"}]}, "Encounter.statusHistory[1].status"),
        ({"location": [{"status": "gone"}]}, "Encounter.location[0].status"),
    ],
)
def test_a_wrong_code_is_refused_and_named(change: dict[str, Any], expression: str) -> None:
    with pytest.raises(Refused) as refused:
        read(ENCOUNTER, FULL | change)
    assert refused.value.expression == expression


def test_a_status_told_by_extensions_alone_is_refused() -> None:
    untold = {"extension": [{"url": "urn:why", "valueCode": "unknown"}]}
    value = {key: part for key, part in FULL.items() if key != "status"} | {"_status": untold}
    with pytest.raises(Refused) as refused:
        read(ENCOUNTER, value)
    assert (refused.value.kind, refused.value.expression) == ("required", "Encounter.status")


def test_what_hung_on_an_element_goes_when_it_is_replaced() -> None:
    unknown = [{"url": "urn:x", "valueInteger": 1}]
    value = FULL | {"period": {"start": "2026-02-01", "extension": unknown}, "extension": [DETAILS, *unknown]}
    record = read(ENCOUNTER, value)
    at = convert.top(record, ENCOUNTER, numbered())
    convert.replace_element(at, ENCOUNTER.by_element["period"], "period", {"start": "2026-03"})
    drawn = draw(ENCOUNTER, record)
    assert drawn["period"] == {"start": "2026-03"}
    assert drawn["extension"] == value["extension"]


def readers(lines: Any, element: str, field: str) -> list[Any]:
    return [v2.read for v2 in lines.by_element[element].v2 if v2.field == field]


@pytest.mark.parametrize(
    ("raw", "coding", "status"),
    [
        ("E", (ACT, "EMER"), "in-progress"),
        ("I", (ACT, "IMP"), "in-progress"),
        ("O", (ACT, "AMB"), "in-progress"),
        ("P", (ACT, "PRENC"), "planned"),
        ("R", ("http://terminology.hl7.org/CodeSystem/v2-0004", "R"), "in-progress"),
        ("U", ("http://terminology.hl7.org/CodeSystem/v2-0004", "U"), "unknown"),
    ],
)
def test_pv1_2_tells_class_and_status(raw: str, coding: tuple[str, str], status: str) -> None:
    (read_class,) = readers(ENCOUNTER, "class", "PV1-2")
    (read_status,) = readers(ENCOUNTER, "status", "PV1-2")
    made = read_class(repetition(raw), CONTEXT)
    assert (made["system"], made["code"]) == coding
    assert read_status(repetition(raw), CONTEXT) == status


def test_an_empty_pv1_2_tells_nothing() -> None:
    (read_class,) = readers(ENCOUNTER, "class", "PV1-2")
    (read_status,) = readers(ENCOUNTER, "status", "PV1-2")
    assert read_class(repetition(""), CONTEXT) is None
    assert read_status(repetition(""), CONTEXT) is None


def test_pv1_45_ends_the_visit_and_its_period() -> None:
    (read_status,) = readers(ENCOUNTER, "status", "PV1-45")
    (read_end,) = readers(ENCOUNTER, "period", "PV1-45")
    assert read_status(repetition("202602031200"), CONTEXT) == "finished"
    assert read_end(repetition("202602031200"), CONTEXT) == "2026-02-03T12:00:00+01:00"
    assert [v2.part for v2 in ENCOUNTER.by_element["period"].v2] == ["start", "end"]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (
            "A",
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/diagnosis-role",
                        "code": "AD",
                        "display": "Admission diagnosis",
                    }
                ]
            },
        ),
        ("W", {"text": "Working"}),
        ("F", {"text": "Final"}),
        ("", None),
    ],
)
def test_dg1_6_is_the_use_of_a_diagnosis(raw: str, value: Any) -> None:
    assert [read_use(repetition(raw), CONTEXT) for read_use in readers(DIAGNOSIS, "use", "DG1-6")] == [value]


@pytest.mark.parametrize(("raw", "rank"), [("1", 1), ("0", None), ("", None)])
def test_dg1_15_ranks_a_diagnosis(raw: str, rank: int | None) -> None:
    assert [reader(repetition(raw), CONTEXT) for reader in readers(DIAGNOSIS, "rank", "DG1-15")] == [rank]


def test_codes_of_a_table_get_its_system_unless_they_name_another() -> None:
    hospitalization = ENCOUNTER.by_element["hospitalization"]
    assert isinstance(hospitalization, Part)
    (reader,) = readers(hospitalization, "admitSource", "PV1-14")
    assert reader(repetition("7"), CONTEXT) == {
        "coding": [{"code": "7", "system": "http://terminology.hl7.org/CodeSystem/v2-0023"}]
    }
    assert reader(repetition("7^Ward^L"), CONTEXT)["coding"][0]["system"] == "urn:hl7:cs:L"
    assert reader(repetition(""), CONTEXT) is None


def test_pv2_11_is_a_length_in_days() -> None:
    (reader,) = readers(ENCOUNTER, "length", "PV2-11")
    assert reader(repetition("4"), CONTEXT)["value"] == Decimal(4)
    with pytest.raises(ValueError, match="four"):
        reader(repetition("four"), CONTEXT)


def test_pid_18_is_an_account_by_identifier() -> None:
    (reader,) = readers(ENCOUNTER, "account", "PID-18")
    assert reader(repetition("ACC-1"), CONTEXT) == {"identifier": {"value": "ACC-1"}}
