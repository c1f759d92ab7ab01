"""ADT over a socket: what is answered to admissions and merges, one after the other and at the same time.

HL7 v2.5.1, sections 3.3.1 and 3.3.40: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.wire.conftest import Running
from tests.wire.messages import FAMILY, conditions, header, message, msa, order, orders, rows


def admission(control_id: str, patient: str) -> bytes:
    """ADT^A01 with a visit of the patient's."""
    return message(
        header(control_id, "ADT^A01"),
        "EVN|A01|20260110083000",
        f"PID|1||{patient}^^^CITY^MR||{FAMILY}^Ann||19700101|F",
        f"PV1|1|I|3W^12^1{'|' * 16}V{patient}^^^CITY",
    )


def merge(control_id: str, patient: str, prior: str) -> bytes:
    """ADT^A40 of a number into another one."""
    return message(
        header(control_id, "ADT^A40"),
        "EVN|A40|20260110083000",
        f"PID|1||{patient}^^^CITY^MR||{FAMILY}^Ann",
        f"MRG|{prior}^^^CITY^MR",
    )


def test_a_merge_is_answered_when_done_and_refused_for_a_number_that_nobody_has(listener: Running) -> None:
    sent = [admission("m1", "1"), admission("m2", "2"), merge("m3", "1", "2"), merge("m4", "1", "9")]
    answers = listener.send(*sent)
    assert [msa(answer) for answer in answers] == [("AA", "m1"), ("AA", "m2"), ("AA", "m3"), ("AR", "m4")]
    assert conditions(answers[3]) == [("204", "E")]
    assert rows(listener.store, "SELECT count(DISTINCT patient_id) AS n FROM encounter") == [{"n": 1}]


def test_orders_that_come_while_patients_are_merged_are_all_the_survivors(listener: Running) -> None:
    for number in range(8):
        listener.send(admission(f"a{number}", str(number)))

    def one(number: int) -> list[tuple[str, str]]:
        told = [order(f"o{number}", f"A{number}", patient=str(number))]
        if number:
            told.insert(number % 2, merge(f"g{number}", "0", str(number)))
        return [msa(answer) for answer in listener.send(*told)]

    with ThreadPoolExecutor(8) as senders:
        answers = [answer for told in senders.map(one, range(8)) for answer in told]
    assert {code for code, _ in answers} == {"AA"}
    assert orders(listener.store) == {f"A{number}": 1 for number in range(8)}
    assert rows(
        listener.store,
        "SELECT count(DISTINCT o.patient_id) AS n FROM service_order o",
    ) == [{"n": 1}]
