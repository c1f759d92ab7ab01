"""What came of a message reaches a sender that has gone: by the queue, where the sender is sent to.

HL7 v2.5.1, section 2.9.3.2: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import threading
import time

import pytest

from gateway.mllp.framing import wrap
from mappings.er7 import Message
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Desk
from tests.wire.conftest import Running
from tests.wire.house import House
from tests.wire.messages import order
from tests.wire.peer import Close, ExpectFrame, HalfClose, Send, Step, call
from tests.wire.receiver import receiving, until

ORDER = ("ORM", "O01")


def asked(control_id: str = "m1") -> bytes:
    """An order of the laboratory, of which it wants to know that it was taken and what came of it."""
    sent = order(control_id, "A1").replace(b"|EHR|CITY|", b"|LAB|LAB-SITE|")
    return sent.replace(b"|2.5.1\r", b"|2.5.1|||AL|AL\r", 1)


def silent(_message: Message, _count: int) -> None:
    """Answer nothing: an acknowledgement is never acknowledged."""


def become(house: House, port: int) -> None:
    """Make the laboratory a peer that is told nothing but what came of its messages."""
    house.peer(port, order_message=None, results=False)
    with house.store.connection() as connection:
        connection.execute("UPDATE hl7_peer SET ack_mode = 'enhanced'")
    house.start()


def slowly(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let orders wait until an event is set."""
    right, gone = HANDLERS[ORDER], threading.Event()

    def slow(desk: Desk) -> None:
        assert gone.wait(5)
        right(desk)

    monkeypatch.setitem(HANDLERS, ORDER, slow)
    return gone


@pytest.mark.parametrize("end", [Close(), Close(reset=True)])
def test_the_second_answer_leaves_by_the_queue_when_the_connection_is_gone(
    house: House, listener: Running, monkeypatch: pytest.MonkeyPatch, end: Close
) -> None:
    gone = slowly(monkeypatch)
    with receiving(silent) as lab:
        become(house, lab.port)
        call(listener.port, [Send(wrap(asked())), ExpectFrame(), end])
        time.sleep(0.1)
        gone.set()
        house.settled("acked")
        (told,) = lab.wait(1)
    msa = told.first("MSA")
    assert msa is not None
    assert (told.message_code, msa.field(1).text, msa.field(2).raw) == ("ACK", "AA", "m1")


def test_the_second_answer_comes_on_the_connection_while_that_is_open(
    house: House, listener: Running
) -> None:
    with receiving(silent) as lab:
        become(house, lab.port)
        assert len(call(listener.port, [Send(wrap(asked())), ExpectFrame(), ExpectFrame()]).payloads) == 2
    assert house.states() == []


def test_who_is_not_sent_to_gets_the_second_answer_after_its_last_byte(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = slowly(monkeypatch)
    steps: list[Step] = [Send(wrap(asked())), ExpectFrame(), HalfClose()]
    threading.Timer(0.2, gone.set).start()
    assert len(call(listener.port, [*steps, ExpectFrame()]).payloads) == 2


def test_what_a_gateway_left_behind_is_told_of_when_it_starts_again(house: House, listener: Running) -> None:
    with receiving(silent) as lab:
        become(house, lab.port)
        call(listener.port, [Send(wrap(asked())), ExpectFrame(), ExpectFrame()])
        listener.stop()
        with house.store.connection() as connection:
            # As a gateway leaves it that dies after it has said that it has the message.
            connection.execute("UPDATE hl7_message SET status = 'received', ack_code = NULL, ack_raw = NULL")
        listener.start()
        until(lambda: house.states() == ["acked"])
        (told,) = lab.wait(1)
    msa = told.first("MSA")
    assert msa is not None
    assert (msa.field(1).text, msa.field(2).raw) == ("AA", "m1")
