"""Messages on their way out: queued with the change that they tell of, sent one after another, kept for good.

A row of ``hl7_message`` with direction ``out`` is ``queued`` until it is sent; ``sent`` while its answer is
not known; ``failed`` while it waits to be sent again; then ``acked``, or ``dead`` where it was refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Json

from storage.lexical import DECODER
from storage.model.hl7 import Hl7Message, Hl7MessageLink
from storage.trip import Trip, ask
from storage.writer import post_new

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

_LOCK = 0x6F757462
"""The class of the advisory locks by which one worker at a time sends to a destination."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a destination is told, and how: the columns of ``hl7_destination``."""

    peer_id: UUID
    order_message: str | None = None
    order_types: list[str] | None = None
    results: bool = False
    own_only: bool = True
    sending_app: str = "SUTURE"
    sending_facility: str = ""
    processing_id: str = "P"
    ack_seconds: int = 30
    retry_seconds: int = 5
    most_retry_seconds: int = 300
    most_attempts: int = 10
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Destination:
    """A peer that is told something: its settings, and what the peer itself says."""

    peer_id: UUID
    order_message: str | None
    order_types: list[str] | None
    results: bool
    own_only: bool
    sending_app: str
    sending_facility: str
    processing_id: str
    ack_seconds: int
    retry_seconds: int
    most_retry_seconds: int
    most_attempts: int
    is_active: bool
    name: str
    host: str
    port: int
    version: str
    charset: str
    receiving_app: str | None
    receiving_facility: str | None
    authorities: dict[str, str] | None


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


class Kept(NamedTuple):
    """A resource as a message tells of it: content, fields kept of messages, name among a report's others."""

    id: UUID
    version: int
    content: bytes
    kept: dict[str, dict[str, str]] | None
    sub_id: str | None


_DESTINATIONS = """SELECT d.*, p.name, p.host, p.port, p.version, p.charset, p.sending_app AS receiving_app,
    p.sending_facility AS receiving_facility, p.authorities
    FROM hl7_destination d JOIN hl7_peer p ON p.id = d.peer_id
    WHERE d.is_active AND p.is_active AND p.direction <> 'in' AND p.host IS NOT NULL AND p.port IS NOT NULL
    ORDER BY p.name"""
_NAMES = ", ".join(field.name for field in fields(Settings))
_VALUES = ", ".join(f"%({field.name})s" for field in fields(Settings))
_ANEW = ", ".join(f"{field.name} = EXCLUDED.{field.name}" for field in fields(Settings))
_STORE = f"""INSERT INTO hl7_destination ({_NAMES}) VALUES ({_VALUES})
    ON CONFLICT (peer_id) DO UPDATE SET {_ANEW}"""
_SENDER = b"""SELECT m.peer_id, m.sending_app, m.sending_facility FROM hl7_message m WHERE m.id = $1"""
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
_HEAD = """SELECT id, control_id, raw, attempts FROM hl7_message m
    WHERE direction = 'out' AND finished_at IS NULL AND peer_id = %(peer)s
    AND (next_attempt_at IS NULL OR next_attempt_at <= %(now)s)
    AND NOT EXISTS (SELECT 1 FROM hl7_message e WHERE e.direction = 'out' AND e.finished_at IS NULL
        AND e.peer_id = m.peer_id AND e.lane = m.lane AND e.id < m.id)
    ORDER BY (status = 'sent') DESC, id LIMIT 1"""
_SENT = "UPDATE hl7_message SET status = 'sent' WHERE id = %s AND finished_at IS NULL"
_ANSWERED = """UPDATE hl7_message SET status = %(status)s, ack_code = %(code)s, ack_raw = %(raw)s,
    ack_control_id = %(ack_id)s, acked_at = %(at)s, error_text = %(error)s, attempts = attempts + 1,
    next_attempt_at = %(next)s, finished_at = %(finished)s WHERE id = %(id)s AND finished_at IS NULL"""
_DEAD = """UPDATE hl7_message SET status = 'dead', error_text = %s, finished_at = %s
    WHERE id = %s AND direction = 'out' AND finished_at IS NULL"""
_AGAIN = """UPDATE hl7_message SET status = 'queued', attempts = 0, next_attempt_at = NULL,
    finished_at = NULL, error_text = NULL
    WHERE raw <> '' AND direction = 'out' AND status = 'dead' AND id = ANY(%s)"""
_LIST = """SELECT m.id, p.name AS peer, m.control_id, m.message_type, m.trigger_event, m.status, m.attempts,
    m.received_at, m.next_attempt_at, m.finished_at, m.ack_code, m.error_text
    FROM hl7_message m LEFT JOIN hl7_peer p ON p.id = m.peer_id WHERE m.direction = 'out'
    AND (%(states)s::text[] IS NULL OR m.status = ANY(%(states)s))
    AND (%(peer)s::text IS NULL OR p.name = %(peer)s)
    ORDER BY m.id LIMIT %(most)s"""
_COUNT = """SELECT status, count(*) FROM hl7_message WHERE direction = 'out'
    AND (%(peer)s::uuid IS NULL OR peer_id = %(peer)s) GROUP BY status"""


_TAKE = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"

# --- destinations -------------------------------------------------------------------------------------------


def destinations(connection: Connection[Any]) -> list[Destination]:
    """Return the destinations in use, by name."""
    with connection.cursor(row_factory=class_row(Destination)) as cursor:
        return cursor.execute(_DESTINATIONS).fetchall()


def targets(connection: Connection[Any]) -> list[Destination]:
    """Return the destinations in use, in the transaction of a change; quick where there are none."""
    return [Destination(**row) for row in ask(connection, _DESTINATIONS.encode()).dicts()]


def store_settings(connection: Connection[Any], settings: Settings) -> None:
    """Store what a peer is told and how, in place of what was there."""
    told = asdict(settings)
    told["order_types"] = None if settings.order_types is None else Json(settings.order_types)
    connection.execute(_STORE.encode(), told)


def settings_of(connection: Connection[Any], peer_id: UUID) -> Settings | None:
    """Return what a peer is told and how, None where it is told nothing."""
    with connection.cursor(row_factory=class_row(Settings)) as cursor:
        query = f"SELECT {_NAMES} FROM hl7_destination WHERE peer_id = %s"
        return cursor.execute(query.encode(), [peer_id]).fetchone()


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
    found = connection.execute(_HEAD, {"peer": peer_id, "now": now}).fetchone()
    return Waiting(found[0], found[1], bytes(found[2]), found[3]) if found else None


def sending(connection: Connection[Any], message_id: UUID) -> None:
    """Note that a message is on the wire: whether it arrives is not known until it is answered."""
    connection.execute(_SENT, [message_id])


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
        "code": reply.code,
        "raw": reply.raw,
        "ack_id": reply.ack_id,
        "at": reply.at,
        "error": reply.error,
        "next": reply.next_at,
        "finished": reply.at if done else None,
    }
    return connection.execute(_ANSWERED, told).rowcount == 1


# --- for people ---------------------------------------------------------------------------------------------


def waiting(
    connection: Connection[Any], states: Sequence[str] | None = None, peer: str | None = None, most: int = 100
) -> list[dict[str, Any]]:
    """Return messages that leave, oldest first: those in any of the states, for a peer by name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        told = {"states": list(states) if states else None, "peer": peer, "most": most}
        return cursor.execute(_LIST, told).fetchall()


def counts(connection: Connection[Any], peer_id: UUID | None = None) -> dict[str, int]:
    """Return how many messages that leave, for a peer or for all, are in each state."""
    return dict(connection.execute(_COUNT, {"peer": peer_id}).fetchall())


def send_again(connection: Connection[Any], ids: Sequence[UUID]) -> int:
    """Queue dead letters anew, under the numbers that they had; return how many those were."""
    return connection.execute(_AGAIN, [list(ids)]).rowcount


def give_up(connection: Connection[Any], message_id: UUID, why: str, at: datetime) -> bool:
    """Make a message that waits a dead letter; False where it does not wait."""
    return connection.execute(_DEAD, [why, at, message_id]).rowcount == 1


def decode(content: bytes) -> Any:
    """Return the JSON value of a content."""
    return DECODER.decode(bytes(content))
