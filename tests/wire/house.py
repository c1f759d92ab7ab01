"""A gateway's records and what sends from them, over real sockets.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg

from gateway.app import new_id, now
from gateway.mllp.outbound import Outbound
from gateway.mllp.tls import Client
from gateway.records import Caller, Records
from storage import destinations, peers
from storage.destinations import Settings
from storage.peers import Peer
from storage.session import Store, driver_url
from tests.wire.messages import FAMILY, rows
from tests.wire.receiver import Answer, Receiver, receiving, until

WRITER = Caller("fhir")


def tell(url: str, port: int) -> None:
    """Let a peer at a port be told of orders."""
    lab = Peer(new_id(), "LAB", "LAB", "SITE", "127.0.0.1", port, direction="out")
    with psycopg.connect(driver_url(url)) as connection:
        peers.add(connection, lab)
        destinations.store_settings(connection, Settings(lab.id, "ORM_O01", ack_seconds=2))


class House:
    """A gateway: its records, and what sends from them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.records = Records(store, now, new_id)
        self.senders: list[Outbound] = []

    def peer(self, port: int, name: str = "LAB", /, **told: Any) -> Settings:
        """Make a peer that is told of orders and results; ``told`` are settings of the destination."""
        peer_id = new_id()
        with self.store.connection() as connection:
            connection.execute(
                "INSERT INTO hl7_peer (id, name, sending_app, sending_facility, host, port, direction,"
                " version, charset, auto_create_patients, auto_create_orders, ack_mode, order_role,"
                " is_active)"
                " VALUES (%s, %s, %s, %s, '127.0.0.1', %s, 'both', '2.5.1', 'UNICODE UTF-8', true, true,"
                " 'original', 'both', true)",
                [peer_id, name, name, f"{name}-SITE", port],
            )
            base = Settings(peer_id, "ORM_O01", results=True, own_only=False, ack_seconds=1, retry_seconds=0)
            settings = replace(base, **told)
            destinations.store_settings(connection, settings)
        return settings

    def start(self, client: Client | None = None) -> Outbound:
        """Begin to send, as who has that certificate."""
        sender = Outbound(self.store, now, tick=0.02, client=client)
        sender.start()
        self.senders.append(sender)
        return sender

    def stop(self) -> None:
        """End all sending."""
        for sender in self.senders:
            sender.stop()

    def create(self, resource_type: str, **elements: Any) -> str:
        """Store a resource; return the reference to it."""
        made = self.records.create(WRITER, resource_type, {"resourceType": resource_type, **elements})
        return f"{resource_type}/{made.fhir_id}"

    def patient(self, number: str = "4711") -> str:
        return self.create(
            "Patient",
            identifier=[{"system": "urn:hl7:hd:CITY", "value": number}],
            name=[{"family": FAMILY, "given": ["Ann"]}],
        )

    def order(self, patient: str, text: str = "Glucose") -> str:
        code = {"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": text}]}
        return self.create(
            "ServiceRequest", status="active", intent="order", code=code, subject={"reference": patient}
        )

    def states(self) -> list[str]:
        """The states of all messages that leave, oldest first."""
        found = rows(self.store, "SELECT status FROM hl7_message WHERE direction = 'out' ORDER BY id")
        return [row["status"] for row in found]

    def settled(self, *states: str) -> None:
        """Wait until the messages are in these states."""
        until(lambda: self.states() == list(states))

    def tells(self, answer: Answer, *states: str, **told: Any) -> Receiver:
        """Begin to send to a peer that answers so; order for each state, and wait until those are reached."""
        with receiving(answer) as lab:
            self.peer(lab.port, **told)
            self.start()
            patient = self.patient()
            for _ in states:
                self.order(patient)
            self.settled(*states)
        return lab
