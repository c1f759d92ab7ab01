"""Bad weather: many connections, slow, deaf and broken ones; big messages; and ends in mid-message.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import base64
import os
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from gateway.mllp import server
from gateway.mllp.framing import wrap
from storage.session import Store, driver_url
from tests.wire.conftest import Running, Told
from tests.wire.gateway import Gateway
from tests.wire.messages import header, journal, message, msa, order, orders, result, rows, states
from tests.wire.peer import HOST, Close, ExpectClose, ExpectFrame, HalfClose, Send, Step, call
from tests.wire.receiver import until

MEGABYTE = 1024 * 1024


def answered(listener: Running, number: int) -> bool:
    """Whether another sender gets its answer, and how soon is of no matter."""
    (answer,) = listener.send(order(f"m{number}", f"A{number}", patient=f"P{number % 5}"))
    return msa(answer) == ("AA", f"m{number}")


def test_deaf_peers_hold_up_nobody_else(listener: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LINGER_SECONDS", 0.3)
    # The answer quotes the control id, so that few answers fill what the system holds for a peer.
    flood = wrap(order("m" * 200_000, "D1", kind="DFT^P03"))
    with ExitStack() as stack, ThreadPoolExecutor(10) as senders:
        for _ in range(3):
            deaf = stack.enter_context(closing(socket.socket()))
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect((HOST, listener.port))
            deaf.settimeout(0.5)
            with pytest.raises(TimeoutError):
                deaf.sendall(flood * 400)
        assert all(senders.map(lambda number: answered(listener, number), range(40)))
        listener.stop()
    assert orders(listener.store) == {f"A{number}": 1 for number in range(40)}


def test_connections_up_to_the_limit_are_served_and_one_more_is_not(
    start: Callable[..., Running], told: Told, request: pytest.FixtureRequest
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))
    many = min(1000, hard // 3)
    listener = start(mllp_max_connections=many, mllp_max_connections_per_address=many)
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection((HOST, listener.port))) for _ in range(many)]
        for number in range(0, many, many // 20):
            opened[number].sendall(wrap(order(f"m{number}", f"A{number}")))
            opened[number].settimeout(20)
            assert b"MSA|AA|" in opened[number].recv(4096)
        call(listener.port, [ExpectClose()])
        assert [warning["reason"] for warning in told.warnings()] == ["too many connections"]
    until(lambda: not listener.listener.conversations)
    assert answered(listener, 1)
    listener.stop()


def test_those_who_send_byte_by_byte_hold_up_nobody_else(listener: Running) -> None:
    slow = order("slow", "S1", patient="slow")
    with ExitStack() as stack:
        drips = [stack.enter_context(socket.create_connection((HOST, listener.port))) for _ in range(60)]
        for connection in drips:
            connection.sendall(b"\x0b")
        for number in range(20):
            for connection in drips:
                connection.sendall(slow[number : number + 1])
            assert answered(listener, number)
        drips[0].sendall(slow[20:] + b"\x1c\r")
        drips[0].settimeout(10)
        assert b"MSA|AA|slow" in drips[0].recv(4096)
    until(lambda: len(journal(listener.store)) == 80)
    assert sorted(states(listener.store)) == ["applied"] * 21 + ["error"] * 59


def test_a_frame_that_comes_too_slowly_is_given_up(start: Callable[..., Running]) -> None:
    listener = start(mllp_frame_seconds=1)
    began = time.monotonic()
    with socket.create_connection((HOST, listener.port)) as drip, pytest.raises(OSError):  # noqa: PT011
        drip.sendall(b"\x0b")
        while time.monotonic() < began + 8:
            # Never silent for long, and never done.
            drip.sendall(b"M")
            time.sleep(0.1)
    assert 0.9 < time.monotonic() - began < 6
    until(lambda: states(listener.store) == ["error"])


def test_a_long_frame_that_comes_steadily_may_take_longer(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SLOWEST", 10_000)
    listener = start(mllp_frame_seconds=1)
    sent = wrap(result("m1", "A1", size=40_000))
    steps: list[Step] = [Send(sent, size=2500, pause=0.1), ExpectFrame()]
    assert msa(call(listener.port, [*steps, HalfClose(), ExpectClose()]).payloads[0]) == ("AA", "m1")


def test_frames_that_follow_one_another_without_a_pause_have_their_time_each(
    start: Callable[..., Running],
) -> None:
    listener = start(mllp_frame_seconds=1)
    sent = [wrap(order(f"m{number}", f"A{number}")) for number in range(9)]
    stream, size = b"".join(sent), len(sent[0])
    # Each packet but the last ends within a frame.
    steps = [Send(stream[: size // 2], pause=0.25)]
    steps += [Send(stream[at : at + size], pause=0.25) for at in range(size // 2, len(stream), size)]
    heard = call(listener.port, [*steps, *(ExpectFrame(),) * len(sent), HalfClose(), ExpectClose()])
    assert [msa(answer)[1] for answer in heard.payloads] == [f"m{number}" for number in range(9)]


def test_a_peer_that_sends_no_more_still_gets_its_answers(listener: Running) -> None:
    sent = b"".join(wrap(order(f"m{number}", f"A{number}")) for number in range(5))
    steps: list[Step] = [Send(sent), HalfClose(), *(ExpectFrame(),) * 5, ExpectClose()]
    assert [msa(answer) for answer in call(listener.port, steps).payloads] == [
        ("AA", f"m{number}") for number in range(5)
    ]


@pytest.mark.parametrize("heard", [0, 1, 20])
def test_a_connection_reset_within_an_answer_loses_nothing(listener: Running, told: Told, heard: int) -> None:
    sent = wrap(order("m1", "A1")) + wrap(order("m2", "A2"))
    with socket.create_connection((HOST, listener.port)) as breaking, ThreadPoolExecutor(1) as other:
        breaking.sendall(sent)
        beside = other.submit(answered, listener, 9)
        if heard:
            assert len(breaking.recv(heard)) == heard
        breaking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        breaking.close()
        assert beside.result(20)
    again = call(listener.port, [Send(sent), ExpectFrame(), ExpectFrame(), HalfClose(), ExpectClose()])
    assert [msa(answer) for answer in again.payloads] == [("AA", "m1"), ("AA", "m2")]
    assert orders(listener.store) == {"A1": 1, "A2": 1, "A9": 1}
    assert {row["ack_raw"] for row in journal(listener.store)} >= set(again.payloads)
    assert [line for line in told.lines() if '"error"' in line] == []


def with_document(control_id: str, size: int) -> tuple[bytes, bytes]:
    """A report with a document of so many bytes in an OBX (ED, Base64), and the document."""
    document = b"%PDF-1.7\n" + os.urandom(size - 9)
    return message(
        header(control_id, "ORU^R01"),
        "PID|1||4711^^^CITY^MR||Quillfeather^Ann||19700101|F",
        "OBR|1|A1^EHR|F1^LAB|11502-2^Report^LN|||20260110090000|||||||||||||||20260110093000|||F",
        f"OBX|1|ED|11502-2^Report^LN||^Application^PDF^Base64^{base64.b64encode(document).decode()}||||||F",
    ), document


@pytest.fixture
def gateway(new_database: Callable[[bool], str], tmp_path: Path) -> Iterator[tuple[Gateway, Store]]:
    """A gateway that runs as a process, and a store on its database."""
    url = new_database(True)
    running, store = Gateway(SUTURE_DATABASE_URL=url, SUTURE_DATA_DIR=str(tmp_path)), Store(url, pool_size=1)
    running.start()
    yield running, store
    running.stop()
    store.close()


@pytest.mark.slow
def test_a_document_of_eight_megabytes_costs_little_and_comes_out_as_it_came_in(
    gateway: tuple[Gateway, Store],
) -> None:
    running, store = gateway
    call(running.mllp_port, [Send(wrap(result("m0", "A0"))), ExpectFrame(), Close()])
    _, worker = running.processes()
    before, sent = worker.memory_info().rss, with_document("m1", 6 * MEGABYTE)
    assert len(sent[0]) > 8 * MEGABYTE
    began, used = time.monotonic(), spent(worker)
    heard = call(running.mllp_port, [Send(wrap(sent[0])), ExpectFrame(timeout=60), Close()])
    took, used = time.monotonic() - began, spent(worker) - used
    assert msa(heard.payloads[0]) == ("AA", "m1")
    most = peak(worker)
    print(f"\n8 MB: {took:.2f} s, {used:.2f} s of CPU, {(most - before) / MEGABYTE:.0f} MB more at most")
    assert most - before < 300 * MEGABYTE
    assert used < 10
    (row,) = rows(store, "SELECT raw FROM hl7_message WHERE control_id = 'm1'")
    assert row["raw"] == sent[0]
    told = httpx.get(f"{running.base}/fhir/DiagnosticReport?identifier=F1", timeout=60).json()
    (form,) = told["entry"][0]["resource"]["presentedForm"]
    assert base64.b64decode(form["data"]) == sent[1]


def spent(process: psutil.Process) -> float:
    """The CPU time that a process has used, in seconds."""
    return sum(process.cpu_times()[:2])


def peak(process: psutil.Process) -> int:
    """The most memory that a process has had, in bytes; where that is not told, what it has now."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return process.memory_info().rss
    told = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(told["VmHWM"].split()[0]) * 1024


@pytest.mark.slow
def test_a_gateway_that_dies_between_commit_and_answer_answers_the_same_message_when_it_comes_again(
    new_database: Callable[[bool], str], tmp_path: Path
) -> None:
    url, mark = new_database(True), tmp_path / "died"
    told = {"SUTURE_DATABASE_URL": url, "SUTURE_DATA_DIR": str(tmp_path), "DYING_MARK": str(mark)}
    running, store = Gateway(module="tests.wire.dying", **told), Store(url, pool_size=1)
    try:
        running.start()
        assert call(running.mllp_port, [Send(wrap(order("m1", "A1"))), ExpectClose(20)]).received == b""
        assert states(store) == ["applied"]
        until(running.is_ready)
        heard = call(running.mllp_port, [Send(wrap(order("m1", "A1"))), ExpectFrame(), Close()])
    finally:
        running.stop()
    assert heard.payloads == [mark.read_bytes()]
    assert (states(store), orders(store)) == (["applied", "duplicate"], {"A1": 1})
    assert {row["version"] for row in rows(store, "SELECT version FROM resource_version")} == {1}
    store.close()


@pytest.mark.slow
def test_a_gateway_told_to_end_answers_the_message_in_hand_first(gateway: tuple[Gateway, Store]) -> None:
    running, store = gateway
    sent = wrap(order("m1", "A1")) + wrap(order("m2", "A2"))
    with psycopg.connect(driver_url(store.engine.url.render_as_string(hide_password=False))) as held:
        held.execute("LOCK TABLE service_order IN EXCLUSIVE MODE")
        with socket.create_connection((HOST, running.mllp_port)) as sender, ThreadPoolExecutor(1) as one:
            sender.sendall(sent)
            until(lambda: states(store) == ["received"])
            ending = one.submit(running.stop)
            time.sleep(0.5)
            held.rollback()
            sender.settimeout(30)
            heard = b""
            while data := sender.recv(4096):
                heard += data
            ending.result(40)
    assert heard.count(b"\x0b") == 1
    assert b"MSA|AA|m1" in heard
    assert (states(store), orders(store)) == (["applied"], {"A1": 1})
