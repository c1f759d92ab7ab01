"""HAPI HL7v2 sends to the gateway and receives from it, and reads strictly whatever the gateway writes.

HL7 v2.5.1, section 2.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.server import free_ports
from tests.interop.conftest import Hapi, House
from tests.wire.receiver import until

pytestmark = pytest.mark.slow
HOST = "127.0.0.1"
WITHOUT_TLS = "-"


def accepted(event: str, control_id: str) -> dict[str, Any]:
    """What HAPI says of an acknowledgement that has nothing wrong with it."""
    return {
        "class": "ACK",
        "version": "2.5.1",
        "faults": [],
        "type": f"ACK^{event}^ACK",
        "code": "AA",
        "of": control_id,
        "to": "HAPI|CLINIC",
        "errors": [],
    }


def test_what_it_sends_is_taken_and_the_answers_have_nothing_wrong_with_them(
    hapi: Hapi, house: House
) -> None:
    sent = ["ADT_A04", "ORM_O01", "OML_O21", "ORU_R01", "ADT_A08"]
    for number, name in enumerate(sent):
        told = hapi("send", HOST, house.port, WITHOUT_TLS, name, f"H{number}")
        assert told == accepted(name[4:], f"H{number}")
    (patient,) = house.found("Patient?identifier=7001")
    assert (patient["name"][0]["family"], patient["address"][0]["city"]) == ("Größe", "Springfield")
    (imaging,) = house.found("ServiceRequest?identifier=R-1")
    assert imaging["note"][0]["text"] == "Fasting & quiet, 5 µg^2"
    values = [each.get("valueQuantity", each.get("valueString")) for each in house.found("Observation")]
    assert {"value": 13.2, "unit": "g/dL"} in values
    assert "Taken at rest | 5 ml" in values


@pytest.mark.parametrize(
    ("name", "code", "error"),
    [
        ("ORM_O01_OF_NOBODY", "AE", {"place": "PID^1^3", "condition": "101", "severity": "E"}),
        ("DFT_P03", "AR", {"place": "MSH^1^9^1^1", "condition": "200", "severity": "E"}),
    ],
)
def test_it_reads_what_is_wrong_with_its_message(
    hapi: Hapi, house: House, name: str, code: str, error: dict[str, str]
) -> None:
    told = hapi("send", HOST, house.port, WITHOUT_TLS, name, name[:20])
    assert (told["code"], told["of"], told["faults"]) == (code, name[:20], [])
    assert told["errors"] == [error]


def test_it_is_answered_over_tls(hapi: Hapi, house: House) -> None:
    told = hapi("send", HOST, house.tls_port, house.ca, "ADT_A04", "T1")
    assert told == accepted("A04", "T1")


@pytest.mark.parametrize(("name", "reply"), [("ORM_O01", "ORR_O02"), ("OML_O21", "ORL_O22")])
def test_it_reads_order_responses_as_what_they_are(hapi: Hapi, house: House, name: str, reply: str) -> None:
    sender = ("--sending-app", "HAPI", "--sending-facility", "CLINIC")
    house.command("peer", "add", name, *sender, "--order-replies")
    try:
        # The listener looks for changes once a second.
        until(lambda: hapi("send", HOST, house.port, WITHOUT_TLS, name, f"{name}-R")["code"] == "AA")
        answers: list[dict[str, Any]] = []

        def answered() -> bool:
            control_id = f"{name}-{len(answers)}"
            answers.append(hapi("send", HOST, house.port, WITHOUT_TLS, name, control_id))
            return answers[-1]["class"] == reply

        until(answered)
        assert answers[-1]["type"] == f"{reply.replace('_', '^')}^{reply}"
        assert answers[-1]["faults"] == []
    finally:
        house.command("peer", "change", name, "--sending-app", f"GONE{name}", "--no-active")


def test_what_it_refuses_for_now_comes_again_and_the_rest_follows(hapi: Hapi, house: House) -> None:
    (port,) = free_ports(1)
    hapi("listen", port)
    hapi("answer", "AE")
    house.tell("LAB", port, "--orders", "OML_O21", "--results", "--no-own", "--retry-seconds", "0")
    patient = house.patient("L1")
    order = house.order(patient, "Hemoglobin")
    house.fhir.put(f"ServiceRequest/{order['id']}", order | {"status": "revoked"})
    house.settled("LAB", "acked", "acked")
    code = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
    value = house.fhir.made(
        "Observation", status="final", code=code, subject=patient, valueQuantity={"value": 13.2, "unit": "g"}
    )
    result = [{"reference": f"Observation/{value['id']}"}]
    house.fhir.made("DiagnosticReport", status="final", code=code, subject=patient, result=result)
    house.settled("LAB", "acked", "acked", "acked")
    house.silence("LAB")
    got = [message for message in hapi("received") if message.get("to") == "LAB"]
    assert [(each["class"], each["control"], each["answered"]) for each in got] == [
        ("OML_O21", "NW", "AE"),
        ("OML_O21", "NW", "AA"),
        ("OML_O21", "CA", "AA"),
        ("ORU_R01", None, "AA"),
    ]
    assert got[0]["id"] == got[1]["id"] != got[2]["id"]
    assert [message["faults"] for message in got] == [[]] * 4


def test_what_it_rejects_is_given_up_and_the_next_goes_on(hapi: Hapi, house: House) -> None:
    (port,) = free_ports(1)
    hapi("listen", port)
    hapi("answer", "AR")
    house.tell("RIS", port, "--orders", "ORM_O01", version="2.3")
    patient = house.patient("R1")
    house.order(patient, "First")
    house.order(patient, "Second")
    house.settled("RIS", "dead", "acked")
    house.silence("RIS")
    got = [message for message in hapi("received") if message.get("to") == "RIS"]
    assert [(each["class"], each["version"], each["answered"]) for each in got] == [
        ("ORM_O01", "2.3", "AR"),
        ("ORM_O01", "2.3", "AA"),
    ]
