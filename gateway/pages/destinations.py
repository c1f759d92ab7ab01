"""The destinations to look at: what each peer is told, how much waits and since when, what was given up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from litestar import Response, get

from gateway.destination_fields import RESULT_MESSAGE
from gateway.native.words import Ask, records_of
from gateway.pages.page import page
from storage import destinations, peers
from storage.destinations import Settings

if TYPE_CHECKING:
    from gateway.records import Records
    from storage.peers import Peer


@get("/destinations")
async def destinations_page(request: Ask) -> Response[bytes]:
    """Show what peers are told, and what waits for them."""
    return page("destinations.html", rows=await asyncio.to_thread(_rows, records_of(request)))


def _rows(records: Records) -> list[dict[str, Any]]:
    with records.store.connection() as connection:
        queues, sent_to = destinations.queues(connection), destinations.sent_to(connection)
        found = [(peer, destinations.settings_of(connection, peer.id)) for peer in peers.listed(connection)]
    return [_row(peer, made, queues, peer.id in sent_to) for peer, made in found if made is not None]


def _row(peer: Peer, made: Settings, queues: list[destinations.Queue], is_sent_to: bool) -> dict[str, Any]:
    held = destinations.backlog(queues, peer.name)
    return {
        "name": peer.name,
        "place": f"{peer.host}:{peer.port}{' (TLS)' if made.tls else ''}" if peer.host and peer.port else "",
        "told": [made.order_message, made.status_message, RESULT_MESSAGE if made.results else None],
        "is_sent_to": is_sent_to,
        "waiting": held.waiting,
        "since": held.since,
        "dead": held.dead,
    }
