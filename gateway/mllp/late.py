"""What an answer says, and what a peer tells later of a message that it had taken (CA): the second answer.

HL7 v2.5.1, section 2.9.3.2 (enhanced mode, initiating system):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from gateway.mllp.acknowledge import Code
from mappings.er7 import NotHl7, read
from storage import outbox
from storage.outbox import Reply

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

_log = structlog.get_logger(__name__)


def settle(connection: Connection[Any], peer_id: UUID, raw: bytes, at: datetime) -> bool:
    """Note what a peer tells by an acknowledgement of a message that it was sent and had taken (CA).

    Return whether there is such a message. What is refused so late is a dead letter, whether AE or AR.
    """
    try:
        msa = read(raw).first("MSA")
    except NotHl7:
        return False
    code = msa.field(1).text if msa else ""
    if msa is None or code not in Code.__members__ or code == Code.CA:
        return False
    told = (code, raw, number_of(raw))
    reply = Reply("acked", at, *told) if code == Code.AA else Reply("dead", at, *told, reason(code, raw))
    found = outbox.answered_late(connection, msa.field(2).raw.replace("\0", ""), peer_id, reply)
    if found and reply.status == "dead":
        _log.error("message refused", peer_id=str(peer_id), code=code)
    return found


def number_of(raw: bytes) -> str | None:
    """Return MSH-10 of an answer."""
    try:
        return read(raw).control_id[:199].replace("\0", "") or None
    except NotHl7:
        return None


def reason(code: str, raw: bytes) -> str:
    """Return why a message was refused: the code of the answer, and its conditions and places."""
    return f"{code or 'no code'}: {conditions(raw)}".rstrip(": ").replace("\0", "")


def conditions(raw: bytes) -> str:
    """Return the conditions and places that an answer names (ERR-3, ERR-2, or ERR-1 of old): codes alone."""
    try:
        segments = read(raw).all("ERR")
    except NotHl7:
        return ""
    told: list[str] = []
    for segment in segments:
        code = segment.field(3).first.component(1) or segment.field(1).first.component(4)
        place = "-".join(part for part in (segment.field(2).first.component(n) for n in (1, 3)) if part)
        told.append(" ".join(part for part in (code, place) if part))
    return ", ".join(told)[:200]
