"""The one way in: every door creates, reads, changes, deletes and finds resources through these calls.

Each call carries a Caller (who, through which door), runs in a thread of its own and is one transaction. What
is returned is stored versions, whose bytes are the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway import audit, conditional, errors, outbox
from gateway.conditional import ANY_VERSION, Change, Criteria, see_version
from gateway.looks import Looks
from gateway.unit import NewId, Site, Unit, link_column, mapping_of
from mappings import resource
from mappings.element import RoleRefused
from storage import labels, loader, search, site, users, versions
from storage import past as storage_past
from storage.errors import Duplicate, known
from storage.model.flat import MRN
from storage.model.ledger import AuditEvent
from storage.model.people import SYSTEM_USER_ID
from storage.past import Past
from storage.plans import look_again
from storage.search.latest import latest
from storage.search.query import Coded, Query
from storage.session import Session, Store, Within
from storage.users import Account
from storage.versions import Stored
from storage.writer import Author, Writer

SAME_ID = "uq_resource_resource_type_fhir_id"

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
    address: str | None = None
    """Where the call comes from, as far as the door knows."""


class Written(NamedTuple):
    """The outcome of a write: the version that stands now, and whether this call created the resource."""

    version: Stored
    created: bool


class History(NamedTuple):
    """A page of versions, newest first, how many there are in all (None: not known), and whether more
    follow.
    """

    versions: list[Stored]
    total: int | None
    more: bool


class _Rehearsed(Exception):
    """The end of a rehearsal: what it did is undone."""


class Records:
    """The records of one database; ``mrn_authority`` is how HL7v2 senders call our own record numbers."""

    def __init__(
        self, store: Store, clock: Clock, new_id: NewId, zone: str = "UTC", mrn_authority: str = ""
    ) -> None:
        self.store = store
        self.trail = store
        """Where refusals are told, within no transaction of a caller's."""
        self.looks = Looks(store, clock, new_id)
        self.clock = clock
        self.new_id = new_id
        self.site = _site(store, zone, mrn_authority)

    def within(self, session: Session) -> Records:
        """Return these records as a transaction sees them: reading finds what it has written so far."""
        inside = copy(self)
        inside.store = Within(session)
        return inside

    # --- reading -----------------------------------------------------------------------------------------

    def read(self, caller: Caller, resource_type: str, fhir_id: str) -> Stored:
        """Return the current version. Raises UnsupportedType, NotFound, Deleted."""
        mapping_of(resource_type)
        with self.store.connection() as connection:
            found = versions.current(connection, resource_type, fhir_id)
        return self._looked_at(caller, _present(found, resource_type, fhir_id))

    def vread(self, caller: Caller, resource_type: str, fhir_id: str, version: str) -> Stored:
        """Return one version. Raises UnsupportedType, NotFound, Deleted (that version is the deletion)."""
        mapping_of(resource_type)
        number = int(version) if version.isdecimal() and len(version) < 10 else 0
        with self.store.connection() as connection:
            found = versions.version(connection, resource_type, fhir_id, number)
        return self._looked_at(caller, _present(found, resource_type, f"{fhir_id}/_history/{version}"))

    def history(self, caller: Caller, past: Past, count: int) -> History:
        """Return up to ``count`` versions, newest first, and whether more follow.

        The total of a type or of all is told only where the page has it. Raises UnsupportedType, NotFound.
        """
        if past.resource_type is not None:
            mapping_of(past.resource_type)
        with self.store.connection() as connection:
            if past.fhir_id is not None:
                known = versions.current(connection, past.resource_type or "", past.fhir_id)
                if known is None:
                    raise errors.NotFound(f"{past.resource_type}/{past.fhir_id} is not known.")
            found = storage_past.page(connection, past, count + 1)
            more = len(found) > count
            whole = past.fhir_id is not None or (count == 0 and past.before is None)
            total = storage_past.count(connection, past) if whole else None
        if not more and past.before is None:
            total = len(found)
        self.looks.note(caller, past.resource_type, found[0].resource_id if past.fhir_id and found else None)
        return History(found[:count], total, more)

    def search(self, caller: Caller, query: Query) -> search.Page:
        """Return a page of what a query finds, with what it includes."""
        self.looks.note(caller, query.resource_type or None)
        with self.store.connection() as connection:
            return search.run(connection, query)

    def latest(self, caller: Caller, query: Query, group: Coded, most: int) -> list[Stored]:
        """Return the first ``most`` of each group of what a query finds, grouped by codes. Raises TooMany."""
        with self.store.connection() as connection:
            return latest(connection, query, group, most)

    def labels(self, caller: Caller, resource_type: str | None = None) -> dict[str, list[Any]]:
        """Return the profiles, tags and security labels in use, of a type or of all, as Meta has them."""
        with self.store.connection() as connection:
            found = labels.in_use(connection, resource_type)
        made: dict[str, list[Any]] = {}
        for kind, system, code, display in found:
            told = {"system": system, "code": code, "display": display}
            label = {key: value for key, value in told.items() if value is not None}
            made.setdefault(kind, []).append(system if kind == "profile" else label)
        return made

    def _looked_at(self, caller: Caller, found: Stored) -> Stored:
        self.looks.note(caller, found.resource_type, found.resource_id)
        return found

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
            record, created = conditional.update(unit, resource_type, fhir_id, value, if_match)
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
            see_version(old, if_match)
            unit.delete(old)
            return unit.flush()[old.resource["id"]]

        return self.unit(caller, work)

    def create_unless(self, caller: Caller, criteria: Criteria, value: dict[str, Any]) -> Written:
        """Store a new resource unless criteria find one, which is returned then. Raises Problem."""

        def work(unit: Unit) -> Written:
            made = conditional.create_unless(unit, criteria, value)
            if isinstance(made, Stored):
                return Written(made, created=False)
            return self._written(unit, made.resource["id"], created=True)

        try:
            return self.unit(caller, work)
        except Duplicate:
            # One that came at the same time, by other criteria or without any, may be what these find.
            return self.unit(caller, work)

    def update_matching(
        self, caller: Caller, criteria: Criteria, value: dict[str, Any], if_match: int | None = None
    ) -> Written:
        """Replace the resource that criteria find, or create one. Raises Problem."""

        def work(unit: Unit) -> Written:
            record, created = conditional.update_matching(unit, criteria, value, if_match)
            return self._written(unit, record.resource["id"], created=created)

        return self.unit(caller, work)

    def patch(
        self, caller: Caller, resource_type: str, fhir_id: str, change: Change, if_match: int | None = None
    ) -> Stored:
        """Change a resource in part. Raises Problem: NotFound, Deleted, what ``change`` raises."""

        def work(unit: Unit) -> Stored:
            record = conditional.patch(unit, unit.get(resource_type, fhir_id), change, if_match)
            return self._written(unit, record.resource["id"], created=False).version

        return self.unit(caller, work)

    def patch_matching(
        self, caller: Caller, criteria: Criteria, change: Change, if_match: int | None = None
    ) -> Stored:
        """Change the resource that criteria find in part. Raises Problem."""

        def work(unit: Unit) -> Stored:
            record = conditional.patch_matching(unit, criteria, change, if_match)
            return self._written(unit, record.resource["id"], created=False).version

        return self.unit(caller, work)

    def delete_matching(
        self, caller: Caller, criteria: Criteria, if_match: int | None = None
    ) -> list[Stored]:
        """Delete all that criteria find, or nothing at all. Raises Problem."""
        return self.unit(caller, lambda unit: conditional.delete_matching(unit, criteria, if_match))

    def rehearse(self, caller: Caller, work: Callable[[Unit], object]) -> None:
        """Run ``work`` on a unit of work, write what it changed, and undo everything. Raises as ``unit``."""

        def attempt(unit: Unit) -> None:
            work(unit)
            unit.flush()
            unit.session.check()
            raise _Rehearsed

        with suppress(_Rehearsed):
            self.unit(caller, attempt)

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
            account = _account(session, caller.user)
            units.append(self._begin(caller, session, account))
            if account is not None and not account.is_active:
                raise errors.Forbidden(f"The account {account.username} is not active.")
            done = work(units[-1])
            outbox.queue(units[-1])
            return done

        try:
            done = self.store.run(attempt)
        except (RoleRefused, errors.Forbidden) as refusal:
            self._tell_of(refusal, units)
            raise
        except (psycopg.Error, DBAPIError) as error:
            refusal = known(error)
            if isinstance(refusal, Duplicate) and refusal.what == "uq_identifier":
                raise self._taken(units[-1].identifiers()) from error
            raise refusal from error
        self._bring_together(units[-1].apart)
        self._look_again(units[-1].writer.grown)
        return done

    def _begin(self, caller: Caller, session: Session, account: Account | None) -> Unit:
        """Return a unit of work of a caller, in the role of the account, if there is one."""
        actor_id, actor = (account.id, account.username) if account else (SYSTEM_USER_ID, "system")
        author = Author(caller.door, actor_id, self.clock(), caller.message_id)
        here = replace(self.site, actor=actor, base=caller.base, client=caller.address)
        unit = Unit(session, author, self.new_id, here if account else replace(here, user=caller.user))
        if account is not None:
            unit.role, unit.practitioner = account.role, account.practitioner_id
        return unit

    def _tell_of(self, refusal: RoleRefused | errors.Forbidden, units: list[Unit]) -> None:
        """Write what was refused into the audit trail, whatever becomes of what it was a part of."""
        if not units:
            return
        told = errors.problem_of(refusal).issues[0]
        row = audit.refusal(units[-1], told.expression, told.diagnostics)
        try:
            with self.trail.transaction() as session:
                writer = Writer(session.raw, frozenset())
                writer.add(AuditEvent, row)
                writer.write((), units[-1].author)
        except (psycopg.Error, SQLAlchemyError) as error:
            # The caller is refused all the same.
            _log.error("refusal not audited", exc_info=error)

    def _look_again(self, grown: set[str]) -> None:
        """Have tables planned for anew that this unit of work has made grow."""
        if not grown:
            return
        try:
            with self.store.connection() as connection:
                look_again(connection, grown)
        except (psycopg.Error, DBAPIError) as error:
            # What was asked for is committed: the caller must not be told otherwise.
            _log.warning("tables not looked at again", tables=sorted(grown), exc_info=error)

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


def _account(session: Session, user: str | None) -> Account | None:
    """Return the account of a caller; one that is not known acts as the gateway itself, in no role."""
    return users.find(session.raw, user) if user is not None else None


def _site(store: Store, zone: str, mrn_authority: str) -> Site:
    with store.connection() as connection:
        rows = site.identifier_systems(connection)
    systems = {name: row[0] for row in rows for name in row[2:] if name}
    if mrn_authority:
        systems[mrn_authority] = MRN
    return Site(frozenset(row[0] for row in rows if row[1]), systems, ZoneInfo(zone))


__all__ = ["ANY_VERSION", "Caller", "Change", "Criteria", "History", "Records", "Written"]
