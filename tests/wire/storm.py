"""Many senders at once, each of which sends a message until it is answered, and looks at what came of it all.

HL7 v2.5.1, section 2.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from gateway.mllp.framing import Frame, Framer, wrap
from tests.wire.messages import FAMILY, header, message, msa
from tests.wire.peer import HOST

PATIENTS = 12
"""Patients whom all senders write about."""
SHARED = 6
"""Orders of each kind that all senders change, or send results of."""
ANSWER_SECONDS = 4.0
"""How long a sender waits for an answer before it sends the message again."""


@dataclass(frozen=True)
class Sent:
    """A message, and what it is to be answered."""

    control_id: str
    payload: bytes
    code: str = "AA"


def new_order(control_id: str, number: str, patient: str, text: str = "") -> bytes:
    """ORM^O01, NW: an order; ``text`` is a note to it."""
    return _order(control_id, "NW", number, patient, text)


def changed_order(control_id: str, number: str, patient: str, text: str) -> bytes:
    """ORM^O01, XO: other content of a known order."""
    return _order(control_id, "XO", number, patient, text)


def _order(control_id: str, control: str, number: str, patient: str, text: str) -> bytes:
    return message(
        header(control_id),
        f"PID|1||{patient}^^^CITY^MR||{FAMILY}^Ann||19700101|F",
        f"ORC|{control}|{number}^EHR|||||||20260110082500",
        f"OBR|1|{number}^EHR||71020^Chest X-ray^C4",
        *((f"NTE|1|P|{text}",) if text else ()),
    )


def new_result(control_id: str, number: str, filler: str, patient: str) -> bytes:
    """ORU^R01: a report of an order under a filler's number, with two observations named after it.

    Each tests something else. Of one code, the filler's number alone would make it another report.
    """
    return message(
        header(control_id, "ORU^R01"),
        f"PID|1||{patient}^^^CITY^MR||{FAMILY}^Ann||19700101|F",
        f"OBR|1|{number}^EHR|{filler}^LAB|{filler}^Blood^L|||20260110090000|||||||||||||||20260110093000|||F",
        f"OBX|1|ST|718-7^Hemoglobin^LN||{control_id}-1||||||F",
        f"OBX|2|ST|20570-8^Hematocrit^LN||{control_id}-2||||||F",
    )


class Sender:
    """Sends one message after the other, each as often as it takes, and remembers what was answered."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.sent: dict[str, Sent] = {}
        self.attempts: Counter[str] = Counter()
        self.answers: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        """Code and bytes of each answer, by control id."""
        self.failure: Exception | None = None
        self._random = random.Random(f"{seed}{name}")
        self._connection: socket.socket | None = None
        self._orders: list[tuple[str, str]] = []
        self._count = 0

    def accepted(self) -> list[str]:
        """Control ids of what was answered AA, so far."""
        return [name for name, answers in [*self.answers.items()] if any(code == "AA" for code, _ in answers)]

    def run(self, port: int, stop: threading.Event, patience: float = 120) -> None:
        """Send until `stop` is set; each message until it is answered, or the patience for it has ended."""
        try:
            while not stop.is_set():
                for sent in self._next():
                    self.deliver(port, sent, patience)
        except Exception as failure:  # noqa: BLE001 - raised by the test's own thread
            self.failure = failure
        finally:
            self.hang_up()

    def _next(self) -> Iterator[Sent]:
        """Orders and results of this sender's own and of all senders together, some of them once more."""
        self._count += 1
        number, chance = f"{self.name}-{self._count}", self._random.random()
        patient = f"P{self._random.randrange(PATIENTS)}"
        common = self._random.randrange(SHARED)
        if chance < 0.35 or not self._orders:
            self._orders.append((number, patient))
            yield Sent(f"n{number}", new_order(f"n{number}", number, patient))
        elif chance < 0.6:
            placed, patient = self._random.choice(self._orders)
            yield Sent(f"r{number}", new_result(f"r{number}", placed, f"F{number}", patient))
        elif chance < 0.72:
            yield Sent(f"s{number}", new_result(f"s{number}", f"R{common}", f"F{number}", f"P{common}"))
        elif chance < 0.84:
            yield Sent(f"x{number}", changed_order(f"x{number}", f"X{common}", f"P{common}", f"x{number}"))
        elif chance < 0.9:
            body = new_order(f"d{number}", number, patient).replace(b"ORM^O01", b"DFT^P03")
            yield Sent(f"d{number}", body, "AR")
        else:
            yield self.sent[self._random.choice([*self.sent])]

    def deliver(self, port: int, sent: Sent, patience: float = 120) -> None:
        """Send a message until it is answered as it is to be; raises AssertionError where it is not."""
        deadline = time.monotonic() + patience
        self.sent[sent.control_id] = sent
        while time.monotonic() < deadline:
            answer = self._exchange(port, sent)
            if answer is None:
                self.hang_up()
                time.sleep(self._random.uniform(0.02, 0.2))
                continue
            code, control_id = msa(answer)
            assert control_id == sent.control_id
            self.answers[control_id].append((code, answer))
            if code == sent.code:
                return
            assert code == "AE", f"{control_id} was answered {answer!r}"
        raise AssertionError(f"{sent.control_id} was not answered in time")

    def _exchange(self, port: int, sent: Sent) -> bytes | None:
        """Send a message; the payload of the answer, or None if it does not come in time."""
        framer = Framer()
        try:
            if self._connection is None:
                self._connection = socket.create_connection((HOST, port), timeout=ANSWER_SECONDS)
            self.attempts[sent.control_id] += 1
            self._connection.sendall(wrap(sent.payload))
            while data := self._connection.recv(65536):
                for event in framer.feed(data):
                    assert isinstance(event, Frame)
                    return event.payload
        except OSError:
            pass
        return None

    def hang_up(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
        self._connection = None


class Storm:
    """Senders that send at the same time."""

    def __init__(self, port: int, senders: int, seed: int = 1) -> None:
        self.port = port
        self.senders = [Sender(f"K{number}", seed) for number in range(senders)]
        self.opening = Sender("K", seed)
        """Sends what all others share."""
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=sender.run, args=(port, self._stop)) for sender in self.senders
        ]

    def start(self) -> None:
        """Begin to send, once there is what all senders share."""
        for number in range(SHARED):
            for kind in "RX":
                name = f"{kind}{number}"
                self.opening.deliver(self.port, Sent(f"n{name}", new_order(f"n{name}", name, f"P{number}")))
        self.opening.hang_up()
        for thread in self._threads:
            thread.start()

    def end(self, patience: float = 120) -> None:
        """Let each sender have its answer, and no more; raise what went wrong with any."""
        self._stop.set()
        for thread in self._threads:
            thread.join(patience)
        assert not any(thread.is_alive() for thread in self._threads), "a sender hangs"
        for sender in self.senders:
            if sender.failure is not None:
                raise sender.failure

    def everybody(self) -> list[Sender]:
        """All senders."""
        return [self.opening, *self.senders]

    def accepted(self) -> list[str]:
        """Control ids of what was answered AA, so far."""
        return [name for sender in self.everybody() for name in sender.accepted()]

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Wait until so many more messages are accepted: those who send have found their way back."""
        wanted, deadline = len(self.accepted()) + more, time.monotonic() + seconds
        while len(self.accepted()) < wanted:
            assert time.monotonic() < deadline, "the senders do not get through"
            time.sleep(0.05)
