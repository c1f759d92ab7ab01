"""Destinations over TLS, in enhanced mode, told of the state of their orders; what waits is found by lane."""

from __future__ import annotations

from alembic import op

from migrations.words import code, extend, flag, index, integer, text

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COLUMNS = ("status_message", "echo", "accept_ack", "application_ack", "application_seconds")
TLS = ("tls", "tls_name", "tls_ca")


def upgrade() -> None:
    extend(
        "hl7_destination",
        code("status_message", "ORM_O01 OML_O21 ORR_O02"),
        flag("echo", required=True, default="false"),
        code("accept_ack", "AL NE"),
        code("application_ack", "AL NE ER"),
        integer("application_seconds", required=True, default="60"),
        flag("tls", required=True, default="false"),
        text("tls_name", "tls_ca"),
    )
    waiting = "direction = 'out' AND finished_at IS NULL"
    extend(
        "hl7_message",
        index("peer_id", "lane", "id", where=waiting, name="ix_hl7_message_lane"),
        index("peer_id", "id", where="direction = 'out' AND status = 'sent'", name="ix_hl7_message_sent"),
    )


def downgrade() -> None:
    op.drop_index("ix_hl7_message_sent", "hl7_message")
    op.drop_index("ix_hl7_message_lane", "hl7_message")
    for name in (*COLUMNS, *TLS):
        op.drop_column("hl7_destination", name)
