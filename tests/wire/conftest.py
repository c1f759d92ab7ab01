"""The real listener on a port of its own, in an event loop of its own, over the worker's database.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import structlog

from gateway import log
from gateway.app import new_id, now
from gateway.mllp.framing import wrap
from gateway.mllp.server import Listener
from gateway.records import Records
from gateway.settings import Settings
from storage.session import Store
from tests.wire.house import House
from tests.wire.peer import ExpectFrame, HalfClose, Send, Step, call

FRAME_LIMIT = 16 * 1024 * 1024


class Running:
    """A listener that runs; `stop` ends it as the application's end does."""

    def __init__(self, store: Store, limit: int = FRAME_LIMIT, **more: Any) -> None:
        self.store = store
        self.port = free_port()
        settings = Settings(mllp_port=self.port, http_port=free_port(), mllp_max_frame_bytes=limit, **more)
        self.records, self.settings = Records(store, now, new_id), settings
        self.start()

    def start(self) -> None:
        """Listen, in a loop of its own."""
        self.listener = Listener(self.records, self.settings)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self.listener.start())

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def send(self, *payloads: bytes, size: int = 0) -> list[bytes]:
        """Send frames on one connection, all before any answer is read, and return the answers."""
        steps: list[Step] = [Send(b"".join(map(wrap, payloads)), size), *(ExpectFrame(),) * len(payloads)]
        return call(self.port, [*steps, HalfClose()]).payloads

    def stop(self) -> None:
        if self._loop.is_closed():
            return
        self._wait(self.listener.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Told:
    """What the gateway's log says, as it is set up when it serves."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def warnings(self) -> list[dict[str, Any]]:
        return [event for line in self.lines() if (event := json.loads(line))["level"] == "warning"]


@pytest.fixture(autouse=True)
def told() -> Iterator[Told]:
    """The log of this test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.configure("json", logging.INFO)
    told = Told()
    root.handlers[:] = [logging.StreamHandler(told.stream)]
    root.handlers[0].setFormatter(log.formatter("json"))
    yield told
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def start(clean: Store) -> Iterator[Callable[..., Running]]:
    """A function that starts a listener with a limit of its own for frames, in bytes, and other settings."""
    started: list[Running] = []

    def begin(limit: int = FRAME_LIMIT, **more: Any) -> Running:
        started.append(Running(clean, limit, **more))
        return started[-1]

    yield begin
    for running in started:
        running.stop()


@pytest.fixture
def listener(start: Callable[[], Running]) -> Running:
    """A listener over an empty database."""
    return start()


@pytest.fixture
def house(clean: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A gateway that sends, with short pauses."""
    monkeypatch.setattr("gateway.mllp.link.FIRST_PAUSE_SECONDS", 0.05)
    made = House(clean)
    yield made
    made.stop()
