"""The journal of HL7v2 messages: each is stored before it is read, and keeps the acknowledgement that it got."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
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
    """A message as it came: its bytes, from where, when, and what its header says (as far as it could be read)."""

    id: UUID
    raw: bytes
    at: datetime
    remote: str
    header: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def sha256(self) -> str:
        """The digest by which the same message is known again."""
        return hashlib.sha256(self.raw).hexdigest()


class Seen(NamedTuple):
    """The journal's entry for an arrival: its own, or that of the same message before, with what it was answered."""

    id: UUID
    status: str
    ack: bytes | None


SEEN = """SELECT id, status, ack_raw FROM hl7_message WHERE direction = 'in' AND sha256 = %s
    AND control_id IS NOT DISTINCT FROM %s AND status IN ('received', 'applied')"""
STATUS = "SELECT status, ack_raw FROM hl7_message WHERE id = %s FOR UPDATE"
FINISH = """UPDATE hl7_message SET status = %s, ack_code = %s, ack_raw = %s, ack_control_id = %s, acked_at = %s,
    error_code = %s, error_location = %s, error_text = %s, coverage = %s, finished_at = %s, attempts = attempts + 1
    WHERE id = %s"""
REUSED = """SELECT EXISTS (SELECT 1 FROM hl7_message WHERE direction = 'in' AND control_id = %s AND sha256 <> %s
    AND sending_app IS NOT DISTINCT FROM %s AND sending_facility IS NOT DISTINCT FROM %s)"""


def enter(connection: Connection[Any], arrival: Arrival) -> Seen:
    """Store an arrival, committed at once; where the same message is in the journal already, return that entry.

    A repeat of an applied message is noted as a row of its own, status ``duplicate``. Needs autocommit.
    """
    digest = arrival.sha256
    control_id = arrival.header.get("control_id")
    for _ in range(3):
        found = connection.execute(SEEN, (digest, control_id), binary=True).fetchone()
        if found is not None:
            seen = Seen(*found)
            if seen.status == "applied":
                connection.execute(*_insert(arrival, digest, "duplicate", seen))
            return seen
        # Two connections may bring the same message at the same time: the index lets one of them in.
        statement, row = _insert(arrival, digest, "received", None)
        if connection.execute(f"{statement} ON CONFLICT DO NOTHING", row).rowcount:
            return Seen(arrival.id, "received", None)
    raise RuntimeError("the journal's entry came and went")


def _insert(arrival: Arrival, digest: str, status: str, original: Seen | None) -> tuple[str, tuple[Any, ...]]:
    row: Row = Hl7Message.blank()
    row.update(arrival.header)
    row.update(
        id=arrival.id,
        direction="in",
        remote_addr=arrival.remote,
        raw=arrival.raw,
        sha256=digest,
        status=status,
        attempts=0,
        received_at=arrival.at,
        duplicate_of_id=original and original.id,
        ack_raw=original and original.ack,
    )
    return insertion("hl7_message"), values("hl7_message", row)


def reused(connection: Connection[Any], arrival: Arrival) -> bool:
    """Tell whether the sender used the control id before, for other content."""
    header = arrival.header
    asked = (header.get("control_id"), arrival.sha256, header.get("sending_app"), header.get("sending_facility"))
    row = connection.execute(REUSED, asked).fetchone()
    return bool(row and row[0])


def lock(connection: Connection[Any], message_id: UUID) -> Seen:
    """Lock an entry for the transaction that applies it, and return how it stands."""
    row = connection.execute(STATUS, (message_id,), binary=True).fetchone()
    if row is None:
        raise LookupError(str(message_id))
    return Seen(message_id, row[0], row[1])


@dataclass(frozen=True)
class Verdict:
    """What came of a message: status, acknowledgement, the first error's code and place, the coverage report."""

    status: str
    ack_code: str
    ack: bytes
    ack_control_id: str
    at: datetime
    error_code: str | None = None
    error_location: str | None = None
    error_text: str | None = None
    coverage: dict[str, Any] | None = None


def finish(connection: Connection[Any], message_id: UUID, verdict: Verdict) -> None:
    """Store what came of a message, in the same transaction as what it wrote."""
    connection.execute(
        FINISH,
        (
            verdict.status,
            verdict.ack_code,
            verdict.ack,
            verdict.ack_control_id,
            verdict.at,
            verdict.error_code,
            verdict.error_location,
            verdict.error_text,
            Json(verdict.coverage) if verdict.coverage is not None else None,
            verdict.at,
            message_id,
        ),
    )
