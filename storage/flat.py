"""The flat patient record, read: one patient, a page, a stream of all that filters leave, and figures of all.

Each statement is put together from the places of the fields (``storage.model.flat``). A stream is a
consistent snapshot, whatever is written meanwhile, and holds no more than a batch in memory.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from psycopg.rows import dict_row

from storage.flat_sql import cover_of, expression, joins
from storage.model.flat import FIELDS, MRN

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

NAMES = tuple(made.name for made in FIELDS)
Row = dict[str, Any]


class Sort(NamedTuple):
    """By which field a list is sorted, and which way."""

    field: str = "created_at"
    descending: bool = False


class _Test(NamedTuple):
    """The condition of a filter, and the fields whose frames it needs."""

    condition: str
    needs: tuple[str, ...] = ()


def _town(name: str) -> _Test:
    # Found by the index of folded texts, then compared with the field itself.
    found = (
        f"p.id IN (SELECT s.owner_id FROM search_string s WHERE s.param = 'address-{name}'"
        f" AND s.norm = %({name}_norm)s)"
    )
    return _Test(f"{found} AND lower({expression(name)}) = lower(%({name})s)", (name,))


def _reached(name: str) -> _Test:
    return _Test(
        "p.id IN (SELECT t.owner_id FROM contact_point t WHERE t.element = 'telecom'"
        f" AND t.system = '{name}' AND t.value_norm = %({name})s)"
    )


FILTERS: dict[str, _Test] = {
    "status": _Test(f"{expression('status')} = %(status)s"),
    "sex": _Test(f"{expression('sex')} = %(sex)s"),
    "city": _town("city"),
    "state": _town("state"),
    "insurance_type": _Test(
        "EXISTS (SELECT FROM coverage v JOIN resource rv ON rv.id = v.id WHERE v.patient_id = p.id"
        " AND rv.deleted_at IS NULL AND v.status IN ('active', 'draft')"
        " AND v.insurance_type = %(insurance_type)s)"
    ),
    "mrn": _Test("p.mrn = %(mrn)s AND p.id IN (SELECT i.owner_id FROM identifier i WHERE i.value = %(mrn)s)"),
    "name": _Test(
        "p.id IN (SELECT s.owner_id FROM search_string s WHERE s.param IN ('family', 'given')"
        " AND strpos(s.norm, %(name)s) > 0)"
    ),
    "email": _reached("email"),
    "phone": _reached("phone"),
    # A partial date is found wherever it may lie within.
    "date_of_birth_from": _Test("p.birth_date_hi > %(date_of_birth_from)s"),
    "date_of_birth_to": _Test("p.birth_date_lo < %(date_of_birth_to)s"),
    "created_from": _Test("r.created_at >= %(created_from)s"),
    "created_to": _Test("r.created_at < %(created_to)s"),
}
"""What a list can be filtered by. Values are those of the fields; ``name``, ``email``, ``phone`` and the
``_norm`` of towns are folded as search has them, bounds of dates are instants (from inclusive, to
exclusive).
"""

_FROM = "FROM patient p JOIN resource r ON r.id = p.id"


def _where(filters: Mapping[str, Any]) -> str:
    chosen = [test.condition for name, test in FILTERS.items() if name in filters]
    return " AND ".join(["r.deleted_at IS NULL", *chosen])


def _needed(filters: Mapping[str, Any]) -> list[str]:
    return [name for asked, test in FILTERS.items() if asked in filters for name in test.needs]


@cache
def _reading() -> bytes:
    columns = ",\n".join(f'{expression(name)} AS "{name}"' for name in NAMES)
    return f"""SELECT {columns} FROM unnest(%s::uuid[]) WITH ORDINALITY AS w(id, place)
    JOIN patient p ON p.id = w.id JOIN resource r ON r.id = p.id {joins(NAMES)}
    ORDER BY w.place""".encode()


def rows(connection: Connection[Any], ids: Sequence[UUID]) -> list[Row]:
    """Return the flat records of patients by their row ids, in that order."""
    return (
        connection.cursor(row_factory=dict_row, binary=True)
        .execute(_reading(), (list(ids),), prepare=True)
        .fetchall()
    )


def page(
    connection: Connection[Any], filters: Mapping[str, Any], sort: Sort, skip: int, limit: int
) -> tuple[list[Row], int]:
    """Return a page of the live patients that filters leave, and how many there are in all."""
    where, needed = _where(filters), _needed(filters)
    counting = f"SELECT count(*) {_FROM} {joins(needed)} WHERE {where}"
    total = connection.execute(counting.encode(), filters).fetchone()
    way = "DESC" if sort.descending else "ASC"
    statement = f"""SELECT p.id {_FROM} {joins([*needed, sort.field])} WHERE {where}
    ORDER BY {expression(sort.field)} {way} NULLS LAST, p.id {way} LIMIT %(limit)s OFFSET %(skip)s"""
    asked = {**filters, "limit": limit, "skip": skip}
    found = connection.execute(statement.encode(), asked).fetchall()
    return rows(connection, [row[0] for row in found]), total[0] if total else 0


def stream(connection: Connection[Any], filters: Mapping[str, Any], batch: int = 500) -> Generator[Row]:
    """Yield the flat records of all live patients that filters leave, as they are when it begins, oldest
    first. The connection is taken until the end.
    """
    statement = f"SELECT p.id {_FROM} {joins(_needed(filters))} WHERE {_where(filters)} ORDER BY p.id"
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Whoever takes the rows may be slow.
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = '15min'")
        with connection.cursor("flat_record") as ids:
            ids.execute(statement.encode(), filters)
            while found := ids.fetchmany(batch):
                yield from rows(connection, [row[0] for row in found])


def one(connection: Connection[Any], *, id: str | None = None, mrn: str | None = None) -> Row | None:  # noqa: A002 - the field's own name
    """Return the flat record of the live patient of an id, or of an MRN; None where there is none.

    Of several with the same MRN it is the one that has it in our own system.
    """
    if id is not None:
        where, asked = "r.resource_type = 'Patient' AND r.fhir_id = %(value)s", id
    else:
        where, asked = FILTERS["mrn"].condition.replace("%(mrn)s", "%(value)s"), mrn
    statement = f"""SELECT p.id {_FROM} WHERE {where} AND r.deleted_at IS NULL
    ORDER BY (p.mrn_system = '{MRN}') DESC NULLS LAST, p.id LIMIT 1"""
    found = connection.execute(statement.encode(), {"value": asked}).fetchone()
    return next(iter(rows(connection, [found[0]])), None) if found else None


def taken(connection: Connection[Any], mrns: Sequence[str]) -> dict[str, str]:
    """Return which MRNs are in use, be it by a deleted patient, and the ids of their patients."""
    statement = """SELECT i.value, r.fhir_id FROM identifier i JOIN resource r ON r.id = i.owner_id
    WHERE i.resource_type = 'Patient' AND i.system = %s AND i.value = ANY(%s) AND i.element = 'identifier'"""
    return dict(connection.execute(statement, (MRN, list(mrns))).fetchall())


_BAND = """CASE WHEN p.birth_date_lo IS NULL THEN 'unknown' ELSE (
    SELECT b.name FROM (VALUES ('0-17', 18), ('18-34', 35), ('35-49', 50), ('50-64', 65), ('65-79', 80),
        ('80+', 1000)) AS b(name, below)
    WHERE extract(year FROM age(%(at)s, p.birth_date_lo)) < b.below ORDER BY b.below LIMIT 1) END"""
_COVER = f"coalesce((SELECT v.insurance_type {cover_of(1)}), 'none')"
COUNTED = {
    "by_status": expression("status"),
    "by_sex": f"coalesce({expression('sex')}, 'U')",
    "by_age_band": _BAND,
    "by_insurance_type": _COVER,
}


def stats(connection: Connection[Any], at: datetime) -> Row:
    """Return the figures of all live patients at a moment, whose month is that of its own zone: how many
    there are, by status, sex, age band and first insurance, added this month, and the average BMI.
    """
    month = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    asked = {"at": at, "month": month}
    told: Row = {}
    statement = f"""SELECT count(*), count(*) FILTER (WHERE r.created_at >= %(month)s)
    {_FROM} WHERE r.deleted_at IS NULL"""
    told["total"], added = connection.execute(statement.encode(), asked).fetchone() or (0, 0)
    for name, key in COUNTED.items():
        counting = f"SELECT {key} AS key, count(*) {_FROM} WHERE r.deleted_at IS NULL GROUP BY 1 ORDER BY 1"
        told[name] = dict(connection.execute(counting.encode(), asked).fetchall())
    told["added_this_month"] = added
    average = "SELECT round(avg(bmi), 1) FROM v_patient_body"
    told["average_bmi"] = (connection.execute(average).fetchone() or (None,))[0]
    return told


__all__ = ["FIELDS", "FILTERS", "NAMES", "Sort", "one", "page", "rows", "stats", "stream", "taken"]
