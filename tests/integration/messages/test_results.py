"""ORU^R01: what a result becomes, what it does to its order, and what a correction changes.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-oru-r01-to-bundle.html
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from mappings.messages.coverage import MessageRefused

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
HEADER = "MSH|^~\\&|LAB|CENTRAL|SUTURE|OR|20260301120000+0000||ORU^R01|1|P|2.5.1"
CODE = "24323-8^Metabolic panel^LN|||20260301090000+0000"
"""OBR-4 to 7."""
SODIUM = "OBX|1|NM|2951-2^Sodium^LN||140|mmol/L^^UCUM|135-145|N|||F|||20260301090000+0000"


def result(*segments: str, status: str = "F", pid: str = PATIENT, placer: str = "P100^HIS") -> str:
    """A result of one OBR with OBX and others."""
    return "\n".join(
        (
            HEADER,
            pid,
            f"ORC|RE|{placer}|L900^LAB",
            f"OBR|1|{placer}|L900^LAB|{CODE}{'|' * 15}20260301110000+0000||CH|{status}",
            *segments,
        )
    )


def order(placer: str = "P100^HIS") -> str:
    """The order of that result, from its placer."""
    return "\n".join(
        (
            "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1",
            PATIENT,
            f"ORC|NW|{placer}",
            f"OBR|1|{placer}||24323-8^Metabolic panel^LN",
        )
    )


def test_a_result_becomes_a_report_with_its_observations_and_reports_its_order(gateway: Any) -> None:
    gateway.send(order())
    applied = gateway.send(result(SODIUM, "NTE|1||Slightly hemolytic"))
    report, observation = gateway.only("DiagnosticReport"), gateway.only("Observation")
    found = gateway.only("ServiceRequest")
    assert report["status"] == "final"
    assert report["basedOn"] == [{"reference": f"ServiceRequest/{found['id']}"}]
    assert report["result"] == [{"reference": f"Observation/{observation['id']}"}]
    assert report["issued"] == "2026-03-01T11:00:00+00:00"
    assert report["effectiveDateTime"] == "2026-03-01T09:00:00+00:00"
    assert report["conclusionCode"][0]["coding"][0]["code"] == "normal"
    assert observation["valueQuantity"] == {
        "value": 140,
        "unit": "mmol/L",
        "system": "http://unitsofmeasure.org",
        "code": "mmol/L",
    }
    assert observation["referenceRange"][0]["low"]["value"] == 135
    assert observation["note"] == [{"text": "Slightly hemolytic"}]
    row = gateway.row("service_order", found["id"])
    assert row["status"] == "reported"
    assert row["reported_at"].isoformat() == "2026-03-01T11:00:00+00:00"
    assert gateway.row("report", report["id"])["order_id"] == row["id"]
    assert [step[1:] for step in gateway.steps(found)] == [
        ("ordered", False),
        ("in_progress", True),
        ("completed", True),
        ("reported", False),
    ]
    assert applied.codes() == []


def test_the_same_result_again_writes_nothing(gateway: Any) -> None:
    gateway.send(result(SODIUM))
    before = [gateway.all(kind) for kind in ("DiagnosticReport", "Observation", "ServiceRequest")]
    applied = gateway.send(result(SODIUM))
    assert {item.action for item in applied.written} == {"matched"}
    assert [gateway.all(kind) for kind in ("DiagnosticReport", "Observation", "ServiceRequest")] == before


def test_a_correction_changes_the_same_observation(gateway: Any) -> None:
    gateway.send(result(SODIUM))
    gateway.send(result(SODIUM.replace("|140|", "|128|").replace("|N|||F|", "|LL|||C|"), status="C"))
    found = gateway.only("Observation")
    assert (found["valueQuantity"]["value"], found["status"]) == (128, "corrected")
    assert found["meta"]["versionId"] == "2"
    report = gateway.only("DiagnosticReport")
    assert report["status"] == "corrected"
    assert gateway.row("report", report["id"])["result_status"] == "critical"


def test_a_value_that_changes_its_kind_leaves_nothing_of_the_former(gateway: Any) -> None:
    gateway.send(result(SODIUM))
    gateway.send(result("OBX|1|ST|2951-2^Sodium^LN||not measurable||||||C"))
    found = gateway.only("Observation")
    assert found["valueString"] == "not measurable"
    assert "valueQuantity" not in found


def test_a_value_that_is_cleared_goes(gateway: Any) -> None:
    gateway.send(result(SODIUM))
    gateway.send(result('OBX|1|NM|2951-2^Sodium^LN||""||||||X'))
    assert "valueQuantity" not in gateway.only("Observation")


def test_a_result_of_an_unknown_order_makes_it_reported(gateway: Any) -> None:
    gateway.send(result(SODIUM))
    found = gateway.only("ServiceRequest")
    assert {"P100", "L900"} <= {item["value"] for item in found["identifier"]}
    assert gateway.row("service_order", found["id"])["status"] == "reported"


def test_a_placer_number_without_authority_finds_the_order_of_the_same_patient(gateway: Any) -> None:
    gateway.send(order("P100"))
    gateway.send(result(SODIUM, placer="P100"))
    assert gateway.row("service_order", gateway.only("ServiceRequest")["id"])["status"] == "reported"


def test_a_cancelled_order_stays_cancelled_and_the_report_is_kept(gateway: Any) -> None:
    gateway.send(order())
    gateway.send(order().replace("|NW|", "|CA|"))
    applied = gateway.send(result(SODIUM))
    assert gateway.only("ServiceRequest")["status"] == "revoked"
    assert gateway.only("DiagnosticReport")["status"] == "final"
    assert any("stays so" in warned.text for warned in applied.coverage.warned)


@pytest.mark.parametrize(
    ("letter", "status", "workflow"),
    [
        ("O", "registered", "ordered"),
        ("I", "registered", "in_progress"),
        ("S", "registered", "ordered"),  # no time is told that it is booked for
        ("N", "registered", "in_progress"),
        ("A", "partial", "in_progress"),
        ("R", "partial", "in_progress"),
        ("P", "preliminary", "in_progress"),
        ("M", "preliminary", "ordered"),
        ("F", "final", "reported"),
        ("C", "corrected", "reported"),
        ("X", "cancelled", "ordered"),
        ("Y", "unknown", "ordered"),
        ("Z", "unknown", "ordered"),
        ("", "unknown", "ordered"),
    ],
)
def test_obr_25_tells_the_status_of_the_report_and_moves_the_order(
    gateway: Any, letter: str, status: str, workflow: str
) -> None:
    gateway.send(order())
    gateway.send(result(SODIUM, status=letter))
    assert gateway.only("DiagnosticReport")["status"] == status
    assert gateway.row("service_order", gateway.only("ServiceRequest")["id"])["status"] == workflow


def test_a_preliminary_result_does_not_take_a_reported_order_back(gateway: Any) -> None:
    gateway.send(result(SODIUM))
    gateway.send(result(SODIUM, status="P"))
    assert gateway.row("service_order", gateway.only("ServiceRequest")["id"])["status"] == "reported"


def test_the_last_final_report_in_error_takes_its_order_back_to_completed(gateway: Any) -> None:
    gateway.send(result(SODIUM))
    gateway.send(result(SODIUM, status="D"))
    row = gateway.row("service_order", gateway.only("ServiceRequest")["id"])
    assert (row["status"], row["reported_at"]) == ("completed", None)


def test_thirteen_obr_with_the_same_numbers_are_thirteen_reports_on_one_order(gateway: Any) -> None:
    groups = [
        f"OBR|{n}|P100^HIS|L900^LAB|{'57128-1' if n < 3 else f'T{n}'}^Test {n}^LN|||20260301090000+0000"
        f"|||||||||||||||||CH|F\nOBX|1|NM|{n}^Value^99L||{n}||||||F"
        for n in range(1, 14)
    ]
    raw = "\n".join((HEADER, PATIENT, "ORC|RE|P100^HIS|L900^LAB", *groups))
    gateway.send(raw)
    assert len(gateway.all("DiagnosticReport")) == 13
    assert len(gateway.all("Observation")) == 13
    assert len(gateway.all("ServiceRequest")) == 1
    applied = gateway.send(raw)
    assert {item.action for item in applied.written} == {"matched"}


def test_set_ids_out_of_order_lose_nothing_and_are_found_again(gateway: Any) -> None:
    lines = [f"OBX|{n}|NM|2951-2^Sodium^LN||{140 + n}||||||F" for n in (3, 1, 1)]
    gateway.send(result(*lines))
    gateway.send(result(*lines))
    assert sorted(item["valueQuantity"]["value"] for item in gateway.all("Observation")) == [141, 141, 143]


def test_lines_of_text_are_one_presented_form_and_an_observation_each(gateway: Any) -> None:
    gateway.send(
        result(
            "OBX|1|TX|18748-4^Report^LN|1|The knee joint is||||||F",
            "OBX|2|TX|18748-4^Report^LN|2|without effusion.||||||F",
            "OBX|3|TX|18748-4&IMP^Impression^LN|1|Normal knee.||||||F",
            "OBX|4|TX|18748-4&GDT^Findings^LN|1|No effusion seen.||||||F",
        )
    )
    report = gateway.only("DiagnosticReport")
    (form,) = report["presentedForm"]
    assert base64.b64decode(form["data"]).decode() == "The knee joint is\nwithout effusion."
    assert report["conclusion"] == "Normal knee."
    row = gateway.row("report", report["id"])
    assert row["report_text"] == "The knee joint is\nwithout effusion."
    assert row["findings"] == "No effusion seen."
    assert len(report["result"]) == 4


def test_a_file_is_a_presented_form(gateway: Any) -> None:
    data = base64.b64encode(b"%PDF-1.4 report").decode()
    gateway.send(result(f"OBX|1|ED|11502-2^Report^LN||^Application^PDF^Base64^{data}||||||F"))
    (form,) = gateway.only("DiagnosticReport")["presentedForm"]
    assert form["contentType"] == "application/pdf"
    assert form["data"] == data
    assert form["title"] == "Report"


def test_a_specimen_of_a_result_belongs_to_report_order_and_observations(gateway: Any) -> None:
    gateway.send(
        result(
            SODIUM,
            "SPM|1|^S2&LAB||119297000^Blood^SCT|||||||||||||20260301070000+0000|20260301080000+0000",
            "OBX|2|ST|9999^Condition^99L||hemolytic||||||F",
        )
    )
    specimen = gateway.only("Specimen")
    reference = {"reference": f"Specimen/{specimen['id']}"}
    assert gateway.only("DiagnosticReport")["specimen"] == [reference]
    assert {item["specimen"]["reference"] for item in gateway.all("Observation")} == {reference["reference"]}
    assert specimen["request"] == [{"reference": f"ServiceRequest/{gateway.only('ServiceRequest')['id']}"}]


def test_answers_asked_at_order_entry_support_the_order(gateway: Any) -> None:
    answer = "OBX|2|ST|AOE1^Fasting^99L||yes||||||F||||||||||||||||||AOE"
    gateway.send(result(SODIUM, answer))
    report, found = gateway.only("DiagnosticReport"), gateway.only("ServiceRequest")
    assert len(report["result"]) == 1
    assert len(found["supportingInfo"]) == 1


def test_an_observation_before_any_order_is_of_no_report(gateway: Any) -> None:
    raw = result(SODIUM).replace(
        "ORC|RE", "PV1|1|O|||||||||||||||||V9\nOBX|1|NM|8302-2^Height^LN||170|cm|||||F\nORC|RE", 1
    )
    gateway.send(raw)
    gateway.send(raw)
    assert len(gateway.all("Observation")) == 2
    assert len(gateway.only("DiagnosticReport")["result"]) == 1


def test_a_number_that_is_none_is_kept_as_text_and_warned_about(gateway: Any) -> None:
    applied = gateway.send(result("OBX|1|NM|2951-2^Sodium^LN||NOVALUE||||||F"))
    assert gateway.only("Observation")["valueString"] == "NOVALUE"
    assert applied.codes() == ["102"]


def test_several_values_become_components(gateway: Any) -> None:
    gateway.send(result("OBX|1|NM|8867-4^Heart rate^LN||60~120|/min|||||F"))
    found = gateway.only("Observation")
    assert [part["valueQuantity"]["value"] for part in found["component"]] == [60, 120]
    assert "valueQuantity" not in found


def test_interpreter_and_performer_are_practitioners_and_report_the_order(gateway: Any) -> None:
    obr = result().replace("|CH|F", "|CH|F|||||||77&Stone&Mia|||88&Brook&Lee")
    gateway.send(obr)
    report = gateway.only("DiagnosticReport")
    names = {item["id"]: item["name"][0]["family"] for item in gateway.all("Practitioner")}
    assert names[report["resultsInterpreter"][0]["reference"].partition("/")[2]] == "Stone"
    row = gateway.row("service_order", gateway.only("ServiceRequest")["id"])
    assert names[str(row["reporting_user_id"])] == "Stone"


def test_two_patients_in_one_message_keep_their_results_apart(gateway: Any) -> None:
    second = "\n".join(
        result(SODIUM, pid="PID|2||4712^^^WEST^MR||Reyes^Bo", placer="P200^HIS").splitlines()[1:]
    )
    gateway.send(result(SODIUM) + "\n" + second.replace("L900", "L901"))
    subjects = {item["subject"]["reference"] for item in gateway.all("DiagnosticReport")}
    assert len(subjects) == 2


def test_a_message_without_patient_or_order_is_refused(gateway: Any) -> None:
    for raw, segment in ((f"{HEADER}\nOBR|1|P1", "PID"), (f"{HEADER}\n{PATIENT}", "OBR")):
        with pytest.raises(MessageRefused) as refused:
            gateway.send(raw)
        assert (refused.value.warning.code, refused.value.warning.segment) == ("100", segment)


CASE = f"""
    {HEADER}
    {PATIENT}
    PV1|1|I|||||||||||||||||V9^^^WEST
    OBR|1||R77^REG|hip-arthroplasty^Hip arthroplasty^99SGRC|||20260210|||||||||||||||||||F
    OBX|1|CE|side^Side^99SGRC||left||||||F
    OBX|2|NM|blood_loss_ml^Blood loss^99SGRC||350|mL^^UCUM|||||F
    """


def test_a_research_case_fills_its_typed_row_and_is_found_again(gateway: Any) -> None:
    gateway.send(CASE)
    gateway.send(CASE.replace("|350|", "|400|"))
    found = gateway.only("Observation")
    row = gateway.row("rc_hiparthroplasty", found["id"])
    assert row["side"] == "left"
    assert row["blood_loss_ml"] == 400
    assert gateway.all("DiagnosticReport") == []


def test_a_value_that_a_research_column_cannot_hold_refuses_the_message(gateway: Any) -> None:
    with pytest.raises(MessageRefused) as refused:
        gateway.send(CASE.replace("||left|", "||upside|"))
    assert (refused.value.warning.segment, refused.value.warning.sequence) == ("OBX", 1)
    assert refused.value.warning.code in ("102", "103")
    assert gateway.all("Patient") == []


@pytest.mark.parametrize("parent", ["^R77&REG", "^R77"])
def test_a_member_is_of_the_case_that_its_parent_number_names(gateway: Any, parent: str) -> None:
    gateway.send(CASE)
    gateway.send(f"""
        {HEADER}
        {PATIENT}
        OBR|1||R78^REG|implant^Implant^99SGRC|||20260210{"|" * 18}F||||{parent}
        OBX|1|ST|lot_no^Lot^99SGRC||L42||||||F
        """)
    found = {bool(item.get("hasMember")): item for item in gateway.all("Observation")}
    assert found[True]["hasMember"] == [{"reference": f"Observation/{found[False]['id']}"}]


def scored(control_id: str, score: int) -> str:
    return f"""
        MSH|^~\\&|PROMS|WEST|SUTURE|OR|20260301080000||ORU^R01|{control_id}|P|2.5.1
        PID|1||1234^^^WEST^MR||Doe^Jane
        OBR|1||F900^PROMS|82324-5^KOOS JR^LN|||20260301||||||||||||||||||F
        OBX|1|NM|82324-5^KOOS JR^LN||{score}|{{score}}^score^UCUM|||||F
        """


def test_a_score_that_comes_again_with_another_value_changes_the_outcomes_typed_row(gateway: Any) -> None:
    gateway.send(scored("S1", 61))
    gateway.send(scored("S2", 74))
    found = gateway.only("Observation")
    assert found["valueQuantity"]["value"] == 74
    assert gateway.row("rc_outcome", found["id"])["score"] == 74
    assert gateway.row("rc_outcome", found["id"])["instrument"] == "KOOS_JR"


def test_a_number_of_another_form_is_none_of_ours(gateway: Any) -> None:
    gateway.send(order(placer="ORD-２０２６-００００１^SUTURE"))  # digits, but not those that we count in
    systems = {item["system"] for item in gateway.only("ServiceRequest")["identifier"]}
    assert "urn:hl7:hd:SUTURE" in systems


def test_several_results_of_an_order_are_told_by_our_number_of_it(gateway: Any) -> None:
    gateway.send(order())
    (ours,) = [
        item["value"]
        for item in gateway.only("ServiceRequest")["identifier"]
        if item["system"] == "http://suture.example.org/fhir/sid/order-number"
    ]
    first = result(SODIUM, placer=f"{ours}^SUTURE")
    second = first.replace(CODE, "2345-7^Glucose^LN").partition("ORC|")[2]
    gateway.send(f"{first}\nORC|{second}")
    assert len(gateway.all("DiagnosticReport")) == 2
    assert gateway.only("ServiceRequest")["status"] == "completed"
