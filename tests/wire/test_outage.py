"""When the database is away, when the listener stops, and what the log says of all that.

HL7 v2.5.1, section 2.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from gateway.app import new_id, now
from gateway.mllp import server
from gateway.mllp.framing import wrap
from gateway.mllp.receive import Receiver
from gateway.records import Records
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Desk
from storage.session import Store
from tests.wire.conftest import Running, Told
from tests.wire.messages import FAMILY, journal, msa, order, orders, result, states
from tests.wire.peer import HOST, ExpectClose, ExpectFrame, HalfClose, Send, call
from tests.wire.receiver import until

ORDER = ("ORM", "O01")


@pytest.fixture
def shut(server_url: str, database_url: str) -> Iterator[Callable[[bool], None]]:
    """A function that shuts the worker's database (all its connections break) or opens it again."""
    name = database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(server_url, autocommit=True) as connection:

        def turn(closed: bool) -> None:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {not closed}'.encode())
            if closed:
                ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                connection.execute(ended, (name,))

        yield turn
        turn(False)


def test_nothing_is_answered_while_the_database_is_away_and_all_goes_on_when_it_is_back(
    listener: Running, shut: Callable[[bool], None]
) -> None:
    assert msa(listener.send(order("m1", "A1"))[0]) == ("AA", "m1")
    shut(True)
    sent = wrap(order("m2", "A2"))
    assert call(listener.port, [Send(sent), ExpectClose()]).received == b""
    assert call(listener.port, [Send(sent), ExpectClose()]).received == b""
    shut(False)
    assert msa(listener.send(order("m2", "A2"))[0]) == ("AA", "m2")
    assert orders(listener.store) == {"A1": 1, "A2": 1}
    assert states(listener.store) == ["applied", "applied"]


def test_a_message_in_hand_when_the_database_goes_is_one_line_of_the_log(
    listener: Running, shut: Callable[[bool], None], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = HANDLERS[ORDER]

    def interrupted(desk: Desk) -> None:
        right(desk)
        shut(True)

    monkeypatch.setitem(HANDLERS, ORDER, interrupted)
    call(listener.port, [Send(wrap(order("m1", "A1"))), ExpectClose()])
    until(lambda: bool(told.lines()))
    shut(False)
    (line,) = [json.loads(line) for line in told.lines()]
    assert (line["event"], line["reason"], "exception" in line) == ("connection closed", "no database", False)


def test_a_listener_that_starts_while_the_database_is_away_serves_when_it_is_back(
    listener: Running, clean: Store, shut: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LATER_SECONDS", 0.1)
    asked = order("m1", "A1").replace(b"|2.5.1\r", b"|2.5.1|||AL|AL\r", 1)
    Receiver(Records(clean, now, new_id)).receive(asked, "test")
    with clean.connection() as connection:
        # As a gateway leaves it that dies after it has said that it has the message.
        connection.execute("UPDATE hl7_message SET status = 'received', ack_code = NULL, ack_raw = NULL")
    listener.stop()
    shut(True)
    listener.start()
    assert call(listener.port, [Send(wrap(order("m2", "A2"))), ExpectClose()]).received == b""
    shut(False)
    until(lambda: states(clean) == ["applied"])
    assert msa(listener.send(order("m2", "A2"))[0]) == ("AA", "m2")
    assert states(clean) == ["applied", "applied"]


def test_a_database_that_goes_while_a_message_is_in_hand_leaves_it_unanswered(
    listener: Running, shut: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = HANDLERS[ORDER]

    def interrupted(desk: Desk) -> None:
        right(desk)
        shut(True)

    monkeypatch.setitem(HANDLERS, ORDER, interrupted)
    assert call(listener.port, [Send(wrap(order("m1", "A1"))), ExpectClose()]).received == b""
    shut(False)
    monkeypatch.setitem(HANDLERS, ORDER, right)
    assert (states(listener.store), orders(listener.store)) == (["received"], {})
    assert msa(listener.send(order("m1", "A1"))[0]) == ("AA", "m1")
    assert (states(listener.store), orders(listener.store)) == (["applied"], {"A1": 1})


def test_a_message_in_hand_is_acknowledged_before_the_listener_ends(
    listener: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, begun = HANDLERS[ORDER], threading.Event()

    def slow(desk: Desk) -> None:
        begun.set()
        time.sleep(0.5)
        right(desk)

    monkeypatch.setitem(HANDLERS, ORDER, slow)
    sent = wrap(order("m1", "A1")) + wrap(order("m2", "A2"))
    with ThreadPoolExecutor(1) as sender, socket.create_connection((HOST, listener.port)) as idle:
        heard = sender.submit(call, listener.port, [Send(sent), ExpectFrame(), ExpectClose()])
        assert begun.wait(5)
        listener.stop()
        assert [msa(answer) for answer in heard.result(10).payloads] == [("AA", "m1")]
        assert idle.recv(1) == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((HOST, listener.port)).close()
    assert (states(listener.store), orders(listener.store)) == (["applied"], {"A1": 1})


def test_half_a_message_is_kept_when_the_listener_ends(listener: Running) -> None:
    with socket.create_connection((HOST, listener.port)) as sender:
        sender.sendall(wrap(order("m1", "A1")) + b"\x0b" + order("m2", "A2")[:70])
        assert sender.recv(4096).startswith(b"\x0b")
        listener.stop()
    assert [row["status"] for row in journal(listener.store)] == ["applied", "error"]


def test_the_log_tells_of_failures_and_holds_no_patient_data(
    told: Told,
    listener: Running,
    shut: Callable[[bool], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(desk: Desk) -> None:
        raise RuntimeError(desk.message.raw.decode())

    def offend(desk: Desk) -> None:
        desk.make("Patient", "PID").main["gender"] = FAMILY

    sent = order("m1", "A1")
    listener.send(sent, b"MSH" + FAMILY.encode(), order("m2", "A2", kind=f"{FAMILY}^X"), result("m3", "A1"))
    call(listener.port, [Send(FAMILY.encode() * 9 + b"\x0b" + sent[:150]), HalfClose(), ExpectClose()])
    for handler in (fail, offend):
        monkeypatch.setitem(HANDLERS, ORDER, handler)
        assert msa(listener.send(order("m4", "A4"))[0])[0] in ("AE", "AR")
    shut(True)
    call(listener.port, [Send(wrap(order("m5", "A5"))), ExpectClose()])
    shut(False)
    lines = told.lines()
    events = [json.loads(line)["event"] for line in lines]
    assert {"message failed", "bytes outside a frame were skipped", "connection closed"} <= set(events)
    assert [line for line in lines if FAMILY in line or "4711" in line] == []


def test_a_store_that_has_no_room_waits_and_loses_nothing(clean: Store) -> None:
    narrow = Store(clean.engine.url.render_as_string(hide_password=False), pool_size=2)
    running = Running(narrow)
    try:
        with ThreadPoolExecutor(12) as senders:
            answers = senders.map(lambda n: running.send(order(f"m{n}", f"A{n}"))[0], range(24))
            assert [msa(answer)[0] for answer in answers] == ["AA"] * 24
    finally:
        running.stop()
        narrow.close()
    assert orders(clean) == {f"A{n}": 1 for n in range(24)}
