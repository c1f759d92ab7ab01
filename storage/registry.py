"""The research registry, read: pages and streams of cases, their members and scores, and stored versions.

Each statement is put together from the registry of columns (``storage.model.research``). A stream is a
consistent snapshot, whatever is written meanwhile, and holds no more than a batch in memory.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row

from storage.lexical import DECODER
from storage.model.research import MEMBERS
from storage.registry_sql import SCORED, Test, conditions, order, source, target

if TYPE_CHECKING:
    from psycopg import Connection

    from storage.model.research import CaseKind

Row = dict[str, Any]
BATCH = 200


class Sort(NamedTuple):
    """By which column a list is sorted, and which way."""

    column: str = "created_at"
    descending: bool = False


class Score(NamedTuple):
    """The score of an outcome of a case."""

    case: UUID
    instrument: str
    timepoint: str | None
    score: Decimal
    date: str | None


class Instrument(NamedTuple):
    """An instrument of outcome, the range of its scores, the joints that it serves."""

    code: str
    low: Decimal
    high: Decimal
    joints: list[str]


def page(
    connection: Connection[Any], kind: CaseKind, tests: Sequence[Test], sort: Sort, skip: int, limit: int
) -> tuple[list[Row], int]:
    """Return a page of the live cases that filters leave, and how many there are in all.

    A row has the columns of the registry, ``id``, ``status``, the FHIR ids of what it refers to,
    ``created_at``, ``updated_at``, and ``row_id``, by which it is known here.
    """
    where, asked = conditions(kind, tests)
    counting = f"SELECT count(*) {source(kind)} WHERE {where}"
    total = connection.execute(counting.encode(), asked).fetchone()
    way = "DESC" if sort.descending else "ASC"
    statement = f"""SELECT c.id {source(kind)} WHERE {where}
    ORDER BY {order(kind, sort.column)} {way} NULLS LAST, c.id {way} LIMIT %(limit)s OFFSET %(skip)s"""
    found = connection.execute(statement.encode(), {**asked, "limit": limit, "skip": skip}).fetchall()
    return rows(connection, kind, [row[0] for row in found]), total[0] if total else 0


def rows(connection: Connection[Any], kind: CaseKind, ids: Sequence[UUID]) -> list[Row]:
    """Return cases or members by their row ids, in that order."""
    cursor = connection.cursor(row_factory=dict_row, binary=True)
    found = cursor.execute(_reading(kind), (list(ids),)).fetchall()
    for row in found:
        for name in _lists(kind):
            row[name] = None if row[name] is None else DECODER.decode(row[name])
    return found


@cache
def _lists(kind: CaseKind) -> tuple[str, ...]:
    return tuple(column.name for column in kind.columns if column.kind in ("set", "attributes"))


@cache
def _reading(kind: CaseKind) -> bytes:
    lists = _lists(kind)
    # Lists as their text, whose decimals stay as they were written.
    named = [(column.name, f'c."{column.name}"') for column in kind.columns]
    told = {name: f"{where}::text" if name in lists else where for name, where in named}
    head = {name: target(name) for name in head_names(kind)}
    listed = ", ".join(f'{where} AS "{name}"' for name, where in {**head, **told}.items())
    return f"""SELECT c.id AS row_id, {listed} FROM unnest(%s::uuid[]) WITH ORDINALITY AS w(id, place)
    JOIN "{kind.name}" c ON c.id = w.id JOIN observation o ON o.id = c.id JOIN resource r ON r.id = c.id
    ORDER BY w.place""".encode()


def head_names(kind: CaseKind) -> tuple[str, ...]:
    """Return what a case or member has beside the columns of the registry."""
    here = kind.table.table.c
    links = (name for name in ("procedure_id", "surgeon_id", "trainee_id", "case_id", "followup_id"))
    given = ("id", "status", "patient_id", "encounter_id", *(name for name in links if name in here))
    return (*given, "created_at", "updated_at")


def find(connection: Connection[Any], kind: CaseKind, fhir_id: str) -> Row | None:
    """Return the live case or member of an id; None where there is none of this kind."""
    statement = f"""SELECT c.id {source(kind)} WHERE r.fhir_id = %s AND r.resource_type = 'Observation'
    AND r.deleted_at IS NULL"""
    found = connection.execute(statement.encode(), (fhir_id,)).fetchone()
    return next(iter(rows(connection, kind, [found[0]])), None) if found else None


def members(connection: Connection[Any], kind: CaseKind, case: UUID) -> list[Row]:
    """Return the live members of a case, of one kind, in the order in which they were made."""
    statement = f"SELECT c.id {source(kind)} WHERE c.case_id = %s AND r.deleted_at IS NULL ORDER BY c.id"
    found = connection.execute(statement.encode(), (case,)).fetchall()
    return rows(connection, kind, [row[0] for row in found])


def instruments(connection: Connection[Any], code: str | None = None) -> list[Instrument]:
    """Return the instruments of outcome that there are, or that of a code."""
    where = "" if code is None else "WHERE code = %s"
    statement = f"SELECT code, min_score, max_score, joints FROM ref_outcome_instrument {where} ORDER BY code"
    found = connection.execute(statement.encode(), () if code is None else (code,)).fetchall()
    return [Instrument(*row) for row in found]


def stream(
    connection: Connection[Any], kind: CaseKind, tests: Sequence[Test]
) -> Generator[tuple[Row, list[Score]]]:
    """Yield all live cases that filters leave, with their scores, as they are when it begins, oldest first.

    The connection is taken until the end.
    """
    with _snapshot(connection, kind, tests) as batches:
        for ids in batches:
            found: dict[UUID, list[Score]] = {key: [] for key in ids}
            for row in connection.execute(SCORED, (ids,)).fetchall():
                found[row[0]].append(Score(*row))
            for case in rows(connection, kind, ids):
                yield case, found[case["row_id"]]


def contents(connection: Connection[Any], kind: CaseKind, tests: Sequence[Test]) -> Generator[bytes]:
    """Yield the stored bytes of all live cases that filters leave, each followed by those of its members.

    As ``stream``: as they are when it begins, and the connection is taken until the end.
    """
    with _snapshot(connection, kind, tests) as batches:
        for ids in batches:
            for row in connection.execute(_CONTENTS, (ids,), binary=True).fetchall():
                yield row[0]


_MEMBERS = " ".join(
    f'UNION ALL SELECT m.id, w.place, {rank} FROM w JOIN "{name}" m ON m.case_id = w.id'
    for rank, name in enumerate(MEMBERS, 1)
)
_CONTENTS = f"""WITH w AS (SELECT * FROM unnest(%s::uuid[]) WITH ORDINALITY AS w(id, place))
    SELECT v.content FROM (SELECT w.id, w.place, 0 AS rank FROM w {_MEMBERS}) d
    JOIN resource r ON r.id = d.id AND r.deleted_at IS NULL
    JOIN resource_version v ON v.resource_id = r.id AND v.version = r.version
    ORDER BY d.place, d.rank, d.id""".encode()


@contextmanager
def _snapshot(
    connection: Connection[Any], kind: CaseKind, tests: Sequence[Test]
) -> Generator[Iterator[list[UUID]]]:
    """Give the ids of the cases, a batch at a time, in a transaction that sees nothing that comes later."""
    where, asked = conditions(kind, tests)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Whoever takes the rows may be slow.
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = '15min'")
        statement = f"SELECT c.id {source(kind)} WHERE {where} ORDER BY c.id"
        with closing(_batches(connection, statement, asked)) as batches:
            yield batches


def _batches(connection: Connection[Any], statement: str, asked: Mapping[str, Any]) -> Generator[list[UUID]]:
    with connection.cursor("registry") as ids:
        ids.execute(statement.encode(), asked)
        while found := ids.fetchmany(BATCH):
            yield [row[0] for row in found]


__all__ = [
    "Instrument",
    "Score",
    "Sort",
    "Test",
    "contents",
    "find",
    "head_names",
    "instruments",
    "members",
    "page",
    "rows",
    "stream",
]
