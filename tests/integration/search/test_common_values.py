"""A page of a search that finds very many costs about as much as one of a search that finds few.

https://hl7.org/fhir/R4/search.html#count
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.fhir.params import parse
from gateway.fhir.query_string import pairs
from gateway.fhir.search_values import Context
from mappings.resources import REGISTRY
from storage.search import run
from storage.search.bind import bind
from storage.search.compile import page_statement
from storage.search.prepared import statement
from storage.search.query import Query
from storage.session import Raw, Store
from tests.fixtures.multitude import SYSTEM, UCUM

CONTEXT = Context(datetime(2026, 1, 1, tzinfo=UTC), "http://here/fhir")
MOST = 2000
"""A page of ten may read so many rows, however many there are."""

# Of five resources four share a code, a value, or the beginning of a name.
ALIKE = f"""
UPDATE coding SET system = '{SYSTEM}', code = 'common' WHERE abs(hashtext(id::text)) % 5 > 0;
UPDATE search_string SET norm = 'common ' || norm WHERE abs(hashtext(id::text)) % 5 > 0;
UPDATE observation SET value_kind = 'Quantity', value_value = 5, value_comparator = NULL,
    value_system = '{UCUM}', value_code = 'mg', value_canonical = 0.005, value_canonical_unit = 'g'
    WHERE abs(hashtext(id::text)) % 5 > 0;
"""  # noqa: S608 - constants

COMMON = f"""
Observation?code={SYSTEM}|common
Observation?code=common
Observation?category={SYSTEM}|common
Observation?category={SYSTEM}|common&code={SYSTEM}|common
Observation?code={SYSTEM}|common,{SYSTEM}|code 5
Observation?code={SYSTEM}|common&date=ge2020
Observation?date=ge2020
Observation?value-quantity=gt0.004|{UCUM}|g
Observation?code-value-quantity={SYSTEM}|common$gt4|{UCUM}|mg
Observation?patient.family=common
Observation?_lastUpdated=ge2020
Observation?_sort=_lastUpdated&code={SYSTEM}|common
Patient?family=common
Patient?name=common
Observation?status=final
Observation?status=final&code={SYSTEM}|common
Condition?code={SYSTEM}|common
Condition?patient.family=common
Encounter?type={SYSTEM}|common
Encounter?date=ge2020
""".strip().splitlines()

FEW = f"""
Observation?code={SYSTEM}|code 5
Observation?patient.family=common family 12
Observation?identifier={SYSTEM}|value 5
Observation?patient=p5
Patient?family=common family 12
""".strip().splitlines()


@pytest.fixture(scope="module")
def alike(crowd: Store) -> Store:
    with crowd.connection() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(ALIKE.encode())
        connection.execute("SET session_replication_role = DEFAULT")
        connection.execute("VACUUM ANALYZE")
    return crowd


def query_of(search: str) -> Query:
    type_name, _, text = search.partition("?")
    return parse(REGISTRY[type_name], pairs(text + "&_count=10"), CONTEXT).query


def rows_read(connection: Raw, search: str) -> float:
    made, values = statement(page_statement, bind(connection, query_of(search)), None)
    explain = b"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + made.text
    found: Any = connection.execute(explain, values, prepare=False).fetchone()
    return _read(found[0][0]["Plan"])


def _read(node: dict[str, Any]) -> float:
    """Count the rows that the scans of a plan looked at."""
    here = 0.0
    if "Relation Name" in node:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        here = float((node["Actual Rows"] + removed) * node["Actual Loops"])
    return here + sum(_read(inner) for inner in node.get("Plans", ()))


# One test for all, so that the rows are loaded by one worker alone.
def test_a_page_reads_few_rows_however_many_there_are(alike: Store) -> None:
    with alike.connection() as connection:
        read = {search: rows_read(connection, search) for search in (*COMMON, *FEW)}
        assert {search: count for search, count in read.items() if count > MOST} == {}
        for search in COMMON:
            assert len(run(connection, query_of(search)).matches) == 10, search
        kept(connection)


def kept(connection: Raw) -> None:
    """A plan is kept where one is good for all values, and there alone."""
    connection.execute("DEALLOCATE ALL")
    for search in FEW:
        for _ in range(10):
            run(connection, query_of(search))
    found = connection.execute("SELECT statement FROM pg_prepared_statements").fetchall()
    pages = [text for (text,) in found if text.startswith("SELECT page.id")]
    assert len(pages) == 2
    assert any("identifier" in text for text in pages)
    assert any("patient_id" in text for text in pages)
