"""Rows written as patients: in batches, each a unit of work of its own, so that memory stays bounded.

What can be seen to be wrong is seen before; where a unit is refused all the same, it is tried again by halves
until the row is found, and its neighbours are written. What broke off may be sent again: a batch is there as
a whole or not at all, and ``skip_duplicates`` passes over whoever is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

from gateway import errors
from gateway.bulk.rows import Given, Outcome
from gateway.native import flat
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings.flat import Wrong, check
from storage import flat as stored
from storage import imports
from storage.errors import Duplicate
from storage.imports import Batch, Counts, Met
from storage.model.flat import MRN

AT_ONCE = 200
"""Patients of a unit of work: of more, what is held in memory costs more than their round trips."""
MOST_ERRORS = 10_000
"""Of more that is wrong, an import keeps no account but the count."""
IN_USE = "is the number of a patient who is here"


@dataclass(frozen=True)
class Options:
    """How rows are taken: only looked at, and whether one whose patient is there is passed over."""

    validate_only: bool = False
    skip_duplicates: bool = False
    writers: int = 1
    """How many units of work are written at the same time."""


@dataclass
class Report:
    """What became of an import so far."""

    id: UUID
    counts: Counts = field(default_factory=Counts)
    errors: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    unlisted: int = 0
    """How many things are wrong beside those that are listed."""

    def tell(self, outcome: Outcome) -> None:
        """Count a row, and list what is wrong with it."""
        self.counts.total += 1
        self.counts.created += outcome.status == "created"
        self.counts.skipped += outcome.status == "skipped"
        self.counts.failed += outcome.status == "failed"
        for name, message in outcome.wrong:
            if len(self.errors) < MOST_ERRORS:
                self.errors.append({"row": outcome.row, "field": name, "message": message})
            else:
                self.unlisted += 1


@contextmanager
def recorded(records: Records, caller: Caller, options: Options, **source: Any) -> Generator[Report]:
    """Give the report of an import that is told in the database: as it begins, goes on and ends.

    ``source``: ``kind`` (csv, json), ``filename``, ``sha256``.
    """
    report = Report(records.new_id())
    batch = Batch(
        id=report.id,
        validate_only=options.validate_only,
        skip_duplicates=options.skip_duplicates,
        started_at=records.clock(),
        **source,
    )
    with records.store.connection() as connection:
        imports.begin(connection, batch, caller.user)
    ended = None
    try:
        yield report
        ended = records.clock()
    finally:
        with records.store.connection() as connection:
            imports.progress(connection, report.id, report.counts)
            imports.finish(connection, report.id, report.errors, ended)


def load(
    records: Records, caller: Caller, options: Options, rows: Iterable[Given], report: Report
) -> Iterator[Outcome]:
    """Write rows, and yield what became of each, in their order.

    Raises Problem for what is no row's doing: Forbidden, Unavailable, what reading the rows raises. What
    was yielded before is written then.
    """
    with closing(Met()) as met, ThreadPoolExecutor(options.writers) as writers:
        work = _Loading(records, caller, options, met)
        waiting: deque[Future[list[Outcome]]] = deque()
        try:
            for batch in _batches(rows):
                waiting.append(writers.submit(work.write, *work.seen(batch)))
                while len(waiting) > options.writers:
                    yield from _told(records, report, waiting.popleft().result())
            while waiting:
                yield from _told(records, report, waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()


def _batches(rows: Iterable[Given]) -> Iterator[list[Given]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, AT_ONCE)):
        yield batch


def _told(records: Records, report: Report, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    for outcome in outcomes:
        report.tell(outcome)
    with records.store.connection() as connection:
        imports.progress(connection, report.id, report.counts)
    return outcomes


class _Loading:
    """One import: rows are seen by one thread, in order, and written by any."""

    def __init__(self, records: Records, caller: Caller, options: Options, met: Met) -> None:
        self.records = records
        self.caller = caller
        self.options = options
        self.met = met

    # --- seeing rows -------------------------------------------------------------------------------------

    def seen(self, batch: Sequence[Given]) -> tuple[list[Given], list[Outcome]]:
        """Part a batch into rows that can be written, as far as can be seen, and what became of the rest."""
        at = self.records.clock()
        good: list[Given] = []
        rest: list[Outcome] = []
        for row in batch:
            wrong = check(row.values, True, at) if not row.wrong else [Wrong("", row.wrong)]
            if wrong:
                rest.append(Outcome(row.number, "failed", row.mrn, None, tuple(wrong)))
            elif (earlier := self.met.earlier(row.mrn, row.number)) is not None:
                rest.append(self._there(row, None, f"is the number of row {earlier} too"))
            else:
                good.append(row)
        return good, rest

    def _there(self, row: Given, patient: str | None, message: str) -> Outcome:
        if self.options.skip_duplicates:
            return Outcome(row.number, "skipped", row.mrn, patient)
        return Outcome(row.number, "failed", row.mrn, patient, (Wrong("mrn", message),))

    # --- writing them ------------------------------------------------------------------------------------

    def write(self, good: Sequence[Given], rest: Sequence[Outcome]) -> list[Outcome]:
        """Write the rows that can be written, and return what became of all of a batch, in order."""
        with self.records.store.connection() as connection:
            there = stored.taken(connection, [row.mrn for row in good])
        found = [*rest, *(self._there(row, there[row.mrn], IN_USE) for row in good if row.mrn in there)]
        found += self._write([row for row in good if row.mrn not in there])
        return sorted(found)

    def _write(self, rows: Sequence[Given]) -> list[Outcome]:
        if self.options.validate_only or not rows:
            return [Outcome(row.number, "valid", row.mrn) for row in rows]
        try:
            made = self.records.unit(self.caller, lambda unit: self._create(unit, rows))
        except Exception as error:
            problem = errors.problem_of(error)
            if problem.status >= 500 or isinstance(problem, errors.Forbidden):
                raise
            if len(rows) == 1:
                return [self._refused(rows[0], error, problem)]
            half = len(rows) // 2
            return [*self._write(rows[:half]), *self._write(rows[half:])]
        return [Outcome(row.number, "created", row.mrn, key) for row, key in zip(rows, made, strict=True)]

    def _create(self, unit: Unit, rows: Sequence[Given]) -> list[str]:
        flat.learn_names(unit, (row.values for row in rows))
        made = [flat.create(unit, row.values) for row in rows]
        unit.flush()
        return [record.resource["fhir_id"] for record in made]

    def _refused(self, row: Given, error: Exception, problem: errors.Problem) -> Outcome:
        if isinstance(error, Duplicate) and error.system == MRN:
            # Somebody was faster.
            with self.records.store.connection() as connection:
                there = stored.taken(connection, [row.mrn])
            return self._there(row, there.get(row.mrn), IN_USE)
        wrong = tuple(Wrong(issue.expression or "", issue.diagnostics) for issue in problem.issues)
        return Outcome(row.number, "failed", row.mrn, None, wrong)
