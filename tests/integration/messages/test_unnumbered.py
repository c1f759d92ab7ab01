"""Orders and results without a placer's or a filler's number: sent again they are the same, others are not.

HL7 v2.5.1, sections 4.5.1.2 and 4.5.1.3 (ORC-2, ORC-3):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import Any

import pytest

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
LIPIDS = "57698-3^Lipid panel^LN"


def order(
    control: str = "NW", ordered: str = "", wanted: str = "", code: str = LIPIDS, sender: str = "HIS|WEST"
) -> str:
    """An order without numbers: when it was ordered (ORC-9), and for when (OBR-6)."""
    return "\n".join(
        (
            f"MSH|^~\\&|{sender}|SUTURE|OR|20260301080000+0000||OMG^O19|1|P|2.5.1",
            PATIENT,
            f"ORC|{control}||||||||{ordered}",
            f"OBR|1|||{code}||{wanted}",
            "OBX|1|ST|8661-1^Complaint^LN||Tired||||||F",
        )
    )


def result(value: int, at: str = "", issued: str = "") -> str:
    """A result without numbers: when it was observed (OBR-7) and issued (OBR-22)."""
    return "\n".join(
        (
            "MSH|^~\\&|LAB|CENTRAL|SUTURE|OR|20260301120000+0000||ORU^R01|1|P|2.5.1",
            PATIENT,
            f"OBR|1|||{LIPIDS}|||{at}{'|' * 15}{issued}|||F",
            f"OBX|1|NM|2093-3^Cholesterol^LN||{value}|mg/dL^^UCUM|||||F",
        )
    )


TIMES = [("20260301080000+0000", ""), ("", "20260302080000+0000"), ("20260301", "20260302"), ("", "")]


@pytest.mark.parametrize("control", ["NW", "SC", "XO"])
@pytest.mark.parametrize(("ordered", "wanted"), TIMES)
def test_an_order_without_numbers_that_comes_again_makes_nothing_new(
    gateway: Any, control: str, ordered: str, wanted: str
) -> None:
    gateway.send(order(control, ordered, wanted))
    again = gateway.send(order(control, ordered, wanted))
    assert {item.action for item in again.written} == {"matched"}


@pytest.mark.parametrize(
    "other",
    [
        order(ordered="20260301090000+0000", wanted="20260302080000+0000"),
        order(ordered="20260301080000+0000", wanted="20260303080000+0000"),
        order(ordered="20260301080000+0000", wanted="20260302080000+0000", code="58410-2^CBC^LN"),
        order(ordered="20260301080000+0000", wanted="20260302080000+0000", sender="OTHER|WEST"),
    ],
    ids=["ordered later", "wanted later", "something else", "by another sender"],
)
def test_orders_without_numbers_that_differ_in_what_makes_them_stay_apart(gateway: Any, other: str) -> None:
    gateway.send(order(ordered="20260301080000+0000", wanted="20260302080000+0000"))
    gateway.send(other)
    assert len(gateway.all("ServiceRequest")) == 2


def test_an_order_without_numbers_and_times_is_ordered_anew_when_the_first_is_done(gateway: Any) -> None:
    gateway.send(order())
    gateway.send(order("CA"))
    assert gateway.only("ServiceRequest")["status"] == "revoked"
    gateway.send(order())
    assert sorted(item["status"] for item in gateway.all("ServiceRequest")) == ["active", "revoked"]


@pytest.mark.parametrize(
    ("at", "issued"),
    [
        ("20260301090000+0000", ""),
        ("20260301", "202603011200+0000"),
        ("20260301", "20260302"),
        ("20260301", ""),
        ("", ""),
    ],
)
def test_a_result_without_numbers_that_comes_again_makes_nothing_new(
    gateway: Any, at: str, issued: str
) -> None:
    gateway.send(result(180, at, issued))
    again = gateway.send(result(180, at, issued))
    assert {item.action for item in again.written} == {"matched"}


def test_a_result_without_numbers_is_corrected_where_its_time_tells_which_one_it_is(gateway: Any) -> None:
    gateway.send(result(180, "20260301090000+0000"))
    gateway.send(result(190, "20260301090000+0000"))
    assert gateway.only("Observation")["valueQuantity"]["value"] == 190


@pytest.mark.parametrize(("first", "second"), [("20260301", "20260301"), ("", "")])
def test_other_values_without_numbers_and_time_of_day_are_another_result(
    gateway: Any, first: str, second: str
) -> None:
    gateway.send(result(180, first))
    gateway.send(result(190, second))
    assert len(gateway.all("DiagnosticReport")) == 2
