"""The load generator, a process of its own: some connections, one request in flight on each, times taken.

`python -m tests.benchmarks.load` reads Jobs from stdin and writes Outcomes to stdout, as MessagePack with the
length before it.
A client library would cost more than the server that it measures, so it speaks through bare sockets.
"""

from __future__ import annotations

import itertools
import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Literal

import msgspec

HOST = "127.0.0.1"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Job(msgspec.Struct):
    """What to send: requests in their order, with `again` over and over, until one limit is reached."""

    protocol: Literal["http", "mllp"]
    port: int
    clients: int
    seconds: float
    requests: list[bytes]
    again: bool = True


class Outcome(msgspec.Struct):
    """The seconds that each answered request took, how many of the answers were refusals, the time in all."""

    times: list[float]
    refused: int
    elapsed: float
    refusal: bytes = b""


@dataclass
class Client:
    """One connection."""

    socket: socket.socket
    sent_at: float = 0.0
    answer: bytearray = field(default_factory=bytearray)


class Loader:
    """The process that sends, for as many jobs as there are."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.load"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, job: Job) -> Outcome:
        """Run a job."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the load generator has no pipes")
        _write(self._process.stdin, job)
        answer = _read(self._process.stdout)
        if not answer:
            raise RuntimeError("the load generator failed")
        return msgspec.msgpack.decode(answer, type=Outcome)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _write(stream: IO[bytes], told: Job | Outcome) -> None:
    content = msgspec.msgpack.encode(told)
    stream.write(len(content).to_bytes(8) + content)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes:
    return stream.read(int.from_bytes(stream.read(8)))


def drive(job: Job) -> Outcome:
    """Run a job in this process."""
    whole, accepted = ANSWERS[job.protocol]
    waiting = iter(itertools.cycle(job.requests) if job.again else job.requests)
    outcome = Outcome([], 0, 0.0)
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(job.clients):
            client = Client(socket.create_connection((HOST, job.port), timeout=30))
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(client.socket, selectors.EVENT_READ, client)
            _next(selector, client, waiting, began + job.seconds)
        while selector.get_map():
            for key, _ in selector.select(30):
                client = key.data
                data = client.socket.recv(1 << 18)
                if not data:
                    raise ConnectionError("the server closed the connection")
                client.answer += data
                if whole(client.answer):
                    _note(outcome, client, accepted)
                    _next(selector, client, waiting, began + job.seconds)
    outcome.elapsed = time.perf_counter() - began
    return outcome


def _note(outcome: Outcome, client: Client, accepted: Callable[[bytes], bool]) -> None:
    outcome.times.append(time.perf_counter() - client.sent_at)
    if not accepted(bytes(client.answer)):
        outcome.refused += 1
        outcome.refusal = outcome.refusal or bytes(client.answer)
    client.answer.clear()


def _next(selector: selectors.BaseSelector, client: Client, waiting: Iterator[bytes], until: float) -> None:
    client.sent_at = time.perf_counter()
    request = next(waiting, None) if client.sent_at < until else None
    if request is None:
        selector.unregister(client.socket)
        client.socket.close()
    else:
        client.socket.sendall(request)


def _whole_http(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    length = _LENGTH.search(answer, 0, head) if head >= 0 else None
    return head >= 0 and len(answer) >= head + 4 + (int(length[1]) if length else 0)


ANSWERS: dict[str, tuple[Callable[[bytes], bool], Callable[[bytes], bool]]] = {
    "http": (_whole_http, lambda answer: answer[9:10] == b"2"),
    "mllp": (lambda answer: answer.endswith(b"\x1c\r"), lambda answer: b"MSA|AA|" in answer),
}

if __name__ == "__main__":
    while asked := _read(sys.stdin.buffer):
        _write(sys.stdout.buffer, drive(msgspec.msgpack.decode(asked, type=Job)))
