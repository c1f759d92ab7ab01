"""What the store refuses, and what driver errors mean.

StorageError
├── Stale        the row changed since the caller saw it
├── Duplicate    a unique value is already taken
├── Dependents   live rows still point at the row
├── Dangling     a foreign key points at nothing, or something still points here
├── NotThere     no such row
├── Gone         the row was deleted
├── Unfit        a value that the column cannot hold
├── Contended    another transaction got in the way; trying again may help
└── Unavailable  the database cannot be reached or has no room

The texts name kinds and constraints, never values: they may reach a log. Values stay in attributes.
"""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError


class StorageError(Exception):
    """The store refused."""

    def __str__(self) -> str:
        """The kind of refusal only, since the arguments may hold patient data."""
        return type(self).__doc__ or type(self).__name__


class Stale(StorageError):
    """The row is not at the version that the caller has seen."""

    def __init__(self, resource_type: str, fhir_id: str, seen: int | None, current: int | None) -> None:
        super().__init__(resource_type, fhir_id, seen, current)
        self.resource_type = resource_type
        self.fhir_id = fhir_id
        self.seen = seen
        self.current = current


class Duplicate(StorageError):
    """A value that must be unique is already taken."""

    def __init__(self, what: str, system: str | None = None, value: str | None = None) -> None:
        super().__init__(what, system, value)
        self.what = what
        self.system = system
        self.value = value


class Dependents(StorageError):
    """Live rows still point at the row."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


class Dangling(StorageError):
    """A foreign key and the row that it names do not go together."""

    def __init__(self, constraint: str = "") -> None:
        super().__init__(constraint)
        self.constraint = constraint


class NotThere(StorageError):
    """There is no such row."""


class Gone(StorageError):
    """The row was deleted."""


class Unfit(StorageError):
    """A value does not fit its column."""

    def __init__(self, constraint: str = "") -> None:
        super().__init__(constraint)
        self.constraint = constraint


class Contended(StorageError):
    """Another transaction got in the way."""


class Unavailable(StorageError):
    """The database cannot be reached or has no room."""


# SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
_RETRY = frozenset({"40001", "40P01", "55P03"})
_UNAVAILABLE = ("08", "53", "57", "58")


def from_driver(exc: psycopg.Error) -> Exception:
    """The storage error that a driver error stands for, or the driver error itself where it is none of them.

    Decided by SQLSTATE and constraint name alone: messages change with the server's language, and hold
    values.
    """
    state = exc.sqlstate or ""
    constraint = exc.diag.constraint_name or ""
    if state in _RETRY:
        return Contended()
    if state == "23505":
        return Duplicate(constraint)
    if state == "23001":
        return Dependents(1)
    if state == "23503":
        return Dangling(constraint)
    # Without a state: the driver itself refused the value, such as a text with U+0000.
    if state.startswith(("22", "23")) or (not state and isinstance(exc, psycopg.DataError)):
        return Unfit(constraint or exc.diag.column_name or "")
    if state.startswith(_UNAVAILABLE) or (not state and isinstance(exc, psycopg.OperationalError)):
        return Unavailable()
    return exc


def known(exc: Exception) -> Exception:
    """The storage error behind `exc`, whether the driver raised it or SQLAlchemy wrapped it; else `exc`
    itself.
    """
    cause = exc.orig if isinstance(exc, DBAPIError) else exc
    return from_driver(cause) if isinstance(cause, psycopg.Error) else exc
