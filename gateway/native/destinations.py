"""What HL7v2 peers are told, and what waits for them. What sends knows a change within seconds."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from gateway import audit, errors
from gateway.destination_fields import DROPPED, REMOVED, NotADestination, see, tidy
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
from storage.model.ledger import AuditEvent
from storage.peers import Peer

CHANGES = "who is told what"


@get("/", opt=call(answer=list[DestinationShown]))
async def list_destinations(request: Ask) -> Response[bytes]:
    """List what peers are told, by name, with what waits for each."""

    def work(unit: Unit) -> list[DestinationShown]:
        connection = unit.session.raw
        found = [(peer, destinations.settings_of(connection, peer.id)) for peer in peers.listed(connection)]
        queues = destinations.queues(connection)
        return [_shown(peer, settings, queues) for peer, settings in found if settings is not None]

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
        peer = peer_named(unit, sent.name)
        if destinations.settings_of(unit.session.raw, peer.id) is not None:
            raise errors.DuplicateKey("The peer is a destination already: change it.", expression="name")
        return _store(unit, "C", peer, Settings(peer.id), sent)

    return answer(await within(request, work), 201)


@patch("/{name:str}", opt=call(body=DestinationChange, answer=DestinationShown))
async def change_destination(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Change what a peer is told. Where roles are judged, administrators only."""
    sent = form(await request.body(), DestinationChange)

    def work(unit: Unit) -> DestinationShown:
        see_administrator(unit, CHANGES)
        return _store(unit, "U", *_there(unit, name), sent)

    return answer(await within(request, work))


@delete("/{name:str}", status_code=204, opt=call(answer=None, status=204))
async def remove_destination(request: Ask, name: FromPath[str]) -> None:
    """Tell a peer nothing any more: what waits for it becomes dead letters. Administrators only."""

    def work(unit: Unit) -> None:
        see_administrator(unit, CHANGES)
        peer, _ = _there(unit, name)
        destinations.remove(unit.session.raw, peer.id)
        number = outbox.give_up(unit.session.raw, peer.id, None, REMOVED, unit.author.at)
        _tell(unit, "D", peer, dead=number)

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
        number = outbox.send_again(unit.session.raw, keys, peer.id)
        _tell(unit, "E", peer, resent=number)
        return Done(number=number)

    return answer(await within(request, work))


@post("/{name:str}/drop", status_code=200, opt=call(body=Named, answer=Done, status=200))
async def drop(request: Ask, name: FromPath[str]) -> Response[bytes]:
    """Give up what waits for a peer: messages that are named, or all. Administrators only."""
    keys = _keys(form(await request.body(), Named))

    def work(unit: Unit) -> Done:
        see_administrator(unit, CHANGES)
        peer = peer_named(unit, name)
        number = outbox.give_up(unit.session.raw, peer.id, keys, DROPPED, unit.author.at)
        _tell(unit, "E", peer, dead=number)
        return Done(number=number)

    return answer(await within(request, work))


def _there(unit: Unit, name: str) -> tuple[Peer, Settings]:
    peer = peer_named(unit, name)
    found = destinations.settings_of(unit.session.raw, peer.id)
    if found is None:
        raise errors.NotFound(f"The peer {name} is told nothing.", expression="name")
    return peer, found


def _store(
    unit: Unit, action: audit.Action, peer: Peer, present: Settings, sent: DestinationChange
) -> DestinationShown:
    """Store what a peer is told. Raises ValueInvalid for what it cannot be told, or not so."""
    told = sent.told()
    told.pop("name", None)
    made = replace(present, **tidy(told))
    try:
        see(made, peer)
    except NotADestination as error:
        raise errors.ValueInvalid(str(error), expression=error.name) from error
    destinations.store_settings(unit.session.raw, made)
    _tell(unit, action, peer)
    return _seen(unit, peer, made)


def _tell(unit: Unit, action: audit.Action, peer: Peer, **more: int) -> None:
    detail = {"peer": peer.name, **more}
    unit.writer.add(
        AuditEvent, audit.event(unit, action, None, resource_type="hl7_destination", detail=detail)
    )
    unit.flush()


def _keys(sent: Named) -> list[UUID] | None:
    told = sent.told()
    return [key_of(text) for text in told["id"]] if "id" in told else None


def _seen(unit: Unit, peer: Peer, settings: Settings) -> DestinationShown:
    return _shown(peer, settings, destinations.queues(unit.session.raw, peer.id))


def _shown(peer: Peer, settings: Settings, queues: list[destinations.Queue]) -> DestinationShown:
    held = destinations.backlog(queues, peer.name)
    told: dict[str, Any] = asdict(settings) | {
        "name": peer.name,
        "is_sent_to": is_sent_to(peer, settings),
        "waiting": held.waiting,
        "dead": held.dead,
        "waiting_since": held.since,
    }
    del told["peer_id"]
    return msgspec.convert(told, DestinationShown)


def is_sent_to(peer: Peer, settings: Settings) -> bool:
    """Tell whether messages leave for a peer: both are active, and it is said where it is."""
    there = peer.direction != "in" and bool(peer.host and peer.port)
    return there and peer.is_active and settings.is_active


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
