"""The profiles, tags and security labels that live resources carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

IN_USE = """SELECT m.kind, m.system, m.code, min(m.display)
    FROM resource_meta m JOIN resource r ON r.id = m.owner_id
    WHERE r.deleted_at IS NULL AND (%(type)s::text IS NULL OR r.resource_type = %(type)s)
    GROUP BY 1, 2, 3 ORDER BY 1, 2 NULLS FIRST, 3 NULLS FIRST"""


def in_use(
    connection: Connection[Any], resource_type: str | None = None
) -> list[tuple[str, str | None, str | None, str | None]]:
    """Return kind (profile, tag, security), system, code and display of each label in use, in a type or in
    all; of a profile the system is its URL.
    """
    return connection.execute(IN_USE, {"type": resource_type}).fetchall()
