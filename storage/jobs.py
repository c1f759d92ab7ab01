"""Requests that are answered later: kept until they are done, done by one at a time, answered once.

Whoever works on a job holds its row in a transaction (FOR NO KEY UPDATE), which ends with its process: then
another takes the job up. What makes the outcome sure is not that lock but the key of ``async_answer``: work
that commits writes the answer in the same transaction, and a second answer is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from psycopg.types.json import Json

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

CANCELLED: Final = 0
"""The status of an answer that nobody waits for any more."""


@dataclass(frozen=True)
class Job:
    """A request: who asked, what, and with which headers."""

    id: UUID
    caller: str | None
    method: str
    path: str
    query: str
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    attempts: int = 0


class State(NamedTuple):
    """How a job stands: who asked and when, since when it is worked on, how many entries of a batch are done,
    and its answer (status, content, time) if there is one.
    """

    caller: str | None
    asked_at: datetime
    started_at: datetime | None
    entries: int
    status: int | None
    content: bytes | None
    at: datetime | None


ADD = """INSERT INTO async_job (id, caller, method, path, query, headers, body, asked_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
LOOK = """SELECT j.caller, j.asked_at, j.started_at,
    (SELECT count(*) FROM async_entry e WHERE e.job_id = j.id), a.status, a.content, a.at
    FROM async_job j LEFT JOIN async_answer a ON a.job_id = j.id WHERE j.id = %s"""
CLAIM = """SELECT id FROM (
    SELECT id FROM async_job WHERE finished_at IS NULL ORDER BY asked_at, id LIMIT 64) waiting
    WHERE pg_try_advisory_xact_lock(hashtextextended(id::text, 0)) LIMIT 1"""
BEGIN = """UPDATE async_job SET attempts = attempts + 1, started_at = coalesce(started_at, %s)
    WHERE id = %s AND finished_at IS NULL"""
HOLD = """SELECT id, caller, method, path, query, headers, body, attempts FROM async_job
    WHERE id = %s AND finished_at IS NULL FOR NO KEY UPDATE SKIP LOCKED"""
ANSWERED = "SELECT EXISTS (SELECT FROM async_answer WHERE job_id = %s)"
ANSWER = """INSERT INTO async_answer (job_id, status, content, at) VALUES (%s, %s, %s, %s)
    ON CONFLICT DO NOTHING"""
ENTRY = """INSERT INTO async_entry (job_id, place, content) SELECT %s, %s, %s
    WHERE NOT EXISTS (SELECT FROM async_answer WHERE job_id = %s) ON CONFLICT DO NOTHING"""
ENTRIES = "SELECT place, content FROM async_entry WHERE job_id = %s"
CANCEL = """INSERT INTO async_answer (job_id, status, at) SELECT id, 0, %s FROM async_job WHERE id = %s
    ON CONFLICT (job_id) DO UPDATE SET status = 0, content = NULL"""
FORGET = "DELETE FROM async_entry WHERE job_id = %s"
FINISH = "UPDATE async_job SET finished_at = %s, body = NULL WHERE id = %s"
PURGE = """DELETE FROM async_job WHERE id IN (
    SELECT j.id FROM async_job j JOIN async_answer a ON a.job_id = j.id
    WHERE a.at < %s OR a.status = 0 FOR UPDATE OF j SKIP LOCKED)"""


def add(connection: Connection[Any], job: Job, at: datetime) -> None:
    """Keep a request; with autocommit it is on disk when this returns."""
    what = (job.id, job.caller, job.method, job.path, job.query, Json(job.headers), job.body, at)
    connection.execute(ADD, what)


def look(connection: Connection[Any], job_id: UUID) -> State | None:
    """Return how a job stands; None where there is none."""
    found = connection.execute(LOOK, (job_id,), binary=True).fetchone()
    return State(*found) if found else None


def claim(connection: Connection[Any]) -> UUID | None:
    """Return the oldest job that nobody works on, claimed until this transaction ends; None without any."""
    found = connection.execute(CLAIM).fetchone()
    return found[0] if found else None


def begin(connection: Connection[Any], job_id: UUID, at: datetime) -> None:
    """Note a further attempt at a job that was claimed.

    Needs autocommit: the attempt counts, whatever becomes of it.
    """
    connection.execute(BEGIN, (at, job_id))


def hold(connection: Connection[Any], job_id: UUID) -> Job | None:
    """Return a job, kept from all others until this transaction ends; None where another was quicker."""
    found = connection.execute(HOLD, (job_id,)).fetchone()
    if found is None:
        return None
    *asked, body, attempts = found
    return Job(*asked, body=bytes(body or b""), attempts=attempts)


def answered(connection: Connection[Any], job_id: UUID) -> bool:
    """Tell whether a job has its answer, or is cancelled."""
    found = connection.execute(ANSWERED, (job_id,)).fetchone()
    return bool(found and found[0])


def answer(connection: Connection[Any], job_id: UUID, status: int, content: bytes, at: datetime) -> bool:
    """Answer a job; False, and nothing is done, where it has an answer or was cancelled.

    Waits for another transaction that is answering or cancelling it.
    """
    return connection.execute(ANSWER, (job_id, status, content, at)).rowcount == 1


def enter(connection: Connection[Any], job_id: UUID, place: int, content: bytes) -> bool:
    """Note what became of an entry of a batch; False where that is noted, or the job has its answer."""
    return connection.execute(ENTRY, (job_id, place, content, job_id)).rowcount == 1


def entries(connection: Connection[Any], job_id: UUID) -> dict[int, bytes]:
    """Return what became of the entries of a batch so far, by their places."""
    return dict(connection.execute(ENTRIES, (job_id,), binary=True).fetchall())


def cancel(connection: Connection[Any], job_id: UUID, at: datetime) -> None:
    """Let a job be done no more, or its answer be forgotten."""
    connection.execute(CANCEL, (at, job_id))


def finish(connection: Connection[Any], job_id: UUID, at: datetime) -> None:
    """Say that a held job has its answer: what was only needed to work on it goes."""
    connection.execute(FORGET, (job_id,))
    connection.execute(FINISH, (at, job_id))


def purge(connection: Connection[Any], before: datetime) -> int:
    """Drop jobs that were answered before a time, and those that were cancelled; return how many went."""
    return connection.execute(PURGE, (before,)).rowcount
