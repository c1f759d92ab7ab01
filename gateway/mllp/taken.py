"""What a gateway had taken (CA) and not applied when it died: nobody sends it again.

HL7 v2.5.1, section 2.9.3 (enhanced mode):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from storage import journal, peers

if TYPE_CHECKING:
    from gateway.mllp.receive import Receiver

_log = structlog.get_logger(__name__)


def take_up(receiver: Receiver, before: datetime) -> int:
    """Apply or refuse what waits from before a time and whose sender was told that it was taken; return how
    many there were.

    Of a message that another worker has in hand the one who comes later finds that it is done.
    """
    with receiver.records.store.connection() as connection:
        waiting = journal.taken(connection, before)
        known = {peer.id: peer for peer in peers.listed(connection) if peer.is_active}
    for found in waiting:
        peer = known.get(found.peer_id) if found.peer_id else None
        case = receiver.arrive(found.raw, found.remote or "", known=peer)
        receiver.replay(replace(case, id=found.id))
    if waiting:
        _log.warning("messages taken up that were left behind", count=len(waiting))
    return len(waiting)
