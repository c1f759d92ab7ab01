"""Anything may come, cut in any way, on any of several connections: good messages among it are applied and
answered all the same, in order, and nothing hangs or fails.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF

`SUTURE_FUZZ` makes as many times more examples of each.
"""

from __future__ import annotations

import random
import socket
import struct
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    rule,
    run_state_machine_as_test,
)

from gateway.mllp.framing import Frame, Framer, wrap
from tests.fixtures.fuzz import TIMES
from tests.wire.conftest import Running, Told
from tests.wire.messages import msa, order, orders, result, rows
from tests.wire.mutants import mutant
from tests.wire.peer import HOST

PATIENCE = 20.0
"""How long an answer may take before the listener is said to hang, in seconds."""

PIECES = st.sampled_from(
    [
        *(b"\x0b", b"\x1c", b"\r", b"\n", b"\0", b"\x1c\r", b"\x0b\x1c\r", b"\r\x1c", b"\x0b\x0b"),
        *(b"MSH|^~\\&|", b"MSH", b"BHS|^~\\&|", b"FHS|^~\\&|", b"BTS|1\r", b"PID|1||7^^^C^MR\r", b"hello"),
        *(b"\x0bMSH|^~\\&|A|B|C|D|1||ORM^O01|q|P|2.5\r\x1c\r", b"\xff\xfe", b"x" * 900, b"\x1c\x1c"),
    ]
)
GARBAGE = st.lists(PIECES | st.binary(max_size=30), min_size=1, max_size=6).map(b"".join)
SIZES = st.sampled_from([1, 2, 3, 7, 50, 333, 4096])
_numbers = count(1)


class Sender:
    """One connection: what is still to be sent, and which good messages are to be answered AA on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE)
        self.unsent = b""
        self.good: list[str] = []

    def push(self, size: int) -> None:
        """Send some of what is to be sent."""
        piece, self.unsent = self.unsent[:size], self.unsent[size:]
        self.socket.sendall(piece)

    def finish(self) -> list[bytes]:
        """Send the rest, end the stream in this direction, and return all answers."""
        framer, answers = Framer(), list[bytes]()
        with self.socket:
            self.push(len(self.unsent))
            self.socket.shutdown(socket.SHUT_WR)
            while data := self.socket.recv(65536):
                for event in framer.feed(data):
                    assert isinstance(event, Frame)
                    answers.append(event.payload)
        return answers

    def break_off(self) -> None:
        """Reset the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Wire(RuleBasedStateMachine):
    """Several connections to a listener, on which good and bad bytes are sent by turns."""

    connections: Bundle[Sender] = Bundle("connections")

    listener: Running
    told: Told

    def __init__(self) -> None:
        super().__init__()
        self.open: list[Sender] = []
        self.applied: list[str] = []
        """Placer's numbers of what was answered AA."""

    @rule(target=connections)
    def connect(self) -> Sender:
        self.open.append(Sender(self.listener.port))
        # What starts as HTTP or TLS does is shown out; that has tests of its own.
        self.open[-1].unsent = b"#"
        return self.open[-1]

    @rule(sender=connections, of=st.sampled_from([order, result]))
    def say_something_good(self, sender: Sender, of: Any) -> None:
        number = f"G{next(_numbers)}"
        sender.unsent += wrap(of(f"m{number}", number, patient=f"P{len(self.open)}"))
        sender.good.append(f"m{number}")

    @rule(sender=connections, garbage=GARBAGE)
    def say_anything(self, sender: Sender, garbage: bytes) -> None:
        sender.unsent += garbage

    @rule(sender=connections, seed=st.integers(0, 2**32), of=st.sampled_from([order, result]))
    def say_something_wrong(self, sender: Sender, seed: int, of: Any) -> None:
        sent = of(f"bad{next(_numbers)}bad", f"B{next(_numbers)}", patient="bad")
        sender.unsent += wrap(mutant(sent, random.Random(seed)))

    @rule(sender=connections, share=st.floats(0, 1))
    def break_a_message_off(self, sender: Sender, share: float) -> None:
        sent = order(f"cut{next(_numbers)}cut", f"C{next(_numbers)}", patient="cut")
        sender.unsent += b"\x0b" + sent[: int(len(sent) * share)]

    @rule(sender=connections, size=SIZES)
    def send_some(self, sender: Sender, size: int) -> None:
        sender.push(size)

    @rule(sender=consumes(connections))
    def finish(self, sender: Sender) -> None:
        self.open.remove(sender)
        self.check(sender)

    @rule(sender=consumes(connections))
    def break_off(self, sender: Sender) -> None:
        self.open.remove(sender)
        sender.break_off()

    def check(self, sender: Sender) -> None:
        """Every good message has its AA, one, in their order."""
        told = [msa(answer) for answer in sender.finish() if b"\rMSA|" in answer]
        assert [found for found in told if found[1] in sender.good] == [("AA", name) for name in sender.good]
        self.applied += [name[1:] for name in sender.good]

    def teardown(self) -> None:
        for sender in self.open:
            self.check(sender)
        found = orders(self.listener.store)
        assert [number for number in self.applied if found.get(number) != 1] == []
        assert {number: n for number, n in found.items() if number.startswith("G") and n != 1} == {}
        assert errors(self.told) == []


def errors(told: Told) -> list[str]:
    """What the log tells of faults of ours."""
    return [line for line in told.lines() if '"level": "error"' in line or '"level":"error"' in line]


def test_good_messages_among_anything_are_applied_and_answered_in_order(
    listener: Running, told: Told
) -> None:
    Wire.listener, Wire.told = listener, told
    run_state_machine_as_test(
        Wire, settings=settings(max_examples=15 * TIMES, stateful_step_count=25, deadline=None)
    )
    statuses = Counter(row["status"] for row in rows(listener.store, "SELECT status FROM hl7_message"))
    assert statuses.keys() <= {"applied", "duplicate", "rejected", "error"}


def test_what_is_wrong_in_a_real_message_is_refused_or_warned_about_and_never_a_fault_of_ours(
    listener: Running, told: Told, corpus: Path
) -> None:
    chance, files = random.Random(5), sorted((corpus / "hl7v2").glob("*.hl7"))
    bodies = [file.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r") for file in files]
    for turn in range(TIMES):
        for number, body in enumerate(bodies[turn % 4 :: 4] if TIMES == 1 else bodies):
            name = f"{turn}-{number}"
            sender = Sender(listener.port)
            bad = mutant(body, chance).translate(None, b"\x0b\x1c")
            sender.unsent = wrap(bad) + wrap(order(f"m{name}", f"G{name}"))
            assert msa(sender.finish()[-1]) == ("AA", f"m{name}")
    assert errors(told) == []
