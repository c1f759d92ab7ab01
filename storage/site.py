"""What the database says of the place: the identifier systems it knows, whether it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

SystemRow = tuple[str, bool, str | None, str | None]
"""URI, whether its values are unique, and the HL7v2 authority: namespace and universal id."""


def reachable(connection: Connection[Any]) -> bool:
    """Tell whether the database answers."""
    return connection.execute("SELECT 1").fetchone() == (1,)


def identifier_systems(connection: Connection[Any]) -> list[SystemRow]:
    """Return every identifier system that is declared."""
    return connection.execute(
        "SELECT uri, is_unique, hd_namespace, hd_universal_id FROM identifier_system"
    ).fetchall()
