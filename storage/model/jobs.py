"""Requests that were accepted to be answered later, and what became of them.

Three tables, so that a request can be held by whoever works on it while its outcome is written by the work
itself, in the same transaction: a row that is held with FOR NO KEY UPDATE may still be referred to.
"""

from __future__ import annotations

import sqlalchemy as sa

from storage.model.columns import Bytes, Instant, Integer, Json, Key, Link, Table, Text, index


class AsyncJob(
    Table,
    name="async_job",
    indexes=(index("asked_at", "id", where="finished_at IS NULL", name="ix_async_job_waiting"),),
):
    """A request as it came; ``headers`` are those that it needs. The body goes when it is finished."""

    id = Key(primary=True)
    caller = Text(255)
    method = Text(10, required=True)
    path = Text(required=True)
    query = Text(required=True)
    headers = Json(required=True)
    body = Bytes()
    asked_at = Instant(required=True)
    started_at = Instant()
    attempts = Integer(required=True, default="0")
    finished_at = Instant()


class AsyncAnswer(
    Table,
    name="async_answer",
    constraints=(sa.PrimaryKeyConstraint("job_id"),),
):
    """What became of a request: one row at most, whoever comes first. Status 0: it was cancelled."""

    job = Link("async_job", required=True, ondelete="CASCADE")
    status = Integer(required=True)
    content = Bytes()
    at = Instant(required=True)


class AsyncEntry(Table, name="async_entry", constraints=(sa.PrimaryKeyConstraint("job_id", "place"),)):
    """What became of an entry of a batch that is being worked on; it goes when the batch is finished."""

    job = Link("async_job", required=True, ondelete="CASCADE")
    place = Integer(required=True)
    content = Bytes(required=True)
