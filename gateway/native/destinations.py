"""What HL7v2 peers are told, and what waits for them. What sends knows a change within seconds."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from gateway import destination_store, errors
from gateway.destination_fields import tidy
from gateway.native.destination_forms import (
    Asked,
    DestinationChange,
    DestinationNew,
    DestinationShown,
    Done,
    Letter,
    Named,
)
from gateway.native.messages import key_of
from gateway.native.peers import peer_named
from gateway.native.words import Ask, answer, form, query, see_administrator, within
from gateway.openapi.call import call
from gateway.unit import Unit
from storage import destinations, outbox, peers
from storage.destinations import Settings
from storage.peers import Peer

CHANGES = "who is told what"


@get("/", opt=call(answer=list[DestinationShown]))
async def list_destinations(request: Ask) -> Response[bytes]:
    """List what peers are told, by name, with what waits for each."""

    def work(unit: Unit) -> list[DestinationShown]:
        connection = unit.session.raw
        found = [(peer, destinations.settings_of(connection, peer.id)) for peer in peers.listed(connection)]
        queues, sent_to = destinations.queues(connection), destinations.sent_to(connection)
        return [_shown(peer, settings, queues, sent_to) for peer, settings in found if settings is not None]

    return answer(await within(request, work))


@get("/{name:str}", opt=call(answer=DestinationShown))
async def get_destination(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Return what a peer is told."""
    return answer(await within(request, lambda unit: _seen(unit, *_there(unit, name))))


@post("/", status_code=201, opt=call(body=DestinationNew, answer=DestinationShown, status=201))
async def create_destination(request: Ask) -> Response[bytes]:
    """Let a peer be told something. Where roles are judged, administrators only."""
    sent = form(await request.body(), DestinationNew)

    def work(unit: Unit) -> DestinationShown:
        see_administrator(unit, CHANGES)
        peer = peer_named(unit, sent.name, for_change=True)
        if destinations.settings_of(unit.session.raw, peer.id) is not None:
            raise errors.DuplicateKey("The peer is a destination already: change it.", expression="name")
        made = _changed(Settings(peer.id), sent)
        return _seen(unit, peer, destination_store.store(unit, peer, made))

    return answer(await within(request, work), 201)


@patch("/{name:str}", opt=call(body=DestinationChange, answer=DestinationShown))
async def change_destination(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Change what a peer is told. Where roles are judged, administrators only."""
    sent = form(await request.body(), DestinationChange)

    def work(unit: Unit) -> DestinationShown:
        see_administrator(unit, CHANGES)
        peer, present = _there(unit, name, for_change=True)
        made = _changed(present, sent)
        return _seen(unit, peer, destination_store.store(unit, peer, made, present))

    return answer(await within(request, work))


@delete("/{name:str}", status_code=204, opt=call(answer=None, status=204))
async def remove_destination(request: Ask, name: FromPath[str]) -> None:
    """Tell a peer nothing any more: what waits for it becomes dead letters. Administrators only."""

    def work(unit: Unit) -> None:
        see_administrator(unit, CHANGES)
        peer, _ = _there(unit, name, for_change=True)
        destination_store.remove(unit, peer)

    await within(request, work)


@get("/{name:str}/messages", opt=call(query=Asked, answer=list[Letter]))
async def list_queue(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """List what waits for a peer, or what was given up, oldest first."""
    asked = query(request, Asked)

    def work(unit: Unit) -> list[Letter]:
        peer, dead = peer_named(unit, name), asked.state == "dead"
        found = outbox.queue(unit.session.raw, peer.id, dead=dead, most=asked.limit, skip=asked.skip)
        return [_letter(row) for row in found]

    return answer(await within(request, work))


@post("/{name:str}/resend", status_code=200, opt=call(body=Named, answer=Done, status=200))
async def resend(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Send dead letters again, under the numbers that they had: those named, or all. Administrators only."""
    keys = _keys(form(await request.body(), Named))

    def work(unit: Unit) -> Done:
        see_administrator(unit, CHANGES)
        peer, _ = _there(unit, name)
        return Done(number=destination_store.resend(unit, peer, keys))

    return answer(await within(request, work))


@post("/{name:str}/drop", status_code=200, opt=call(body=Named, answer=Done, status=200))
async def drop(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Give up what waits for a peer: messages that are named, or all. Administrators only."""
    keys = _keys(form(await request.body(), Named))

    def work(unit: Unit) -> Done:
        see_administrator(unit, CHANGES)
        return Done(number=destination_store.drop(unit, peer_named(unit, name), keys))

    return answer(await within(request, work))


def _there(unit: Unit, name: str, *, for_change: bool = False) -> tuple[Peer, Settings]:
    peer = peer_named(unit, name)
    found = destinations.settings_of(unit.session.raw, peer.id, for_change=for_change)
    if found is None:
        raise errors.NotFound(f"The peer {name} is told nothing.", expression="name")
    return peer, found


def _changed(present: Settings, sent: DestinationChange) -> Settings:
    told = sent.told()
    told.pop("name", None)
    return replace(present, **tidy(told))


def _keys(sent: Named) -> list[UUID] | None:
    told = sent.told()
    return [key_of(text) for text in told["id"]] if "id" in told else None


def _seen(unit: Unit, peer: Peer, settings: Settings) -> DestinationShown:
    connection = unit.session.raw
    return _shown(peer, settings, destinations.queues(connection, peer.id), destinations.sent_to(connection))


def _shown(
    peer: Peer, settings: Settings, queues: list[destinations.Queue], sent_to: set[UUID]
) -> DestinationShown:
    held = destinations.backlog(queues, peer.name)
    told: dict[str, Any] = asdict(settings) | {
        "name": peer.name,
        "is_sent_to": peer.id in sent_to,
        "waiting": held.waiting,
        "dead": held.dead,
        "waiting_since": held.since,
    }
    del told["peer_id"]
    return msgspec.convert(told, DestinationShown)


def _letter(row: dict[str, Any]) -> Letter:
    kind = "^".join(part for part in (row["message_type"], row["trigger_event"]) if part)
    names = ("control_id", "status", "attempts", "next_attempt_at", "finished_at", "ack_code", "error_text")
    copied = {name: row[name] for name in names}
    return Letter(id=str(row["id"]), type=kind, queued_at=row["received_at"], **copied)


ROUTES = (
    list_destinations,
    get_destination,
    create_destination,
    change_destination,
    remove_destination,
    list_queue,
    resend,
    drop,
)
