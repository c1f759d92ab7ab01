"""The references: an ASGI app that does nothing on the same server, and one insert with its commit."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.wire.conftest import free_port

BODY = b'{"resourceType":"Patient"}'


async def app(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    """Answer every request with the same bytes."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    headers = [(b"content-type", b"application/fhir+json"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


@contextmanager
def serving() -> Generator[int]:
    """Serve the app by Granian for the length of the block; give its port."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asgi",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    process = subprocess.Popen([*command, "tests.benchmarks.bare:app"], env=os.environ | {"PYTHONPATH": "."})
    try:
        _await(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("the bare server did not start")


def commits(url: str, seconds: float) -> list[float]:
    """The times of single inserts of 1 kB, each committed to the disk, on one connection, for so long."""
    times: list[float] = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_bare (id integer, content text)")
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            connection.execute("INSERT INTO bench_bare VALUES (%s, %s)", (len(times), "x" * 1000))
            times.append(time.perf_counter() - began)
        connection.execute("DROP TABLE bench_bare")
    return times
