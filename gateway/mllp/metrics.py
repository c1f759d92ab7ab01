"""How many messages there are by what became of them, for Prometheus: whichever worker took them.

HL7 v2.5.1, section 2.9 (message processing rules):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import psycopg
import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from gateway.mllp import outbound_metrics
from gateway.mllp.counts import GROUPS
from storage import destinations, messages

if TYPE_CHECKING:
    from gateway.records import Records

FRESH_SECONDS = 15.0
"""How long a count is good: whoever asks more often gets the same."""

_log = structlog.get_logger(__name__)


class Counted:
    """The messages of a database, counted when somebody asks, but not too often."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._one = threading.Lock()
        self._counted_at = -FRESH_SECONDS
        self._told = b""

    def text(self) -> bytes:
        """Return the counts in Prometheus' own form; nothing while the database cannot be asked."""
        with self._one:
            if time.monotonic() - self._counted_at >= FRESH_SECONDS:
                try:
                    self._told = self._count()
                except (psycopg.Error, SQLAlchemyError) as error:
                    _log.warning("messages not counted", error=type(error).__name__)
                    return b""
                self._counted_at = time.monotonic()
            return self._told

    def _count(self) -> bytes:
        with self._records.store.connection() as connection:
            found = messages.by_status(connection)
            queues = destinations.queues(connection)
        registry = CollectorRegistry()
        outbound_metrics.tell(registry, queues, self._records.clock())
        kept = Gauge(
            "suture_hl7_messages",
            "Messages that came from peers (in) or leave for them (out), replays left out.",
            ("direction", "outcome"),
            registry=registry,
        )
        replays = Gauge("suture_hl7_replays", "Replays of messages.", ("outcome",), registry=registry)
        waiting = Gauge(
            "suture_hl7_oldest_waiting_seconds",
            "For how long a message has waited that came in and is neither applied nor refused.",
            registry=registry,
        )
        for status in GROUPS:
            kept.labels("in", GROUPS[status]).set(0)
        for status, number in found.every.items():
            direction = "in" if status in GROUPS else "out"
            kept.labels(direction, GROUPS.get(status, status)).set(number - found.replays.get(status, 0))
        for status, number in found.replays.items():
            replays.labels(GROUPS.get(status, status)).set(number)
        oldest = found.oldest_waiting
        waiting.set((self._records.clock() - oldest).total_seconds() if oldest else 0)
        return generate_latest(registry)
