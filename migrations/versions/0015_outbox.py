"""Messages leave: destinations, and the order in which what waits for them goes."""

from __future__ import annotations

from alembic import op

from migrations.words import code, drop, extend, flag, index, integer, json, key, primary, table, text

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table(
        "hl7_destination",
        key("peer_id", "hl7_peer.id", required=True, ondelete="CASCADE", at_commit=True),
        code("order_message", "ORM_O01 OML_O21"),
        json("order_types"),
        flag("results", required=True, default="false"),
        flag("own_only", required=True, default="true"),
        text("sending_app", "sending_facility", "processing_id", required=True),
        integer("ack_seconds", required=True, default="30"),
        integer("retry_seconds", required=True, default="5"),
        integer("most_retry_seconds", required=True, default="300"),
        integer("most_attempts", required=True, default="10"),
        flag("is_active", required=True, default="true"),
        primary("peer_id"),
    )
    waiting = "direction = 'out' AND finished_at IS NULL"
    extend("hl7_message", text("lane"), index("peer_id", "id", where=waiting, name="ix_hl7_message_outbox"))


def downgrade() -> None:
    op.drop_index("ix_hl7_message_outbox", "hl7_message")
    op.drop_column("hl7_message", "lane")
    drop("hl7_destination")
