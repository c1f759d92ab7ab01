"""The store of HL7v2 messages, as it is looked at: listed, counted, shown with what each wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row

from storage.model.hl7 import Hl7Message

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

Row = dict[str, Any]
Asked = Mapping[str, Any]

STATUSES = Hl7Message.status.values
DIRECTIONS = Hl7Message.direction.values
WAITING = ("received", "queued", "sent", "failed")
"""Something is still to be done: to apply, to send, to send again."""
FAILED = ("rejected", "error", "dead")
"""It was not applied, or not taken by whom it was for, and is given up."""
STATES = {
    "waiting": f"m.status IN {WAITING}",
    "failed": f"m.status IN {FAILED}",
    # The same message may have been applied since: sent again, or replayed.
    "open": f"""m.status IN {FAILED} AND m.replay_of_id IS NULL AND NOT EXISTS (
        SELECT FROM hl7_message s WHERE s.sha256 = m.sha256 AND s.control_id IS NOT DISTINCT FROM m.control_id
        AND s.status IN ('applied', 'acked'))""",
}
"""Word -> condition on messages; an open one failed, is no replay, and was not applied since."""

FILTERS = {
    "id": "m.id = ANY(%(id)s)",
    "status": "m.status = %(status)s",
    "direction": "m.direction = %(direction)s",
    "message_type": "m.message_type = %(message_type)s",
    "trigger_event": "m.trigger_event = %(trigger_event)s",
    "control_id": "m.control_id = %(control_id)s",
    "sender": "m.sending_app = %(sender)s",
    "peer": "m.peer_id = (SELECT p.id FROM hl7_peer p WHERE p.name = %(peer)s)",
    "date_from": "m.received_at >= %(date_from)s",
    "date_to": "m.received_at < %(date_to)s",
    "patient_id": """m.id IN (SELECT l.message_id FROM hl7_message_link l JOIN resource r
        ON r.id = l.resource_id WHERE r.resource_type = 'Patient' AND r.fhir_id = %(patient_id)s)""",
}
"""Filter -> condition on messages."""

_LISTED = """m.id, m.direction, m.status, m.message_type, m.trigger_event, m.version, m.control_id,
    m.sending_app, m.sending_facility, m.remote_addr, m.received_at, m.finished_at, m.attempts, m.ack_code,
    m.error_code, m.error_location, m.error_text, m.duplicate_of_id, m.replay_of_id, m.replayed_by,
    (SELECT p.name FROM hl7_peer p WHERE p.id = m.peer_id) AS peer"""


def page(connection: Connection[Any], asked: Asked, skip: int, limit: int) -> tuple[list[Row], int]:
    """Return a page of the messages that filters leave (``FILTERS``, and ``state``), the newest first, and
    how many there are.
    """
    source = f"FROM hl7_message m WHERE {_where(asked)}"
    total = connection.execute(f"SELECT count(*) {source}".encode(), asked).fetchone()
    statement = f"""SELECT {_LISTED} {source} ORDER BY m.received_at DESC, m.id DESC
        LIMIT %(limit)s OFFSET %(skip)s"""
    return _rows(connection, statement, {**asked, "skip": skip, "limit": limit}), total[0] if total else 0


def chosen(connection: Connection[Any], asked: Asked, limit: int) -> list[UUID]:
    """Return the messages that filters leave, in the order in which they came.

    Unless they are named, those that leave must be asked for (``direction``), and repeats of applied ones,
    which never did anything, are left out.
    """
    told = asked if asked.keys() & {"id", "direction"} else {"direction": "in", **asked}
    repeats = "true" if "id" in asked else "m.status <> 'duplicate'"
    statement = f"""SELECT m.id FROM hl7_message m WHERE {_where(told)} AND {repeats}
        ORDER BY m.received_at, m.id LIMIT %(limit)s"""
    return [row[0] for row in connection.execute(statement.encode(), {**told, "limit": limit}).fetchall()]


def _where(asked: Asked) -> str:
    told = [STATES[value] if name == "state" else FILTERS[name] for name, value in asked.items()]
    return " AND ".join(["true", *told])


def one(connection: Connection[Any], key: UUID) -> Row | None:
    """Return a message with all that is stored of it, None where there is none."""
    statement = f"""SELECT {_LISTED}, m.peer_id, m.raw, m.charset, m.structure, m.processing_id,
        m.receiving_app, m.receiving_facility, m.ack_raw, m.accept_raw, m.ack_control_id, m.acked_at,
        m.coverage
        FROM hl7_message m WHERE m.id = %(key)s"""
    return next(iter(_rows(connection, statement, {"key": key})), None)


def links(connection: Connection[Any], key: UUID) -> list[Row]:
    """Return what a message wrote or was about: segment, action, resource and its version."""
    return _rows(
        connection,
        """SELECT l.segment_path, l.action, l.version, r.resource_type, r.fhir_id, r.id AS resource_id
        FROM hl7_message_link l JOIN resource r ON r.id = l.resource_id WHERE l.message_id = %(key)s
        ORDER BY l.id""",
        {"key": key},
    )


def repeats(connection: Connection[Any], key: UUID) -> list[Row]:
    """Return the entries that repeat a message or replay it, in the order in which they came."""
    statement = f"""SELECT {_LISTED} FROM hl7_message m
        WHERE m.duplicate_of_id = %(key)s OR m.replay_of_id = %(key)s ORDER BY m.received_at, m.id"""
    return _rows(connection, statement, {"key": key})


def changes(connection: Connection[Any], key: UUID) -> list[Row]:
    """Return the versions that a message has written, each with the bytes before and after (None: there was
    none, or it was deleted).
    """
    # Versions are found by their time: they were written within the transaction that finished the message.
    return _rows(
        connection,
        """SELECT r.resource_type, r.fhir_id, v.op, v.version, p.content AS before, v.content AS after
        FROM hl7_message m JOIN resource_version v ON v.message_id = m.id
        AND v.at BETWEEN m.finished_at - interval '5 minutes' AND m.finished_at + interval '1 second'
        JOIN resource r ON r.id = v.resource_id LEFT JOIN resource_version p
        ON p.resource_id = v.resource_id AND p.version = v.version - 1
        WHERE m.id = %(key)s ORDER BY v.at, r.resource_type, r.id""",
        {"key": key},
    )


class Tally(NamedTuple):
    """How many messages there are of a direction and a status, replays apart; and since when."""

    direction: str
    status: str
    is_replay: bool
    number: int
    oldest: datetime


def tallies(connection: Connection[Any], asked: Asked) -> list[Tally]:
    """Count the messages that filters leave, by direction, status and whether they are replays."""
    statement = f"""SELECT m.direction, m.status, m.replay_of_id IS NOT NULL, count(*), min(m.received_at)
        FROM hl7_message m WHERE {_where(asked)} GROUP BY 1, 2, 3"""
    return [Tally(*row) for row in connection.execute(statement.encode(), asked).fetchall()]


def total(connection: Connection[Any], asked: Asked) -> int:
    """Count the messages that filters leave."""
    found = connection.execute(f"SELECT count(*) FROM hl7_message m WHERE {_where(asked)}".encode(), asked)
    return found.fetchall()[0][0]


class ByStatus(NamedTuple):
    """How many messages there are of each status, how many of these are replays, and since when one that came
    in has waited.
    """

    every: dict[str, int]
    replays: dict[str, int]
    oldest_waiting: datetime | None


# Two indexes tell: one of all messages by status, one of the few that are replays.
_BY_STATUS = b"""SELECT status, count(*), min(received_at) FILTER (WHERE status = 'received')
    FROM hl7_message GROUP BY status"""
_REPLAYED = b"SELECT status, count(*) FROM hl7_message WHERE replay_of_id IS NOT NULL GROUP BY status"


def by_status(connection: Connection[Any]) -> ByStatus:
    """Count all messages."""
    found = connection.execute(_BY_STATUS).fetchall()
    oldest = next((row[2] for row in found if row[0] == "received"), None)
    replays = dict(connection.execute(_REPLAYED).fetchall())
    return ByStatus({row[0]: row[1] for row in found}, replays, oldest)


def _rows(connection: Connection[Any], statement: str, asked: Asked) -> list[Row]:
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(statement.encode(), asked, binary=True).fetchall()
