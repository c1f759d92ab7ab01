"""ADT: what each event makes of a visit, and what hangs on it.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-adt-a01-to-bundle.html
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway.records import Caller
from mappings.messages.coverage import MessageRefused

PID = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
ADMITTED = "20260301060000+0000"
DISCHARGED = "20260305100000+0000"


def pv1(place: str = "3W^12^1", patient_class: str = "I", **fields: str) -> str:
    """PV1 with a visit number (19); ``f7="..."`` sets a field."""
    parts = ["PV1", "1", patient_class, place, *[""] * 49]
    for name, value in {"f19": "V9^^^WEST", "f44": ADMITTED, **fields}.items():
        parts[int(name[1:])] = value
    return "|".join(parts).rstrip("|")


def adt(event: str, *segments: str, at: str = "20260301060500+0000", pid: str = PID) -> str:
    """An ADT message; ``at`` is when the event happened."""
    header = f"MSH|^~\\&|HIS|WEST|SUTURE|OR|{at}||ADT^{event}|1|P|2.5.1"
    return "\n".join((header, f"EVN|{event}|{at}||||{at}", pid, *segments))


def places(gateway: Any) -> list[tuple[str, str]]:
    """The places of the only encounter, by name, with the status of each stay."""
    names = {f"Location/{item['id']}": item["name"] for item in gateway.all("Location")}
    return [
        (names[item["location"]["reference"]], item["status"])
        for item in gateway.only("Encounter")["location"]
    ]


def test_an_admission_makes_patient_and_visit(gateway: Any) -> None:
    gateway.send(adt("A01", pv1(f7="77^Stone^Mia^^^^^^WEST")))
    found = gateway.only("Encounter")
    assert found["status"] == "in-progress"
    assert found["class"]["code"] == "IMP"
    assert found["period"] == {"start": "2026-03-01T06:00:00+00:00"}
    assert found["subject"]["reference"] == f"Patient/{gateway.only('Patient')['id']}"
    assert found["location"][0]["period"] == {"start": "2026-03-01T06:00:00+00:00"}
    assert places(gateway) == [("3W 12 1", "active")]


@pytest.mark.parametrize(
    ("event", "segment", "status"),
    [
        ("A01", pv1(patient_class="P"), "in-progress"),
        ("A04", pv1(patient_class="O"), "in-progress"),
        ("A04", pv1(patient_class="O", f44=""), "planned"),
        ("A05", pv1(patient_class="P"), "planned"),
        ("A14", pv1(), "planned"),
        ("A08", pv1(), "in-progress"),
        ("A08", pv1(patient_class="P"), "planned"),
        ("A08", pv1(f45=DISCHARGED), "finished"),
        ("A03", pv1(), "finished"),
    ],
)
def test_the_event_tells_the_status_of_a_new_visit(
    gateway: Any, event: str, segment: str, status: str
) -> None:
    gateway.send(adt(event, segment))
    assert gateway.only("Encounter")["status"] == status


def test_a_pre_admitted_patient_is_admitted_and_never_planned_again(gateway: Any) -> None:
    gateway.send(adt("A05", pv1(f44="")))
    assert places(gateway) == [("3W 12 1", "planned")]
    gateway.send(adt("A01", pv1()))
    applied = gateway.send(adt("A05", pv1(f44="")))
    found = gateway.only("Encounter")
    assert found["status"] == "in-progress"
    assert [item["status"] for item in found["statusHistory"]] == ["planned"]
    assert places(gateway) == [("3W 12 1", "active")]
    assert any(item.told and item.segment == "PV1" for item in applied.coverage.warned)


def test_a_transfer_ends_the_stay_before_and_keeps_it(gateway: Any) -> None:
    gateway.send(adt("A01", pv1()))
    gateway.send(adt("A02", pv1("ICU^2^1", f6="3W^12^1"), at="20260302090000+0000"))
    gateway.send(adt("A02", pv1(f6="ICU^2^1"), at="20260303090000+0000"))
    assert places(gateway) == [("3W 12 1", "completed"), ("ICU 2 1", "completed"), ("3W 12 1", "active")]
    first, second, third = (item["period"] for item in gateway.only("Encounter")["location"])
    assert first == {"start": "2026-03-01T06:00:00+00:00", "end": "2026-03-02T09:00:00+00:00"}
    assert second == {"start": "2026-03-02T09:00:00+00:00", "end": "2026-03-03T09:00:00+00:00"}
    assert third == {"start": "2026-03-03T09:00:00+00:00"}


def test_a_cancelled_transfer_brings_the_patient_back(gateway: Any) -> None:
    gateway.send(adt("A01", pv1()))
    gateway.send(adt("A02", pv1("ICU^2^1"), at="20260302090000+0000"))
    gateway.send(adt("A12", pv1(f6="ICU^2^1"), at="20260302091000+0000"))
    assert places(gateway)[0] == ("3W 12 1", "active")
    assert all(status != "active" for _, status in places(gateway)[1:])
    assert "end" not in gateway.only("Encounter")["location"][0]["period"]


def test_a_place_for_a_time_does_not_end_the_stay(gateway: Any) -> None:
    gateway.send(adt("A01", pv1()))
    gateway.send(adt("A08", pv1(f11="XRAY^1", f42="ICU^2^1")))
    assert places(gateway) == [("3W 12 1", "active"), ("XRAY 1", "active"), ("ICU 2 1", "reserved")]


def test_a_discharge_ends_visit_and_stay_and_is_taken_back(gateway: Any) -> None:
    gateway.send(adt("A01", pv1()))
    gateway.send(adt("A03", pv1(f45=DISCHARGED, f36="01"), at="20260305101500+0000"))
    found = gateway.only("Encounter")
    assert found["status"] == "finished"
    assert found["period"]["end"] == "2026-03-05T10:00:00+00:00"
    assert found["hospitalization"]["dischargeDisposition"]["coding"][0]["code"] == "01"
    assert places(gateway) == [("3W 12 1", "completed")]
    applied = gateway.send(adt("A13", pv1(f45=DISCHARGED), at="20260305110000+0000"))
    found = gateway.only("Encounter")
    assert found["status"] == "in-progress"
    assert found["period"] == {"start": "2026-03-01T06:00:00+00:00"}
    assert places(gateway) == [("3W 12 1", "active")]
    assert "PV1[1]-45" in applied.coverage.ignored
    assert [item["status"] for item in found["statusHistory"]] == ["in-progress", "finished"]


def test_a_discharge_without_its_time_ends_when_the_event_happened(gateway: Any) -> None:
    gateway.send(adt("A01", pv1()))
    gateway.send(adt("A03", pv1(), at="20260305101500+0000"))
    assert gateway.only("Encounter")["period"]["end"] == "2026-03-05T10:15:00+00:00"


def test_a_cancelled_admission_cancels_the_visit_and_an_admission_renews_it(gateway: Any) -> None:
    gateway.send(adt("A01", pv1()))
    gateway.send(adt("A11", pv1()))
    assert gateway.only("Encounter")["status"] == "cancelled"
    assert places(gateway) == [("3W 12 1", "completed")]
    gateway.send(adt("A08", pv1()))
    assert gateway.only("Encounter")["status"] == "cancelled"
    gateway.send(adt("A01", pv1()))
    assert gateway.only("Encounter")["status"] == "in-progress"


@pytest.mark.parametrize("event", ["A11", "A12", "A13", "A27", "A38"])
def test_what_is_not_known_cannot_be_taken_back(gateway: Any, event: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        gateway.send(adt(event, pv1()))
    assert (refused.value.warning.code, refused.value.warning.segment) == ("204", "PV1")
    assert gateway.all("Patient") == []


def test_a_finished_visit_is_not_begun_again_by_a_late_transfer(gateway: Any) -> None:
    gateway.send(adt("A03", pv1(f45=DISCHARGED)))
    applied = gateway.send(adt("A02", pv1("ICU^2^1")))
    assert gateway.only("Encounter")["status"] == "finished"
    assert places(gateway) == [("3W 12 1", "completed")]
    assert any(item.told for item in applied.coverage.warned)


def test_an_update_after_the_discharge_still_corrects_the_visit(gateway: Any) -> None:
    gateway.send(adt("A03", pv1(f45=DISCHARGED)))
    gateway.send(adt("A08", pv1(f10="SUR", f45="20260305113000+0000")))
    found = gateway.only("Encounter")
    assert found["status"] == "finished"
    assert found["period"]["end"] == "2026-03-05T11:30:00+00:00"
    assert found["serviceType"]["coding"][0]["code"] == "SUR"


def test_leave_and_return(gateway: Any) -> None:
    gateway.send(adt("A01", pv1()))
    gateway.send(adt("A21", pv1()))
    assert gateway.only("Encounter")["status"] == "onleave"
    gateway.send(adt("A22", pv1()))
    assert gateway.only("Encounter")["status"] == "in-progress"


def test_an_outpatient_becomes_an_inpatient(gateway: Any) -> None:
    gateway.send(adt("A04", pv1(patient_class="O")))
    gateway.send(adt("A06", pv1()))
    assert gateway.only("Encounter")["class"]["code"] == "IMP"


def test_another_attending_physician_replaces_the_one_before(gateway: Any) -> None:
    gateway.send(adt("A01", pv1(f7="77^Stone^Mia^^^^^^WEST", f8="88^Brook^Lee^^^^^^WEST")))
    gateway.send(adt("A08", pv1(f7="99^Reed^Kim^^^^^^WEST")))
    roles = {
        item["type"][0]["coding"][0]["code"]: item["individual"]["reference"]
        for item in gateway.only("Encounter")["participant"]
    }
    names = {f"Practitioner/{item['id']}": item["name"][0]["family"] for item in gateway.all("Practitioner")}
    assert {role: names[who] for role, who in roles.items()} == {"ATND": "Reed", "REF": "Brook"}
    gateway.send(adt("A08", pv1(f7='""')))
    assert len(gateway.only("Encounter")["participant"]) == 1


def test_without_a_number_the_visit_that_goes_on_is_meant(gateway: Any) -> None:
    bare = pv1(f19="")
    gateway.send(adt("A01", bare))
    gateway.send(adt("A08", bare))
    gateway.send(adt("A03", bare))
    assert gateway.only("Encounter")["status"] == "finished"
    gateway.send(adt("A13", bare))
    assert gateway.only("Encounter")["status"] == "in-progress"
    gateway.send(adt("A03", bare))
    gateway.send(adt("A01", bare))
    assert len(gateway.all("Encounter")) == 2


@pytest.mark.parametrize("event", ["A28", "A31"])
def test_an_event_about_the_person_makes_no_visit(gateway: Any, event: str) -> None:
    applied = gateway.send(adt(event, "PV1|1|N"))
    assert gateway.all("Encounter") == []
    assert gateway.only("Patient")["gender"] == "female"
    assert "PV1[1]-2" in applied.coverage.ignored


def test_an_event_of_a_visit_without_pv1_is_refused(gateway: Any) -> None:
    with pytest.raises(MessageRefused) as refused:
        gateway.send(adt("A01"))
    assert (refused.value.warning.code, refused.value.warning.segment) == ("100", "PV1")


def test_a_time_that_is_told_to_be_none_is_taken_from_the_period(gateway: Any) -> None:
    gateway.send(adt("A01", pv1(f45=DISCHARGED)))
    gateway.send(adt("A08", pv1(f44="", f45='""')))
    assert gateway.only("Encounter")["period"] == {"start": "2026-03-01T06:00:00+00:00"}


SEGMENTS = (
    "DG1|1||M16.12^Coxarthrosis^I10|||A|||||||||1",
    "PR1|1||27130^Arthroplasty^C4|Left hip|20260228080000+0000||95||||77^Stone^Mia^^^^^^WEST||||||||PR77^HIS",
    "AL1|1|DA|7980^Penicillin^RXNORM|SV|Rash|20010304",
    "AL1|2|FA|^Nuts",
    "OBX|1|NM|8302-2^Body height^LN||170|cm|||||F|||20260301",
    "IN1|1|PPO^Gold^L|60054^^^PAYERS|Aetna||||||||20250101|20261231||||SEL|||||||||||||||||||MB77",
    "IN2||123",
)


def test_what_hangs_on_a_visit_has_its_resource(gateway: Any) -> None:
    gateway.send(adt("A01", pv1(), *SEGMENTS))
    visit, diagnosis = gateway.only("Encounter"), gateway.only("Condition")
    assert visit["diagnosis"][0]["condition"]["reference"] == f"Condition/{diagnosis['id']}"
    procedure = gateway.only("Procedure")
    assert procedure["status"] == "completed"
    assert procedure["code"]["text"] == "Left hip"
    assert procedure["performedPeriod"] == {
        "start": "2026-02-28T08:00:00+00:00",
        "end": "2026-02-28T09:35:00+00:00",
    }
    assert procedure["performer"][0]["function"]["coding"][0]["code"] == "304292004"
    # Both were made at the same time: the one with a code comes first.
    penicillin, nuts = sorted(
        gateway.all("AllergyIntolerance"), key=lambda item: "coding" not in item["code"]
    )
    assert penicillin["criticality"] == "high"
    assert penicillin["category"] == ["medication"]
    assert penicillin["reaction"][0]["manifestation"] == [{"text": "Rash"}]
    assert penicillin["reaction"][0]["severity"] == "severe"
    assert penicillin["onsetDateTime"] == "2001-03-04"
    assert nuts["clinicalStatus"]["coding"][0]["code"] == "active"
    assert gateway.only("Observation")["encounter"]["reference"] == f"Encounter/{visit['id']}"
    cover = gateway.only("Coverage")
    assert cover["payor"] == [
        {"identifier": {"system": "urn:hl7:hd:PAYERS", "value": "60054"}, "display": "Aetna"}
    ]
    assert cover["relationship"]["coding"][0]["code"] == "self"
    assert cover["period"] == {"start": "2025-01-01", "end": "2026-12-31"}
    assert gateway.row("resource", cover["id"])["v2_remainder"]["IN2"] == {"2": "123"}


def test_what_a_visit_is_expected_to_be_and_where_it_leads(gateway: Any) -> None:
    pv2 = ["PV2", *[""] * 38]
    pv2[8], pv2[9], pv2[13], pv2[38] = "20260301", "20260308", "88^Brook^Lee^^^^^^WEST", "A^Ambulance"
    gateway.send(adt("A01", pv1(f37="HOME&Nursing home", f39="WEST"), "|".join(pv2)))
    found = gateway.only("Encounter")
    told = {item["url"].rpartition("/")[2]: item for item in found["extension"]}
    assert told["extension-Encounter.plannedStartDate"]["valueDateTime"] == "2026-03-01"
    assert told["extension-Encounter.plannedEndDate"]["valueDateTime"] == "2026-03-08"
    assert told["encounter-modeOfArrival"]["valueCoding"] == {
        "system": "http://terminology.hl7.org/CodeSystem/v2-0430",
        "code": "A",
        "display": "Ambulance",
    }
    assert found["participant"][0]["type"][0]["coding"][0]["code"] == "REF"
    assert found["hospitalization"]["destination"] == {"display": "Nursing home"}
    assert found["serviceProvider"] == {"display": "WEST"}
    pv2[9] = "20260309"
    gateway.send(adt("A08", pv1(), "|".join(pv2)))
    assert len(gateway.only("Encounter")["extension"]) == 3


def test_what_is_told_again_is_the_same(gateway: Any) -> None:
    gateway.send(adt("A01", pv1(), *SEGMENTS))
    applied = gateway.send(adt("A08", pv1(), *SEGMENTS))
    assert {item.action for item in applied.written} == {"matched"}


def test_a_discharge_tells_that_its_procedures_are_done(gateway: Any) -> None:
    act = "PR1|1||27130^Arthroplasty^C4"
    gateway.send(adt("A01", pv1(), act))
    assert gateway.only("Procedure")["status"] == "unknown"
    gateway.send(adt("A03", pv1(), act))
    assert gateway.only("Procedure")["status"] == "completed"


def test_a_cover_is_known_by_its_policy(gateway: Any) -> None:
    cover = "IN1|1|PPO^Gold^L|60054|Aetna|||||||||||||||||||||||||||||||||MB77"
    gateway.send(adt("A01", pv1(), cover))
    gateway.send(adt("A08", pv1(), cover.replace("Aetna", "Aetna Inc"), cover.replace("MB77", "MB78")))
    assert [item["payor"][0]["display"] for item in gateway.all("Coverage")] == ["Aetna Inc", "Aetna"]


def test_an_order_tells_of_allergies_and_insurance_too(gateway: Any) -> None:
    header = "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    gateway.send(
        "\n".join((header, PID, *SEGMENTS[-2:], SEGMENTS[2], "ORC|NW|P1^HIS", "OBR|1|P1^HIS||20610^A^C4"))
    )
    assert gateway.only("AllergyIntolerance")["patient"] == gateway.only("Coverage")["beneficiary"]


def test_a_transfer_that_comes_late_does_not_move_the_patient_back(gateway: Any) -> None:
    gateway.send(adt("A01", pv1()))
    gateway.send(adt("A02", pv1("ICU^2^1"), at="20260303090000+0000"))
    applied = gateway.send(adt("A02", pv1("OR^1^1"), at="20260302090000+0000"))
    assert places(gateway) == [("3W 12 1", "completed"), ("OR 1 1", "completed"), ("ICU 2 1", "active")]
    assert any(item.told and item.field == 3 for item in applied.coverage.warned)
    first, second, third = (item["period"] for item in gateway.only("Encounter")["location"])
    assert first == {"start": "2026-03-01T06:00:00+00:00", "end": "2026-03-02T09:00:00+00:00"}
    assert second == {"start": "2026-03-02T09:00:00+00:00", "end": "2026-03-03T09:00:00+00:00"}
    assert third == {"start": "2026-03-03T09:00:00+00:00"}
    late = gateway.send(adt("A08", pv1("OR^9^9"), at="20260302100000+0000"))
    assert [item["status"] for item in gateway.only("Encounter")["location"]] == [
        "completed",
        "completed",
        "active",
    ]
    assert any(item.told and item.field == 3 for item in late.coverage.warned)
    gateway.send(adt("A08", pv1("ICU^3^1"), at="20260304100000+0000"))
    assert places(gateway)[-1] == ("ICU 3 1", "active")


def test_an_admission_that_comes_after_the_transfer_is_the_stay_before(gateway: Any) -> None:
    gateway.send(adt("A02", pv1("ICU^2^1"), at="20260303090000+0000"))
    gateway.send(adt("A01", pv1()))
    assert places(gateway) == [("3W 12 1", "completed"), ("ICU 2 1", "active")]


def test_a_cancelled_discharge_that_never_was_takes_no_stay_away(gateway: Any) -> None:
    gateway.send(adt("A01", pv1()))
    gateway.send(adt("A02", pv1("ICU^2^1"), at="20260302090000+0000"))
    applied = gateway.send(adt("A13", pv1(), at="20260303090000+0000"))
    assert places(gateway) == [("3W 12 1", "completed"), ("ICU 2 1", "completed"), ("3W 12 1", "active")]
    assert any("no discharge" in item.text for item in applied.coverage.warned if item.told)


@pytest.mark.parametrize("event", ["A03", "A08"])
def test_a_discharge_before_the_admission_is_no_time_of_the_visit(gateway: Any, event: str) -> None:
    gateway.send(adt("A01", pv1()))
    applied = gateway.send(adt(event, pv1(f45="20260228100000+0000"), at="20260305101500+0000"))
    found = gateway.only("Encounter")
    assert found["status"] == "finished"
    assert found["period"]["start"] == "2026-03-01T06:00:00+00:00"
    assert found["period"].get("end") in (None, "2026-03-05T10:15:00+00:00")
    assert applied.codes() == ["102"]


def test_observations_without_a_visit_are_known_again(gateway: Any) -> None:
    def told(weight: str) -> str:
        return adt(
            "A31",
            f"OBX|1|NM|29463-7^Weight^LN||{weight}|kg|||||F|||20260301",
            "OBX|2|NM|8302-2^Height^LN||170|cm",
        )

    gateway.send(told("80"))
    assert {item.action for item in gateway.send(told("80")).written} == {"matched"}
    gateway.send(told("82"))
    assert sorted(item["valueQuantity"]["value"] for item in gateway.all("Observation")) == [82, 170]


def test_an_observation_of_a_report_is_not_the_one_that_registration_tells(gateway: Any) -> None:
    obx = "OBX|1|NM|29463-7^Weight^LN||{}|kg|||||F"
    head = "MSH|^~\\&|LAB|WEST|SUTURE|OR|20260301070000+0000||ORU^R01|1|P|2.5.1"
    for visit in ((pv1(),), ()):
        gateway.send("\n".join((head, PID, *visit, "OBR|1||F1^LAB|29463-7^Weight^LN", obx.format(80))))
        gateway.send(adt("A08" if visit else "A31", *visit, obx.format(99)))
    reported = {item["reference"] for report in gateway.all("DiagnosticReport") for item in report["result"]}
    values = {
        f"Observation/{item['id']}": item["valueQuantity"]["value"] for item in gateway.all("Observation")
    }
    assert {values[name] for name in reported} == {80}
    assert sorted(values.values()) == [80, 99, 99]


def test_a_malformed_date_of_validity_takes_nothing_else_away(gateway: Any) -> None:
    pid = "PID|1||4711^^^WEST^MR^^2007Q||Ortega^Ana^^^^^L^^^^^20200101^20190101||19700214|F"
    kin = "NK1|1|Ortega^Juan|SPO^Spouse^HL70063|||||||||9^^^WEST^MR^^2007Q"
    cover = "IN1|1|PPO^Gold^L|60054^^^WEST^NIIP^^2007Q|Aetna"
    applied = gateway.send(adt("A01", kin, pv1(f19="V9^^^WEST^VN^^2007Q"), cover, pid=pid))
    patient = gateway.only("Patient")
    assert patient["identifier"][0]["value"] == "4711"
    assert patient["name"][0] == {"use": "official", "family": "Ortega", "given": ["Ana"]}
    assert gateway.only("Encounter")["identifier"][0]["value"] == "V9"
    assert gateway.only("RelatedPerson")["identifier"][0]["value"] == "9"
    assert gateway.only("Coverage")["payor"][0]["identifier"]["value"] == "60054"
    told = {(item.segment, item.field) for item in applied.coverage.warned if item.code == "102"}
    assert told == {("PID", 3), ("PID", 5), ("NK1", 12), ("PV1", 19), ("IN1", 3)}


def test_a_merge_reads_numbers_with_a_malformed_date(gateway: Any) -> None:
    gateway.send(adt("A28"))
    gateway.send(adt("A40", "MRG|4711^^^WEST^MR^^2007Q", pid="PID|1||4712^^^WEST^MR||Ortega^Ana"))
    assert [item.get("active") for item in gateway.all("Patient")] == [False, None]


def test_a_procedure_that_was_to_be_done_is_done_at_discharge(gateway: Any) -> None:
    gateway.send(adt("A05", pv1(f44=""), "PR1|1||27130^Total hip arthroplasty^C4||20990302"))
    assert gateway.only("Procedure")["status"] == "preparation"
    gateway.send(adt("A03", pv1(), "PR1|1||27130^Total hip arthroplasty^C4||20990302"))
    assert gateway.only("Procedure")["status"] == "completed"


@pytest.mark.parametrize("deleted", ["", "|" * 17 + "D"])
def test_a_discharge_leaves_a_procedure_of_the_or_schedule_to_that(gateway: Any, deleted: str) -> None:
    gateway.send(adt("A01", pv1()))
    readiness = {
        "url": "http://suture.example.org/fhir/StructureDefinition/or-readiness",
        "extension": [{"url": "surgicalStatus", "valueCode": "ready"}],
    }
    value = {
        "resourceType": "Procedure",
        "status": "preparation",
        "code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "27130"}]},
        "subject": {"reference": f"Patient/{gateway.only('Patient')['id']}"},
        "encounter": {"reference": f"Encounter/{gateway.only('Encounter')['id']}"},
        "extension": [readiness],
    }
    gateway.records.create(Caller("fhir"), "Procedure", value)
    applied = gateway.send(adt("A03", pv1(), f"PR1|1||27130^Total hip arthroplasty^C4{deleted}"))
    assert gateway.only("Encounter")["status"] == "finished"
    assert gateway.only("Procedure")["status"] == "preparation"
    assert any(item.told and item.segment == "PR1" for item in applied.coverage.warned)


@pytest.mark.parametrize(
    ("before", "event"), [("A01", "A38"), ("A01", "A27"), ("A05", "A13"), ("A11", "A13"), ("A03", "A38")]
)
def test_only_what_was_can_be_taken_back(gateway: Any, before: str, event: str) -> None:
    for name in dict.fromkeys(("A05" if before == "A05" else "A01", before)):
        gateway.send(adt(name, pv1()))
    status = gateway.only("Encounter")["status"]
    applied = gateway.send(adt(event, pv1()))
    assert gateway.only("Encounter")["status"] == status
    assert any(item.told and item.segment == "PV1" for item in applied.coverage.warned)


def test_a_diagnosis_that_is_deleted_is_the_visits_no_more(gateway: Any) -> None:
    gateway.send(adt("A01", pv1(), "DG1|1||M16.12^Coxarthrosis^I10|||A", "DG1|2||I10^Hypertension^I10|||W"))
    gateway.send(adt("A08", pv1(), "DG1|2||I10^Hypertension^I10|||W" + "|" * 15 + "D"))
    codes = {
        f"Condition/{item['id']}": item["code"]["coding"][0]["code"] for item in gateway.all("Condition")
    }
    assert [codes[item["condition"]["reference"]] for item in gateway.only("Encounter")["diagnosis"]] == [
        "M16.12"
    ]
    again = gateway.send(adt("A08", pv1(), "DG1|2||I10^Hypertension^I10|||W" + "|" * 15 + "D"))
    assert len(gateway.all("Condition")) == 2
    assert {item.action for item in again.written} == {"matched"}


def test_kin_have_all_their_addresses(gateway: Any) -> None:
    gateway.send(adt("A28", "NK1|1|Ortega^Juan|SPO^Spouse^HL70063|1 Street^^Town~2 Road^^City"))
    assert [item["city"] for item in gateway.only("RelatedPerson")["address"]] == ["Town", "City"]
