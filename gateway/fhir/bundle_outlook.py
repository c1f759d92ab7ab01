"""What conditional references will find once a transaction has taken effect.

https://hl7.org/fhir/R4/http.html#trules: they are resolved last, when all else is written. References must be
known before their resources are written, though. So what they may find is written first, on trial, looked up,
and undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from gateway import conditional, errors
from gateway.conditional import Criteria
from gateway.fhir.bundle_patch import patch_in
from gateway.fhir.bundle_targets import Task
from gateway.fhir.entries import Entry, located
from gateway.fhir.rewrite import rewritten
from gateway.fhir.shapes import Field
from gateway.unit import Unit, mapping_of
from mappings import resource
from mappings.element import IllegalTransition, Refused, RoleRefused
from storage import search
from storage.record import Record

Object = dict[str, Any]
Rewrite = Callable[[Object, Entry], Object]
Read = Callable[[str], Criteria | None]


class Outlook:
    """The outlook of one transaction: ``read`` gives the criteria of a conditional reference, ``rewrite`` a
    resource of an entry with its links to other entries.
    """

    def __init__(self, unit: Unit, tasks: list[Task], read: Read, rewrite: Rewrite) -> None:
        self._unit = unit
        self._tasks = tasks
        self._read = read
        self._rewrite = rewrite
        self._found: dict[str, list[str]] = {}

    def writes(self, resource_type: str) -> bool:
        """Tell whether anything of a type is written."""
        return any(task.entry.resource_type == resource_type for task in self._tasks)

    def find(self, criteria: Criteria) -> list[str]:
        """Return the ids of what criteria will find; two of them where there are more. Raises Problem."""
        if criteria.text not in self._found:
            listed = {made.text: made for made in self._all_asked()} | {criteria.text: criteria}
            self._found |= self._tried(list(listed.values()))
        return self._found[criteria.text]

    def _all_asked(self) -> Iterator[Criteria]:
        """Yield the criteria of all conditional references, so that one trial will do."""
        literals: dict[str, None] = {}

        def note(literal: str, field: Field | None, _value: Any) -> str:
            if field is not None and "?" in literal:
                literals[literal] = None
            return literal

        for task in self._tasks:
            rewritten(task.entry.resource or {}, note)
        for literal in literals:
            criteria = self._read(literal)
            if criteria is not None and self.writes(criteria.resource_type):
                yield criteria

    def _tried(self, asked: list[Criteria]) -> dict[str, list[str]]:
        session = self._unit.session
        types = {criteria.resource_type for criteria in asked}
        with session.raw.transaction(force_rollback=True):
            trial = Unit(session, self._unit.author, self._unit.new_id, self._unit.site)
            self._write(trial, [task for task in self._tasks if task.entry.resource_type in types])
            return {
                criteria.text: [
                    found.fhir_id
                    for found in search.run(session.raw, replace(criteria.query, count=2)).matches
                ]
                for criteria in asked
            }

    def _write(self, trial: Unit, tasks: list[Task]) -> None:
        """Write what entries bring. Raises Problem, located at the entry that a rule refuses."""
        entries: dict[UUID, Entry] = {}
        for task in tasks:
            record = self._done(trial, task)
            if record is not None:
                entries[record.resource["id"]] = task.entry
        try:
            trial.flush()
        except (errors.Problem, Refused, IllegalTransition, RoleRefused) as cause:
            entry = entries.get(trial.settling) if trial.settling else None
            if entry is None:
                raise
            raise located(errors.problem_of(cause), entry) from cause

    def _done(self, trial: Unit, task: Task) -> Record | None:
        """Do what an entry asks for; return the record that it writes."""
        entry, kind = task.entry, task.entry.resource_type
        standing = trial.load(kind, [record.resource["id"] for record in task.standing])
        if entry.method == "DELETE":
            trial.mark_deleted(record for record in standing if record.resource["deleted_at"] is None)
        elif entry.method == "PATCH" and standing:
            return conditional.patch(trial, standing[0], patch_in(entry))
        elif entry.resource is not None and not (task.found or task.same):
            value = self._rewrite(entry.resource, entry)
            if standing:
                return trial.replace(standing[0], value)
            made = trial.new(kind, task.record.resource["fhir_id"] if task.record else None)
            return resource.read(mapping_of(kind), value, trial.new_id, made)
        return None
