"""The journal of HL7v2 messages: each is stored before it is applied, and keeps its acknowledgement."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.types.json import Json

from storage.model.columns import Row
from storage.model.hl7 import Hl7Message
from storage.writer import insertion, values

if TYPE_CHECKING:
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
    """The journal's entry for an arrival: its own, or that of the same message before, and its answer."""

    id: UUID
    status: str
    ack: bytes | None


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


SEEN = """SELECT id, status, ack_raw FROM hl7_message WHERE direction = 'in' AND sha256 = %s
    AND control_id IS NOT DISTINCT FROM %s AND status IN ('received', 'applied')"""
STATUS = "SELECT id, status, ack_raw FROM hl7_message WHERE id = %s"
FINISH = """UPDATE hl7_message SET status = %s, ack_code = %s, ack_raw = %s, ack_control_id = %s,
    acked_at = %s, error_code = %s, error_location = %s, error_text = %s, coverage = %s, finished_at = %s,
    attempts = attempts + 1 WHERE id = %s AND status = 'received'"""
REUSED = """SELECT EXISTS (SELECT 1 FROM hl7_message WHERE direction = 'in' AND control_id = %s
    AND sha256 <> %s AND sending_app IS NOT DISTINCT FROM %s AND sending_facility IS NOT DISTINCT FROM %s)"""


def enter(connection: Connection[Any], arrival: Arrival) -> Seen:
    """Store an arrival, committed at once; where the same message is there already, return its entry.

    A repeat of an applied message is noted as a row of its own, status ``duplicate``. Needs autocommit.
    """
    for _ in range(3):
        # Two connections may bring the same message at the same time: the index lets one of them in.
        statement, row = _insert(arrival, "received")
        if connection.execute(statement + b" ON CONFLICT DO NOTHING", row).rowcount:
            return Seen(arrival.id, "received", None)
        asked = (arrival.sha256, arrival.header.get("control_id"))
        found = connection.execute(SEEN, asked, binary=True).fetchone()
        if found is not None:
            seen = Seen(*found)
            if seen.status == "applied":
                repeat(connection, arrival, seen)
            return seen
    raise RuntimeError("the journal's entry came and went")


def repeat(connection: Connection[Any], arrival: Arrival, seen: Seen) -> None:
    """Note an arrival as a repeat of an entry, which was answered with that entry's acknowledgement."""
    told = {"duplicate_of_id": seen.id, "ack_raw": seen.ack, "finished_at": arrival.at}
    connection.execute(*_insert(arrival, "duplicate", told))


def keep(connection: Connection[Any], arrival: Arrival, verdict: Verdict) -> None:
    """Store an arrival that is not to be read, with what came of it."""
    told = {
        "ack_code": verdict.ack_code,
        "ack_raw": verdict.ack,
        "ack_control_id": verdict.ack_control_id,
        "acked_at": verdict.ack and verdict.at,
        "error_code": verdict.error_code,
        "error_text": verdict.error_text,
        "finished_at": verdict.at,
    }
    connection.execute(*_insert(arrival, verdict.status, told))


def _insert(arrival: Arrival, status: str, told: Row | None = None) -> tuple[bytes, tuple[Any, ...]]:
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
    return insertion("hl7_message"), values("hl7_message", row)


def reused(connection: Connection[Any], arrival: Arrival) -> bool:
    """Tell whether the sender used the control id before, for other content."""
    header = arrival.header
    asked = (
        header.get("control_id"),
        arrival.sha256,
        header.get("sending_app"),
        header.get("sending_facility"),
    )
    row = connection.execute(REUSED, asked).fetchone()
    return bool(row and row[0])


def lock(connection: Connection[Any], message_id: UUID) -> Seen:
    """Lock an entry for the transaction that applies it, and return how it stands."""
    return _entry(connection, f"{STATUS} FOR UPDATE".encode(), message_id)


def look(connection: Connection[Any], message_id: UUID) -> Seen:
    """Return how an entry stands."""
    return _entry(connection, STATUS.encode(), message_id)


def _entry(connection: Connection[Any], statement: bytes, message_id: UUID) -> Seen:
    row = connection.execute(statement, (message_id,), binary=True).fetchone()
    if row is None:
        raise LookupError(str(message_id))
    return Seen(*row)


def finish(connection: Connection[Any], message_id: UUID, verdict: Verdict) -> bool:
    """Store what came of a message, in the transaction of what it wrote; False if it was finished before."""
    cursor = connection.execute(
        FINISH,
        (
            verdict.status,
            verdict.ack_code,
            verdict.ack,
            verdict.ack_control_id,
            verdict.ack and verdict.at,
            verdict.error_code,
            verdict.error_location,
            verdict.error_text,
            Json(verdict.coverage) if verdict.coverage is not None else None,
            verdict.at,
            message_id,
        ),
    )
    return cursor.rowcount == 1
