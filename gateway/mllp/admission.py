"""Which connections are let in: from where, and how many at once; those that are not are counted.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter as Metric

from gateway.mllp.peers import address_of, lies_in, networks
from gateway.settings import split_networks

if TYPE_CHECKING:
    from gateway.settings import Settings

REFUSED = Metric("suture_mllp_connections_refused", "MLLP connections that were refused.", ["reason"])
MANY: Final = "too many connections"
MANY_OF_ONE: Final = "too many connections from one address"
BROKEN = Metric(
    "suture_mllp_frames_broken", "MLLP frames that were cut off, too long, or had no room.", ["reason"]
)


class Admission:
    """Counts who is connected, by address."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = networks(split_networks(settings.mllp_allowed_addresses))
        self._most = settings.mllp_max_connections
        self._most_each = settings.mllp_max_connections_per_address
        self._connected: Counter[str] = Counter()
        self.closed = False
        """Whether nobody is let in any more."""

    def enter(self, remote: str) -> str | None:
        """Let a connection in, or return why it is not; who was let in leaves again."""
        reason = self._refusal(remote)
        if reason is None:
            self._connected[remote] += 1
        return reason

    def leave(self, remote: str) -> None:
        """Note that a connection has ended."""
        self._connected[remote] -= 1
        if not self._connected[remote]:
            del self._connected[remote]

    def _refusal(self, remote: str) -> str | None:
        if self.closed:
            return "stopping"
        if not lies_in(address_of(remote), self._allowed):
            return "address not allowed"
        if self._connected.total() >= self._most:
            return MANY
        if self._connected[remote] >= self._most_each:
            return MANY_OF_ONE
        return None
