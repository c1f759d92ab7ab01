from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from storage import cluster, migrate

pytestmark = pytest.mark.slow

PROGRAM = """
import os
from gateway import log, serve
serve.STEADY_SECONDS = float(os.environ.get("STEADY_SECONDS", serve.STEADY_SECONDS))
from gateway.cli import one_line, read_settings
settings = read_settings({})
log.configure(settings.log_format)
with one_line():
    serve.serve(settings, target="tests.fixtures.tiny_app:create")
"""


class Gateway:
    """One `serve` process, the ports it was given, and what it said."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.http_port, self.mllp_port = free_port(), free_port()
        names = {"SUTURE_HTTP_PORT": str(self.http_port), "SUTURE_MLLP_PORT": str(self.mllp_port)}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("SUTURE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=outside | names | environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def get(self, path: str) -> str:
        return httpx.get(f"http://127.0.0.1:{self.http_port}{path}", timeout=10).text

    def mllp(self) -> int:
        with socket.create_connection(("127.0.0.1", self.mllp_port), timeout=5) as connection:
            return int(connection.recv(20))

    def wait(self, patience: float = 30) -> Gateway:
        deadline = time.monotonic() + patience
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.get("/pid")
                return self
            except httpx.TransportError:
                time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"the gateway did not start: {self.process.communicate()[1]}")

    def end(self, kind: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(kind)
        said = self.process.communicate(timeout=40)[1]
        return self.process.returncode, said

    def workers(self) -> list[psutil.Process]:
        return [
            child for child in psutil.Process(self.process.pid).children() if "postgres" not in child.name()
        ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def run() -> Iterator[Callable[[dict[str, str]], Gateway]]:
    started: list[Gateway] = []

    def start(environment: dict[str, str]) -> Gateway:
        started.append(Gateway(environment))
        return started[-1]

    yield start
    for gateway in started:
        if gateway.process.poll() is None:
            gateway.end()
        assert gateway.process.stderr is not None
        gateway.process.stderr.close()


Run = Callable[[dict[str, str]], Gateway]


def test_it_starts_a_database_of_its_own_and_stops_it_last(run: Run, embedded_dir: Path) -> None:
    gateway = run({"SUTURE_DATA_DIR": str(embedded_dir)}).wait()
    assert gateway.get("/database") == "suture"
    assert gateway.mllp() == int(gateway.get("/pid"))
    status, said = gateway.end()
    assert status == 0
    assert "Traceback" not in said
    assert cluster.processes(embedded_dir.resolve() / "postgres") == []
    assert "database system is shut down" in (embedded_dir / "postgres.log").read_text()


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_hand_is_finished_before_it_ends(
    run: Run, database_url: str, kind: signal.Signals
) -> None:
    gateway = run({"SUTURE_DATABASE_URL": database_url}).wait()
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(gateway.get, "/slow")
        time.sleep(0.3)
        status, _ = gateway.end(kind)
        assert answer.result(10).isdecimal()
    assert status == 0


def test_a_given_database_is_migrated_before_it_serves(run: Run, empty_database_url: str) -> None:
    gateway = run({"SUTURE_DATABASE_URL": empty_database_url}).wait()
    assert migrate.current(empty_database_url) == migrate.head()
    with psycopg.connect(empty_database_url) as connection:
        assert gateway.get("/database") == connection.info.dbname


def test_workers_share_both_ports(run: Run, database_url: str) -> None:
    gateway = run({"SUTURE_DATABASE_URL": database_url, "SUTURE_WORKERS": "2"}).wait()
    deadline = time.monotonic() + 20
    http: set[int] = set()
    mllp: set[int] = set()
    while (len(http) < 2 or len(mllp) < 2) and time.monotonic() < deadline:
        http.add(int(gateway.get("/pid")))
        mllp.add(gateway.mllp())
    assert len(http) == 2
    assert http == mllp


def test_a_worker_that_crashes_is_replaced(run: Run, database_url: str) -> None:
    gateway = run({"SUTURE_DATABASE_URL": database_url}).wait()
    first = gateway.get("/pid")
    with pytest.raises(httpx.TransportError):
        gateway.get("/crash")
    gateway.wait()
    assert gateway.get("/pid") != first


def test_a_gateway_that_has_served_does_not_end_when_workers_die_one_after_another(
    run: Run, database_url: str
) -> None:
    gateway = run({"SUTURE_DATABASE_URL": database_url, "STEADY_SECONDS": "0.1"}).wait()
    for _ in range(3):
        with pytest.raises(httpx.TransportError):
            gateway.get("/crash")
        gateway.wait()
    status, said = gateway.end()
    assert status == 0
    assert "workers die one after another" in said


def test_a_gateway_that_is_at_rest_ends_when_it_is_told_to(run: Run, database_url: str) -> None:
    gateway = run({"SUTURE_DATABASE_URL": database_url, "STEADY_SECONDS": "0.1"}).wait()
    assert gateway.process.stderr is not None
    for _ in range(2):
        gateway.wait()
        with pytest.raises(httpx.TransportError):
            gateway.get("/crash")
    while "workers die one after another" not in gateway.process.stderr.readline():
        pass
    assert gateway.end()[0] == 0


def test_a_gateway_whose_workers_die_from_the_start_ends(run: Run, database_url: str) -> None:
    gateway = run({"SUTURE_DATABASE_URL": database_url})
    for _ in range(2):
        gateway.wait()
        with pytest.raises(httpx.TransportError):
            gateway.get("/crash")
    gateway.process.communicate(timeout=30)
    assert gateway.process.returncode == 1


def test_workers_end_when_their_parent_is_killed(run: Run, database_url: str) -> None:
    gateway = run({"SUTURE_DATABASE_URL": database_url, "SUTURE_WORKERS": "2"}).wait()
    workers = gateway.workers()
    assert len(workers) >= 2
    gateway.end(signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE] == []


def test_a_gateway_that_was_killed_can_be_started_again(run: Run, embedded_dir: Path) -> None:
    first = run({"SUTURE_DATA_DIR": str(embedded_dir)}).wait()
    workers = first.workers()
    first.end(signal.SIGKILL)
    psutil.wait_procs(workers, timeout=20)
    assert run({"SUTURE_DATA_DIR": str(embedded_dir)}).wait().get("/database") == "suture"


def test_a_stop_while_it_starts_leaves_no_database_behind(run: Run, embedded_dir: Path) -> None:
    gateway = run({"SUTURE_DATA_DIR": str(embedded_dir)})
    folder = embedded_dir.resolve() / "postgres"
    deadline = time.monotonic() + 20
    while cluster.postmaster(folder) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    status, said = gateway.end()
    assert (status, said) == (0, "")
    assert cluster.processes(folder) == []


def test_a_port_that_is_taken_is_named(run: Run, database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        gateway = run({"SUTURE_DATABASE_URL": database_url, "SUTURE_MLLP_PORT": port})
        said = gateway.process.communicate(timeout=30)[1]
    assert gateway.process.returncode == 1
    assert len(said.splitlines()) == 1
    assert f"port {port}" in said
    assert "SUTURE_MLLP_PORT" in said


def test_a_database_that_cannot_be_reached_is_one_line(run: Run) -> None:
    gateway = run({"SUTURE_DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/d"})
    said = gateway.process.communicate(timeout=30)[1]
    assert gateway.process.returncode == 1
    assert len(said.splitlines()) == 1
    assert "SUTURE_DATABASE_URL" in said
    assert "hunter2" not in said


def test_a_second_gateway_on_the_same_directory_is_refused_in_one_line(run: Run, embedded_dir: Path) -> None:
    first = run({"SUTURE_DATA_DIR": str(embedded_dir)}).wait()
    second = run({"SUTURE_DATA_DIR": str(embedded_dir)})
    said = second.process.communicate(timeout=30)[1]
    assert second.process.returncode == 1
    assert len(said.splitlines()) == 1
    assert f"process {first.process.pid}" in said
    assert first.get("/database") == "suture"
