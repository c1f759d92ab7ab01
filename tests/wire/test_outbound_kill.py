"""The gateway is killed while it sends: each order reaches its filler all the same, under one number.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mappings.er7 import Message
from tests.wire.gateway import Gateway
from tests.wire.house import tell
from tests.wire.receiver import ack, receiving, until

ORDERS = 60
NUMBER = "https://example.org/orders"


def order(http: httpx.Client, number: int) -> None:
    """Order something, again until it is there; the number is that of the order."""
    value = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "identifier": [{"system": NUMBER, "value": str(number)}],
        "note": [{"text": f"number {number}"}],
        "code": {"text": "Glucose"},
        "subject": {"reference": f"Patient/{number % 7}"},
    }
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            asked = {"If-None-Exist": f"identifier={NUMBER}|{number}"}
            if http.post("/fhir/ServiceRequest", json=value, headers=asked).status_code in (200, 201):
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the order was not taken")


def numbers(messages: list[Message]) -> Counter[tuple[str, str]]:
    """How often each order came, by its number and by MSH-10."""
    told = Counter[tuple[str, str]]()
    for message in messages:
        note = message.first("NTE")
        assert note is not None
        told[note.field(3).text, message.control_id] += 1
    return told


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_order_is_lost_or_told_under_two_numbers_when_the_gateway_is_killed(
    new_database: Callable[[bool], str], tmp_path: Path, workers: str
) -> None:
    def answer(message: Message, count: int) -> bytes:
        time.sleep(0.02)
        return b"" if count % 13 == 0 else ack(message)

    url = new_database(True)
    with receiving(answer) as lab:
        tell(url, lab.port)
        gateway = Gateway(SUTURE_DATABASE_URL=url, SUTURE_DATA_DIR=str(tmp_path), SUTURE_WORKERS=workers)
        gateway.start()
        with httpx.Client(base_url=gateway.base, timeout=10) as http:
            for number in range(7):
                http.put(f"/fhir/Patient/{number}", json={"resourceType": "Patient", "id": str(number)})
            for number in range(ORDERS):
                if number in (ORDERS // 3, 2 * ORDERS // 3):
                    gateway.kill()
                    gateway.start()
                order(http, number)
        until(lambda: len({text for text, _ in numbers(lab.messages)}) == ORDERS, 60)
        gateway.stop()
    told = numbers(lab.messages)
    assert {text for text, _ in told} == {f"number {number}" for number in range(ORDERS)}
    assert len(told) == ORDERS
    assert lab.most_open <= 2
