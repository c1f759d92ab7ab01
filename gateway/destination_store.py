"""Changing what peers are told, and what waits for them, whoever tells of it: seen and audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import audit, errors
from gateway.destination_fields import DROPPED, REMOVED, NotADestination, see
from storage import destinations, outbox
from storage.model.ledger import AuditEvent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from gateway.unit import Unit
    from storage.destinations import Settings
    from storage.peers import Peer


def store(unit: Unit, peer: Peer, made: Settings, present: Settings | None = None) -> Settings:
    """Store what a peer is told from now on, or in place of what was there, locked; return it.

    Raises ValueInvalid for what it cannot be told, or not so.
    """
    try:
        see(made, peer)
    except NotADestination as error:
        raise errors.ValueInvalid(str(error), expression=error.name) from error
    destinations.store_settings(unit.session.raw, made)
    _tell(unit, "U" if present else "C", peer)
    return made


def remove(unit: Unit, peer: Peer) -> int:
    """Tell a peer nothing any more; return how many messages that waited are dead letters now."""
    destinations.remove(unit.session.raw, peer.id)
    number = outbox.give_up(unit.session.raw, peer.id, None, REMOVED, unit.author.at)
    _tell(unit, "D", peer, dead=number)
    return number


def resend(unit: Unit, peer: Peer, ids: Sequence[UUID] | None) -> int:
    """Queue dead letters of a peer again: those named, or all; return how many those were."""
    number = outbox.send_again(unit.session.raw, ids, peer.id)
    _tell(unit, "E", peer, resent=number)
    return number


def drop(unit: Unit, peer: Peer, ids: Sequence[UUID] | None) -> int:
    """Give up what waits for a peer: messages that are named, or all; return how many those were."""
    number = outbox.give_up(unit.session.raw, peer.id, ids, DROPPED, unit.author.at)
    _tell(unit, "E", peer, dead=number)
    return number


def _tell(unit: Unit, action: audit.Action, peer: Peer, **more: int) -> None:
    detail = {"peer": peer.name, **more}
    told = audit.event(unit, action, None, resource_type="hl7_destination", detail=detail)
    unit.writer.add(AuditEvent, told)
    unit.flush()
