"""Messages on their way out: queued with the change that they tell of, sent one after another, kept for good.

A row of ``hl7_message`` with direction ``out`` is ``queued`` until it is sent; ``sent`` while its answer is
not known; ``failed`` while it waits to be sent again; then ``acked``, or ``dead`` where it was refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row

from storage.lexical import DECODER
from storage.model.hl7 import Hl7Message, Hl7MessageLink
from storage.trip import Trip, ask
from storage.writer import post_new

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

_LOCK = 0x6F757462
"""The class of the advisory locks by which one worker at a time sends to a destination."""


@dataclass(frozen=True)
class Outgoing:
    """A message that is to leave: its bytes, what its header says, and the order that it must keep (lane).

    ``about`` are id and version of the resource that it tells of. With ``fault`` it is not sent but kept as
    dead.
    """

    id: UUID
    peer_id: UUID
    raw: bytes
    at: datetime
    lane: str
    header: dict[str, Any]
    about: tuple[UUID, int] | None = None
    fault: str | None = None


class Waiting(NamedTuple):
    """A message whose turn it is, and how often it was refused."""

    id: UUID
    control_id: str
    raw: bytes
    attempts: int
    accepted: bytes | None
    """The accept acknowledgement that it got in enhanced mode."""


class Kept(NamedTuple):
    """A resource as a message tells of it: content, fields kept of messages, name among a report's others."""

    id: UUID
    version: int
    content: bytes
    kept: dict[str, dict[str, str]] | None
    sub_id: str | None


_SENDER = b"""SELECT m.peer_id, m.sending_app, m.sending_facility FROM hl7_message m WHERE m.id = $1"""
_PLACED = b"""SELECT m.control_id FROM hl7_message_link l JOIN hl7_message m ON m.id = l.message_id
    WHERE l.resource_id = $1 AND m.direction = 'in' AND m.message_type IN ('ORM', 'OML', 'OMG', 'OMI')
    AND m.control_id <> '' ORDER BY m.received_at DESC LIMIT 1"""
_GATHER = b"""SELECT r.id, r.version, v.content, r.v2_remainder, o.sub_id
    FROM unnest($1::text[], $2::text[]) AS w(kind, name)
    JOIN resource r ON r.resource_type = w.kind AND r.fhir_id = w.name AND r.deleted_at IS NULL
    JOIN resource_version v ON v.resource_id = r.id AND v.version = r.version
    LEFT JOIN observation o ON o.id = r.id"""
_BELONGING = b"""SELECT r.id, r.version, v.content, r.v2_remainder, NULL::text
    FROM reference f JOIN resource r ON r.id = f.owner_id AND r.deleted_at IS NULL
    JOIN resource_version v ON v.resource_id = r.id AND v.version = r.version
    JOIN unnest($2::text[], $3::text[]) AS k(kind, path) ON r.resource_type = k.kind AND f.path = k.path
    WHERE f.target_fhir_id = ANY($1::text[]) ORDER BY r.created_at, r.id"""
_REFERRING = b"""SELECT DISTINCT r.fhir_id FROM reference f JOIN resource r ON r.id = f.owner_id
    WHERE f.target_id = ANY($1) AND f.path = $2 AND r.resource_type = $3 AND r.deleted_at IS NULL"""
# One statement, of which each part is asked only where those before it found nothing: what may have arrived
# already; the first of the oldest that is due and has none of its lane before it; of many that wait, the same
# by lanes. The orders by index columns keep each part from reading more, whatever the planner thinks.
HEAD = """SELECT * FROM (
(SELECT id, control_id, raw, attempts, accept_raw FROM hl7_message
    WHERE direction = 'out' AND status = 'sent' AND finished_at IS NULL AND peer_id = %(peer)s
    ORDER BY peer_id, id LIMIT 1)
UNION ALL
(SELECT m.id, m.control_id, m.raw, m.attempts, m.accept_raw FROM (SELECT * FROM hl7_message
        WHERE direction = 'out' AND finished_at IS NULL AND peer_id = %(peer)s
        ORDER BY peer_id, id LIMIT 1000) m
    WHERE (m.next_attempt_at IS NULL OR m.next_attempt_at <= %(now)s)
    AND m.id = (SELECT e.id FROM hl7_message e WHERE e.direction = 'out' AND e.finished_at IS NULL
        AND e.peer_id = m.peer_id AND e.lane = m.lane ORDER BY e.peer_id, e.lane, e.id LIMIT 1)
    ORDER BY m.id LIMIT 1)
UNION ALL
(WITH RECURSIVE lanes AS (
    (SELECT id, lane, next_attempt_at FROM hl7_message WHERE direction = 'out' AND finished_at IS NULL
        AND peer_id = %(peer)s ORDER BY peer_id, lane, id LIMIT 1)
    UNION ALL
    SELECT n.id, n.lane, n.next_attempt_at FROM lanes l CROSS JOIN LATERAL (
        SELECT id, lane, next_attempt_at FROM hl7_message WHERE direction = 'out' AND finished_at IS NULL
        AND peer_id = %(peer)s AND lane > l.lane ORDER BY peer_id, lane, id LIMIT 1) n)
SELECT m.id, m.control_id, m.raw, m.attempts, m.accept_raw FROM lanes l JOIN hl7_message m ON m.id = l.id
    WHERE l.next_attempt_at IS NULL OR l.next_attempt_at <= %(now)s ORDER BY m.id LIMIT 1)
) found LIMIT 1"""
_SENT = "UPDATE hl7_message SET status = 'sent' WHERE id = %s AND finished_at IS NULL"
_TAKEN = "UPDATE hl7_message SET accept_raw = %s WHERE id = %s AND finished_at IS NULL"
_LATE = """UPDATE hl7_message SET ack_code = %(code)s, ack_raw = %(raw)s, ack_control_id = %(ack_id)s,
    acked_at = %(at)s, status = %(status)s, error_text = %(error)s, finished_at = %(at)s
    WHERE direction = 'out' AND control_id = %(number)s AND peer_id = %(peer)s AND accept_raw IS NOT NULL
    AND (status = 'sent' OR (status = 'acked' AND ack_code = 'CA'))"""
_OPEN = "SELECT 1 FROM hl7_message WHERE id = %s AND finished_at IS NULL"
_ANSWERED = """UPDATE hl7_message SET status = %(status)s, ack_code = %(code)s, ack_raw = %(raw)s,
    ack_control_id = %(ack_id)s, acked_at = %(at)s, error_text = %(error)s, attempts = attempts + 1,
    next_attempt_at = %(next)s, finished_at = %(finished)s,
    accept_raw = CASE WHEN %(done)s THEN accept_raw ELSE NULL END
    WHERE id = %(id)s AND finished_at IS NULL"""
_DEAD = """UPDATE hl7_message SET status = 'dead', error_text = %(why)s, finished_at = %(at)s
    WHERE direction = 'out' AND finished_at IS NULL AND peer_id = %(peer)s
    AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))"""
_AGAIN = """UPDATE hl7_message SET status = 'queued', attempts = 0, next_attempt_at = NULL,
    finished_at = NULL, error_text = NULL, accept_raw = NULL
    WHERE raw <> '' AND direction = 'out' AND status = 'dead'
    AND (%(peer)s::uuid IS NULL OR peer_id = %(peer)s) AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))"""
_LIST = """SELECT m.id, p.name AS peer, m.control_id, m.message_type, m.trigger_event, m.status, m.attempts,
    m.received_at, m.next_attempt_at, m.finished_at, m.ack_code, m.error_text
    FROM hl7_message m JOIN hl7_peer p ON p.id = m.peer_id WHERE m.direction = 'out' AND m.peer_id = %(peer)s
    AND {} ORDER BY m.peer_id, m.id LIMIT %(most)s OFFSET %(skip)s"""


# --- who sends ---------------------------------------------------------------------------------------------


def take(connection: Connection[Any], peer_id: UUID) -> bool:
    """Keep a destination from all other workers while this connection is open; False where one has it."""
    found = connection.execute(
        "SELECT pg_try_advisory_lock(%s, hashtext(%s))", [_LOCK, str(peer_id)]
    ).fetchone()
    return bool(found and found[0])


def leave(connection: Connection[Any], peer_id: UUID) -> None:
    """Let another worker send to a destination."""
    connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [_LOCK, str(peer_id)])


def leave_all(connection: Connection[Any]) -> None:
    """Let other workers send to all destinations."""
    connection.execute("SELECT pg_advisory_unlock_all()")


# --- what messages are made of ------------------------------------------------------------------------------


def gather(connection: Connection[Any], names: Iterable[tuple[str, str]]) -> list[Kept]:
    """Return live resources by type and id, as this transaction sees them."""
    wanted = sorted(set(names))
    if not wanted:
        return []
    answer = ask(connection, _GATHER, [kind for kind, _ in wanted], [name for _, name in wanted])
    return [Kept(*row) for row in answer.rows()]


def belonging(
    connection: Connection[Any], owners: Sequence[str], paths: Sequence[tuple[str, str]]
) -> list[Kept]:
    """Return the live resources that refer to any of these by a path of their type, oldest first."""
    kinds, names = [kind for kind, _ in paths], [path for _, path in paths]
    return [Kept(*row) for row in ask(connection, _BELONGING, list(owners), kinds, names).rows()]


def referring(connection: Connection[Any], resource_type: str, path: str, ids: Sequence[UUID]) -> list[str]:
    """Return the ids of the live resources of a type that refer to any of these by a path."""
    if not ids:
        return []
    return [row[0] for row in ask(connection, _REFERRING, list(ids), path, resource_type).rows()]


def sender(connection: Connection[Any], message_id: UUID) -> tuple[UUID | None, str | None, str | None]:
    """Return who sent a message: the peer, as far as it is known, application and facility."""
    found = ask(connection, _SENDER, message_id).rows()
    return found[0] if found else (None, None, None)


def number_of(connection: Connection[Any], order_id: UUID) -> str | None:
    """Return MSH-10 of the last order message about an order, None where there was none."""
    found = ask(connection, _PLACED, order_id).rows()
    return found[0][0] if found else None


def add(connection: Connection[Any], messages: Sequence[Outgoing], new_id: Callable[[], UUID]) -> None:
    """Queue messages, with links to what they tell of; they leave once this transaction is committed."""
    trip = Trip(connection)
    post_new(trip, "hl7_message", [_row(message) for message in messages])
    post_new(trip, "hl7_message_link", [_link(message, new_id()) for message in messages if message.about])
    trip.make()


def _link(message: Outgoing, key: UUID) -> dict[str, Any]:
    row = Hl7MessageLink.blank()
    resource_id, version = message.about or (None, None)
    told = {
        "resource_id": resource_id,
        "version": version,
        "action": "matched",
        "segment_path": "ORDER[1].OBR",
    }
    row.update(told, id=key, message_id=message.id)
    return row


def _row(message: Outgoing) -> dict[str, Any]:
    row = Hl7Message.blank()
    row.update(message.header)
    row.update(
        id=message.id,
        direction="out",
        peer_id=message.peer_id,
        raw=message.raw,
        sha256=hashlib.sha256(message.raw).hexdigest(),
        status="dead" if message.fault else "queued",
        error_text=message.fault,
        lane=message.lane,
        attempts=0,
        received_at=message.at,
        finished_at=message.at if message.fault else None,
    )
    return row


# --- sending ------------------------------------------------------------------------------------------------


def head(connection: Connection[Any], peer_id: UUID, now: datetime) -> Waiting | None:
    """Return the message whose turn it is: the oldest that is due and has none of its lane before it."""
    found = connection.execute(HEAD, {"peer": peer_id, "now": now}).fetchone()
    if found is None:
        return None
    return Waiting(found[0], found[1], bytes(found[2]), found[3], found[4] and bytes(found[4]))


def sending(connection: Connection[Any], message_id: UUID) -> None:
    """Note that a message is on the wire: whether it arrives is not known until it is answered."""
    connection.execute(_SENT, [message_id])


def accepted(connection: Connection[Any], message_id: UUID, raw: bytes) -> None:
    """Note that a peer has a message (CA), and is to tell what came of it."""
    connection.execute(_TAKEN, [raw, message_id])


def is_open(connection: Connection[Any], message_id: UUID) -> bool:
    """Whether a message still waits for something."""
    return connection.execute(_OPEN, [message_id]).fetchone() is not None


@dataclass(frozen=True)
class Reply:
    """What a peer answered: status that the message has then, code, bytes, number, and when."""

    status: str
    at: datetime
    code: str | None = None
    raw: bytes | None = None
    ack_id: str | None = None
    error: str | None = None
    next_at: datetime | None = None


def answered(connection: Connection[Any], message_id: UUID, reply: Reply) -> bool:
    """Note what a peer answered: the message is acked, failed (to be sent again), dead. False if it was."""
    done = reply.status in ("acked", "dead")
    told = {
        "id": message_id,
        "status": reply.status,
        "done": done,
        "code": reply.code,
        "raw": reply.raw,
        "ack_id": reply.ack_id,
        "at": reply.at,
        "error": reply.error,
        "next": reply.next_at,
        "finished": reply.at if done else None,
    }
    return connection.execute(_ANSWERED, told).rowcount == 1


def answered_late(connection: Connection[Any], number: str, peer_id: UUID, reply: Reply) -> bool:
    """Note what a peer tells of a message of that number which it had taken; False if it had not."""
    told = {
        "number": number,
        "peer": peer_id,
        "status": reply.status,
        "code": reply.code,
        "raw": reply.raw,
        "ack_id": reply.ack_id,
        "at": reply.at,
        "error": reply.error,
    }
    return connection.execute(_LATE, told).rowcount > 0


# --- for people ---------------------------------------------------------------------------------------------


def queue(
    connection: Connection[Any], peer_id: UUID, *, dead: bool = False, most: int = 100, skip: int = 0
) -> list[dict[str, Any]]:
    """Return what waits for a peer, or the dead letters, oldest first."""
    condition = "m.status = 'dead'" if dead else "m.finished_at IS NULL"
    with connection.cursor(row_factory=dict_row) as cursor:
        told = {"peer": peer_id, "most": most, "skip": skip}
        return cursor.execute(_LIST.format(condition).encode(), told).fetchall()


def send_again(connection: Connection[Any], ids: Sequence[UUID] | None, peer_id: UUID | None = None) -> int:
    """Queue dead letters anew, under the numbers that they had: those named, or all of a peer.

    Return how many those were; what never could be written cannot be sent.
    """
    if ids is None and peer_id is None:
        raise ValueError("dead letters are named, or those of a peer")
    told = {"ids": None if ids is None else list(ids), "peer": peer_id}
    return connection.execute(_AGAIN, told).rowcount


def give_up(
    connection: Connection[Any], peer_id: UUID, ids: Sequence[UUID] | None, why: str, at: datetime
) -> int:
    """Make what waits for a peer dead letters: those named, or all; return how many those were."""
    told = {"peer": peer_id, "ids": None if ids is None else list(ids), "why": why, "at": at}
    return connection.execute(_DEAD, told).rowcount


def decode(content: bytes) -> Any:
    """Return the JSON value of a content."""
    return DECODER.decode(bytes(content))
