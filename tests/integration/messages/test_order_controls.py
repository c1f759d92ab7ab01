"""What ORC-1 asks for or tells (table 0119): states, replaced orders, parents and children, numbers,
questions; and what contradicts what is known.

HL7 v2.5.1, section 4.5.1.1: https://terminology.hl7.org/CodeSystem-v2-0119.html
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from mappings.messages.coverage import MessageRefused
from storage.peers import Peer

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
KNEE = "27447^Knee arthroplasty^C4"
STRICT = Peer(uuid4(), "strict", strictness="strict")
KNOWN_ONLY = Peer(uuid4(), "known", auto_create_orders=False)


def message(*orders: str, kind: str = "ORM^O01") -> str:
    """A message with orders."""
    header = f"MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||{kind}|1|P|2.5.1"
    return "\n".join((header, PATIENT, *orders))


def order(control: str, placer: str = "P1^HIS", filler: str = "", code: str = KNEE, **more: str) -> str:
    """ORC and OBR: ORC-1, 2 and 3, OBR-4, ORC-5, ORC-8 and OBR-1."""
    status, parent, set_id = (more.get(name, "") for name in ("status", "parent", "set_id"))
    return f"ORC|{control}|{placer}|{filler}||{status}|||{parent}\nOBR|{set_id}|{placer}|{filler}|{code}"


def status(gateway: Any, found: dict[str, Any]) -> str:
    return gateway.row("service_order", found["id"])["status"]


def numbered(gateway: Any) -> list[dict[str, Any]]:
    """The orders, by the numbers that came."""
    found = gateway.all("ServiceRequest")
    return sorted(found, key=lambda item: [told["value"] for told in item["identifier"]])


def statuses(gateway: Any) -> list[str]:
    return [status(gateway, found) for found in numbered(gateway)]


@pytest.mark.parametrize("kind", ["ORM^O01", "OML^O21", "OMG^O19", "OMI^O23"])
@pytest.mark.parametrize(
    ("control", "told", "expected"),
    [
        ("CA", "", "revoked"),
        ("DC", "", "revoked"),
        ("OC", "", "revoked"),
        ("OD", "", "revoked"),
        ("CR", "", "revoked"),
        ("DR", "", "revoked"),
        ("UA", "", "revoked"),
        ("HD", "", "on-hold"),
        ("HR", "", "on-hold"),
        ("OH", "", "on-hold"),
        ("XO", "", "active"),
        ("XX", "", "active"),
        ("XR", "", "active"),
        ("SC", "IP", "active"),
        ("SC", "CM", "completed"),
        ("SC", "ER", "entered-in-error"),
        ("SR", "CM", "completed"),
        ("RE", "CM", "completed"),
        ("FU", "", "completed"),
        ("NA", "", "active"),
        ("OK", "", "active"),
        ("UC", "", "active"),
        ("UX", "", "active"),
    ],
)
def test_an_order_goes_where_its_control_code_says(
    gateway: Any, kind: str, control: str, told: str, expected: str
) -> None:
    gateway.send(message(order("NW"), kind=kind))
    gateway.send(message(order(control, status=told), kind=kind))
    assert gateway.only("ServiceRequest")["status"] == expected


def test_several_orders_are_replaced_by_several(gateway: Any) -> None:
    gateway.send(message(order("NW"), order("NW", "P2^HIS")))
    new = (order("RO", "P3^HIS"), order("RO", "P4^HIS"))
    gateway.send(message(order("RP"), order("RP", "P2^HIS"), *new))
    first, second, third, fourth = numbered(gateway)
    assert statuses(gateway) == ["cancelled", "cancelled", "ordered", "ordered"]
    old = [{"reference": f"ServiceRequest/{item['id']}"} for item in (first, second)]
    assert (third["replaces"], fourth["replaces"]) == (old, old)


def test_two_replacements_in_one_message_stay_apart(gateway: Any) -> None:
    gateway.send(message(order("NW"), order("NW", "P2^HIS")))
    pairs = (order("RP"), order("RO", "P3^HIS"), order("RP", "P2^HIS"), order("RO", "P4^HIS"))
    gateway.send(message(*pairs))
    first, second, third, fourth = numbered(gateway)
    assert third["replaces"] == [{"reference": f"ServiceRequest/{first['id']}"}]
    assert fourth["replaces"] == [{"reference": f"ServiceRequest/{second['id']}"}]


@pytest.mark.parametrize("code", [KNEE, "27446^Partial knee arthroplasty^C4"])
def test_what_a_filler_replaces_has_the_same_placer_number_and_is_found_again(
    gateway: Any, code: str
) -> None:
    gateway.send(message(order("NW")))
    gateway.send(message(order("OK", filler="F1^LAB")))
    raw = message(order("RU", filler="F1^LAB"), order("RO", filler="F2^LAB", code=code))
    gateway.send(raw)
    old, new = gateway.all("ServiceRequest")
    assert (status(gateway, old), status(gateway, new)) == ("cancelled", "ordered")
    assert new["replaces"] == [{"reference": f"ServiceRequest/{old['id']}"}]
    assert {item.action for item in gateway.send(raw).written} == {"matched"}


def test_a_child_is_of_the_parent_before_it_where_it_names_none(gateway: Any) -> None:
    gateway.send(message(order("PA"), order("CH", "P2^HIS"), order("CH", "P3^HIS", parent="P9&HIS")))
    parent, child, other = numbered(gateway)
    assert child["basedOn"] == [{"reference": f"ServiceRequest/{parent['id']}"}]
    assert other["basedOn"][0]["identifier"]["value"] == "P9"


def test_a_number_that_the_placer_assigns_is_added_to_the_fillers_order(gateway: Any) -> None:
    gateway.send(message(order("SN", "", "F1^LAB")))
    gateway.send(message(order("NA", "P1^HIS", "F1^LAB")))
    assert {"P1", "F1"} <= {item["value"] for item in gateway.only("ServiceRequest")["identifier"]}


def test_a_question_for_the_status_changes_nothing(gateway: Any) -> None:
    gateway.send(message(order("NW")))
    before = gateway.only("ServiceRequest")
    applied = gateway.send(message(order("SS", code="99999^Other^C4") + "\nNTE|1||A question"))
    assert gateway.only("ServiceRequest") == before
    assert applied.actions("ServiceRequest") == ["matched"]


def test_a_question_for_an_order_that_is_not_known_is_refused(gateway: Any) -> None:
    with pytest.raises(MessageRefused) as refused:
        gateway.send(message(order("SS")))
    assert refused.value.warning.code == "204"
    assert gateway.all("Patient") == []


@pytest.mark.parametrize("control", ["XO", "HD", "RL", "RP", "CA", "DC"])
def test_what_is_asked_of_an_order_that_is_not_known_is_warned_about(gateway: Any, control: str) -> None:
    assert gateway.send(message(order(control))).codes() == ["204"]
    assert len(gateway.all("ServiceRequest")) == 1


@pytest.mark.parametrize("peer", [STRICT, KNOWN_ONLY])
@pytest.mark.parametrize("control", ["XO", "HD", "CA"])
def test_what_is_asked_of_an_order_that_is_not_known_is_refused_where_the_peer_is_taken_so(
    gateway: Any, peer: Peer, control: str
) -> None:
    with pytest.raises(MessageRefused) as refused:
        gateway.send(message(order(control)), peer)
    assert (refused.value.warning.code, refused.value.warning.field) == ("204", 2)


def test_a_strict_peers_number_of_an_order_of_something_else_is_refused(gateway: Any) -> None:
    gateway.send(message(order("NW")), STRICT)
    with pytest.raises(MessageRefused) as refused:
        gateway.send(message(order("NW", code="99999^Something else^C4")), STRICT)
    warning = refused.value.warning
    assert (warning.code, warning.segment, warning.field) == ("205", "ORC", 2)


@pytest.mark.parametrize("control", ["XO", "NW", "RO", "CH"])
@pytest.mark.parametrize(("closing", "told"), [("CA", ""), ("SC", "ER")])
def test_the_content_of_a_closed_order_is_not_overwritten(
    gateway: Any, control: str, closing: str, told: str
) -> None:
    gateway.send(message(order("NW")))
    gateway.send(message(order(closing, status=told)))
    before = gateway.only("ServiceRequest")
    applied = gateway.send(message(order(control) + "\nNTE|1||Left side"))
    assert gateway.only("ServiceRequest") == before
    assert [warned.segment for warned in applied.coverage.warned if warned.told] == ["ORC"]
    assert "NTE[1]-3" in applied.coverage.ignored


@pytest.mark.parametrize("control", ["CA", "DC", "HD", "RP"])
def test_what_is_done_is_neither_cancelled_nor_held_nor_replaced(gateway: Any, control: str) -> None:
    gateway.send(message(order("SC", status="CM")))
    with pytest.raises(MessageRefused) as refused:
        gateway.send(message(order(control)))
    assert refused.value.warning.code == "207"
    assert statuses(gateway) == ["completed"]


def test_a_refused_order_takes_the_others_of_its_message_back(gateway: Any) -> None:
    gateway.send(message(order("SC", status="CM")))
    with pytest.raises(MessageRefused):
        gateway.send(message(order("NW", "P2^HIS"), order("CA")))
    assert len(gateway.all("ServiceRequest")) == 1
