"""Which report and which order the numbers of a message mean: placer and filler, absent, the same, or other.

HL7 v2.5.1, sections 4.5.1.2 and 4.5.1.3 (ORC-2, ORC-3), 7.4.1.2 and 7.4.1.3 (OBR-2, OBR-3):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import Any

import pytest

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
CODE = "718-7^Hemoglobin^LN"


def result(placer: str, filler: str, value: str = "1", set_id: str = "1") -> str:
    return "\n".join(
        (
            "MSH|^~\\&|LAB|WEST|SUTURE|OR|20260301080000||ORU^R01|1|P|2.5.1",
            PATIENT,
            f"OBR|{set_id}|{placer}|{filler}|{CODE}|||20260301{'|' * 18}F",
            f"OBX|1|NM|{CODE}||{value}|g/dL|||||F",
        )
    )


def order(control: str, placer: str, filler: str) -> str:
    return "\n".join(
        (
            "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000||ORM^O01|1|P|2.5.1",
            PATIENT,
            f"ORC|{control}|{placer}|{filler}",
            f"OBR|1|{placer}|{filler}|{CODE}",
        )
    )


CASES = [
    # placer and filler of the first, of the second, and whether both are one
    ("P1", "F1", "P1", "F1", True),
    ("P1", "F1", "P1", "F2", False),
    ("P1", "F1", "P1", "", True),
    ("P1", "F1", "P2", "F1", False),
    ("P1", "F1", "P2", "F2", False),
    ("P1", "F1", "P2", "", False),
    ("P1", "F1", "", "F1", True),
    ("P1", "F1", "", "F2", False),
    ("P1", "", "P1", "F1", True),
    ("P1", "", "P1", "", True),
    ("P1", "", "P2", "F1", False),
    ("P1", "", "P2", "", False),
    ("P1", "", "", "F1", False),
    ("", "F1", "P1", "F1", True),
    ("", "F1", "P1", "F2", False),
    ("", "F1", "P1", "", False),
    ("", "F1", "", "F1", True),
    ("", "F1", "", "F2", False),
    # what a filler's number is spelled like makes no other report
    ("P1", "F1", "P1", "f1", True),
    ("P1", "F1", "P1", "F1^LAB", True),
    ("P1", "F1^LAB", "P1", "F1", True),
    ("P1", "F1^LAB", "P1", "F1^LAB&1.2.3&ISO", True),
    ("P1^HIS", "F1", "P1^HIS", "F2", False),
    ("P1^HIS", "F1^LAB", "P1^HIS", "F2^LAB", False),
]


@pytest.mark.parametrize(("placer", "filler", "other", "another", "same"), CASES)
def test_two_results_of_one_code_are_one_report_unless_a_number_differs(
    gateway: Any, placer: str, filler: str, other: str, another: str, same: bool
) -> None:
    gateway.send(result(placer, filler, "1"))
    gateway.send(result(other, another, "2"))
    values = [item["valueQuantity"]["value"] for item in gateway.all("Observation")]
    assert len(gateway.all("DiagnosticReport")) == (1 if same else 2)
    assert values == ([2] if same else [1, 2])
    again = gateway.send(result(other, another, "2"))
    assert set(again.actions("DiagnosticReport") + again.actions("Observation")) == {"matched"}


@pytest.mark.parametrize(("placer", "filler", "other", "another", "same"), CASES)
def test_two_orders_of_one_code_are_one_unless_a_number_differs(
    gateway: Any, placer: str, filler: str, other: str, another: str, same: bool
) -> None:
    gateway.send(order("NW", placer, filler))
    gateway.send(order("NW", other, another))
    assert len(gateway.all("ServiceRequest")) == (1 if same else 2)
    assert set(gateway.send(order("NW", other, another)).actions("ServiceRequest")) == {"matched"}


def test_two_fillers_of_one_message_are_two_reports_of_one_order(gateway: Any) -> None:
    second = "\n".join(result("P1", "F2", "2").splitlines()[2:])
    gateway.send(f"{result('P1', 'F1')}\n{second}")
    assert len(gateway.all("DiagnosticReport")) == 2
    assert {item["valueQuantity"]["value"] for item in gateway.all("Observation")} == {1, 2}
    assert len(gateway.all("ServiceRequest")) == 1


def test_a_result_finds_among_two_orders_of_a_placers_number_that_of_its_filler(gateway: Any) -> None:
    gateway.send(order("NW", "P1", "F1"))
    gateway.send(order("NW", "P1", "F2"))
    gateway.send(result("P1", "F2"))
    first, second = gateway.all("ServiceRequest")
    assert (first["status"], second["status"]) == ("active", "completed")


def test_a_result_without_filler_that_may_be_of_two_reports_overwrites_neither(gateway: Any) -> None:
    gateway.send(result("P1", "F1", "1"))
    gateway.send(result("P1", "F2", "2"))
    for _ in range(2):
        gateway.send(result("P1", "", "3"))
    assert [item["valueQuantity"]["value"] for item in gateway.all("Observation")] == [1, 2, 3]


def test_a_cancellation_by_the_placers_number_is_about_the_orders_of_both_fillers(gateway: Any) -> None:
    gateway.send(order("NW", "P1", "F1"))
    gateway.send(order("NW", "P1", "F2"))
    gateway.send(order("CA", "P1", ""))
    assert {item["status"] for item in gateway.all("ServiceRequest")} == {"revoked"}


def test_a_result_that_gets_its_number_later_stays_one_report_with_it(gateway: Any) -> None:
    gateway.send(result("P1", "", "1"))
    gateway.send(result("P1", "F1", "2"))
    gateway.send(result("", "F1", "3"))
    report = gateway.only("DiagnosticReport")
    assert [item["value"] for item in report["identifier"]] == ["P1", "F1"]
    assert gateway.only("Observation")["valueQuantity"]["value"] == 3


def test_an_order_sent_again_after_two_fillers_took_it_up_is_the_senders_own(gateway: Any) -> None:
    gateway.send(order("NW", "P1", ""))
    for filler in ("F1", "F2"):
        gateway.send(order("SC", "P1", filler).replace("|HIS|", "|LAB|"))
    assert len(gateway.all("ServiceRequest")) == 2
    for control in ("NW", "XO"):
        gateway.send(order(control, "P1", ""))
    assert len(gateway.all("ServiceRequest")) == 2
