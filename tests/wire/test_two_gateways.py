"""Two gateways of ours, each the other's destination: what one orders the other performs, and both know it.

HL7 v2.5.1, chapters 4 and 7: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.app import new_id
from storage import destinations, outbox, peers
from storage.destinations import Settings
from storage.peers import Peer
from storage.session import Store
from tests.wire.conftest import Running
from tests.wire.house import WRITER, House
from tests.wire.messages import rows
from tests.wire.receiver import until

WAITING = "SELECT id FROM hl7_message WHERE direction = 'out' AND status NOT IN ('acked', 'dead')"
DEAD = "SELECT error_text FROM hl7_message WHERE direction = 'out' AND status = 'dead'"
ORDER_NUMBER = "http://suture.example.org/fhir/sid/order-number"


@dataclass
class Pair:
    """The gateway that orders, and the one that performs."""

    ward: House
    lab: House

    def settle(self) -> None:
        """Wait until each has told the other everything; nothing was refused."""
        until(lambda: not any(rows(house.store, WAITING) for house in (self.ward, self.lab)))
        assert [rows(house.store, DEAD) for house in (self.ward, self.lab)] == [[], []]

    def all(self, house: House, kind: str) -> list[dict[str, Any]]:
        """All resources of a type, the oldest first."""
        asked = "SELECT fhir_id FROM resource WHERE resource_type = %s AND deleted_at IS NULL ORDER BY id"
        with house.store.connection() as connection:
            names = [row[0] for row in connection.execute(asked, [kind]).fetchall()]
        return [read(house, f"{kind}/{name}") for name in names]


def named(reference: str) -> tuple[str, str]:
    kind, _, name = reference.partition("/")
    return kind, name


def read(house: House, reference: str) -> dict[str, Any]:
    return outbox.decode(house.records.read(WRITER, *named(reference)).content or b"")


def change(house: House, resource: dict[str, Any], **elements: Any) -> None:
    house.records.update(WRITER, resource["resourceType"], resource["id"], resource | elements)


@pytest.fixture(params=[("2.5.1", "OML_O21"), ("2.3", "ORM_O01")], ids=["OML 2.5.1", "ORM 2.3"])
def pair(
    house: House,
    start: Callable[..., Running],
    new_database: Callable[[bool], str],
    request: pytest.FixtureRequest,
) -> Iterator[Pair]:
    version, message = request.param
    other = Store(new_database(True))
    made = Pair(house, House(other))
    doors = [start(), Running(other)]
    orders: dict[str, Any] = {"order_message": message}
    told: dict[str, Any] = {"results": True, "status_message": message}
    for own, (name, peer_name, port, settings) in zip(
        (made.ward, made.lab),
        (("WARD", "LAB", doors[1].port, orders), ("LAB", "WARD", doors[0].port, told)),
        strict=True,
    ):
        peer = Peer(new_id(), peer_name, peer_name, host="127.0.0.1", port=port)
        with own.store.connection() as connection:
            peers.add(connection, replace(peer, direction="both", version=version))
            destinations.store_settings(connection, Settings(peer.id, sending_app=name, **settings))
        own.start()
    yield made
    made.lab.stop()
    doors[1].stop()
    other.close()


def test_an_order_is_performed_elsewhere_and_its_result_comes_back(pair: Pair) -> None:
    ward, lab = pair.ward, pair.lab
    # The lab has orders of its own, whose numbers are those that the ward gives, too.
    lab.order(lab.patient("1"))
    payer = ward.create("Organization", name="Payer", identifier=[{"system": "urn:oid:1.2", "value": "P"}])
    patient = ward.patient()
    ward.create("Coverage", status="active", beneficiary={"reference": patient}, payor=[{"reference": payer}])
    asked = ward.order(patient)
    pair.settle()
    number = next(item["value"] for item in read(ward, asked)["identifier"] if item["system"] == ORDER_NUMBER)
    order = pair.all(lab, "ServiceRequest")[1]
    assert {"system": "urn:hl7:hd:WARD", "value": number}.items() <= order["identifier"][0].items()
    assert [item["payor"][0]["display"] for item in pair.all(lab, "Coverage")] == ["Payer"]

    report = {
        "status": "final",
        "basedOn": [{"reference": f"ServiceRequest/{order['id']}"}],
        "code": order["code"],
        "subject": order["subject"],
        "issued": "2026-03-02T10:00:00Z",
    }
    value = {"code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}, "status": "final"}
    seen = lab.create("Observation", subject=order["subject"], valueQuantity={"value": 5}, **value)
    lab.create("DiagnosticReport", result=[{"reference": seen}], **report)
    pair.settle()
    assert read(ward, asked)["status"] == "completed"
    (result,) = pair.all(ward, "DiagnosticReport")
    assert result["basedOn"] == [{"reference": asked}]
    assert [item["valueQuantity"]["value"] for item in pair.all(ward, "Observation")] == [5]

    change(lab, read(lab, seen), status="corrected", valueQuantity={"value": 6})
    pair.settle()
    assert [item["valueQuantity"]["value"] for item in pair.all(ward, "Observation")] == [6]
    assert len(pair.all(ward, "ServiceRequest")) == 1
    assert len(pair.all(lab, "ServiceRequest")) == 2
    assert [len(pair.all(side, "Coverage")) for side in (ward, lab)] == [1, 1]


def test_both_ends_may_close_an_order(pair: Pair) -> None:
    patient = pair.ward.patient()
    first, second, third = (pair.ward.order(patient) for _ in range(3))
    pair.settle()
    change(pair.ward, read(pair.ward, first), status="revoked")
    pair.ward.records.delete(WRITER, *named(second))
    change(pair.lab, pair.all(pair.lab, "ServiceRequest")[2], status="revoked")
    pair.settle()
    assert [item["status"] for item in pair.all(pair.lab, "ServiceRequest")] == ["revoked"] * 3
    assert read(pair.ward, third)["status"] == "revoked"
    closed = [read(pair.ward, third), pair.all(pair.lab, "ServiceRequest")[2]]
    assert len({cancelled_at(item) for item in closed}) == 1


def cancelled_at(order: dict[str, Any]) -> str:
    """When an order was cancelled, to the millisecond."""
    (told,) = [item for item in order["extension"][0]["extension"] if item["url"] == "cancelledAt"]
    return told["valueDateTime"][:23]
