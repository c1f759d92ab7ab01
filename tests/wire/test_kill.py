"""Nothing that was acknowledged is lost, and nothing is there twice, however often the gateway is killed.

HL7 v2.5.1, section 2.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185

`SUTURE_KILL_ROUNDS` makes the rounds of each case more (default 1, or 2 on a given database).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gateway.mllp.framing import Frame, Framer, wrap
from storage import cluster, embedded
from storage.session import Store
from tests.wire.gateway import Gateway
from tests.wire.messages import msa, order, orders, result, rows, states
from tests.wire.peer import HOST

pytestmark = pytest.mark.slow

# Read when the module is loaded: other tests clear the settings.
ROUNDS = int(os.environ.get("SUTURE_KILL_ROUNDS", "0"))
SENDERS = 4
SECONDS = 0.8
"""How long senders send before each kill."""


class Sender:
    """Sends orders and their results one after another and remembers which of them were accepted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.accepted: set[str] = set()
        self.waiting: list[tuple[str, bytes]] = []
        self._count = 0

    def stream(self, port: int, stop: threading.Event) -> None:
        """Send new messages until the connection breaks or `stop` is set."""
        with socket.create_connection((HOST, port), timeout=20) as connection:
            while not stop.is_set():
                for control_id, payload in self._pair():
                    self.waiting.append((control_id, payload))
                    if not self._exchange(connection, control_id, payload):
                        return

    def resend(self, port: int) -> None:
        """Send what was not answered, as often as it takes one connection."""
        with socket.create_connection((HOST, port), timeout=20) as connection:
            for control_id, payload in list(self.waiting):
                assert self._exchange(connection, control_id, payload)

    def _pair(self) -> list[tuple[str, bytes]]:
        self._count += 1
        number = f"{self.name}-{self._count}"
        patient = f"{self.name}{self._count % 7}"
        pair = [order(f"o{number}", number, patient)]
        if self._count % 2:
            pair.append(result(f"r{number}", number, patient))
        return list(zip((f"o{number}", f"r{number}"), pair, strict=False))

    def _exchange(self, connection: socket.socket, control_id: str, payload: bytes) -> bool:
        framer = Framer()
        try:
            connection.sendall(wrap(payload))
            events = framer.feed(connection.recv(65536))
            while not events:
                data = connection.recv(65536)
                if not data:
                    return False
                events = framer.feed(data)
        except OSError:
            return False
        assert isinstance(events[0], Frame)
        assert msa(events[0].payload) == ("AA", control_id)
        self.accepted.add(control_id)
        self.waiting.remove((control_id, payload))
        return True


Look = Callable[[], Store]
"""Opens a store on the gateway's database, while the gateway runs."""


def survive(gateway: Gateway, look: Look, others: Callable[[], list[psutil.Process]], rounds: int) -> None:
    senders = [Sender(f"K{n}") for n in range(SENDERS)]
    gateway.start()
    for _ in range(ROUNDS or rounds):
        kill_in_mid_stream(gateway, senders, others)
        gateway.start()
        check_kept(look, senders)
        for sender in senders:
            sender.resend(gateway.mllp_port)
    check_complete(look, senders)


def kill_in_mid_stream(
    gateway: Gateway, senders: list[Sender], others: Callable[[], list[psutil.Process]]
) -> None:
    stop = threading.Event()
    before = sum(len(sender.accepted) for sender in senders)
    threads = [threading.Thread(target=sender.stream, args=(gateway.mllp_port, stop)) for sender in senders]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    gateway.kill(*others())
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert sum(len(sender.accepted) for sender in senders) > before, "nothing was accepted before the kill"


def check_kept(look: Look, senders: list[Sender]) -> None:
    """All that was accepted is there, and nothing twice."""
    store = look()
    found = orders(store)
    accepted = {control_id[1:] for sender in senders for control_id in sender.accepted}
    assert accepted - found.keys() == set()
    assert {number for number, count in found.items() if count != 1} == set()
    told = reports(store)
    results = {name[1:] for sender in senders for name in sender.accepted if name[0] == "r"}
    assert results - told.keys() == set()
    assert {number for number, count in told.items() if count != 1} == set()
    store.close()


def check_complete(look: Look, senders: list[Sender]) -> None:
    """All that was ever sent is there once, and the journal accounts for each message."""
    check_kept(look, senders)
    store = look()
    sent = {control_id for sender in senders for control_id in sender.accepted}
    assert not any(sender.waiting for sender in senders)
    assert orders(store).keys() == {control_id[1:] for control_id in sent}
    assert set(states(store)) <= {"applied", "duplicate"}
    applied = rows(store, "SELECT control_id FROM hl7_message WHERE status = 'applied'")
    assert sorted(row["control_id"] for row in applied) == sorted(sent)
    patients = rows(store, "SELECT value FROM identifier WHERE resource_type = 'Patient' AND value LIKE 'K%'")
    assert len(patients) == len({row["value"] for row in patients})
    store.close()


def reports(store: Store) -> dict[str, int]:
    """How many reports there are of each placer's number."""
    found = rows(
        store,
        "SELECT value, count(*) AS n FROM identifier WHERE resource_type = 'DiagnosticReport'"
        " AND system LIKE '%EHR' GROUP BY value",
    )
    return {row["value"]: row["n"] for row in found}


@pytest.fixture
def started() -> Iterator[Callable[..., Gateway]]:
    """A function that makes a gateway, which is ended afterwards."""
    made: list[Gateway] = []

    def make(**environment: str) -> Gateway:
        made.append(Gateway(**environment))
        return made[-1]

    yield make
    for gateway in made:
        gateway.stop()


def test_a_gateway_killed_in_mid_stream_keeps_what_it_acknowledged(
    started: Callable[..., Gateway], new_database: Callable[[bool], str]
) -> None:
    url = new_database(True)
    survive(started(SUTURE_DATABASE_URL=url), lambda: Store(url, pool_size=1), list, 2)


@pytest.mark.parametrize("with_database", [False, True], ids=["alone", "with its database"])
def test_a_gateway_killed_on_its_own_database_keeps_what_it_acknowledged(
    started: Callable[..., Gateway], embedded_dir: Path, with_database: bool
) -> None:
    def look() -> Store:
        url = embedded.running_url(embedded_dir)
        assert url is not None
        return Store(url, pool_size=1)

    def servers() -> list[psutil.Process]:
        folder = embedded_dir.resolve() / "postgres"
        return [psutil.Process(pid) for pid in cluster.processes(folder)] if with_database else []

    survive(started(SUTURE_DATA_DIR=str(embedded_dir)), look, servers, 1)
