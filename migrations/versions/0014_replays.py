"""A message that is replayed is an entry of its own, which tells what it repeats and who asked for it."""

from __future__ import annotations

from alembic import op

from migrations.words import Part, extend, index, link, text

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def once(condition: str) -> Part:
    """Keep a message that is in hand or applied from being taken twice, but for those left out."""
    held = "direction = 'in' AND status IN ('received', 'applied')"
    where = f"{held} AND {condition}" if condition else held
    return index("control_id", "sha256", unique=True, same_nulls=True, where=where, name="uq_hl7_message_in")


def upgrade() -> None:
    op.drop_index("uq_hl7_message_in", "hl7_message")
    extend(
        "hl7_message",
        link(replay_of="hl7_message"),
        text("replayed_by"),
        index("replay_of_id", where="replay_of_id IS NOT NULL"),
        once("duplicate_of_id IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_hl7_message_in", "hl7_message")
    op.drop_index("ix_hl7_message_replay_of_id", "hl7_message")
    # What was applied once more is a repeat again, as it was before it could be told apart.
    op.execute(
        "UPDATE hl7_message SET status = 'duplicate'"
        " WHERE replay_of_id IS NOT NULL AND duplicate_of_id IS NOT NULL"
        " AND status IN ('received', 'applied')"
    )
    op.drop_column("hl7_message", "replayed_by")
    op.drop_column("hl7_message", "replay_of_id")
    extend("hl7_message", once(""))
