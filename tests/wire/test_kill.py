"""Nothing that was acknowledged is lost and nothing is there twice, whoever is killed and whenever.

HL7 v2.5.1, section 2.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185

Twenty senders send orders and results, many of them of the same patients and orders, and send again what is
not answered; a peer is told of the orders. `SUTURE_KILL_ROUNDS` is how often somebody is killed in each case.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from mappings.er7 import Message
from storage import cluster, destinations, embedded
from storage.embedded import EmbeddedServer
from storage.session import Store, driver_url
from tests.wire.aftermath import check_journal, check_kept, check_records, check_told, check_versions
from tests.wire.gateway import Gateway
from tests.wire.house import tell
from tests.wire.receiver import Receiver, ack, receiving, until
from tests.wire.storm import Storm

pytestmark = pytest.mark.slow

# Read when the module is loaded: other tests clear the settings.
ROUNDS = int(os.environ.get("SUTURE_KILL_ROUNDS", "0"))
SENDERS = 20
SEED = 7

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'suture' ORDER BY random()"


class House:
    """A gateway and its database in a folder, and the ways in which each of them may die."""

    def __init__(self, folder: Path, *, own: bool, workers: str = "1") -> None:
        """The gateway starts its ``own`` database, or gets the URL of one that outlives it."""
        self.folder = folder
        self.killed = Counter[str]()
        self._server = None if own else EmbeddedServer(folder)
        told = {"SUTURE_DATA_DIR": str(folder), "SUTURE_WORKERS": workers}
        if self._server is not None:
            self._server.start()
            told["SUTURE_DATABASE_URL"] = self._server.url
        self.gateway = Gateway(**told)
        self.gateway.start()

    @property
    def url(self) -> str:
        """The URL of the database, which must run."""
        url = embedded.running_url(self.folder)
        assert url is not None
        return url

    def store(self) -> Store:
        """A store of the test's own."""
        return Store(self.url, pool_size=1)

    def kill(self, kind: str) -> None:
        """Kill, and bring up again what does not come up by itself."""
        self.killed[kind] += 1
        getattr(self, f"_kill_{kind}")()
        until(self.gateway.is_ready, 60)

    def _kill_gateway(self) -> None:
        self.gateway.kill()
        self.gateway.start()

    def _kill_worker(self) -> None:
        _, worker, *_ = self.gateway.processes()
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(20)

    def _kill_database(self) -> None:
        self._end_database()
        self._restart_database()

    def _kill_worker_and_database(self) -> None:
        self._end_database()
        self._kill_worker()
        # Long enough for a worker to start, and find nothing.
        time.sleep(3)
        self._restart_database()

    def _kill_both(self) -> None:
        servers: list[psutil.Process] = []
        for pid in cluster.processes(self.folder.resolve() / "postgres"):
            with suppress(psutil.NoSuchProcess):
                servers.append(psutil.Process(pid))
        self.gateway.kill(*servers)
        self._restart_database()
        self.gateway.start()

    def _kill_backend(self) -> None:
        with psycopg.connect(driver_url(self.url), autocommit=True) as connection:
            found = [pid for (pid,) in connection.execute(BACKENDS).fetchall()]
        os.kill(found[0], signal.SIGKILL)
        # PostgreSQL ends all others then, and begins anew.
        until(lambda: not any(psutil.pid_exists(pid) for pid in found))

    def _end_database(self) -> None:
        while found := cluster.processes(self.folder.resolve() / "postgres"):
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _restart_database(self) -> None:
        if self._server is not None:
            self._end_database()
            self._server.stop()
            self._server.start()

    def close(self) -> None:
        """End both in order."""
        self.gateway.stop()
        if self._server is not None:
            self._server.stop()


@pytest.fixture
def house(embedded_dir: Path) -> Iterator[Callable[..., House]]:
    """A function that starts a house, which is ended afterwards."""
    made: list[House] = []

    def make(**told: bool | str) -> House:
        made.append(House(embedded_dir, **told))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def lab() -> Iterator[Receiver]:
    """A peer that is told of orders, and hangs up now and then instead of an answer."""

    def answer(message: Message, count: int) -> bytes:
        return b"" if count % 41 == 0 else ack(message)

    with receiving(answer) as peer:
        yield peer


def survive(house: House, lab: Receiver, kinds: list[str], rounds: int) -> None:
    """Kill again and again while all send, and look at what is there, each time and at the end."""
    tell(house.url, lab.port)
    chance, began = random.Random(SEED), time.monotonic()
    storm = Storm(house.gateway.mllp_port, SENDERS, SEED)
    storm.start()
    for number in range(rounds):
        storm.wait_for(SENDERS)
        time.sleep(chance.uniform(0, 1.0))
        accepted = storm.accepted()
        # Each kind once, then any.
        house.kill(kinds[number] if number < len(kinds) else chance.choice(kinds))
        store = house.store()
        check_kept(store, accepted)
        store.close()
    storm.wait_for(SENDERS)
    storm.end()
    look(house, lab, storm, began)


def look(house: House, lab: Receiver, storm: Storm, began: float) -> None:
    """Look at everything, and print the figures."""
    store = house.store()
    sent = time.monotonic() - began
    until(lambda: not waiting(store), 120)
    counts = check_journal(store, storm)
    check_records(store, storm)
    check_versions(store, storm)
    told = check_told(store, lab.messages)
    store.close()
    attempts = sum(sum(sender.attempts.values()) for sender in storm.everybody())
    answers = sum(len(answers) for sender in storm.everybody() for answers in sender.answers.values())
    print(
        f"\n{len(storm.accepted())} messages accepted in {sent:.0f} s, {attempts} times sent,"
        f" {answers} answers, {attempts - answers} unanswered; killed: {dict(house.killed)};"
        f" journal: received {counts.received} = applied {counts.applied} + duplicate {counts.duplicate}"
        f" + rejected {counts.rejected} + failed {counts.failed};"
        f" told {told} messages in {len(lab.messages)} sendings"
    )


def waiting(store: Store) -> int:
    """How many messages have not reached their peer."""
    with store.connection() as connection:
        queues = destinations.queues(connection)
    return sum(queue.number for queue in queues if queue.status != "dead")


ALL = ["database", "gateway", "worker", "backend", "both", "worker_and_database"]


def test_what_was_acknowledged_is_kept_once_whoever_is_killed(
    house: Callable[..., House], lab: Receiver
) -> None:
    survive(house(own=False), lab, ALL, ROUNDS or len(ALL))


def test_what_several_workers_acknowledged_is_kept_once_whoever_is_killed(
    house: Callable[..., House], lab: Receiver
) -> None:
    survive(house(own=False, workers="2"), lab, ["worker", "backend"], ROUNDS or 2)


def test_a_gateway_with_a_database_of_its_own_keeps_what_it_acknowledged(
    house: Callable[..., House], lab: Receiver
) -> None:
    survive(house(own=True), lab, ["gateway", "database", "both"], ROUNDS or 3)
