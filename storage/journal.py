"""The journal of HL7v2 messages: each is stored before it is applied, and keeps its acknowledgement."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from storage.lexical import ENCODER
from storage.model.columns import Row
from storage.model.hl7 import Hl7Message
from storage.session import NO_WAIT
from storage.trip import Trip, ask, on_wire
from storage.writer import post_new

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg import Connection


@dataclass(frozen=True)
class Arrival:
    """A message as it came: its bytes, from where, when, and what its header says (if it could be read)."""

    id: UUID
    raw: bytes
    at: datetime
    remote: str
    header: dict[str, Any] = field(default_factory=dict[str, Any])

    @cached_property
    def sha256(self) -> str:
        """The digest by which the same message is known again."""
        return hashlib.sha256(self.raw).hexdigest()


class Seen(NamedTuple):
    """The journal's entry for an arrival: its own, or that of the same message before, and its answers: what
    came of it, and before that, that it was taken.
    """

    id: UUID
    status: str
    ack: bytes | None
    accept: bytes | None = None


@dataclass(frozen=True)
class Verdict:
    """What came of a message: status, acknowledgement, the first error's code and place, the coverage report.

    ``ack`` and its code are None where nothing is answered.
    """

    status: str
    at: datetime
    ack_code: str | None = None
    ack: bytes | None = None
    ack_control_id: str | None = None
    error_code: str | None = None
    error_location: str | None = None
    error_text: str | None = None
    coverage: dict[str, Any] | None = None


SEEN = b"""SELECT id, status, ack_raw, accept_raw FROM hl7_message WHERE direction = 'in' AND sha256 = $1
    AND control_id IS NOT DISTINCT FROM $2 AND status IN ('received', 'applied')
    AND duplicate_of_id IS NULL"""
STATUS = b"SELECT id, status, ack_raw, accept_raw FROM hl7_message WHERE id = $1"
FINISH = b"""UPDATE hl7_message SET status = $1, ack_code = $2, ack_raw = $3, ack_control_id = $4,
    acked_at = $5, error_code = $6, error_location = $7, error_text = $8, coverage = $9, finished_at = $10,
    attempts = attempts + 1 WHERE id = $11 AND status = 'received'"""
TAKEN = b"""SELECT id, raw, remote_addr, peer_id FROM hl7_message WHERE direction = 'in'
    AND status = 'received' AND accept_raw IS NOT NULL AND received_at < $1 ORDER BY received_at, id"""
REUSED = b"""SELECT EXISTS (SELECT 1 FROM hl7_message WHERE direction = 'in' AND status = 'applied'
    AND control_id = $1 AND sha256 <> $2 AND sending_app IS NOT DISTINCT FROM $3
    AND sending_facility IS NOT DISTINCT FROM $4)"""


def enter(connection: Connection[Any], arrival: Arrival) -> Seen:
    """Store an arrival, committed at once; where the same message is there already, return its entry.

    The commit waits for the disk only where an answer to it leaves at once (``accept_raw``): whatever is
    answered later is committed after it, and what the server writes to its log it writes in that order.
    A repeat of an applied message is noted as a row of its own, status ``duplicate``. Needs autocommit.
    """
    answered = arrival.header.get("accept_raw") is not None
    for _ in range(3):
        # Two connections may bring the same message at the same time: the index lets one of them in.
        if _insert(connection, arrival, "received", ending=b" ON CONFLICT DO NOTHING", waits=answered):
            return Seen(arrival.id, "received", None)
        asked = (arrival.sha256, arrival.header.get("control_id"))
        for found in ask(connection, SEEN, *asked, binary=True).rows():
            seen = Seen(*found)
            if seen.status == "applied":
                repeat(connection, arrival, seen)
            return seen
    raise RuntimeError("the journal's entry came and went")


def repeat(connection: Connection[Any], arrival: Arrival, seen: Seen) -> None:
    """Note an arrival as a repeat of an entry, which was answered with that entry's acknowledgement."""
    told = {
        "duplicate_of_id": seen.id,
        "ack_raw": seen.ack,
        "accept_raw": seen.accept,
        "finished_at": arrival.at,
    }
    _insert(connection, arrival, "duplicate", told)


def keep(connection: Connection[Any], arrival: Arrival, verdict: Verdict, *, is_whole: bool = False) -> None:
    """Store an arrival that is not applied, with what came of it; one that ``is_whole`` may be later."""
    told = {
        "attempts": int(is_whole),
        "ack_code": verdict.ack_code,
        "ack_raw": verdict.ack,
        "ack_control_id": verdict.ack_control_id,
        "acked_at": verdict.ack and verdict.at,
        "error_code": verdict.error_code,
        "error_location": verdict.error_location,
        "error_text": verdict.error_text,
        "finished_at": verdict.at,
    }
    _insert(connection, arrival, verdict.status, told)


def _insert(
    connection: Connection[Any],
    arrival: Arrival,
    status: str,
    told: Row | None = None,
    ending: bytes = b"",
    *,
    waits: bool = True,
) -> int:
    """Insert a row; return how many rows that made. Unless it ``waits`` for the disk, it is there with the
    next commit.
    """
    row: Row = Hl7Message.blank()
    row.update(arrival.header)
    row.update(
        id=arrival.id,
        direction="in",
        remote_addr=arrival.remote,
        raw=arrival.raw,
        sha256=arrival.sha256,
        status=status,
        attempts=0,
        received_at=arrival.at,
    )
    row.update(told or {})
    trip = Trip(connection)
    if not waits:
        trip.ask(NO_WAIT, ())
    answer = post_new(trip, "hl7_message", [row], ending)
    trip.make()
    return answer.rowcount


class Taken(NamedTuple):
    """A message whose sender was told that it was taken, and that is not applied yet."""

    id: UUID
    raw: bytes
    remote: str | None
    peer_id: UUID | None


def taken(connection: Connection[Any], before: datetime) -> list[Taken]:
    """Return the messages that were taken before a time and are not applied, as they came."""
    return [Taken(*row) for row in ask(connection, TAKEN, before, binary=True).rows()]


def lock(connection: Connection[Any], message_id: UUID, arrival: Arrival) -> tuple[Seen, bool]:
    """Lock an entry for the transaction that applies it; return how it stands, and whether the sender used
    the control id before, for other content that was applied: what was cut off or refused is sent again
    under it, whole or mended.
    """
    header = arrival.header
    asked = (
        header.get("control_id"),
        arrival.sha256,
        header.get("sending_app"),
        header.get("sending_facility"),
    )
    trip = Trip(connection)
    entry = trip.ask(STATUS + b" FOR UPDATE", (on_wire(message_id),), binary=True)
    reused = trip.ask(REUSED, [on_wire(value) for value in asked])
    trip.make()
    for row in entry.rows():
        return Seen(*row), reused.rows() == [(True,)]
    raise LookupError(str(message_id))


def look(connection: Connection[Any], message_id: UUID) -> Seen:
    """Return how an entry stands."""
    for row in ask(connection, STATUS, message_id, binary=True).rows():
        return Seen(*row)
    raise LookupError(str(message_id))


def finish(
    connection: Connection[Any], message_id: UUID, verdict: Verdict, links: Sequence[Row] = ()
) -> bool:
    """Store what came of a message, with its links to the records that it was about, in the transaction of
    what it wrote; False if it was finished before.
    """
    coverage = None if verdict.coverage is None else ENCODER.encode(verdict.coverage)
    told = (
        verdict.status,
        verdict.ack_code,
        verdict.ack,
        verdict.ack_control_id,
        verdict.ack and verdict.at,
        verdict.error_code,
        verdict.error_location,
        verdict.error_text,
        coverage,
        verdict.at,
        message_id,
    )
    trip = Trip(connection)
    if links:
        post_new(trip, "hl7_message_link", list(links))
    answer = trip.ask(
        FINISH, [on_wire(value) for value in told], [int(value is verdict.ack) for value in told]
    )
    trip.make()
    return answer.rowcount == 1
