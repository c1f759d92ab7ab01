"""The one way in: every door creates, reads, changes, deletes and finds resources through these calls.

Each call carries a Caller (who, through which door), runs in a thread of its own and is one transaction. What
is returned is stored versions, whose bytes are the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

from gateway import errors
from gateway.unit import NewId, Site, Unit, link_column, mapping_of
from mappings import resource
from storage import loader, search, versions
from storage.errors import Duplicate, known
from storage.model.people import SYSTEM_USER_ID
from storage.record import Record
from storage.search.query import Query
from storage.session import Session, Store
from storage.versions import Stored
from storage.writer import Author

SAME_ID = "uq_resource_resource_type_fhir_id"

ANY_VERSION = 0
"""As ``if_match``: whichever version stands, but one must."""

T = TypeVar("T")
_log = structlog.get_logger(__name__)
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Caller:
    """Who calls, through which door (fhir, hl7v2, rest, csv, system), and for which message."""

    door: str
    user: str | None = None
    message_id: UUID | None = None
    base: str | None = None
    """The base URL of the FHIR door as the caller knows it."""


class Written(NamedTuple):
    """The outcome of a write: the version that stands now, and whether this call created the resource."""

    version: Stored
    created: bool


class History(NamedTuple):
    """A page of versions, newest first, and how many there are in all."""

    versions: list[Stored]
    total: int


class Records:
    """The records of one database."""

    def __init__(self, store: Store, clock: Clock, new_id: NewId, zone: str = "UTC") -> None:
        self.store = store
        self.clock = clock
        self.new_id = new_id
        self.site = _site(store, zone)

    # --- reading -----------------------------------------------------------------------------------------

    def read(self, caller: Caller, resource_type: str, fhir_id: str) -> Stored:
        """Return the current version. Raises UnsupportedType, NotFound, Deleted."""
        mapping_of(resource_type)
        with self.store.connection() as connection:
            found = versions.current(connection, resource_type, fhir_id)
        return _present(found, resource_type, fhir_id)

    def vread(self, caller: Caller, resource_type: str, fhir_id: str, version: str) -> Stored:
        """Return one version. Raises UnsupportedType, NotFound, Deleted (that version is the deletion)."""
        mapping_of(resource_type)
        number = int(version) if version.isdecimal() and len(version) < 10 else 0
        with self.store.connection() as connection:
            found = versions.version(connection, resource_type, fhir_id, number)
        return _present(found, resource_type, f"{fhir_id}/_history/{version}")

    def history(
        self, caller: Caller, resource_type: str, fhir_id: str, count: int, before: int | None = None
    ) -> History:
        """Return up to ``count`` versions older than ``before``, newest first.

        Raises UnsupportedType, NotFound.
        """
        mapping_of(resource_type)
        with self.store.connection() as connection:
            total = versions.count(connection, resource_type, fhir_id)
            found = versions.history(connection, resource_type, fhir_id, count, before)
        if not total:
            raise errors.NotFound(f"{resource_type}/{fhir_id} is not known.")
        return History(found, total)

    def search(self, caller: Caller, query: Query) -> search.Page:
        """Return a page of what a query finds, with what it includes."""
        with self.store.sql() as connection:
            return search.run(connection, query)

    # --- writing -----------------------------------------------------------------------------------------

    def create(self, caller: Caller, resource_type: str, value: dict[str, Any]) -> Stored:
        """Store a new resource under an id of ours. Raises Problem."""
        mapping_of(resource_type)

        def work(unit: Unit) -> Stored:
            record = unit.new(resource_type)
            resource.read(unit.drafts[record.resource["id"]].mapping, value, self.new_id, record)
            return unit.flush()[record.resource["id"]]

        return self.unit(caller, work)

    def update(
        self,
        caller: Caller,
        resource_type: str,
        fhir_id: str,
        value: dict[str, Any],
        if_match: int | None = None,
    ) -> Written:
        """Replace a resource, or create it under the caller's id, or revive a deleted one.

        A value that changes nothing makes no version. Raises Problem; StaleVersion where ``if_match`` is not
        the current version.
        """
        mapping_of(resource_type)

        def work(unit: Unit) -> Written:
            old = unit.seek(resource_type, fhir_id)
            _match(old, if_match)
            if old is None:
                record = unit.new(resource_type, fhir_id)
                resource.read(mapping_of(resource_type), value, self.new_id, record)
            else:
                record = unit.replace(old, value)
            created = old is None or old.resource["deleted_at"] is not None
            return self._written(unit, record.resource["id"], created=created)

        return self.unit(caller, work)

    def delete(
        self, caller: Caller, resource_type: str, fhir_id: str, if_match: int | None = None
    ) -> Stored | None:
        """Delete a resource: it is gone for readers, its versions stay.

        Returns None where there was nothing to delete. Raises Problem: HasDependents where live rows still
        belong to it.
        """
        mapping_of(resource_type)

        def work(unit: Unit) -> Stored | None:
            old = unit.seek(resource_type, fhir_id)
            if old is None or old.resource["deleted_at"] is not None:
                return None
            _match(old, if_match)
            unit.delete(old)
            return unit.flush()[old.resource["id"]]

        return self.unit(caller, work)

    def unit(self, caller: Caller, work: Callable[[Unit], T]) -> T:
        """Run ``work`` on a unit of work in one transaction, committed when it returns.

        After a deadlock it is run again, as it is where another created a resource under the same id.
        Raises Problem for everything that the rules and the database refuse.
        """
        try:
            return self._once(caller, work)
        except Duplicate as refusal:
            if refusal.what != SAME_ID:
                raise
        return self._once(caller, work)

    def _once(self, caller: Caller, work: Callable[[Unit], T]) -> T:
        units: list[Unit] = []

        def attempt(session: Session) -> T:
            actor_id, actor = _actor(session, caller.user)
            author = Author(caller.door, actor_id, self.clock(), caller.message_id)
            units.append(
                Unit(session, author, self.new_id, replace(self.site, actor=actor, base=caller.base))
            )
            return work(units[-1])

        try:
            done = self.store.run(attempt)
        except (psycopg.Error, DBAPIError) as error:
            refusal = known(error)
            if isinstance(refusal, Duplicate) and refusal.what == "uq_identifier":
                raise self._taken(units[-1].identifiers()) from error
            raise refusal from error
        self._bring_together(units[-1].apart)
        return done

    def _bring_together(self, apart: set[tuple[str, str]]) -> None:
        """Let references point to targets that another unit of work created at the same time.

        Neither saw the other's rows before it committed; whoever commits last sees those of both.
        """
        if not apart:
            return
        try:
            with self.store.connection() as connection:
                found = loader.apart(connection, apart)
            if found:
                self.store.run(lambda session: loader.point(session.raw, apart, link_column))
        except (psycopg.Error, DBAPIError) as error:
            # What was asked for is committed: the caller must not be told otherwise.
            _log.warning("references left apart", count=len(apart), exc_info=error)

    def _taken(self, identifiers: list[tuple[str, str, str]]) -> Duplicate:
        """Return which of the identifiers (type, system, value) of a refused unit of work is in use."""
        with self.store.connection() as connection:
            taken = loader.taken(connection, identifiers)
        return Duplicate("identifier", *(taken or (None, None)))

    def _written(self, unit: Unit, key: UUID, *, created: bool) -> Written:
        made = unit.flush().get(key)
        if made is None:
            head = unit.drafts[key].record.resource
            found = versions.current(unit.session.raw, head["resource_type"], head["fhir_id"])
            made = _present(found, head["resource_type"], head["fhir_id"])
        return Written(made, created)


def _present(found: Stored | None, resource_type: str, name: str) -> Stored:
    if found is None:
        raise errors.NotFound(f"{resource_type}/{name} is not known.")
    if found.content is None:
        raise errors.Deleted(f"{resource_type}/{name} was deleted.")
    return found


def _match(old: Record | None, wanted: int | None) -> None:
    """See that a record stands at a version, or is there at all. Raises StaleVersion."""
    if wanted is None:
        return
    if wanted == ANY_VERSION:
        if old is None or old.resource["deleted_at"] is not None:
            raise errors.StaleVersion("There is no current version.")
    elif old is None:
        raise errors.StaleVersion("There is no version at all.")
    elif old.resource["version"] != wanted:
        raise errors.StaleVersion(f"The current version is {old.resource['version']}: read it and try again.")


def _actor(session: Session, user: str | None) -> tuple[UUID, str]:
    """Return id and name of the account of a caller; one that is not known acts as the gateway itself."""
    if user is None:
        return SYSTEM_USER_ID, "system"
    row = session.raw.execute("SELECT id, username FROM app_user WHERE username = %s", (user,)).fetchone()
    return (row[0], row[1]) if row else (SYSTEM_USER_ID, "system")


def _site(store: Store, zone: str) -> Site:
    with store.connection() as connection:
        rows = connection.execute(
            "SELECT uri, is_unique, hd_namespace, hd_universal_id FROM identifier_system"
        ).fetchall()
    systems = {name: row[0] for row in rows for name in row[2:] if name}
    return Site(frozenset(row[0] for row in rows if row[1]), systems, ZoneInfo(zone))
