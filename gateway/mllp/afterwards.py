"""An answer whose connection is gone leaves by the outbound queue, where the peer is sent to.

HL7 v2.5.1, section 2.9.3.2 (enhanced mode, responding system):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storage import destinations, outbox
from storage.outbox import Outgoing

if TYPE_CHECKING:
    from uuid import UUID

    from gateway.records import Records


def post(records: Records, peer_id: UUID, answer: bytes, header: dict[str, Any]) -> bool:
    """Queue an application acknowledgement (``header``: the columns that its MSH fills) for a peer; False
    where nothing is sent to it.
    """
    with records.store.connection() as connection:
        if not any(target.peer_id == peer_id for target in destinations.destinations(connection)):
            return False
        key = records.new_id()
        # It tells of no patient whose other messages it might overtake: it has a lane to itself.
        outbox.add(
            connection, [Outgoing(key, peer_id, answer, records.clock(), str(key), header)], records.new_id
        )
    return True
