"""Peers tell how they are known and what they are taken at; a message is itself wherever it comes from."""

from __future__ import annotations

from alembic import op

from migrations.words import Part, code, extend, flag, index, json, octets, text

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def once(*columns: str) -> Part:
    """Keep a message that is in hand or applied from being taken twice."""
    held = "direction = 'in' AND status IN ('received', 'applied')"
    return index(*columns, unique=True, same_nulls=True, where=held, name="uq_hl7_message_in")


def upgrade() -> None:
    extend(
        "hl7_peer",
        json("addresses"),
        text("certificate"),
        json("message_types", "versions", "processing_ids", "authorities"),
        code("strictness", "lenient warn strict", required=True, default="lenient"),
        flag("strict_ids", required=True, default="false"),
        text("accession_field", "study_field"),
        flag("order_replies", "batch_replies", required=True, default="false"),
    )
    op.drop_index("uq_hl7_message_in", "hl7_message")
    extend(
        "hl7_message",
        octets("accept_raw"),
        once("control_id", "sha256"),
        index("peer_id", "received_at"),
    )


def downgrade() -> None:
    op.drop_index("ix_hl7_message_peer_id_received_at", "hl7_message")
    op.drop_index("uq_hl7_message_in", "hl7_message")
    extend("hl7_message", once("peer_id", "control_id", "sha256"))
    op.drop_column("hl7_message", "accept_raw")
    for name in (
        *("addresses", "certificate", "message_types", "versions", "processing_ids", "authorities"),
        *("strictness", "strict_ids", "accession_field", "study_field", "order_replies", "batch_replies"),
    ):
        op.drop_column("hl7_peer", name)
