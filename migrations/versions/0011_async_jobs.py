"""Requests that are answered later: the requests, their answers, and those of a batch's entries."""

from __future__ import annotations

from migrations.words import drop, index, instant, integer, json, key, octets, primary, table, text

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table(
        "async_job",
        key("id", is_primary=True),
        text("caller"),
        text("method", "path", "query", required=True),
        json("headers", required=True),
        octets("body"),
        instant("asked_at", required=True),
        instant("started_at"),
        integer("attempts", required=True, default="0"),
        instant("finished_at"),
        index("asked_at", "id", where="finished_at IS NULL", name="ix_async_job_waiting"),
    )
    job = ("job_id", "async_job.id")
    table(
        "async_answer",
        key(*job, required=True, ondelete="CASCADE", at_commit=True),
        integer("status", required=True),
        octets("content"),
        instant("at", required=True),
        primary("job_id"),
    )
    table(
        "async_entry",
        key(*job, required=True, ondelete="CASCADE", at_commit=True),
        integer("place", required=True),
        octets("content", required=True),
        primary("job_id", "place"),
    )


def downgrade() -> None:
    drop("async_entry", "async_answer", "async_job")
