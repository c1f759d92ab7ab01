"""Destinations: what peers are told, how it is sent to them, and how much of it waits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Json

from storage.model.outbox import Hl7Destination
from storage.trip import ask

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from psycopg import Connection

ORDER_MESSAGES = Hl7Destination.order_message.values
STATUS_MESSAGES = Hl7Destination.status_message.values
ACCEPT_ACKS = Hl7Destination.accept_ack.values
APPLICATION_ACKS = Hl7Destination.application_ack.values


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
    status_message: str | None = None
    echo: bool = False
    accept_ack: str | None = None
    application_ack: str | None = None
    application_seconds: int = 60
    tls: bool = False
    tls_name: str | None = None
    tls_ca: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination(Settings):
    """A peer that is told something: its settings, and what the peer itself says."""

    name: str
    host: str
    port: int
    version: str
    charset: str
    receiving_app: str | None
    receiving_facility: str | None
    authorities: dict[str, str] | None


class Queue(NamedTuple):
    """How many messages of a state there are for a peer, and since when."""

    peer: str
    status: str
    number: int
    oldest: datetime


class Backlog(NamedTuple):
    """How many messages wait for a peer, since when, and how many were given up."""

    waiting: int
    since: datetime | None
    dead: int


_NAMES = ", ".join(field.name for field in fields(Settings))
_TOLD = ", ".join(f"d.{field.name}" for field in fields(Settings))
_VALUES = ", ".join(f"%({field.name})s" for field in fields(Settings))
_ANEW = ", ".join(f"{field.name} = EXCLUDED.{field.name}" for field in fields(Settings))
_DESTINATIONS = f"""SELECT {_TOLD}, p.name, p.host, p.port, p.version, p.charset,
    p.sending_app AS receiving_app, p.sending_facility AS receiving_facility, p.authorities
    FROM hl7_destination d JOIN hl7_peer p ON p.id = d.peer_id
    WHERE d.is_active AND p.is_active AND p.direction <> 'in' AND p.host IS NOT NULL AND p.port IS NOT NULL
    ORDER BY p.name"""
_STORE = f"""INSERT INTO hl7_destination ({_NAMES}) VALUES ({_VALUES})
    ON CONFLICT (peer_id) DO UPDATE SET {_ANEW}"""
_QUEUES = """SELECT p.name, m.status, count(*), min(m.received_at) FROM (
    SELECT peer_id, status, received_at FROM hl7_message WHERE direction = 'out' AND finished_at IS NULL
    UNION ALL SELECT peer_id, status, received_at FROM hl7_message WHERE status = 'dead') m
    JOIN hl7_peer p ON p.id = m.peer_id WHERE %(peer)s::uuid IS NULL OR p.id = %(peer)s
    GROUP BY p.name, m.status ORDER BY p.name, m.status"""


def destinations(connection: Connection[Any]) -> list[Destination]:
    """Return the destinations in use, by name: those that messages leave for."""
    with connection.cursor(row_factory=class_row(Destination)) as cursor:
        return cursor.execute(_DESTINATIONS.encode()).fetchall()


def targets(connection: Connection[Any]) -> list[Destination]:
    """Return the destinations in use, in the transaction of a change; quick where there are none."""
    return [Destination(**row) for row in ask(connection, _DESTINATIONS.encode()).dicts()]


def sent_to(connection: Connection[Any]) -> set[UUID]:
    """Return the ids of the peers that messages leave for."""
    return {each.peer_id for each in destinations(connection)}


def store_settings(connection: Connection[Any], settings: Settings) -> None:
    """Store what a peer is told and how, in place of what was there."""
    told = asdict(settings)
    told["order_types"] = None if settings.order_types is None else Json(settings.order_types)
    connection.execute(_STORE.encode(), told)


def settings_of(connection: Connection[Any], peer_id: UUID, *, for_change: bool = False) -> Settings | None:
    """Return what a peer is told and how, None where it is told nothing; locked if it is to be changed, since
    a change stores all of it.
    """
    with connection.cursor(row_factory=class_row(Settings)) as cursor:
        locked = " FOR UPDATE" if for_change else ""
        query = f"SELECT {_NAMES} FROM hl7_destination WHERE peer_id = %s{locked}"
        return cursor.execute(query.encode(), [peer_id]).fetchone()


def remove(connection: Connection[Any], peer_id: UUID) -> None:
    """Tell a peer nothing any more; the messages for it stay as they are."""
    connection.execute("DELETE FROM hl7_destination WHERE peer_id = %s", [peer_id])


def queues(connection: Connection[Any], peer_id: UUID | None = None) -> list[Queue]:
    """Return how many messages wait and are dead letters, for a peer or for all."""
    return [Queue(*row) for row in connection.execute(_QUEUES, {"peer": peer_id}).fetchall()]


def backlog(listed: Iterable[Queue], peer: str) -> Backlog:
    """Return what queues say of a peer, by name."""
    own = [queue for queue in listed if queue.peer == peer]
    waiting = [queue for queue in own if queue.status != "dead"]
    number = sum(queue.number for queue in waiting)
    since = min((queue.oldest for queue in waiting), default=None)
    return Backlog(number, since, sum(queue.number for queue in own) - number)
