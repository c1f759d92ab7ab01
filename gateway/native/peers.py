"""The HL7v2 peers: who sends, and what each is taken at. The listener knows a change within a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath

from gateway import audit, errors
from gateway.native.peer_forms import PEERS, PeerChange, PeerNew, PeerShown
from gateway.native.words import Ask, answer, caller_of, form, records_of
from gateway.openapi.call import call
from gateway.peer_fields import NotAPeer, see, tidy
from gateway.unit import Unit
from storage import peers
from storage.model.ledger import AuditEvent
from storage.peers import Peer


@get("/", opt=call(answer=list[PeerShown]))
async def list_peers(request: Ask) -> Response[bytes]:
    """List all peers by name."""

    def work(unit: Unit) -> list[PeerShown]:
        return [_shown(each) for each in peers.listed(unit.session.raw)]

    return answer(await _within(request, work))


@get("/{name:str}", opt=call(answer=PeerShown))
async def get_peer(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Return one peer."""
    return answer(await _within(request, lambda unit: _shown(_there(unit, name))))


@post("/", status_code=201, opt=call(body=PeerNew, answer=PeerShown, status=201, examples=PEERS))
async def create_peer(request: Ask) -> Response[bytes]:
    """Add a peer. Where roles are judged, administrators only."""
    sent = form(await request.body(), PeerNew)
    new_id = records_of(request).new_id

    def work(unit: Unit) -> PeerShown:
        _see_role(unit)
        return _store(unit, peers.add, replace(Peer(new_id(), sent.name), **tidy(sent.told())))

    return answer(await _within(request, work), 201)


@patch("/{name:str}", opt=call(body=PeerChange, answer=PeerShown))
async def change_peer(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Change a peer. Where roles are judged, administrators only. Peers are switched off, never deleted."""
    sent = form(await request.body(), PeerChange)

    def work(unit: Unit) -> PeerShown:
        _see_role(unit)
        return _store(unit, peers.change, replace(_there(unit, name), **tidy(sent.told())))

    return answer(await _within(request, work))


async def _within(request: Ask, work: Callable[[Unit], Any]) -> Any:
    return await asyncio.to_thread(records_of(request).unit, caller_of(request), work)


def _see_role(unit: Unit) -> None:
    """See that who acts may say who is let in. Raises Forbidden."""
    if unit.role not in (None, "admin"):
        raise errors.Forbidden("Only an administrator changes who may send messages.", expression="X-User")


def _there(unit: Unit, name: str) -> Peer:
    found = peers.find(unit.session.raw, name)
    if found is None:
        raise errors.NotFound(f"There is no peer {name}.", expression="name")
    return found


def _store(unit: Unit, write: Callable[..., None], made: Peer) -> PeerShown:
    """Store a peer. Raises ValueInvalid for what it may not be, DuplicateKey for another's name or sender."""
    try:
        see(made)
    except NotAPeer as error:
        raise errors.ValueInvalid(str(error), expression=error.name) from error
    for other in peers.listed(unit.session.raw):
        if other.id != made.id and _clash(other, made):
            raise errors.DuplicateKey("Another peer has that name, or the same MSH-3 and MSH-4.")
    write(unit.session.raw, made)
    action = "C" if write is peers.add else "U"
    told = audit.event(unit, action, None, resource_type="hl7_peer", detail={"peer": made.name})
    unit.writer.add(AuditEvent, told)
    unit.flush()
    return _shown(made)


def _clash(other: Peer, made: Peer) -> bool:
    own = (made.sending_app, made.sending_facility)
    same = None not in own and own == (other.sending_app, other.sending_facility)
    return same or other.name == made.name


def _shown(peer: Peer) -> PeerShown:
    return msgspec.convert(peer, PeerShown, from_attributes=True)


ROUTES = (list_peers, get_peer, create_peer, change_peer)
