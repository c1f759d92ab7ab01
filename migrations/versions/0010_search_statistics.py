"""What columns have to do with each other, so that searches for common values are planned as such; an index
from a resource to what it refers to; one of resources of all types that searches of one type leave alone.
"""

from __future__ import annotations

from alembic import op

from migrations.words import add, index

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# A table, and columns whose values depend on each other: PostgreSQL takes them for independent unless told,
# and then expects a few rows where there are tens of thousands. Of the commonest it keeps so many.
VALUES = 200
TOGETHER = (
    ("coding", "element, system, code"),
    ("search_string", "param, norm"),
    ("observation", "value_canonical_unit, value_kind"),
)


def upgrade() -> None:
    for name, columns in TOGETHER:
        op.execute(f"CREATE STATISTICS st_{name} (mcv, dependencies) ON {columns} FROM {name}")
        op.execute(f"ALTER STATISTICS st_{name} SET STATISTICS {VALUES}")
        op.execute(f"ANALYZE {name}")
    add("reference", index("owner_id", "path", "target_id", name="ix_ref_own"))
    op.drop_index("ix_reference_owner_id", "reference")
    all_types("deleted_at IS NULL AND version > 0")


def downgrade() -> None:
    all_types("deleted_at IS NULL")
    add("reference", index("owner_id"))
    op.drop_index("ix_ref_own", "reference")
    for name, _ in TOGETHER:
        op.execute(f"DROP STATISTICS st_{name}")


def all_types(where: str) -> None:
    """Index the resources of all types by time."""
    op.drop_index("ix_res_all", "resource")
    add("resource", index("last_updated", "id", where=where, name="ix_res_all"))
