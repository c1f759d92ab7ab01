"""Results that come late or again: what is final stays, corrections take out what they have no more.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-table-hl70123-to-diagnostic-report-status.html
"""

from __future__ import annotations

from typing import Any

import pytest

HEADER = "MSH|^~\\&|LAB|CENTRAL|SUTURE|OR|20260301120000+0000||ORU^R01|1|P|2.5.1"
PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
KINDS = ("DiagnosticReport", "Observation", "ServiceRequest")


def group(*segments: str, status: str = "F", issued: str = "20260301110000+0000", made: str = "") -> str:
    """ORC, OBR and OBX: OBR-25, OBR-22 and OBR-7 as told."""
    code = f"24323-8^Metabolic panel^LN|||{made or '20260301090000+0000'}"
    return "\n".join(
        (
            "ORC|RE|P100^HIS|L900^LAB",
            f"OBR|1|P100^HIS|L900^LAB|{code}{'|' * 15}{issued}||CH|{status}",
            *segments,
        )
    )


def result(*groups: str) -> str:
    """A message of groups."""
    return "\n".join((HEADER, PATIENT, *groups))


def sodium(value: str, status: str = "F", flag: str = "N", limits: str = "135-145") -> str:
    return f"OBX|1|NM|2951-2^Sodium^LN||{value}|mmol/L^^UCUM|{limits}|{flag}|||{status}"


def told(applied: Any) -> list[str]:
    """The fields of which the sender is told that they were not applied."""
    return [f"{warned.segment}-{warned.field}" for warned in applied.coverage.warned if warned.told]


@pytest.mark.parametrize(
    "late",
    [
        group(sodium("128", "P"), status="P"),
        group(sodium("128", "P"), status="R", issued=""),
        group(sodium("128"), status="F", issued="20260301100000+0000"),
        group(sodium("128") + "\nNTE|1||an old note", "OBX|2|ST|X^Other^99L||late||||||P", status="P"),
    ],
)
def test_a_late_result_changes_nothing_of_a_final_report_and_is_told(gateway: Any, late: str) -> None:
    gateway.send(result(group(sodium("140"))))
    before = [gateway.all(kind) for kind in KINDS]
    applied = gateway.send(result(late))
    assert [gateway.all(kind) for kind in KINDS] == before
    assert told(applied) == ["OBR-25"]
    assert {item.action for item in applied.written} == {"matched"}


@pytest.mark.parametrize("status", ["C", "F"])
def test_a_correction_of_a_final_report_is_applied(gateway: Any, status: str) -> None:
    gateway.send(result(group(sodium("140"))))
    applied = gateway.send(result(group(sodium("128", "C"), status=status)))
    assert gateway.only("Observation")["valueQuantity"]["value"] == 128
    assert told(applied) == []


@pytest.mark.parametrize("issued", ["20260301110000+0000", ""])
def test_the_final_result_of_before_its_correction_does_not_come_back(gateway: Any, issued: str) -> None:
    gateway.send(result(group(sodium("140"), issued=issued)))
    gateway.send(result(group(sodium("128", "C"), status="C", issued=issued)))
    applied = gateway.send(result(group(sodium("140"), issued=issued)))
    assert gateway.only("Observation")["valueQuantity"]["value"] == 128
    assert gateway.only("DiagnosticReport")["status"] == "corrected"
    assert told(applied) == ["OBR-25"]


def test_a_result_that_is_final_anew_after_its_correction_is_applied(gateway: Any) -> None:
    gateway.send(result(group(sodium("128", "C"), status="C")))
    gateway.send(result(group(sodium("130"), issued="20260301120000+0000")))
    assert gateway.only("Observation")["valueQuantity"]["value"] == 130


def test_an_order_that_comes_after_its_result_is_that_order_though_coded_otherwise(gateway: Any) -> None:
    gateway.send(result(group(sodium("140"))))
    head = "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    order = f"{head}\n{PATIENT}\nORC|NW|P100^HIS\nOBR|1|P100^HIS||CHEM7^Chemistry^99H"
    gateway.send(order)
    found = gateway.only("ServiceRequest")
    assert (found["status"], found["code"]["coding"][0]["code"]) == ("completed", "CHEM7")
    assert {item.action for item in gateway.send(order).written} == {"matched"}
    gateway.send(f"{order}\nOBR|2|P100^HIS||CBC^Blood count^99H")
    codes = [item["code"]["coding"][0]["code"] for item in gateway.all("ServiceRequest")]
    assert sorted(codes) == ["CBC", "CHEM7"]


def test_only_one_of_two_orders_that_come_after_a_result_is_the_order_of_the_result(gateway: Any) -> None:
    gateway.send(result(group(sodium("140"))))
    head = "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    orders = "ORC|NW|P100^HIS\nOBR|1|P100^HIS||CHEM7^Chemistry^99H\nOBR|2|P100^HIS||CBC^Blood count^99H"
    gateway.send(f"{head}\n{PATIENT}\n{orders}")
    codes = [item["code"]["coding"][0]["code"] for item in gateway.all("ServiceRequest")]
    assert sorted(codes) == ["CBC", "CHEM7"]


def test_an_observation_that_is_final_stays_where_only_its_own_status_is_lesser(gateway: Any) -> None:
    gateway.send(result(group(sodium("140"))))
    potassium = "OBX|2|NM|2823-3^Potassium^LN||4.1|mmol/L|||||F"
    applied = gateway.send(result(group(sodium("128", "P"), potassium)))
    values = [item["valueQuantity"]["value"] for item in gateway.all("Observation")]
    assert values == [140, 4.1]
    assert told(applied) == ["OBX-11"]


def test_a_report_that_is_only_as_precise_as_the_day_is_not_older(gateway: Any) -> None:
    gateway.send(result(group(sodium("140"))))
    gateway.send(result(group(sodium("128"), issued="20260301")))
    assert gateway.only("Observation")["valueQuantity"]["value"] == 128


def test_a_final_report_may_be_taken_back_by_an_error(gateway: Any) -> None:
    gateway.send(result(group(sodium("140"))))
    gateway.send(result(group(sodium("140", "D"), status="D")))
    assert gateway.only("DiagnosticReport")["status"] == "entered-in-error"
    assert gateway.only("Observation")["status"] == "entered-in-error"


def test_preliminary_and_final_of_one_obr_in_one_message_are_one_report(gateway: Any) -> None:
    gateway.send(result(group(sodium("139", "P"), status="P"), group(sodium("140"))))
    assert gateway.only("DiagnosticReport")["status"] == "final"
    assert gateway.only("Observation")["valueQuantity"]["value"] == 140
    gateway.only("ServiceRequest")


def test_a_line_of_text_that_a_correction_has_no_more_leaves_the_report(gateway: Any) -> None:
    lines = [f"OBX|{n}|TX|18748-4^Report^LN||line {n}||||||F" for n in (1, 2, 3)]
    gateway.send(result(group(*lines, sodium("140"))))
    gateway.send(result(group(*(line[:-1] + "C" for line in lines[:2]), status="C")))
    report = gateway.only("DiagnosticReport")
    by_id = {f"Observation/{item['id']}": item for item in gateway.all("Observation")}
    kept = [by_id.pop(item["reference"]) for item in report["result"]]
    assert sorted(item.get("valueString", "") for item in kept) == ["", "line 1", "line 2"]
    assert [(item["valueString"], item["status"]) for item in by_id.values()] == [
        ("line 3", "entered-in-error")
    ]


def test_quotation_marks_clear_range_time_and_the_conclusion_that_follows(gateway: Any) -> None:
    gateway.send(result(group(sodium("140", flag="HH"))))
    assert "conclusionCode" in gateway.only("DiagnosticReport")
    cleared = sodium("140", "C", flag='""', limits='""')
    gateway.send(result(group(cleared, status="C", made='""')))
    report, found = gateway.only("DiagnosticReport"), gateway.only("Observation")
    assert {"conclusionCode", "effectiveDateTime"} & report.keys() == set()
    assert {"interpretation", "referenceRange", "effectiveDateTime"} & found.keys() == set()
    assert gateway.row("report", report["id"])["result_status"] is None


def test_quotation_marks_inside_say_nothing(gateway: Any) -> None:
    raw = result(group('OBX|1|NM|2951-2^""^LN|""|140|""|||||F')).replace(
        PATIENT, 'PID|1||4711^^^WEST^MR||Ortega^""||19700214|F|||""^""^Basel^""||""^PRN^PH'
    )
    gateway.send(raw)
    assert '""' not in str([gateway.all(kind) for kind in (*KINDS, "Patient")])
    assert gateway.only("Patient")["address"] == [{"city": "Basel"}]
    assert gateway.only("Observation")["valueQuantity"] == {"value": 140}
    assert gateway.row("observation", gateway.only("Observation")["id"])["sub_id"] is None
