"""What waits for peers and what was given up, for Prometheus: whichever worker sends.

HL7 v2.5.1, section 2.9 (message processing rules):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge

if TYPE_CHECKING:
    from datetime import datetime

    from storage.destinations import Queue

STATES = {"queued": "waiting", "sent": "waiting", "failed": "failed", "dead": "dead"}
"""Status of a message that leaves -> what it is counted as: failed ones were refused and are sent again."""


def tell(registry: CollectorRegistry, queues: Iterable[Queue], now: datetime) -> None:
    """Add the messages of each destination, and for how long the oldest has waited that is not given up."""
    kept = Gauge(
        "suture_hl7_destination_messages",
        "Messages for a destination: waiting, failed (refused, sent again later), dead.",
        ("destination", "state"),
        registry=registry,
    )
    oldest = Gauge(
        "suture_hl7_destination_oldest_waiting_seconds",
        "For how long the oldest message has waited for a destination.",
        ("destination",),
        registry=registry,
    )
    since: dict[str, datetime] = {}
    for queue in queues:
        state = STATES[queue.status]
        kept.labels(queue.peer, state).inc(queue.number)
        if state != "dead":
            since[queue.peer] = min(since.get(queue.peer, queue.oldest), queue.oldest)
    for peer, at in since.items():
        oldest.labels(peer).set(max((now - at).total_seconds(), 0.0))
