"""Which order a group of ORM^O01 is about: the same key within a message, set ids, senders and authorities.

HL7 v2.5.1, sections 4.5.1.2 and 4.5.1.3 (ORC-2, ORC-3):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import Any

import pytest

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
CODE = "20610^Aspiration^C4"


def message(*groups: str, sender: str = "HIS|WEST", kind: str = "ORM^O01") -> str:
    return "\n".join((f"MSH|^~\\&|{sender}|SUTURE|OR|20260301080000||{kind}|1|P|2.5.1", PATIENT, *groups))


def order(control: str, number: str = "E5", set_id: str = "1", status: str = "") -> str:
    return f"ORC|{control}|{number}|||{status}\nOBR|{set_id}|{number}||{CODE}"


def statuses(gateway: Any) -> list[str]:
    return [gateway.row("service_order", found["id"])["status"] for found in gateway.all("ServiceRequest")]


@pytest.mark.parametrize("number", ["E5", "E5^HIS"])
@pytest.mark.parametrize("set_id", ["1", ""])
def test_a_new_order_cancelled_in_the_same_message_is_one_order(
    gateway: Any, number: str, set_id: str
) -> None:
    gateway.send(message(order("NW", number), order("CA", number, set_id)))
    assert statuses(gateway) == ["cancelled"]


def test_two_states_of_an_unknown_order_in_one_message_are_of_one_order(gateway: Any) -> None:
    gateway.send(message(order("SC", status="IP"), order("SC", status="CM")))
    assert statuses(gateway) == ["completed"]


def test_orders_of_one_message_with_other_codes_stay_apart(gateway: Any) -> None:
    other = order("SC").replace("20610", "27447")
    applied = gateway.send(message(order("SC"), other, order("SC", set_id="2")))
    assert len(statuses(gateway)) == 3
    assert applied.codes() == []


@pytest.mark.parametrize("control", ["CA", "HD"])
def test_a_request_without_set_id_is_about_all_orders_with_its_number_and_code(
    gateway: Any, control: str
) -> None:
    gateway.send(message(order("NW"), order("NW", set_id="2")))
    gateway.send(message(order(control, set_id="")))
    found = [gateway.row("service_order", item["id"]) for item in gateway.all("ServiceRequest")]
    assert len(found) == 2
    assert all(row["status"] == "cancelled" or row["on_hold"] for row in found)


def test_a_number_that_came_without_authority_is_found_with_one_from_the_same_sender(gateway: Any) -> None:
    gateway.send(message(order("NW")))
    gateway.send(message(order("CA", "E5^HIS")))
    assert statuses(gateway) == ["cancelled"]


def test_a_number_with_another_applications_authority_is_not_that_order(gateway: Any) -> None:
    gateway.send(message(order("NW")))
    gateway.send(message(order("NW", "E5^RIS"), sender="RIS|WEST"))
    assert statuses(gateway) == ["ordered", "ordered"]


@pytest.mark.parametrize("number", ["E5", "E5^HIS"])
@pytest.mark.parametrize("sender", ["RIS|WEST", "RIS|EAST", "HIS|EAST"])
@pytest.mark.parametrize("control", ["CA", "HD"])
def test_another_sender_does_not_close_an_order_by_a_number_without_authority(
    gateway: Any, number: str, sender: str, control: str
) -> None:
    gateway.send(message(order("NW", number)))
    gateway.send(message(order(control), sender=sender))
    first = gateway.row("service_order", gateway.all("ServiceRequest")[0]["id"])
    assert (first["status"], first["on_hold"]) == ("ordered", False)


def test_the_same_sender_closes_its_order_without_writing_the_authority_again(gateway: Any) -> None:
    gateway.send(message(order("NW", "E5^HIS")))
    gateway.send(message(order("CA")))
    assert statuses(gateway) == ["cancelled"]


def test_a_number_with_its_authority_closes_the_order_whoever_sends_it(gateway: Any) -> None:
    gateway.send(message(order("NW", "E5^HIS")))
    gateway.send(message(order("OC", "E5^HIS"), sender="RIS|EAST"))
    assert statuses(gateway) == ["cancelled"]


@pytest.mark.parametrize("sender", ["LAB|WEST", "LAB|CENTRAL"])
def test_a_result_finds_the_order_of_another_application(gateway: Any, sender: str) -> None:
    gateway.send(message(order("NW")))
    gateway.send(message(f"OBR|1|E5||{CODE}{'|' * 21}F", sender=sender, kind="ORU^R01"))
    assert statuses(gateway) == ["reported"]


@pytest.mark.parametrize("control", ["NW", "XO"])
def test_a_fact_that_comes_too_late_for_a_cancelled_order_is_told(gateway: Any, control: str) -> None:
    gateway.send(message(order("NW"), order("CA")))
    applied = gateway.send(message(order(control)))
    assert statuses(gateway) == ["cancelled"]
    assert [warned.segment for warned in applied.coverage.warned if warned.told] == ["ORC"]
