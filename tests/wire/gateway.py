"""A whole gateway as a process of its own, with its workers, which a test may kill.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import httpx
import psutil


class Gateway:
    """`suture serve` on ports of its own; `start` may be called again after `kill`."""

    def __init__(self, module: str = "gateway.cli", **environment: str) -> None:
        """Let a module of Python be run; ``environment`` are its settings."""
        self._command = [sys.executable, "-m", module, *(["serve"] if module == "gateway.cli" else [])]
        self.http_port, self.mllp_port = steady_port(), steady_port()
        names = {"SUTURE_HTTP_PORT": str(self.http_port), "SUTURE_MLLP_PORT": str(self.mllp_port)}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("SUTURE_")}
        self._environment = outside | names | environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        """The base URL of its HTTP door."""
        return f"http://127.0.0.1:{self.http_port}"

    def start(self, patience: float = 60) -> float:
        """Start it and wait until it is ready; return the seconds that took."""
        began = time.monotonic()
        self._process = subprocess.Popen(self._command, env=self._environment, start_new_session=True)
        while self._process.poll() is None and time.monotonic() < began + patience:
            if self.is_ready():
                return time.monotonic() - began
            time.sleep(0.02)
        self.kill()
        raise AssertionError("the gateway did not become ready")

    def is_ready(self) -> bool:
        """Whether it says that it can serve."""
        try:
            return httpx.get(f"{self.base}/health/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def processes(self) -> list[psutil.Process]:
        """The gateway's own processes: the one that was started, and its workers."""
        if self._process is None or self._process.poll() is not None:
            return []
        first = psutil.Process(self._process.pid)
        return [first, *(found for found in first.children(recursive=True) if not is_postgres(found))]

    def kill(self, *others: psutil.Process) -> None:
        """Kill all its processes at once (and `others` with them), as a power cut would."""
        killed = [*self.processes(), *others]
        for process in killed:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(20)
        psutil.wait_procs(killed, timeout=20)

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(40)


def steady_port() -> int:
    """A free port that the system gives to no caller: those who call a gateway that is down would get it, and
    be connected with themselves.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def is_postgres(process: psutil.Process) -> bool:
    """Whether a process belongs to PostgreSQL."""
    try:
        return "postgres" in process.name()
    except psutil.Error:
        return False
