"""Places are found by where they are."""

from __future__ import annotations

from alembic import op

from migrations.words import add, index

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add("location", index("latitude", "longitude"))


def downgrade() -> None:
    op.drop_index("ix_location_latitude_longitude", "location")
