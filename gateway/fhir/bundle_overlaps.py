"""Whether the criteria of a transaction's entries find what other entries of it bring in.

https://hl7.org/fhir/R4/http.html#trules: a transaction fails where identities overlap, those that criteria
resolve to included. Criteria are looked up before anything is written; here they are held against what was
written, so that no entry depends on whether another one took effect before it. A conditional delete means
what was there before: deletions come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from uuid import UUID

from gateway.errors import BadRequest
from gateway.fhir.bundle_targets import Task
from gateway.unit import Unit
from storage import search
from storage.model.shared import Identifier
from storage.record import Record
from storage.search.query import Condition, Token

_ENOUGH = 3
"""Criteria found one resource at most, and that is the entry's own: any other among these is too many."""

_PLACE = "identifier"


class Overlaps:
    """What the entries of a transaction write, by type and identifier, and the criteria that others have."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        listed = list(tasks)
        self._asking = [task for task in listed if task.criteria and not task.same and _stays(task)]
        self._written: dict[str, dict[UUID, Task]] = {}
        self._identified: dict[tuple[str, str], list[tuple[str | None, UUID]]] = {}
        for task in listed if self._asking else ():
            if task.record is not None:
                self._add(task, task.record)

    def _add(self, task: Task, record: Record) -> None:
        kind, key = task.entry.resource_type, record.resource["id"]
        self._written.setdefault(kind, {})[key] = task
        for row in record.rows(Identifier, None, _PLACE):
            self._identified.setdefault((kind, row["value"]), []).append((row["system"], key))

    def see_identifiers(self) -> None:
        """See, before anything is written, that no entry brings the identifier that another is found by.

        Raises BadRequest.
        """
        for task in self._asking:
            asked = _identifiers(task)
            if asked is not None and task.criteria and len(task.criteria.query.conditions) == 1:
                self._refuse(task, self._carrying(task, asked))

    def see_written(self, unit: Unit) -> None:
        """See that criteria find nothing that was written but for the entry's own. Raises BadRequest."""
        for task in self._asking:
            asked, others = _identifiers(task), self._written.get(task.entry.resource_type, {})
            suspects = set(others if asked is None else self._carrying(task, asked)) - _own(task)
            if suspects and task.criteria:
                query = replace(task.criteria.query, count=_ENOUGH)
                self._refuse(
                    task, (found.resource_id for found in search.run(unit.session.raw, query).matches)
                )

    def _carrying(self, task: Task, asked: Iterable[Token]) -> Iterator[UUID]:
        """Yield what was written and carries one of the identifiers."""
        for token in asked:
            for system, key in self._identified.get((task.entry.resource_type, token.code or ""), ()):
                if token.system is None or token.system == (system or ""):
                    yield key

    def _refuse(self, task: Task, found: Iterable[UUID]) -> None:
        written, own = self._written.get(task.entry.resource_type, {}), _own(task)
        for key in found:
            if key in written and key not in own:
                other, entry = written[key].entry, task.entry
                where = "ifNoneExist" if entry.method == "POST" else "url"
                told = f"Bundle.entry[{other.place}] writes what the criteria of this entry find."
                raise BadRequest(told, expression=f"Bundle.entry[{entry.place}].request.{where}")


def _stays(task: Task) -> bool:
    return task.entry.method != "DELETE"


def _own(task: Task) -> set[UUID]:
    """Return what an entry means itself."""
    records = [*task.standing, *([task.record] if task.record else [])]
    return {record.resource["id"] for record in records} | ({task.found.resource_id} if task.found else set())


def _identifiers(task: Task) -> list[Token] | None:
    """Return the identifiers of which a resource must carry one, None where criteria name none as a whole."""
    for asked in task.criteria.query.conditions if task.criteria else ():
        if isinstance(asked, Condition) and asked.name == _PLACE:
            tokens = [value for value in asked.values if isinstance(value, Token) and value.code]
            if len(tokens) == len(asked.values) and not asked.negated and asked.missing is None:
                return tokens
    return None
