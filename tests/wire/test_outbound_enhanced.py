"""Enhanced mode on the way out: a message is taken first (CA), and later it is told what came of it (AA).

HL7 v2.5.1, section 2.9.3: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from gateway.mllp.framing import wrap
from mappings.er7 import Message
from tests.wire.conftest import Running
from tests.wire.house import House
from tests.wire.messages import rows
from tests.wire.peer import HOST
from tests.wire.receiver import ack, receiving, until

OUT = """SELECT status, ack_code, error_text, attempts, accept_raw IS NOT NULL AS taken FROM hl7_message
    WHERE direction = 'out' ORDER BY id"""
BOTH: dict[str, Any] = {"accept_ack": "AL", "application_ack": "AL", "application_seconds": 10}


def test_a_message_is_done_when_it_was_taken_and_applied(house: House) -> None:
    lab = house.tells(lambda message, _: ack(message, "CA") + ack(message, "AA"), "acked", **BOTH)
    assert [lab.messages[0].msh.field(number).raw for number in (15, 16)] == ["AL", "AL"]
    assert rows(house.store, OUT)[0] == {
        "status": "acked",
        "ack_code": "AA",
        "error_text": None,
        "attempts": 1,
        "taken": True,
    }


def test_the_next_message_waits_until_the_first_was_applied(house: House) -> None:
    seen: list[tuple[str, float]] = []

    def answer(message: Message, count: int) -> bytes:
        seen.append(("came", time.monotonic()))
        if count == 1:
            lab.send_later(ack(message, "AA"), 0.4)
        return ack(message, "CA") if count == 1 else ack(message, "CA") + ack(message, "AA")

    with receiving(answer) as lab:
        house.peer(lab.port, **BOTH)
        patient = house.patient()
        house.order(patient)
        house.order(house.patient("2"))
        house.start()
        house.settled("acked", "acked")
    assert seen[1][1] - seen[0][1] >= 0.4


@pytest.mark.parametrize(("code", "state"), [("CE", "failed"), ("CR", "dead")])
def test_what_was_not_taken_is_sent_again_or_is_dead(house: House, code: str, state: str) -> None:
    with receiving(lambda message, _: ack(message, code)) as lab:
        house.peer(lab.port, retry_seconds=3600, **BOTH)
        house.start()
        house.order(house.patient())
        house.settled(state)
    assert len(lab.messages) == 1


def test_what_was_taken_and_not_applied_is_sent_again(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        return ack(message, "CA") + ack(message, "AE" if count == 1 else "AA")

    lab = house.tells(answer, "acked", **BOTH)
    assert len(lab.messages) == 2


def test_what_was_taken_is_not_sent_again_when_nothing_more_is_heard(house: House) -> None:
    lab = house.tells(lambda message, _: ack(message, "CA"), "acked", **(BOTH | {"application_seconds": 1}))
    assert len(lab.messages) == 1
    (row,) = rows(house.store, OUT)
    assert (row["ack_code"], row["error_text"]) == ("CA", "application acknowledgement: none in 1 s")


def test_what_was_taken_before_a_restart_is_not_sent_again(house: House) -> None:
    with receiving(lambda message, _: ack(message, "CA")) as lab:
        house.peer(lab.port, **BOTH)
        first = house.start()
        house.order(house.patient())
        until(lambda: rows(house.store, OUT)[0]["taken"])
        first.stop()
        assert house.states() == ["sent"]
        house.start()
        house.settled("acked")
    assert len(lab.messages) == 1


@pytest.mark.parametrize(("code", "state"), [("AA", "acked"), ("AR", "dead")])
def test_the_second_answer_may_come_by_another_connection(
    house: House, listener: Running, code: str, state: str
) -> None:
    with receiving(lambda message, _: ack(message, "CA")) as lab:
        house.peer(lab.port, **BOTH)
        house.start()
        house.order(house.patient())
        until(lambda: rows(house.store, OUT)[0]["taken"])
        number = lab.messages[0].control_id
        later = f"MSH|^~\\&|LAB|LAB-SITE|SUTURE|OR|20260101||ACK^O01|L1|P|2.5.1\rMSA|{code}|{number}\r"
        threading.Thread(target=_send, args=(listener, later.encode()), daemon=True).start()
        house.settled(state)
    assert rows(house.store, OUT)[0]["ack_code"] == code


def test_another_peer_cannot_answer_for_it(house: House, listener: Running) -> None:
    with receiving(lambda message, _: ack(message, "CA")) as lab:
        house.peer(lab.port, **(BOTH | {"application_seconds": 2}))
        house.start()
        house.order(house.patient())
        until(lambda: rows(house.store, OUT)[0]["taken"])
        number = lab.messages[0].control_id
        foreign = f"MSH|^~\\&|RIS|ELSEWHERE|SUTURE|OR|20260101||ACK^O01|L1|P|2.5.1\rMSA|AR|{number}\r"
        threading.Thread(target=_send, args=(listener, foreign.encode()), daemon=True).start()
        house.settled("acked")
    assert rows(house.store, OUT)[0]["ack_code"] == "CA"


def _send(listener: Running, payload: bytes) -> None:
    with socket.create_connection((HOST, listener.port), timeout=5) as connection:
        connection.sendall(wrap(payload))


def test_nothing_is_waited_for_where_no_answer_is_asked_for(house: House) -> None:
    with receiving(lambda _message, _count: None) as lab:
        house.peer(lab.port, accept_ack="NE", application_ack="NE")
        house.start()
        patient = house.patient()
        house.order(patient)
        house.order(patient)
        house.settled("acked", "acked")
        assert len(lab.wait(2)) == 2


def test_a_refusal_that_comes_later_on_the_connection_makes_a_dead_letter(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        if count == 1:
            lab.send_later(ack(message, "AR", extra="ERR||PID^1^3|204^^HL70357|E\r"), 0.2)
        return ack(message, "CA")

    with receiving(answer) as lab:
        house.peer(lab.port, accept_ack="AL", application_ack="ER")
        house.start()
        house.order(house.patient())
        house.settled("acked")
        house.settled("dead")
        house.order(house.patient("2"))
        house.settled("dead", "acked")
    assert rows(house.store, OUT)[0]["error_text"] == "AR: 204 PID-3"
    assert lab.connections == 1
