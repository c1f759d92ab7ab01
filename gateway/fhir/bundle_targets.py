"""Which resources the entries of a transaction mean: by id, by criteria, or new ones.

https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from gateway import conditional, errors
from gateway.conditional import MOST_DELETED, Criteria
from gateway.fhir import answer
from gateway.fhir.criteria import criteria_of
from gateway.fhir.entries import Entry
from gateway.records import Caller, Records
from gateway.unit import Unit, mapping_of
from storage.record import Record
from storage.versions import Stored

MANY = 500
"""A transaction of more entries than this takes its time: the database waits for it, and so do others who
look by criteria, if as many of them do.
"""


class Context(NamedTuple):
    """Where a batch or transaction runs: the records, who calls, the base URL as the caller sees it, and what
    the CapabilityStatement tells of the server: since when it runs, whether pages of other origins may call.
    ``prefer`` is the header, which counts for searches of entries too.
    """

    records: Records
    caller: Caller
    base_url: str
    started: datetime | None = None
    cors: bool = False
    prefer: str = ""


@dataclass
class Task:
    """An entry in work: the criteria it is found by, what stands of it, and the record that it makes."""

    entry: Entry
    criteria: Criteria | None = None
    standing: list[Record] = field(default_factory=list[Record])
    found: Stored | None = None
    """What a conditional create found, so that it makes nothing."""
    same: Task | None = None
    """The task before it that creates by the same criteria."""
    record: Record | None = None
    created: bool = False

    @property
    def if_match(self) -> int | None:
        """The version that must stand."""
        return answer.if_match(self.entry.request.get("ifMatch"))


class Targets:
    """The search for what the writing entries of a transaction mean; ``at`` is the entry in work."""

    def __init__(
        self, context: Context, unit: Unit, tasks: list[Task], calling: Sequence[Entry] = ()
    ) -> None:
        self.context = context
        self.unit = unit
        self.tasks = tasks
        self.calling = calling
        """The entries that call an operation which changes the resource that they name."""
        self.at: Entry | None = None
        self.deleted: dict[UUID, Record] = {}
        """What goes, by its id in the database."""

    def find(self) -> None:
        """Find what each task means, and make the records of what is new. Raises Problem."""
        self._find_named()
        self._find_by_criteria()
        self._refuse_overlaps()
        if self.deleted:
            self.unit.hold(self.deleted.values())
        for task in self.tasks:
            self._make_room(task)
        self.at = None

    def _find_named(self) -> None:
        """Load what entries name by id."""
        named = {
            (task.entry.resource_type, task.entry.fhir_id): task
            for task in self.tasks
            if task.entry.fhir_id is not None
        }
        for (resource_type, _), task in named.items():
            self.at = task.entry
            mapping_of(resource_type)
        self.at = None
        records = self.unit.seek_all(named)
        for task in self.tasks:
            record = records.get((task.entry.resource_type, task.entry.fhir_id or ""))
            task.standing = [record] if record else []
            if task.entry.method == "DELETE":
                self.deleted |= {found.resource["id"]: found for found in task.standing}

    def criteria(self, resource_type: str, text: str) -> Criteria:
        """Return the criteria that a text tells. Raises as ``criteria_of``."""
        records, caller, base_url, *_ = self.context
        return criteria_of(records, caller, resource_type, text, base_url)

    def _find_by_criteria(self) -> None:
        """Look for what entries name by criteria: what is deleted first, since nothing finds it any more."""
        asking = [task for task in self.tasks if task.entry.criteria is not None]
        for task in asking:
            self.at = task.entry
            task.criteria = self.criteria(task.entry.resource_type, task.entry.criteria or "")
        # In the order of the text: two transactions that ask for the same do not wait for each other.
        asking.sort(key=lambda task: (task.entry.method != "DELETE", task.criteria and task.criteria.text))
        if len(asking) > MANY:
            self.unit.claim_all()
        makers: dict[str, Task] = {}
        for task in asking:
            self.at = task.entry
            if task.criteria is not None:
                self._find(task, task.criteria, makers)
        self.at = None

    def _find(self, task: Task, criteria: Criteria, makers: dict[str, Task]) -> None:
        if task.entry.method == "POST":
            task.same = makers.get(criteria.text)
            if task.same is None:
                makers[criteria.text] = task
                task.found = self._look(criteria)
            return
        most = MOST_DELETED if task.entry.method == "DELETE" and task.if_match is None else 1
        task.standing = conditional.find(self.unit, criteria, most)
        if task.entry.method == "DELETE":
            self.deleted |= {found.resource["id"]: found for found in task.standing}

    def _look(self, criteria: Criteria) -> Stored | None:
        """Return what a conditional create finds; where it finds nothing, keep others from making it."""
        found = self._staying(criteria)
        if not found and not self.unit.claims_all:
            conditional.claim(self.unit, criteria)
            found = self._staying(criteria)
        return found[0] if found else None

    def _staying(self, criteria: Criteria) -> list[Stored]:
        """Return what criteria find, but for what is deleted here. Raises MultipleMatches."""
        found = conditional.look(self.unit, criteria, 1 + len(self.deleted))
        left = [version for version in found if version.resource_id not in self.deleted]
        if len(left) > 1:
            raise errors.MultipleMatches(f"{criteria.text} finds more than one resource.")
        return left

    def found_by(self, criteria: Criteria) -> list[str]:
        """Return the ids of what criteria find, but for what is deleted here. Raises MultipleMatches."""
        return [version.fhir_id for version in self._staying(criteria)]

    def _refuse_overlaps(self) -> None:
        """See that no two entries write the same resource. Raises BadRequest."""
        seen: dict[tuple[str, str], int] = {}
        named = [(task.entry, _identities(task)) for task in self.tasks]
        named += [(entry, [(entry.resource_type, entry.fhir_id or "")]) for entry in self.calling]
        for entry, names in named:
            self.at = entry
            for name in names:
                if name in seen:
                    told = f"Bundle.entry[{seen[name]}] writes the same resource."
                    raise errors.BadRequest(told, expression="request.url")
                seen[name] = entry.place
        self.at = None

    def _make_room(self, task: Task) -> None:
        """Make the record of a new resource, so that others can refer to it."""
        entry = task.entry
        if entry.method in ("DELETE", "PATCH") or task.found or task.same:
            return
        self.at = entry
        old = task.standing[0] if task.standing else None
        told: str | None = (entry.resource or {}).get("id")
        if entry.method == "PUT" and entry.criteria and told:
            self._see_id(task, old, told)
        if old is None:
            chosen = entry.fhir_id or (told if entry.method == "PUT" else None)
            task.record = self.unit.new(entry.resource_type, chosen)
        task.created = old is None or old.resource["deleted_at"] is not None

    def _see_id(self, task: Task, old: Record | None, told: str) -> None:
        """See that the id of the content of a conditional update is that of what is found, or is free."""
        kind = task.entry.resource_type
        if old is not None and old.resource["fhir_id"] != told:
            found = old.resource["fhir_id"]
            raise errors.BadRequest(
                f"The criteria find {found}, but the id is {told}.", expression=f"{kind}.id"
            )
        other = self.unit.seek(kind, told) if old is None else None
        if other is not None and other.resource["deleted_at"] is None:
            raise errors.Conflict(f"{kind}/{told} is there, but the criteria do not find it.")
        task.standing = [other] if other is not None else task.standing


def _identities(task: Task) -> list[tuple[str, str]]:
    """Return the resources that a task writes, as far as they are known: by type and id, or by criteria."""
    kind = task.entry.resource_type
    if task.entry.method == "POST":
        return []
    if task.standing:
        return [(kind, record.resource["fhir_id"]) for record in task.standing]
    told = task.entry.fhir_id or (task.entry.resource or {}).get("id")
    return [(kind, told)] if told else [(kind, f"?{task.criteria.text if task.criteria else ''}")]
