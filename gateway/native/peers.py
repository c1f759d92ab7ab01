"""The HL7v2 peers: who sends, and what each is taken at. The listener knows a change within a second."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath

from gateway import errors
from gateway.native.peer_forms import PEERS, PeerChange, PeerNew, PeerShown
from gateway.native.words import Ask, answer, form, records_of, see_administrator, within
from gateway.openapi.call import call
from gateway.peer_fields import tidy
from gateway.peer_store import store
from gateway.unit import Unit
from storage import peers
from storage.peers import Peer

CHANGES = "who may send messages"


@get("/", opt=call(answer=list[PeerShown]))
async def list_peers(request: Ask) -> Response[bytes]:
    """List all peers by name."""

    def work(unit: Unit) -> list[PeerShown]:
        return [_shown(each) for each in peers.listed(unit.session.raw)]

    return answer(await within(request, work))


@get("/{name:str}", opt=call(answer=PeerShown))
async def get_peer(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Return one peer."""
    return answer(await within(request, lambda unit: _shown(peer_named(unit, name))))


@post("/", status_code=201, opt=call(body=PeerNew, answer=PeerShown, status=201, examples=PEERS))
async def create_peer(request: Ask) -> Response[bytes]:
    """Add a peer. Where roles are judged, administrators only."""
    sent = form(await request.body(), PeerNew)
    new_id = records_of(request).new_id

    def work(unit: Unit) -> PeerShown:
        see_administrator(unit, CHANGES)
        return _shown(store(unit, replace(Peer(new_id(), sent.name), **tidy(sent.told()))))

    return answer(await within(request, work), 201)


@patch("/{name:str}", opt=call(body=PeerChange, answer=PeerShown))
async def change_peer(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Change a peer. Where roles are judged, administrators only. Peers are switched off, never deleted."""
    sent = form(await request.body(), PeerChange)

    def work(unit: Unit) -> PeerShown:
        see_administrator(unit, CHANGES)
        present = peer_named(unit, name, for_change=True)
        return _shown(store(unit, replace(present, **tidy(sent.told())), present))

    return answer(await within(request, work))


def peer_named(unit: Unit, name: str, *, for_change: bool = False) -> Peer:
    """Return the peer of a name; locked if it is to be changed. Raises NotFound."""
    found = peers.find(unit.session.raw, name, for_change=for_change)
    if found is None:
        raise errors.NotFound(f"There is no peer {name}.", expression="name")
    return found


def _shown(peer: Peer) -> PeerShown:
    return msgspec.convert(peer, PeerShown, from_attributes=True)


ROUTES = (list_peers, get_peer, create_peer, change_peer)
