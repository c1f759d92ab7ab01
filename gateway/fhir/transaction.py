"""transaction: https://hl7.org/fhir/R4/http.html#transaction.

All entries take effect in one unit of work, or none does. Whatever their order in the Bundle: deletions come
first, then creations, then updates and patches, then operations that change something, then what is read or
calculated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from gateway import conditional, errors
from gateway.conditional import Criteria, see_version
from gateway.fhir import bundle_reads
from gateway.fhir.bundle_answer import Done
from gateway.fhir.bundle_links import Links, Place, identifiers
from gateway.fhir.bundle_outlook import Outlook
from gateway.fhir.bundle_overlaps import Overlaps
from gateway.fhir.bundle_patch import patch_in
from gateway.fhir.bundle_targets import MANY, Context, Targets, Task
from gateway.fhir.entries import CALLING, Entry, located
from gateway.fhir.rewrite import rewritten
from gateway.unit import Unit, mapping_of, stored
from mappings import resource
from mappings.element import IllegalTransition, Refused, RoleRefused
from storage.errors import Duplicate, Stale, StorageError
from storage.model.columns import Row
from storage.model.shared import Identifier
from storage.record import Record
from storage.session import Session
from storage.versions import Stored
from storage.writer import Change

Tell = Callable[[Session, list[Done]], None]


def run(context: Context, entries: list[Entry], tell: Tell | None = None) -> list[Done]:
    """Let entries take effect together; return what became of each, in their order.

    ``tell`` is called with that before it is committed, and may still prevent it by raising a Problem.
    Raises one Problem, which names the entry that is to blame.
    """
    attempts: list[Transaction] = []

    def work(unit: Unit) -> list[Done]:
        attempts.append(Transaction(context, unit, entries))
        done = attempts[-1].run()
        if tell is not None:
            tell(unit.session, done)
        return done

    try:
        try:
            return context.records.unit(context.caller, work)
        except Duplicate:
            if not any("ifNoneExist" in entry.request for entry in entries):
                raise
            # One that came at the same time, by other criteria or without any, may be what these find.
            return context.records.unit(context.caller, work)
    except (errors.Problem, Refused, IllegalTransition, RoleRefused, StorageError) as cause:
        entry = attempts[-1].culprit(cause) if attempts else None
        problem = errors.problem_of(cause)
        raise (located(problem, entry) if entry else problem) from cause


class Transaction:
    """One attempt at a transaction, in a unit of work."""

    def __init__(self, context: Context, unit: Unit, entries: list[Entry]) -> None:
        self.context = context
        self.unit = unit
        self.tasks = [Task(entry) for entry in sorted(entries, key=lambda entry: entry.stage)]
        self.writing = [task for task in self.tasks if task.entry.stage < CALLING]
        calling = [task.entry for task in self.tasks if task.entry.stage == CALLING]
        self.targets = Targets(context, unit, self.writing, calling)
        self.at: Entry | None = None

    def run(self) -> list[Done]:
        """Do all of it; return what became of each entry, in their order in the Bundle."""
        if len(self.tasks) > MANY:
            self.unit.session.allow_pauses()
        self.targets.find()
        links = self._links()
        for task in self.writing:
            self.at = task.entry
            self._apply(task, links)
        self.at = None
        overlaps = Overlaps(self.writing)
        overlaps.see_identifiers()
        made = self.unit.flush()
        overlaps.see_written(self.unit)
        self.unit.see_dependents(self.targets.deleted.values())
        done = {task.entry.place: self._written(task, made) for task in self.writing}
        inside = self.context._replace(records=self.context.records.within(self.unit.session))
        for task in self.tasks[len(self.writing) :]:
            self.at = task.entry
            done[task.entry.place] = bundle_reads.read(inside, task.entry)
        self.at = None
        return [done[place] for place in sorted(done)]

    # --- where they will be ------------------------------------------------------------------------------

    def _places(self) -> list[Place]:
        """Return where the resources of the entries will be."""
        return [
            Place(
                task.entry.resource_type,
                self._id_of(task),
                partial(self._pin, task),
                task.entry.resource or {},
                task.entry.full_url,
                task.criteria.text if task.criteria else None,
            )
            for task in self.writing
            if task.entry.method != "DELETE" and (task.record or task.found or task.same or task.standing)
        ]

    def _links(self) -> Links:
        """Return where links lead; conditional references that only a trial can tell are tried."""

        def find(criteria: Criteria) -> list[str]:
            if any(identifiers(criteria)) or not outlook.writes(criteria.resource_type):
                return self.targets.found_by(criteria)
            return outlook.find(criteria)

        def read(literal: str) -> Criteria | None:
            try:
                return links.criteria(literal)
            except errors.Problem:
                # Its own entry tells of it.
                return None

        def rewrite(value: dict[str, Any], entry: Entry) -> dict[str, Any]:
            return rewritten(value, links.of(entry.full_url, resolving=False))

        links = Links(self._places(), self.targets.criteria, find)
        outlook = Outlook(self.unit, self.writing, read, rewrite)
        return links

    def _id_of(self, task: Task) -> str:
        made = task.same or task
        if made.found is not None:
            return made.found.fhir_id
        record = made.record or made.standing[0]
        return record.resource["fhir_id"]

    def _pin(self, task: Task) -> int:
        """Return the number of the version that a task makes, and see that it makes one."""
        made = task.same or task
        if made.found is not None:
            return made.found.version
        record = made.record or made.standing[0]
        self.unit.drafts[record.resource["id"]].pinned = True
        return record.resource["version"] + 1

    # --- what is done with them --------------------------------------------------------------------------

    def _apply(self, task: Task, links: Links) -> None:
        entry = task.entry
        if entry.method == "DELETE":
            self._delete(task)
        elif entry.method == "PATCH":
            self._patch(task, links)
        elif not task.found and not task.same:
            self._put(task, rewritten(entry.resource or {}, links.of(entry.full_url)))

    def _delete(self, task: Task) -> None:
        for record in task.standing:
            see_version(record, task.if_match)
        task.standing = [record for record in task.standing if record.resource["deleted_at"] is None]
        self.unit.mark_deleted(task.standing)

    def _put(self, task: Task, value: dict[str, Any]) -> None:
        old = task.standing[0] if task.standing else None
        see_version(old, task.if_match)
        if task.entry.request.get("ifNoneMatch") == "*" and not task.created:
            raise errors.PreconditionFailed(
                "The resource is there already.", expression="request.ifNoneMatch"
            )
        if task.record is not None:
            resource.read(mapping_of(task.entry.resource_type), value, self.unit.new_id, task.record)
        elif old is not None:
            task.record = self.unit.replace(old, value)

    def _patch(self, task: Task, links: Links) -> None:
        entry = task.entry
        if not task.standing:
            raise errors.NotFound(f"{entry.url} finds nothing.", expression="request.url")
        change, link = patch_in(entry), links.of(entry.full_url)
        task.record = conditional.patch(
            self.unit, task.standing[0], lambda value: rewritten(change(value), link), task.if_match
        )

    # --- what became of them -----------------------------------------------------------------------------

    def _written(self, task: Task, made: dict[UUID, Stored]) -> Done:
        if task.entry.method == "DELETE":
            gone = [made[record.resource["id"]] for record in task.standing]
            return Done(204, gone[0] if len(gone) == 1 else None)
        maker = task.same or task
        if maker.found is not None:
            return Done(200, maker.found, located=True)
        record = maker.record or maker.standing[0]
        version = made.get(record.resource["id"]) or self._unchanged(record)
        created = task.created and task.same is None
        return Done(201 if created else 200, version, located=True)

    def _unchanged(self, record: Record) -> Stored:
        before = self.unit.drafts[record.resource["id"]].before
        change = Change(record, None, "update", before)
        return stored(change, self.unit.author, self.unit.site.actor)

    def culprit(self, cause: Exception) -> Entry | None:
        """Return the entry that is to blame for a refusal, None where it cannot be told."""
        if isinstance(cause, Duplicate):
            return self._with_identifier(cause.system, cause.value)
        if self.at or self.targets.at:
            return self.at or self.targets.at
        if isinstance(cause, Stale):
            return self._of(
                lambda head: (head["resource_type"], head["fhir_id"]) == (cause.resource_type, cause.fhir_id)
            )
        return self._of(lambda head: head["id"] == self.unit.settling)

    def _of(self, fits: Callable[[Row], bool]) -> Entry | None:
        for task in self.writing:
            records = [task.record] if task.record else task.standing
            if any(fits(record.resource) for record in records):
                return task.entry
        return None

    def _with_identifier(self, system: str | None, value: str | None) -> Entry | None:
        """Return the entry that carries an identifier; without one told, that which repeats another's."""
        seen: set[tuple[str, str, str]] = set()
        for task in self.writing:
            for row in task.record.all_rows(Identifier) if task.record else ():
                key = (row["resource_type"], row["system"], row["value"])
                repeats = value is None and row["is_unique"] and key in seen
                if repeats or (value is not None and (row["system"], row["value"]) == (system, value)):
                    return task.entry
                seen.add(key)
        return None
