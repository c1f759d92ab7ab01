"""That no field of a message vanishes: mapped, ignored by a rule, or warned about, and kept.

https://hl7.org/fhir/uv/v2mappings/2024Sep/mapping_guidelines.html
"""

from __future__ import annotations

from typing import Any

RAW = """
    MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1
    PID|1||4711^^^WEST^MR||Ortega^Ana|||F||||||||||||||||||||||||||||Beagle  # 36 breed: no element
    GT1|1||Ortega^Luis  # no resource of this kind is made
    ZPI|1|house^code
    ORC|NW|P100^HIS||||E|||||12^Clerk^Jo  # 6 response flag, 11 verified by
    OBR|1|P100^HIS||20610^Aspiration^C4
    ZOR|red
    """


def test_what_has_no_element_is_kept_on_the_record_that_it_belongs_to(gateway: Any) -> None:
    applied = gateway.send(RAW)
    patient = gateway.row("resource", gateway.only("Patient")["id"])["v2_remainder"]
    order = gateway.row("resource", gateway.only("ServiceRequest")["id"])["v2_remainder"]
    assert patient["PID"] == {"36": "Beagle"}
    assert patient["ZPI"] == {"1": "1", "2": "house^code"}
    assert patient["GT1"]["3"] == "Ortega^Luis"
    assert order["ORC"] == {"1": "NW", "6": "E", "11": "12^Clerk^Jo"}
    assert order["ZOR"] == {"1": "red"}
    told = applied.coverage
    assert told.ignored["GT1[1]-3"].startswith("No resource")
    assert "Patient.gender" in told.mapped["PID[1]-8"]
    assert ("ORC", 11) in {(item.segment, item.field) for item in told.warned}


def test_what_is_kept_is_merged_message_by_message(gateway: Any) -> None:
    gateway.send(RAW)
    gateway.send(RAW.replace("ZOR|red", "ZOR|blue|square").replace("||||E||", "||||||"))
    kept = gateway.row("resource", gateway.only("ServiceRequest")["id"])["v2_remainder"]
    assert kept["ZOR"] == {"1": "blue", "2": "square"}
    assert kept["ORC"]["6"] == "E"


def test_the_report_is_written_as_json(gateway: Any) -> None:
    told = gateway.send(RAW).coverage.as_json()
    assert set(told) == {"mapped", "ignored", "warned"}
    assert {"code": "0", "place": "PID[1]-36", "text": "PID-36 is kept but not mapped"} in told["warned"]


def test_a_code_that_says_more_than_its_element_is_kept_besides(gateway: Any) -> None:
    gateway.send(RAW.replace("|||F|||", "|||A|||").replace("Aspiration^C4", "Aspiration^C4|TS"))
    patient, order = gateway.only("Patient"), gateway.only("ServiceRequest")
    assert patient["gender"] == "other"
    assert gateway.row("resource", patient["id"])["v2_remainder"]["PID"]["8"] == "A"
    assert order["priority"] == "urgent"
    assert gateway.row("resource", order["id"])["v2_remainder"]["OBR"]["5"] == "TS"
