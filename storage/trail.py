"""What was looked at, and who was not let in, written into the audit trail: many looks in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection


class Look(NamedTuple):
    """Somebody looked at a resource, by either id, or for resources of a type (no id)."""

    id: UUID
    at: datetime
    interface: str
    user: str | None
    address: str | None
    resource_type: str | None
    resource_id: UUID | None
    fhir_id: str | None = None
    status: int | None = None
    """The HTTP status where somebody was turned away."""


# Accounts, ids and whom a resource is about are looked up here, so that a look costs whoever looks nothing.
INSERT = """INSERT INTO audit_event (id, at, interface, actor_id, actor_text, role, client_addr, action,
    resource_type, resource_id, patient_id, outcome, http_status)
SELECT t.id, t.at, t.interface, coalesce(u.id, %s), CASE WHEN u.id IS NULL THEN t.username END, u.role,
    t.address, CASE WHEN f.id IS NULL THEN 'E' ELSE 'R' END, t.resource_type, f.id,
    CASE WHEN t.resource_type = 'Patient' THEN f.id ELSE w.target_id END,
    CASE WHEN t.status IS NULL THEN '0' ELSE '4' END, t.status
FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[],
        %s::text[], %s::int[])
    AS t(id, at, interface, username, address, resource_type, resource_id, fhir_id, status)
LEFT JOIN app_user u ON u.username = t.username
LEFT JOIN resource r ON r.resource_type = t.resource_type AND r.fhir_id = t.fhir_id
CROSS JOIN LATERAL (SELECT coalesce(t.resource_id, r.id) AS id) f
LEFT JOIN LATERAL (SELECT x.target_id FROM reference x WHERE x.owner_id = f.id AND x.child_id IS NULL
    AND x.path IN ('subject', 'patient', 'beneficiary') AND x.target_type = 'Patient'
    ORDER BY x.item_no LIMIT 1) w ON true"""


def write(connection: Connection[Any], looks: Sequence[Look], system: UUID) -> None:
    """Write looks; who has no account is the ``system`` one, with the name that was told."""
    columns = [list(column) for column in zip(*looks, strict=True)]
    connection.execute(INSERT, (system, *columns))
