"""Every search parameter is answered by an index: no table of any size is read from end to end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.fhir.params import parse
from gateway.fhir.query_string import pairs
from gateway.fhir.search_values import Context
from mappings.resources import REGISTRY, WITH_TABLES
from mappings.search import SearchParameter, parameters
from storage.model.columns import Code
from storage.model.shared import ContactPoint, Identifier
from storage.search.bind import bind
from storage.search.compile import page_statement
from storage.search.prepared import statement
from storage.search.query import Coded, Composed, Flag, Place, Refers, Target, Worded, Written
from storage.session import Store
from tests.fixtures.multitude import SYSTEM, UCUM

CONTEXT = Context(datetime(2026, 1, 1, tzinfo=UTC), "http://here/fhir")
BIG = 2800
"""A table of so many rows is not to be read from end to end."""

US_CORE = """
Patient?birthdate=1970-01-01&name=family 12
Patient?gender=male&name=family 12
Patient?birthdate=1970-01-01&family=family 12
Patient?family=family 12&gender=male
Patient?death-date=2021-01-01&family=family 12
Encounter?patient=p5
Encounter?date=2021-05-05&patient=p5
Encounter?class=urn:system|code 5&patient=p5
Encounter?patient=p5&type=urn:system|code 5
Encounter?patient=p5&status=finished
Encounter?patient=p5&location=Location/l5
Encounter?patient=p5&discharge-disposition=code 5
Procedure?patient=p5
Procedure?patient=p5&date=ge2021
Procedure?patient=p5&status=completed
Procedure?patient=p5&code=urn:system|code 5&date=ge2021
ServiceRequest?patient=p5
ServiceRequest?patient=p5&category=urn:system|code 5
ServiceRequest?patient=p5&category=urn:system|code 5&authored=ge2021
ServiceRequest?patient=p5&code=urn:system|code 5
ServiceRequest?patient=p5&code=urn:system|code 5&authored=ge2021
ServiceRequest?patient=p5&status=active
DiagnosticReport?patient=p5
DiagnosticReport?patient=p5&category=urn:system|code 5
DiagnosticReport?patient=p5&category=urn:system|code 5&date=ge2021
DiagnosticReport?patient=p5&code=urn:system|code 5
DiagnosticReport?patient=p5&code=urn:system|code 5&date=ge2021
DiagnosticReport?patient=p5&status=final
Observation?patient=p5&category=urn:system|code 5
Observation?patient=p5&category=urn:system|code 5&date=ge2021
Observation?patient=p5&category=urn:system|code 5&status=final
Observation?patient=p5&code=urn:system|code 5
Observation?patient=p5&code=urn:system|code 5,urn:system|code 6&date=ge2021
Condition?patient=p5
Condition?patient=p5&category=code 5
Condition?patient=p5&category=code 5&clinical-status=code 6
Condition?patient=p5&category=code 5&encounter=Encounter/e5
Condition?patient=p5&clinical-status=code 5
Condition?patient=p5&code=urn:system|code 5
Condition?patient=p5&onset-date=ge2021
Condition?patient=p5&abatement-date=ge2021
Condition?patient=p5&recorded-date=ge2021
Condition?patient=p5&asserted-date=ge2021
DocumentReference?patient=p5&category=code 5&date=ge2021
DocumentReference?patient=p5&type=code 5&period=ge2021
DocumentReference?patient=p5&status=current
AllergyIntolerance?patient=p5&clinical-status=code 5
MedicationStatement?patient=p5&status=active
Coverage?patient=p5&status=active
Patient?_has:Observation:patient:code=code 5
Observation?patient.family=family 12
Observation?subject.family=family 12
Observation?subject.name=family 12
Observation?performer.name=family 12
Encounter?location:below=Location/l5
Location?partof:above=Location/l5
Patient?_list=l5
Patient?_filter=family sw "family 12" and gender eq male
Patient?_sort=-_lastUpdated
Observation?_sort=_lastUpdated
"""


@pytest.fixture(scope="module")
def big(crowd: Store) -> frozenset[str]:
    with crowd.connection() as connection:
        rows = connection.execute("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'").fetchall()
    return frozenset(name for name, count in rows if count >= BIG)


def value(type_name: str, parameter: SearchParameter) -> str:
    """A value that some rows have, and not many."""
    if parameter.parts:
        return "$".join(value(type_name, part) for part in parameter.parts)
    target = parameter.targets[0]
    match target:
        case Worded(column=name):
            return f"{name} 77"
        case Flag():
            return "true"
        case Composed(cases=cases):
            return min(cases, key=_width)[0]
        case Coded(place=place, code=name):
            return token(type_name, place, name)
        case Refers():
            return "Patient/p5"
        case Written():
            return "http://source/5"
        case _:
            return plain(parameter, target)


def plain(parameter: SearchParameter, target: Target) -> str:
    named = target.place.elements[0] if target.place.elements else "name"
    values = {"date": "2021-05-05", "number": "7", "quantity": f"54.3|{UCUM}|mg", "string": f"{named} 12"}
    values["special"] = "5.5|5.5|1|km"
    return values[parameter.type]


def _width(case: tuple[str, tuple[tuple[str, tuple[Any, ...]], ...]]) -> int:
    return math.prod(len(allowed) for _, allowed in case[1])


def token(type_name: str, place: Place, name: str) -> str:
    group = place.table.groups[name]
    if isinstance(group, Code):
        return group.values[0]
    if place.table is Identifier:
        return f"{SYSTEM}|value 5"
    if place.table is ContactPoint:
        return "value 5"
    return f"{type_name[0].lower()}5" if name == "fhir_id" else "code 5"


EACH = [
    (f"{type_name}?{parameter.name}={value(type_name, parameter)}")
    for type_name in sorted(WITH_TABLES)
    for parameter in parameters(REGISTRY[type_name]).values()
]


def plan_of(store: Store, search: str) -> dict[str, Any]:
    type_name, _, text = search.partition("?")
    query = parse(REGISTRY[type_name], pairs(text), CONTEXT).query
    with store.connection() as connection:
        made, values = statement(page_statement, bind(connection, query), None)
        found: Any = connection.execute(b"EXPLAIN (FORMAT JSON) " + made.text, values).fetchone()
    return found[0][0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


# One test for all, so that the rows are loaded by one worker alone.
def test_no_search_reads_a_big_table_from_end_to_end(crowd: Store, big: frozenset[str]) -> None:
    needed = {"resource", "observation", "coding", "concept", "identifier", "reference", "search_string"}
    assert needed <= big
    searches = [*EACH, *US_CORE.strip().splitlines()]
    assert len(searches) > 400
    read = {search: whole(crowd, big, search) for search in searches}
    assert {search: tables for search, tables in read.items() if tables} == {}


def whole(store: Store, big: frozenset[str], search: str) -> list[str]:
    """The big tables that a search reads from end to end, and "none" where it uses no index at all."""
    plan = list(nodes(plan_of(store, search)))
    read = [node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"]
    return [name for name in read if name in big] + ["none"] * (
        not any("Index Name" in node for node in plan)
    )
