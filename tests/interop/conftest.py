"""`house`: a gateway as a process, with TLS, over a database of its own.

`hapi`: a peer written in Java with HAPI HL7v2, built once for all workers of a run and told what to do.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import base64
import fcntl
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli import suture
from storage.session import driver_url
from tests.fixtures.server import Fhir, Gateway, free_ports
from tests.wire.receiver import until
from tests.wire.test_tls import sign

PROJECT = Path(__file__).parent / "hapi"
BUILD = ("mvn", "-B", "-q", "compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath")
BUILD_SECONDS = 180
"""The first time everything is fetched; later it takes less than ten."""


class Hapi:
    """The Java process: each command is answered by one line of JSON."""

    def __init__(self, folder: Path) -> None:
        classes = f"target/classes:{(folder / 'classpath').read_text().strip()}"
        # One small process beside many: compiling less thoroughly and collecting serially spares the others.
        options = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
        self._process = subprocess.Popen(
            ["java", *options, "-cp", classes, "suture.interop.Main"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __call__(self, *words: object) -> Any:
        """Give a command and return its answer; raises AssertionError where it went wrong."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(map(str, words)).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the Java process has ended"
        told = json.loads(line)
        assert "failure" not in (told if isinstance(told, dict) else {}), told
        return told

    def check(self, text: str) -> dict[str, Any]:
        """What HAPI says of a message."""
        return self("check", base64.b64encode(text.encode()).decode())

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def build(folder: Path) -> str:
    """Build the project in a folder; return why it could not be built, which is no fault of ours, if so."""
    if not (shutil.which("java") and shutil.which("mvn")):
        return "java and mvn are not here"
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
    try:
        done = subprocess.run(
            BUILD, cwd=folder, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"Maven did not finish within {BUILD_SECONDS} seconds"
    told = done.stdout + done.stderr
    assert "COMPILATION ERROR" not in told, told
    return f"Maven could not build: {told[-500:]}" if done.returncode else ""


@pytest.fixture(scope="session")
def hapi_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The built project; skips where it cannot be built."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    told = shared / "hapi.told"
    with (shared / "hapi.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(build(shared / "hapi"))
    if reason := told.read_text():
        pytest.skip(reason)
    return shared / "hapi"


@pytest.fixture(scope="session")
def hapi(hapi_folder: Path) -> Iterator[Hapi]:
    """The peer of this worker."""
    peer = Hapi(hapi_folder)
    yield peer
    peer.stop()


class House:
    """A running gateway, and what tests ask of it."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.ca = folder / "ca.pem"
        ca = sign("ca.example.org")
        self.ca.write_bytes(ca.certificate.public_bytes(Encoding.PEM))
        (self.tls_port,) = free_ports(1)
        tls = {
            "SUTURE_MLLP_TLS_CERT": str(sign("suture.example.org", ca).write(folder, "server")),
            "SUTURE_MLLP_TLS_PORT": str(self.tls_port),
        }
        self.gateway = Gateway(database_url, folder / "log", **tls)
        self.http = httpx.Client(base_url=self.gateway.url, timeout=30, trust_env=False)
        self.fhir = Fhir(self.http)

    @property
    def port(self) -> int:
        """Where it listens for HL7v2."""
        return self.gateway.mllp_port

    def command(self, *words: str) -> None:
        """Run a command of `suture` over the gateway's database."""
        done = CliRunner().invoke(suture, [*words, "--database-url", self.database_url])
        assert done.exit_code == 0, done.output

    def tell(self, name: str, port: int, *told: str, version: str = "2.5.1") -> None:
        """Make a peer that is sent what is told."""
        place = ("--direction", "both", "--host", "127.0.0.1", "--port", str(port), "--version", version)
        self.command("peer", "add", name, "--sending-app", name, *place)
        self.command("destination", "set", name, *told)

    def silence(self, name: str) -> None:
        """Tell a peer no more."""
        self.command("peer", "change", name, "--no-active")

    def found(self, query: str) -> list[dict[str, Any]]:
        """The resources that a search finds."""
        return [entry["resource"] for entry in self.fhir.get(query).json().get("entry", [])]

    def patient(self, number: str) -> dict[str, str]:
        """A reference to a new patient."""
        made = self.fhir.made(
            "Patient",
            identifier=[{"system": "urn:hl7:hd:CLINIC", "value": number}],
            name=[{"family": "Größe", "given": ["Ann"], "suffix": ["MD"]}],
            telecom=[{"system": "phone", "value": "+44 20 7946 0958"}],
            birthDate="1970-01",
        )
        return {"reference": f"Patient/{made['id']}"}

    def order(self, patient: dict[str, str], text: str) -> dict[str, Any]:
        """A new order."""
        code = {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": text}]}
        return self.fhir.made("ServiceRequest", status="active", intent="order", code=code, subject=patient)

    def settled(self, name: str, *states: str) -> None:
        """Wait until the messages for a peer are in these states, in the order in which they were queued."""
        statement = (
            "SELECT m.status FROM hl7_message m JOIN hl7_peer p ON p.id = m.peer_id"
            " WHERE m.direction = 'out' AND p.name = %s ORDER BY m.id"
        )
        seen: list[str] = []

        def settled() -> bool:
            seen[:] = [row[0] for row in connection.execute(statement, [name])]
            return seen == list(states)

        with psycopg.connect(driver_url(self.database_url), autocommit=True) as connection:
            try:
                until(settled, seconds=30)
            except AssertionError:
                raise AssertionError(f"{seen}, not {list(states)}: {self.gateway.log.read_text()}") from None


@pytest.fixture(scope="module")
def house(module_database: Callable[[bool], str]) -> Iterator[House]:
    """The gateway of a module's tests: what one leaves behind the next one finds."""
    with tempfile.TemporaryDirectory() as folder:
        made = House(module_database(True), Path(folder))
        try:
            made.gateway.wait()
            yield made
        finally:
            made.http.close()
            made.gateway.stop()
