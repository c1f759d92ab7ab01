"""Which connections are let in: from where, and how many at once; those that are not are counted.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import Counter as Metric

from gateway.mllp.peers import address_of, lies_in, networks
from gateway.settings import split_networks

if TYPE_CHECKING:
    from gateway.settings import Settings

REFUSED = Metric("suture_mllp_connections_refused", "MLLP connections that were refused.", ["reason"])
BROKEN = Metric("suture_mllp_frames_broken", "MLLP frames that were cut off, or too long.", ["reason"])


class Admission:
    """Counts who is connected, by address."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = networks(split_networks(settings.mllp_allowed_addresses))
        self._most = settings.mllp_max_connections
        self._most_each = settings.mllp_max_connections_per_address
        self._connected: Counter[str] = Counter()

    def enter(self, remote: str) -> str | None:
        """Let a connection in, or return why it is not; who was let in leaves again."""
        reason = self._refusal(remote)
        if reason is None:
            self._connected[remote] += 1
        else:
            REFUSED.labels(reason).inc()
        return reason

    def leave(self, remote: str) -> None:
        """Note that a connection has ended."""
        self._connected[remote] -= 1
        if not self._connected[remote]:
            del self._connected[remote]

    def _refusal(self, remote: str) -> str | None:
        if not lies_in(address_of(remote), self._allowed):
            return "address not allowed"
        if self._connected.total() >= self._most:
            return "too many connections"
        if self._connected[remote] >= self._most_each:
            return "too many connections from one address"
        return None
