"""SIU with several services: each books the procedure of the order that the appointment names for it.

HL7 v2.5.1, sections 10.6.1.26 (SCH-26) and 10.6.4 (AIS):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.messages.test_siu import (
    BOOKED,
    CPT,
    FREE,
    FULL,
    PATIENT,
    RGS,
    ROOM,
    of_board,
    operation,
    siu,
)

SECOND = "AIS|2||29881^Knee arthroscopy^C4"


def ordered_operations(gateway: Any) -> list[dict[str, Any]]:
    """Two procedures of a patient, each of an order: hip (O7), knee (O8)."""
    found: list[dict[str, Any]] = []
    for number, code in (("O7", "27130"), ("O8", "29881")):
        head = "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
        gateway.send(f"{head}\n{PATIENT}\nORC|NW|{number}^HIS\nOBR|1|{number}^HIS||{code}^Operation^C4")
        order = gateway.all("ServiceRequest")[-1]
        based = [{"reference": f"ServiceRequest/{order['id']}"}]
        found.append(operation(gateway, basedOn=based, code={"coding": [{"system": CPT, "code": code}]}))
    return found


def test_each_service_books_the_procedure_of_its_own_order(gateway: Any) -> None:
    hip, knee = ordered_operations(gateway)
    raw = siu("S12", *FULL, SECOND, orders="O7^HIS~O8^HIS")
    applied = gateway.send(raw)
    assert [of_board(gateway, item) for item in (hip, knee)] == [BOOKED, BOOKED]
    assert {"AIS[1]-3", "AIS[2]-3"} <= applied.coverage.mapped.keys()
    assert not [warned for warned in applied.coverage.warned if warned.told]
    orders = [gateway.row("service_order", item["id"])["status"] for item in gateway.all("ServiceRequest")]
    assert orders == ["scheduled", "scheduled"]
    assert {item.action for item in gateway.send(raw).written} == {"matched"}
    gateway.send(siu("S13", *FULL, SECOND, start="20260311080000+0000"))
    assert {of_board(gateway, item)[1][:10] for item in (hip, knee)} == {"2026-03-11"}
    gateway.send(siu("S15"))
    assert [of_board(gateway, item) for item in (hip, knee)] == [FREE, FREE]


def test_a_service_has_the_time_and_the_room_of_its_own_group(gateway: Any) -> None:
    hip, knee = ordered_operations(gateway)
    later = "AIS|2||29881^Knee arthroscopy^C4|20260310100000+0000|||30|min"
    gateway.send(siu("S12", *FULL, "RGS|2", later, ROOM.replace("OR3", "OR4"), orders="O7^HIS~O8^HIS"))
    assert of_board(gateway, hip) == BOOKED
    slot = ("scheduled", "2026-03-10T10:00:00+00:00", "2026-03-10T10:30:00+00:00", "OR4")
    assert of_board(gateway, knee) == slot


@pytest.mark.parametrize("orders", ["O7^HIS", "", "O7^HIS~O9^HIS"])
def test_services_of_which_not_each_names_its_order_leave_what_is_not_named(
    gateway: Any, orders: str
) -> None:
    hip, knee = ordered_operations(gateway)
    applied = gateway.send(siu("S12", *FULL, SECOND, orders=orders))
    assert of_board(gateway, knee) == FREE
    assert of_board(gateway, hip) == (BOOKED if orders else FREE)
    assert [warned for warned in applied.coverage.warned if warned.told]


def test_one_service_of_two_that_are_booked_is_moved_alone(gateway: Any) -> None:
    hip, knee = ordered_operations(gateway)
    gateway.send(siu("S12", *FULL, SECOND, orders="O7^HIS~O8^HIS"))
    gateway.send(siu("S13", RGS, SECOND, ROOM, start="20260312080000+0000"))
    assert of_board(gateway, hip) == BOOKED
    assert of_board(gateway, knee)[1] == "2026-03-12T08:00:00+00:00"
