"""Accounts: who acts, in which role. There are no passwords: whoever stands before the gateway signs users
on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from storage.model.people import ROLES

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

_COLUMNS = "u.id, u.username, u.full_name, u.role, u.is_active, u.practitioner_id"


class Account(NamedTuple):
    """An account; ``practitioner_id`` is the row of who it is of, where that is known."""

    id: UUID
    username: str
    full_name: str
    role: str
    is_active: bool
    practitioner_id: UUID | None


class Listed(NamedTuple):
    """An account as it is listed: with the FHIR id of its practitioner, and when it last did something."""

    username: str
    full_name: str
    role: str
    is_active: bool
    practitioner: str | None
    seen_at: datetime | None


def find(connection: Connection[Any], username: str) -> Account | None:
    """Return the account of a name, None where there is none."""
    statement = f"SELECT {_COLUMNS} FROM app_user u WHERE u.username = %s"
    return (
        connection.cursor(row_factory=class_row(Account)).execute(statement.encode(), (username,)).fetchone()
    )


def listed(connection: Connection[Any]) -> list[Listed]:
    """Return all accounts by name."""
    return (
        connection.cursor(row_factory=class_row(Listed))
        .execute(
            "SELECT u.username, u.full_name, u.role, u.is_active, r.fhir_id AS practitioner,"
            " (SELECT max(e.at) FROM audit_event e WHERE e.actor_id = u.id) AS seen_at"
            " FROM app_user u LEFT JOIN resource r ON r.id = u.practitioner_id ORDER BY u.username"
        )
        .fetchall()
    )


def practitioner(connection: Connection[Any], fhir_id: str) -> UUID | None:
    """Return the row id of the live practitioner of a FHIR id, None where there is none."""
    found = connection.execute(
        "SELECT id FROM resource WHERE resource_type = 'Practitioner' AND fhir_id = %s"
        " AND deleted_at IS NULL",
        (fhir_id,),
    ).fetchone()
    return found[0] if found else None


def add(connection: Connection[Any], account: Account, at: datetime) -> None:
    """Store a new account. Raises psycopg's UniqueViolation for a name or a practitioner that has one."""
    connection.execute(
        "INSERT INTO app_user (id, username, full_name, role, is_active, practitioner_id, created_at,"
        " updated_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (*account, at, at),
    )


def change(connection: Connection[Any], account: Account, at: datetime) -> None:
    """Store an account as it is now, by its id. Raises as ``add``."""
    connection.execute(
        "UPDATE app_user SET username = %s, full_name = %s, role = %s, is_active = %s, practitioner_id = %s,"
        " updated_at = %s WHERE id = %s",
        (*account[1:], at, account.id),
    )


__all__ = ["ROLES", "Account", "Listed", "add", "change", "find", "listed", "practitioner"]
