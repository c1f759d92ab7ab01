"""OML^O21, OMG^O19 and OMI^O23: orders with specimens, answers, studies and prior results.

HL7 v2.5.1, sections 4.4.4 to 4.4.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import Any

import pytest

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
LIPIDS = "57698-3^Lipid panel^LN"


def message(*segments: str, kind: str = "OML^O21^OML_O21", version: str = "2.5.1") -> str:
    """A message of one patient of the hospital's system."""
    header = f"MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||{kind}|1|P|{version}"
    return "\n".join((header, PATIENT, *segments))


def order(number: str = "P1", code: str = LIPIDS, obr13: str = "") -> tuple[str, str]:
    """A new order: ORC and OBR."""
    return f"ORC|NW|{number}^HIS", f"OBR|1|{number}^HIS||{code}|||||||||{obr13}"


def numbered(gateway: Any) -> list[dict[str, Any]]:
    """The orders, by the placer's numbers."""
    return sorted(gateway.all("ServiceRequest"), key=lambda item: item["identifier"][0]["value"])


FULL = message(
    "NTE|1||Of the patient",
    "PV1|1|I|3W^12^1^WEST||||||||||||||||V9^^^WEST",
    "AL1|1|DA|1191^Aspirin^RXNORM|SV",
    "ORC|NW|P1^HIS||G1^HIS",
    "TQ1|1||||||20260302090000+0000|20260302100000+0000|S",
    "OBR|1|P1^HIS||57698-3^Lipid panel^LN|||||||||F^Patient was fasting^HL70916||||||||||LAB",
    "NTE|1||Of the order",
    "DG1|1||E78.5^Hyperlipidaemia^I10|||F",
    "OBX|1|CWE|AOE1^Fasting^99L||Y^Yes^HL70136||||||F||||||||||||||||||AOE",
    "NTE|1||Of the answer",
    "SPM|1|S1&HIS^S2&LAB|S0&HIS|119297000^Blood^SCT|||||||||||||20260301070000+0000",
    "OBX|1|NM|2951-2^Volume^LN||5|mL^^UCUM|||||F",
    "ORC|NW|P2^HIS||G1^HIS",
    "OBR|2|P2^HIS||2345-7^Glucose^LN||||||||||||||||||||LAB",
)


def test_each_order_of_a_group_has_what_stands_between_it_and_the_next(gateway: Any) -> None:
    applied = gateway.send(FULL)
    first, second = numbered(gateway)
    assert [item["requisition"]["value"] for item in (first, second)] == ["G1", "G1"]
    assert (first["priority"], first["note"]) == ("stat", [{"text": "Of the order"}])
    assert first["reasonReference"][0]["reference"] == f"Condition/{gateway.only('Condition')['id']}"
    assert len(first["supportingInfo"]) == 2
    assert second.keys().isdisjoint({"note", "specimen", "supportingInfo", "reasonReference"})
    assert first["encounter"] == second["encounter"]
    specimen = gateway.only("Specimen")
    assert first["specimen"] == [{"reference": f"Specimen/{specimen['id']}"}]
    answer, volume = sorted(gateway.all("Observation"), key=lambda item: "specimen" in item)
    assert (answer["note"], "specimen" in answer) == ([{"text": "Of the answer"}], False)
    assert volume["specimen"] == {"reference": f"Specimen/{specimen['id']}"}
    assert [gateway.row("service_order", item["id"])["order_type"] for item in (first, second)] == ["LAB"] * 2
    assert len(gateway.all("AllergyIntolerance")) == 1
    assert [item for item in applied.coverage.warned if item.code != "0"] == []


def test_a_specimen_tells_of_its_parent_and_of_fasting(gateway: Any) -> None:
    gateway.send(FULL)
    specimen = gateway.only("Specimen")
    assert specimen["parent"][0]["identifier"]["value"] == "S0"
    assert specimen["collection"]["fastingStatusCodeableConcept"]["coding"][0]["code"] == "F"


def test_the_collector_of_an_order_collected_its_specimens(gateway: Any) -> None:
    orc, obr = order()
    specimens = (f"SPM|{n}|S{n}&HIS||119297000^Blood^SCT|||||||||||||20260301070000+0000" for n in (1, 2))
    raw = message(orc, obr.replace(LIPIDS, f"{LIPIDS}||||||88^Brook^Lee^^^^^^WEST"), *specimens)
    gateway.send(raw)
    collector = {"reference": f"Practitioner/{gateway.only('Practitioner')['id']}"}
    collections = [item["collection"] for item in gateway.all("Specimen")]
    assert [item["collector"] for item in collections] == [collector, collector]
    assert {item["collectedDateTime"] for item in collections} == {"2026-03-01T07:00:00+00:00"}
    assert {item.action for item in gateway.send(raw).written} == {"matched"}


def test_the_same_message_again_writes_nothing(gateway: Any) -> None:
    gateway.send(FULL)
    assert {item.action for item in gateway.send(FULL).written} == {"matched"}


@pytest.mark.parametrize(
    ("kind", "expected"), [("OML^O21", "LAB"), ("OMI^O23", "IMAGING"), ("OMG^O19", "OTHER")]
)
def test_an_order_that_tells_no_type_has_that_of_its_structure(
    gateway: Any, kind: str, expected: str
) -> None:
    gateway.send(message(*order(), kind=kind))
    assert gateway.row("service_order", gateway.only("ServiceRequest")["id"])["order_type"] == expected


def test_the_code_of_an_order_goes_before_the_type_of_its_structure(gateway: Any) -> None:
    gateway.send(message(*order(code="71046^Chest, 2 views^C4")))
    assert gateway.row("service_order", gateway.only("ServiceRequest")["id"])["order_type"] == "IMAGING"


STUDY = "1.2.840.10008.99.1"


@pytest.mark.parametrize(
    ("kind", "section", "study"),
    [
        ("OMI^O23", "", f"IPC|A-17|RP1|{STUDY}|SPS1|CT"),
        ("OMG^O19", "CT", f"ZDS|{STUDY}^100^Application^DICOM"),
        ("ORM^O01", "CT", f"ZDS|{STUDY}^100^Application^DICOM"),
    ],
)
def test_an_imaging_order_has_its_study_and_modality(
    gateway: Any, kind: str, section: str, study: str
) -> None:
    orc, obr = order(code="24725-4^CT Head^LN")
    gateway.send(message(orc, f"{obr}|||||A-17||||||{section}", study, kind=kind))
    found = gateway.only("ServiceRequest")
    imaging = gateway.row("order_imaging", found["id"])
    assert (imaging["study_instance_uid"], imaging["modality_code"]) == (STUDY, "CT")
    numbers = {item["value"] for item in found["identifier"] if item["type"]["coding"][0]["code"] == "ACSN"}
    assert "A-17" in numbers


def test_a_study_makes_an_order_an_imaging_one_whatever_its_structure(gateway: Any) -> None:
    gateway.send(message(*order(), f"ZDS|{STUDY}", kind="ORM^O01"))
    imaging = gateway.row("order_imaging", gateway.only("ServiceRequest")["id"])
    assert imaging["study_instance_uid"] == STUDY


PRIOR = (
    "PV1|1|O|||||||||||||||||V1^^^WEST",
    "ORC|SC|P0^HIS|F0^LAB||CM",
    f"OBR|1|P0^HIS|F0^LAB|{LIPIDS}|||20260101090000+0000{'|' * 15}20260101120000+0000||LAB|F",
    "OBX|1|NM|2093-3^Cholesterol^LN||190|mg/dL^^UCUM|||||F",
    "NTE|1||Non-fasting",
)


def test_prior_results_support_the_order_and_are_no_new_orders(gateway: Any) -> None:
    applied = gateway.send(message(*order(), *PRIOR))
    found, report = gateway.only("ServiceRequest"), gateway.only("DiagnosticReport")
    assert found["supportingInfo"] == [{"reference": f"DiagnosticReport/{report['id']}"}]
    assert gateway.row("service_order", found["id"])["status"] == "ordered"
    assert (report["status"], "basedOn" in report) == ("final", False)
    assert report["encounter"] == {"reference": f"Encounter/{gateway.only('Encounter')['id']}"}
    assert "encounter" not in found
    result = gateway.only("Observation")
    assert (report["result"], result["note"]) == (
        [{"reference": f"Observation/{result['id']}"}],
        [{"text": "Non-fasting"}],
    )
    assert applied.codes() == []


def test_an_allergy_that_prior_results_tell_again_is_one(gateway: Any) -> None:
    allergy = "AL1|1|DA|1191^Aspirin^RXNORM|SV"
    other = "AL1|2|DA|7980^Penicillin^RXNORM|SV"
    raw = message(allergy, *order(), PRIOR[0], allergy, other, *PRIOR[1:])
    gateway.send(raw)
    assert len(gateway.all("AllergyIntolerance")) == 2
    assert {item.action for item in gateway.send(raw).written} == {"matched"}


def test_prior_results_of_a_known_report_are_that_report_and_do_not_change_it(gateway: Any) -> None:
    header = "MSH|^~\\&|LAB|WEST|SUTURE|OR|20260101130000+0000||ORU^R01|1|P|2.5.1"
    gateway.send("\n".join((header, PATIENT, "ORC|RE|P0^HIS|F0^LAB", *PRIOR[2:4])))
    before = gateway.only("DiagnosticReport")
    gateway.send(message(*order(), *PRIOR[1:2], *PRIOR[2:]).replace("ORC|SC", "ORC|PR"))
    assert gateway.only("DiagnosticReport") == before
    earlier, new = gateway.all("ServiceRequest")
    assert new["supportingInfo"] == [{"reference": f"DiagnosticReport/{before['id']}"}]
    assert gateway.row("service_order", earlier["id"])["status"] == "reported"


def test_an_order_after_prior_results_is_an_order(gateway: Any) -> None:
    raw = message(*order(), *PRIOR, *order("P2", "2345-7^Glucose^LN"))
    gateway.send(raw)
    first, second = numbered(gateway)
    assert ("supportingInfo" in first, "supportingInfo" in second) == (True, False)
    assert {item.action for item in gateway.send(raw).written} == {"matched"}


def test_prior_results_of_another_patient_are_that_patients(gateway: Any) -> None:
    gateway.send(message(*order(), "PID|2||4799^^^WEST^MR||Ortega^Mother||19400101|F", *PRIOR))
    child, mother = sorted(gateway.all("Patient"), key=lambda item: item["identifier"][0]["value"])
    assert gateway.only("DiagnosticReport")["subject"] == {"reference": f"Patient/{mother['id']}"}
    assert gateway.only("ServiceRequest")["subject"] == {"reference": f"Patient/{child['id']}"}


def test_an_order_without_numbers_is_kept_and_warned_about(gateway: Any) -> None:
    applied = gateway.send(message("ORC|NW", f"OBR|1|||{LIPIDS}"))
    assert gateway.only("ServiceRequest")["code"]["coding"][0]["code"] == "57698-3"
    assert applied.codes() == ["101"]


def test_the_life_of_an_order_from_placing_over_more_specimens_to_its_end(gateway: Any) -> None:
    specimen = "SPM|{0}|S{0}&HIS||119297000^Blood^SCT|||||||||||||20260301070000+0000|||{1}"
    placed, obr = order()
    gateway.send(message(placed, obr, specimen.format(1, ""), specimen.format(2, "")))
    taken = (specimen.format(1, "Y"), specimen.format(2, "N"))
    gateway.send(message("ORC|SC|P1^HIS|F1^LAB||IP", obr, *taken))
    assert {item["identifier"][0]["value"]: item["status"] for item in gateway.all("Specimen")} == {
        "S1": "available",
        "S2": "unavailable",
    }
    gateway.send(message("ORC|XO|P1^HIS|F1^LAB", obr, specimen.format(3, "")))
    found = gateway.only("ServiceRequest")
    assert len(found["specimen"]) == 3
    assert gateway.row("service_order", found["id"])["status"] == "in_progress"
    gateway.send(message("ORC|SC|P1^HIS|F1^LAB||CM", obr))
    assert gateway.only("ServiceRequest")["status"] == "completed"
    assert [step[1] for step in gateway.steps(found)] == ["ordered", "in_progress", "completed"]


def test_specimens_that_share_one_of_their_numbers_stay_apart(gateway: Any) -> None:
    specimens = (f"SPM|{n}|S{n}&HIS^SAME&LAB||119297000^Blood^SCT" for n in (1, 2, 3))
    raw = message(*order(), *specimens)
    gateway.send(raw)
    assert len(gateway.only("ServiceRequest")["specimen"]) == 3
    assert {item.action for item in gateway.send(raw).written} == {"matched"}


def test_a_specimen_of_an_order_is_known_by_its_number_whoever_of_the_two_sides_sends_it(
    gateway: Any,
) -> None:
    specimen = "SPM|1|S1||119297000^Blood^SCT|||||||||||||20260301070000+0000|||{}"
    gateway.send(message(*order(), specimen.format("")))
    answer = message("ORC|SC|P1^HIS|F1^LAB||IP", order()[1], specimen.format("N"))
    gateway.send(answer.replace("|HIS|WEST|SUTURE|OR|", "|LAB|CENTRAL|SUTURE|OR|"))
    assert gateway.only("Specimen")["status"] == "unavailable"
