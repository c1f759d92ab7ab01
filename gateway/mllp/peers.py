"""Who a message is from: the peer that its header, its address and its certificate agree on.

HL7 v2.5.1, sections 2.15.9.3 and 2.15.9.4 (MSH-3, MSH-4):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from storage import peers
from storage.peers import STRANGER, Peer

if TYPE_CHECKING:
    from mappings.er7 import Message
    from storage.session import Store

FRESH_SECONDS = 1.0
"""How long a look at the table is good: so soon a change is known to every worker."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
NOBODY: Final = frozenset[str]()


def networks(texts: list[str]) -> tuple[Network, ...]:
    """Return networks written as `10.0.0.0/8` or single addresses. Raises ValueError."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)


def address_of(text: str) -> Address | None:
    """Return an address, that of IPv4 where it is mapped into IPv6; None where it is none."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def lies_in(address: Address | None, known: tuple[Network, ...]) -> bool:
    """Tell whether an address lies in one of the networks."""
    return address is not None and any(address in network for network in known)


@dataclass(frozen=True, slots=True)
class _Known:
    """A peer that sends, and the networks that it sends from."""

    peer: Peer
    networks: tuple[Network, ...]

    @property
    def weight(self) -> int:
        """By how much it is known."""
        peer = self.peer
        told = (peer.sending_app, peer.sending_facility, peer.certificate, self.networks)
        return sum(bool(part) for part in told)

    def names(self, message: Message | None) -> bool:
        """Tell whether it has a name, and the message is sent in it."""
        named = ((3, self.peer.sending_app), (4, self.peer.sending_facility))
        asked = [(number, name) for number, name in named if name]
        return bool(asked) and message is not None and all(_said(message, *each) for each in asked)

    @property
    def is_named(self) -> bool:
        return bool(self.peer.sending_app or self.peer.sending_facility)

    def agrees(self, address: Address | None, certificate: frozenset[str]) -> bool:
        """Tell whether it may send from there, with that certificate."""
        known = self.peer.certificate
        return (not self.networks or lies_in(address, self.networks)) and (not known or known in certificate)


def _said(message: Message, number: int, name: str) -> bool:
    field = message.msh.field(number)
    return name in (field.raw, field.first.component(1).strip())


class Peers:
    """The peers that send, as they are in the table, not longer ago than a second."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: tuple[_Known, ...] = ()
        self._until = 0.0

    def of(self, message: Message | None, remote: str, certificate: frozenset[str] = NOBODY) -> Peer | None:
        """Return who sent a message: the peer known by most, or STRANGER.

        None is nobody whose messages are taken: a peer that is switched off, or whoever uses the name of a
        peer that is known by its address or its certificate too, without having them. `certificate` are the
        names of the client's certificate (`tls.names`).
        """
        known = self._fresh()
        if not known:
            return STRANGER
        address = address_of(remote)
        named = [item for item in known if item.names(message)]
        asked = named or [item for item in known if not item.is_named and item.weight]
        found = [item for item in asked if item.agrees(address, certificate)]
        if not found:
            return None if named else STRANGER
        best = max(found, key=lambda item: item.weight).peer
        return best if best.is_active else None

    def _fresh(self) -> tuple[_Known, ...]:
        if time.monotonic() >= self._until:
            with self._store.connection() as connection:
                found = peers.listed(connection)
            sending = (peer for peer in found if peer.direction != "out")
            self._known = tuple(_Known(peer, networks(peer.addresses or [])) for peer in sending)
            self._until = time.monotonic() + FRESH_SECONDS
        return self._known
