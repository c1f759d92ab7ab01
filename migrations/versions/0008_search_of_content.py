"""Dates and quantities of resources that are kept whole, for search."""

from __future__ import annotations

from migrations.words import drop, hanging, index, instant, quantity, table, text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table(
        "search_date",
        hanging(),
        text("element", required=True),
        instant("lo", "hi", required=True),
        index("element", "lo", "hi", "owner_id", name="ix_search_date"),
        index("owner_id"),
    )
    table(
        "search_quantity",
        hanging(),
        text("element", required=True),
        quantity("amount"),
        index("element", "amount_value", "owner_id", name="ix_search_quantity"),
        index("owner_id"),
    )


def downgrade() -> None:
    drop("search_quantity", "search_date")
