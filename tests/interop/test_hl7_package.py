"""The client and the server of the `hl7` package, of the Python package index, against the running gateway.

HL7 v2.5.1, sections 2.9 and 2.10.3:
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress

import hl7
import hl7.client
import hl7.mllp
import pytest

from tests.interop.conftest import House
from tests.wire.messages import message, order, result
from tests.wire.receiver import until

pytestmark = pytest.mark.slow
HOST = "127.0.0.1"


def read(frame: bytes) -> hl7.Message:
    """A message out of its frame."""
    assert frame[:1] == b"\x0b"
    assert frame[-2:] == b"\x1c\r"
    return hl7.parse(frame[1:-2].decode())


def test_its_client_sends_orders_and_results(house: House) -> None:
    sent = [order("c1", "C1"), result("c2", "C1"), order("c3", "C3", patient="4712")]
    with hl7.client.MLLPClient(HOST, house.port) as client:
        answers = [read(client.send_message(payload)) for payload in sent]
        parsed = read(client.send_message(hl7.parse(order("c4", "C4").decode())))
    told = [(str(each["MSA"][0][1]), str(each["MSA"][0][2])) for each in [*answers, parsed]]
    assert told == [("AA", "c1"), ("AA", "c2"), ("AA", "c3"), ("AA", "c4")]
    assert str(answers[1]["MSH"][0][9]) == "ACK^R01^ACK"
    found = {number: len(house.found(f"ServiceRequest?identifier={number}")) for number in ("C1", "C3", "C4")}
    assert found == {"C1": 1, "C3": 1, "C4": 1}
    (report,) = house.found("DiagnosticReport?identifier=FC1&_include=DiagnosticReport:result")[:1]
    assert report["status"] == "final"


def batch(name: str) -> str:
    """A file of one batch of three orders, whose control id is 77."""
    inner = [order(f"{name}{number}", f"{name}{number}") for number in (1, 2, 3)]
    told = b"".join(inner).replace(b"|EHR|CITY|", b"|BATCH|CITY|").decode()
    head = message("FHS|^~\\&|BATCH|CITY", "BHS|^~\\&|BATCH|CITY|||20260110083000||||77").decode()
    return str(hl7.parse_file(head + told + message("BTS|3", "FTS|1").decode()))


def test_its_client_sends_a_batch_and_gets_one_back(house: House) -> None:
    house.command("peer", "add", "BATCHES", "--sending-app", "BATCH", "--batch-replies")
    answers: list[bytes] = []

    def answered() -> bool:
        with hl7.client.MLLPClient(HOST, house.port) as client:
            answers.append(client.send_message(batch(f"b{len(answers)}")))
        return b"BHS" in answers[-1]

    # The listener looks for changes of its peers once a second.
    until(answered)
    last = f"b{len(answers) - 1}"
    (found,) = hl7.parse_file(answers[-1][1:-2].decode())
    assert found.header is not None
    assert str(found.header[12]) == "77"
    told = [(str(each["MSA"][0][1]), str(each["MSA"][0][2])) for each in found]
    assert told == [("AA", f"{last}{number}") for number in (1, 2, 3)]
    assert len(house.found(f"ServiceRequest?identifier={last}3")) == 1


class Server:
    """The package's server, in an event loop of its own: keeps what it reads, and answers as told."""

    def __init__(self, codes: list[str]) -> None:
        self.received: list[hl7.Message] = []
        self.port = 0
        self._codes = codes
        self._ready = threading.Event()
        self._stop: Callable[[], object] = self._ready.set
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._stop()
        self._thread.join(10)

    async def _serve(self) -> None:
        server = await hl7.mllp.start_hl7_server(self._talk, HOST, 0, encoding="utf-8")
        self.port = server.sockets[0].getsockname()[1]
        end, loop = asyncio.Event(), asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(end.set)
        self._ready.set()
        await end.wait()
        server.close()

    async def _talk(self, reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter) -> None:
        # The end of the test cancels this while it waits for the next message.
        with suppress(asyncio.IncompleteReadError), closing(writer):
            while True:
                found = await reader.readmessage()
                assert isinstance(found, hl7.Message)
                self.received.append(found)
                writer.writemessage(found.create_ack(self._codes.pop(0) if self._codes else "AA"))
                await writer.drain()


@contextmanager
def serving(*codes: str) -> Generator[Server]:
    """A server that answers the first messages with these codes, and the others with AA."""
    server = Server(list(codes))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_its_server_gets_orders_and_results_until_it_takes_them(house: House) -> None:
    with serving("AE") as server:
        house.tell(
            "PYLAB", server.port, "--orders", "OML_O21", "--results", "--no-own", "--retry-seconds", "0"
        )
        patient = house.patient("P1")
        house.order(patient, "Glucose ^ µg")
        code = {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}
        house.fhir.made("DiagnosticReport", status="final", code=code, subject=patient, conclusion="Normal")
        house.settled("PYLAB", "acked", "acked")
        house.silence("PYLAB")
    heads = [(str(each["MSH"][0][9]), str(each["MSH"][0][10])) for each in server.received]
    assert [kind for kind, _ in heads] == ["OML^O21^OML_O21", "OML^O21^OML_O21", "ORU^R01^ORU_R01"]
    assert heads[0] == heads[1]
    ordered, _, reported = server.received
    assert ordered.unescape(str(ordered["OBR"][0][4][0][1])) == "Glucose ^ µg"
    assert str(reported["OBX"][0][5]) == "Normal"
