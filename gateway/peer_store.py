"""Storing an HL7v2 peer, whoever tells of it: seen to be one, alone with its name and sender, and audited."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from gateway import audit, errors
from gateway.peer_fields import NotAPeer, see
from storage import peers
from storage.model.ledger import AuditEvent
from storage.peers import Peer

if TYPE_CHECKING:
    from gateway.unit import Unit


def store(unit: Unit, made: Peer, present: Peer | None = None) -> Peer:
    """Store a new peer, or one that was there; return it. The trail tells which of its fields were told.

    Raises ValueInvalid for what it may not be, DuplicateKey for another's name or sender.
    """
    try:
        see(made)
    except NotAPeer as error:
        raise errors.ValueInvalid(str(error), expression=error.name) from error
    for other in peers.listed(unit.session.raw):
        if other.id != made.id and _clash(other, made):
            raise errors.DuplicateKey("Another peer has that name, or the same MSH-3 and MSH-4.")
    write = peers.change if present else peers.add
    write(unit.session.raw, made)
    detail = {"peer": made.name, "fields": _told(made, present)}
    told = audit.event(unit, "U" if present else "C", None, resource_type="hl7_peer", detail=detail)
    unit.writer.add(AuditEvent, told)
    unit.flush()
    return made


def _clash(other: Peer, made: Peer) -> bool:
    own = (made.sending_app, made.sending_facility)
    same = None not in own and own == (other.sending_app, other.sending_facility)
    return same or other.name == made.name


def _told(made: Peer, present: Peer | None) -> list[str]:
    """Return in which fields a peer is not as it was, or not as senders are whom nobody told of."""
    before = present or Peer(made.id, made.name)
    names = (field.name for field in fields(Peer))
    return sorted(name for name in names if getattr(made, name) != getattr(before, name))
