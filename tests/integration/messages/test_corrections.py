"""ORU^R01 that corrects or takes back what was told, and every type that OBX-2 may name.

HL7 v2.5.1, section 7.4.2 (OBX) and tables 0085, 0123, 0125:
https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.integration.messages.test_corpus import invalid

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
SODIUM = "OBX|1|NM|2951-2^Sodium^LN||{}|mmol/L^^UCUM|135-145|N|||{}"
POTASSIUM = "OBX|2|NM|2823-3^Potassium^LN||{}|mmol/L^^UCUM|3.5-5.1|N|||{}"


def result(*segments: str, status: str = "F", hour: int = 12, report: str = "L900") -> str:
    """A result of one OBR, issued at an hour."""
    obr = f"OBR|1|P1^HIS|{report}^LAB|24323-8^Metabolic panel^LN|||20260301090000+0000"
    return "\n".join(
        (
            "MSH|^~\\&|LAB|CENTRAL|SUTURE|OR|20260301120000+0000||ORU^R01|1|P|2.5.1",
            PATIENT,
            f"ORC|RE|P1^HIS|{report}^LAB",
            f"{obr}{'|' * 15}20260301{hour}0000+0000||CH|{status}",
            *segments,
        )
    )


def told(gateway: Any) -> dict[str, tuple[str, Any]]:
    """Status and number of each observation by its LOINC code."""
    return {
        item["code"]["coding"][0]["code"]: (item["status"], item.get("valueQuantity", {}).get("value"))
        for item in gateway.all("Observation")
    }


def workflow(gateway: Any) -> str:
    return gateway.row("service_order", gateway.only("ServiceRequest")["id"])["status"]


BOTH = (SODIUM.format(140, "F"), POTASSIUM.format("4.1", "F"))


def test_a_correction_of_one_observation_leaves_the_others(gateway: Any) -> None:
    gateway.send(result(*BOTH))
    gateway.send(result(SODIUM.format(141, "C"), status="C"))
    assert told(gateway) == {"2951-2": ("corrected", 141), "2823-3": ("final", 4.1)}
    report = gateway.only("DiagnosticReport")
    assert (report["status"], len(report["result"])) == ("corrected", 2)
    assert workflow(gateway) == "reported"


@pytest.mark.parametrize(
    ("letter", "status"), [("D", "entered-in-error"), ("W", "entered-in-error"), ("X", "cancelled")]
)
def test_an_observation_is_taken_back_by_its_own_status(gateway: Any, letter: str, status: str) -> None:
    gateway.send(result(*BOTH))
    gateway.send(result(SODIUM.format("", letter), status="C"))
    assert told(gateway)["2951-2"][0] == status
    assert told(gateway)["2823-3"] == ("final", 4.1)


@pytest.mark.parametrize(
    ("letter", "status", "left"), [("X", "cancelled", "reported"), ("D", "entered-in-error", "completed")]
)
def test_the_last_final_report_that_was_in_error_leaves_its_order_performed_and_a_cancelled_one_as_it_is(
    gateway: Any, letter: str, status: str, left: str
) -> None:
    gateway.send(result(*BOTH))
    gateway.send(result(status=letter))
    assert gateway.only("DiagnosticReport")["status"] == status
    assert workflow(gateway) == left


def test_an_order_stays_reported_while_another_of_its_reports_is_final(gateway: Any) -> None:
    gateway.send(result(SODIUM.format(140, "F")))
    gateway.send(result(POTASSIUM.format(4, "F"), report="L901").replace("24323-8", "24321-2"))
    gateway.send(result(status="X"))
    assert workflow(gateway) == "reported"


def test_a_result_that_is_final_again_after_it_was_taken_back_reports_its_order(gateway: Any) -> None:
    for status in ("F", "D", "F"):
        gateway.send(result(*BOTH, status=status))
    assert workflow(gateway) == "reported"


def test_a_correction_of_one_of_a_series_is_that_of_the_same_time(gateway: Any) -> None:
    glucose = "OBX|{}|NM|2345-7^Glucose^LN||{}|mmol/L|||||{}|||202603010{}00+0000"
    gateway.send(result(glucose.format(1, 5, "F", 8), glucose.format(2, 9, "F", 9)))
    gateway.send(result(glucose.format(1, 7, "C", 9), status="C", hour=13))
    assert sorted(item["valueQuantity"]["value"] for item in gateway.all("Observation")) == [5, 7]


def test_a_day_is_no_instant_of_issue(gateway: Any) -> None:
    applied = gateway.send(result(*BOTH).replace("20260301120000+0000||CH", "20260301||CH"))
    assert invalid(applied.written) == []
    assert not any(
        "issued" in item for kind in ("DiagnosticReport", "Observation") for item in gateway.all(kind)
    )
    assert ("OBR", 22) in {(item.segment, item.field) for item in applied.coverage.warned}


TYPES = {
    "AD": "1 Main St^^Springfield",
    "CE": "POS^Positive^99L",
    "CF": "POS^Positive^99L",
    "CK": "128952^6^M11^ADT01",
    "CN": "1057^Hippocrates^Harold",
    "CNE": "POS^Positive^99L",
    "CP": "100.00&USD^UP",
    "CQ": "12^kg",
    "CWE": "POS^Positive^99L",
    "CX": "1234^4^M11^ADT01^MR",
    "DR": "20260101^20260102",
    "DT": "20260101",
    "DTM": "20260101083000+0000",
    "ED": "^AP^PDF^Base64^" + base64.b64encode(b"%PDF-1.4").decode(),
    "EI": "A-1^LAB",
    "FN": "Doe",
    "FT": "First\\.br\\second",
    "HD": "LAB^1.2.3^ISO",
    "ID": "Y",
    "IS": "POS",
    "MA": "1^2^3~4^5^6",
    "MO": "99.50^USD",
    "NA": "125^34^-22",
    "NM": "5.10",
    "NR": "1^5",
    "PL": "3W^12^1^WEST",
    "PN": "Doe^Jane",
    "RP": "https://pacs.example.org/1^^IM^JPEG",
    "SI": "1",
    "SN": ">^100",
    "ST": "text",
    "TM": "0830",
    "TN": "555 0100",
    "TS": "20260101083000+0000",
    "TX": "text",
    "VR": "A^C",
    "XAD": "1 Main St^^Springfield",
    "XCN": "77^Stone^Mia",
    "XON": "Good Health^L",
    "XPN": "Doe^Jane",
    "XTN": "^PRN^PH^^^555^0100",
    "": "text without a type",
    "ZZZ": "a type of no table",
}


def test_a_value_of_each_type_is_kept_and_valid(gateway: Any) -> None:
    told = enumerate(TYPES.items(), 1)
    lines = (f"OBX|{n}|{kind}|T{n}^{kind}^99L||{text}||||||F" for n, (kind, text) in told)
    applied = gateway.send(result(*lines))
    found = gateway.all("Observation")
    kept = {
        item["code"]["coding"][0].get("display", ""): [name for name in item if name.startswith("value")]
        + [name for name in ("component", "extension") if name in item]
        for item in found
    }
    assert {kind: len(names) for kind, names in kept.items()} == dict.fromkeys(TYPES, 1)
    assert invalid(applied.written) == []
    assert applied.codes() == []


@pytest.mark.parametrize("text", ["^^^", "NOVALUE", "~", "&&", "1^2^3^4^5~6", "Aug 15, 1942", "\\X\\", "\\"])
def test_a_value_that_is_not_of_its_type_refuses_nothing(gateway: Any, text: str) -> None:
    lines = (f"OBX|{n}|{kind}|T{n}^{kind}^99L||{text}||||||F" for n, kind in enumerate(TYPES, 1))
    applied = gateway.send(result(*lines))
    assert applied.actions("Observation") == ["created"] * len(TYPES)
    assert invalid(applied.written) == []


def test_a_file_about_a_specimen_is_an_attachment_and_a_presented_form(gateway: Any) -> None:
    file = f"OBX|2|ED|PDF^Report^99L||{TYPES['ED']}||||||F"
    gateway.send(result(SODIUM.format(140, "F"), "SPM|1|^S2&LAB||119297000^Blood^SCT", file))
    attached = next(item for item in gateway.all("Observation") if "extension" in item)
    assert attached["specimen"]["reference"] == f"Specimen/{gateway.only('Specimen')['id']}"
    (form,) = gateway.only("DiagnosticReport")["presentedForm"]
    assert (form["contentType"], base64.b64decode(form["data"])) == ("application/pdf", b"%PDF-1.4")
