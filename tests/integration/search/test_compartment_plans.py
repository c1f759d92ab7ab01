"""Compartments and $everything are answered by indexes, in a hospital of some size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.app import new_id, now
from gateway.fhir.compartment import understood as within
from gateway.fhir.operations.call import Call
from gateway.fhir.operations.everything import understood as everything
from gateway.fhir.query_string import pairs
from gateway.fhir.search_values import Context
from gateway.records import Caller, Records
from storage.search.bind import bind
from storage.search.compile import page_statement
from storage.search.prepared import statement
from storage.search.query import Query
from storage.session import Store

BIG = 5000
BASE = "http://here/fhir"


def asked(store: Store, search: str) -> Query:
    path, _, text = search.partition("?")
    kind, fhir_id, member = path.split("/")
    if not member.startswith("$"):
        return within(kind, fhir_id, member, text, Context(now(), BASE)).query
    call = Call(Records(store, now, new_id), Caller("fhir"), BASE, kind, fhir_id, tuple(pairs(text)))
    return everything(call).query


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.mark.parametrize(
    "search",
    [
        "Patient/p5/Observation",
        "Patient/p5/Observation?code=urn:system|code 5",
        "Patient/p5/Immunization",
        "Patient/p5/Patient",
        "Patient/p5/*",
        "Patient/p5/*?_type=Observation,Condition",
        "Patient/p5/*?_lastUpdated=ge2021",
        "Encounter/e5/Observation",
        "Encounter/e5/*",
        "Practitioner/p5/*",
        "Patient/p5/$everything",
        "Patient/p5/$everything?_count=10&_type=Observation",
        "Patient/p5/$everything?start=2020-01-01&end=2021-01-01",
        "Encounter/e5/$everything",
    ],
)
def test_no_big_table_is_read_from_end_to_end(crowd: Store, search: str) -> None:
    with crowd.connection() as connection:
        made, values = statement(page_statement, bind(connection, asked(crowd, search)), None)
        plan: Any = connection.execute(b"EXPLAIN (FORMAT JSON) " + made.text, values).fetchone()
        told = connection.execute("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'").fetchall()
        sizes: dict[str, float] = {name: count for name, count in told}  # noqa: C416
    found = list(nodes(plan[0][0]["Plan"]))
    read = [node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"]
    assert [name for name in read if sizes[name] >= BIG] == []
    assert sizes["reference"] >= BIG
